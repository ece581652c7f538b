"""One finding with its evidence: what came, what the rules say, who else it may be, what can be decided."""

from __future__ import annotations

from stager.decisions import BlindIndex, Decision, Finding
from stager.decisions.fitting import fitting
from stager.session import reading
from stager.session.candidates import candidates, places_of
from stager.session.cells import record
from stager.session.looks import Looks
from stager.session.meanings import rule_words, way_words
from stager.session.queue import Queue, lines
from stager.session.reading import Filter
from stager.session.review_views import (
    FindingView,
    QueueFilter,
    QueueLine,
    QueueOrder,
    Record,
    Way,
)
from stager.sheets import EXPLAINED, PATIENTS, Code
from stager.staging import Staging

MOST_HELD = 200
"""Findings of the same person or row that are shown beside one, at most."""

MOST_RELATED = 9
NEEDS = {Decision.LINK: "person", Decision.MERGE: "person", Decision.CORRECT: "value"}
_SHOWN_BESIDE = frozenset(
    {
        Code.PATIENT_DUPLICATE,
        Code.PATIENT_ID_SHARED,
        Code.PATIENT_EMAIL_SHARED,
        Code.ROW_REPEATED,
        Code.VALUE_SUSPECT,
    }
)
"""Codes whose other rows are shown as records; those of a link are its candidates."""


def view(staging: Staging, finding_id: int, index: BlindIndex | None, looks: Looks) -> FindingView:
    """See `Session.finding_view`. index: the tenant's blind index, for the veto on its own people."""
    (finding,) = reading.findings(staging, Filter(ids=(finding_id,), state=None))
    (line,) = lines(staging, [finding_id])
    person = reading.person_of(staging, finding)
    own = record(staging, _place(finding), finding.sheet, subject=finding.field)
    return FindingView(
        line=line,
        meaning=EXPLAINED[Code(finding.code)],
        rule=rule_words(finding),
        record=own,
        ways=ways(staging, finding),
        alike=reading.count_alike(staging, finding),
        candidates=candidates(staging, finding, own, index),
        related=_related(staging, finding),
        look=looks.of(staging, finding),
        held=_held(staging, finding, person),
        person=person,
        assigned_to=line.assigned_to,
        note=line.note,
    )


def ways(staging: Staging, finding: Finding) -> tuple[Way, ...]:
    """The decisions that this finding takes now."""
    code = Code(finding.code)
    return tuple(
        Way(decision, way_words(decision, code), NEEDS.get(decision), reason_required=False)
        for decision in fitting(staging, finding)
    )


def _place(finding: Finding) -> str:
    return f"{finding.source_id}:{finding.row_no}"


def _related(staging: Staging, finding: Finding) -> tuple[Record, ...]:
    """The other rows that the finding names: of a repeated record those of its own sheet, else persons."""
    code = Code(finding.code)
    if code not in _SHOWN_BESIDE:
        return ()
    sheet = finding.sheet if code is Code.ROW_REPEATED else PATIENTS.name
    return tuple(record(staging, place, sheet) for place in places_of(finding)[:MOST_RELATED])


def _held(staging: Staging, finding: Finding, person: str | None) -> tuple[QueueLine, ...]:
    """Open findings of the row and, where it has one, of its person, without this one; at most 200."""
    wanted = QueueFilter(patient=person) if person else QueueFilter(row=_place(finding))
    numbers = Queue(staging, wanted, QueueOrder.NUMBER).numbers(0, MOST_HELD + 1)
    return tuple(lines(staging, [each for each in numbers if each != finding.finding_id][:MOST_HELD]))
