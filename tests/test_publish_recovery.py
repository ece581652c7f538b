"""Publishing cut off at any moment, on either side: the same command again gives every row once."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from stager.errors import IntegrityFailed, TenantUnavailable
from stager.event_log import EventLog
from stager.publish import pipeline, sending
from stager.row_ids import row_id
from stager.staging import Staging
from stager.tenant import ledger, postgres
from stager.tenant.ledger import LedgerEntry
from stager.tenant.postgres import Connection
from stager.tenant.registry import Tenant
from tests.postgres import SLUG
from tests.publish_migration import FILE_KEY, Migration, staged_copy

ALL = {"users_user": 8, "clinical_data_note": 14, "clinical_data_prescription": 14}


class Killed(BaseException):
    """Stands for the process ending where it is raised."""


@pytest.fixture
def migration(tmp_path: Path, clinic_tenant: Tenant, everything_staged: Path) -> Iterator[Migration]:
    made = staged_copy(everything_staged, tmp_path, clinic_tenant)
    made.approve()
    yield made
    made.staging.close()


def counts(connection: Connection) -> dict[str, int]:
    return {
        table: connection.execute(f"select count(*) from {table}".encode()).fetchall()[0][0] for table in ALL
    }


def nth(real: Callable[..., Any], n: int, before: bool, fault: BaseException) -> Callable[..., Any]:
    """`real`, but the nth call ends in `fault`, before or after it has done its work."""
    lock, calls = threading.Lock(), iter(range(1, 10_000))

    def call(*args: Any, **named: Any) -> Any:
        with lock:
            number = next(calls)
        if number == n and before:
            raise fault
        done = real(*args, **named)
        if number == n:
            raise fault
        return done

    return call


def killed(*_: Any) -> Any:
    """Ends every sender at once."""
    raise Killed


def dying(migration: Migration) -> Callable[[], AbstractContextManager[EventLog]]:
    """`writing` of a process that is dead by the time it would record what it sent."""
    calls = iter(range(10))

    def writing() -> AbstractContextManager[EventLog]:
        if next(calls) > 0:
            raise Killed
        return migration.writing()

    return writing


POINTS = [
    pytest.param(sending, "copy_into", 1, True, id="before the first row"),
    pytest.param(sending, "copy_into", 5, True, id="before a copy"),
    pytest.param(sending, "copy_into", 5, False, id="after a copy, before its commit"),
    pytest.param(pipeline, "send", 1, False, id="after the first commit"),
    pytest.param(pipeline, "send", 7, False, id="after a commit"),
    pytest.param(pipeline, "send", 10_000, False, id="after all commits, before the record"),
]


@pytest.mark.parametrize(("module", "name", "n", "before"), POINTS)
def test_killed_and_run_again(
    migration: Migration,
    target: Connection,
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    name: str,
    n: int,
    before: bool,
) -> None:
    """Wherever the publisher is killed, the rerun leaves each row once and everything recorded."""
    with monkeypatch.context() as patched:
        patched.setattr(module, name, nth(getattr(module, name), n, before, Killed()))
        with pytest.raises(Killed):
            migration.publish(writing=dying(migration))
    assert migration.states() == {"approved": 50}
    in_before = len(ledger.read(target, migration.staging.migration_id))
    done = migration.publish()
    assert done.resumed
    assert counts(target) == ALL
    assert migration.states() == {"published": 50}
    assert (done.run, done.rows, done.chunks) == (1, 50, 18)
    assert len(ledger.read(target, migration.staging.migration_id)) == 18
    assert bool(done.already) == bool(in_before)


def test_a_lost_connection_keeps_what_is_known(
    migration: Migration, target: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server ends a sender's session: exit 5 says to run again, what was committed is recorded."""

    def cut(connection: Connection, *args: Any) -> Any:
        if cut.calls == 6:  # type: ignore[attr-defined]
            target.execute("select pg_terminate_backend(%s)", [connection.info.backend_pid])
        cut.calls += 1  # type: ignore[attr-defined]
        return real(connection, *args)

    cut.calls = 0  # type: ignore[attr-defined]
    real = sending.copy_into
    with monkeypatch.context() as patched:
        patched.setattr(sending, "copy_into", cut)
        with pytest.raises(TenantUnavailable, match="known to be in") as told:
            migration.publish()
    assert "run the same command again" in told.value.hint
    states = migration.states()
    assert 0 < states["published"] < 50
    assert migration.publish().resumed
    assert counts(target) == ALL
    assert migration.states() == {"published": 50}


def test_a_connection_lost_after_commit_was_sent(
    migration: Migration, target: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chunk of which nobody knows whether it is in: the ledger does, and the rerun asks it."""
    lost = TenantUnavailable("the connection to the tenant's database was lost")
    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "send", nth(sending.send, 4, False, lost))
        with pytest.raises(TenantUnavailable):
            migration.publish()
    done = migration.publish()
    assert done.already >= 3
    assert counts(target) == ALL
    assert migration.states() == {"published": 50}


def test_an_interrupt_records_what_is_in(migration: Migration, target: Connection) -> None:
    """Ctrl-C begins nothing further, records what is in, and the next command goes on."""

    def interrupt(what: str, done: int, total: int | None) -> None:
        if what.startswith("publishing background"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        migration.publish(progress=interrupt)
    committed = {json.loads(each)["chunk"] for each in migration.events("publish.chunk_committed")}
    assert committed == {entry.chunk for entry in ledger.read(target, migration.staging.migration_id)}
    assert counts(target)["clinical_data_prescription"] == 0
    assert migration.publish().resumed
    assert (counts(target), migration.states()) == (ALL, {"published": 50})


def restored(migration: Migration, copy: Path) -> None:
    """Put the staging file back to an older copy."""
    migration.staging.close()
    shutil.copy(copy, migration.staging.path)
    migration.staging = Staging.open(migration.staging.path, FILE_KEY)


def copied(migration: Migration, to: Path) -> Path:
    migration.staging.close()
    shutil.copy(migration.staging.path, to)
    migration.staging = Staging.open(migration.staging.path, FILE_KEY)
    return to


def test_a_staging_file_from_before_publishing(
    migration: Migration, target: Connection, tmp_path: Path
) -> None:
    """An older copy that knows nothing of the run finds every chunk in the ledger and sends none."""
    copy = copied(migration, tmp_path / "older.duckdb")
    migration.publish()
    restored(migration, copy)
    done = migration.publish()
    assert (done.resumed, done.already, done.tables) == (False, 50, {})
    assert (counts(target), migration.states()) == (ALL, {"published": 50})


def test_a_lost_ledger_doubles_nothing(migration: Migration, target: Connection, tmp_path: Path) -> None:
    """Even with the ledger emptied the computed ids are there already, and the ledger is written anew."""
    copy = copied(migration, tmp_path / "older.duckdb")
    migration.publish()
    restored(migration, copy)
    target.execute("delete from stager_ledger where chunk <> 2")
    target.execute("delete from clinical_data_note where id in (select id from clinical_data_note limit 4)")
    done = migration.publish()
    assert (done.already, done.tables["clinical_data_note"], done.refused) == (46, 4, ())
    assert (counts(target), migration.states()) == (ALL, {"published": 50})
    assert len(ledger.read(target, migration.staging.migration_id)) == 18


def test_another_content_under_a_used_number_is_refused(
    migration: Migration, target: Connection, tmp_path: Path
) -> None:
    """An older copy in which other rows are approved meets its own ledger: exit 6, nothing written."""
    copy = copied(migration, tmp_path / "older.duckdb")
    migration.publish()
    restored(migration, copy)
    with migration.writing() as log:
        finding = {"code": "value.suspect", "field": "email", "standing": True, "subject": "x"}
        log.append("finding.raised", finding, sheet="patients", source_id=1, row_no=1, finding_id=1)
    events = migration.staging.one("event_head")
    for dry_run in (True, False):
        with pytest.raises(IntegrityFailed, match="chunk 1 of this migration with another content"):
            migration.publish(dry_run=dry_run)
    assert (counts(target), migration.staging.one("event_head")) == (ALL, events)


def test_a_row_changed_since_the_cut_does_not_go(
    migration: Migration, target: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A finding raised on a row between crash and rerun holds that row; the rest of its chunk goes."""
    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "send", nth(sending.send, 5, True, Killed()))
        with pytest.raises(Killed):
            migration.publish(writing=dying(migration))
    notes = migration.sources["notes"]
    with migration.writing() as log:
        finding = {"code": "value.suspect", "field": "diagnosis", "standing": True, "subject": "x"}
        log.append("finding.raised", finding, sheet="notes", source_id=notes, row_no=5, finding_id=1)
    done = migration.publish()
    assert (done.run, done.rows) == (2, 49)
    assert counts(target) == {**ALL, "clinical_data_note": 13}
    assert migration.states() == {"published": 49, "held": 1}


def test_a_patient_changed_since_the_cut_takes_nobody_along(
    migration: Migration, target: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a recorded chunk of patients may not go as it was, its other patients and all rows still go."""
    with monkeypatch.context() as patched:
        patched.setattr(sending, "copy_into", killed)
        with pytest.raises(Killed):
            migration.publish(writing=dying(migration))
    with migration.writing() as log:
        finding = {"code": "value.suspect", "field": "email", "standing": True, "subject": "x"}
        log.append("finding.raised", finding, sheet="patients", source_id=1, row_no=2, finding_id=1)
    done = migration.publish()
    assert done.refused == ()
    assert done.sheets == {"patients": 7, "background": 12, "notes": 12, "medications": 12}
    assert migration.states() == {"published": 43, "held": 1, "waiting": 6}
    assert counts(target)["users_user"] == 7


def test_an_expected_plan_goes_on_after_a_crash(
    migration: Migration, target: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--plan` of the cut-off run publishes that run and nothing approved since."""
    plan = json.loads(migration.events("approval.granted")[0])["plan_hash"]
    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "send", nth(sending.send, 5, True, Killed()))
        with pytest.raises(Killed):
            migration.publish(writing=dying(migration))
    migration.add(
        "notes", [{"consulted_at": "2012-01-01", "note_text": "later"}], [{"patient": "1:1", "via": "email"}]
    )
    migration.approve()
    assert migration.publish(expected_plan=plan).rows == 50
    assert migration.states() == {"published": 50, "approved": 1}
    assert migration.publish().rows == 1


def test_a_dry_run_after_a_crash_counts_what_is_left(
    migration: Migration, target: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the ledger has already is not in a dry run's numbers."""
    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "send", nth(sending.send, 3, False, Killed()))
        with pytest.raises(Killed):
            migration.publish(writing=dying(migration))
    in_already = counts(target)["users_user"]
    dry = migration.publish(dry_run=True)
    assert (dry.rows, dry.refused) == (50 - in_already, ())
    assert counts(target)["users_user"] == in_already


def test_an_earlier_publishers_last_transaction_is_waited_for(
    migration: Migration, target: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A COMMIT that the server is still at when the rerun begins counts: what it brings in is recorded.

    Asked too early the ledger lacks the chunk, one of whose rows has changed since; it would be given up,
    and a published row be taken for one that is not.
    """
    with monkeypatch.context() as patched:
        patched.setattr(sending, "copy_into", killed)
        with pytest.raises(Killed):
            migration.publish(writing=dying(migration))
    chunk = json.loads(migration.events("publish.started")[0])["chunks"][0]
    with migration.writing() as log:
        finding = {"code": "value.suspect", "field": "email", "standing": True, "subject": "x"}
        log.append("finding.raised", finding, sheet="patients", source_id=1, row_no=2, finding_id=1)
    held = threading.Event()
    earlier = threading.Thread(target=commit_slowly, args=(migration, chunk, held))
    earlier.start()
    held.wait()
    done = migration.publish()
    earlier.join()
    assert done.already == 3
    assert (counts(target), migration.states()) == (ALL, {"published": 50})


def commit_slowly(migration: Migration, chunk: dict[str, Any], held: threading.Event) -> None:
    """The first chunk, patients 1 to 3, as a killed publisher's sender has it in the server."""
    entry = LedgerEntry(
        migration_id=migration.staging.migration_id,
        chunk=1,
        sheet="patients",
        first_event=chunk["first_event"],
        last_event=chunk["last_event"],
        rows=3,
        digest=bytes.fromhex(chunk["digest"]),
        refused=(),
        seal_size=1,
        seal_root=b"",
    )
    digest = hashlib.sha256(b"patients1.csv").hexdigest()
    with migration.connect() as connection, postgres.transaction(connection):
        assert ledger.advisory_lock(connection, f"{SLUG}/chunk/0")
        assert ledger.write(connection, entry)
        for row in (1, 2, 3):
            connection.execute(
                "insert into users_user (id, legacy_id, username, first_name, last_name, date_of_birth, role)"
                " values (%s, %s, %s, 'a', 'b', '1990-01-01', 'PATIENT')",
                [row_id(SLUG, "patients", digest, row), f"P{row}", f"u{row}"],
            )
        held.set()
        time.sleep(0.5)


def test_without_its_lock_a_publisher_goes_no_further(migration: Migration, target: Connection) -> None:
    """Where the connection that holds the lock is lost, another publisher may begin: this one ends."""

    def lose(what: str, done: int, total: int | None) -> None:
        if done == 11:
            target.execute(
                "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'"
                " and database = (select oid from pg_database where datname = current_database())"
            )

    with pytest.raises(TenantUnavailable, match="known to be in"):
        migration.publish(progress=lose)
    assert counts(target)["clinical_data_prescription"] == 0
    migration.publish()
    assert (counts(target), migration.states()) == (ALL, {"published": 50})


def test_two_publishers_at_once(migration: Migration, target: Connection) -> None:
    """While one is at work, a second one on the same tenant ends; what is there is there once."""
    second: list[BaseException] = []

    def meanwhile(what: str, done: int, total: int | None) -> None:
        if not second and done:
            with pytest.raises(TenantUnavailable, match="another publisher") as told:
                migration.publish()
            second.append(told.value)

    migration.publish(progress=meanwhile)
    assert len(second) == 1
    assert counts(target) == ALL
