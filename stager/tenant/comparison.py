"""How a tenant's database differs from its profile, before anything is written into it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum

from msgspec import Struct

from stager.tenant.postgres import Connection, guarded
from stager.tenant.profile import IdKind, Profile, TargetColumn, TargetTable
from stager.tenant.putting_off import standing
from stager.tenant.registry import Tenant
from stager.tenant.schema import TENANT_TABLE, relation_path, stager_tables
from stager.tenant.statements import statement


class Differs(Enum):
    """What kind of difference it is."""

    MISSING_TABLE = "the table is missing"
    NO_TABLE = "it is not a table that rows can be copied into"
    NO_PRIVILEGE = "the role lacks a privilege"
    MISSING_COLUMN = "the column is missing"
    OTHER_TYPE = "the column has another type"
    GENERATED = "the database computes the column itself"
    NULL_REFUSED = "the column refuses NULL, which the profile may write"
    NOT_FILLED = "the column needs a value, and the profile has none for it"
    NOT_UNIQUE = "the column is not unique"
    MISSING_SEQUENCE = "the sequence is missing"
    NO_TENANT = "the database does not say which tenant it is"
    OTHER_TENANT = "the database belongs to another tenant"
    PUT_OFF = "put off for publishing and not back yet; if nobody is publishing, run stager publish again"


class Difference(Struct, frozen=True):
    """One thing that is not as the profile has it.

    expected, found: what the profile has and what the database has, where that can be said.
    """

    kind: Differs
    table: str
    column: str | None = None
    expected: str | None = None
    found: str | None = None

    def __str__(self) -> str:
        place = f"{self.table}.{self.column}" if self.column else self.table
        said = [f"expected {self.expected}"] if self.expected else []
        said += [f"found {self.found}"] if self.found else []
        return f"{place}: {self.kind.value}" + (f" ({', '.join(said)})" if said else "")


class _Column(Struct, frozen=True):
    """One column as the database has it."""

    type: str
    not_null: bool
    fills_itself: bool
    generated: bool


class _Relation(Struct, frozen=True):
    """A table, or what else has its name, as the database has it. unique: columns that are so alone."""

    kind: str
    may_insert: bool
    may_select: bool
    columns: dict[str, _Column] = {}
    unique: set[str] = set()


Catalogue = Mapping[str, _Relation]
"""What of the profile's names the database has, by name."""


_RELATION_KINDS = {"v": "a view", "m": "a materialised view", "f": "a foreign table", "S": "a sequence"}
_LONG_NAMES = {"timestamptz": "timestamp with time zone", "varchar": "character varying"}


def check(connection: Connection, tenant: Tenant, profile: Profile) -> list[Difference]:
    """Everything that differs; empty if the profile can be written. Changes nothing.

    Raises TenantUnavailable if the catalogue cannot be read.
    """
    mine = stager_tables(profile)
    sequences = [table.sequence for table in profile.tables if table.sequence is not None]
    with guarded():
        found = _catalogue(connection, [*mine, *(table.table for table in profile.tables), *sequences])
        differences = _tenant(connection, found, tenant.slug)
        for name in mine:
            differences += _relation(found, name)
        for table in profile.tables:
            differences += _table(connection, found, table)
        differences += [
            Difference(Differs.PUT_OFF, each.table, expected=f"the {each.kind} {each.name}")
            for each in standing(connection)
        ]
    return differences


def _catalogue(connection: Connection, names: Iterable[str]) -> Catalogue:
    """Asked once for all of them, since each question is a way to the server and back."""
    named = {relation_path(connection, name): name for name in names}
    relations = connection.execute(statement("relations"), [list(named)]).fetchall()
    found = {path: _Relation(*rest) for path, *rest in relations}
    there = [list(found)]
    for path, name, *rest in connection.execute(statement("relations_columns"), there).fetchall():
        found[path].columns[name] = _Column(*rest)
    for path, name in connection.execute(statement("unique_columns"), there).fetchall():
        found[path].unique.add(name)
    return {named[path]: relation for path, relation in found.items()}


def _tenant(connection: Connection, found: Catalogue, slug: str) -> list[Difference]:
    if _relation(found, TENANT_TABLE):
        return []  # reported with stager's own tables
    row = connection.execute(statement("read_tenant")).fetchone()
    if row is None:
        return [Difference(Differs.NO_TENANT, TENANT_TABLE, expected=slug)]
    if row[0] != slug:
        return [Difference(Differs.OTHER_TENANT, TENANT_TABLE, expected=slug, found=row[0])]
    return []


def _relation(found: Catalogue, name: str) -> list[Difference]:
    """Whether it is there, is a table, and may be used; whose database it is, only init writes."""
    has = found.get(name)
    if has is None:
        return [Difference(Differs.MISSING_TABLE, name)]
    if has.kind not in ("r", "p"):
        return [Difference(Differs.NO_TABLE, name, found=_RELATION_KINDS.get(has.kind, "another kind"))]
    lacking = ["SELECT"] if not has.may_select else []
    lacking += ["INSERT"] if not has.may_insert and name != TENANT_TABLE else []
    return [Difference(Differs.NO_PRIVILEGE, name, expected=", ".join(lacking))] if lacking else []


def _table(connection: Connection, found: Catalogue, table: TargetTable) -> list[Difference]:
    differences = _relation(found, table.table)
    if any(difference.kind is not Differs.NO_PRIVILEGE for difference in differences):
        return differences
    columns, unique = found[table.table].columns, found[table.table].unique
    differences += _id(table, columns, unique)
    for column in table.columns:
        differences += _column(table.table, column, columns.get(column.name), column.name in unique)
    differences += [
        Difference(Differs.NOT_FILLED, table.table, name, found=has.type)
        for name, has in columns.items()
        if has.not_null and not has.fills_itself and name not in table.column_names
    ]
    return differences + _sequence(connection, found, table)


def _id(table: TargetTable, found: Mapping[str, _Column], unique: set[str]) -> list[Difference]:
    name, has = table.id_column, found.get(table.id_column)
    if has is None:
        return [Difference(Differs.MISSING_COLUMN, table.table, name, expected=table.id_kind.type)]
    differences = []
    if has.type != table.id_kind.type:
        differences.append(Difference(Differs.OTHER_TYPE, table.table, name, table.id_kind.type, has.type))
    if name not in unique:
        differences.append(Difference(Differs.NOT_UNIQUE, table.table, name))
    return differences


def _column(table: str, column: TargetColumn, has: _Column | None, unique: bool) -> list[Difference]:
    expected = _spelled(column)
    if has is None:
        return [Difference(Differs.MISSING_COLUMN, table, column.name, expected=expected)]
    differences = []
    if has.generated:
        differences.append(Difference(Differs.GENERATED, table, column.name))
    if has.type != expected:
        differences.append(Difference(Differs.OTHER_TYPE, table, column.name, expected, has.type))
    if has.not_null and column.nullable and column.absent is None:
        differences.append(Difference(Differs.NULL_REFUSED, table, column.name))
    if column.unique and not unique:
        differences.append(Difference(Differs.NOT_UNIQUE, table, column.name))
    return differences


def _sequence(connection: Connection, found: Catalogue, table: TargetTable) -> list[Difference]:
    if table.id_kind is not IdKind.SEQUENCE or table.sequence is None:
        return []
    has = found.get(table.sequence)
    if has is None or has.kind != "S":
        return [Difference(Differs.MISSING_SEQUENCE, table.table, table.id_column, expected=table.sequence)]
    [usable] = connection.execute(
        statement("sequence_usable"), [relation_path(connection, table.sequence)]
    ).fetchone() or (False,)
    return [] if usable else [Difference(Differs.NO_PRIVILEGE, table.sequence, expected="USAGE")]


def _spelled(column: TargetColumn) -> str:
    """The type as Postgres itself spells it."""
    length = column.type.removeprefix(column.base_type)
    return _LONG_NAMES.get(column.base_type, column.base_type) + length
