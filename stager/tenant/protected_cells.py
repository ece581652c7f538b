"""Sealed values read from a tenant's table in the order of its ids, and replaced: for a change of keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from psycopg import sql

from stager.tenant.postgres import Connection, guarded
from stager.tenant.profile import Profile, Protect, TargetTable
from stager.tenant.statements import statement

Cells = tuple[UUID | int, *tuple[bytes | str | None, ...]]
"""A row's id and its sealed values, in the order of the columns asked for."""


def read_cells(
    connection: Connection, table: TargetTable, columns: Sequence[str], after: UUID | int | None, count: int
) -> list[Cells]:
    """The next rows behind the id `after` (None: from the first), at most `count`."""
    places = _places(table, columns)
    condition = sql.SQL("true") if after is None else sql.SQL("{} > %s").format(places["id"])
    query = statement("read_protected_cells").format(after=condition, **places)
    with guarded():
        return _cells(connection.execute(query, [*([] if after is None else [after]), count]).fetchall())


def lock_cells(
    connection: Connection, table: TargetTable, columns: Sequence[str], ids: Sequence[UUID | int]
) -> list[Cells]:
    """These rows as they are now, kept from change by others until the transaction ends."""
    query = statement("lock_protected_cells").format(**_places(table, columns))
    with guarded():
        return _cells(connection.execute(query, [list(ids)]).fetchall())


def replace_cells(
    connection: Connection, table: TargetTable, columns: Sequence[str], rows: Sequence[Cells]
) -> None:
    """Write the rows' sealed values, in the current transaction."""
    assignments = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in columns)
    query = statement("replace_protected_cells").format(
        table=table.identifier, id=sql.Identifier(table.id_column), assignments=assignments
    )
    with guarded(), connection.cursor() as cursor:
        cursor.executemany(query, [(*values, id_) for id_, *values in rows])


def key_ids(connection: Connection, profile: Profile) -> frozenset[bytes]:
    """The ids of the keys that the sealed columns show, by one value of each; none while all are empty.

    Only for stager's own format: a Fernet token carries no key id, and an application may have its own.
    """
    found: set[bytes] = set()
    for table in profile.tables:
        for column in table.columns:
            if column.protect is Protect.AES_256_GCM:
                query = statement("key_of_protected_cell").format(
                    column=sql.Identifier(column.name), table=table.identifier
                )
                with guarded():
                    found |= {bytes(row[0]) for row in connection.execute(query).fetchall()}
    return frozenset(found)


def _places(table: TargetTable, columns: Sequence[str]) -> dict[str, sql.Composable]:
    id_ = sql.Identifier(table.id_column)
    listed = sql.SQL(", ").join([id_, *map(sql.Identifier, columns)])
    return {"columns": listed, "table": table.identifier, "id": id_}


def _cells(rows: Sequence[tuple[Any, ...]]) -> list[Cells]:
    return [(row[0], *row[1:]) for row in rows]
