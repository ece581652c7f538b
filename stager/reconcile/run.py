"""One reconciliation: what every row is linked to now, against what is known, as events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stager.event_log import EventLog
from stager.reconcile.people import BlindIndex, gather_people
from stager.reconcile.references import (
    Digester,
    distinct_references,
    gather_references,
    judge_references,
    link_rows,
)
from stager.reconcile.scope import Scope, find_scope
from stager.reconcile.wanted import want_of_links, want_repeats
from stager.staging import Staging

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many events of each kind a reconciliation made; `rows` is how many rows it looked at."""

    rows: int
    linked: int
    withdrawn: int
    raised: int
    closed: int


NOTHING = Outcome(0, 0, 0, 0, 0)


def reconcile(
    staging: Staging,
    log: EventLog,
    *,
    digester: Digester,
    index: BlindIndex | None = None,
    tenant: str | None = None,
    whole: bool = False,
    progress: Progress = lambda _: None,
) -> Outcome:
    """Link and check every row that what happened since the last time may change, inside a transaction.

    Rules are those of SHEETS ("Linking"). A person's decision stands: no event of this function
    contradicts one. whole: look at every row, which must come to the same.
    """
    scope = find_scope(staging, whole=whole)
    outcome = _look(staging, log, scope, digester, index, progress) if scope.sheets else NOTHING
    log.append(
        "reconcile.finished", {"sources": staging.one("count_rows_of", {"table": "source"}), "tenant": tenant}
    )
    return outcome


def _look(
    staging: Staging,
    log: EventLog,
    scope: Scope,
    digester: Digester,
    index: BlindIndex | None,
    progress: Progress,
) -> Outcome:
    """Append what the rows in scope are linked to and asked now, other than is known."""
    progress("gathering references")
    staging.run("start_wanted_findings")
    linking = gather_references(staging, scope.among("cells")) > 0 or scope.people
    if linking:
        references = distinct_references(staging, digester)
        progress("finding persons")
        gather_people(staging, index, references)
        judge_references(staging, references)
        progress("linking rows")
        link_rows(staging, scope.among("row_state"))
        progress("checking rows")
        want_of_links(staging, digester, people=scope.people)
    want_repeats(staging, scope)
    staging.run("new_findings", last=staging.one("last_finding"))
    staging.run("gone_findings")
    return Outcome(
        rows=staging.one("count_rows_of", {"table": "scope"}),
        withdrawn=log.append_rows("link.withdrawn", "lost_link") if linking else 0,
        linked=log.append_rows("link.resolved", "new_link") if linking else 0,
        closed=log.append_rows("finding.closed", "gone_finding"),
        raised=log.append_rows("finding.raised", "new_finding"),
    )
