"""Decisions: what each does to states, values and links; sets as one event; taking back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stager.decisions import Decision
from stager.errors import UsageError
from tests import faults
from tests.migration import Migration, cloned, nhs, patient


@pytest.fixture
def migration(faulty: Path, tmp_path: Path) -> Iterator[Migration]:
    """The faulty practice, in a copy of its own."""
    made = cloned(faulty, tmp_path / "m")
    yield made
    made.close()


@pytest.fixture(scope="module")
def untouched(faulty: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Migration]:
    """The faulty practice for tests in which nothing may change."""
    made = cloned(faulty, tmp_path_factory.mktemp("untouched") / "m")
    before = (made.events(), made.stand())
    yield made
    assert (made.events(), made.stand()) == before
    made.close()


# --- what each decision does ----------------------------------------------------------------------------


def test_accept_lets_a_value_stand(migration: Migration) -> None:
    """An unknown word, a bad code, a date before the birth, a repeat, a shared email: ready, as they are."""
    for code, sheet, row, field, value in (
        ("value.unknown", "notes", 8, "note_type", "CHAT"),
        ("value.suspect", "background", 4, "clinical_code", "12345"),
        ("value.suspect", "background", 1, "onset_date", None),
        ("row.repeated", "notes", 2, "note_text", "one"),
        ("patient.email_shared", "patients", 8, "email", "SHARED@example.org"),
    ):
        before = migration.values(sheet)[row]
        assert value in (None, before[field])
        migration.decide(Decision.ACCEPT, migration.finding(code, sheet, row))
        assert migration.row(sheet, row).state == "ready"
        assert migration.values(sheet)[row] == before


def test_correct_puts_another_value_in_the_cells_place(migration: Migration) -> None:
    """What is published is the new value as the rules read it; links and states follow; the cell stays."""
    for code, sheet, row, field, typed, value in (
        ("value.unknown", "notes", 8, "note_type", " triage ", "TRIAGE"),
        ("value.missing", "patients", 12, "last_name", "Reed", "Reed"),
        ("link.unresolved", "notes", 3, "patient_ref", "P10", "P10"),
        ("practitioner.unresolved", "notes", 4, "practitioner_ref", "doc@example.org", "doc@example.org"),
        ("patient.duplicate", "patients", 3, "nhs_number", f"{nhs(33)[:3]} {nhs(33)[3:]}", nhs(33)),
        ("patient.id_shared", "patients", 2, "legacy_id", "S2", "S2"),
        ("value.suspect", "medications", 1, "quantity", "28 tablets", 28),
    ):
        migration.decide(Decision.CORRECT, migration.finding(code, sheet, row), value=typed)
        assert migration.values(sheet)[row][field] == value
        assert migration.row(sheet, row).state == "ready", (code, row)
    assert migration.links("notes")[3] == ("1:10", "1:11")
    assert migration.links("notes")[4] == ("1:10", "1:11")
    assert migration.row("notes", 7).patient == "S1"
    assert migration.session.place_of("S2") == "1:2"
    assert migration.session.place_of("S1") == "1:1"
    (cell,) = migration.staging._execute("select legacy_id from row_patients where row_no = 2").fetchall()
    assert cell == ("S1",)


def test_a_corrected_legacy_id_is_whom_its_rows_belong_to(migration: Migration) -> None:
    """`patient` of a row is the corrected id, trimmed, not the cell as it came."""
    finding = migration.finding("patient.id_shared", "patients", 1)
    migration.decide(Decision.CORRECT, finding, value="\u00a0S9\t")
    migration.decide(Decision.CORRECT, migration.finding("link.unresolved", "notes", 3), value="S9")
    assert migration.row("notes", 3).patient == "S9"
    assert migration.row("notes", 7).patient == "S1"


def test_a_new_value_settles_all_that_is_said_against_its_cell(migration: Migration) -> None:
    """An address that is none and another patient's too: corrected once, nothing is left to ask."""
    migration.take(patients=[patient("B1", email="nobody@@"), patient("B2", email="nobody@@")])
    assert migration.row("patients", 2, "patients2.csv").codes == ("patient.email_shared", "value.suspect")
    shared = migration.finding("patient.email_shared", "patients", 2)
    seq = migration.decide(Decision.CORRECT, shared, value="b2@example.org")
    assert migration.row("patients", 2, "patients2.csv").state == "ready"
    migration.undo(seq)
    assert migration.row("patients", 2, "patients2.csv").codes == ("patient.email_shared", "value.suspect")
    migration.decide(Decision.BLANK, shared)
    assert migration.row("patients", 2, "patients2.csv").state == "ready"
    assert migration.values("patients")[2]["email"] is None


def test_blank_leaves_nothing_in_the_cell_whatever_else_is_said(migration: Migration) -> None:
    """An optional value goes, a default comes in its place; a value handed in with it is not kept."""
    for code, sheet, row, field, value in (
        ("value.unknown", "notes", 8, "note_type", "OTHER"),
        ("value.suspect", "medications", 1, "quantity", None),
        ("patient.duplicate", "patients", 4, "nhs_number", None),
        ("patient.email_shared", "patients", 8, "email", None),
        ("practitioner.unresolved", "notes", 4, "practitioner_ref", None),
    ):
        migration.decide(Decision.BLANK, migration.finding(code, sheet, row), value="<not this>")
        assert migration.values(sheet)[row][field] == value
        assert migration.row(sheet, row).state == "ready"
    assert migration.links("notes")[4] == ("1:10", None)


def test_link_names_the_patient_or_the_practitioner(migration: Migration) -> None:
    """By their place; `via` says that a person did."""
    migration.decide(Decision.LINK, migration.finding("link.ambiguous", "notes", 13), target="1:10")
    migration.decide(Decision.LINK, migration.finding("practitioner.unresolved", "notes", 4), target="1:11")
    assert migration.links("notes")[13] == ("1:10", None)
    assert migration.links("notes")[4] == ("1:10", "1:11")
    vias = [(migration.row("notes", row).via, migration.row("notes", row).patient) for row in (13, 4)]
    assert vias == [("decision", "P10"), ("legacy_id", "P10")]
    assert migration.row("notes", 13).state == migration.row("notes", 4).state == "ready"


def test_release_publishes_without_a_practitioner_and_keeps_the_text(migration: Migration) -> None:
    """The reference stays in the record, the row goes without the person."""
    migration.decide(Decision.RELEASE, migration.finding("practitioner.unresolved", "notes", 4))
    assert migration.row("notes", 4).state == "ready"
    assert migration.links("notes")[4] == ("1:10", None)
    assert migration.values("notes")[4]["practitioner_ref"] == "LOCUM"


def test_keep_both_answers_for_both_and_is_asked_again_for_a_third(migration: Migration) -> None:
    """One decision about either settles the pair; somebody else who looks the same is a new question."""
    before = migration.stand()
    seq = migration.decide(Decision.KEEP_BOTH, migration.finding("patient.duplicate", "patients", 6))
    assert [migration.row("patients", row).state for row in (5, 6)] == ["ready", "ready"]
    assert migration.row("background", 5).state == "ready"
    assert json.loads(migration.events("finding.decided")[-1][5])["count"] == 2
    migration.undo(seq)
    assert migration.stand() == before
    migration.decide(Decision.KEEP_BOTH, migration.finding("patient.duplicate", "patients", 5))
    migration.take(patients=[patient("L7", **faults.LOOKS)])
    assert {f.related for f in migration.findings("patient.duplicate", rule="name_and_birth")} == {
        "1:5 1:6 5:1"
    }
    assert len(migration.findings("patient.duplicate", rule="name_and_birth")) == 3


def test_keep_both_of_one_repeat_says_nothing_of_the_next(migration: Migration) -> None:
    """Whether the second was meant twice does not answer for the third."""
    migration.take(notes=[faults.NOTES[0]])
    migration.decide(Decision.KEEP_BOTH, migration.finding("row.repeated", "notes", 2))
    assert migration.row("notes", 2, "notes.csv").state == "ready"
    assert migration.row("notes", 1, "notes2.csv").codes == ("row.repeated",)


def test_merge_makes_one_person_and_takes_the_rows_along(migration: Migration) -> None:
    """The merged row is excluded, the other is free; rows that named the first belong to the other."""
    migration.decide(Decision.MERGE, migration.finding("patient.duplicate", "patients", 5), target="1:6")
    assert [migration.row("patients", row).state for row in (5, 6)] == ["excluded", "ready"]
    assert migration.row("background", 5).patient == "L6"
    migration.decide(Decision.MERGE, migration.finding("patient.id_shared", "patients", 1), target="1:2")
    assert migration.row("notes", 7).patient == "S1"
    assert migration.links("notes")[7][0] == "1:2"
    with migration.nothing_changes(), pytest.raises(UsageError, match="merged"):
        migration.put_back(("patients", "5"))


def test_excluded_rows_are_out_and_put_back_as_they_were(migration: Migration) -> None:
    """By finding or by row, whatever was open stays open beneath: a rejected row put back is rejected."""
    before = migration.stand()
    rejected = migration.finding("value.missing", "patients", 12)
    for exclude in (
        lambda: migration.decide(Decision.EXCLUDE, rejected),
        lambda: migration.exclude(("patients", "12"), ("patients", "12")),
    ):
        exclude()
        line = migration.row("patients", 12)
        assert (line.state, line.codes) == ("excluded", ())
        assert migration.row("notes", 11).codes == ("patient.waiting",)
        assert rejected.finding_id not in {f.finding_id for f in migration.findings()}
        migration.put_back(("patients", "12"))
        assert {**migration.stand(), "decision": 0} == {**before, "decision": 0}
    assert migration.row("patients", 12).codes == ("value.missing",)
    link = migration.finding("link.unresolved", "notes", 3)
    migration.decide(Decision.EXCLUDE, link)
    migration.put_back(("notes", "3"))
    assert migration.row("notes", 3).codes == ("link.unresolved",)


# --- sets and taking back -------------------------------------------------------------------------------


def test_a_decision_over_a_set_is_one_event_and_taken_back_as_one(migration: Migration) -> None:
    """The exact findings that were named, in whatever order and twice over; nothing beside them."""
    before = migration.stand()
    chosen = migration.findings("value.unknown", sheet="notes")
    assert [finding.row_no for finding in chosen] == [8, 9, 10]
    events = len(migration.events())
    seq = migration.decide(Decision.CORRECT, *chosen[::-2], chosen[0], value="TRIAGE", reason="as agreed")
    made = migration.events("finding.decided")
    assert (len(made), made[0][0]) == (1, seq)
    detail = json.loads(made[0][5])
    assert (detail["count"], detail["reason"], detail["decision"]) == (2, "as agreed", "correct")
    assert "TRIAGE" not in made[0][5]
    assert [migration.row("notes", row).state for row in (8, 9, 10)] == ["ready", "held", "ready"]
    assert len(migration.events()) > events
    migration.undo(seq)
    assert migration.stand() == before
    with migration.nothing_changes(), pytest.raises(UsageError, match="no decision that stands"):
        migration.undo(seq)


def test_a_set_across_sheets_is_decided_as_one_too(migration: Migration) -> None:
    """Every suspect value that may stand, in three sheets; then every row of a mixed set excluded."""
    before = migration.stand()
    suspect = [f for f in migration.findings("value.suspect") if f.standing]
    assert {finding.sheet for finding in suspect} == {"patients", "background", "notes"}
    seq = migration.decide(Decision.ACCEPT, *suspect)
    assert set(migration.states("background")) == {"ready", "waiting"}
    migration.undo(seq)
    everything = migration.decide(Decision.EXCLUDE, *migration.findings())
    assert migration.session.status().findings == {}
    assert "held" not in {line.state for line in migration.session.rows()}
    migration.undo(everything)
    assert migration.stand() == before


UNDONE: list[tuple[Decision, str, str, int, dict[str, Any]]] = [
    (Decision.LINK, "practitioner.unresolved", "notes", 4, {"target": "1:11"}),
    (Decision.ACCEPT, "patient.email_shared", "patients", 8, {}),
    (Decision.CORRECT, "value.missing", "patients", 12, {"value": "Reed"}),
    (Decision.CORRECT, "patient.id_shared", "patients", 1, {"value": "S8"}),
    (Decision.CORRECT, "value.suspect", "notes", 6, {"value": "1986-01-01"}),
    (Decision.RELEASE, "practitioner.unresolved", "medications", 3, {}),
    (Decision.KEEP_BOTH, "row.repeated", "notes", 2, {}),
]


def test_taking_a_decision_back_restores_what_was(migration: Migration) -> None:
    """The kinds that no other test here takes back: rows, links, open findings and standing decisions are as
    before; the rebuilt projections are those that were folded step by step."""
    before = migration.stand()
    for decision, code, sheet, row, choice in UNDONE:
        seq = migration.decide(decision, migration.finding(code, sheet, row), **choice)
        assert migration.stand() != before
        migration.undo(seq)
        assert migration.stand() == before, (decision, code)
    folded, rebuilt = migration.session.rebuild()
    assert folded == rebuilt


def test_decisions_are_taken_back_in_any_order(migration: Migration) -> None:
    """Two corrections of one cell: without the first the second stands, without both the cell does."""
    before = migration.stand()
    first = migration.decide(Decision.CORRECT, migration.finding("link.unresolved", "notes", 14), value="P98")
    second = migration.decide(
        Decision.CORRECT, migration.finding("link.unresolved", "notes", 14), value="P10"
    )
    migration.undo(first)
    assert (migration.row("notes", 14).patient, migration.values("notes")[14]["patient_ref"]) == (
        "P10",
        "P10",
    )
    migration.undo(second)
    assert migration.stand() == before
    gone = migration.exclude(("patients", "10"))
    back = migration.put_back(("patients", "10"))
    migration.undo(back)
    assert migration.row("patients", 10).state == "excluded"
    migration.undo(gone)
    assert migration.stand() == before


def test_same_as_means_code_field_and_the_very_same_value(untouched: Migration) -> None:
    """`CHAT` is not `chat`, another date before the birth is another question, another sheet is another."""

    def like(code: str, sheet: str, row: int) -> list[int]:
        finding = untouched.finding(code, sheet, row)
        return [f.row_no for f in untouched.findings(same_as=finding.finding_id)]

    assert like("value.unknown", "notes", 8) == [8, 9]
    assert like("value.unknown", "notes", 10) == [10]
    assert like("value.suspect", "background", 1) == [1, 2]
    assert like("value.suspect", "background", 3) == [3]
    assert like("link.unresolved", "notes", 3) == [3, 14]
    assert like("patient.duplicate", "patients", 5) == [5, 6]
    missing = untouched.findings("value.missing", sheet="medications")
    assert [f.field for f in untouched.findings(same_as=missing[0].finding_id)] == [missing[0].field]
    with pytest.raises(UsageError, match="there is no"):
        untouched.findings(same_as=9999)
