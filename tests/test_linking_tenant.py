"""Linking against the tenant's own people, in a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from stager.crypto.blind_index import BlindIndex
from stager.decisions import Decision
from stager.errors import UsageError
from stager.tenant.registry import Tenant
from tests.migration import Migration, nhs, note, patient


class Clinic:
    """A migration for a tenant whose database holds people of its own."""

    def __init__(self, folder: Path, tenant: Tenant) -> None:
        self.slug, self.dsn = tenant.slug, tenant.dsn
        self.migration = Migration(folder, tenants=f'[tenants.{tenant.slug}]\ndsn = "{tenant.dsn}"\n')
        doors = self.migration.session.doors
        self.index = BlindIndex(doors.keyset(self.slug), self.slug, "users_user", "nhs_number")

    def add(self, number: int, legacy_id: str, nhs: str = "", email: str = "", role: str = "PATIENT") -> str:
        """A person of the tenant's own; their place."""
        id_ = f"00000000-0000-8000-8000-{number:012}"
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(
                "insert into users_user (id, legacy_id, username, first_name, last_name, date_of_birth, "
                "nhs_number_index, email, role) values (%s, %s, %s, 'A', 'B', '1970-01-01', %s, %s, %s)",
                [id_, legacy_id, legacy_id, self.index.one(nhs) if nhs else None, email or None, role],
            )
        return f"tenant:{id_}"

    def reconcile(self) -> Any:
        return self.migration.reconcile(self.slug)


@pytest.fixture
def surgery(tmp_path: Path, clinic_tenant: Tenant) -> Iterator[Clinic]:
    made = Clinic(tmp_path / "m", clinic_tenant)
    yield made
    made.migration.close()


def test_references_are_found_among_the_tenants_own(surgery: Clinic) -> None:
    """By legacy ID, by blind index, by email; practitioners too. A number that somebody else's index stands
    for is a conflict, also where nobody staged has that number."""
    one = surgery.add(1, "T1", nhs(1), "own@example.org")
    two = surgery.add(2, "T2", role="CLINICIAN", email="doc@example.org")
    three = surgery.add(3, nhs(5), nhs(6))
    migration = surgery.migration
    migration.take(
        patients=[patient("P1")],
        notes=[
            note("T1", practitioner_ref="T2"),
            note(f"{nhs(1)[:3]} {nhs(1)[3:]}", practitioner_ref="DOC@example.org"),
            note("OWN@example.org", practitioner_ref="T1"),
            note("P1", practitioner_ref="P1"),
            note(nhs(5)),
            note(nhs(6)),
            note(nhs(7)),
        ],
    )
    assert set(migration.states("notes")[:3]) == {"held"}
    surgery.reconcile()
    assert migration.links("notes") == {
        1: (one, two),
        2: (one, two),
        3: (one, None),
        4: ("1:1", None),
        5: (None, None),
        6: (three, None),
        7: (None, None),
    }
    vias = [line.via for line in migration.rows("notes").values()]
    assert vias == ["legacy_id", "nhs_number", "email", "legacy_id", None, "nhs_number", None]
    assert migration.codes("notes") == {
        3: ["practitioner.unresolved"],
        4: ["practitioner.unresolved"],
        5: ["link.conflict"],
        7: ["link.unresolved"],
    }
    assert [line.patient for line in migration.rows("notes").values()][:2] == ["T1", "T1"]
    with migration.nothing_changes(), pytest.raises(UsageError, match="different valid NHS numbers"):
        migration.decide(Decision.LINK, migration.finding("link.unresolved", "notes", 7), target=one)
    with migration.nothing_changes(), pytest.raises(UsageError, match="is a patient"):
        migration.decide(Decision.LINK, migration.finding("practitioner.unresolved", "notes", 3), target=one)
    migration.decide(Decision.LINK, migration.finding("practitioner.unresolved", "notes", 3), target=two)
    assert migration.links("notes")[3] == (one, two)


def test_a_staged_patient_who_shares_a_key_with_the_tenants_own_is_held(surgery: Clinic) -> None:
    """LegacyPatientID, NHS number, email, each with its code; references to them are ambiguous. A merge into
    the tenant's own settles it, where no two numbers forbid that."""
    one = surgery.add(1, "P1")
    two = surgery.add(2, "T2", nhs(2))
    surgery.add(3, "T3", email="Shared@example.org")
    surgery.add(4, "P4", nhs(14))
    migration = surgery.migration
    migration.take(
        patients=[
            patient("P1"),
            patient("P2", nhs_number=nhs(2)),
            patient("P3", email="shared@example.org"),
            patient("P4", nhs_number=nhs(4)),
        ],
        notes=[note("P1"), note(nhs(2)), note("shared@example.org"), note("P2"), note("P4")],
    )
    assert migration.codes("patients") == {}
    surgery.reconcile()
    assert migration.codes("patients") == {
        1: ["patient.id_shared"],
        2: ["patient.duplicate"],
        3: ["patient.email_shared"],
        4: ["patient.id_shared"],
    }
    assert [code for codes in migration.codes("notes").values() for code in codes] == [
        *["link.ambiguous"] * 3,
        "patient.waiting",
        "link.ambiguous",
    ]
    with migration.nothing_changes(), pytest.raises(UsageError, match="different valid NHS numbers"):
        migration.decide(
            Decision.MERGE,
            migration.finding("patient.id_shared", "patients", 4),
            target="tenant:00000000-0000-8000-8000-000000000004",
        )
    migration.decide(Decision.MERGE, migration.finding("patient.id_shared", "patients", 1), target=one)
    migration.decide(Decision.MERGE, migration.finding("patient.duplicate", "patients", 2), target=two)
    links = migration.links("notes")
    assert (links[1][0], links[2][0], links[4][0]) == (one, two, two)
    assert migration.states("notes")[:2] == ["ready", "ready"]


def test_the_snapshot_is_taken_anew_and_only_a_change_is_an_event(surgery: Clinic) -> None:
    """The same people again change nothing; another one is found by references that found nobody; one who
    has gone is let go. The migration's own patients, once published, are not the tenant's own."""
    surgery.add(1, "T1")
    migration = surgery.migration
    migration.take(patients=[patient("P1", nhs_number=nhs(1))], notes=[note("T1"), note("T2"), note("P1")])
    surgery.reconcile()
    events = migration.events()
    surgery.reconcile()
    assert [kind for _, kind, *_ in migration.events()[len(events) :]] == ["reconcile.finished"]
    two = surgery.add(2, "T2")
    surgery.reconcile()
    assert migration.links("notes")[2] == (two, None)
    with psycopg.connect(surgery.dsn, autocommit=True) as connection:
        connection.execute("delete from users_user where legacy_id = 'T1'")
    surgery.reconcile()
    assert migration.codes("notes") == {1: ["link.unresolved"]}
    migration.approve()
    published = migration.session.publish(surgery.slug, actor="engineer")
    assert published.rows == 3
    before = migration.stand()
    surgery.reconcile()
    assert migration.stand() == before
    assert migration.codes("patients") == {}
