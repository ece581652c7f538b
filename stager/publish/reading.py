"""Reading from the staging file what the chunks of a sheet are made from, chunk by chunk in their order."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Protocol

import polars as pl
from msgspec import Struct, field

from stager import sql
from stager.errors import IntegrityFailed, Where
from stager.publish.chunks import Chunk
from stager.publish.encoding import RowsToSend
from stager.publish.own_ids import Drawn
from stager.publish.people_ids import PeopleIds
from stager.publish.refusals import Place, Refusal
from stager.publish.target_rows import PATIENT, PRACTITIONER, SHARES_EMAIL, needed_fields
from stager.records import Slice, corrected, rules_of, standing_corrections
from stager.sheets import PATIENTS, Sheet
from stager.staging import Staging
from stager.tenant.profile import Profile

_PATIENT_LINK = ("patient_source", "patient_row", "patient_person")
_PRACTITIONER_LINK = ("practitioner_source", "practitioner_row", "practitioner_person")


class ReadChunk(Struct, frozen=True):
    """A chunk with its rows.

    left_out: rows that do not go since their patient or practitioner was refused.
    present: rows that the tenant's lineage has already, with their ids; they are not among `part.rows`.
    """

    chunk: Chunk
    part: RowsToSend
    left_out: tuple[Refusal, ...] = ()
    present: Drawn = field(default_factory=Drawn)


class GivesIds(Protocol):
    """What gives rows their ids: `OwnIds` when they go, what was kept when they are looked at again."""

    def give(self, part: Slice, rows: pl.DataFrame) -> tuple[pl.DataFrame, Drawn]: ...


class ChunkReader:
    """Reads the chunks of one run. The run's rows stand in the temporary table `plan`."""

    def __init__(self, staging: Staging, profile: Profile, people: PeopleIds, own: GivesIds) -> None:
        self._staging, self._profile = staging, profile
        self._people, self._own = people, own

    def chunks(
        self, sheet: Sheet, wanted: Sequence[Chunk], refused: Collection[Place]
    ) -> Iterator[ReadChunk]:
        """The wanted chunks of the sheet in order. refused: patients that are not in the tenant."""
        if not wanted:
            return
        fields = needed_fields(self._profile, sheet.name)
        overlay = standing_corrections(self._staging, sheet, fields)
        for chunk in wanted:
            part = self._slice(sheet, chunk, [each.field for each in sheet.columns if each.field in fields])
            cells = corrected(part.cells, overlay, fields)
            yield self._read(chunk, part, cells, refused)

    def _slice(self, sheet: Sheet, chunk: Chunk, fields: Sequence[str]) -> Slice:
        """The chunk's rows with their links; between its first and last some may be of other chunks."""
        row_nos = chunk.row_nos()
        among = {"source_id": chunk.source_id, "first": row_nos[0], "last": row_nos[-1]}
        places = {"table": sheet.table, "fields": sql.identifiers(fields, of="cells")}
        cells = self._staging.frame("cells_to_send", places, **among)
        links = self._staging.frame("links_to_send", **among)
        cells, links = (_in_order(rows, row_nos) for rows in (cells, links))
        if not cells["row_no"].equals(row_nos) or not links["row_no"].equals(row_nos):
            raise _incomplete(sheet)
        rows = cells.hstack(links.drop("row_no"))
        return Slice(sheet, chunk.source_id, rules_of(self._staging, chunk.source_id), rows)

    def _read(self, chunk: Chunk, part: Slice, rows: pl.DataFrame, refused: Collection[Place]) -> ReadChunk:
        rows, left_out = _leave_out(rows, refused)
        rows, present = self._own.give(part, rows)
        rows = rows.rename({"shares_email": SHARES_EMAIL})
        if part.sheet is not PATIENTS:
            rows = rows.with_columns(
                self._people.column(*(rows[name] for name in _PATIENT_LINK)).alias(PATIENT),
                self._people.column(*(rows[name] for name in _PRACTITIONER_LINK)).alias(PRACTITIONER),
            )
        rows = rows.drop(*_PATIENT_LINK, *_PRACTITIONER_LINK)
        return ReadChunk(
            chunk, RowsToSend(chunk.chunk, chunk.sheet, part.rules.to_json(), rows), left_out, present
        )


def _in_order(rows: pl.DataFrame, row_nos: pl.Series) -> pl.DataFrame:
    """Those of the rows that have these numbers, in their order."""
    if rows.height > row_nos.len():
        rows = rows.filter(pl.col("row_no").is_in(row_nos.implode()))
    return rows.sort("row_no")


def _leave_out(rows: pl.DataFrame, refused: Collection[Place]) -> tuple[pl.DataFrame, tuple[Refusal, ...]]:
    """The rows whose persons are not among the refused, and a refusal for each of the others."""
    if not refused:
        return rows, ()
    lost = pl.DataFrame(
        sorted(refused), schema={"source_id": pl.Int32, "row_no": pl.Int32}, orient="row"
    ).with_columns(lost=pl.format("{}:{}", "source_id", "row_no"))
    for source, row in (("patient_source", "patient_row"), ("practitioner_source", "practitioner_row")):
        found = rows.select(source, row).join(
            lost, how="left", left_on=[source, row], right_on=["source_id", "row_no"], maintain_order="left"
        )
        rows = rows.with_columns(found["lost"].alias(f"lost_{row}"))
    rows = rows.with_columns(lost=pl.coalesce("lost_patient_row", "lost_practitioner_row")).drop("^lost_.*$")
    out = rows.filter(pl.col("lost").is_not_null()).select("source_id", "row_no", "lost")
    left_out = tuple(Refusal(source_id, row_no, person=lost) for source_id, row_no, lost in out.iter_rows())
    return rows.filter(pl.col("lost").is_null()).drop("lost"), left_out


def _incomplete(sheet: Sheet) -> IntegrityFailed:
    return IntegrityFailed(
        "the staging file does not hold every record that is to be published",
        where=Where(sheet=sheet.name),
        hint="stager verify names what is missing",
    )
