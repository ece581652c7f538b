"""The staging file through every end: whole or not at all, of whatever schema version, and no row lost."""

from __future__ import annotations

import json
import re
import shutil
import signal
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pytest

from stager import sql
from stager.errors import IntegrityFailed, StagerError, StagingUnavailable
from stager.projections import digest
from stager.session import Intake, Session
from stager.sheets import SHEETS
from stager.staging import Staging
from tests.spine import (
    FILE_KEY,
    run_python,
    session_in,
    write_practice,
)

ROW_GROUP = 122_880


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "staging.duckdb"


@pytest.fixture
def staging(place: Path) -> Iterator[Staging]:
    with Staging.open(place, FILE_KEY) as opened:
        yield opened


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Named statements that a test adds."""
    known = dict(sql._statements())
    monkeypatch.setattr(sql, "_statements", lambda: known)
    return known


# ---------------------------------------------------------------- schema versions


def test_a_newer_schema_is_refused(place: Path) -> None:
    """A file of a later stager is not touched."""
    with Staging.open(place, FILE_KEY) as staging, staging.transaction():
        staging.run("forget_migration_fact", name="schema_version")
        staging.set_fact("schema_version", "99")
    with pytest.raises(StagingUnavailable, match="schema version 99, newer than") as caught:
        Staging.open(place, FILE_KEY)
    assert caught.value.exit_code == 5


def set_back(session: Session) -> None:
    """Make of an open session's file what a stager with the first schema step alone would have left."""
    staging = session._open().staging
    with staging.transaction():
        made = re.findall(r"^create table (\w+)", sql.script("schema_002"), re.MULTILINE)
        for table in made:
            staging._execute(f"drop table {table}")
        staging.run("forget_migration_fact", name="schema_version")
        staging.set_fact("schema_version", "1")


def test_an_older_schema_is_migrated_and_folded(tmp_path: Path) -> None:
    """A file with the first step alone gets the second, its projections folded from its log, at once."""
    files = write_practice(tmp_path / "csv")[0]
    with session_in(tmp_path) as session:
        session.ingest(files[:2], Intake(synthetic=True), actor="eng")
        session.reconcile(actor="eng")
        before, state = session.status(), digest(session._open().staging)
        set_back(session)
    with session_in(tmp_path) as session:
        assert session.status() == before
        assert digest(session._open().staging) == state
        assert session._open().staging.fact("schema_version") == str(len(sql.schema_steps()))
        assert session.rebuild() == (state, state)


def test_a_file_made_of_one_step_becomes_one_of_all(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made by the first step, opened by all: it has every table, and each sheet every column."""
    monkeypatch.setattr(sql, "schema_steps", lambda: ("schema_001",))
    with Staging.open(place, FILE_KEY) as staging:
        migration = staging.migration_id
        assert not staging.one("has_table", table="row_state")
    monkeypatch.undo()
    with Staging.open(place, FILE_KEY) as staging:
        assert staging.one("has_table", table="row_state")
        assert staging.migration_id == migration
        for sheet in SHEETS:
            columns = {row[0] for row in staging._execute(f"describe {sheet.table}").fetchall()}
            assert {*sheet.fields, "extra", "fingerprint"} <= columns


# ---------------------------------------------------------------- whole or not at all

DYING = """
import os, signal, sys
from pathlib import Path
from stager.staging import Staging
real, left, file = Staging._execute, int(sys.argv[1]), Path(sys.argv[2])

def execute(self, text, parameters=None):
    global left
    left -= 1
    if left == 0 or left < 0 and file.is_file():
        os.kill(os.getpid(), signal.SIGKILL)
    return real(self, text, parameters)

Staging._execute = execute
"""

DIES_MAKING = DYING + "Staging.open(file, sys.argv[3])"

DIES_INGESTING = (
    DYING
    + """
from stager.session import Intake
from tests.spine import session_in
with session_in(file) as session:
    session.ingest([Path(sys.argv[3])], Intake(), actor="eng")
print(int(sys.argv[1]) - left)
"""
)

NEVER = 10**9


def doomed(folder: Path, file: Path, points: Sequence[int]) -> list[tuple[int, tuple[object, ...]]]:
    """Ingest a file in copies of a folder, each dying before a statement; exit code and what is there."""
    copies = [folder.with_name(f"{folder.name}-{point}") for point in points]
    for copy in copies:
        shutil.copytree(folder, copy)
    with ThreadPoolExecutor(2) as two:
        ended = two.map(
            lambda copy, point: run_python(DIES_INGESTING, str(point), copy, file), copies, points
        )
        codes = [each.returncode for each in ended]
    found = [(code, look(copy)) for code, copy in zip(codes, copies, strict=True)]
    for copy in copies:
        shutil.rmtree(copy)
    return found


def look(folder: Path) -> tuple[object, ...]:
    """What a migration holds, having seen that its projections are the fold of its log."""
    with session_in(folder) as session:
        status, staging = session.status(), session._open().staging
        before, after = session.rebuild()
        assert before == after
        facts = [staging.one("count_rows_of", {"table": table}) for table in ("source", "row_patients")]
        return (status.events, status.seals, *facts, status.balances)


@pytest.fixture
def patients(tmp_path: Path) -> list[Path]:
    """Two files of patients, the first of them staged in the folder `work`."""
    files = [files[0] for files in write_practice(tmp_path / "csv", parts=2)]
    (tmp_path / "work").mkdir()
    with session_in(tmp_path / "work") as session:
        session.ingest(files[:1], Intake(), actor="eng")
    return files


@pytest.mark.parametrize(("point", "there"), [(2, False), (40, False), (0, True)])
def test_killed_while_the_file_is_made_it_is_whole_or_not_there(point: int, there: bool, place: Path) -> None:
    """Dying at a statement, or (0) when the file stands in its place, leaves no file or a whole one."""
    died = run_python(DIES_MAKING, str(point), place, FILE_KEY)
    assert (died.returncode, died.stderr) == (-signal.SIGKILL, "")
    assert place.exists() is there
    with Staging.open(place, FILE_KEY) as staging:
        assert staging.migration_id
        assert staging.one("has_table", table="row_state")


def assert_before_or_after(folder: Path, file: Path, points: Sequence[int]) -> None:
    before = look(folder)
    *died, (code, after) = doomed(folder, file, (*points, NEVER))
    assert code == 0
    assert before != after
    assert {code for code, _ in died} == {-signal.SIGKILL}
    states = [state for _, state in died]
    assert set(states) <= {before, after}
    assert states == sorted(states, key=[before, after].index), "once done, a command stays done"


def test_killed_in_the_midst_of_a_command_the_file_is_as_before(tmp_path: Path, patients: list[Path]) -> None:
    """Whatever statement the process dies at, the file opens and holds all of the command or nothing."""
    assert_before_or_after(tmp_path / "work", patients[1], (30, 70))


@pytest.mark.soak
def test_killed_at_any_statement_the_file_is_as_before_or_after(tmp_path: Path, patients: list[Path]) -> None:
    """As above, at each statement in turn, the last of them after the commit."""
    work = Path(shutil.copytree(tmp_path / "work", tmp_path / "counted"))
    ended = run_python(DIES_INGESTING, str(NEVER), work, patients[1])
    assert_before_or_after(tmp_path / "work", patients[1], range(2, int(ended.stdout) + 1))


IN_SMALL_ROOM = """
import resource, sys
from pathlib import Path
from stager.errors import StagerError
from stager.staging import Staging
path, key, room, rows = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
staging = Staging.open(path, key)
resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
step = "begin"
try:
    with staging.transaction(committed=lambda: globals().update(step="committed")):
        staging._execute(f"insert into migration select 'more', hash(i)::varchar from range({rows}) r(i)")
        step = "inserted"
except StagerError as error:
    print(step, error.exit_code, "nothing was changed" in error.hint, "the command is done" in error.message)
staging.close()
"""


@pytest.mark.parametrize(
    ("room", "rows", "said", "kept"),
    [
        ("the size it has", 1_000_000, "begin 5 True False", 0),
        ("4096", 5_000, "inserted 5 True False", 0),
        ("300000", 5_000, "committed 5 False True", 5_000),
    ],
    ids=["while rows are written", "at the commit", "at the checkpoint"],
)
def test_a_full_disk_leaves_the_earlier_state_or_the_whole_command(
    room: str, rows: int, said: str, kept: int, place: Path
) -> None:
    """Where no more can be written the message says truly whether the command is done; the file opens."""
    with Staging.open(place, FILE_KEY) as staging, staging.transaction():
        staging.set_fact("before", "stands")
    size = str(place.stat().st_size) if room == "the size it has" else room
    told = run_python(IN_SMALL_ROOM, place, FILE_KEY, size, str(rows))
    assert (told.stdout.strip(), told.stderr) == (said, "")
    with Staging.open(place, FILE_KEY) as staging:
        assert staging.fact("before") == "stands"
        assert staging._execute("select count(*) from migration where name = 'more'").fetchall() == [(kept,)]


IN_SMALL_ROOM_INGEST = """
import resource, sys
from pathlib import Path
from stager.errors import StagingUnavailable
from stager.session import Intake
from tests.spine import session_in
with session_in(Path(sys.argv[1])) as session:
    session.status()
    room = Path(sys.argv[1], "staging.duckdb").stat().st_size // 2
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    try:
        session.ingest([Path(sys.argv[2])], Intake(), actor="eng")
    except StagingUnavailable as error:
        print(error.exit_code, "the command is done" in error.message)
"""


def test_a_command_whose_checkpoint_found_no_room_stands(tmp_path: Path, patients: list[Path]) -> None:
    """It is told as done, its seal is kept beside the keys, and it is there when the file is opened again."""
    work = tmp_path / "work"
    told = run_python(IN_SMALL_ROOM_INGEST, work, patients[1])
    assert (told.stdout.strip(), told.stderr) == ("5 True", "")
    (head,) = (work / "config/stager/keys/heads").glob("*.json")
    with session_in(work) as session:
        status = session.status()
        assert (status.seals, status.balances) == (2, True)
        assert json.loads(head.read_text())["size"] == status.events


def test_an_error_inside_leaves_the_file_as_it_was(staging: Staging) -> None:
    """What a transaction did before it failed is undone, and the first error is the one that is raised."""

    def fail_after(statement: str) -> None:
        with staging.transaction():
            staging._execute(statement)
            raise ZeroDivisionError

    for statement in ("insert into migration values ('half', 'done')", "rollback"):
        with pytest.raises(ZeroDivisionError):
            fail_after(statement)
    with pytest.raises(KeyError):
        staging.fact("half")


# ---------------------------------------------------------------- DuckDB's lost rows

NUMBERED = "select row_number() over (order by i) as name, 'x' as value from"
EMPTY_FIRST = {
    "insert": f"insert into {{table}} {NUMBERED} none",
    "create": f"create or replace temp table {{table}} as {NUMBERED} none",
}
MANY_MORE = f"insert into {{table}} {NUMBERED} range({ROW_GROUP}) r(i)"


@pytest.mark.parametrize("way", EMPTY_FIRST)
def test_duckdb_loses_rows_after_an_empty_insert(way: str) -> None:
    """The fault that `Staging` watches for. Where this fails DuckDB has mended it: take the watch out."""
    table = "kept" if way == "insert" else "made"
    with duckdb.connect(config={"threads": 2, "preserve_insertion_order": "false"}) as connection:
        connection.execute("create table kept (name bigint, value varchar)")
        connection.execute("create temp table none as select 1 as i where false")
        connection.execute("begin")
        connection.execute(EMPTY_FIRST[way].format(table=table))
        told = connection.execute(MANY_MORE.format(table=table)).fetchall()
        kept = connection.execute(f"select count(*) from {table}").fetchall()
    assert (told, kept) == ([(ROW_GROUP,)], [(0,)])


@pytest.mark.parametrize("way", EMPTY_FIRST)
def test_staging_stops_before_rows_are_lost(way: str, staging: Staging, asked: dict[str, str]) -> None:
    """The same two statements through `Staging` end the command with nothing changed, exit code 6."""
    table = "standing" if way == "insert" else "made"
    asked["none_yet"] = EMPTY_FIRST[way].format(table=table)
    asked["many_more"] = MANY_MORE.format(table=table)
    staging._execute("create temp table none as select 1 as i where false")

    def lose() -> None:
        with staging.transaction():
            staging.set_fact("half", "done")
            staging.run("none_yet")
            staging.run("many_more")

    with pytest.raises(IntegrityFailed, match="after an empty insert") as caught:
        lose()
    assert caught.value.exit_code == 6
    with pytest.raises(KeyError):
        staging.fact("half")


def test_an_empty_fill_loses_nothing(staging: Staging, asked: dict[str, str]) -> None:
    """`fill` inserts nothing where a query gives nothing, so that what comes next is kept."""
    asked["some_rows"] = f"{NUMBERED} range($rows) r(i)"
    counts = [0, ROW_GROUP, 0, 3]
    with staging.transaction():
        staging._execute("create or replace temp table target (name varchar, value varchar)")
        assert [staging.fill("target", "some_rows", rows=rows) for rows in counts] == counts
        assert staging.one("count_rows_of", {"table": "target"}) == sum(counts)


def test_many_rows_after_a_few_are_kept(staging: Staging, asked: dict[str, str]) -> None:
    """The watch lets through what DuckDB keeps: an empty insert, a small one, then a large one."""
    asked["some_more"] = f"insert into target {NUMBERED} range($rows) r(i)"
    with staging.transaction():
        staging._execute("create or replace temp table target (name varchar, value varchar)")
        for rows in (0, 3, ROW_GROUP):
            staging.run("some_more", rows=rows)
        assert staging.one("count_rows_of", {"table": "target"}) == ROW_GROUP + 3


def test_lent_frames_are_taken_back(staging: Staging) -> None:
    """A frame can be read as a table while it is lent, and not after, also where the block fails."""
    frame = pl.DataFrame({"a": [1, None, 3]})

    def fail() -> None:
        with staging.lent(lent_frame=frame):
            assert staging.one("count_rows_of", {"table": "lent_frame"}) == 3
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with pytest.raises(StagerError):
        staging.one("count_rows_of", {"table": "lent_frame"})


# ---------------------------------------------------------------- memory


def test_a_lent_frame_is_let_go_of_before_the_transaction_ends(staging: Staging) -> None:
    """DuckDB keeps what was registered in a transaction until its end; the frames must not be among it."""
    with staging.transaction():
        table = pa.table({"name": ["folded"], "value": ["1"]})
        gone = weakref.ref(table)
        with staging.lent(told=table):
            assert staging._execute("select count(*) from told where name = 'folded'").fetchall() == [(1,)]
        del table
        assert gone() is None
        with pytest.raises(StagerError):
            staging._execute("select * from told")
