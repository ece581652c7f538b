"""One run: its chunks held against the tenant's ledger, those that are missing sent, all of it recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import chain

from msgspec import Struct, field
from msgspec.structs import replace

from stager.approvals import Plan
from stager.errors import IntegrityFailed, TenantUnavailable
from stager.event_log import EventLog, last_seal
from stager.publish import bulk_load
from stager.publish.chunks import Chunk, Run, by_size, cut_run, recorded_chunks, unchanged, withdraw
from stager.publish.own_ids import OwnIds
from stager.publish.people_ids import Lineage, PeopleIds
from stager.publish.pipeline import Encode, Pipeline, pipeline, rehearsal
from stager.publish.reading import ChunkReader, ReadChunk
from stager.publish.recording import record_committed, record_finished, record_started
from stager.publish.sending import Destination, Sent, committed
from stager.sheets import PATIENTS, SHEETS
from stager.staging import Staging
from stager.tenant import ledger, lineage
from stager.tenant.ledger import LedgerEntry
from stager.tenant.postgres import Connection
from stager.tenant.profile import Profile
from stager.tenant.registry import Tenant
from stager.tenant.schema import prove_tenant

Progress = Callable[[str, int, int | None], None]
"""Called with what is being done, how many rows of how many are behind it."""


class Replay(Struct, frozen=True):
    """What every run of one command works with.

    writing, connect: see `publish`. control: the connection whose open transaction holds the tenant's
    lock. encode: what makes chunks ready.
    """

    staging: Staging
    writing: Callable[[], AbstractContextManager[EventLog]]
    tenant: Tenant
    profile: Profile
    control: Connection
    connect: Callable[[], Connection]
    encode: Encode
    chunk_rows: int
    progress: Progress

    def start(self, plan: Plan) -> _Outcome:
        """Record the plan, cut by size and in its temporary table, as a new run and carry it out."""
        run = cut_run(self.staging, plan, self.tenant.slug, self.profile.digest())
        known = self._known(run.chunks)
        with self.writing() as log:
            record_started(log, run)
        to = self._destination()
        pending = _without(run.chunks, known)
        if plan.total < self.chunk_rows or not bulk_load.put_off(
            self.staging, self._people(to), self.connect, to.tenant, self.profile
        ):
            return self._carry_out(run, to, known, pending)
        with bulk_load.put_back_if_stopped(self.connect, to.tenant):
            return self._carry_out(run, to, known, pending, put_off=True)

    def resume(self, run: Run, plan: Plan) -> _Outcome:
        """Go on with a run that was cut off; the plan as it stands now, cut as recorded, is in its table.

        What the ledger has is recorded. What it has not is sent, where it still says what was recorded;
        else it is given up, and its rows that are approved stay so for the next run.
        """
        missing = _without(run.chunks, recorded_chunks(self.staging, run))
        known = self._known(missing)
        open_ = _without(missing, known)
        same = unchanged(self.staging, plan, run, open_, self.profile.digest())
        return self._carry_out(run, self._destination(), known, _fit(open_, same))

    def rehearse(self, plan: Plan, unfinished: Run | None) -> list[Sent]:
        """Send what a real run would, in the control connection's transaction, which is rolled back."""
        refused: set[tuple[int, int]] = set()
        if unfinished is not None:
            missing = _without(unfinished.chunks, recorded_chunks(self.staging, unfinished))
            known = self._known(missing)
            refused = _people_refused(known.values())
            gone = [sent.chunk for sent in known.values()]
            plan = replace(plan, pieces=withdraw(self.staging, gone, by_size(self.chunk_rows)))
        run = cut_run(self.staging, plan, self.tenant.slug, self.profile.digest())
        to = self._destination()
        done = self._known(run.chunks)
        pipe = rehearsal(self.encode, to, self.control)
        self._send(to, pipe, _without(run.chunks, done), refused | _people_refused(done.values()))
        return [*done.values(), *pipe.sent.values()]

    def _known(self, chunks: Iterable[Chunk]) -> dict[int, Sent]:
        """Those of the chunks that the tenant's ledger has; IntegrityFailed where it has another content."""
        entries = {entry.chunk: entry for entry in ledger.read(self.control, self.staging.migration_id)}
        there = [chunk for chunk in chunks if chunk.chunk in entries]
        if not there:
            return {}
        to = self._destination()
        for chunk in there:
            _require_same(chunk, entries[chunk.chunk], to)
        return {chunk.chunk: committed(self.control, to, chunk, entries[chunk.chunk]) for chunk in there}

    def _carry_out(
        self,
        run: Run,
        to: Destination,
        known: dict[int, Sent],
        pending: Sequence[Chunk],
        *,
        put_off: bool = False,
    ) -> _Outcome:
        sent = dict(known)
        try:
            with (
                self.staging.one_processor(),
                pipeline(self.encode, to, self.connect, chunks=len(pending)) as pipe,
            ):
                sent = pipe.sent
                sent.update(known)
                self._send(to, pipe, pending, _people_refused(known.values()))
        except BaseException as error:
            self._record(run, sent.values(), finished=False)
            if isinstance(error, TenantUnavailable):
                raise _cut_off(error, len(sent), len(known) + len(pending)) from None
            raise
        # The tenant's server and this process have each their part of the end to do.
        with bulk_load.put_back_meanwhile(self.connect, self.tenant.slug) if put_off else nullcontext():
            self._record(run, sent.values(), finished=True)
        return _Outcome(run, list(sent.values()))

    def _send(
        self, to: Destination, pipe: Pipeline, pending: Sequence[Chunk], refused: set[tuple[int, int]]
    ) -> None:
        """Persons first, so that they are in before any row of theirs goes; then sheet after sheet."""
        reader = self._reader(to)
        counted = _Counted(self.progress, sum(chunk.count for chunk in pending))
        for sheets in ((PATIENTS,), [sheet for sheet in SHEETS if sheet is not PATIENTS]):
            read = [
                reader.chunks(sheet, [chunk for chunk in pending if chunk.sheet == sheet.name], refused)
                for sheet in sheets
            ]
            pipe.run(self._still_held(chain.from_iterable(read)), counted.add)
            refused = refused | _people_refused(pipe.sent.values())

    def _reader(self, to: Destination) -> ChunkReader:
        own = OwnIds(to.tenant, self.profile, to.sha256, self.control)
        return ChunkReader(self.staging, self.profile, self._people(to), own)

    def _people(self, to: Destination) -> PeopleIds:
        return PeopleIds(to.tenant, self.profile, to.sha256, _lineage_of_people(self.control))

    def _still_held(self, chunks: Iterable[ReadChunk]) -> Iterator[ReadChunk]:
        """The chunks, each only while the connection stands that holds the tenant's lock."""
        for chunk in chunks:
            prove_tenant(self.control, self.tenant.slug)
            yield chunk

    def _destination(self) -> Destination:
        seal = last_seal(self.staging)
        return Destination(
            tenant=self.tenant.slug,
            profile=self.profile,
            migration_id=self.staging.migration_id,
            sha256={source[0]: source[2] for source in self.staging.rows("sources_of_chunks")},
            seal_size=seal.size if seal else 0,
            seal_root=seal.root if seal else b"",
        )

    def _record(self, run: Run, sent: Iterable[Sent], *, finished: bool) -> None:
        told = list(sent)
        if not told and not finished:
            return
        with self.writing() as log:
            record_committed(self.staging, log, run, self.profile, told)
            if finished:
                record_finished(self.staging, log, run)


class _Outcome(Struct, frozen=True):
    """A run that is finished, with its chunks that were recorded now."""

    run: Run
    sent: list[Sent]


class _Counted(Struct):
    """Rows sent so far, told to a progress."""

    progress: Progress
    total: int
    rows: int = field(default=0)

    def add(self, sent: Sent) -> None:
        self.rows += sent.chunk.count
        self.progress(f"publishing {sent.chunk.sheet}", self.rows, self.total)


def _lineage_of_people(connection: Connection) -> Lineage:
    return lambda sha256, first, last: lineage.read_lineage(
        connection, PATIENTS.name, bytes.fromhex(sha256), first, last
    )


def _without(chunks: Iterable[Chunk], numbers: Iterable[int]) -> list[Chunk]:
    gone = set(numbers)
    return [chunk for chunk in chunks if chunk.chunk not in gone]


def _fit(open_: Sequence[Chunk], same: Sequence[Chunk]) -> Sequence[Chunk]:
    """What may go as it was recorded. Where patients do not, nobody's rows may go before they do."""
    fallen = _without(open_, [chunk.chunk for chunk in same])
    if any(chunk.sheet == PATIENTS.name for chunk in fallen):
        return [chunk for chunk in same if chunk.sheet == PATIENTS.name]
    return same


def _people_refused(sent: Iterable[Sent]) -> set[tuple[int, int]]:
    return {refusal.place for each in sent if each.chunk.sheet == PATIENTS.name for refusal in each.refused}


def _require_same(chunk: Chunk, entry: LedgerEntry, to: Destination) -> None:
    if entry.content != to.entry(chunk, ()).content:
        raise IntegrityFailed(
            f"the tenant's ledger has chunk {chunk.chunk} of this migration with another content",
            hint="is this an older copy of the staging file? `stager verify` compares it with the ledger; "
            "nothing was written",
        )


def _cut_off(error: TenantUnavailable, done: int, total: int) -> TenantUnavailable:
    return TenantUnavailable(
        f"{error.message}; {done} of {total} chunks are known to be in",
        where=error.where,
        hint="run the same command again: it goes on from there, and nothing is written twice",
    )
