"""A real PostgreSQL for the tests: one server for the session, a database of its own for each test.

The databases are cloned from templates that are set up once, so a test pays some hundredths of a second.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from stager.tenant import embedded, postgres, schema
from stager.tenant.embedded import Server
from stager.tenant.postgres import Connection
from stager.tenant.profile import Profile
from stager.tenant.registry import Tenant

FIXTURES = Path(__file__).parent / "fixtures"
DJANGO_PROFILE = FIXTURES / "django_profile.toml"
SLUG = "maple-surgery"

UNSAFE_AND_FAST = {"fsync": "off", "full_page_writes": "off"}
"""Only for servers that a test throws away."""


def open_folder(prefix: str) -> Path:
    """A new folder outside any home that root's server account can pass through."""
    places = (tempfile.gettempdir(), "/var/tmp")
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=next(filter(os.path.isdir, places))))
    folder.chmod(0o711)
    return folder


@pytest.fixture(scope="session")
def data_homes() -> Iterator[Path]:
    """Where the tests' data homes stand: as root, pytest's own folder is closed to the server's account."""
    folder = open_folder("stager-data-")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """The session's server, stopped and removed at its end."""
    folder = open_folder("stager-pg-")
    server = embedded.start(folder / "server", UNSAFE_AND_FAST)
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture
def killable_server() -> Iterator[Server]:
    """A server for one test, which may kill it; started again by `embedded.start(server.folder)`."""
    folder = open_folder("stager-kill-")
    server = embedded.start(folder / "server")
    yield server
    server.stop()
    shutil.rmtree(folder)


def tenant_at(server: Server, database: str, profile: str | Path = "clinic", slug: str = SLUG) -> Tenant:
    """A tenant whose database is that one."""
    return Tenant(slug=slug, dsn=server.dsn(database), profile=str(profile))


def create_database(server: Server, name: str, template: str = "template0") -> None:
    with psycopg.connect(server.dsn("postgres"), autocommit=True) as connection:
        statement = sql.SQL("create database {} template {}")
        connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))


def defined(target: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    """Every constraint and index of the tenant, as the catalogue defines it."""
    return target.execute(
        "select conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated from pg_constraint"
        " where connamespace = 'public'::regnamespace"
        " union all select indrelid::regclass::text, indexrelid::regclass::text, pg_get_indexdef(indexrelid),"
        " indisvalid from pg_index join pg_class on pg_class.oid = indexrelid"
        " where relnamespace = 'public'::regnamespace order by 1, 2, 3"
    ).fetchall()


@pytest.fixture(scope="session")
def templates(postgres_server: Server) -> tuple[str, str, str]:
    """The databases that tests clone: empty, `clinic` set up, a Django application's set up."""
    for name in ("blank", "clinic", "django"):
        create_database(postgres_server, name)
    tenant = tenant_at(postgres_server, "clinic")
    with postgres.connect(tenant) as connection:
        schema.init(connection, tenant, Profile.load("clinic"))
    tenant = tenant_at(postgres_server, "django", DJANGO_PROFILE)
    with postgres.connect(tenant) as connection:
        connection.execute((FIXTURES / "django_schema.sql").read_bytes())
        schema.init(connection, tenant, Profile.load(DJANGO_PROFILE))
    return ("blank", "clinic", "django")


_numbers = itertools.count(1)


@pytest.fixture
def new_tenant(postgres_server: Server, templates: tuple[str, ...]) -> Iterator[Callable[[str], Tenant]]:
    """Make a tenant with a database cloned from `blank`, `clinic` or `django`; dropped after the test."""
    made: list[str] = []

    def make(template: str) -> Tenant:
        name = f"test_{next(_numbers)}"
        create_database(postgres_server, name, template)
        made.append(name)
        return tenant_at(postgres_server, name, DJANGO_PROFILE if template == "django" else "clinic")

    yield make
    with psycopg.connect(postgres_server.dsn("postgres"), autocommit=True) as connection:
        for name in made:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture
def blank_tenant(new_tenant: Callable[[str], Tenant]) -> Tenant:
    """A tenant with an empty database."""
    return new_tenant("blank")


@pytest.fixture
def clinic_tenant(new_tenant: Callable[[str], Tenant]) -> Tenant:
    """The tenant maple-surgery, its database set up by the profile `clinic`."""
    return new_tenant("clinic")


@pytest.fixture
def django_tenant(new_tenant: Callable[[str], Tenant]) -> Tenant:
    """The tenant maple-surgery with an existing application's tables and stager's own."""
    return new_tenant("django")


def _connected(tenant: Tenant) -> Iterator[Connection]:
    connection = postgres.connect(tenant)
    yield connection
    connection.close()


@pytest.fixture
def blank(blank_tenant: Tenant) -> Iterator[Connection]:
    """A connection to the empty database."""
    yield from _connected(blank_tenant)


@pytest.fixture
def clinic(clinic_tenant: Tenant) -> Iterator[Connection]:
    """A connection to the database set up by the profile `clinic`."""
    yield from _connected(clinic_tenant)


@pytest.fixture
def target(clinic: Connection) -> Connection:
    """The same, by the name it has where something is published into it."""
    return clinic


@pytest.fixture
def django(django_tenant: Tenant) -> Iterator[Connection]:
    """A connection to the database with an existing application's tables."""
    yield from _connected(django_tenant)
