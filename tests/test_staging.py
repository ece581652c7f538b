"""The staging file at rest: encrypted, locked, whole after any end, and shut off from every other file."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import duckdb
import pytest

from stager.errors import StagerError, StagingUnavailable, UsageError
from stager.session import Intake, Session, workspace
from stager.staging import Staging, file, memory_for, opening
from tests.postgres import open_folder
from tests.spine import (
    ANOTHER_KEY,
    FILE_KEY,
    ROOT,
    every_file,
    run_python,
    session_in,
    settings_in,
    whole_text,
    write_practice,
)

MARKER = "MRK-Persephone-Oakenshield"
MANY = 300_000


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "staging.duckdb"


@pytest.fixture
def staging(place: Path) -> Iterator[Staging]:
    with Staging.open(place, FILE_KEY) as opened:
        yield opened


# ---------------------------------------------------------------- encryption

SPILLING = """
    create temp table unsorted as
    select '{marker}-' || hash(i) || '-' || hash(i + 1) || '-' || hash(i + 2) as cell, i
    from range({many}) r(i);
    create table kept as select cell, i from unsorted;
"""

DIES_SPILLING = """
import os, signal, sys
from pathlib import Path
from stager.staging import Staging
staging = Staging.open(Path(sys.argv[1]), sys.argv[2], memory="32MiB")
with staging.transaction():
    staging._execute(sys.argv[3])
staging._execute("begin")
staging._execute("insert into kept select cell || 'x', i from unsorted")
os.kill(os.getpid(), signal.SIGKILL)
"""

DIES_SPILLING_OPENLY = """
import os, signal, sys
import duckdb
limits = {"memory_limit": "32MiB", "temp_directory": sys.argv[1] + ".spill"}
open_file = duckdb.connect(sys.argv[1], config=limits)
open_file.execute(sys.argv[2])
os.kill(os.getpid(), signal.SIGKILL)
"""


def seen(folder: Path, suffix: str) -> tuple[int, int]:
    """How many bytes the files of that kind have below a folder, and how often they show the marker."""
    files = [content for path, content in every_file(folder) if suffix in str(path.relative_to(folder))]
    return sum(map(len, files)), sum(content.count(MARKER.encode()) for content in files)


def test_neither_file_nor_log_nor_spill_shows_a_patient(tmp_path: Path) -> None:
    """Killed while it spills, stager leaves no readable cell where plain DuckDB leaves many, and opens."""
    script = SPILLING.format(marker=MARKER, many=MANY)
    ours, plain = tmp_path / "ours", tmp_path / "plain"
    ours.mkdir()
    plain.mkdir()
    died = run_python(DIES_SPILLING, ours / "s.duckdb", FILE_KEY, script)
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert run_python(DIES_SPILLING_OPENLY, plain / "s.duckdb", script).returncode == -signal.SIGKILL
    assert seen(plain, ".spill")[1] > 100, "the control finds nothing, so the search proves nothing"
    spilled, shown = seen(ours, ".spill")
    assert spilled > 1_000_000
    assert shown == 0
    size, shown = seen(ours, "s.duckdb")
    assert size > spilled
    assert shown == 0
    with Staging.open(ours / "s.duckdb", FILE_KEY) as staging:
        count = "select count(*), count(*) filter (starts_with(cell, $marker)) from kept"
        assert staging._execute(count, {"marker": MARKER}).fetchall() == [(MANY, MANY)]
    assert seen(ours, ".spill") == (0, 0)


DIES_LOGGED = """
import os, signal, sys
from pathlib import Path
from stager.staging import Staging
staging = Staging.open(Path(sys.argv[1]), sys.argv[2])
with staging.transaction(committed=lambda: os.kill(os.getpid(), signal.SIGKILL)):
    staging.set_fact("told", sys.argv[3])
"""


def test_the_write_ahead_log_is_encrypted_and_the_owners_own(place: Path) -> None:
    """Killed between commit and checkpoint, the log holds the command, readable by nobody else."""
    died = run_python(f"import os; os.umask(0o022)\n{DIES_LOGGED}", place, FILE_KEY, MARKER)
    assert died.returncode == -signal.SIGKILL, died.stderr
    log = place.with_name(place.name + ".wal")
    assert log.stat().st_size > 0
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert MARKER.encode() not in log.read_bytes() + place.read_bytes()
    with Staging.open(place, FILE_KEY) as staging:
        assert staging.fact("told") == MARKER


def test_files_are_0600_and_folders_0700_whatever_the_umask(tmp_path: Path) -> None:
    """Everything that a session makes is its owner's alone, and the process's own umask stays as it was."""
    files = write_practice(tmp_path / "csv")[0]
    work = tmp_path / "work"
    work.mkdir()
    before = os.umask(0o002)
    try:
        with session_in(work) as session:
            session.ingest(files[:1], Intake(), actor="eng")
            made = [path for path in work.rglob("*") if path.is_file() or path.is_dir()]
            modes = {path.relative_to(work).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in made}
        assert os.umask(0o002) == 0o002
    finally:
        os.umask(before)
    assert modes.pop("staging.duckdb.spill") == 0o700
    assert modes["staging.duckdb"] == 0o600
    assert modes["config/stager/keys"] == 0o700
    assert {mode for path, mode in modes.items() if (work / path).is_file()} == {0o600}
    assert {mode for path, mode in modes.items() if (work / path).is_dir()} == {0o700}


def test_without_the_crypto_module_nothing_starts(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where DuckDB's OpenSSL module is not installed for its version, no file is made or opened."""
    Staging.open(place, FILE_KEY).close()
    monkeypatch.setattr(opening.duckdb_extension_httpfs, "__file__", str(tmp_path / "none" / "__init__.py"))
    for path in (place, tmp_path / "new.duckdb"):
        with pytest.raises(StagingUnavailable, match="encryption is not installed"):
            Staging.open(path, FILE_KEY)
    assert [path.name for path in tmp_path.iterdir()] == [place.name]


OPENED_WITH = """
import sys
from pathlib import Path
from stager.errors import StagingUnavailable
from stager.staging import Staging, opening
opening.duckdb_extension_httpfs.__file__ = sys.argv[3]
try:
    Staging.open(Path(sys.argv[1]), sys.argv[2]).close()
except StagingUnavailable as refusal:
    print(refusal)
"""


@pytest.mark.parametrize("altered", [True, False])
def test_a_crypto_module_that_was_altered_is_refused(place: Path, tmp_path: Path, altered: bool) -> None:
    """DuckDB's signature on its OpenSSL module is asked for: with one bit changed no file is made."""
    copy = tmp_path / "wheel" / "extensions" / f"v{duckdb.__version__}" / "httpfs.duckdb_extension"
    copy.parent.mkdir(parents=True)
    shutil.copy(opening._crypto_extension(), copy)
    if altered:
        with copy.open("r+b") as file:
            file.seek(copy.stat().st_size // 2)
            byte = file.read(1)[0]
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte ^ 1]))
    done = run_python(OPENED_WITH, place, FILE_KEY, tmp_path / "wheel" / "__init__.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert ("signature is either missing or invalid" in done.stdout) is altered
    assert place.exists() is not altered


def test_duckdb_accepts_the_signature_of_every_module_that_is_known() -> None:
    """It is not asked for where the file is one of these to the last bit; here it is."""
    module = opening._crypto_extension()
    with duckdb.connect(config={"allow_unsigned_extensions": "false"}) as connection:
        connection.execute(f"LOAD '{module}'")
    here = (sys.platform, platform.machine())
    assert opening.is_known(module) or here != ("linux", "x86_64")
    assert len(opening._KNOWN_MODULES) == 1


def test_nothing_is_loaded_once_a_file_is_open(place: Path, tmp_path: Path) -> None:
    """Neither a module without a signature nor a copy of that which has one."""
    unsigned, copy = tmp_path / "unsigned.duckdb_extension", tmp_path / "copy.duckdb_extension"
    unsigned.write_bytes(b"no module")
    shutil.copy(opening._crypto_extension(), copy)
    with Staging.open(place, FILE_KEY) as staging:
        asked = "select current_setting('allow_unsigned_extensions')"
        assert staging._connection.execute(asked).fetchall() == [(False,)]
        for module in (unsigned, copy):
            with pytest.raises(duckdb.PermissionException, match="disabled"):
                staging._connection.execute(f"LOAD '{module}'")


def test_a_wrong_key_is_named_as_such_and_shown_nowhere(place: Path) -> None:
    """Neither the right key nor the wrong one stands in the error, its traceback, or what is behind it."""
    Staging.open(place, FILE_KEY).close()
    with pytest.raises(StagingUnavailable, match="the key does not open") as caught:
        Staging.open(place, ANOTHER_KEY)
    text = whole_text(caught.value)
    assert FILE_KEY not in text
    assert ANOTHER_KEY not in text


# ---------------------------------------------------------------- what is refused


def _plain(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table migration (name varchar, value varchar)")


def _encrypted(path: Path, key: str, script: str) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"LOAD '{opening._crypto_extension()}'")
        connection.execute(f"ATTACH '{path}' AS other (ENCRYPTION_KEY $key)", {"key": key})
        connection.execute(f"use other; {script}")


FOREIGN = {
    "plain duckdb": (_plain, "is no staging file"),
    "random bytes": (lambda path: path.write_bytes(os.urandom(50_000)), "is no staging file"),
    "text": (lambda path: path.write_bytes(b"LegacyPatientID,First Name\n"), "is no staging file"),
    "empty": (lambda path: path.write_bytes(b""), "is no staging file"),
    "encrypted by another": (
        lambda path: _encrypted(path, ANOTHER_KEY, "create table t (i int)"),
        "the key does not open",
    ),
    "encrypted, not stager's": (
        lambda path: _encrypted(path, FILE_KEY, "create table t (i int)"),
        "is no staging file",
    ),
    "folder": (lambda path: path.mkdir(), "is not a regular file"),
    "link": (lambda path: path.symlink_to(path.with_name("elsewhere.duckdb")), "is not a regular file"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_what_is_no_staging_file_is_refused_and_left_alone(kind: str, place: Path) -> None:
    """A foreign file is neither read as one of ours nor changed; exit code 5, and the key is not shown."""
    make, said = FOREIGN[kind]
    make(place)
    before = place.read_bytes() if place.is_file() else b""
    with pytest.raises(StagingUnavailable, match=said) as caught:
        Staging.open(place, FILE_KEY)
    assert caught.value.exit_code == 5
    assert FILE_KEY not in whole_text(caught.value)
    assert [path.name for path in place.parent.iterdir()] == [place.name]
    assert (place.read_bytes() if place.is_file() else b"") == before


def test_a_missing_file_is_not_made_unless_asked_for(place: Path) -> None:
    """Commands that only read say that there is none, and where it would be."""
    with pytest.raises(StagingUnavailable, match="there is no staging file at"):
        Staging.open(place, FILE_KEY, create=False)
    with pytest.raises(StagingUnavailable, match=r"the folder .* does not exist"):
        Staging.open(place / "deeper" / "s.duckdb", FILE_KEY)
    assert not place.exists()


@pytest.mark.parametrize("memory", ["lots", "", "1GiB; drop table event"])
def test_a_wrong_memory_limit_is_wrong_usage(memory: str, place: Path) -> None:
    """STAGER_MEMORY that is no amount of memory ends with exit 2, before a file is made."""
    umask = os.umask(0o022)
    try:
        with pytest.raises(UsageError) as caught:
            Staging.open(place, FILE_KEY, memory=memory)
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(umask)
    assert caught.value.exit_code == 2
    assert not place.exists()


@pytest.mark.parametrize(("mebibytes", "limit"), [(0, 320), (200, 320), (500, 625), (3_000, 1_792)])
def test_memory_grows_with_the_file(mebibytes: int, limit: int, place: Path) -> None:
    """A quarter more than the file, at least what a new one needs, and never more than 1,792 MiB."""
    assert memory_for(place) == "320MiB"
    with place.open("wb") as sparse:
        sparse.truncate(mebibytes << 20)
    assert memory_for(place) == f"{limit}MiB"
    assert memory_for(place, 1 << 30) == f"{limit}MiB"
    assert memory_for(place, 4 << 30) == "1792MiB"
    assert memory_for(place, 1 << 30, alone=False) == f"{limit - 96}MiB"


THREADS = "select current_setting('threads')"


@pytest.fixture
def processors() -> int:
    """How many DuckDB finds."""
    with duckdb.connect() as connection:
        [(found,)] = connection.execute(THREADS).fetchall()
    return int(found)


def test_a_small_file_is_asked_with_one_processor(
    place: Path, processors: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A larger one, and one that will be by what comes, with all that there are."""
    for coming, least, found in ((0, 32 << 20, 1), (0, 0, processors), (32 << 20, 32 << 20, processors)):
        monkeypatch.setattr(file, "SMALL", least)
        place.unlink(missing_ok=True)
        with Staging.open(place, FILE_KEY, coming=coming) as staging:
            assert staging._execute(THREADS).fetchall() == [(found,)]


def test_all_processors_come_back_however_the_work_ended(place: Path, processors: int) -> None:
    """What failed in a transaction took it along, and a failed one takes no setting until it is undone."""
    with Staging.open(place, FILE_KEY, coming=1 << 30) as staging:
        for statement in ("select 1", "select error('failing')"):
            with suppress(StagerError), staging.transaction(), staging.one_processor():
                with staging.one_processor():
                    pass
                assert staging._execute(THREADS).fetchall() == [(1,)]
                staging._execute(statement)
            assert staging._execute(THREADS).fetchall() == [(processors,)]


@pytest.mark.parametrize("told", [{}, {"STAGER_MEMORY": "330MiB"}])
def test_a_file_that_grew_is_opened_again(
    told: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What follows has the memory that the file is worth then, unless a person said how much."""
    with Session(settings_in(tmp_path, **told)) as session:
        monkeypatch.setattr(workspace, "memory_for", lambda *_, **__: "345MiB")
        session.ingest(write_practice(tmp_path / "csv")[0], Intake(), actor="eng")
        monkeypatch.setattr(file, "memory_for", lambda *_, **__: "345MiB")
        session.reconcile(actor="eng")
        assert session._open().staging.memory == told.get("STAGER_MEMORY", "345MiB")


WITHOUT_A_SCRIPT = """
import sys
from pathlib import Path
from stager.staging import Staging
with Staging.open(Path(sys.argv[1]), sys.argv[2]) as staging:
    print(staging._execute("select current_setting('enable_progress_bar')").fetchall())
"""


def test_duckdb_prints_nothing(place: Path) -> None:
    """Where Python is given no script, DuckDB would show a bar on standard output, amid the JSON."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_A_SCRIPT, place, FILE_KEY], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[(False,)]\n"


WITHOUT_RIGHTS = """
import os, sys
from pathlib import Path
from stager.errors import StagingUnavailable
from stager.staging import Staging
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    open(sys.argv[3], "wb")
except PermissionError:
    pass
else:
    sys.exit("the rights do not bind this process")
try:
    Staging.open(Path(sys.argv[1]), sys.argv[2])
except StagingUnavailable as error:
    print(error.exit_code, error)
"""


@pytest.mark.parametrize("closed", ["folder of a new file", "folder", "file"])
def test_rights_that_are_missing_are_named(closed: str) -> None:
    """In a read-only folder, or on a read-only file, stager says so and changes nothing."""
    folder = open_folder("stager-rights-")
    try:
        work = folder / "work"
        work.mkdir()
        path = work / "s.duckdb"
        if closed != "folder of a new file":
            Staging.open(path, FILE_KEY).close()
            path.chmod(0o444 if closed == "file" else 0o666)
        work.chmod(0o777 if closed == "file" else 0o555)
        before = sorted((each.name, each.stat().st_size) for each in work.iterdir())
        probe = path if closed == "file" else work / "probe"
        told = run_python(WITHOUT_RIGHTS, path, FILE_KEY, probe)
        assert (told.returncode, told.stderr) == (0, "")
        assert told.stdout == f"5 {path} cannot be written\n"
        assert sorted((each.name, each.stat().st_size) for each in work.iterdir()) == before
    finally:
        shutil.rmtree(folder)


# ---------------------------------------------------------------- one at a time

HOLDS = """
import sys
from pathlib import Path
from stager.staging import Staging
with Staging.open(Path(sys.argv[1]), sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_told_who_holds_the_file(place: Path) -> None:
    """The holder's process id is named, exit code 5; when it has ended the file opens."""
    command = [sys.executable, "-c", HOLDS, str(place), FILE_KEY]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StagingUnavailable, match=rf"in use by process {holder.pid}\b") as caught:
            Staging.open(place, FILE_KEY)
        assert caught.value.exit_code == 5
        holder.communicate("")
    Staging.open(place, FILE_KEY).close()


OPENS = """
import sys, time
from pathlib import Path
from stager.errors import StagingUnavailable
from stager.staging import Staging
try:
    staging = Staging.open(Path(sys.argv[1]), sys.argv[2])
except StagingUnavailable as error:
    print("refused" if "in use by process" in str(error) else error)
else:
    print(staging.migration_id, flush=True)
    time.sleep(2)
"""


def test_of_processes_that_make_the_file_at_once_one_has_it(place: Path) -> None:
    """Every other one is told that it is in use; the file has the id that was told, and nothing is left."""
    with ThreadPoolExecutor(3) as three:
        told = list(three.map(lambda _: run_python(OPENS, place, FILE_KEY).stdout.strip(), range(3)))
    with Staging.open(place, FILE_KEY) as staging:
        assert staging.migration_id in told
        assert set(told) <= {staging.migration_id, "refused"}
    assert [path.name for path in place.parent.iterdir()] == [place.name]


def test_a_second_session_of_one_process_is_told_so(staging: Staging) -> None:
    """A file that is open already is not called foreign."""
    with pytest.raises(StagingUnavailable, match="open in this process"):
        Staging.open(staging.path, FILE_KEY)
    assert staging.migration_id


# ---------------------------------------------------------------- shut off from all else

OUTSIDE = {
    "read_csv": "select * from read_csv('{other}')",
    "read_text": "select * from read_text('{other}')",
    "a file named as a table": "select * from '{other}'",
    "glob": "select * from glob('{folder}/*')",
    "copy to": "copy migration to '{folder}/out.csv'",
    "copy from": "copy migration from '{other}'",
    "export": "export database '{folder}/out'",
    "attach": "attach '{folder}/other.duckdb'",
    "detach": "detach stg",
    "set": "set enable_external_access=true",
    "set spill": "set temp_file_encryption=false",
    "unlock": "set lock_configuration=false",
    "reset": "reset enable_external_access",
    "allow": "set allowed_configs=['memory_limit']",
    "pragma": "pragma memory_limit='1GB'",
    "install": "install spatial",
    "load": "load '{other}'",
    "secret": "create secret (type s3)",
}


@pytest.mark.parametrize("way", OUTSIDE)
def test_no_statement_reaches_outside(way: str, staging: Staging, tmp_path: Path) -> None:
    """Once open, DuckDB reads and writes no other file, attaches nothing and takes no setting but one."""
    other = tmp_path / "other.csv"
    other.write_text(f"name,value\n{MARKER},2\n")
    before = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(StagerError) as caught:
        staging._execute(OUTSIDE[way].format(other=other, folder=tmp_path)).fetchall()
    assert {path.name for path in tmp_path.iterdir()} == before
    assert MARKER not in whole_text(caught.value)
    assert staging.migration_id


def test_a_failing_statement_does_not_quote_a_cell(staging: Staging) -> None:
    """DuckDB's own text names the cell that it cannot read; ours names only the kind of failure."""
    with pytest.raises(StagerError, match="ConversionException") as caught:
        staging._execute("select $cell::integer", {"cell": MARKER})
    assert MARKER not in whole_text(caught.value)


def test_settings_do_not_reach_into_the_process(tmp_path: Path) -> None:
    """A session takes its place, keys and memory from the settings handed in, not from the process."""
    with pytest.raises(UsageError):
        Session(settings_in(tmp_path, STAGER_MEMORY="plenty")).ingest(
            write_practice(tmp_path / "csv")[0], Intake(), actor="eng"
        )
    assert not (tmp_path / "staging.duckdb").exists()
