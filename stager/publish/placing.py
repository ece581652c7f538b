"""Placing rows of which the database refuses some: every one that it takes goes in, every other is named.

Where Postgres says at which row a COPY failed, the rows before it go in, that row is tried alone, and
the rest goes on from there: each row is sent about twice, however many are refused. Where it does not
say (a foreign key is checked at the statement's end), the rows are halved down to the one.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct, field

from stager.errors import TenantUnavailable
from stager.publish.encoding import TableRows
from stager.publish.pgcopy import stream_of, tuple_starts
from stager.tenant.copying import copy_into, existing_ids
from stager.tenant.postgres import Connection, DataRefused, transaction
from stager.tenant.profile import IdKind, Profile, TargetTable


class Placed(Struct):
    """What became of a table's rows, by their places in the stream, from 0.

    already: rows whose ids the table had before; they are neither written nor refused.
    """

    written: list[int] = field(default_factory=list)
    refused: list[tuple[int, DataRefused]] = field(default_factory=list)
    already: int = 0


def place_rows(connection: Connection, profile: Profile, rows: TableRows) -> Placed:
    """Put the rows into their table, inside the chunk's transaction; each try is a savepoint of it."""
    table = profile.table(rows.table)
    assert table is not None  # the rows were encoded by this profile
    placed, starts = Placed(), tuple_starts(rows.stream)
    wanted = _new(connection, table, rows)
    placed.already = rows.row_nos.len() - len(wanted)
    waiting = [wanted] if wanted else []
    while waiting:
        some = waiting.pop()
        try:
            with transaction(connection):
                copy_into(connection, table.table, table.column_names, stream_of(rows.stream, starts, some))
            placed.written += some
        except DataRefused as refusal:
            if len(some) == 1:
                placed.refused.append((some[0], refusal))
            else:
                # The last one is taken next: rows go in their order, so of two that clash the first stays.
                waiting += reversed(_pieces(some, refusal.line))
    return placed


def _pieces(rows: Sequence[int], line: int | None) -> list[list[int]]:
    if line is not None and 1 <= line <= len(rows):
        pieces = [rows[: line - 1], rows[line - 1 : line], rows[line:]]
    else:
        pieces = [rows[: len(rows) // 2], rows[len(rows) // 2 :]]
    return [list(piece) for piece in pieces if piece]


def _new(connection: Connection, table: TargetTable, rows: TableRows) -> list[int]:
    """The places of the rows whose ids the table does not have."""
    computed = table.id_kind is IdKind.UUID
    ids = [str(UUID(bytes=id_)) if computed else str(id_) for id_ in rows.ids]
    present = existing_ids(connection, table, ids)
    if present and not computed:
        raise TenantUnavailable(
            f"the sequence {table.sequence} gives ids that {table.table} has already",
            hint=f"set it past them: select setval('{table.sequence}', (select max({table.id_column}) "
            f"from {table.table}))",
        )
    return [at for at, id_ in enumerate(ids) if id_ not in present]
