"""Reading from the staging file what the chunks of a sheet are made from, chunk by chunk in their order."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import polars as pl

from stager.errors import IntegrityFailed, Where
from stager.publish.chunks import Chunk
from stager.publish.encoding import RowsToSend
from stager.publish.own_ids import Drawn
from stager.publish.people_ids import PeopleIds
from stager.publish.refusals import Place, Refusal
from stager.publish.target_rows import PATIENT, PRACTITIONER, SHARES_EMAIL, needed_fields
from stager.records import Slice, slices
from stager.sheets import PATIENTS, Sheet
from stager.staging import Staging
from stager.tenant.profile import Profile

_PATIENT_LINK = ("patient_source", "patient_row", "patient_person")
_PRACTITIONER_LINK = ("practitioner_source", "practitioner_row", "practitioner_person")


@dataclass(frozen=True, slots=True)
class ReadChunk:
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
    """Reads the chunks of one run. The run's rows stand in the temporary tables `plan` and `chunk_row`."""

    def __init__(
        self, staging: Staging, profile: Profile, people: PeopleIds, own: GivesIds, chunk_rows: int
    ) -> None:
        self._staging, self._profile = staging, profile
        self._people, self._own = people, own
        self._slice = max(2 * chunk_rows, 1)

    def chunks(
        self, sheet: Sheet, wanted: Sequence[Chunk], refused: Collection[Place]
    ) -> Iterator[ReadChunk]:
        """The wanted chunks of the sheet in order. refused: patients that are not in the tenant."""
        counts = {chunk.chunk: chunk.count for chunk in wanted}
        self._staging.run("select_rows_to_send", sheet=sheet.name, chunks=list(counts))
        fields = needed_fields(self._profile, sheet.name)
        waiting = iter(wanted)
        held: list[pl.DataFrame] = []
        for part in slices(self._staging, sheet, fields=fields, among="sending", size=self._slice):
            for rows in self._with_links(part).partition_by("chunk", maintain_order=True):
                held.append(rows)
                whole = pl.concat(held)
                if whole.height < counts[rows["chunk"][0]]:
                    continue
                chunk = next(waiting, None)
                if (
                    chunk is None
                    or whole.height != chunk.count
                    or whole["chunk"].unique().to_list() != [chunk.chunk]
                ):
                    raise _incomplete(sheet)
                yield self._read(chunk, part, whole, refused)
                held = []
        if held or next(waiting, None) is not None:
            raise _incomplete(sheet)

    def _with_links(self, part: Slice) -> pl.DataFrame:
        row_nos = part.cells["row_no"]
        links = self._staging.frame(
            "links_to_send", source_id=part.source_id, first=row_nos[0], last=row_nos[-1]
        )
        if not links["row_no"].equals(row_nos):
            raise _incomplete(part.sheet)
        return part.cells.hstack(links.drop("row_no"))

    def _read(self, chunk: Chunk, part: Slice, rows: pl.DataFrame, refused: Collection[Place]) -> ReadChunk:
        rows, left_out = _leave_out(rows, refused)
        rows, present = self._own.give(part, rows)
        rows = rows.rename({"shares_email": SHARES_EMAIL})
        if part.sheet is not PATIENTS:
            rows = rows.with_columns(
                self._people.column(*(rows[name] for name in _PATIENT_LINK)).alias(PATIENT),
                self._people.column(*(rows[name] for name in _PRACTITIONER_LINK)).alias(PRACTITIONER),
            )
        rows = rows.drop("chunk", *_PATIENT_LINK, *_PRACTITIONER_LINK)
        return ReadChunk(
            chunk, RowsToSend(chunk.chunk, chunk.sheet, part.rules.to_json(), rows), left_out, present
        )


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
