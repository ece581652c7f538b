"""Linking: every row against a slow cascade, in practices full of collisions."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import polars as pl
import pytest

from stager.decisions import Decision
from stager.errors import UsageError
from stager.reconcile import reconcile
from stager.tenant import people
from tests.cascade import Person, Row, say_patients, say_rows
from tests.migration import Cells, Migration, drug, nhs, note


@pytest.fixture
def migration(tmp_path: Path) -> Iterator[Migration]:
    made = Migration(tmp_path / "m")
    yield made
    made.close()


class Made:
    """A made-up practice full of collisions: few keys, many who have them, references to all of them."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        numbers = [nhs(i) for i in range(30)]
        spaced = [f"{n[:3]} {n[3:6]}-{n[6:]}" for n in numbers[:5]]
        self.shared = ["7", "07", "007", "p1", " P2 ", "P 3", "1.0", "123000", "0", "00", "0000000000"]
        self.shared += [numbers[0], numbers[1], numbers[2], spaced[3], "ann@example.org", "P1", "P2"]
        self.numbers = [*numbers, *numbers, *spaced, f"{numbers[5][:9]}x", "0000000000", f" {numbers[6]} "]
        self.emails = ["ann@example.org", "ANN@example.org", " cy@example.org "]
        self.emails += [f"e{i}@example.org" for i in range(24)]
        self.odd = ["P99", "p0", "8", "123.0", "1.23E+05", "nobody@example.org", "  ", "000", nhs(50)]
        self.patients = [self.one_patient(i) for i in range(44)]
        self.patients += [dict(cells) for cells in self.random.sample(self.patients, 2)]
        self.random.shuffle(self.patients)
        keys = [cells[key] for cells in self.patients for key in ("legacy_id", "nhs_number", "email")]
        pool = [*filter(None, keys), *self.shared, *self.odd]
        staff = [p[key] for p in self.patients if p["role"] for key in ("legacy_id", "email")]
        self.notes = self.rows(note, pool, [*staff, *staff, *self.odd], 130)
        self.drugs = self.rows(drug, pool, [*staff, *pool[:20]], 60)

    def maybe(self, pool: Sequence[str], blank: float) -> str:
        return "" if self.random.random() < blank else self.random.choice(pool)

    def one_patient(self, number: int) -> dict[str, str]:
        names = ["Ann", "ann ", "Bo", "Cy", "-", "D'Arcy", "d arcy", "Eve", "Flo", "Guy", "Hal", "Ida"]
        return {
            "legacy_id": self.random.choice(self.shared) if self.random.random() < 0.3 else f"P{number}",
            "nhs_number": self.maybe(self.numbers, 0.5),
            "email": self.maybe(self.emails, 0.6),
            "first_name": self.random.choice(names),
            "last_name": self.random.choice(["Archer", "Bo", "Baker", "Cy", "Ann", "Cole", "Dean", "?", ""]),
            "date_of_birth": f"198{self.random.randrange(8)}-01-01",
            "role": self.random.choice(["", "", "", "PATIENT", "patient", "CLINICIAN", "gp"]),
        }

    def rows(
        self, make: Callable[..., dict[str, str]], pool: list[str], doctors: list[str], count: int
    ) -> list[dict[str, str]]:
        made = [
            make(self.random.choice(pool), str(i), practitioner_ref=self.maybe(doctors, 0.6))
            for i in range(count)
        ]
        return [*made, *(dict(cells) for cells in self.random.sample(made, 5))]

    def people(self) -> list[Person]:
        roles = {"": "PATIENT", "patient": "PATIENT", "gp": "CLINICIAN"}
        return [
            Person(
                place=f"1:{row}",
                legacy_id=cells["legacy_id"],
                nhs=cells["nhs_number"],
                email=cells["email"],
                first_name=cells["first_name"],
                last_name=cells["last_name"],
                born=cells["date_of_birth"],
                role=roles.get(cells["role"], cells["role"]),
                order=row,
                cells=tuple(cells.items()),
            )
            for row, cells in enumerate(self.patients, 1)
        ]


def as_row(cells: Cells) -> Row:
    return Row(cells["patient_ref"], cells["practitioner_ref"], tuple(cells.items()))


def require_agreement(migration: Migration, made: Made, people: list[Person]) -> None:
    """Every row's state, codes, patient and key are those of the slow cascade."""
    said = {(1, int(place.split(":")[1])): each for place, each in say_patients(people).items()}
    for row, line in migration.rows("patients").items():
        want = said[1, row]
        assert (line.state, set(line.codes)) == (want.state, want.codes), ("patients", row)
    for sheet, records in (("notes", made.notes), ("medications", made.drugs)):
        rows = [as_row(cells) for cells in records]
        for (row, line), want in zip(migration.rows(sheet).items(), say_rows(rows, people), strict=True):
            got = (line.state, set(line.codes), line.patient, line.via)
            assert got == (want.state, want.codes, want.patient, want.via), (sheet, row, records[row - 1])


def merge_or_not(migration: Migration, people: list[Person], row: int, into: Person) -> bool:
    """Merge a patient into another where stager lets one; whether it did."""
    findings = migration.findings("patient.duplicate", sheet="patients", row=row)
    findings += migration.findings("patient.id_shared", sheet="patients", row=row)
    one = people[row - 1]
    two_numbers = bool(one.number and into.number and one.number != into.number)
    if not findings:
        return False
    try:
        migration.decide(Decision.MERGE, *findings, target=into.place)
    except UsageError:
        return False
    assert not two_numbers
    return True


@pytest.mark.parametrize("seed", [0, pytest.param(2, marks=pytest.mark.soak)])
def test_every_row_is_linked_as_the_slow_cascade_says(migration: Migration, seed: int) -> None:
    """Few keys, many collisions; then patients are excluded and merged, and all is said anew."""
    made = Made(seed)
    people = made.people()
    migration.take(patients=made.patients, notes=made.notes, medications=made.drugs)
    require_agreement(migration, made, people)
    gone = made.random.sample(range(1, len(people) + 1), 4)
    migration.exclude(*(("patients", str(row)) for row in gone))
    for row in gone:
        people[row - 1].excluded = True
    for row in made.random.sample(range(1, len(people) + 1), 6):
        into = made.random.choice(
            [p for p in people if p is not people[row - 1] and p.legacy_id == people[row - 1].legacy_id]
            or people
        )
        free = people[row - 1].live and into.live and not [p for p in people if p.into is people[row - 1]]
        if free and into is not people[row - 1] and merge_or_not(migration, people, row, into):
            people[row - 1].into = into
    require_agreement(migration, made, people)


@pytest.mark.parametrize("seed", [10, pytest.param(11, marks=pytest.mark.soak)])
def test_the_tenants_own_people_are_found_as_the_staged_ones_are(migration: Migration, seed: int) -> None:
    """A snapshot beside the staged patients: the same keys, numbers known by their index alone."""
    made = Made(seed)
    people = made.people()
    own = [
        Person(
            place=f"tenant:{i}",
            legacy_id=made.random.choice([*made.shared, "P3", "P4", f"T{i}"]).strip(),
            nhs=(number := made.random.choice(["", nhs(i), nhs(40 + i)])),
            email=made.maybe(made.emails, 0.6).strip(),
            role=made.random.choice(["PATIENT", "CLINICIAN"]),
            sealed="" if number != nhs(40 + i) else f"index of {i}",
        )
        for i in range(10)
    ]
    unique = {person.legacy_id: person for person in own}
    own = list(unique.values())
    migration.ingest(
        *(
            migration.write(f"{sheet}.csv", sheet, records)
            for sheet, records in (
                ("patients", made.patients),
                ("notes", made.notes),
                ("medications", made.drugs),
            )
        )
    )
    lend_snapshot(migration, own)
    require_agreement(migration, made, [*own, *people])


def index_of(numbers: Sequence[str]) -> list[bytes]:
    return [hashlib.sha256(number.encode()).digest()[:16] for number in numbers]


def lend_snapshot(migration: Migration, own: Sequence[Person]) -> None:
    """Keep these as the tenant's own people and reconcile against them."""
    rows = [
        (
            p.place.removeprefix("tenant:"),
            p.legacy_id,
            index_of([p.nhs])[0] if p.nhs else None,
            p.email,
            p.role,
        )
        for p in own
    ]
    workspace = migration.session._open()
    with workspace.writing("engineer") as log:
        with workspace.staging.lent(
            snapshot=pl.DataFrame(rows, schema=people.framed(b"").schema, orient="row")
        ):
            workspace.staging.run("forget_snapshot")
            workspace.staging.run("keep_snapshot")
        log.append("tenant.snapshotted", {"people": len(own), "digest": "00"})
        reconcile(workspace.staging, log, digester=workspace.fingerprinter.column, index=index_of)
