"""Rows into a tenant's table by binary COPY, and which ids it has already."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from psycopg import sql

from stager.tenant.postgres import Connection, guarded
from stager.tenant.profile import TargetTable, qualified
from stager.tenant.statements import statement


def copy_into(connection: Connection, table: str, columns: Sequence[str], data: Iterable[bytes]) -> int:
    """Send encoded rows into the table in the current transaction; how many it took.

    table: its name, with its schema before a dot if need be. columns: in the order of the data.
    data: one stream in Postgres's binary COPY format (header, tuples, trailer), cut anywhere.

    Raises DataRefused if a row is refused: its `line` is the record, from 1, where Postgres says
    which. None of the rows are in then, and the transaction can only be rolled back.
    """
    command = statement("copy_rows").format(
        table=qualified(table),
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
    )
    with guarded(), connection.cursor() as cursor:
        with cursor.copy(command) as copy:
            for part in data:
                copy.write(part)
        return cursor.rowcount


def existing_ids(connection: Connection, table: TargetTable, ids: Sequence[str]) -> frozenset[str]:
    """Which of the ids the table has; ids as Postgres writes them (uuids in lower case)."""
    query = statement("existing_ids").format(
        id=sql.Identifier(table.id_column), table=table.identifier, type=sql.SQL(table.id_kind.type)
    )
    with guarded():
        rows = connection.execute(query, [list(ids)]).fetchall()
    return frozenset(id_ for (id_,) in rows)
