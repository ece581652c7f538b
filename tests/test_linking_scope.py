"""Linking after a decision: only what hangs on it is looked at, and it comes to what looking at all would."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import polars as pl
import pytest

from stager.decisions import ALLOWED, Choice, Decision, decide, decide_rows
from stager.errors import UsageError
from stager.reconcile import reconcile
from stager.session.linking import indexer
from stager.sheets import Code
from stager.tenant import people as tenants_people
from tests.migration import Migration, allergy, drug, nhs, note, patient
from tests.test_linking import Made
from tests.test_rebuild import Review


@pytest.fixture
def migration(tmp_path: Path) -> Iterator[Migration]:
    made = Migration(tmp_path / "m", tenants='[tenants.maple]\ndsn = "postgresql://127.0.0.1:9/none"\n')
    yield made
    made.close()


class _TakenBack(Exception):
    """Rolls a command back."""


def looked_at_all(migration: Migration) -> list[object]:
    """The events that a reconciliation of every row would append; it is taken back."""
    workspace, events = migration.session._open(), migration.events()
    with suppress(_TakenBack), workspace.writing("engineer") as log:
        index = migration.session._index(workspace)
        reconcile(workspace.staging, log, digester=workspace.fingerprinter.column, index=index, whole=True)
        said = migration.events()[len(events) :]
        raise _TakenBack
    assert migration.events() == events
    return said


def require_nothing_left(migration: Migration, what: object) -> None:
    """Every link and finding is what looking at every row would make it."""
    said = looked_at_all(migration)
    assert len(said) == 1, (said[:5], "after", what)


def made_practice(migration: Migration, rng: random.Random) -> None:
    """Few keys and many who have them; dates before births, cells that no rule takes, required ones blank."""
    made = Made(rng.randrange(1000))
    for cells in rng.sample(made.patients, 8):
        cells["gender"] = "odd"
    for cells in rng.sample(made.notes, 30):
        cells["consulted_at"] = rng.choice(["1983-05-01", " 1984-01-02 10:00", "1985-06-07 08:09", "soon"])
    for cells in rng.sample(made.drugs, 10):
        cells["prescribed_on"] = rng.choice(["1983-05-01", "2999-01-01", "1986-01-01", ""])
        cells["drug_name"] = rng.choice(["", "Ramipril"])
    half = len(made.patients) // 2
    migration.take(patients=made.patients[:half], notes=made.notes, medications=made.drugs)
    require_nothing_left(migration, "the first files")
    migration.take(patients=made.patients[half:])
    require_nothing_left(migration, "more patients")
    keep_own_people(migration, made)
    require_nothing_left(migration, "the tenant's own")


def keep_own_people(migration: Migration, made: Made) -> None:
    """People of the tenant's own, with keys that staged patients and references have, too."""
    session, workspace = migration.session, migration.session._open()
    index = indexer(session.doors, "maple")
    people = [
        (
            f"T{i}",
            made.random.choice([*made.shared, f"P{i}", f"Q{i}"]).strip(),
            index([number])[0] if (number := made.random.choice(["", nhs(i), nhs(40 + i)])) else None,
            made.maybe(made.emails, 0.6).strip(),
            made.random.choice(["PATIENT", "CLINICIAN"]),
        )
        for i in range(8)
    ]
    with workspace.writing("engineer") as log:
        workspace.bind(log, "maple")
        schema = tenants_people.framed(b"").schema
        with workspace.staging.lent(snapshot=pl.DataFrame(people, schema=schema, orient="row")):
            workspace.staging.run("keep_snapshot")
        log.append("tenant.snapshotted", {"people": len(people), "digest": "00"})
        reconcile(workspace.staging, log, digester=workspace.fingerprinter.column, index=index)


def one_decision(review: Review) -> str:
    """A decision at random, or one taken back; what it was."""
    acts = [
        review.decide_one,
        review.decide_one,
        review.decide_alike,
        review.undo,
        review.exclude,
        review.put_back,
    ]
    act = review.rng.choice(acts)
    before = sum(review.done.values())
    with suppress(UsageError):
        act()
        if sum(review.done.values()) == before:
            review.done[act.__name__] += 1
        return act.__name__
    return ""


def review_at_random(
    migration: Migration, seed: int, steps: int, first: Sequence[Decision] = ()
) -> Counter[str]:
    """One decision of each kind in `first`, and so many steps."""
    rng = random.Random(seed)
    made_practice(migration, rng)
    review = Review(migration.session, rng, files=[])
    for decision in first:
        decide_as(review, decision)
        require_nothing_left(migration, decision)
    for _ in range(steps):
        if what := one_decision(review):
            require_nothing_left(migration, what)
    return review.done


def decide_as(review: Review, decision: Decision) -> None:
    """A decision of this kind about whichever finding takes it: chance alone may never come to one."""
    fitting = [each for each in review.open_findings() if Code(each.code) in ALLOWED[decision]]
    for finding in review.rng.sample(fitting, len(fitting)):
        choice = review.choice_for(finding)
        while choice.decision is not decision:
            choice = review.choice_for(finding)
        with suppress(UsageError):
            review.decide([finding], choice)
            return
    raise AssertionError(f"no finding takes {decision}")


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.soak)])
def test_after_any_decision_every_row_is_as_if_all_were_looked_at(migration: Migration, seed: int) -> None:
    done = review_at_random(migration, seed, 12)
    assert sum(done.values()) > 6, done


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 112))
def test_in_a_long_review_every_row_is_as_if_all_were_looked_at(migration: Migration, seed: int) -> None:
    kinds = (Decision.MERGE, Decision.LINK, Decision.ACCEPT, Decision.CORRECT)
    done = review_at_random(migration, seed, 150, kinds)
    assert {"undo", "exclude", "put_back", *(kind.value for kind in kinds)} <= set(done)


def practice() -> dict[str, list[dict[str, str]]]:
    """Fifty patients with three rows each; odd values, nobody has one of the numbers, and one has none."""
    people = [patient(f"P{i}", nhs_number=nhs(i), gender="odd" if i == 7 else "F") for i in range(50)]
    people[30]["nhs_number"] = ""
    return {
        "patients": people,
        "background": [allergy(f"P{i}") for i in range(50)],
        "notes": [note(f"P{i}", clinical_code="odd" if i == 3 else "") for i in range(50)],
        "medications": [*(drug(f"P{i}") for i in range(50)), drug(nhs(77))],
    }


def counted(
    migration: Migration, *findings_or_rows: object, decision: Decision, target: str | None = None
) -> int:
    """How many rows are looked at after a decision about findings, or rows (sheet, source, row)."""
    workspace = migration.session._open()
    choice = Choice(decision, target=target)
    with workspace.writing("lee") as log:
        if decision is Decision.EXCLUDE:
            decide_rows(workspace.staging, log, findings_or_rows, choice)  # type: ignore[arg-type]
        else:
            digest = workspace.fingerprinter.one
            decide(workspace.staging, log, findings_or_rows, choice, digest=digest)  # type: ignore[arg-type]
        outcome = reconcile(workspace.staging, log, digester=workspace.fingerprinter.column)
    require_nothing_left(migration, decision)
    return outcome.rows


def test_a_decision_has_no_more_rows_looked_at_than_hang_on_it(migration: Migration) -> None:
    """None by a judgement of a value; a patient's own and those of their key by their exclusion."""
    migration.take(**practice())
    odd = migration.finding("value.unknown", "patients", 8)
    assert counted(migration, odd, decision=Decision.ACCEPT) == 0
    assert counted(migration, migration.finding("value.suspect", "notes", 4), decision=Decision.BLANK) == 0
    assert counted(migration, ("notes", 3, 10), decision=Decision.EXCLUDE) == 0  # it is out of every count
    assert counted(migration, ("patients", 1, 20), decision=Decision.EXCLUDE) == 3
    unresolved = migration.finding("link.unresolved", "medications", 51)
    assert counted(migration, unresolved, decision=Decision.LINK, target="1:31") == 4


WRITTEN = {
    "as it is": ("K1", {}, "K1"),
    "white": ("\tK0 ", {}, " K0"),
    "white before and behind": ("\u00a0K2\t", {}, " K2\u2003"),
    "another script": ("ÉK3", {}, "ÉK3"),
    "lower case": ("k4", {}, "k4"),
    "a number parted by dashes": ("K5", {"nhs_number": f" {nhs(5)[:3]}-{nhs(5)[3:6]}\t{nhs(5)[6:]}"}, nhs(5)),
    "a number parted by others": ("K6", {"nhs_number": f"{nhs(6)[:3]}\u2013{nhs(6)[3:]}"}, nhs(6)),
    "a number parted in the reference": (
        "K7",
        {"nhs_number": nhs(7)},
        f"{nhs(7)[:3]} {nhs(7)[3:6]}\u2013{nhs(7)[6:]}",
    ),
    "an address in other letters": ("K8", {"email": "\tK8@Example.ORG "}, "k8@EXAMPLE.org"),
    "an address with a sign for a letter": ("K9", {"email": "k9@example.org"}, "\u212a9@example.org"),
    "an address that has the sign": ("K10", {"email": "\u212a10@example.org"}, "k10@example.org"),
}
"""How a patient's legacy ID and other cells, and a reference that means the patient, may be written."""


def test_rows_that_are_looked_at_alone_mean_whom_they_mean_among_all(migration: Migration) -> None:
    """However keys are written; of the patients only those are read that may be meant."""
    others = [patient(f"Z{i}", nhs_number=nhs(40 + i), email=f"z{i}@example.org") for i in range(20)]
    people = [patient(legacy_id, **cells) for legacy_id, cells, _ in WRITTEN.values()]
    notes = [note(said) for _, _, said in WRITTEN.values()]
    migration.take(patients=[*others, *people], notes=notes)
    places = {row: f"1:{len(others) + row}" for row in range(1, len(notes) + 1)}
    linked = {row: (place, None) for row, place in places.items()}
    assert migration.links("notes") == linked
    rows = [("notes", str(row)) for row in places]
    migration.exclude(*rows)
    migration.put_back(*rows)
    assert migration.links("notes") == linked
    assert migration.findings("link.unresolved") == []
    near = migration.staging._execute("select source_id, row_no from near").fetchall()
    assert len(near) == len(people)
    require_nothing_left(migration, "the rows put back")


def test_who_was_merged_corrected_or_named_by_a_person_is_looked_at_too(migration: Migration) -> None:
    """Nothing in a row's own reference says so."""
    people = [
        patient("M1", nhs_number=nhs(1)),
        patient("M2", nhs_number=nhs(1), date_of_birth="2001-01-01"),
        patient("C1", email="soon"),
        patient("N1", date_of_birth="2001-01-01"),
    ]
    notes = [
        note("M1", consulted_at="1999-01-01"),
        note("c1@example.org"),
        note("nobody", consulted_at="1999-01-01"),
        note("nobody else"),
        note("m1"),
    ]
    migration.take(patients=people, notes=notes)
    migration.decide(Decision.MERGE, migration.finding("patient.duplicate", "patients", 1), target="1:2")
    migration.decide(
        Decision.CORRECT, migration.finding("value.suspect", "patients", 3), value="c1@example.org"
    )
    require_nothing_left(migration, "the patients' findings")
    migration.decide(Decision.LINK, migration.finding("link.unresolved", "notes", 3), target="1:4")
    require_nothing_left(migration, "the link")
    linked = {1: ("1:2", None), 2: ("1:3", None), 3: ("1:4", None), 4: (None, None), 5: (None, None)}
    assert migration.links("notes") == linked
    assert early(migration) == {(2, 1), (2, 3)}
    rows = [("notes", str(row)) for row in linked]
    for each in ([rows[0]], [rows[1]], [rows[2]], rows):
        migration.exclude(*each)
        migration.put_back(*each)
        require_nothing_left(migration, each)
    assert early(migration) == {(2, 1), (2, 3)}
    assert migration.links("notes") == linked
    assert migration.finding("link.unresolved", "notes", 5).suggestions


def early(migration: Migration) -> set[tuple[int, int]]:
    """The rows (source, row) whose date is found to be before the birth."""
    found = migration.findings("value.suspect")
    return {each.place for each in found if each.rule == "before_birth"}


def test_a_date_before_the_birth_is_found_however_it_is_written(migration: Migration, tmp_path: Path) -> None:
    """White space of any kind around it, a mapping's format, a constant for a blank, a correction."""
    people = [patient("P1", date_of_birth="1980-02-29")]
    plain = [
        "1980-02-28 23:59",
        "1980-02-29",
        "1980-03-01 00:00",
        "\u00a01979-01-01",
        "\t1980-02-28",
        "2999-01-01",
    ]
    slashed = ["28/02/1980", "29/02/1980", "01/03/1980", "31/12/1979", "\u2003 31/12/1979"]
    mapping = tmp_path / "slashed.toml"
    mapping.write_text('date_format = "%d/%m/%Y"\n[constants]\nOnsetDate = "01/01/1970"\n', encoding="utf-8")
    migration.take(patients=people, notes=[note("P1", str(i), consulted_at=at) for i, at in enumerate(plain)])
    notes = [note("P1", str(i), consulted_at=at) for i, at in enumerate(slashed)]
    blank = [allergy("P1", onset_date=day) for day in ("", "30/04/1999", "30/04/1979")]
    files = [migration.write("n2.csv", "notes", notes), migration.write("b.csv", "background", blank)]
    migration.ingest(*files, mapping=mapping)
    migration.reconcile()
    sources = {"n2": 4, "b": 3}  # in the order of the sheets
    wanted = {
        (2, 1),
        (2, 4),
        (2, 5),
        *((sources["n2"], row) for row in (1, 4, 5)),
        (sources["b"], 1),
        (sources["b"], 3),
    }
    assert early(migration) == wanted
    migration.decide(
        Decision.CORRECT, migration.finding("value.suspect", "notes", 6, rule="future"), value="1970-01-01"
    )
    assert early(migration) == {*wanted, (2, 6)}
    require_nothing_left(migration, "the correction")


def test_what_a_decision_lets_in_is_linked_and_what_an_undo_reopens_is_checked(migration: Migration) -> None:
    """A cell that is no key takes its row out of the rejected ones; a question that fell is closed."""
    same = [allergy("P1"), allergy("P1")]
    migration.take(patients=[patient("P1")], background=same, medications=[drug("P1", "")])
    assert migration.row("medications", 1).patient is None
    migration.decide(Decision.CORRECT, migration.finding("value.missing", "medications", 1), value="Ramipril")
    assert migration.row("medications", 1).patient == "P1"
    accepted = migration.decide(Decision.ACCEPT, migration.finding("row.repeated", "background", 2))
    migration.exclude(("background", "1"))
    migration.undo(accepted)
    assert (migration.row("background", 2).state, migration.findings("row.repeated")) == ("ready", [])
    require_nothing_left(migration, "the undo")


def test_a_practitioner_is_found_anew_where_the_patient_is_not(migration: Migration) -> None:
    """Such a row has no link that names the practitioner: it hangs on the keys that the person ever had."""
    doctor = patient("D1", role="CLINICIAN", email="d1@x")
    migration.take(patients=[doctor], notes=[note("nobody", practitioner_ref="D1@x")])
    assert migration.findings("practitioner.unresolved") == []
    suspect = migration.finding("value.suspect", "patients", 1)
    seq = migration.decide(Decision.CORRECT, suspect, value="d1@example.org")
    assert len(migration.findings("practitioner.unresolved")) == 1
    require_nothing_left(migration, "the correction")
    migration.undo(seq)
    assert migration.findings("practitioner.unresolved") == []
    require_nothing_left(migration, "the undo")
