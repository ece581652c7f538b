"""One reconciliation: what every row is linked to now, against what is known, as events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stager.event_log import EventLog
from stager.reconcile.people import BlindIndex, gather_people
from stager.reconcile.references import Digester, gather_references, judge_references, link_rows
from stager.reconcile.wanted import want_findings
from stager.sheets import SHEETS
from stager.staging import Staging

Progress = Callable[[str], None]

_DIRTY = "semi join dirty on dirty.source_id = {of}.source_id and dirty.row_no = {of}.row_no"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many events of each kind a reconciliation made; `rows` is how many rows it looked at."""

    rows: int
    linked: int
    withdrawn: int
    raised: int
    closed: int


def reconcile(
    staging: Staging,
    log: EventLog,
    *,
    digester: Digester,
    index: BlindIndex | None = None,
    tenant: str | None = None,
    progress: Progress = lambda _: None,
) -> Outcome:
    """Link and check every row that something has happened to since the last time, inside a transaction.

    Rules are those of SHEETS ("Linking"). A person's decision stands: no event of this function
    contradicts one. Every row is looked at where people themselves have changed.
    """
    whole = _find_scope(staging)
    progress("gathering references")
    references = gather_references(staging, _among("cells", whole=whole), digester)
    progress("finding persons")
    gather_people(staging, index, references)
    judge_references(staging, references)
    progress("linking rows")
    link_rows(staging, _among("row_state", whole=whole))
    progress("checking rows")
    want_findings(staging, digester, whole=whole)
    staging.run("new_findings", last=staging.one("last_finding"))
    staging.run("gone_findings")
    outcome = Outcome(
        rows=staging.one("count_rows_of", {"table": "scope"}),
        withdrawn=log.append_rows("link.withdrawn", "lost_link"),
        linked=log.append_rows("link.resolved", "new_link"),
        closed=log.append_rows("finding.closed", "gone_finding"),
        raised=log.append_rows("finding.raised", "new_finding"),
    )
    log.append(
        "reconcile.finished", {"sources": staging.one("count_rows_of", {"table": "source"}), "tenant": tenant}
    )
    return outcome


def _find_scope(staging: Staging) -> bool:
    after: int = staging.one("last_reconciled")
    if after:
        staging.run("find_dirty", after=after)
    whole = after == 0 or bool(staging.one("people_changed", after=after))
    if not whole:
        for sheet in SHEETS:
            staging.fill("dirty", "widen_dirty", {"table": sheet.table})
    staging.run("start_scope", {"restriction": _among("row_state", whole=whole)})
    return whole


def _among(table: str, *, whole: bool) -> str:
    """What restricts a statement to the rows in scope, by the name that it gives to its rows."""
    return "" if whole else _DIRTY.format(of=table)
