"""Ids that an application's sequence makes: drawn in blocks, and kept with the source row they went to.

Such an id cannot be computed again, so the tenant's `stager_lineage` remembers it; written in the
chunk's own transaction, it keeps a source row from getting a second one.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from stager.errors import IntegrityFailed
from stager.tenant.postgres import Connection, DataRefused, guarded
from stager.tenant.profile import qualified
from stager.tenant.statements import statement

_UNIQUE_VIOLATION = "23505"


class LineageRow(Struct, frozen=True):
    """One source row and the row of the tenant that it became.

    source: SHA-256 of the source file, 32 bytes. row_no: its record, from 1 below the header.
    table: the profile's name of the target table.
    """

    sheet: str
    source: bytes
    row_no: int
    table: str
    target_id: int


def draw_ids(connection: Connection, sequence: str, count: int) -> list[int]:
    """The next `count` values of the sequence, ascending. They are not given back by a rollback."""
    with guarded():
        name = qualified(sequence).as_string(connection)
        rows = connection.execute(statement("draw_ids"), [name, count]).fetchall()
    return sorted(id_ for (id_,) in rows)


def write_lineage(connection: Connection, rows: Iterable[LineageRow]) -> int:
    """Keep the rows' ids in the current transaction; how many were written.

    Raises IntegrityFailed if one of the source rows, or of the ids, is kept already.
    """
    try:
        with guarded(), connection.cursor() as cursor:
            with cursor.copy(statement("copy_lineage")) as copy:
                copy.set_types(["text", "bytea", "int8", "text", "int8"])
                for row in rows:
                    copy.write_row((row.sheet, row.source, row.row_no, row.table, row.target_id))
            return cursor.rowcount
    except DataRefused as refused:
        if refused.sqlstate != _UNIQUE_VIOLATION:
            raise
    raise IntegrityFailed(
        "a source row of this chunk is in the tenant's database already",
        hint="`stager verify` compares the staging file with the ledger; nothing was written",
    )


def read_lineage(
    connection: Connection, sheet: str, source: bytes, first_row: int, last_row: int
) -> dict[int, tuple[str, int]]:
    """row_no → (table, target id) of the source's rows from first_row to last_row that are in."""
    with guarded():
        rows = connection.execute(statement("read_lineage"), [source, sheet, first_row, last_row]).fetchall()
    return {row_no: (table, target_id) for row_no, table, target_id in rows}


def source_of(connection: Connection, table: str, target_id: int) -> LineageRow | None:
    """The source row that a row of the tenant came from; None if it is not one of stager's."""
    with guarded():
        row = connection.execute(statement("lineage_of_target"), [table, target_id]).fetchone()
    return LineageRow(*row) if row else None
