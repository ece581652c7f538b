"""Which finding of a list comes next: the first after it that is open still, those passed over at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from stager.session.review_views import QueueFilter

if TYPE_CHECKING:
    from stager.session import Session


def next_open(session: Session, numbers: Sequence[int], row: int) -> int | None:
    """The place of the next open finding after `row`, coming round at the end; None where none is open."""
    still = set(session.queue(QueueFilter()).numbers())
    places = (*range(row + 1, len(numbers)), *range(row + 1))
    return next((each for each in places if numbers[each] in still), None)
