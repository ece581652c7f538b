"""One reconciliation: what every row is linked to now, against what is known, as events.

What looks at rows is imported where there are some, with polars: after a person's decision, which is linked
inside its own command, there are none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from stager.event_log import EventLog
from stager.reconcile.scope import find_scope
from stager.staging import Staging

if TYPE_CHECKING:
    import polars as pl

    from stager.reconcile.people import BlindIndex
    from stager.reconcile.references import Digester

Progress = Callable[[str], None]


class Outcome(Struct, frozen=True):
    """How many events of each kind a reconciliation made; `rows` is how many rows it looked at."""

    rows: int
    linked: int
    withdrawn: int
    raised: int
    closed: int


NOTHING = Outcome(0, 0, 0, 0, 0)


class Seen(Struct, frozen=True):
    """What was looked at and left in temporary tables to be told. linking: whether there are links in it."""

    rows: int
    linking: bool


def look(
    staging: Staging,
    *,
    digester: Digester,
    index: BlindIndex | None = None,
    fresh: pl.DataFrame | None = None,
    whole: bool = False,
    progress: Progress = lambda _: None,
) -> Seen | None:
    """Link and check every row that what happened since the last time may change; None where there is none.

    Rules are those of SHEETS ("Linking"). Nothing is written. Of what a transaction has made itself DuckDB
    knows no counts and joins it slowly: best done before one is begun.

    fresh: the tenant's own people as just read, where they are not those that are kept: every row is looked
    at then. whole: look at every row all the same, which must come to the same.
    """
    scope = find_scope(staging, whole=whole or fresh is not None)
    if not scope.sheets:
        return None
    from stager.reconcile.looking import look_at

    linking = look_at(staging, scope, digester, index, fresh, progress)
    return Seen(staging.one("count_rows_of", {"table": "scope"}), linking)


def tell(staging: Staging, log: EventLog, seen: Seen | None, tenant: str | None) -> Outcome:
    """What was seen as events, other than is known already, inside a transaction.

    A person's decision stands: no event of this function contradicts one.
    """
    outcome = NOTHING
    if seen is not None:
        outcome = Outcome(
            rows=seen.rows,
            withdrawn=log.append_rows("link.withdrawn", "lost_link") if seen.linking else 0,
            linked=log.append_rows("link.resolved", "new_link") if seen.linking else 0,
            closed=log.append_rows("finding.closed", "gone_finding"),
            raised=log.append_rows("finding.raised", "new_finding"),
        )
    sources = staging.one("count_rows_of", {"table": "source"})
    log.append("reconcile.finished", {"sources": sources, "tenant": tenant})
    return outcome


def reconcile(
    staging: Staging,
    log: EventLog,
    *,
    digester: Digester,
    index: BlindIndex | None = None,
    tenant: str | None = None,
    whole: bool = False,
) -> Outcome:
    """Look and tell within one transaction, in which what is looked at may have happened."""
    return tell(staging, log, look(staging, digester=digester, index=index, whole=whole), tenant)
