"""Looking while another process has the staging file: who it is, and a private copy that changes nothing."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
from msgspec.structs import replace
from typer.main import get_command

from stager.cli.app import app
from stager.decisions import Choice, Decision
from stager.errors import IntegrityFailed, StagingInUse, StagingUnavailable
from stager.session import Filter, Intake, Session, Settings, holder
from stager.session.looking import COMMANDS, Copy, who_has
from stager.session.review_views import EventFilter, QueueFilter
from tests.migration import Migration, cloned, note, patient, prepared
from tests.spine import ROOT, every_file

HOLDING = """
import os, sys
from pathlib import Path
from stager.session import Session, Settings
folder = Path(sys.argv[1])
environ = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config")}
with Session(Settings(Path("s.duckdb"), environ, folder)) as session:
    session.status()
    print("open", flush=True)
    sys.stdin.readline()
"""

WRITING = """
import sys, time
from pathlib import Path
from stager.session import Filter, Session, Settings
folder = Path(sys.argv[1])
environ = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config")}
with Session(Settings(Path("s.duckdb"), environ, folder)) as session:
    found = session.findings(Filter())
    print("open", flush=True)
    for n in range(int(sys.argv[2])):
        session.assign(found[:1], f"somebody {n}", None, actor="writer")
        time.sleep(0.05)
"""


@contextmanager
def process(code: str, folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process that has the staging file open when this begins."""
    running = subprocess.Popen(
        [sys.executable, "-c", code, str(folder), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert running.stdout is not None
        assert running.stdout.readline() == "open\n"
        yield running
    finally:
        running.kill()
        running.communicate()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    def build(migration: Migration) -> None:
        migration.take(patients=[patient("P1", gender="MARKER-1")], notes=[note("P1"), note("nobody")])

    return prepared(tmp_path_factory.mktemp("looking") / "home", build)


@pytest.fixture
def folder(home: Path, tmp_path: Path) -> Path:
    """A migration that nobody has open."""
    cloned(home, tmp_path / "m").close()
    return tmp_path / "m"


def settings_of(folder: Path, **environ: str) -> Settings:
    own = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config"), **environ}
    return Settings(Path("s.duckdb"), own, folder)


def looking(folder: Path, **environ: str) -> Session:
    return Session(replace(settings_of(folder, **environ), read_only=True))


def test_who_has_the_file_is_told(folder: Path) -> None:
    """The process, whose it is, since when; from the error alone, and by asking."""
    with process(HOLDING, folder) as other:
        with pytest.raises(StagingInUse) as refused, Session(settings_of(folder)) as session:
            session.status()
        assert "--read-only" in refused.value.hint
        taken = who_has(refused.value)
        assert taken == holder(settings_of(folder))
    assert taken is not None
    assert taken.pid == refused.value.pid == other.pid
    assert taken.who == psutil.Process().username()
    assert taken.since is not None
    since = datetime.fromisoformat(taken.since)
    assert timedelta(0) <= datetime.now(UTC) - since < timedelta(minutes=2)
    assert taken.command is not None
    assert str(folder) not in taken.command


def test_nobody_has_a_file_that_is_closed(folder: Path) -> None:
    """And of a process that is gone nothing is told."""
    assert holder(settings_of(folder)) is None
    with process(HOLDING, folder) as other:
        pass
    assert who_has(StagingInUse("taken", pid=other.pid)) is None
    assert who_has(StagingInUse("taken", pid=None)) is None


def test_only_names_of_commands_are_told_of_a_process() -> None:
    """They are the program's own; any other word of its arguments may be a patient's value."""
    assert set(get_command(app).commands) == set(COMMANDS)  # type: ignore[attr-defined]


def test_a_copy_shows_what_the_file_holds(folder: Path) -> None:
    """All of it, while another process has the file, and goes on to have it."""
    with Session(settings_of(folder)) as session:
        status, lines = session.status(), session.queue(QueueFilter()).page(0, 9)
    with process(HOLDING, folder):
        with looking(folder) as session:
            assert session.status() == status
            assert session.queue(QueueFilter()).page(0, 9) == lines
            assert session.finding_view(lines[0].finding.finding_id)
            assert session.signing().plan
            assert session.events(EventFilter()).count == status.events
        assert holder(settings_of(folder)) is not None


def test_a_copy_is_private_encrypted_and_gone_afterwards(folder: Path, tmp_path: Path) -> None:
    """In a folder that only its owner may enter; without a patient's word to be read in it."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    with looking(folder, TMPDIR=str(temporary)) as session:
        session.status()
        (copy,) = temporary.iterdir()
        assert stat.S_IMODE(copy.stat().st_mode) == 0o700
        files = list(every_file(copy))
        assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path, _ in files)
        assert sum(len(data) for _, data in files) > 10_000
        assert not any(b"MARKER-1" in data for _, data in files)
    assert list(temporary.iterdir()) == []


def test_nothing_is_left_of_a_copy_that_does_not_open(folder: Path, tmp_path: Path) -> None:
    """Another key: it is refused as the file itself would be, and the copy is removed."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    key = next((folder / "config").rglob("staging.key"))
    key.write_text("QUJD" * 10 + "QUI=\n")
    with pytest.raises(StagingUnavailable), looking(folder, TMPDIR=str(temporary)) as session:
        session.status()
    assert list(temporary.iterdir()) == []


def test_nothing_can_be_changed_in_a_copy(folder: Path, tmp_path: Path) -> None:
    """Every method that writes says so, and what to do; the file stays as it is to the byte."""
    before = (folder / "s.duckdb").read_bytes()
    with looking(folder) as session:
        found = session.findings(Filter())
        story = session.history("notes", "1")
        writing = [
            lambda: session.ingest([folder / "notes1.csv"], Intake(), actor="x"),
            lambda: session.reconcile(actor="x"),
            lambda: session.expect("patients=1", actor="x"),
            lambda: session.decide(found, Choice(Decision.EXCLUDE), actor="x"),
            lambda: session.decide_rows([("notes", "1")], Choice(Decision.EXCLUDE), actor="x"),
            lambda: session.undo(1, actor="x"),
            lambda: session.approve(actor="x"),
            lambda: session.assign(found, "lee", None, actor="x"),
            lambda: session.show_values(story, actor="x"),
            session.rebuild,
        ]
        for method in writing:
            with pytest.raises(StagingUnavailable, match="read-only copy") as refused:
                method()
            assert "nobody else has it open" in refused.value.hint
    assert (folder / "s.duckdb").read_bytes() == before


def test_publishing_from_a_copy_is_refused_before_anything_is_sent(folder: Path) -> None:
    """A tenant that could not be reached is not even tried."""
    (folder / "tenants.toml").write_text('[tenants.far]\ndsn = "host=127.0.0.1 port=1 dbname=none"\n')
    with looking(folder) as session, pytest.raises(StagingUnavailable, match="read-only copy"):
        session.publish("far", actor="x")


def test_copies_of_a_file_that_is_written_to_are_whole(folder: Path) -> None:
    """However the copies fall among the commits: each opens, holds a sealed log, and is not behind itself."""
    seen: list[int] = []
    busy: list[str] = []
    with process(WRITING, folder, "40") as other:
        while other.poll() is None and len(seen) < 5:
            try:
                with looking(folder) as session:
                    status = session.status()
                    assert session.prove()
                    assert session._open().staging.one("count_rows_of", {"table": "event"}) == status.events
                    seen.append(status.events)
            except StagingUnavailable as error:
                busy.append(error.hint)
    assert seen == sorted(seen)
    assert seen
    assert set(busy) <= {"try again in a moment"}
    with Session(settings_of(folder)) as session:
        assert session.verify()


def test_a_file_that_was_rolled_back_is_no_torn_copy(folder: Path) -> None:
    """What is wrong with the file itself is told as that, not as being written to."""
    older = (folder / "s.duckdb").read_bytes()
    with Session(settings_of(folder)) as session:
        session.assign(session.findings(Filter())[:1], "lee", None, actor="x")
    (folder / "s.duckdb").write_bytes(older)
    with pytest.raises(IntegrityFailed, match="older than its last seal"), looking(folder) as session:
        session.status()


def test_a_process_that_has_the_file_makes_no_copy_of_it(folder: Path) -> None:
    """Copying would drop its own lock, and a second writer could come in."""
    with Session(settings_of(folder)) as session:
        session.status()
        with pytest.raises(StagingUnavailable, match="open in this process"):
            session.read_only_copy().status()
        with process_fails(folder) as told:
            assert "in use by process" in told
    with session.read_only_copy() as copy:
        assert copy.status()


@contextmanager
def process_fails(folder: Path) -> Iterator[str]:
    """What another process is told that tries to open the file."""
    done = subprocess.run(
        [sys.executable, "-c", HOLDING, str(folder)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    yield done.stderr


def test_no_file_no_copy(tmp_path: Path) -> None:
    """Nothing is made where there is nothing to look at."""
    with pytest.raises(StagingUnavailable, match="no staging file"):
        Copy(tmp_path / "none.duckdb", {})
