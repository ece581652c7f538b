"""Publishing: the approved rows of a migration, replayed into its tenant's database exactly once.

What makes it once, whatever ends when:

- the log says which rows go in which chunk before the first is sent, and the tenant's ledger, written
  by each chunk's own transaction, says which are in: a rerun compares the two and goes on;
- one publisher at a time holds the tenant's lock, and none begins before the last transaction of an
  earlier one has ended, so that what the ledger says is final;
- a row's id is computed from the row, or kept in the tenant beside it, so that even without the ledger
  it cannot go in twice;
- a row of which anything was decided since its chunk was recorded does not go in with it;
- what a first bulk load put off of the tenant's keys and indexes is put back before anything else is done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress

from msgspec import Struct, field

from stager.approvals import Plan, cut_plan
from stager.crypto.keyset import Keyset
from stager.errors import ReviewNeeded, TenantUnavailable
from stager.event_log import EventLog
from stager.publish.bulk_load import put_back
from stager.publish.chunks import Run, as_recorded, by_size, unfinished_run
from stager.publish.one_run import Progress, Replay
from stager.publish.pipeline import encoding
from stager.publish.recording import rows_by_sheet
from stager.publish.sending import Sent, await_earlier
from stager.staging import Staging
from stager.tenant import ledger
from stager.tenant.comparison import Differs, check
from stager.tenant.postgres import Connection, transaction
from stager.tenant.profile import Profile
from stager.tenant.registry import Tenant
from stager.tenant.schema import prove_tenant
from stager.wording import counted

CHUNK_ROWS = 50_000

_SECONDS_FOR_THE_LOCK = 2.0
_PAUSE = 0.05
_DIFFERENCES_NAMED = 3


class Published(Struct, frozen=True):
    """What publishing did, or, dry, would do.

    run: the run's number; None where there was nothing to publish, or dry. plan_hash: the plan's, in hex.
    sheets: rows that are in the tenant by it, by sheet. tables: those written now, by target table.
    refused: addresses ("source:row") of rows that the database refused, or whose person it did.
    already: rows that were in the tenant before, though the staging file did not know.
    chunks: how many transactions. resumed: whether it went on with a run that had been cut off.
    """

    run: int | None
    plan_hash: str
    sheets: dict[str, int] = field(default_factory=dict)
    tables: dict[str, int] = field(default_factory=dict)
    refused: tuple[str, ...] = ()
    already: int = 0
    chunks: int = 0
    resumed: bool = False
    seconds: float = 0.0

    @property
    def rows(self) -> int:
        """Rows that are in the tenant by it."""
        return sum(self.sheets.values())


def publish(
    staging: Staging,
    *,
    writing: Callable[[], AbstractContextManager[EventLog]],
    tenant: Tenant,
    profile: Profile,
    keyset: Keyset,
    connect: Callable[[], Connection],
    expected_plan: str | None = None,
    dry_run: bool = False,
    workers: int | None = None,
    chunk_rows: int = CHUNK_ROWS,
    progress: Progress = lambda _what, _done, _total: None,
) -> Published:
    """Replay the approved rows that are not published yet.

    writing: one command of the staging file: events appended within it are folded, sealed and committed
    at its end. connect: a connection to the tenant's database, a new one at each call. expected_plan:
    publish this plan and nothing else. workers: processes that make rows ready, one for each processor
    by default. dry_run: send it all in a transaction that is rolled back, and write nothing here.

    Raises TenantUnavailable: another tenant's database, one that differs from the profile, another
    publisher at work, or the connection was lost (what is in by then is recorded; the same command goes
    on). ReviewNeeded: nothing is approved, or another plan was expected. IntegrityFailed: the tenant's
    ledger contradicts the staging file.
    """
    began = time.monotonic()
    with _lock_held(connect, tenant, profile) as control:
        if not dry_run:
            _settle_earlier(connect, tenant)
        # Begun first: the processes that make rows ready start up while the plan is cut.
        approved: int = staging.one("count_approved")
        with encoding(keyset, tenant.slug, profile, rows=approved, workers=workers) as encode:
            progress("cutting chunks", 0, approved)
            unfinished = unfinished_run(staging)
            plan = cut_plan(staging, as_recorded(unfinished.chunks) if unfinished else by_size(chunk_rows))
            _require_expected(plan, unfinished, expected_plan)
            if unfinished is None and plan.total == 0:
                _require_published(staging)
                return Published(None, plan.hash, seconds=time.monotonic() - began)
            replay = Replay(staging, writing, tenant, profile, control, connect, encode, chunk_rows, progress)
            if dry_run:
                sent = replay.rehearse(plan, unfinished)
                return _told(None, plan.hash, sent, began, resumed=unfinished is not None)
            return _carry_out(replay, plan, unfinished, expected_plan, began)


def _carry_out(
    replay: Replay, plan: Plan, unfinished: Run | None, expected_plan: str | None, began: float
) -> Published:
    """The unfinished run first, then what is approved beside it, unless only that run was expected."""
    sent: list[Sent] = []
    run, plan_hash = None, plan.hash
    wider = expected_plan in (None, plan.hash)
    if unfinished is not None:
        done = replay.resume(unfinished, plan)
        sent, run, plan_hash = done.sent, done.run.run, unfinished.plan_hash
        plan = cut_plan(replay.staging, by_size(replay.chunk_rows))
    if plan.total and wider:
        done = replay.start(plan)
        sent, run, plan_hash = sent + done.sent, done.run.run, plan.hash
    return _told(run, plan_hash, sent, began, resumed=unfinished is not None)


@contextmanager
def _lock_held(connect: Callable[[], Connection], tenant: Tenant, profile: Profile) -> Iterator[Connection]:
    """A connection to the right database, alike to its profile, whose transaction holds the tenant's lock."""
    control = connect()
    try:
        prove_tenant(control, tenant.slug)
        _require_alike(control, tenant, profile)
        lock = ExitStack()
        lock.enter_context(transaction(control, dry_run=True))
        try:
            _take_lock(control, tenant.slug)
            yield control
        finally:
            # A connection that is lost by now took the lock with it, which is all that was wanted.
            with suppress(TenantUnavailable):
                lock.close()
    finally:
        control.close()


def _take_lock(control: Connection, slug: str) -> None:
    """A publisher that was killed just now holds the lock for the moment that the server needs to see it."""
    until = time.monotonic() + _SECONDS_FOR_THE_LOCK
    while not ledger.advisory_lock(control, slug):
        if time.monotonic() > until:
            raise TenantUnavailable(
                f"another publisher is at work on {slug}",
                hint="wait until it has ended, then run the command again",
            )
        time.sleep(_PAUSE)


def _settle_earlier(connect: Callable[[], Connection], tenant: Tenant) -> None:
    """Earlier publishers' last transactions have ended, and what they had put off is back."""
    with closing(connect()) as connection:
        await_earlier(connection, tenant.slug)
        put_back(connection, tenant.slug)


def _require_alike(control: Connection, tenant: Tenant, profile: Profile) -> None:
    differences = [each for each in check(control, tenant, profile) if each.kind is not Differs.PUT_OFF]
    if differences:
        named = "; ".join(str(each) for each in differences[:_DIFFERENCES_NAMED])
        more = len(differences) - _DIFFERENCES_NAMED
        raise TenantUnavailable(
            f"the database of {tenant.slug} is not as its profile {profile.name} has it: {named}"
            + (f"; and {more} more" if more > 0 else ""),
            hint=f"stager tenant check -t {tenant.slug} says all that differs",
        )


def _require_expected(plan: Plan, unfinished: Run | None, expected: str | None) -> None:
    known = {plan.hash} | ({unfinished.plan_hash} if unfinished else set())
    if expected is not None and expected not in known:
        raise ReviewNeeded(
            f"what would be published is not the plan expected: its hash is {plan.hash}",
            hint="look at stager status, and publish with the hash that stands now if it is what you want",
        )


def _require_published(staging: Staging) -> None:
    """There is nothing to publish: an error unless it is because everything is."""
    if approved := staging.one("count_approved"):
        raise ReviewNeeded(
            f"{counted(approved, 'row is', 'rows are')} approved, but "
            "the patients or practitioners they belong to are not",
            hint="stager approve",
        )
    if not staging.one("any_published"):
        raise ReviewNeeded(
            "no row is approved", hint="stager status says what to do first; stager approve approves"
        )


def _told(run: int | None, plan_hash: str, sent: Sequence[Sent], began: float, *, resumed: bool) -> Published:
    tables: dict[str, int] = {}
    for each in sent:
        for table, rows in each.tables.items():
            tables[table] = tables.get(table, 0) + rows
    return Published(
        run=run,
        plan_hash=plan_hash,
        sheets=rows_by_sheet(sent),
        tables=tables,
        refused=tuple(refusal.address for each in sent for refusal in each.refused),
        already=sum(each.already for each in sent),
        chunks=len(sent),
        resumed=resumed,
        seconds=time.monotonic() - began,
    )
