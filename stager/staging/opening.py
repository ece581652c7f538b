"""Opening the file that holds a migration: encrypted or not at all, then shut off from all else.

DuckDB's errors become ours here, without its texts where those may quote a cell, a statement or the key.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import duckdb
import duckdb_extension_httpfs

from stager.errors import IntegrityFailed, StagerError, StagingInUse, StagingUnavailable, UsageError

_SAFE_CONFIG = {
    "preserve_insertion_order": "false",  # no query here relies on it, and keeping it costs memory
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
}
_KNOWN_MODULES = frozenset({"887c392b1e49128d11667c81e3698d8b00dfdeb456771acf66d05a0f74f7b7d8"})
"""SHA-256 of the OpenSSL modules of duckdb-extension-httpfs 1.5.5 that DuckDB accepts: for x86-64 Linux.

DuckDB asks for the signature at every LOAD, on all processors and for a fifth of a short command. A file that
is one of these to the last bit has it, and is loaded without asking again; of any other DuckDB asks.
"""
_LOCKED = (
    "SET enable_progress_bar=false",  # without a script DuckDB takes standard output for a terminal
    "SET enable_external_access=false",
    "SET allowed_configs=['threads']",
    "SET lock_configuration=true",
)
Answer = TypeVar("Answer")

_HOLDER = re.compile(r"PID (\d+)")


def spill_folder(path: Path) -> Path:
    """Where DuckDB puts what does not fit in memory, encrypted, while the file is open."""
    return path.with_name(path.name + ".spill")


def check_there(path: Path) -> None:
    """StagingUnavailable where there is no file at `path`."""
    if not path.exists():
        raise StagingUnavailable(f"there is no staging file at {path}", hint="stager ingest FILE… makes one")


def check_place(path: Path) -> None:
    """StagingUnavailable where the file at `path` could not be written, or is not a regular one."""
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise StagingUnavailable(f"{path} is not a regular file", hint="name a staging file with --staging")
    if not path.parent.is_dir():
        raise StagingUnavailable(f"the folder {path.parent} does not exist", hint="make it, or name another")
    if not os.access(path.parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise StagingUnavailable(
            f"{path} cannot be written", hint="mend the rights of its folder, or name another"
        )


def opened(
    path: Path,
    file_key: str,
    memory: str,
    threads: int | None,
    make: Callable[[duckdb.DuckDBPyConnection], None] | None = None,
) -> duckdb.DuckDBPyConnection:
    """A connection to the encrypted file that can touch nothing else.

    threads: how many processors it may use; None for all. make: makes the file, where it is not there,
    before the connection is shut off; DuckDB's encryption is read and checked once for both.
    Raises StagingUnavailable: held by another process, wrong key, not of DuckDB, not encrypted, or no
    encryption can be had. UsageError: `memory` is no amount of memory.
    """
    module = _crypto_extension()
    connection = _connect(memory, threads, known=is_known(module))
    try:
        connection.execute(f"LOAD {_quoted(str(module))}")
        connection.execute("SET allow_unsigned_extensions=false")
        # Before its folder is named: DuckDB refuses it beside spills that a killed process left there.
        connection.execute("SET temp_file_encryption=true")
        connection.execute(f"SET temp_directory={_quoted(str(spill_folder(path)))}")
        if make:
            make(connection)
        attach(connection, path, file_key)
        for setting in _LOCKED:
            connection.execute(setting)
        _prove_encrypted(connection)
        # Made here, since DuckDB would make it open to others when it spills.
        spill_folder(path).mkdir(mode=0o700, exist_ok=True)
    except duckdb.Error as error:
        refusal = _refusal(path, error)
    except OSError as error:
        refusal = _unopened(path, str(error.strerror))
    except BaseException:
        close(connection)
        raise
    else:
        return connection
    close(connection)
    raise refusal


def close(connection: duckdb.DuckDBPyConnection) -> None:
    """Close a connection, whatever it is at: after Ctrl-C a query may still run, and closing would wait.

    A query that was interrupted keeps its file, beyond the end of its connection, until another one is asked.
    """
    connection.interrupt()
    with suppress(duckdb.Error):
        connection.execute("select 1")
    connection.close()


def attach(connection: duckdb.DuckDBPyConnection, path: Path, file_key: str) -> None:
    """The encrypted file as the one that statements are about, made if it is not there."""
    try:
        with own_files():
            connection.execute(f"ATTACH {_quoted(str(path))} AS stg (ENCRYPTION_KEY $key)", {"key": file_key})
        connection.execute("USE stg")
    except duckdb.Error as error:
        refusal = _refusal(path, error)
    else:
        return
    raise refusal


def detach(connection: duckdb.DuckDBPyConnection) -> None:
    """Let go of the file; it is closed then."""
    connection.execute("USE memory")
    connection.execute("DETACH stg")


def _connect(memory: str, threads: int | None, *, known: bool) -> duckdb.DuckDBPyConnection:
    """known: whether the module that is loaded next is one whose signature need not be asked for."""
    limits = {"memory_limit": memory, **({"threads": str(threads)} if threads else {})}
    signed = {"allow_unsigned_extensions": "true" if known else "false"}
    try:
        return duckdb.connect(config={**_SAFE_CONFIG, **limits, **signed})
    except duckdb.Error:
        raise UsageError(
            f"{memory!r} is no amount of memory", hint="set STAGER_MEMORY to one, for example 1GiB"
        ) from None


@contextmanager
def own_files() -> Iterator[None]:
    """What DuckDB makes inside, the file and its write-ahead log, is for its owner's eyes only."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def is_known(module: Path) -> bool:
    """Whether the file is one of those modules that DuckDB is known to accept, to the last bit."""
    try:
        with module.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() in _KNOWN_MODULES
    except OSError:  # DuckDB tells why it cannot be read
        return False


def _crypto_extension() -> Path:
    """DuckDB's signed OpenSSL module, from its wheel; nothing is fetched."""
    folder = Path(duckdb_extension_httpfs.__file__).parent / "extensions" / f"v{duckdb.__version__}"
    for found in folder.glob("httpfs.duckdb_extension"):
        return found
    raise StagingUnavailable(
        "DuckDB's encryption is not installed for its version, so patients' data cannot be kept safely",
        hint="install stager again: it brings duckdb and duckdb-extension-httpfs of one version",
    )


def _prove_encrypted(connection: duckdb.DuckDBPyConnection) -> None:
    found = connection.execute(
        "select encrypted, cipher from duckdb_databases() where database_name = 'stg'"
    ).fetchall()
    if found != [(True, "GCM")]:
        raise StagingUnavailable("the staging file is not encrypted", hint="name another with --staging")
    if connection.execute("select current_setting('temp_file_encryption')").fetchall() != [(True,)]:
        raise StagingUnavailable("DuckDB's spills would not be encrypted", hint="install stager again")


def _refusal(path: Path, error: duckdb.Error) -> StagingUnavailable:
    text = str(error)
    if "Conflicting lock" in text:
        holder = _HOLDER.search(text)
        who = f"process {holder[1]}" if holder else "another process"
        return StagingInUse(
            f"{path} is in use by {who}",
            pid=int(holder[1]) if holder else None,
            hint="wait until it has ended, or end it; stager review --read-only looks at a copy",
        )
    if "Unique file handle conflict" in text:
        return StagingUnavailable(f"{path} is open in this process", hint="use the session that has it open")
    if "Wrong encryption key" in text:
        return StagingUnavailable(
            f"the key does not open {path}", hint="name the key that it was made with in STAGER_KEY_FILE"
        )
    if isinstance(error, duckdb.IOException) and "not a valid DuckDB" not in text:
        return _unopened(path, _short(error))
    return StagingUnavailable(f"{path} is no staging file of stager", hint="name another with --staging")


def _unopened(path: Path, why: str) -> StagingUnavailable:
    return StagingUnavailable(f"{path} cannot be opened: {why}", hint="see its folder's rights and room")


def asked(path: Path, ask: Callable[[], Answer]) -> Answer:
    """What DuckDB answers, its errors as ours.

    Its texts may quote a cell or a statement. So ours is raised where DuckDB's is not at hand any more, or
    it would go along as the context of ours.
    """
    try:
        return ask()
    except duckdb.Error as error:
        failure = _failure(path, error)
    raise failure


def _failure(path: Path, error: duckdb.Error) -> StagerError:
    if isinstance(error, duckdb.IOException) or "Failed to commit" in str(error):
        return StagingUnavailable(
            f"the staging file {path} could not be read or written: {_short(error)}",
            hint="make room on the disk or mend the folder's rights, then run the command again; "
            "nothing was changed",
        )
    if isinstance(error, duckdb.OutOfMemoryException):
        return StagingUnavailable(
            f"the memory set aside for the staging file is used up: {_short(error)}",
            hint="set STAGER_MEMORY to more than it is, for example 4GiB",
        )
    if isinstance(error, duckdb.FatalException | duckdb.InternalException) or "AES tag" in str(error):
        return IntegrityFailed(f"the staging file {path} is damaged", hint="restore it from a copy")
    return StagerError(
        f"the staging file {path} could not be asked ({type(error).__name__})",
        hint="nothing was changed; this is a fault in stager: report it",
    )


def _short(error: duckdb.Error) -> str:
    return str(error).splitlines()[0].split("(LOG")[0]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
