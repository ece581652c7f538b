"""Rows that the tenant's database refuses: found one by one, named without a value, and the rest goes in."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from stager.publish import pipeline, sending
from stager.publish.pgcopy import HEADER, TRAILER, stream_of, tuple_starts
from stager.tenant import ledger
from stager.tenant.postgres import Connection
from stager.tenant.registry import Tenant
from tests.publish_migration import PATIENTS, Migration, clinical, open_migration, stage_everything
from tests.test_publish_recovery import Killed, dying, nth

MARKER = "MRK-Penelope"


@pytest.fixture
def migration(tmp_path: Path, clinic_tenant: Tenant) -> Iterator[Migration]:
    made = open_migration(tmp_path, clinic_tenant)
    yield made
    made.staging.close()


def own_person(target: Connection, legacy_id: str) -> None:
    """Somebody whom the tenant had before, unknown to the migration."""
    target.execute(
        "insert into users_user (id, legacy_id, username, first_name, last_name, date_of_birth, role)"
        " values (gen_random_uuid(), %s, %s, 'a', 'b', '1990-01-01', 'PATIENT')",
        [legacy_id, f"own {legacy_id}"],
    )


def whole_log(migration: Migration) -> str:
    return str(migration.staging._execute("select * from event").fetchall())


def test_a_refused_patient_becomes_a_finding(migration: Migration, target: Connection) -> None:
    """One clash in a chunk: the row is held under SQLSTATE and constraint, its rows wait, the rest goes."""
    own_person(target, "P3")
    stage_everything(migration)
    migration.approve()
    done = migration.publish()
    patients = migration.sources["patients"]
    assert done.sheets == {"patients": 7, "background": 12, "notes": 12, "medications": 12}
    assert done.refused[0] == f"{patients}:3"
    assert len(done.refused) == 7
    assert migration.states() == {"published": 43, "held": 1, "waiting": 6}
    [finding] = [json.loads(each) for each in migration.events("finding.raised")]
    assert finding == {
        "code": "publish.refused",
        "rule": "23505 users_user_legacy_id_key",
        "standing": True,
        "subject": "23505",
    }
    refused = [each.refused for each in ledger.read(target, migration.staging.migration_id) if each.refused]
    assert refused[0][0]["row"] == f"{patients}:3"
    assert refused[1][0]["person"] == f"{patients}:3"
    assert json.loads(migration.events("publish.finished")[0]) == {"run": 1, "published": 43, "refused": 7}


def test_a_dry_run_says_what_would_be_refused(migration: Migration, target: Connection) -> None:
    """The refused rows of a dry run are those of the real one, and nothing is left of it."""
    own_person(target, "P3")
    stage_everything(migration)
    migration.approve()
    dry = migration.publish(dry_run=True)
    assert target.execute("select count(*) from users_user").fetchall() == [(1,)]
    assert dry.refused == migration.publish().refused


def test_no_value_leaves_the_database(
    migration: Migration, target: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    """The server quotes the row that it refuses; findings, ledger and log hold nothing of it."""
    own_person(target, MARKER)
    migration.add("patients", [*PATIENTS[:2], {**PATIENTS[2], "legacy_id": MARKER, "first_name": MARKER}])
    migration.approve()
    done = migration.publish()
    assert done.refused == ("1:3",)
    assert MARKER not in whole_log(migration) + caplog.text + repr(done)
    entries = ledger.read(target, migration.staging.migration_id)
    assert MARKER not in repr(entries)


@pytest.mark.parametrize("bad", [[1], [5], [1, 2, 3, 4, 5], [2, 4]])
def test_only_the_refused_are_left_out(migration: Migration, target: Connection, bad: list[int]) -> None:
    """Wherever in a chunk they stand, and however many they are."""
    migration.chunk_rows = 5
    for number in bad:
        own_person(target, f"P{number}")
    migration.add("patients", PATIENTS[:5])
    migration.approve()
    done = migration.publish()
    assert done.refused == tuple(f"1:{number}" for number in bad)
    assert done.rows == 5 - len(bad)


def test_a_check_at_the_end_of_the_statement_is_halved(migration: Migration, target: Connection) -> None:
    """A deferred foreign key names no row: the rows are halved until the one is found."""
    target.execute(
        "alter table clinical_data_note alter constraint clinical_data_note_patient_id_fkey"
        " deferrable initially deferred"
    )
    migration.chunk_rows = 50
    patients = migration.add("patients", PATIENTS)
    migration.approve()
    migration.publish()
    target.execute("delete from users_user where legacy_id = 'P2'")
    links = [{"patient": f"{patients}:{n % 3 + 1}", "via": "legacy_id"} for n in range(20)]
    migration.add("notes", clinical(20)["notes"], links)
    migration.approve()
    done = migration.publish()
    assert done.refused == tuple(f"2:{n + 1}" for n in range(20) if n % 3 == 1)
    rules = {json.loads(each)["rule"] for each in migration.events("finding.raised")}
    assert rules == {"23503 clinical_data_note_patient_id_fkey"}


def test_a_text_that_postgres_cannot_hold_is_refused_by_name(
    migration: Migration, target: Connection
) -> None:
    """A NUL in a cell refuses its row and no other."""
    migration.add("patients", [PATIENTS[0], {**PATIENTS[1], "city": "a\x00b"}])
    migration.approve()
    done = migration.publish()
    assert (done.refused, done.rows) == (("1:2",), 1)


def test_a_refusal_survives_a_crash(
    migration: Migration, target: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the commit, the rerun learns from the ledger which rows were refused."""
    own_person(target, "P3")
    stage_everything(migration)
    migration.approve()
    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "send", nth(sending.send, 6, False, Killed()))
        with pytest.raises(Killed):
            migration.publish(writing=dying(migration))
    done = migration.publish()
    assert len(done.refused) == 7
    assert migration.states() == {"published": 43, "held": 1, "waiting": 6}
    assert len(migration.events("finding.raised")) == 1


def test_a_refused_row_goes_once_it_is_put_right(migration: Migration, target: Connection) -> None:
    """Its finding closed and the row approved again, it and the rows that waited for it go."""
    own_person(target, "P3")
    stage_everything(migration)
    migration.approve()
    migration.publish()
    target.execute(
        "delete from users_user where legacy_id = 'P3' and username like 'own %%'".replace("%%", "%")
    )
    with migration.writing() as log:
        closing = {"why": "test"}
        log.append("finding.closed", closing, sheet="patients", source_id=1, row_no=3, finding_id=1)
        log.append("reconcile.finished", {})
    migration.approve()
    assert migration.publish().rows == 7
    assert migration.states() == {"published": 50}


def test_streams_are_cut_at_their_rows() -> None:
    """Tuples with NULLs, empty and long fields are found, and any of them make a whole stream."""
    rows = [
        struct.pack(">hi", 2, -1) + struct.pack(">i", 0),
        struct.pack(">hi", 2, 3) + b"\xff\xff\xff" + struct.pack(">i", 1) + b"x",
        struct.pack(">hi", 2, 300) + bytes(300) + struct.pack(">i", -1),
    ]
    stream = HEADER + b"".join(rows) + TRAILER
    starts = tuple_starts(stream)
    assert b"".join(stream_of(stream, starts, [0, 1, 2])) == stream
    assert b"".join(stream_of(stream, starts, [0, 2])) == HEADER + rows[0] + rows[2] + TRAILER
    assert b"".join(stream_of(stream, starts, [])) == HEADER + TRAILER
