"""Setting a tenant's database up, comparing it with its profile, and whose it is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace
from psycopg import sql

from stager.errors import TenantUnavailable
from stager.tenant import postgres, schema
from stager.tenant.comparison import Differs, check
from stager.tenant.postgres import Connection
from stager.tenant.profile import Profile
from stager.tenant.registry import Tenant
from tests.postgres import DJANGO_PROFILE

CLINIC = Profile.load("clinic")
DJANGO = Profile.load(DJANGO_PROFILE)


def columns_of(connection: Connection, table: str) -> list[tuple[str, str, bool]]:
    """(column, type, may be NULL) in the table's order."""
    rows = connection.execute(
        "select attname, format_type(atttypid, atttypmod), not attnotnull from pg_attribute"
        " where attrelid = %s::regclass and attnum > 0 order by attnum",
        [table],
    )
    return [(str(name), str(type_), bool(null)) for name, type_, null in rows.fetchall()]


def test_init_creates_the_clinic_tables(clinic: Connection) -> None:
    """`clinic` has the tables and columns that the design names, sealed columns as bytea."""
    assert columns_of(clinic, "clinical_data_note") == [
        ("id", "uuid", False),
        ("patient_id", "uuid", False),
        ("practitioner_id", "uuid", True),
        ("consulted_at", "timestamp with time zone", False),
        ("note_type", "text", False),
        ("note_text", "bytea", False),
        ("diagnosis", "bytea", True),
        ("clinical_code", "text", True),
    ]
    user = {name: (type_, null) for name, type_, null in columns_of(clinic, "users_user")}
    assert user["nhs_number"] == ("bytea", True)
    assert user["nhs_number_index"] == ("bytea", True)
    assert user["date_of_birth"] == ("date", False)
    assert len(user) == 17


def test_init_indexes_and_references_patients(clinic: Connection) -> None:
    """Every table of a patient's rows refers to the people's table and has an index on the reference."""
    for table in ("allergy", "condition", "note", "prescription"):
        name = f"clinical_data_{table}"
        references = clinic.execute(
            "select confrelid::regclass::text from pg_constraint"
            " where conrelid = %s::regclass and contype = 'f'",
            [name],
        ).fetchall()
        assert {row[0] for row in references} == {"users_user"}
        indexes = clinic.execute("select indexdef from pg_indexes where tablename = %s", [name]).fetchall()
        assert any("(patient_id)" in row[0] for row in indexes)


def test_init_again_creates_nothing(clinic: Connection, clinic_tenant: Tenant) -> None:
    """A second init finds everything there, changes nothing and says so."""
    before = columns_of(clinic, "users_user")
    assert schema.init(clinic, clinic_tenant, CLINIC) == ()
    assert columns_of(clinic, "users_user") == before
    assert check(clinic, clinic_tenant, CLINIC) == []


def test_init_names_what_it_created(blank: Connection, blank_tenant: Tenant) -> None:
    """uuid profiles need no lineage table; the names come back in the order of creation."""
    created = schema.init(blank, blank_tenant, CLINIC)
    assert created[:3] == ("stager_tenant", "stager_ledger", "users_user")
    assert "stager_lineage" not in created


def test_init_can_create_a_sequence_profile(blank: Connection, blank_tenant: Tenant) -> None:
    """A profile with drawn ids can be set up from nothing too, its named sequence included."""
    assert "stager_lineage" in schema.init(blank, blank_tenant, DJANGO)
    assert check(blank, blank_tenant, DJANGO) == []


def test_init_beside_an_application_adds_only_stagers_tables(
    django: Connection, django_tenant: Tenant
) -> None:
    """An application's tables stay as they are and suit the profile."""
    assert check(django, django_tenant, DJANGO) == []
    tables = django.execute("select relname from pg_class where relname like 'stager%' and relkind = 'r'")
    assert {row[0] for row in tables} == {"stager_tenant", "stager_ledger", "stager_lineage"}


def test_another_tenants_database_is_refused(clinic: Connection, clinic_tenant: Tenant) -> None:
    """init and the proof before writing both refuse a database that belongs to another tenant."""
    other = replace(clinic_tenant, slug="oak-practice")
    with pytest.raises(TenantUnavailable, match="belongs to the tenant maple-surgery"):
        schema.init(clinic, other, CLINIC)
    with pytest.raises(TenantUnavailable, match="belongs to the tenant maple-surgery"):
        schema.prove_tenant(clinic, "oak-practice")
    schema.prove_tenant(clinic, "maple-surgery")
    assert [d.kind for d in check(clinic, other, CLINIC)] == [Differs.OTHER_TENANT]


def test_a_database_that_does_not_say_whose_it_is_is_refused(blank: Connection, clinic: Connection) -> None:
    """Neither a database without the table nor one with an empty table proves anything."""
    with pytest.raises(TenantUnavailable, match="does not say which tenant"):
        schema.prove_tenant(blank, "maple-surgery")
    clinic.execute("delete from stager_tenant")
    with pytest.raises(TenantUnavailable, match="does not say which tenant"):
        schema.prove_tenant(clinic, "maple-surgery")


def test_only_one_tenant_can_ever_be_named(clinic: Connection) -> None:
    """A second row in stager_tenant is impossible, so the answer is never one of two."""
    with pytest.raises(postgres.DataRefused), postgres.transaction(clinic):
        clinic.execute("insert into stager_tenant (slug) values ('oak-practice')")


COMPUTED_CITY = """
alter table users_user drop column city;
alter table users_user add column city text generated always as (postcode) stored
"""

ALTERATIONS = [
    ("drop table clinical_data_note", Differs.MISSING_TABLE, "clinical_data_note", None),
    ("drop table stager_ledger", Differs.MISSING_TABLE, "stager_ledger", None),
    ("drop table stager_tenant", Differs.MISSING_TABLE, "stager_tenant", None),
    ("delete from stager_tenant", Differs.NO_TENANT, "stager_tenant", None),
    (
        "alter table clinical_data_note rename to n; create view clinical_data_note as select * from n",
        *(Differs.NO_TABLE, "clinical_data_note", None),
    ),
    ("alter table users_user drop column city", Differs.MISSING_COLUMN, "users_user", "city"),
    (
        "alter table clinical_data_note drop column id",
        *(Differs.MISSING_COLUMN, "clinical_data_note", "id"),
    ),
    (
        "alter table users_user alter column city type varchar(9)",
        *(Differs.OTHER_TYPE, "users_user", "city"),
    ),
    ("alter table users_user alter column city set not null", Differs.NULL_REFUSED, "users_user", "city"),
    ("alter table users_user add column pin text not null", Differs.NOT_FILLED, "users_user", "pin"),
    (
        "alter table users_user drop constraint users_user_username_key",
        *(Differs.NOT_UNIQUE, "users_user", "username"),
    ),
    (
        "alter table clinical_data_note drop constraint clinical_data_note_pkey",
        *(Differs.NOT_UNIQUE, "clinical_data_note", "id"),
    ),
    (
        COMPUTED_CITY,
        *(Differs.GENERATED, "users_user", "city"),
    ),
]


@pytest.mark.parametrize(("alteration", "kind", "table", "column"), ALTERATIONS)
def test_check_finds_each_kind_of_difference(
    clinic: Connection,
    clinic_tenant: Tenant,
    alteration: str,
    kind: Differs,
    table: str,
    column: str | None,
) -> None:
    """Each alteration of a database that was right is found, named, and is the only one."""
    clinic.execute(alteration.encode())
    [difference] = check(clinic, clinic_tenant, CLINIC)
    assert (difference.kind, difference.table, difference.column) == (kind, table, column)
    assert str(difference).startswith(f"{table}.{column}:" if column else f"{table}:")


def test_check_allows_what_does_not_matter(clinic: Connection, clinic_tenant: Tenant) -> None:
    """Further columns that fill themselves or may be NULL are the application's own business."""
    clinic.execute("alter table users_user add column made_at timestamptz not null default now()")
    clinic.execute("alter table users_user add column nickname text")
    assert check(clinic, clinic_tenant, CLINIC) == []


def test_check_finds_a_missing_sequence(django: Connection, django_tenant: Tenant) -> None:
    """A sequence that is not there would stop the first chunk; check says so before."""
    django.execute("alter sequence records_note_ids rename to other_ids")
    [difference] = check(django, django_tenant, DJANGO)
    assert difference.kind is Differs.MISSING_SEQUENCE
    assert difference.expected == "records_note_ids"


def test_check_finds_missing_privileges(new_tenant: Callable[[str], Tenant]) -> None:
    """A role that may read and not write is found, table by table, and the sequence too."""
    tenant = new_tenant("django")
    with postgres.connect(tenant) as owner:
        role = sql.Identifier(f"clerk_of_{owner.info.dbname}")
        owner.execute(sql.SQL("create role {}").format(role))
        owner.execute(sql.SQL("grant select on all tables in schema public to {}").format(role))
        owner.execute(sql.SQL("set role {}").format(role))
        differences = check(owner, tenant, DJANGO)
        owner.execute("reset role")
        owner.execute(sql.SQL("drop owned by {0}; drop role {0}").format(role))
    assert {difference.kind for difference in differences} == {Differs.NO_PRIVILEGE}
    assert {difference.table for difference in differences} >= {"stager_ledger", "records_note_ids"}


def test_names_are_quoted(blank: Connection, blank_tenant: Tenant) -> None:
    """A profile's names are identifiers whatever they hold: capitals, spaces, quotes, a schema."""
    blank.execute('create schema "My Clinic"')
    people = replace(CLINIC.people, table='My Clinic.Users"; drop table x; --')
    profile = replace(CLINIC, tables=(people, *CLINIC.tables[1:]))
    schema.init(blank, blank_tenant, profile)
    assert check(blank, blank_tenant, profile) == []
