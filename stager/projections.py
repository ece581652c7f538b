"""Projections: the state of every row, finding and decision, as a fold of events over facts.

`fold` takes in what was appended since the last time; `rebuild` starts from nothing and reaches the
same state. Both run the same statements: each takes a stretch of the log set-wise, the latest event
winning, so that it makes no difference how the log is cut into stretches.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from stager.errors import UsageError
from stager.events import EVENT_KINDS
from stager.sheets import REJECTING
from stager.staging import Staging

_STRETCH = 1_000_000
"""Events that are folded at once where all of them would take too much memory."""

PROJECTIONS = ("finding", "decision", "row_state", "standing")

_REJECTING = "code in (" + ", ".join(sorted(f"'{code.value}'" for code in REJECTING)) + ")"

_DECISIONS = frozenset({"finding.decided", "decision.undone", "row.superseded"})
_LINKS = frozenset({"link.resolved", "link.withdrawn"})
_QUIET = frozenset(
    {
        "migration.opened",
        "migration.bound",
        "migration.marked_synthetic",
        "source.registered",
        "expectation.stated",
        "column.mapped",
        "row.accepted",
        "value.normalised",
        "value.defaulted",
        "reconcile.finished",
        "finding.assigned",
        "approval.granted",
        "publish.started",
        "publish.finished",
        "values.shown",
    }
)
"""Kinds that change no row's state, or by a fold of their own."""

_TELLING = frozenset(EVENT_KINDS) - _QUIET
_SETS = frozenset({"finding.decided", "decision.undone", "approval.granted", "publish.chunk_committed"})


def fold(staging: Staging) -> None:
    """Take the events since the last fold into the projections. Run it inside a transaction."""
    after: int = staging.one("folded")
    kinds = dict(staging.rows("kinds_after", after=after))  # with the last event of each
    if not kinds:
        return
    for wanted, step in _STEPS:
        if wanted & kinds.keys():
            step(staging, after)
    staging.run("forget_standing", name="folded")
    staging.run("set_standing", name="folded", value=str(max(kinds.values())))


def rebuild(staging: Staging) -> None:
    """Empty every projection and fold the whole log again. Run it inside a transaction."""
    for table in PROJECTIONS:
        staging.run("empty_projection", {"table": table})
    fold(staging)


def catch_up(staging: Staging) -> None:
    """Refold a file whose projections are behind its log, as after a step forward in its schema."""
    if staging.one("folded") < staging.one("event_head"):
        with staging.transaction():
            rebuild(staging)


@contextmanager
def as_of(staging: Staging, seq: int | None) -> Iterator[None]:
    """Inside, statements find log, seals, sources and projections as they were when event `seq` was the last.

    The log up to it is folded into temporary tables, which stand before the file's own and are gone
    afterwards; nothing is written. None is now. UsageError where there is no such event. What is no
    fold of events is as it is now: the tenant's own people are known only as they were last read.
    """
    if seq is None:
        yield
        return
    head: int = staging.one("event_head")
    if not 1 <= seq <= head:
        raise UsageError(f"there is no event {seq}", hint=f"events are from 1 to {head}")
    try:
        for view in ("event", "seal", "source"):
            staging.run(f"stand_at_{view}", {"seq": str(int(seq))})
        for table in PROJECTIONS:
            staging.run("stand_at_projection", {"table": table})
        staging.run("stand_at_target_row")
        fold(staging)
        yield
    finally:
        for view in ("target_row", "source", "seal", "event"):
            staging.run("leave_view", {"view": view})
        for table in PROJECTIONS:
            staging.run("leave_table", {"table": table})


def standing(staging: Staging, name: str) -> str | None:
    """One of the migration's marks: tenant, synthetic, folded."""
    found = staging.rows("standing", name=name)
    return str(found[0][0]) if found else None


def digest(staging: Staging) -> str:
    """SHA-256 over every projection's rows in a fixed order, as hex; equal states have equal digests."""
    whole = hashlib.sha256()
    for table in PROJECTIONS:
        whole.update(f"{table}\n".encode())
        for batch in staging.batches("projection_lines", {"table": table}):
            for line in batch.column(0).to_pylist():
                whole.update(f"{line}\n".encode())
    return whole.hexdigest()


def _plain(name: str) -> Callable[[Staging, int], None]:
    def step(staging: Staging, after: int) -> None:
        staging.run(name, after=after)

    return step


def _unfold(staging: Staging, after: int) -> None:
    staging.run("unfold_runs", after=after)
    staging.run("unfold_rows")


def _relink(staging: Staging, after: int) -> None:
    if not staging.one("count_links_decided"):
        return
    staging.run("rows_linked_by_people", after=after)
    if staging.one("count_relinked"):
        staging.run("fold_decided_links")


def _link(staging: Staging, after: int) -> None:
    """A stretch at a time: what a row's links come to is held in memory."""
    for first in range(after, staging.one("event_head"), _STRETCH):
        staging.run("fold_links", after=first, upto=first + _STRETCH)


def _derive_people(staging: Staging, after: int) -> None:
    staging.run("find_affected", after=after)
    staging.run("start_own_states")
    staging.run("find_own_states", {"rows": "affected", "rejecting": _REJECTING})
    staging.run("find_people_states")
    staging.run("fold_people_states")
    staging.run("find_turned")
    staging.run("start_dependents")
    if staging.one("count_rows_of", {"table": "turned"}):  # else a pass over every row would find none
        staging.run("find_dependents")


def _derive_others(staging: Staging, after: int) -> None:
    staging.run("find_own_states", {"rows": "dependent", "rejecting": _REJECTING})
    staging.run("fold_other_states")


_STEPS: tuple[tuple[frozenset[str], Callable[[Staging, int], None]], ...] = (
    (frozenset({"migration.bound", "migration.marked_synthetic"}), _plain("fold_marks")),
    (frozenset({"row.accepted", "row.rejected"}), _plain("fold_new_rows")),
    (_TELLING | _SETS, _unfold),
    (frozenset({"finding.raised"}), _plain("fold_findings")),
    (frozenset({"finding.closed"}), _plain("fold_closings")),
    (_DECISIONS, _plain("fold_decisions")),
    (frozenset({"decision.undone"}), _plain("fold_undone")),
    (_DECISIONS | {"finding.closed"}, _plain("fold_finding_states")),
    (_LINKS, _link),
    (_LINKS | _DECISIONS, _relink),
    (frozenset({"approval.granted", "approval.voided"}), _plain("fold_approvals")),
    (frozenset({"publish.chunk_committed"}), lambda staging, after: staging.run("fold_chunks")),
    (_TELLING, _derive_people),
    (_LINKS, lambda staging, after: staging.run("find_unfit")),
    (_TELLING, _derive_others),
)
