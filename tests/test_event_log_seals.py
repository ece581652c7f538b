"""Seals: one for each command, chained, signed, and kept outside so that no log is rolled back unseen."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import pytest

from stager.errors import IntegrityFailed, UsageError
from stager.projections import digest
from stager.session import Choice, Decision, Filter, Intake, Session
from tests.log_by_hand import assert_sealed, events_of
from tests.spine import run_python, session_in, write_practice


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A practice taken in, linked, decided about and approved, one command after the other."""
    folder = tmp_path_factory.mktemp("reviewed")
    files = write_practice(folder / "csv")[0]
    with session_in(folder) as session:
        commands = (
            lambda: session.ingest(files[:2], Intake(synthetic=True), actor="eng"),
            lambda: session.ingest(files[2:], Intake(), actor="eng", tenant="maple-surgery"),
            lambda: session.reconcile(actor="eng"),
            lambda: session.decide(
                session.findings(Filter(code="row.malformed")), Choice(Decision.EXCLUDE), actor="lee"
            ),
            lambda: session.approve(actor="lead"),
        )
        for number, act in enumerate(commands, 1):
            act()
            assert session.status().seals == number, "a command is sealed once"
    return folder


@pytest.fixture
def migration(reviewed: Path, tmp_path: Path) -> Path:
    """A copy of that practice to work on."""
    return Path(shutil.copytree(reviewed, tmp_path / "work"))


def test_every_command_is_sealed_once(migration: Path) -> None:
    """The log of a real review holds against the definition, under the key that it names itself."""
    with session_in(migration) as session:
        staging = session._open().staging
        opened, _ = events_of(staging)[0]
        public_key = json.loads(opened[-1])["public_key"]
        assert (opened[3], public_key) == ("migration.opened", staging.fact("public_key"))
        assert len(assert_sealed(staging, bytes.fromhex(public_key))) == 5


def test_a_command_that_changes_nothing_leaves_no_seal(migration: Path) -> None:
    """The same file again, and a command that fails, add no event and no seal."""
    with session_in(migration) as session:
        before, state = session.status(), digest(session._open().staging)
        session.ingest([migration / "csv" / "patients-1.csv"], Intake(), actor="eng")
        findings = session.findings(Filter(state=None))
        with pytest.raises(UsageError):
            session.decide(findings, Choice(Decision.LINK), actor="eng")
        with pytest.raises(UsageError):
            session.undo(1, actor="eng")
        assert session.status() == before
        assert digest(session._open().staging) == state


# ---------------------------------------------------------------- rolled back


def undo_last(session: Session) -> None:
    (seq,) = {row[0] for row in session._open().staging._execute("select seq from decision").fetchall()}
    session.undo(seq, actor="lee")


def assert_refused(folder: Path) -> None:
    older = pytest.raises(IntegrityFailed, match="older than its last seal")
    with older as caught, session_in(folder) as session:
        session.status()
    assert caught.value.exit_code == 6


def test_an_older_copy_of_the_file_is_refused(migration: Path) -> None:
    """A staging file put back to before the last command no longer opens; the latest copy does."""
    older, latest = migration / "older.duckdb", migration / "latest.duckdb"
    shutil.copy(migration / "staging.duckdb", older)
    with session_in(migration) as session:
        undo_last(session)
    shutil.copy(migration / "staging.duckdb", latest)
    shutil.copy(older, migration / "staging.duckdb")
    assert_refused(migration)
    assert_refused(migration)
    shutil.copy(latest, migration / "staging.duckdb")
    with session_in(migration) as session:
        assert session.status().seals == 6


def test_another_log_of_the_same_length_is_refused(migration: Path, tmp_path: Path) -> None:
    """A copy that went on by other commands to the same number of events is another log."""
    fork = Path(shutil.copytree(migration, tmp_path / "fork"))
    for folder, actor in ((migration, "lee"), (fork, "ann")):
        with session_in(folder) as session:
            session.reconcile(actor=actor)
    shutil.copy(fork / "staging.duckdb", migration / "staging.duckdb")
    assert_refused(migration)


DIES_BEFORE_THE_CHECKPOINT = """
import os, signal, sys
from pathlib import Path
from stager.staging import Staging
from tests.log_by_hand import assert_sealed, events_of
from tests.spine import session_in
Staging._checkpoint = lambda self: os.kill(os.getpid(), signal.SIGKILL)
with session_in(Path(sys.argv[1])) as session:
    session.reconcile(actor="eng")
"""


@pytest.mark.parametrize("how", ["kept", "deleted", "cut"])
def test_a_lost_write_ahead_log_is_noticed(how: str, migration: Path) -> None:
    """Killed after the commit, the command stands; where its log is deleted or cut, the file is refused."""
    died = run_python(DIES_BEFORE_THE_CHECKPOINT, migration)
    assert (died.returncode, died.stderr) == (-signal.SIGKILL, "")
    log = migration / "staging.duckdb.wal"
    assert log.stat().st_size > 0
    if how == "kept":
        with session_in(migration) as session:
            assert session.status().seals == 6
            return
    if how == "deleted":
        log.unlink()
    else:
        log.write_bytes(log.read_bytes()[: log.stat().st_size // 2])
    assert_refused(migration)


def test_without_a_kept_head_the_file_opens(migration: Path) -> None:
    """On another machine, where no head was kept, the file opens, and the next command keeps one."""
    heads = migration / "config/stager/keys/heads"
    (head,) = heads.glob("*.json")
    head.unlink()
    with session_in(migration) as session:
        undo_last(session)
    assert json.loads(head.read_text())["size"] > 0


def test_a_damaged_head_is_not_passed_over(migration: Path) -> None:
    """A head that cannot be read ends with exit code 6 and is not written over."""
    (head,) = (migration / "config/stager/keys/heads").glob("*.json")
    head.write_text("{}")
    with pytest.raises(IntegrityFailed, match="kept head"), session_in(migration) as session:
        session.status()
    assert head.read_text() == "{}"
