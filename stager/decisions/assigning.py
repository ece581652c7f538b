"""Asking a colleague: findings assigned to somebody, with a note, as one event. It decides nothing."""

from __future__ import annotations

from collections.abc import Sequence

from stager.decisions.choices import Finding
from stager.decisions.deciding import number_runs, numbers_frame
from stager.errors import UsageError
from stager.event_log import EventLog
from stager.staging import Staging

LONGEST_NOTE = 500
"""Characters of a note, which stands in the log: a question, not a record."""


def assign(staging: Staging, log: EventLog, findings: Sequence[Finding], to: str, note: str | None) -> int:
    """Assign these open findings to a colleague; "" takes it back. The event's seq.

    UsageError where none is meant, one is not open, or name or note cannot stand in the log.
    """
    numbers = sorted({each.finding_id for each in findings})
    if not numbers:
        raise UsageError("no open finding is meant", hint="stager findings lists those that are open")
    _require_open(staging, findings)
    name, said = to.strip(), (note or "").strip() or None
    _require_sayable(name, said)
    alone = findings[0] if len(numbers) == 1 else None
    return log.append(
        "finding.assigned",
        {"findings": number_runs(numbers), "count": len(numbers), "to": name, "note": said},
        sheet=alone.sheet if alone else None,
        source_id=alone.source_id if alone else None,
        row_no=alone.row_no if alone else None,
        finding_id=alone.finding_id if alone else None,
    )


def _require_open(staging: Staging, findings: Sequence[Finding]) -> None:
    with staging.lent(chosen_finding=numbers_frame(findings)):
        states = {number: state for number, state, _ in staging.rows("states_of_findings")}
    for finding in findings:
        if (state := states.get(finding.finding_id, "not known")) != "open":
            raise UsageError(
                f"finding {finding.finding_id} is {state}",
                where=finding.where,
                hint="colleagues are asked about open findings; stager findings lists them",
            )


def _require_sayable(name: str, note: str | None) -> None:
    if not name.isprintable():
        raise UsageError("the colleague's name cannot be shown", hint="use letters, digits and spaces")
    if note is not None and (not note.isprintable() or len(note) > LONGEST_NOTE):
        raise UsageError(
            f"the note is longer than {LONGEST_NOTE} characters, or cannot be shown on a line",
            hint="ask a short question, without a patient's name: it stands in the log",
        )
