"""Batches of made-up rows as polars frames, each column drawn at once from the words of `made_up`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from math import gcd

import numpy as np
import numpy.typing as npt
import polars as pl

from sample_data import made_up
from sample_data.dirt import LEGACY
from sample_data.record import NO_CHECK_DIGIT

Ints = npt.NDArray[np.int64]

_FIRST_DAY = np.datetime64("2014-01-06")
_DAYS = 3650
_FIRST_BIRTH = np.datetime64("1930-01-01")
_BIRTHS = 30_600
"""Days from the first birth date; the last lies before the first clinical date."""


class NhsRange(Enum):
    """Where generated NHS numbers come from.

    TEST: the 999 range, which no person has; it holds 900,000 numbers.
    ISSUED: a range in use, so a number may be some real person's by chance: for trying rules that
    refuse the test range, never for anything that leaves the machine.
    """

    TEST = "test"
    ISSUED = "issued"


@dataclass(frozen=True, slots=True)
class People:
    """Who can be referred to: the patients' keys by position, and the practitioners' keys."""

    legacy_ids: pl.Series
    nhs_numbers: pl.Series
    emails: pl.Series
    practitioners: pl.Series


def _step(size: int) -> int:
    """A step that visits every place of a ring of that size before it comes round."""
    step = int(size * 0.618) | 1
    while gcd(step, size) != 1:
        step += 2
    return step


def shuffled(count: int, size: int, seed: int) -> Ints:
    """`count` different numbers below `size`, far from their neighbours."""
    return (np.arange(count, dtype=np.int64) * _step(size) + seed) % size


def patient_of(rows: Ints, patients: int) -> Ints:
    """Which patient each row of a clinical sheet belongs to, by position among the patients."""
    return rows * _step(patients) % patients


def nhs_numbers(count: int, of: NhsRange, seed: int) -> pl.Series:
    """Different NHS numbers with valid check digits; at most 900,000 of the test range."""
    first, size = (999_000_000, 1_000_000) if of is NhsRange.TEST else (400_000_000, 100_000_000)
    nine = first + shuffled(min(size, count + count // 8 + 100), size, seed)
    total = sum(nine // 10 ** (8 - place) % 10 * (10 - place) for place in range(9))
    digit = (11 - total % 11) % 11
    number = nine * 10 + digit
    sound = number[(digit != NO_CHECK_DIGIT) & (number % 1_111_111_111 != 0)]
    if len(sound) < count:
        raise ValueError(f"the {of.value} range has too few NHS numbers for {count} patients")
    return pl.Series(sound[:count]).cast(pl.String)


def _drawn(words: Sequence[str | None], count: int, rng: np.random.Generator) -> pl.Series:
    return pl.Series(words, dtype=pl.String).gather(rng.integers(len(words), size=count))


def _picked(words: Sequence[str | None], places: Ints) -> pl.Series:
    return pl.Series(words, dtype=pl.String).gather(places)


def _dates(first: np.datetime64, days: Ints) -> pl.Series:
    return pl.Series((first + days).astype("datetime64[D]")).cast(pl.Date).dt.to_string("%Y-%m-%d")


def _blanked(column: pl.Series, share: float, rng: np.random.Generator) -> pl.Series:
    """The column with about that share of its cells empty."""
    return kept(column, rng.random(len(column)) >= share)


def kept(column: pl.Series, mask: npt.NDArray[np.bool_]) -> pl.Series:
    """The column with its cells emptied where the mask says no."""
    return column.zip_with(pl.Series(mask), pl.Series([None], dtype=pl.String))


def patients(count: int, staff: int, of: NhsRange, seed: int, rng: np.random.Generator) -> pl.DataFrame:
    """The patients sheet, the staff in its first rows. No two rows share name and birth date."""
    firsts, lasts = len(made_up.FIRST_NAMES), len(made_up.LAST_NAMES)
    person = shuffled(count, firsts * lasts * _BIRTHS, seed)
    first = _picked(made_up.FIRST_NAMES, person % firsts)
    last = _picked(made_up.LAST_NAMES, person // firsts % lasts)
    serial = pl.Series(np.arange(1, count + 1)).cast(pl.String)
    legacy_ids = serial.str.zfill(7)
    is_staff = pl.Series(np.arange(count) < staff)
    letters = [f"{a}{b}" for a in "ABDEFGHJLNP" for b in "QRSTUWXYZ"]
    districts = [f"ZY{district} {sector}" for district in range(1, 100) for sector in range(10)]
    houses = [f"{house} " for house in range(1, 200)]
    mobiles = [f"07700 900{number:03d}" for number in range(1000)]
    landlines = [f"01632 960{number:03d}" for number in range(1000)]
    return pl.DataFrame(
        {
            "LegacyPatientID": legacy_ids,
            "First Name": first,
            "Last Name": last,
            "Date of Birth": _dates(_FIRST_BIRTH, person // (firsts * lasts)),
            "NHS Number": _blanked(nhs_numbers(count, of, seed), 0.03, rng),
            "Email Address": _blanked("p" + serial + "@example.org", 0.4, rng),
            "Mobile Phone": _blanked(_drawn(mobiles, count, rng), 0.2, rng),
            "Gender": _drawn(made_up.GENDERS, count, rng),
            "Street Address": _drawn(houses, count, rng) + _drawn(made_up.STREETS, count, rng),
            "City": _drawn(made_up.TOWNS, count, rng),
            "Postcode": _drawn(districts, count, rng) + _drawn(letters, count, rng),
            "Emergency Contact Name": "Robin " + last,
            "Emergency Contact Phone": _blanked(_drawn(landlines, count, rng), 0.3, rng),
            "Role": is_staff.replace_strict({True: "CLINICIAN", False: None}, return_dtype=pl.String),
            LEGACY: legacy_ids,
        }
    )


@dataclass(frozen=True, slots=True)
class Stretch:
    """The rows `begin` to `end` of a clinical sheet of `total` rows.

    Rows run on by date and come round to a patient only after all the others, so no record of a
    patient stands twice.
    """

    begin: int
    end: int
    total: int

    def __len__(self) -> int:
        """How many rows they are."""
        return self.end - self.begin

    @property
    def rows(self) -> Ints:
        """The rows' places in the whole sheet, from 0."""
        return np.arange(self.begin, self.end, dtype=np.int64)

    def dates(self) -> pl.Series:
        """The rows' dates as text, ascending over ten years."""
        return _dates(_FIRST_DAY, self.rows * _DAYS // self.total)


def _references(people: People, owner: Ints, rng: np.random.Generator) -> pl.Series:
    """Mostly legacy IDs; one in a hundred an NHS number and as many an address, where there is one."""
    by_number = _blanked(people.nhs_numbers.gather(owner), 0.99, rng)
    by_email = _blanked(people.emails.gather(owner), 0.99, rng)
    return pl.select(pl.coalesce(by_number, by_email, people.legacy_ids.gather(owner))).to_series()


def background(at: Stretch, people: People, owner: Ints, rng: np.random.Generator) -> pl.DataFrame:
    """Rows of the background sheet."""
    entry = rng.integers(len(made_up.BACKGROUND), size=len(at))
    return pl.DataFrame(
        {
            "PatientID": _references(people, owner, rng),
            "Name": _picked([name for name, _ in made_up.BACKGROUND], entry),
            "Type": _picked([kind for _, kind in made_up.BACKGROUND], entry),
            "OnsetDate": at.dates(),
            "Severity": _drawn(made_up.SEVERITIES, len(at), rng),
            "Status": _drawn(made_up.BACKGROUND_STATUSES, len(at), rng),
            "ClinicalCode": _blanked(_drawn(made_up.CLINICAL_CODES, len(at), rng), 0.2, rng),
            LEGACY: people.legacy_ids.gather(owner),
        }
    )


def _narratives(count: int, rng: np.random.Generator) -> pl.Series:
    """Four sentences each, a line break before the last in one note of twelve."""
    parts = [_drawn(words, count, rng) for words in (made_up.OPENINGS, made_up.FINDINGS, made_up.VITALS)]
    gap = _drawn(["\nPlan: ", *[" "] * 11], count, rng)
    plan = _drawn(made_up.PLANS, count, rng)
    return pl.select(pl.concat_str(pl.concat_str(parts, separator=" "), gap, plan)).to_series()


def notes(at: Stretch, people: People, owner: Ints, rng: np.random.Generator) -> pl.DataFrame:
    """Rows of the notes sheet."""
    times = pl.select(pl.concat_str(at.dates(), _drawn(made_up.CLOCK, len(at), rng), ignore_nulls=True))
    return pl.DataFrame(
        {
            "PatientID": _references(people, owner, rng),
            "Consultation Date": times.to_series(),
            "Clinical Note Text": _narratives(len(at), rng),
            "Practitioner ID": _blanked(_practitioners(people, len(at), rng), 0.1, rng),
            "Note Type": _drawn(made_up.NOTE_TYPES, len(at), rng),
            "Diagnosis": _drawn(made_up.DIAGNOSES, len(at), rng),
            "ClinicalCode": _blanked(_drawn(made_up.CLINICAL_CODES, len(at), rng), 0.5, rng),
            LEGACY: people.legacy_ids.gather(owner),
        }
    )


def _practitioners(people: People, count: int, rng: np.random.Generator) -> pl.Series:
    return people.practitioners.gather(rng.integers(len(people.practitioners), size=count))


def medications(at: Stretch, people: People, owner: Ints, rng: np.random.Generator) -> pl.DataFrame:
    """Rows of the medications sheet."""
    drug = rng.integers(len(made_up.DRUGS), size=len(at))
    return pl.DataFrame(
        {
            "PatientID": _references(people, owner, rng),
            "Drug Name": _picked([name for name, _ in made_up.DRUGS], drug),
            "Frequency / Instructions": _drawn(made_up.INSTRUCTIONS, len(at), rng),
            "Prescription Date": at.dates(),
            "Dosage / Strength": _picked([strength for _, strength in made_up.DRUGS], drug),
            "Status": _drawn(made_up.MEDICATION_STATUSES, len(at), rng),
            "Quantity Authorised": _drawn(made_up.QUANTITIES, len(at), rng),
            "Practitioner ID": _blanked(_practitioners(people, len(at), rng), 0.1, rng),
            LEGACY: people.legacy_ids.gather(owner),
        }
    )
