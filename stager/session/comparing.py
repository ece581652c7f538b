"""Two values held against each other: they agree, are near, or differ, and where."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

import polars as pl
from rapidfuzz.distance import OSA, Levenshtein

from stager.session.review_views import Compared, Likeness
from stager.sheets import Column, Kind
from stager.values import fold_name

_EDITS: Mapping[Kind, int] = {
    Kind.DATE: 1,
    Kind.MOMENT: 1,
    Kind.WORD: 0,
    Kind.POSTCODE: 1,
    Kind.IDENTIFIER: 1,
}
"""How many edits apart two values of a kind are still near; two for all others."""

_SHORT = 5
"""Up to so many characters a single edit is all that is near."""

_LARGEST = Decimal(10) ** 20
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)")


def compare(column: Column, ours: str | None, theirs: str | None) -> Compared:
    """One field of a row held against a candidate's."""
    likeness = _likeness(column, ours, theirs)
    marks = _marks(ours or "", theirs or "") if likeness is Likeness.NEAR else ()
    return Compared(column.field, column.name, ours or None, theirs or None, likeness, marks)


def same(column: Column, ours: str | None, theirs: str | None) -> bool:
    """Whether both are there and agree."""
    return _likeness(column, ours, theirs) is Likeness.AGREE


def _likeness(column: Column, ours: str | None, theirs: str | None) -> Likeness:
    if not ours or not theirs:
        return Likeness.MISSING
    one, other = _folded(column, ours), _folded(column, theirs)
    if one == other:
        return Likeness.AGREE
    if _is_swapped_date(one, other) or _is_same_number(column, one, other):
        return Likeness.NEAR
    most = _EDITS.get(column.kind, 2)
    if min(len(one), len(other)) <= _SHORT:
        most = min(most, 1)
    return Likeness.NEAR if OSA.distance(one, other, score_cutoff=most) <= most else Likeness.DIFFER


def _folded(column: Column, text: str) -> str:
    """As it is compared: names without accents and punctuation, numbers by digits, else without case."""
    if column.kind in (Kind.PHONE, Kind.NHS_NUMBER):
        return "".join(char for char in text if char.isdecimal()) or text
    if column.kind is Kind.TEXT:
        folded: str = pl.select(fold_name(pl.lit(text))).item()
        return folded or text.strip()
    if column.kind is Kind.IDENTIFIER:
        return text.strip()
    return text.strip().casefold()


def _is_swapped_date(one: str, other: str) -> bool:
    """Whether two dates differ by day and month taken for each other."""
    ours, theirs = _DATE.fullmatch(one), _DATE.fullmatch(other)
    return ours is not None and theirs is not None and ours.group(1, 2, 3) == theirs.group(1, 3, 2)


def _is_same_number(column: Column, one: str, other: str) -> bool:
    """Whether two identifiers are one but for case, leading zeros, or a spreadsheet's way with numbers."""
    if column.kind is not Kind.IDENTIFIER:
        return False
    return _bare(one) == _bare(other)


def _bare(identifier: str) -> str:
    try:
        number = Decimal(identifier)
        return str(int(number)) if number.is_finite() and abs(number) < _LARGEST else identifier
    except InvalidOperation:
        return identifier.casefold().lstrip("0")


def _marks(ours: str, theirs: str) -> tuple[tuple[int, int], ...]:
    """The stretches of `theirs` that `ours` has not; where it has more, the character beside the gap."""
    found: list[tuple[int, int]] = []
    for step in Levenshtein.opcodes(ours, theirs):
        if step.tag == "equal":
            continue
        start, stop = step.dest_start, step.dest_end
        if start == stop:
            start, stop = min(start, len(theirs) - 1), min(start + 1, len(theirs))
        if found and found[-1][1] >= start:
            start = found.pop()[0]
        found.append((start, stop))
    return tuple(found)
