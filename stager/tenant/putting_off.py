"""What a first bulk load may work without: foreign keys and indexes, taken from empty tables and put back.

Checking each row's foreign keys and keeping each index up to date as rows come in costs Postgres several
times what checking a full table and building its indexes at once does. Primary keys and whatever is unique
stay: they are what keeps a row from going in twice.

What is not there stands with its exact definition in the table `stager_deferred`, written by the transaction
that took it away and removed by the one that brings it back; where nothing is put off the table is not
there. So whoever is killed at whatever moment, the next one knows what to put back.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from psycopg import sql

from stager.errors import IntegrityFailed, TenantUnavailable
from stager.tenant.postgres import Connection, DataRefused, guarded, transaction
from stager.tenant.profile import Profile, TargetTable
from stager.tenant.schema import relation_path
from stager.tenant.statements import statement

DEFERRED_TABLE = "stager_deferred"

_FOREIGN_KEY = "foreign key"


class PutOff(Struct, frozen=True):
    """One foreign key or index that is not there for now.

    kind: `foreign key` or `index`. table, name: quoted and with their schema, as the catalogue writes them
    (a foreign key's name has none). definition: as the catalogue writes it.
    """

    kind: str
    table: str
    name: str
    definition: str

    @property
    def removal(self) -> sql.Composed:
        """The statement that takes it away."""
        name = "drop_foreign_key" if self.kind == _FOREIGN_KEY else "drop_index"
        return statement(name).format(table=sql.SQL(self.table), name=sql.SQL(self.name))

    @property
    def restoration(self) -> sql.Composed:
        """The statement that brings it back."""
        if self.kind != _FOREIGN_KEY:
            return sql.Composed([sql.SQL(self.definition)])
        return statement("add_foreign_key").format(
            table=sql.SQL(self.table), name=sql.SQL(self.name), definition=sql.SQL(self.definition)
        )


def may_put_off(connection: Connection, profile: Profile) -> list[TargetTable]:
    """The tables of which the profile allows it, and that are empty now."""
    with guarded():
        return [table for table in profile.tables if table.bulk_load and _is_empty(connection, table)]


def put_off(connection: Connection, profile: Profile, tables: Sequence[TargetTable]) -> list[PutOff]:
    """In the current transaction take away what those of the tables that are empty can be without for now.

    Of foreign keys those to the profile's people, which stager's own links fill. Raises TenantUnavailable
    where the role may not, or a lock cannot be had at once; the transaction can only be rolled back then.
    """
    found: list[PutOff] = []
    with guarded():
        connection.execute(statement("wait_briefly_for_locks"))
        for table in tables:
            connection.execute(statement("lock_whole_table").format(table=table.identifier))
            if _is_empty(connection, table):
                found += _removed(connection, table, profile.people)
        if found:
            connection.execute(statement("create_deferred"))
        for each in found:
            values = [each.kind, each.table, each.name, each.definition]
            connection.execute(statement("keep_deferred"), values)
    return found


def standing(connection: Connection) -> list[PutOff]:
    """What is put off and not back, in the order in which to put it back."""
    with guarded():
        there = connection.execute(statement("relation_kind"), [DEFERRED_TABLE]).fetchone()
        rows = connection.execute(statement("read_deferred")).fetchall() if there else []
    return [PutOff(*row) for row in rows]


def put_back(connection: Connection, one: PutOff) -> None:
    """In the current transaction bring it back, and forget that it was put off.

    Raises IntegrityFailed where rows of the table break the foreign key.
    """
    with guarded():
        for setting in ("wait_for_locks", "let_it_take_its_time", "sort_in_memory"):
            connection.execute(statement(setting))
    if not _is_there(connection, one):
        try:
            with guarded():
                connection.execute(one.restoration)
        except DataRefused as refused:
            raise IntegrityFailed(
                f"the {one.kind} {one.name} of {one.table} cannot be put back after publishing: rows there "
                f"name persons who are gone (SQLSTATE {refused.sqlstate})",
                hint="was someone deleted in the application meanwhile? Restore them, or mend those rows, "
                "and run stager publish again",
            ) from None
    with guarded():
        connection.execute(statement("forget_deferred"), [one.kind, one.table, one.name])


def end(connection: Connection) -> None:
    """In the current transaction remove the table that says what is put off, which is empty.

    Raises TenantUnavailable where someone reads it just now.
    """
    with guarded():
        connection.execute(statement("wait_briefly_for_locks"))
        connection.execute(statement("drop_deferred"))


def _is_empty(connection: Connection, table: TargetTable) -> bool:
    found = connection.execute(statement("table_has_rows").format(table=table.identifier)).fetchone()
    return found is not None and not found[0]


def _removed(connection: Connection, table: TargetTable, people: TargetTable) -> list[PutOff]:
    """What was taken from the table; it is shown first, on the empty table, that it comes back the same."""
    found = _removable(connection, table, people)
    for each in found:
        connection.execute(each.removal)
    with transaction(connection, dry_run=True):
        for each in reversed(found):
            connection.execute(each.restoration)
        if _removable(connection, table, people) != found:
            raise TenantUnavailable(
                f"indexes and foreign keys of {table.table} do not come back as they were"
            )
    return found


def _removable(connection: Connection, table: TargetTable, people: TargetTable) -> list[PutOff]:
    oids = [
        connection.execute(statement("plain_table"), [relation_path(connection, each.table)]).fetchone()
        for each in (table, people)
    ]
    persons = [each.name for each in table.columns if each.derived is not None and each.derived.is_person]
    if None in oids:
        return []
    own, theirs = (oid[0] for oid in oids if oid is not None)
    with transaction(connection, dry_run=True):
        connection.execute(statement("name_all_in_full"))
        keys = connection.execute(statement("foreign_keys"), [own, theirs, persons, [people.id_column]])
        found = [PutOff(*row) for row in keys.fetchall()]
        indexes = connection.execute(statement("plain_indexes"), [own])
        return found + [PutOff(*row) for row in indexes.fetchall()]


def _is_there(connection: Connection, one: PutOff) -> bool:
    """Whether someone has put it back by hand."""
    with guarded():
        if one.kind == _FOREIGN_KEY:
            query = connection.execute(statement("foreign_key_is_there"), [one.table, one.name])
        else:
            query = connection.execute(statement("index_is_there"), [one.name])
        row = query.fetchone()
    return row is not None and bool(row[0])
