"""Two different valid NHS numbers are never one person's, by no route; and what a row's links are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from stager.decisions import Decision
from stager.errors import UsageError
from tests.migration import Migration, nhs, note, patient, people_alike


@pytest.fixture
def migration(tmp_path: Path) -> Iterator[Migration]:
    made = Migration(tmp_path / "m")
    yield made
    made.close()


def test_no_person_links_a_number_to_somebody_who_has_another(migration: Migration) -> None:
    """Neither to a patient with another number, nor to one to whom a row with another number was linked."""
    migration.take(
        patients=[patient("P1", nhs_number=nhs(1)), patient("P2"), patient(nhs(9))],
        notes=[note(nhs(2), "a"), note(nhs(3), "b"), note("??", "c"), note(nhs(2), "d"), note(nhs(9), "e")],
    )
    a, b, c, d = migration.findings("link.unresolved")
    with migration.nothing_changes(), pytest.raises(UsageError, match="different valid NHS numbers"):
        migration.decide(Decision.LINK, a, target="1:1")
    with migration.nothing_changes(), pytest.raises(UsageError, match="different valid NHS numbers"):
        migration.decide(Decision.LINK, a, b, target="1:2")
    with migration.nothing_changes(), pytest.raises(UsageError, match="different valid NHS numbers"):
        migration.decide(Decision.LINK, a, target="1:3")
    migration.decide(Decision.LINK, a, target="1:2")
    with migration.nothing_changes(), pytest.raises(UsageError, match="different valid NHS numbers"):
        migration.decide(Decision.LINK, b, target="1:2")
    migration.decide(Decision.LINK, c, d, target="1:2")
    assert [line.patient for line in migration.rows("notes").values()] == ["P2", None, "P2", "P2", nhs(9)]


def test_a_persons_link_is_held_once_the_numbers_contradict_it(migration: Migration) -> None:
    """The patient's own number, suspect at first, is corrected later: the link stands and the row is held; so
    is every rule's link to a LegacyPatientID that is a number too. Taking it back lets them go again."""
    migration.take(
        patients=[patient(nhs(9), nhs_number="999 123")],
        notes=[note(nhs(1), "by a person"), note(nhs(9), "by rule")],
    )
    assert migration.row("notes", 2).via == "legacy_id"
    with pytest.raises(UsageError, match="different valid NHS numbers"):
        migration.decide(Decision.LINK, migration.finding("link.unresolved", "notes", 1), target="1:1")
    correction = migration.decide(
        Decision.CORRECT, migration.finding("value.suspect", "patients", 1), value=nhs(1)
    )
    assert migration.row("notes", 2).codes == ("link.conflict",)
    assert migration.row("notes", 1).via == "nhs_number"
    migration.undo(correction)
    assert migration.row("notes", 2).via == "legacy_id"

    migration.exclude(("notes", "2"))
    migration.decide(Decision.LINK, migration.finding("link.unresolved", "notes", 1), target="1:1")
    wrong = migration.decide(
        Decision.CORRECT, migration.finding("value.suspect", "patients", 1), value=nhs(2)
    )
    line = migration.row("notes", 1)
    assert (line.state, line.codes, line.via) == ("held", ("link.conflict",), "decision")
    migration.undo(wrong)
    line = migration.row("notes", 1)
    assert (line.codes, line.via, line.patient) == (("patient.waiting",), "decision", nhs(9))


def test_no_merge_makes_one_person_of_two_numbers(migration: Migration) -> None:
    """Not one by one, not through a third record without a number, not in bulk, not in a chain."""
    migration.take(patients=people_alike(nhs(1), nhs(2), "", ""))
    one, two, blank, other = (migration.finding("patient.duplicate", "patients", row) for row in range(1, 5))
    for findings, target in (((one,), "1:2"), ((one, two), "1:3"), ((one, two, other), "1:3")):
        with migration.nothing_changes(), pytest.raises(UsageError, match="different valid NHS numbers"):
            migration.decide(Decision.MERGE, *findings, target=target)
    migration.decide(Decision.MERGE, one, target="1:3")
    two, blank = (migration.finding("patient.duplicate", "patients", row) for row in (2, 3))
    with migration.nothing_changes(), pytest.raises(UsageError, match="different valid NHS numbers"):
        migration.decide(Decision.MERGE, two, target="1:3")
    with migration.nothing_changes(), pytest.raises(UsageError, match="merged into this one"):
        migration.decide(Decision.MERGE, blank, target="1:4")
    with migration.nothing_changes(), pytest.raises(UsageError, match="not there, or is excluded"):
        migration.decide(Decision.MERGE, two, target="1:1")


def test_rows_that_name_another_number_forbid_a_merge(migration: Migration) -> None:
    """A record without a number to which a row was linked by one has that number in all but its cell."""
    migration.take(
        patients=people_alike(nhs(1), "", ""), notes=[note(nhs(2), "by a person"), note("A3", "by rule")]
    )
    migration.decide(Decision.LINK, migration.finding("link.unresolved", "notes", 1), target="1:2")
    first, second, third = migration.findings("patient.duplicate")
    with migration.nothing_changes(), pytest.raises(UsageError, match="different valid NHS numbers"):
        migration.decide(Decision.MERGE, second, target="1:1")
    migration.decide(Decision.MERGE, third, target="1:1")
    assert migration.row("notes", 2).patient == "A1"
    assert first.subject == second.subject == third.subject


def test_a_number_that_comes_between_merged_records_parts_them(migration: Migration) -> None:
    """A merge that was sound is contradicted by a later correction: what was linked through it is held."""
    migration.take(
        patients=people_alike(nhs(1), "not a number"),
        notes=[note("A1", "a"), note(nhs(1), "b"), note("A2", "c")],
    )
    migration.decide(Decision.MERGE, migration.finding("patient.duplicate", "patients", 1), target="1:2")
    assert [line.patient for line in migration.rows("notes").values()] == ["A2", "A2", "A2"]
    correction = migration.decide(
        Decision.CORRECT, migration.finding("value.suspect", "patients", 2), value=nhs(2)
    )
    assert set(map(tuple, migration.codes("notes").values())) == {("link.conflict",)}
    assert [line.patient for line in migration.rows("notes").values()] == [None, None, None]
    migration.undo(correction)
    assert [line.patient for line in migration.rows("notes").values()] == ["A2", "A2", "A2"]


# --- what a row's links are -----------------------------------------------------------------------------


def test_a_person_links_the_patient_and_the_rule_still_the_practitioner(migration: Migration) -> None:
    """Deciding the patient loses no practitioner; one who comes later is found, one who goes is let go."""
    migration.take(
        patients=[patient("P1"), patient("D1", role="CLINICIAN", email="doc@example.org")],
        notes=[note("P9", practitioner_ref="doc@example.org"), note("P8", practitioner_ref="D2")],
    )
    before = migration.stand()
    unresolved = migration.findings("link.unresolved")
    link = migration.decide(Decision.LINK, *unresolved, target="1:1")
    assert migration.links("notes") == {1: ("1:1", "1:2"), 2: ("1:1", None)}
    migration.undo(link)
    assert migration.stand() == before
    migration.decide(Decision.LINK, *unresolved, target="1:1")
    migration.take(patients=[patient("D2", role="CLINICIAN")])
    assert migration.links("notes") == {1: ("1:1", "1:2"), 2: ("1:1", "3:1")}
    migration.take(patients=[patient("D2", role="CLINICIAN", first_name="Other")])
    assert migration.links("notes") == {1: ("1:1", "1:2"), 2: ("1:1", None)}
    assert migration.codes("notes") == {2: ["practitioner.unresolved"]}


def test_a_mappings_constant_is_a_reference_like_any_other(migration: Migration) -> None:
    """A blank practitioner that the mapping fills is linked; what cannot be found is a finding."""
    profile = migration.folder / "m.toml"
    profile.write_text('[constants]\n"Practitioner ID" = "D1"\n')
    migration.take(patients=[patient("P1"), patient("D1", role="CLINICIAN"), patient("D2", role="CLINICIAN")])
    records = [
        note("P1", "a"),
        note("P1", "b", practitioner_ref="D2"),
        note("P1", "c", practitioner_ref="\u00a0"),
    ]
    migration.ingest(migration.write("n.csv", "notes", records), mapping=profile)
    migration.reconcile()
    assert migration.links("notes") == {1: ("1:1", "1:2"), 2: ("1:1", "1:3"), 3: ("1:1", "1:2")}
    migration.exclude(("patients", "2"))
    assert migration.states("notes") == ["waiting", "ready", "waiting"]


def test_rows_linked_by_a_person_to_a_record_that_was_replaced_are_asked_about(migration: Migration) -> None:
    """The record was merged: the decision stands, the row is held with the way on as its suggestion."""
    migration.take(patients=people_alike("", ""), notes=[note("??")])
    migration.decide(Decision.LINK, migration.finding("link.unresolved", "notes", 1), target="1:1")
    merge = migration.decide(Decision.MERGE, migration.findings("patient.duplicate")[0], target="1:2")
    found = migration.finding("link.unresolved", "notes", 1)
    assert (found.rule, found.related) == ("replaced", "1:1 1:2")
    (offer,) = json.loads(found.suggestions or "")
    assert offer == {"key": "decision", "patient": "1:2", "why": "replaced"}
    migration.decide(Decision.LINK, found, target="1:2")
    assert (migration.row("notes", 1).state, migration.row("notes", 1).patient) == ("ready", "A2")
    migration.undo(merge)
    assert migration.row("notes", 1).patient == "A2"
