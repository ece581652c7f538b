"""What the finding screen looks up: a finding with the rows of its persons, and which finding comes next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from stager.session.review_views import FindingView, QueueFilter, Record
from stager.sheets import Code

if TYPE_CHECKING:
    from stager.session import Session

MOST_ROWS = 60
"""Rows of a person that are shown beside a duplicate."""

_OF_TWO = frozenset({Code.PATIENT_DUPLICATE, Code.PATIENT_ID_SHARED, Code.PATIENT_EMAIL_SHARED})


def view_with_rows(session: Session, number: int) -> tuple[FindingView, Mapping[str, Sequence[Record]]]:
    """A finding; for two patients who may be one, with the rows of each, by how they are called here."""
    view = session.finding_view(number)
    if Code(view.line.finding.code) not in _OF_TWO:
        return view, {}
    persons = {"this record": view.record.place}
    persons |= {f"candidate {each.number}": each.place for each in view.candidates}
    return view, {whose: session.rows_of(place, MOST_ROWS) for whose, place in persons.items()}


def next_open(session: Session, numbers: Sequence[int], row: int) -> int | None:
    """The place of the next open finding after `row`, coming round at the end; None where none is open."""
    still = set(session.queue(QueueFilter()).numbers())
    places = (*range(row + 1, len(numbers)), *range(row + 1))
    return next((each for each in places if numbers[each] in still), None)
