"""Approvals: which rows a person has signed for publishing, and the plan that the signature binds.

The plan is every approved row that is not published yet and whose persons are published or in the plan
themselves. Its hash covers each row's sheet, source, record fingerprint, links and standing decisions,
and each source's content root and rules: two plans with one hash publish the same values.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from msgspec import Struct

from stager.errors import ReviewNeeded
from stager.event_log import EventLog
from stager.projections import fold
from stager.sheets import SHEETS
from stager.staging import Staging

if TYPE_CHECKING:
    from stager.plan_lines import Cut, Piece

_APPROVED = "state = 'approved'"


class Plan(Struct, frozen=True):
    """What would be published: the hash in hex, and rows by sheet in the order of publishing.

    pieces: by number, those that the plan was asked to be cut into.
    """

    hash: str
    rows: dict[str, int]
    pieces: Mapping[int, Piece] = {}

    @property
    def total(self) -> int:
        return sum(self.rows.values())


class Approval(Struct, frozen=True):
    """An approval as granted: its event's seq, the rows newly approved by sheet, the plan after it."""

    seq: int
    rows: dict[str, int]
    plan: Plan


class Prospect(Struct, frozen=True):
    """What an approval would sign: ready rows by sheet, the plan after it. refusal: why it would not."""

    rows: dict[str, int]
    plan: Plan
    refusal: ReviewNeeded | None


def prospect(staging: Staging, sheet: str | None = None) -> Prospect:
    """What `approve` would sign now. Writes nothing."""
    counts = _choose_ready(staging, sheet)
    return Prospect(counts, _plan_with_ready(staging, sheet), _refusal(staging, counts))


def approve(
    staging: Staging,
    *,
    writing: Callable[[], AbstractContextManager[EventLog]],
    sheet: str | None = None,
    reason: str | None = None,
) -> Approval:
    """Approve the rows that are ready now, of one sheet or of all. Raises ReviewNeeded where none is.

    writing: one command of the staging file, within which the approval is written.
    """
    counts = _choose_ready(staging, sheet)
    if refusal := _refusal(staging, counts):
        raise refusal
    # Before the command: of what its own transaction has made DuckDB knows no counts, and joins it slowly.
    plan = _plan_with_ready(staging, sheet)
    detail = {
        "plan_hash": plan.hash,
        "count": sum(counts.values()),
        "sheets": counts,
        "rows": staging.one("runs_of", {"table": "chosen"}),
        "reason": reason,
    }
    with writing() as log:
        seq = log.append("approval.granted", detail)
    return Approval(seq, counts, plan)


def cut_plan(staging: Staging, cut: Cut | None = None) -> Plan:
    """The plan as it stands; leaves it in the temporary table `plan`, one row for each row to publish.

    cut: which piece each row is of, where the plan is wanted in pieces.
    """
    return _cut_plan(staging, _APPROVED, cut)


def void_changed(staging: Staging, log: EventLog, after: int) -> int:
    """Void the approval of every unpublished row that an event after `after` changed; how many."""
    if not staging.one("any_approval_changed", after=after):
        return 0
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
    staging.run("select_ready", {"ready": _ready(sheet)}, **_named(sheet))
    return _by_sheet(staging, "chosen")


def _refusal(staging: Staging, counts: dict[str, int]) -> ReviewNeeded | None:
    if reconcile_due(staging):
        return ReviewNeeded(
            "rows have come or changed since the last reconciliation", hint="stager reconcile"
        )
    if not counts:
        return ReviewNeeded("no row is ready to be approved", hint="stager status says what is held and why")
    return None


def _plan_with_ready(staging: Staging, sheet: str | None) -> Plan:
    return _cut_plan(staging, f"({_APPROVED} or {_ready(sheet)})", None, **_named(sheet))


def _cut_plan(staging: Staging, candidates: str, cut: Cut | None, **parameters: str) -> Plan:
    from stager.plan_lines import hash_lines  # numpy and pyarrow, which only a plan needs

    staging.run("cut_plan", {"candidates": candidates}, **parameters)
    whole = hashlib.sha256(b"stager/plan/1\n")
    for line in staging.rows("plan_sources"):
        whole.update(line[0].encode())
    pieces = hash_lines(staging, cut, whole)
    return Plan(whole.hexdigest(), _by_sheet(staging, "plan"), pieces)


def _by_sheet(staging: Staging, table: str) -> dict[str, int]:
    counts = dict(staging.rows("count_by_sheet", {"table": table}))
    return {sheet.name: counts[sheet.name] for sheet in SHEETS if sheet.name in counts}


def _ready(sheet: str | None) -> str:
    return "state = 'ready'" if sheet is None else "(state = 'ready' and sheet = $sheet)"


def _named(sheet: str | None) -> dict[str, str]:
    return {} if sheet is None else {"sheet": sheet}
