"""Publishing what is approved: all of it, once, as it is, to the right tenant and no other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID

import pytest
from msgspec.structs import replace

from stager.approvals import cut_plan
from stager.crypto.blind_index import BlindIndex
from stager.crypto.fields import FieldSealer
from stager.errors import ReviewNeeded, TenantUnavailable
from stager.publish import pipeline
from stager.row_ids import row_id
from stager.tenant import ledger, postgres
from stager.tenant.postgres import Connection
from stager.tenant.registry import Tenant
from tests.postgres import SLUG
from tests.publish_migration import PATIENTS, Migration, clinical, staged_copy

TABLES = (
    "users_user",
    "clinical_data_allergy",
    "clinical_data_condition",
    "clinical_data_note",
    "clinical_data_prescription",
)


@pytest.fixture
def migration(tmp_path: Path, clinic_tenant: Tenant, everything_staged: Path) -> Iterator[Migration]:
    made = staged_copy(everything_staged, tmp_path, clinic_tenant)
    yield made
    made.staging.close()


def counts(connection: Connection) -> dict[str, int]:
    """Rows in each table."""
    return {
        table: connection.execute(f"select count(*) from {table}".encode()).fetchall()[0][0]
        for table in (*TABLES, "stager_ledger")
    }


def sha256(migration: Migration, sheet: str) -> str:
    found = migration.staging.rows("sources_of_chunks")
    return next(source[2] for source in found if source[1] == sheet)


def test_everything_approved_is_published_once(migration: Migration, target: Connection) -> None:
    """Every approved row goes to its table and is published; a second time nothing is left to do."""
    plan = migration.approve()
    done = migration.publish(expected_plan=plan)
    assert (done.plan_hash, done.run, done.resumed, done.already, done.refused) == (plan, 1, False, 0, ())
    assert done.sheets == {"patients": 8, "background": 14, "notes": 14, "medications": 14}
    expected = dict(zip(TABLES, (8, 7, 7, 14, 14), strict=True))
    assert done.tables == expected
    assert counts(target) == {**expected, "stager_ledger": done.chunks}
    assert done.chunks == 3 + 5 + 5 + 5
    assert migration.states() == {"published": 50}
    again = migration.publish()
    assert (again.run, again.rows, again.chunks) == (None, 0, 0)
    assert counts(target)["users_user"] == 8


def test_what_is_read_back_is_what_was_staged(migration: Migration, target: Connection) -> None:
    """Protected columns open to the source's values, open columns hold the normalised ones."""
    migration.approve()
    migration.publish()
    sealer = FieldSealer(migration.keyset, SLUG, "clinical_data_note", "note_text")
    reasons = FieldSealer(migration.keyset, SLUG, "clinical_data_note", "diagnosis")
    rows = target.execute(
        "select id, note_text, diagnosis, consulted_at, note_type from clinical_data_note order by id"
    )
    for n, (id_, text, diagnosis, when, kind) in enumerate(rows.fetchall(), start=1):
        source = clinical(14)["notes"][n - 1]
        assert id_ == row_id(SLUG, "notes", sha256(migration, "notes"), n)
        assert sealer.open(text, id_.bytes).decode() == source["note_text"]
        assert (reasons.open(diagnosis, id_.bytes).decode() if diagnosis else "") == source["diagnosis"]
        assert (when, kind) == (datetime(2011, 7, n % 28 + 1, 8, 30, tzinfo=UTC), "GP NOTE")


def test_a_person_is_written_and_found_by_nhs_number(migration: Migration, target: Connection) -> None:
    """The username is the email, else the legacy ID; the blind index finds the patient."""
    migration.approve()
    migration.publish()
    index = BlindIndex(migration.keyset, SLUG, "users_user", "nhs_number").one("9990000018")
    found = target.execute(
        "select id, username, date_of_birth, postcode, gender, role, nhs_number from users_user"
        " where nhs_number_index = %s",
        [index],
    ).fetchall()
    [(id_, username, born, postcode, gender, role, sealed)] = found
    assert id_ == row_id(SLUG, "patients", sha256(migration, "patients"), 1)
    assert (username, born, postcode) == ("p1@example.com", date(1951, 3, 4), "LS1 4AP")
    assert (gender, role) == ("FEMALE", "PATIENT")
    opened = FieldSealer(migration.keyset, SLUG, "users_user", "nhs_number").open(sealed, id_.bytes)
    assert opened == b"9990000018"
    names = {
        row[0] for row in target.execute("select username from users_user where email is null").fetchall()
    }
    assert names == {"P2", "P4", "P6", "P8"}


def test_rows_hang_on_their_persons(migration: Migration, target: Connection) -> None:
    """patient_id and practitioner_id are the ids of the rows linked to; the strength follows the drug."""
    migration.approve()
    migration.publish()
    found = target.execute(
        "select drug_name, patient.legacy_id, doctor.legacy_id, quantity from clinical_data_prescription"
        " join users_user as patient on patient.id = patient_id"
        " left join users_user as doctor on doctor.id = practitioner_id order by prescribed_on"
    ).fetchall()
    assert found[:3] == [
        ("Drug 1 75mg", "P1", "P8", 28),
        ("Drug 2", "P2", None, 28),
        ("Drug 3 75mg", "P3", "P8", 28),
    ]


def test_the_log_says_what_went_where(migration: Migration, target: Connection) -> None:
    """publish.started names the chunks before, chunk_committed and the ledger say the same of each."""
    migration.approve()
    migration.publish()
    started = json.loads(migration.events("publish.started")[0])
    committed = [json.loads(each) for each in migration.events("publish.chunk_committed")]
    assert [each["rows"] for each in started["chunks"]] == [each["rows"] for each in committed]
    assert [each["chunk"] for each in committed] == list(range(1, 19))
    entries = ledger.read(target, migration.staging.migration_id)
    for chunk, entry in zip(started["chunks"], entries, strict=True):
        assert (entry.chunk, entry.digest.hex(), entry.rows) == (
            chunk["chunk"],
            chunk["digest"],
            chunk["count"],
        )
        assert (entry.first_event, entry.last_event) == (chunk["first_event"], chunk["last_event"])
        assert (entry.seal_size, entry.refused) == (entries[0].seal_size, ())
    assert json.loads(migration.events("publish.finished")[0]) == {"run": 1, "published": 50, "refused": 0}


def test_later_approvals_publish_just_those(migration: Migration, target: Connection) -> None:
    """A second run sends only what was approved since, under further chunk numbers."""
    migration.approve(sheet="patients")
    first = migration.publish()
    migration.approve(sheet="notes")
    second = migration.publish()
    assert (first.sheets, second.sheets) == ({"patients": 8}, {"notes": 14})
    numbers = [entry.chunk for entry in ledger.read(target, migration.staging.migration_id)]
    assert numbers == list(range(1, first.chunks + second.chunks + 1))
    assert counts(target)["users_user"] == 8


def test_nothing_approved_needs_approval(migration: Migration) -> None:
    """Ready rows alone publish nothing: exit 4."""
    with pytest.raises(ReviewNeeded, match="no row is approved"):
        migration.publish()


def test_rows_of_unapproved_patients_need_approval(migration: Migration) -> None:
    """Approved notes of patients whom nobody approved do not go, and the message says why."""
    migration.approve(sheet="notes")
    with pytest.raises(ReviewNeeded, match="14 rows are approved"):
        migration.publish()


def test_another_plan_than_the_expected_is_refused(migration: Migration, target: Connection) -> None:
    """`--plan` binds: what was approved after it was shown does not go under it."""
    old = migration.approve(sheet="patients")
    migration.approve(sheet="notes")
    with pytest.raises(ReviewNeeded, match="not the plan expected"):
        migration.publish(expected_plan=old)
    assert sum(counts(target).values()) == 0
    assert migration.events("publish.started") == []


def test_a_dry_run_leaves_nothing(migration: Migration, target: Connection) -> None:
    """The same numbers as the real run, and no row, ledger entry or event."""
    migration.approve()
    events = migration.staging.one("event_head")
    dry = migration.publish(dry_run=True)
    assert sum(counts(target).values()) == 0
    assert migration.staging.one("event_head") == events
    done = migration.publish()
    assert (dry.sheets, dry.tables, dry.chunks, dry.refused) == (done.sheets, done.tables, done.chunks, ())
    assert dry.run is None


def test_another_tenants_database_is_refused(migration: Migration, target: Connection) -> None:
    """The database says whose it is before the first write: exit 5."""
    migration.approve()
    target.execute("update stager_tenant set slug = 'oak-practice'")
    with pytest.raises(TenantUnavailable, match="belongs to the tenant oak-practice"):
        migration.publish()
    assert migration.events("publish.started") == []


def test_a_database_unlike_its_profile_is_refused(migration: Migration, target: Connection) -> None:
    """A missing column is named, and nothing is begun."""
    migration.approve()
    target.execute("alter table clinical_data_note drop column diagnosis")
    with pytest.raises(TenantUnavailable, match=r"clinical_data_note\.diagnosis"):
        migration.publish()
    assert migration.events("publish.started") == []


def test_a_second_publisher_is_sent_away(migration: Migration, target: Connection) -> None:
    """While one publisher holds the tenant, another ends with exit 5 and writes nothing."""
    migration.approve()
    with postgres.transaction(target):
        assert ledger.advisory_lock(target, SLUG)
        with pytest.raises(TenantUnavailable, match="another publisher is at work"):
            migration.publish()
    assert counts(target)["users_user"] == 0
    assert migration.publish().rows == 50


def test_a_shared_email_is_one_persons_username(migration: Migration, target: Connection) -> None:
    """Where a person let two patients share an email, the later goes by the legacy ID."""
    shared = [{**PATIENTS[0], "legacy_id": "P9", "nhs_number": ""}]
    source = migration.add("patients", shared)
    finding = {
        "code": "patient.email_shared",
        "field": "email",
        "rule": "email",
        "standing": True,
        "subject": "x",
    }
    with migration.writing() as log:
        log.append("finding.raised", finding, sheet="patients", source_id=source, row_no=1, finding_id=1)
        decided = {"decision": "accept", "count": 1, "findings": "1"}
        log.append("finding.decided", decided)
        log.append("reconcile.finished", {})
    migration.approve()
    assert migration.publish().refused == ()
    found = target.execute("select username, email from users_user where legacy_id = 'P9'").fetchall()
    assert found == [("P9", "p1@example.com")]


def test_the_tenants_own_people_are_referred_to(migration: Migration, target: Connection) -> None:
    """A row linked to a person that the tenant had before carries that person's id."""
    own = "11111111-1111-4111-8111-111111111111"
    target.execute(
        "insert into users_user (id, legacy_id, username, first_name, last_name, date_of_birth, role)"
        " values (%s, 'OWN', 'own', 'a', 'b', '1990-01-01', 'PATIENT')",
        [own],
    )
    links = [{"patient": f"tenant:{own}", "via": "nhs_number"}]
    migration.add("notes", clinical(1)["notes"], links)
    migration.approve(sheet="notes")
    done = migration.publish()
    assert done.sheets == {"notes": 1}
    assert target.execute("select patient_id from clinical_data_note").fetchall() == [(UUID(own),)]


def test_processes_make_the_same_rows(
    migration: Migration, target: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With processes of their own for sealing everything goes in as with this one."""
    monkeypatch.setattr(pipeline, "FEW_ROWS", 0)
    migration.approve()
    assert migration.publish(workers=2).rows == 50
    sealer = FieldSealer(migration.keyset, SLUG, "clinical_data_note", "note_text")
    rows = target.execute("select id, note_text from clinical_data_note order by id limit 1").fetchall()
    assert sealer.open(rows[0][1], rows[0][0].bytes).startswith(b"Note 1\r\n")


def test_a_voided_approval_stays_behind(migration: Migration) -> None:
    """A row that something happened to after its approval is not in the plan."""
    migration.approve()
    notes = migration.sources["notes"]
    with migration.writing() as log:
        finding = {"code": "value.suspect", "field": "diagnosis", "standing": True, "subject": "x"}
        log.append("finding.raised", finding, sheet="notes", source_id=notes, row_no=4, finding_id=1)
    assert cut_plan(migration.staging).total == 49
    assert migration.publish().sheets["notes"] == 13
    assert migration.states() == {"published": 49, "held": 1}


def test_another_tenants_keys_are_refused(migration: Migration, target: Connection) -> None:
    """A keyset of another tenant seals nothing here."""
    migration.approve()
    with pytest.raises(Exception, match="keyset of oak-practice"):
        migration.publish(keyset=replace(migration.keyset, tenant="oak-practice"))
    assert counts(target)["users_user"] == 0
