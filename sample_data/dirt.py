"""Faults for generated rows: each spoils a whole record in one known way, so its outcome is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

READY, HELD, REJECTED, UNREADABLE = range(4)
"""What becomes of a row; a row that is unreadable is rejected, and no one can refer to it."""

LEGACY = "_legacy"
"""A helper column of a batch: the LegacyPatientID that the row belongs to; it is never written."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One way of spoiling a row.

    code: the finding it causes; outcome: what becomes of the row, READY to UNREADABLE.
    column, value: the cell it overwrites; both None where the whole record is spoilt.
    """

    name: str
    code: str
    outcome: int
    column: str | None = None
    value: str | None = None


SHORT = Fault("too few fields", "row.malformed", UNREADABLE)
LONG = Fault("too many fields", "row.malformed", UNREADABLE)
BROKEN = Fault("broken quote", "row.malformed", UNREADABLE)
REPEATED = Fault("repeated", "row.repeated", HELD)
ZEROS_DROPPED = Fault("leading zeros dropped", "link.unresolved", HELD, "PatientID")

_RECORD_FAULTS = (SHORT, LONG, BROKEN)
_NO_PRACTITIONER = Fault(
    "unknown practitioner", "practitioner.unresolved", HELD, "Practitioner ID", "LOCUM-99"
)

FAULTS: dict[str, tuple[Fault, ...]] = {
    "patients": (
        Fault("no surname", "value.missing", REJECTED, "Last Name"),
        Fault("unreadable birth date", "value.invalid", REJECTED, "Date of Birth", "31/02/1970"),
        Fault("placeholder NHS number", "value.suspect", HELD, "NHS Number", "0000000000"),
        Fault("unknown gender", "value.unknown", HELD, "Gender", "see record"),
        Fault("no postcode", "value.suspect", HELD, "Postcode", "NOT KNOWN"),
        *_RECORD_FAULTS,
    ),
    "background": (
        ZEROS_DROPPED,
        Fault("no name", "value.missing", REJECTED, "Name"),
        Fault("unreadable date", "value.invalid", REJECTED, "OnsetDate", "03/2016"),
        Fault("future date", "value.suspect", HELD, "OnsetDate", "2099-01-01"),
        Fault("unknown severity", "value.unknown", HELD, "Severity", "QUITE BAD"),
        Fault("damaged code", "value.suspect", HELD, "ClinicalCode", "1.09399E+16"),
        REPEATED,
        *_RECORD_FAULTS,
    ),
    "notes": (
        ZEROS_DROPPED,
        Fault("no text", "value.missing", REJECTED, "Clinical Note Text"),
        Fault("unreadable date", "value.invalid", REJECTED, "Consultation Date", "last Tuesday"),
        Fault("skipped hour", "value.suspect", HELD, "Consultation Date", "2023-03-26 01:30"),
        Fault("unknown note type", "value.unknown", HELD, "Note Type", "CHAT"),
        _NO_PRACTITIONER,
        REPEATED,
        *_RECORD_FAULTS,
    ),
    "medications": (
        ZEROS_DROPPED,
        Fault("no drug", "value.missing", REJECTED, "Drug Name"),
        Fault("unreadable date", "value.invalid", REJECTED, "Prescription Date", "14.06.2019"),
        Fault("quantity in words", "value.suspect", HELD, "Quantity Authorised", "as directed"),
        Fault("unknown status", "value.unknown", HELD, "Status", "PENDING"),
        _NO_PRACTITIONER,
        REPEATED,
        *_RECORD_FAULTS,
    ),
}


def choose(sheet: str, clean: int, height: int, share: float, rng: np.random.Generator) -> dict[int, Fault]:
    """Rows of a batch to spoil, each with its fault; the first `clean` rows are left alone.

    A row repeats the one before it only where that one is in the batch and is not spoilt itself.
    """
    faults = FAULTS[sheet]
    places = clean + np.flatnonzero(rng.random(height - clean) < share)
    chosen: dict[int, Fault] = {}
    for place, kind in zip(
        places.tolist(), rng.integers(len(faults), size=len(places)).tolist(), strict=True
    ):
        fault = faults[kind]
        if fault is REPEATED and (place == 0 or place - 1 in chosen):
            fault = faults[0]
        chosen[place] = fault
    return chosen


def spoil(batch: pl.DataFrame, chosen: dict[int, Fault]) -> pl.DataFrame:
    """The batch with the faults that can stand in its cells; whole records are spoilt in `pieces`."""
    source = np.arange(batch.height)
    source[[place for place, fault in chosen.items() if fault is REPEATED]] -= 1
    spoilt = batch[source]
    for fault in set(chosen.values()):
        if fault.column is None:
            continue
        here = np.zeros(batch.height, dtype=bool)
        here[[place for place, each in chosen.items() if each is fault]] = True
        bad = pl.col(LEGACY).str.strip_chars_start("0") if fault is ZEROS_DROPPED else pl.lit(fault.value)
        column = pl.when(pl.Series(here)).then(bad).otherwise(pl.col(fault.column))
        spoilt = spoilt.with_columns(column.alias(fault.column))
    return spoilt


def pieces(batch: pl.DataFrame, chosen: dict[int, Fault]) -> Iterator[pl.DataFrame | bytes]:
    """The batch in its order, cut where a record cannot be parsed; that record comes as bytes."""
    begin = 0
    for place, fault in sorted(chosen.items()):
        if fault in _RECORD_FAULTS:
            yield batch[begin:place]
            yield _unreadable(fault, batch.item(place, 0), batch.width)
            begin = place + 1
    yield batch[begin:]


def _unreadable(fault: Fault, first_cell: str, width: int) -> bytes:
    """A record that is no record of `width` fields, with its line end."""
    if fault is SHORT:
        return f"{first_cell}\n".encode()
    if fault is LONG:
        return f"{first_cell}{',' * (width + 1)}\n".encode()
    return f'{first_cell},"never closed{"," * (width - 2)}\n'.encode()
