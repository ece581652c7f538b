"""docs/tenants.md: what it shows to be copied works as it stands there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from psycopg import sql

from stager.tenant.comparison import check
from stager.tenant.postgres import Connection
from stager.tenant.profile import Profile
from stager.tenant.profile_file import _COLUMN_KEYS, _TABLE_KEYS, read_profile
from stager.tenant.registry import _TENANT_KEYS, Registry, Tenant

DOC = (Path(__file__).parents[1] / "docs" / "tenants.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", DOC, re.MULTILINE | re.DOTALL)


def test_the_tenants_file_is_read(tmp_path: Path) -> None:
    """Every tenant of the example is registered and expands."""
    path = tmp_path / "tenants.toml"
    path.write_text(blocks("toml")[0])
    registry = Registry.load(path, {"STAGER_DB_PASSWORD": "x y"}, tmp_path)
    tenants = {slug: registry.tenant(slug) for slug in registry.slugs()}
    assert list(tenants) == ["maple-surgery", "oak-practice", "demo"]
    assert tenants["oak-practice"].profile == str(tmp_path / "profiles" / "oak-practice.toml")
    assert tenants["demo"].embedded_folder is not None


def test_the_worked_profile_is_read() -> None:
    """The example profile takes every sheet and keeps every rule."""
    profile = read_profile(tomllib.loads(blocks("toml")[1]), "docs", "docs")
    assert [table.table for table in profile.tables] == [
        "accounts_user",
        "records_allergy",
        "records_problem",
        "records_encounter",
        "records_prescription",
    ]


def test_every_key_is_explained() -> None:
    """A key that a file may have has a row in its table."""
    for key in (*_TENANT_KEYS, *_COLUMN_KEYS, *(key for key in _TABLE_KEYS if key not in ("id", "columns"))):
        assert f"| `{key}` |" in DOC, key


@pytest.fixture
def writer(clinic: Connection) -> Connection:
    """A connection as a role that has the grants of the page and no more."""
    role = sql.Identifier(f"writer_of_{clinic.info.dbname}")
    clinic.execute(sql.SQL("create role {}").format(role))
    grants = blocks("sql")[0].replace("stager_writer", role.as_string(clinic))
    clinic.execute(grants.encode())
    clinic.execute(sql.SQL("set role {}").format(role))
    return clinic


def test_the_grants_are_enough(writer: Connection, clinic_tenant: Tenant) -> None:
    """A role with the grants of the page has nothing to be told by `check`."""
    assert check(writer, clinic_tenant, Profile.load("clinic")) == []
