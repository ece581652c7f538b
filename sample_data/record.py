"""One record of the made-up practice: what stands in the file, and what stager must make of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

BLANK = None
"""A blank line of a file: it is no record and gets no row number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A record and its expected outcome on an empty tenant, before any decision.

    cells: the record's cells in the order of its file's header; empty where `raw` is given.
    raw: the bytes of a record that cannot be parsed, without its line end.
    state: ready, held, waiting or rejected.
    codes: the finding codes expected, sorted; changes of values (trimmed, defaulted) are none.
    patient, via: the LegacyPatientID linked and the key that linked it, or None.
    shows: what a reader can learn from the record; empty for a plain good one.
    """

    cells: tuple[str, ...] = ()
    raw: bytes | None = None
    state: str = "ready"
    codes: tuple[str, ...] = ()
    patient: str | None = None
    via: str | None = None
    shows: str = ""


Line = Record | None
"""A record, or BLANK."""


NO_CHECK_DIGIT = 10
"""What modulus 11 gives for nine digits that no NHS number begins with."""


def ready(cells: tuple[str, ...], shows: str, patient: str = "", via: str = "legacy_id") -> Record:
    """A clinical row that is ready; linked by its first cell unless said otherwise."""
    return Record(cells=cells, patient=patient or cells[0], via=via, shows=shows)


def held(cells: tuple[str, ...], codes: str, shows: str) -> Record:
    """A clinical row held for findings of its own, yet linked by its first cell."""
    return Record(
        cells=cells, state="held", codes=tuple(codes.split()), patient=cells[0], via="legacy_id", shows=shows
    )


def unlinked(cells: tuple[str, ...], codes: str, shows: str) -> Record:
    """A row held without a link: a clinical row that found no patient, or a patient's own row."""
    return Record(cells=cells, state="held", codes=tuple(codes.split()), shows=shows)


def repeated(earlier: Record) -> Record:
    """A clinical record that stands in its sheet before."""
    return held(earlier.cells, "row.repeated", "the same record again, to the letter")


def waiting(cells: tuple[str, ...], shows: str, patient: str = "", via: str = "legacy_id") -> Record:
    """A clinical row that is fine itself but waits for its patient or practitioner."""
    linked = patient or cells[0]
    return Record(
        cells=cells, state="waiting", codes=("patient.waiting",), patient=linked, via=via, shows=shows
    )


def rejected(cells: tuple[str, ...], code: str, shows: str) -> Record:
    """A record that can be parsed but not accepted."""
    return Record(cells=cells, state="rejected", codes=(code,), shows=shows)


def malformed(raw: bytes, shows: str) -> Record:
    """A record that cannot be parsed; `raw` is its bytes in the encoding of its file."""
    return Record(raw=raw, state="rejected", codes=("row.malformed",), shows=shows)


def check_digit(nine: int) -> int:
    """The modulus-11 check digit of an NHS number's first nine digits; NO_CHECK_DIGIT for some."""
    weighted = sum(int(digit) * (10 - place) for place, digit in enumerate(f"{nine:09d}"))
    return (11 - weighted % 11) % 11


def nhs_number(legacy_id: str) -> str:
    """The number in the 999 test range that belongs to a patient; differs from patient to patient."""
    nine = 999_000_000 + (int(legacy_id) * 37) % 999_000
    while check_digit(nine) == NO_CHECK_DIGIT:
        nine += 1
    return f"{nine}{check_digit(nine)}"


def spaced(number: str) -> str:
    """An NHS number as people write it: 999 123 4567."""
    return f"{number[:3]} {number[3:6]} {number[6:]}"


def scattered(plain: Sequence[Record], odd: Sequence[Line], every: int) -> list[Line]:
    """The plain records with one odd line after each `every` of them, both in their own order."""
    lines: list[Line] = []
    waiting = deque(odd)
    for count, record in enumerate(plain, start=1):
        lines.append(record)
        if count % every == 0 and waiting:
            lines.append(waiting.popleft())
    return [*lines, *waiting]
