"""Findings: raised where the table of SHEETS says, closed when their cause goes, raised when it is back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stager.decisions import Decision
from stager.sheets import REJECTING, Code
from tests.migration import Migration, allergy, cloned, drug, nhs, note, patient


@pytest.fixture
def migration(faulty: Path, tmp_path: Path) -> Iterator[Migration]:
    """The faulty practice, in a copy of its own."""
    made = cloned(faulty, tmp_path / "m")
    yield made
    made.close()


def test_every_code_stands_exactly_where_the_table_says(migration: Migration) -> None:
    """Both of a pair for an id, a number or a likeness; the later one alone for an email or a repeat."""
    assert migration.codes("patients") == {
        1: ["patient.id_shared"],
        2: ["patient.id_shared"],
        3: ["patient.duplicate"],
        4: ["patient.duplicate"],
        5: ["patient.duplicate"],
        6: ["patient.duplicate"],
        8: ["patient.email_shared"],
        9: ["value.unknown"],
        12: ["value.missing"],
        13: ["value.suspect"],
    }
    assert migration.codes("background") == {
        1: ["value.suspect"],
        2: ["value.suspect"],
        3: ["value.suspect"],
        4: ["value.suspect"],
        5: ["patient.waiting"],
    }
    assert migration.codes("notes") == {
        2: ["row.repeated"],
        3: ["link.unresolved"],
        4: ["practitioner.unresolved"],
        5: ["patient.waiting"],
        6: ["value.suspect"],
        7: ["link.ambiguous"],
        8: ["value.unknown"],
        9: ["value.unknown"],
        10: ["value.unknown"],
        11: ["patient.waiting"],
        13: ["link.ambiguous"],
        14: ["link.unresolved"],
    }
    assert migration.codes("medications") == {
        1: ["value.suspect"],
        2: ["value.missing"],
        3: ["practitioner.unresolved"],
    }
    rejecting = {code.value for code in REJECTING}
    for sheet in ("patients", "background", "notes", "medications"):
        for line in migration.rows(sheet).values():
            if line.codes == ("patient.waiting",):
                assert line.state == "waiting"
            elif line.codes:
                assert line.state == ("rejected" if rejecting & set(line.codes) else "held")
            else:
                assert line.state == "ready"


def test_what_a_finding_says_of_itself(migration: Migration) -> None:
    """Field, rule, whether the value may stand, and the other rows that it is about."""
    said = {
        (f.sheet, f.row_no, f.code): (f.field, f.rule, f.standing, f.related) for f in migration.findings()
    }
    assert said["patients", 1, "patient.id_shared"] == ("legacy_id", "legacy_id", False, "1:1 1:2")
    assert said["patients", 4, "patient.duplicate"] == ("nhs_number", "nhs_number", False, "1:3 1:4")
    assert said["patients", 5, "patient.duplicate"] == (None, "name_and_birth", True, "1:5 1:6")
    assert said["patients", 8, "patient.email_shared"] == ("email", "email", True, "1:7")
    assert said["notes", 2, "row.repeated"] == (None, "fingerprint", True, "3:1")
    assert said["notes", 3, "link.unresolved"] == ("patient_ref", None, False, None)
    assert said["notes", 6, "value.suspect"] == ("consulted_at", "before_birth", True, "1:10")
    assert said["notes", 7, "link.ambiguous"] == ("patient_ref", "legacy_id", False, "1:1 1:2")
    assert said["notes", 13, "link.ambiguous"] == ("patient_ref", "nhs_number", False, "1:3 1:4")
    assert said["medications", 3, "practitioner.unresolved"][:2] == ("practitioner_ref", "link.unresolved")
    counts = migration.session.status().findings
    assert sum(counts.values()) == len(said) + 2  # two rows have two of one code
    assert Code.PATIENT_WAITING.value not in counts


def test_what_rules_put_right_is_ready_and_an_event(migration: Migration) -> None:
    """Trimmed, a synonym, a unit dropped, a default filled in: no finding, an event by column and rule."""
    assert migration.row("medications", 4).state == "ready"
    assert migration.values("medications")[4]["status"] == "DISCONTINUED"
    assert migration.values("medications")[4]["quantity"] == 30
    kinds = {(kind, sheet) for _, kind, sheet, *_ in migration.events()}
    assert {("value.normalised", "medications"), ("value.defaulted", "background")} <= kinds
    assert migration.findings("value.normalised") == migration.findings("value.defaulted") == []


@pytest.mark.parametrize(
    ("row", "code"), [(2, "patient.id_shared"), (4, "patient.duplicate"), (6, "patient.duplicate")]
)
def test_a_pairs_findings_close_when_one_goes_and_come_back_with_it(
    migration: Migration, row: int, code: str
) -> None:
    """Excluded, merged: the other is free and its rows find it. Taken back: both are held once more."""
    before = migration.stand()
    pair = (row - 1, row)
    gone = migration.exclude(("patients", str(row)))
    assert (migration.row("patients", row - 1).codes, migration.row("patients", row).codes) == ((), ())
    assert migration.row("patients", row - 1).state == "ready"
    migration.undo(gone)
    assert migration.stand() == before
    merge = migration.decide(Decision.MERGE, migration.finding(code, "patients", row), target=f"1:{row - 1}")
    assert [migration.row("patients", each).state for each in pair] == ["ready", "excluded"]
    migration.undo(merge)
    assert migration.stand() == before


def test_a_shared_number_closes_when_one_is_corrected_or_blanked(migration: Migration) -> None:
    """Another number, or none: both are free, and the reference by number finds the one that has it."""
    before = migration.stand()
    finding = migration.finding("patient.duplicate", "patients", 4)
    for choice in ({"decision": Decision.CORRECT, "value": nhs(44)}, {"decision": Decision.BLANK}):
        seq = migration.decide(choice.pop("decision"), finding, **choice)  # type: ignore[arg-type]
        assert [migration.row("patients", row).state for row in (3, 4)] == ["ready", "ready"]
        assert migration.row("notes", 13).patient == "N3"
        migration.undo(seq)
        assert migration.stand() == before


def test_a_shared_email_closes_with_either_patient(migration: Migration) -> None:
    """The earlier one excluded, or the later one's address corrected; a third one waits for its turn."""
    gone = migration.exclude(("patients", "7"))
    assert migration.row("patients", 8).state == "ready"
    migration.take(patients=[patient("E9", email="shared@example.org")])
    assert migration.row("patients", 1, "patients2.csv").codes == ("patient.email_shared",)
    migration.undo(gone)
    assert migration.row("patients", 8, "patients.csv").codes == ("patient.email_shared",)
    migration.decide(
        Decision.CORRECT,
        migration.finding("patient.email_shared", "patients", 8),
        value="own@example.org",
    )
    assert migration.row("patients", 8, "patients.csv").codes == ()
    assert migration.finding("patient.email_shared", "patients", 1).related == "1:7"


def test_a_repeat_is_the_later_one_also_across_files(migration: Migration) -> None:
    """A copy in another file, and a third: each but the first. Without the first, the second is the first."""
    migration.take(notes=[note("P10", "twelve"), note("P10", "twelve"), note("P10", "twelve ")])
    at = ("notes2.csv", "notes.csv")
    assert migration.row("notes", 1, at[0]).codes == ("row.repeated",)
    assert migration.row("notes", 2, at[0]).codes == ("row.repeated",)
    assert migration.row("notes", 3, at[0]).codes == ()
    gone = migration.exclude(("notes", "3:12"))
    assert migration.row("notes", 1, at[0]).codes == ()
    assert migration.row("notes", 2, at[0]).codes == ("row.repeated",)
    assert {f.related for f in migration.findings("row.repeated", row=2)} == {"3:1", "5:1"}
    migration.undo(gone)
    assert migration.row("notes", 1, at[0]).codes == ("row.repeated",)
    assert migration.row("notes", 12, at[1]).codes == ()


def test_an_unresolved_reference_closes_when_somebody_comes_or_it_is_corrected(migration: Migration) -> None:
    """A later patients file with the patient and the practitioner; a corrected reference that finds nobody is
    asked about anew."""
    migration.decide(Decision.CORRECT, migration.finding("link.unresolved", "notes", 14), value="P98")
    assert migration.row("notes", 14).codes == ("link.unresolved",)
    migration.decide(Decision.CORRECT, migration.finding("link.unresolved", "notes", 14), value="P10")
    assert (migration.row("notes", 14).state, migration.row("notes", 14).patient) == ("ready", "P10")
    migration.take(patients=[patient("P99"), patient("LOCUM", role="nurse"), patient("P98")])
    assert migration.row("notes", 3).state == migration.row("notes", 4).state == "ready"
    assert migration.row("notes", 14).patient == "P10"
    migration.exclude(("patients", "5:1"), ("patients", "5:2"))
    assert migration.codes("notes")[3] == migration.codes("notes")[4] == ["patient.waiting"]


def test_a_date_before_the_birth_is_set_against_whom_the_row_is_linked_to(migration: Migration) -> None:
    """On the day of birth is in order. A new date that is before it too is asked about again, and so is one
    that a person's link makes too early."""
    migration.take(
        patients=[patient("OLD", date_of_birth="1940-01-01")],
        background=[
            allergy("P10", "a", onset_date="1990-06-15"),
            allergy("OLD", "b", onset_date="1985-01-01"),
            allergy("P97", "c", onset_date="1985-01-01"),
        ],
        notes=[
            note("P10", "x", consulted_at="1990-06-14 23:59"),
            note("P10", "y", consulted_at="1990-06-15"),
        ],
        medications=[drug("P10", prescribed_on="1990-06-14")],
    )
    assert [line.codes for line in migration.rows("background").values()][5:] == [
        (),
        (),
        ("link.unresolved",),
    ]
    assert [line.codes for line in migration.rows("notes").values()][14:] == [("value.suspect",), ()]
    assert [line.codes for line in migration.rows("medications").values()][4:] == [("value.suspect",)]
    unresolved = migration.finding("link.unresolved", "background", 3)
    link = migration.decide(Decision.LINK, unresolved, target="1:10")
    assert migration.row("background", 3, "background2.csv").codes == ("value.suspect",)
    migration.undo(link)
    migration.decide(Decision.LINK, unresolved, target="5:1")
    assert migration.row("background", 3, "background2.csv").state == "ready"
    before = migration.finding("value.suspect", "notes", 6)
    migration.decide(Decision.CORRECT, before, value="1986-01-01 10:00")
    before = migration.finding("value.suspect", "notes", 6)
    migration.decide(Decision.CORRECT, before, value="1997-01-01 10:00")
    assert migration.row("notes", 6, "notes.csv").state == "ready"


def test_rows_wait_for_their_patient_and_their_practitioner(migration: Migration) -> None:
    """Held, rejected or excluded, then fit again; a row's own finding comes first."""
    accepted = migration.decide(Decision.ACCEPT, migration.finding("value.unknown", "patients", 9))
    assert migration.row("notes", 5).state == "ready"
    migration.decide(Decision.CORRECT, migration.finding("value.missing", "patients", 12), value="Reed")
    assert migration.row("notes", 11).state == "ready"
    migration.undo(accepted)
    assert migration.row("notes", 5).codes == ("patient.waiting",)
    gone = migration.exclude(("patients", "11"))
    assert migration.row("notes", 1).codes == ("patient.waiting",)
    assert migration.row("notes", 2).codes == ("row.repeated",)
    migration.undo(gone)
    assert migration.row("notes", 1).state == "ready"
    gone = migration.exclude(("patients", "10"))
    assert {line.state for line in migration.rows("medications").values()} == {"held", "rejected", "waiting"}
    assert migration.row("notes", 6).codes == ("value.suspect",)
    migration.undo(gone)
    assert migration.row("notes", 12).state == "ready"


def test_a_corrected_file_closes_what_it_corrects(migration: Migration) -> None:
    """The reject files, put right: the new rows are ready, the old ones excluded, their findings closed."""
    names = {"NOWHERE": "EC1A 1BB", "999 123": nhs(60), ",odd,": ",FEMALE,", "P99": "P10", "CHAT": "TRIAGE"}
    names |= {"LOCUM": "D11", "chat": "TRIAGE"}
    corrected = []
    for path, made in migration.session.write_rejects(Path("rejects")):
        text = made.content.decode()
        for old, new in names.items():
            text = text.replace(old, new)
        path.write_bytes(text.encode())
        if made.sheet in ("patients", "notes"):
            corrected.append(path)
    migration.ingest(*corrected)
    migration.reconcile()
    states = {row: line.state for row, line in migration.rows("patients").items()}
    assert states["patients.csv", 9] == states["patients.csv", 13] == "excluded"
    assert states["patients-rejects.csv", 8] == "ready"
    assert migration.row("notes", 5, "notes.csv").patient == "U9"
    assert migration.row("notes", 5, "notes.csv").state == "ready"
    assert not migration.findings("value.unknown")
    assert not migration.findings("link.unresolved")
    assert migration.session.status().balances


def test_no_rule_revises_a_decision(migration: Migration) -> None:
    """What a person judged stays judged while everything around it changes and is looked at again."""
    judged = [
        migration.decide(Decision.ACCEPT, migration.finding("row.repeated", "notes", 2)),
        migration.decide(Decision.ACCEPT, migration.finding("value.suspect", "notes", 6)),
        migration.decide(Decision.ACCEPT, migration.finding("patient.email_shared", "patients", 8)),
        migration.decide(Decision.KEEP_BOTH, migration.finding("patient.duplicate", "patients", 5)),
        migration.decide(Decision.LINK, migration.finding("link.ambiguous", "notes", 7), target="1:2"),
        migration.decide(Decision.RELEASE, migration.finding("practitioner.unresolved", "notes", 4)),
    ]
    made = migration.stand()["decision"]
    gone = migration.exclude(("patients", "10"), ("patients", "7"), ("patients", "1"), ("notes", "1"))
    migration.take(patients=[patient("LOCUM", role="gp"), patient("P77")])
    migration.undo(gone)
    assert migration.stand()["decision"] == made
    assert len(judged) == 6
    assert migration.row("notes", 2, None).codes == migration.row("notes", 6).codes == ()
    assert migration.links("notes")[4] == ("1:10", None)
    assert migration.links("notes")[7][0] == "1:2"
    for row in (5, 6, 8):
        assert migration.row("patients", row, "patients.csv").codes == ()
    kinds = [kind for _, kind, *_ in migration.events()]
    assert kinds.count("decision.undone") == 1
