"""A tenant's tables: create them, prove whose they are, compare them with the profile."""

from __future__ import annotations

from psycopg import sql

from stager.errors import TenantUnavailable
from stager.tenant.postgres import Connection, guarded, transaction
from stager.tenant.profile import IdKind, Profile, TargetColumn, TargetTable, qualified
from stager.tenant.registry import Tenant
from stager.tenant.statements import statement

TENANT_TABLE = "stager_tenant"
LEDGER_TABLE = "stager_ledger"
LINEAGE_TABLE = "stager_lineage"


def stager_tables(profile: Profile) -> tuple[str, ...]:
    """Stager's own tables in a tenant of that profile."""
    return (TENANT_TABLE, LEDGER_TABLE, *((LINEAGE_TABLE,) if profile.draws_ids else ()))


def init(connection: Connection, tenant: Tenant, profile: Profile) -> tuple[str, ...]:
    """Create what is missing of the profile's tables and stager's own; the names of those created.

    A table that is there is left as it is: `check` says how it differs. All in one transaction.

    Raises TenantUnavailable if the database belongs to another tenant, or the role may not create.
    """
    with transaction(connection):
        mine = stager_tables(profile)
        wanted = (*mine, *(table.table for table in profile.tables))
        created = [name for name in wanted if not _exists(connection, name)]
        for name in (name for name in mine if name in created):
            connection.execute(statement(f"create_{name.removeprefix('stager_')}"))
        connection.execute(statement("claim_tenant"), [tenant.slug])
        prove_tenant(connection, tenant.slug)
        for table in profile.tables:
            if table.table in created:
                _create(connection, table, profile)
    return tuple(created)


def prove_tenant(connection: Connection, slug: str) -> None:
    """Let the database say that it is this tenant's; TenantUnavailable if it does not.

    Asked before anything is written: a wrong dsn would put one practice's patients in another's.
    """
    with guarded():
        known = _exists(connection, TENANT_TABLE)
        row = connection.execute(statement("read_tenant")).fetchone() if known else None
    if row is None:
        raise TenantUnavailable(
            f"the database does not say which tenant it is, so nothing is written for {slug}",
            hint=f"if it is the right one: `stager tenant init -t {slug}`",
        )
    if row[0] != slug:
        raise TenantUnavailable(
            f"the database belongs to the tenant {row[0]}, not to {slug}",
            hint="see the dsn of both in tenants.toml",
        )


def _exists(connection: Connection, table: str) -> bool:
    found = connection.execute(statement("relation_kind"), [relation_path(connection, table)])
    return found.fetchone() is not None


def relation_path(connection: Connection, name: str) -> str:
    """A table's name as to_regclass wants it: quoted, or it would be folded to lower case."""
    return qualified(name).as_string(connection)


def _create(connection: Connection, table: TargetTable, profile: Profile) -> None:
    id_ = sql.Identifier(table.id_column)
    columns = [_id_definition(table, id_), *(_definition(column, profile) for column in table.columns)]
    connection.execute(
        statement("create_target_table").format(
            table=table.identifier, columns=sql.SQL(", ").join(columns), id=id_
        )
    )
    for column in table.columns:
        if column.derived is not None and column.derived.is_person:
            connection.execute(
                statement("create_reference_index").format(
                    table=table.identifier, column=sql.Identifier(column.name)
                )
            )


def _id_definition(table: TargetTable, id_: sql.Identifier) -> sql.Composed:
    if table.id_kind is IdKind.UUID or table.sequence is None:
        return statement("id_column").format(name=id_, type=sql.SQL("uuid"))
    return statement("drawn_id_column").format(name=id_, sequence=qualified(table.sequence))


def _definition(column: TargetColumn, profile: Profile) -> sql.Composed:
    constraints = [sql.SQL("")]
    if not column.nullable:
        constraints.append(sql.SQL("not null"))
    if column.unique:
        constraints.append(sql.SQL("unique"))
    parts: list[sql.Composable] = list(constraints)
    if column.derived is not None and column.derived.is_person:
        people = profile.people
        parts.append(
            statement("references_people").format(
                people=people.identifier, id=sql.Identifier(people.id_column)
            )
        )
    # The type's text is one of those that profile_rules lets through.
    return statement("target_column").format(
        name=sql.Identifier(column.name), type=sql.SQL(column.type), constraints=sql.SQL(" ").join(parts)
    )
