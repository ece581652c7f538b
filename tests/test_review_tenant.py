"""Candidates among the tenant's own people: what the snapshot knows of them, and the veto by blind index."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stager.session.review_views import Candidate, Likeness, QueueFilter
from stager.tenant.registry import Tenant
from tests.migration import nhs, note, patient
from tests.test_linking_tenant import Clinic


@pytest.fixture
def surgery(tmp_path: Path, clinic_tenant: Tenant) -> Iterator[Clinic]:
    made = Clinic(tmp_path / "m", clinic_tenant)
    yield made
    made.migration.close()


def candidates(surgery: Clinic, code: str, sheet: str, row: int) -> dict[str, Candidate]:
    finding = surgery.migration.finding(code, sheet, row)
    found = surgery.migration.session.finding_view(finding.finding_id).candidates
    return {each.place: each for each in found}


def test_the_tenants_own_are_candidates_by_what_is_known_of_them(surgery: Clinic) -> None:
    """Their legacy ID, email and role; no name, no number; the reason told by the blind index."""
    theirs = surgery.add(1, "T-100", nhs=nhs(1), email="one@example.org")
    surgery.migration.ingest(
        surgery.migration.write("patients.csv", "patients", [patient("P1", nhs_number=nhs(1))]),
        surgery.migration.write("notes.csv", "notes", [note(nhs(1)), note("T-101")]),
    )
    surgery.reconcile()
    found = candidates(surgery, "link.ambiguous", "notes", 1)
    assert set(found) == {"1:1", theirs}
    assert found[theirs].title == "the tenant's T-100"
    assert "the reference is their NHS Number, by its blind index" in found[theirs].why
    assert found["1:1"].why == ("the reference is their NHS Number",)
    assert {each.veto for each in found.values()} == {None}
    near = candidates(surgery, "link.unresolved", "notes", 2)[theirs]
    assert "one character away from their LegacyPatientID" in near.why
    assert [each.likeness for each in near.compared if each.field == "legacy_id"] == [Likeness.NEAR]
    record = surgery.migration.session.record(theirs, "patients")
    told = {pair.field: pair.made for pair in record.pairs}
    assert told == {"legacy_id": "T-100", "email": "one@example.org", "role": "PATIENT"}
    assert (record.state, record.title) == ("tenant", "the tenant's T-100")


def test_another_number_is_a_veto_though_only_its_index_is_known(surgery: Clinic) -> None:
    """A staged patient who shares the legacy ID of one of the tenant's own and has another NHS number."""
    theirs = surgery.add(1, "P1", nhs=nhs(1))
    surgery.migration.ingest(
        surgery.migration.write("patients.csv", "patients", [patient("P1", nhs_number=nhs(2))])
    )
    surgery.reconcile()
    found = candidates(surgery, "patient.id_shared", "patients", 1)[theirs]
    assert "different valid NHS numbers" in str(found.veto)


def test_without_the_tenants_keys_nothing_is_said_that_is_not_known(surgery: Clinic) -> None:
    """Who cannot be told apart may not be named: the veto says what is missing, and the view stands."""
    theirs = surgery.add(1, "P1", nhs=nhs(1))
    surgery.migration.ingest(
        surgery.migration.write("patients.csv", "patients", [patient("P1", nhs_number=nhs(1))])
    )
    surgery.reconcile()
    assert candidates(surgery, "patient.id_shared", "patients", 1)[theirs].veto is None
    (surgery.migration.folder / "tenants.toml").write_text("")
    assert "not registered" in str(candidates(surgery, "patient.id_shared", "patients", 1)[theirs].veto)


def test_all_that_is_held_of_one_of_the_tenants_own(surgery: Clinic) -> None:
    """The findings of the rows that are linked to them."""
    theirs = surgery.add(1, "T-1")
    notes = [note("T-1", consulted_at="2999-01-01"), note("T-1"), note("nobody-near")]
    surgery.migration.ingest(surgery.migration.write("notes.csv", "notes", notes))
    surgery.reconcile()
    queue = surgery.migration.session.queue(QueueFilter(patient=theirs))
    (line,) = queue.page(0, queue.count)
    assert (line.finding.code, line.finding.row_no, line.person) == ("value.suspect", 1, "the tenant's T-1")
    told = surgery.migration.session.timeline(theirs, "patients")
    assert {each.place for each in told if each.place} == {"1:1", "1:2"}
