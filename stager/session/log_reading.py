"""The log for a reader: filtered, newest first; a row's timeline; the decision that can be taken back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from stager.errors import UsageError
from stager.session.log_words import DONE_BY_PEOPLE, decision_words, words_of
from stager.session.persons import TENANT, split_place
from stager.session.queue import of_person
from stager.session.review_views import EventFilter, LastDecision, LogLine
from stager.session.stories import place_of_row
from stager.session.views import EventLine, iso
from stager.sheets import PATIENTS
from stager.staging import Staging


class Events:
    """The log's events that a filter means, newest first: their numbers only, until a page is asked for."""

    def __init__(self, staging: Staging, wanted: EventFilter) -> None:
        self._staging = staging
        self._head: int = staging.one("event_head")
        self._numbers = None if wanted == EventFilter() else _numbers(staging, wanted)

    @property
    def count(self) -> int:
        return self._head if self._numbers is None else len(self._numbers)

    def page(self, start: int, stop: int) -> list[LogLine]:
        """The lines from `start` up to, and without, `stop`; fewer at the end."""
        first, last = max(start, 0), min(stop, self.count)
        if first >= last:
            return []
        if self._numbers is None:  # numbers are dense, so that none need be held
            return _lines(self._staging, range(self._head - first, self._head - last, -1))
        return _lines(self._staging, self._numbers[first:last].tolist())


def timeline(staging: Staging, place: str, sheet: str) -> list[LogLine]:
    """See `Session.timeline`."""
    if not place.startswith(TENANT):
        place_of_row(staging, *split_place(place))
    elif sheet != PATIENTS.name:
        raise UsageError("the tenant's own people are of the patients sheet", hint="name a row by SOURCE:ROW")
    _find_rows(staging, place, whole=sheet == PATIENTS.name)
    return _lines(staging, [seq for (seq,) in staging.rows("seqs_of_rows")])[::-1]


def last_decision(staging: Staging, actor: str | None) -> LastDecision | None:
    """See `Session.last_decision`."""
    found = staging.rows("last_decision", actor=actor)
    if not found:
        return None
    (line,) = _lines(staging, [found[0][0]])
    event, detail = line.event, line.event.detail
    return LastDecision(
        seq=event.seq,
        actor=event.actor,
        at=event.at,
        decision=str(detail["decision"]),
        count=int(str(detail["count"])),
        words=decision_words(detail),
        findings=tuple(number for (number,) in staging.rows("findings_of_decision", seq=event.seq)),
    )


def _numbers(staging: Staging, wanted: EventFilter) -> npt.NDArray[np.int64]:
    conditions, parameters = ["true"], {}
    for name in ("kind", "actor"):
        if (value := getattr(wanted, name)) is not None:
            conditions.append(f"{name} = ${name}")
            parameters[name] = value
    if wanted.people:
        conditions.append("list_contains($kinds, kind)")
        parameters["kinds"] = sorted(DONE_BY_PEOPLE)
    lent = {}
    if wanted.place is not None:
        _find_rows(staging, wanted.place, whole=False)
        lent["seq_of_row"] = staging.frame("seqs_of_rows")
        conditions.append("seq in (select seq from seq_of_row)")
    with staging.lent(**lent):
        found = staging.frame("log_seqs", {"conditions": " and ".join(conditions)}, **parameters)
    return found["seq"].to_numpy()


def _find_rows(staging: Staging, place: str, *, whole: bool) -> None:
    """Leaves a row in the temporary table `persons_row`; whole: with those that are linked to this person."""
    condition, parameters = of_person(place)
    if not whole and not place.startswith(TENANT):
        condition = "source_id = $person_source and row_no = $person_row"
    staging.run("rows_of_timeline", {"conditions": condition}, **parameters)


def _lines(staging: Staging, numbers: Sequence[int]) -> list[LogLine]:
    """These events, newest first."""
    if not numbers:
        return []
    shown = pl.DataFrame({"seq": list(numbers)}, schema={"seq": pl.Int64})
    with staging.lent(shown_event=shown):
        rows = staging.rows("log_page", first=min(numbers), last=max(numbers))
    return [_line(*row) for row in rows]


def _line(
    seq: int,
    at: int,
    actor: str,
    kind: str,
    detail: str,
    sheet: str | None,
    source_id: int | None,
    row_no: int | None,
    finding_id: int | None,
) -> LogLine:
    read: dict[str, Any] = json.loads(detail)
    return LogLine(
        event=EventLine(seq, iso(at), actor, kind, read),
        sheet=sheet,
        place=f"{source_id}:{row_no}" if row_no is not None else None,
        finding_id=finding_id,
        words=words_of(kind, read),
    )
