"""Generate a made-up practice of any size: `python -m sample_data.generate OUT --patients 20000`.

Rows are built and written a batch at a time, so memory is bounded by the number of patients. The same
practice and seed give the same bytes. `manifest.json` says what was written, which rows were spoilt
and how, and what state every sheet's rows must reach before any decision.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import polars as pl

from sample_data import batches, dirt
from sample_data.batches import Ints, NhsRange, People, Stretch

BATCH = 250_000
"""Rows built at a time."""

_STATES = {dirt.READY: "ready", dirt.HELD: "held", dirt.REJECTED: "rejected", dirt.UNREADABLE: "rejected"}
_CLINICAL: dict[str, Callable[[Stretch, People, Ints, np.random.Generator], pl.DataFrame]] = {
    "background": batches.background,
    "notes": batches.notes,
    "medications": batches.medications,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Practice:
    """What to generate: rows of each sheet (the staff are among the patients), seed, share of spoilt rows."""

    patients: int = 20_000
    background: int = 60_000
    notes: int = 720_000
    medications: int = 200_000
    seed: int = 1
    dirt: float = 0.001
    nhs_range: NhsRange = NhsRange.TEST

    def __post_init__(self) -> None:
        """ValueError where such a practice cannot be made without repeating a record."""
        busiest = max(self.background, self.notes, self.medications)
        if self.patients < 4 or busiest > 1000 * (self.patients - self.staff):
            raise ValueError(
                "a practice needs 4 patients or more, and at most 1,000 rows of a sheet for each"
            )
        if not 0 <= self.dirt <= 1:
            raise ValueError("dirt is a share of the rows, from 0 to 1")

    @property
    def staff(self) -> int:
        """How many of the patients' rows are clinicians; their rows are never spoilt."""
        return max(2, self.patients // 800)


@dataclass(frozen=True, slots=True)
class Spoilt:
    """A row that was spoilt: its sheet, its number below the header, the fault and its finding."""

    sheet: str
    row: int
    fault: str
    code: str


@dataclass(slots=True)
class Written:
    """One file that was written: its name, records (without header), bytes, SHA-256 and account."""

    file: str
    rows: int = 0
    size: int = 0
    sha256: str = ""
    account: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What was generated: the practice, its files by sheet, the rows that were spoilt."""

    practice: Practice
    files: dict[str, Written]
    spoilt: list[Spoilt]

    def to_json(self) -> str:
        """The manifest as JSON, a practice's NHS range by its name."""
        text = asdict(self)
        text["practice"]["nhs_range"] = self.practice.nhs_range.value
        return json.dumps(text, indent=1) + "\n"


class _Sheet:
    """A sheet's file while it is written, its spoilt rows and the account so far."""

    def __init__(self, sheet: str, file: BinaryIO) -> None:
        self.sheet = sheet
        self.written = Written(f"{sheet}.csv")
        self.spoilt: list[Spoilt] = []
        self._file = file
        self._hash = hashlib.sha256()
        self._states: Counter[str] = Counter()

    def header(self, batch: pl.DataFrame) -> None:
        self._write(batch.drop(dirt.LEGACY).clear().write_csv().encode())

    def add(self, batch: pl.DataFrame, chosen: dict[int, dirt.Fault], states: list[str]) -> None:
        """Write a batch; `states` are the expected ones of its rows."""
        first = self.written.rows + 1
        visible = dirt.spoil(batch, chosen).drop(dirt.LEGACY)
        for piece in dirt.pieces(visible, chosen):
            self._write(piece if isinstance(piece, bytes) else piece.write_csv(include_header=False).encode())
        self.spoilt += [
            Spoilt(self.sheet, first + place, fault.name, fault.code)
            for place, fault in sorted(chosen.items())
        ]
        self.written.rows += batch.height
        self._states.update(states)

    def close(self) -> None:
        """Set what is known at the end: the hash and the account."""
        self.written.sha256 = self._hash.hexdigest()
        self.written.account = dict(sorted(self._states.items()))

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._hash.update(data)
        self.written.size += len(data)


def generate(out: Path, practice: Practice) -> Manifest:
    """Write the four sheets and `manifest.json` into the folder `out`, which is made if need be.

    ValueError: the NHS range holds too few numbers for the practice's patients.
    """
    out.mkdir(parents=True, exist_ok=True)
    population, patients = _write_patients(out, practice)
    sheets = [patients, *(_write_clinical(out, practice, name, population) for name in _CLINICAL)]
    files = {sheet.sheet: sheet.written for sheet in sheets}
    manifest = Manifest(practice, files, [spoilt for sheet in sheets for spoilt in sheet.spoilt])
    (out / "manifest.json").write_text(manifest.to_json(), encoding="utf-8")
    return manifest


@dataclass(frozen=True, slots=True)
class _Population:
    """Who can be referred to, and what becomes of each patient's own row."""

    people: People
    fates: npt.NDArray[np.int8]


def _write_patients(out: Path, practice: Practice) -> tuple[_Population, _Sheet]:
    rng = np.random.default_rng([practice.seed, 0])
    frame = batches.patients(practice.patients, practice.staff, practice.nhs_range, practice.seed, rng)
    chosen = dirt.choose("patients", practice.staff, frame.height, practice.dirt, rng)
    fates = np.zeros(frame.height, dtype=np.int8)
    for place, fault in chosen.items():
        fates[place] = fault.outcome
    with (out / "patients.csv").open("wb") as file:
        sheet = _Sheet("patients", file)
        sheet.header(frame)
        sheet.add(frame, chosen, [_STATES[fate] for fate in fates.tolist()])
        sheet.close()
    return _Population(_people(frame, practice.staff, fates), fates[practice.staff :]), sheet


def _people(frame: pl.DataFrame, staff: int, fates: npt.NDArray[np.int8]) -> People:
    """A patient whose row is spoilt is referred to by legacy ID alone: the other keys may be gone."""
    others, clinicians = frame[staff:], frame[:staff]
    whole = fates[staff:] == dirt.READY
    return People(
        legacy_ids=others["LegacyPatientID"],
        nhs_numbers=batches.kept(others["NHS Number"], whole),
        emails=batches.kept(others["Email Address"], whole),
        practitioners=pl.concat([clinicians["LegacyPatientID"], clinicians["Email Address"].drop_nulls()]),
    )


def _stretches(total: int) -> Iterator[Stretch]:
    for begin in range(0, total, BATCH):
        yield Stretch(begin, min(begin + BATCH, total), total)


def _write_clinical(out: Path, practice: Practice, name: str, population: _Population) -> _Sheet:
    total: int = getattr(practice, name)
    number = 1 + list(_CLINICAL).index(name)
    with (out / f"{name}.csv").open("wb") as file:
        sheet = _Sheet(name, file)
        for at in _stretches(total):
            rng = np.random.default_rng([practice.seed, number, at.begin])
            owner = batches.patient_of(at.rows, len(population.fates))
            batch = _CLINICAL[name](at, population.people, owner, rng)
            if at.begin == 0:
                sheet.header(batch)
            chosen = dirt.choose(name, 0, batch.height, practice.dirt, rng)
            sheet.add(batch, chosen, _clinical_states(population.fates[owner], chosen))
        sheet.close()
    return sheet


def _clinical_states(of_patient: npt.NDArray[np.int8], chosen: dict[int, dirt.Fault]) -> list[str]:
    """A row's own fault comes first; else it waits for a patient who is not ready, or finds none."""
    words = np.array(["ready", "waiting", "waiting", "held"])
    states: list[str] = words[of_patient].tolist()
    for place, fault in chosen.items():
        states[place] = _STATES[fault.outcome]
    return states


def main(arguments: list[str] | None = None) -> None:
    """The command line; says on standard output what was written."""
    parser = argparse.ArgumentParser(prog="python -m sample_data.generate", description=__doc__)
    parser.add_argument("out", type=Path, help="the folder to write to")
    given = Practice()
    for sheet in ("patients", *_CLINICAL):
        parser.add_argument(f"--{sheet}", type=int, default=getattr(given, sheet), help="rows of the sheet")
    parser.add_argument("--seed", type=int, default=given.seed)
    parser.add_argument("--dirt", type=float, default=given.dirt, help="share of the rows to spoil, 0 to 1")
    parser.add_argument("--nhs-range", type=NhsRange, default=given.nhs_range, metavar="test|issued")
    options = vars(parser.parse_args(arguments))
    out: Path = options.pop("out")
    try:
        manifest = generate(out, Practice(**options))
    except ValueError as error:
        parser.error(str(error))
    for written in manifest.files.values():
        sys.stdout.write(f"{written.file}: {written.rows} rows, {written.size} bytes\n")


if __name__ == "__main__":
    main()
