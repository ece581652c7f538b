"""What one reconciliation says of placeholders, twins, several of one key, near keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from stager.decisions import Decision, Finding
from stager.errors import UsageError
from stager.session import Intake
from tests.migration import Migration, Scene, nhs, note, patient, people_alike


@pytest.fixture
def migration(tmp_path: Path) -> Iterator[Migration]:
    made = Migration(tmp_path / "m")
    yield made
    made.close()


HOME = {"last_name": "Archer", "date_of_birth": "2001-01-01", "street_address": "1 High St", "city": "Ely"}
DASH = {"first_name": "-", "last_name": "Baker", "date_of_birth": "2002-02-02"}
BOTH = {"first_name": "Cy", "last_name": "Cole", "date_of_birth": "2003-03-03"}

SCENE = Scene()
SCENE.add(
    "numbers",
    patients=[
        patient(nhs(0), nhs_number=nhs(1)),
        patient(nhs(2)),
        patient(nhs(3), nhs_number=nhs(3)),
        patient(nhs(4), nhs_number=nhs(5)),
        patient("P5", nhs_number=nhs(4)),
    ],
    notes=[note(nhs(0)), note(nhs(2)), note(nhs(3)), note(nhs(4)), note(nhs(1))],
)
SCENE.add(
    "placeholders",
    patients=[
        *(patient(f"PLA{i}", nhs_number=str(i) * 10) for i in range(10)),
        *(patient(f"PLB{i}", nhs_number=str(i) * 10) for i in range(10)),
    ],
    notes=[note(str(i) * 10) for i in range(10)],
)
SCENE.add(
    "twins",
    patients=[
        patient("TWIN1", **(HOME | {"first_name": "Ann"})),
        patient("TWIN2", **(HOME | {"first_name": "Bea"})),
        patient("TWIN3", **(HOME | {"first_name": "Cat", "email": " ", "nhs_number": " "})),
        patient("DASH1", **DASH),
        patient("DASH2", **DASH),
        patient("BOTH1", **(BOTH | {"nhs_number": nhs(6)})),
        patient("BOTH2", **(BOTH | {"nhs_number": nhs(7)})),
    ],
    notes=[note("TWIN1", practitioner_ref="  "), note(" ")],
)
SCENE.add(
    "several",
    patients=[
        patient("SEVERAL", email="a@example.org"),
        patient("SEVERAL", first_name="Other"),
        patient("a@example.org"),
        patient("SEV4", email="b@example.org"),
        patient("SEV5", email="B@example.org"),
        patient("SEV6", nhs_number=nhs(8)),
        patient("SEV7", nhs_number=nhs(8)),
    ],
    notes=[note("SEVERAL"), note("a@example.org"), note("b@EXAMPLE.org"), note(nhs(8))],
)
SCENE.add(
    "near",
    patients=[
        patient("001234"),
        patient("123"),
        patient("123000"),
        patient("ABCD-9"),
        patient("Q", email="quin@example.org"),
        patient("00123"),
    ],
    notes=[
        note(reference, reference)
        for reference in (
            *("1234", "0001234", "123.0", "1.23E+05", "1.23e5", "abcd-9", "ABCD-8", "ABDC-9", "ABD-9"),
            *("ABCDD-9", "QUIN@example.or", "quim@example.org", "q", "124", "0", "Smith"),
        )
    ],
)
SCENE.add(
    "many",
    patients=[*(patient(f"555500{sign}") for sign in "abcdefghijkl"), patient("0555500")],
    notes=[note("555500")],
)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Migration]:
    """All groups of the scene, ingested and reconciled once. Only to be read."""
    made = Migration(tmp_path_factory.mktemp("scene")).take(**SCENE.records)
    yield made
    made.close()


def test_a_reference_that_is_a_number_means_nobody_who_has_another(scene: Migration) -> None:
    """It is the LegacyPatientID of somebody whose own number is another: held, whether or not the number is
    known; of somebody without a number, or with that very number, it is the LegacyPatientID."""
    said = [(line.codes, line.patient, line.via) for line in SCENE.lines(scene, "numbers", "notes")]
    assert said == [
        (("link.conflict",), None, None),
        ((), nhs(2), "legacy_id"),
        ((), nhs(3), "legacy_id"),
        (("link.conflict",), None, None),
        ((), nhs(0), "nhs_number"),
    ]


def test_placeholders_never_link_and_never_count(scene: Migration) -> None:
    """Every repdigit passes the check and is no number: no link, no duplicate, the row held as suspect."""
    codes = SCENE.codes(scene, "placeholders", "patients")
    assert codes == {number: ["value.suspect"] for number in range(1, 21)}
    said = [line.codes for line in SCENE.lines(scene, "placeholders", "notes")]
    assert said == [("link.unresolved",)] * 10


def test_the_test_range_is_suspect_unless_the_migration_is_synthetic(migration: Migration) -> None:
    """A 999 number holds its patient; whoever is found by it waits."""
    files = [
        migration.write("p.csv", "patients", [patient("P1", nhs_number=nhs(1))]),
        migration.write("n.csv", "notes", [note(nhs(1))]),
    ]
    migration.session.ingest(files, Intake(), actor="engineer")
    migration.reconcile()
    assert migration.codes("patients") == {1: ["value.suspect"]}
    assert migration.finding("value.suspect", "patients", 1).rule == "nhs_test_range"
    assert (migration.row("notes", 1).via, migration.codes("notes")) == (
        "nhs_number",
        {1: ["patient.waiting"]},
    )


def test_twins_and_households_are_no_duplicates_and_blanks_match_nothing(scene: Migration) -> None:
    """Same surname, birth and address with other first names; names that are only a dash; two numbers."""
    assert [line.state for line in SCENE.lines(scene, "twins", "patients")] == ["ready"] * 7
    assert [line.state for line in SCENE.lines(scene, "twins", "notes")] == ["ready", "rejected"]


def test_a_group_of_more_than_eight_is_refused_as_a_group(migration: Migration) -> None:
    """Eight records may become one person; nine may not, in one decision or one after another."""
    migration.take(patients=people_alike(*[nhs(1)] * 9))
    findings = migration.findings("patient.duplicate")
    with migration.nothing_changes(), pytest.raises(UsageError, match="more than 8 records"):
        migration.decide(Decision.MERGE, *findings[1:], target="1:1")
    migration.decide(Decision.MERGE, *findings[2:], target="1:1")
    with migration.nothing_changes(), pytest.raises(UsageError, match="more than 8 records"):
        migration.decide(Decision.MERGE, *migration.findings("patient.duplicate", row=2), target="1:1")


def test_the_first_of_several_is_never_taken(scene: Migration) -> None:
    """By every key: two persons are none, and an exact later key does not choose between them."""
    assert SCENE.codes(scene, "several", "notes") == {
        1: ["link.ambiguous"],
        2: ["link.conflict"],
        3: ["link.ambiguous"],
        4: ["link.ambiguous"],
    }
    at = [f"1:{SCENE.row('several', 'patients', number)}" for number in range(1, 8)]
    for number, (code, pair) in enumerate(
        [
            ("link.ambiguous", at[:2]),
            ("link.conflict", [at[0], at[2]]),
            ("link.ambiguous", at[3:5]),
            ("link.ambiguous", at[5:]),
        ],
        1,
    ):
        found = SCENE.finding(scene, code, "several", "notes", number)
        assert (found.related or "").split() == pair


def test_a_blank_in_a_later_file_takes_no_value_away(migration: Migration) -> None:
    """The same patient again without a number: the number still finds the first, and both are held."""
    migration.take(patients=[patient("P1", nhs_number=nhs(1))], notes=[note(nhs(1))])
    migration.take(patients=[patient("P1", email="new@example.org")])
    assert set(map(tuple, migration.codes("patients").values())) == {
        ("patient.duplicate", "patient.id_shared")
    }
    line = migration.row("notes", 1)
    assert (line.patient, line.via, line.codes) == ("P1", "nhs_number", ("patient.waiting",))


NEAR = {
    "1234": [(1, "leading_zeros")],
    "0001234": [(1, "leading_zeros")],
    "123.0": [(2, "spreadsheet"), (6, "spreadsheet")],
    "1.23E+05": [(3, "spreadsheet")],
    "1.23e5": [(3, "spreadsheet")],
    "abcd-9": [(4, "case")],
    "ABCD-8": [(4, "edit")],
    "ABDC-9": [(4, "edit")],
    "ABD-9": [(4, "edit")],
    "ABCDD-9": [(4, "edit")],
    "QUIN@example.or": [],
    "quim@example.org": [(5, "edit")],
    "q": [(5, "case")],
    "124": [],
    "0": [],
    "Smith": [],
}
"""Reference → whom of the group "near" it suggests, by number, and why."""


def test_near_keys_are_suggested_and_never_applied(scene: Migration) -> None:
    """Dropped zeros, a spreadsheet's forms, another case, one edit; short keys are not edited. Row held."""
    said = [(line.codes, line.patient) for line in SCENE.lines(scene, "near", "notes")]
    assert said == [(("link.unresolved",), None)] * len(NEAR)
    for number, (reference, wanted) in enumerate(NEAR.items(), 1):
        found = SCENE.finding(scene, "link.unresolved", "near", "notes", number)
        offers = [(each["patient"], each["why"]) for each in offered(found)]
        assert offers == [(f"1:{SCENE.row('near', 'patients', n)}", why) for n, why in wanted], reference


def test_no_more_than_nine_are_suggested_the_strongest_first(scene: Migration) -> None:
    """Twelve keys an edit apart and one with its zeros dropped: that one, then eight others."""
    offers = offered(SCENE.finding(scene, "link.unresolved", "many", "notes", 1))
    assert len(offers) == 9
    assert offers[0]["why"] == "leading_zeros"
    assert offers[0]["patient"] == f"1:{SCENE.row('many', 'patients', 13)}"
    assert {each["why"] for each in offers[1:]} == {"edit"}


def offered(finding: Finding) -> list[dict[str, str]]:
    return json.loads(finding.suggestions or "null") or []
