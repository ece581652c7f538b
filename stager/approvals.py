"""Approvals: which rows a person has signed for publishing, and the plan that the signature binds.

The plan is every approved row that is not published yet and whose persons are published or in the plan
themselves. Its hash covers each row's sheet, source, record fingerprint, links and standing decisions,
and each source's content root and rules: two plans with one hash publish the same values.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from stager.errors import ReviewNeeded
from stager.event_log import EventLog
from stager.projections import fold
from stager.sheets import SHEETS
from stager.staging import Staging

_APPROVED = "state = 'approved'"


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be published: the hash in hex, and rows by sheet in the order of publishing."""

    hash: str
    rows: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.rows.values())


@dataclass(frozen=True, slots=True)
class Approval:
    """An approval as granted: its event's seq, the rows newly approved by sheet, the plan after it."""

    seq: int
    rows: dict[str, int]
    plan: Plan


@dataclass(frozen=True, slots=True)
class Prospect:
    """What an approval would sign: ready rows by sheet, the plan after it. refusal: why it would not."""

    rows: dict[str, int]
    plan: Plan
    refusal: ReviewNeeded | None


def prospect(staging: Staging, sheet: str | None = None) -> Prospect:
    """What `approve` would sign now. Writes nothing."""
    counts = _choose_ready(staging, sheet)
    return Prospect(counts, _plan_with_chosen(staging), _refusal(staging, counts))


def approve(
    staging: Staging, log: EventLog, *, sheet: str | None = None, reason: str | None = None
) -> Approval:
    """Approve the rows that are ready now, of one sheet or of all. Raises ReviewNeeded where none is."""
    counts = _choose_ready(staging, sheet)
    if refusal := _refusal(staging, counts):
        raise refusal
    plan = _plan_with_chosen(staging)
    seq = log.append(
        "approval.granted",
        {
            "plan_hash": plan.hash,
            "count": sum(counts.values()),
            "sheets": counts,
            "rows": staging.one("runs_of", {"table": "chosen"}),
            "reason": reason,
        },
    )
    fold(staging)
    return Approval(seq, counts, plan)


def cut_plan(staging: Staging) -> Plan:
    """The plan as it stands; leaves it in the temporary table `plan`, one row for each row to publish."""
    return _cut_plan(staging, _APPROVED)


def void_changed(staging: Staging, log: EventLog, after: int) -> int:
    """Void the approval of every unpublished row that an event after `after` changed; how many."""
    staging.run("changed_approvals", after=after)
    voided = log.append_rows("approval.voided", "changed_approval")
    if voided:
        fold(staging)
    return voided


def reconcile_due(staging: Staging) -> bool:
    """Whether rows came or people decided since the last reconciliation."""
    return bool(staging.one("reconcile_due"))


def _choose_ready(staging: Staging, sheet: str | None) -> dict[str, int]:
    """Leaves the rows that are ready in the temporary table `chosen`; how many, by sheet."""
    staging.run("select_ready", {"sheet": "true" if sheet is None else "sheet = $sheet"}, **_named(sheet))
    return _by_sheet(staging, "chosen")


def _refusal(staging: Staging, counts: dict[str, int]) -> ReviewNeeded | None:
    if reconcile_due(staging):
        return ReviewNeeded(
            "rows have come or changed since the last reconciliation", hint="stager reconcile"
        )
    if not counts:
        return ReviewNeeded("no row is ready to be approved", hint="stager status says what is held and why")
    return None


def _plan_with_chosen(staging: Staging) -> Plan:
    chosen = "(source_id, row_no) in (select (source_id, row_no) from chosen)"
    return _cut_plan(staging, f"{_APPROVED} or {chosen}")


def _cut_plan(staging: Staging, candidates: str) -> Plan:
    staging.run("cut_plan", {"candidates": candidates})
    whole = hashlib.sha256(b"stager/plan/1\n")
    for query in ("plan_sources", "plan_lines"):
        for batch in staging.batches(query):
            for line in batch.column(0).to_pylist():
                whole.update(line.encode())
    return Plan(whole.hexdigest(), _by_sheet(staging, "plan"))


def _by_sheet(staging: Staging, table: str) -> dict[str, int]:
    counts = dict(staging.rows("count_by_sheet", {"table": table}))
    return {sheet.name: counts[sheet.name] for sheet in SHEETS if sheet.name in counts}


def _named(sheet: str | None) -> dict[str, str]:
    return {} if sheet is None else {"sheet": sheet}
