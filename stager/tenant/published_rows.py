"""Published rows read back as they stand in the tenant's tables; writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from psycopg import sql

from stager.tenant.postgres import Connection, guarded, transaction
from stager.tenant.profile import TargetTable
from stager.tenant.protected_cells import Cells
from stager.tenant.statements import statement


@contextmanager
def one_moment(connection: Connection) -> Iterator[None]:
    """Everything read inside is as it stood at one moment."""
    with transaction(connection, dry_run=True):
        connection.execute(statement("one_moment"))
        yield


def copy_out(
    connection: Connection,
    table: TargetTable,
    columns: Sequence[str],
    sealed: Sequence[str],
    ids: Sequence[UUID | int],
) -> bytes:
    """These rows in the order of their ids, in Postgres's binary COPY format.

    Each is its id, the columns, and for each of the sealed columns whether it holds anything.
    """
    listed = [
        sql.Identifier(table.id_column),
        *map(sql.Identifier, columns),
        *(statement("whether_there_is_one").format(column=sql.Identifier(name)) for name in sealed),
    ]
    query = statement("copy_out").format(
        columns=sql.SQL(", ").join(listed),
        table=table.identifier,
        id=sql.Identifier(table.id_column),
        ids=sql.Literal("{" + ",".join(map(str, ids)) + "}"),
        type=sql.SQL(table.id_kind.type),
    )
    with guarded(), connection.cursor() as cursor, cursor.copy(query) as copy:
        return b"".join(bytes(part) for part in copy)


def sealed_cells(
    connection: Connection, table: TargetTable, columns: Sequence[str], ids: Sequence[UUID | int]
) -> list[Cells]:
    """These rows' ids and sealed values, in the order of their ids."""
    listed = sql.SQL(", ").join(map(sql.Identifier, (table.id_column, *columns)))
    query = statement("sealed_cells").format(
        columns=listed,
        table=table.identifier,
        id=sql.Identifier(table.id_column),
        type=sql.SQL(table.id_kind.type),
    )
    with guarded():
        return [(row[0], *row[1:]) for row in connection.execute(query, [list(map(str, ids))]).fetchall()]


def count_between(connection: Connection, table: TargetTable, first: UUID, last: UUID) -> int:
    """How many rows of the table have ids from `first` to `last`."""
    query = statement("count_ids_between").format(id=sql.Identifier(table.id_column), table=table.identifier)
    with guarded():
        row = connection.execute(query, [first, last]).fetchone()
    return int(row[0]) if row else 0


def ids_between(connection: Connection, table: TargetTable, first: UUID, last: UUID) -> list[UUID]:
    """The ids from `first` to `last` that the table has."""
    query = statement("ids_between").format(id=sql.Identifier(table.id_column), table=table.identifier)
    with guarded():
        return [id_ for (id_,) in connection.execute(query, [first, last]).fetchall()]


def lineage_of_source(connection: Connection, sheet: str, source: bytes) -> list[tuple[int, str, int]]:
    """row_no, table and target id of every row of a source that got an id from a sequence."""
    with guarded():
        rows = connection.execute(statement("lineage_of_source"), [source, sheet]).fetchall()
    return [(row_no, table, target_id) for row_no, table, target_id in rows]
