"""The tenant's rows against the plan: what each committed chunk must have written is made anew and compared.

For each run the projections are folded as they were when it began, so that later decisions about
published rows do not confuse what was approved then. The plan's hash and the chunks' digests must come
out as recorded. Then the chunk's rows are encoded once more, but for what is sealed, and held against
the same rows copied out of the tenant, byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

import polars as pl
from msgspec import Struct, field

from stager.approvals import cut_plan
from stager.crypto.keyset import Keyset
from stager.errors import UsageError, Where
from stager.projections import as_of
from stager.publish.chunks import Run, as_recorded, unchanged
from stager.publish.encoding import RowsToSend
from stager.publish.own_ids import Drawn
from stager.publish.people_ids import PeopleIds
from stager.publish.reading import ChunkReader
from stager.publish.sealing import Sealing
from stager.publish.target_rows import DRAWN, ID, needed_fields, rows_for
from stager.records import Slice
from stager.row_ids import LAST_ROW, row_id, row_id_column
from stager.sheets import PATIENTS, SHEET, SHEETS
from stager.staging import Staging
from stager.tenant import ledger, lineage, published_rows, putting_off
from stager.tenant.postgres import Connection
from stager.tenant.profile import IdKind, Profile, TargetTable
from stager.tenant.schema import prove_tenant
from stager.values import Rules, normalise
from stager.verify.broken import broken
from stager.verify.ledger import LEDGER, Committed, CommittedRun, verify_ledger
from stager.verify.written import Written

Progress = Callable[[str, int, int | None], None]


class Outside(Struct, frozen=True):
    """The tenant to hold the migration against. deep: open every protected field."""

    tenant: str
    profile: Profile
    keyset: Keyset
    connection: Connection
    deep: bool = False


class Published(Struct):
    """What was found in order: chunks, rows, and protected fields that were opened.

    by_table: row numbers by source and table. unrecorded: chunks that only the ledger knows.
    """

    chunks: int = 0
    rows: int = 0
    opened: int = 0
    unrecorded: int = 0
    by_table: dict[tuple[int, str], list[pl.Series]] = field(default_factory=dict)


def verify_published(
    staging: Staging, outside: Outside, roots: Mapping[int, bytes], progress: Progress
) -> Published:
    """Raises IntegrityFailed, naming the first chunk or row that is not in the tenant as it was approved.

    TenantUnavailable: another tenant's database. UsageError: the profile is not the one published by.
    """
    prove_tenant(outside.connection, outside.tenant)
    with published_rows.one_moment(outside.connection):
        entries = ledger.read(outside.connection, staging.migration_id)
        runs = verify_ledger(staging, entries, roots)
        sources = {row[0]: row for row in staging.rows("sources_of_chunks")}
        sha256 = {number: row[2] for number, row in sources.items()}
        looked = Published()
        total = sum(chunk.count for run in runs for chunk in run.chunks)
        for run in runs:
            if run.chunks:
                _verify_run(staging, outside, run, sha256, looked)
                progress("verifying published rows", looked.rows, total)
        _require_no_more(outside, sources, sha256, looked)
        _require_nothing_put_off(outside)
        if outside.profile.draws_ids:
            _verify_lineage(staging, outside, sources, sha256, unrecorded=looked.unrecorded)
    return looked


def _verify_run(
    staging: Staging,
    outside: Outside,
    found: CommittedRun,
    sha256: dict[int, str],
    looked: Published,
) -> None:
    run = found.run
    if run.profile != outside.profile.digest() or run.tenant != outside.tenant:
        raise UsageError(
            f"run {run.run} was published to {run.tenant} by another target profile than the tenant has now",
            hint="give the tenant the profile that it was published by, and verify again",
        )
    refused = {place for each in found.chunks for place in each.refused}
    with as_of(staging, (run.seq or 1) - 1):
        _require_plan(staging, run, outside)
        reader = _reader(staging, outside, sha256)
        for sheet in SHEETS:
            chunks = [each for each in found.chunks if each.chunk.sheet == sheet.name]
            if not chunks:
                continue
            wanted = [each.chunk for each in chunks]
            people = refused if sheet is not PATIENTS else set()
            for each, read in zip(chunks, reader.chunks(sheet, wanted, people), strict=True):
                _verify_chunk(outside, each, read.part, looked)


def _require_plan(staging: Staging, run: Run, outside: Outside) -> None:
    """The plan and the chunks come out of the log and the facts as the run recorded them.

    Leaves the plan in its temporary table.
    """
    plan = cut_plan(staging, as_recorded(run.chunks))
    if plan.hash != run.plan_hash:
        raise broken(f"run {run.run} published another plan than the one that was approved before it")
    same = {chunk.chunk for chunk in unchanged(staging, plan, run, run.chunks, outside.profile.digest())}
    for chunk in run.chunks:
        if chunk.chunk not in same:
            raise broken(
                f"chunk {chunk.chunk}: its rows are not those that its digest was taken of",
                where=Where(sheet=chunk.sheet),
            )


def _reader(staging: Staging, outside: Outside, sha256: dict[int, str]) -> ChunkReader:
    def of_people(source: str, first: int, last: int) -> Mapping[int, tuple[str, int]]:
        return lineage.read_lineage(outside.connection, PATIENTS.name, bytes.fromhex(source), first, last)

    people = PeopleIds(outside.tenant, outside.profile, sha256, of_people)
    return ChunkReader(staging, outside.profile, people, _KeptIds(outside, sha256))


class _KeptIds(Struct, frozen=True):
    """Gives rows the ids that they went in with."""

    outside: Outside
    sha256: dict[int, str]

    def give(self, part: Slice, rows: pl.DataFrame) -> tuple[pl.DataFrame, Drawn]:
        sha256 = self.sha256[part.source_id]
        computed = row_id_column(self.outside.tenant, part.sheet.name, sha256, rows["row_no"].to_numpy())
        rows = rows.with_columns(computed.alias(ID))
        tables = self.outside.profile.tables_of(part.sheet.name)
        if rows.height and any(table.id_kind is IdKind.SEQUENCE for table in tables):
            source, first, last = bytes.fromhex(sha256), rows["row_no"].min(), rows["row_no"].max()
            kept = lineage.read_lineage(self.outside.connection, part.sheet.name, source, first, last)  # type: ignore[arg-type]
            ids = [kept[row_no][1] if row_no in kept else None for row_no in rows["row_no"]]
            rows = rows.with_columns(pl.Series(DRAWN, ids, dtype=pl.Int64))
        return rows, Drawn()


def _verify_chunk(outside: Outside, committed: Committed, part: RowsToSend, looked: Published) -> None:
    """Every row that the chunk put in, in each of its tables."""
    source_id = committed.chunk.source_id
    gone = [row_no for source, row_no in committed.refused if source == source_id]
    rows = part.rows.filter(~pl.col("row_no").is_in(gone))
    fields = needed_fields(outside.profile, part.sheet)
    found = normalise(SHEET[part.sheet], rows, Rules.from_json(part.rules), fields)
    beside = [name for name in rows.columns if name.startswith("_")]
    values = pl.concat([found.values, rows.select(beside)], how="horizontal")
    sealing = Sealing(outside.keyset, outside.tenant, outside.profile)
    for table in outside.profile.tables_of(part.sheet):
        own = rows_for(table, values)
        if own.is_empty():
            continue
        written = Written(table, own, sealing, committed.chunk)
        written.require_alike(outside.connection)
        if outside.deep:
            looked.opened += written.require_opening(outside.connection, outside.keyset, outside.tenant)
        looked.by_table.setdefault((source_id, table.table), []).append(own["row_no"])
        looked.rows += own.height
    looked.chunks += 1
    looked.unrecorded += not committed.recorded


def _require_no_more(
    outside: Outside, sources: Mapping[int, Sequence[object]], sha256: dict[int, str], looked: Published
) -> None:
    """No table has a row under an id of this migration that no chunk put there."""
    for source_id, source in sources.items():
        for table in outside.profile.tables_of(str(source[1])):
            if table.id_kind is not IdKind.UUID:
                continue
            first, last = (
                row_id(outside.tenant, table.sheet, sha256[source_id], row) for row in (1, LAST_ROW)
            )
            count = published_rows.count_between(outside.connection, table, first, last)
            known = looked.by_table.get((source_id, table.table), [])
            if count != sum(part.len() for part in known):
                there = published_rows.ids_between(outside.connection, table, first, last)
                raise _one_too_many(outside.tenant, table, sha256[source_id], there, known)


def _require_nothing_put_off(outside: Outside) -> None:
    """The tenant's tables have the foreign keys and indexes that a first bulk load was begun without."""
    missing = putting_off.standing(outside.connection)
    if missing:
        raise broken(
            f"{missing[0].table} lacks the {missing[0].kind} {missing[0].name}, which was put off while "
            f"publishing ({len(missing)} in all): publishing was cut off, or is at work",
            hint=f"if nobody is publishing: stager publish -t {outside.tenant} puts them back",
        )


def _one_too_many(
    tenant: str, table: TargetTable, sha256: str, there: Sequence[UUID], known: Sequence[pl.Series]
) -> Exception:
    rows = [row_no for part in known for row_no in part.to_list()]
    ours = {row_id(tenant, table.sheet, sha256, row_no) for row_no in rows}
    strange = next((id_ for id_ in there if id_ not in ours), None)
    if strange is None:
        return broken(f"{table.table} changed while it was read", hint="verify again")
    row_no = int(strange.hex[8:12] + strange.hex[13:16], 16)
    claims = 1 <= row_no <= LAST_ROW and row_id(tenant, table.sheet, sha256, row_no) == strange
    return broken(
        f"{table.table} has a row {strange} that no chunk put there",
        where=Where(sheet=table.sheet, row=row_no if claims else None),
        hint=LEDGER,
    )


def _verify_lineage(
    staging: Staging,
    outside: Outside,
    sources: Mapping[int, Sequence[object]],
    sha256: dict[int, str],
    *,
    unrecorded: int,
) -> None:
    """The tenant's lineage has the ids that the staging file keeps, and where all is recorded no others."""
    for source_id, source in sources.items():
        sheet = str(source[1])
        there = {
            row_no: (table, target_id)
            for row_no, table, target_id in published_rows.lineage_of_source(
                outside.connection, sheet, bytes.fromhex(sha256[source_id])
            )
        }
        here = {
            row_no: (table, int(target_id))
            for row_no, table, target_id in staging.rows("target_rows_of_source", source_id=source_id)
        }
        wrong = [row_no for row_no in sorted(here) if there.get(row_no) != here[row_no]]
        if not wrong and not unrecorded:
            wrong = sorted(set(there) - set(here))
        if wrong:
            raise broken(
                f"the tenant's lineage does not have row {wrong[0]} as the staging file does",
                where=Where(sheet=sheet, row=wrong[0]),
                hint=LEDGER,
            )
