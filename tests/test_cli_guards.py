"""What must hold before a row may go to a tenant: its own people were compared, its own keys are here."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cli_calls import Stager, caller, copied, own_place
from test_cli_publishing import SLUG, _register

from stager.tenant import postgres
from stager.tenant.registry import Tenant

LEGACY_ID_OF_ROW_1 = "GP01"


@pytest.fixture
def practice(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    clinic_tenant: Tenant,
    staged: Path,
) -> Stager:
    """The sample practice, reconciled without its tenant, in a folder that registers the tenant."""
    own_place(monkeypatch, tmp_path)
    _register(tmp_path, clinic_tenant)
    copied(staged, monkeypatch, tmp_path)
    return caller(capsys)


def _add_person(tenant: Tenant, legacy_id: str) -> None:
    with postgres.connect(tenant) as connection:
        connection.execute(
            "insert into users_user (id, legacy_id, username, first_name, last_name, date_of_birth, role)"
            " values (gen_random_uuid(), %s, 'own.user', 'Own', 'User', '1970-01-01', 'PATIENT')",
            [legacy_id],
        )


def test_a_tenant_with_people_of_its_own_is_compared_first(practice: Stager, clinic_tenant: Tenant) -> None:
    """Nothing is published beside people whom no row was compared with; comparing them clears the way."""
    _add_person(clinic_tenant, "OWN-1")
    practice("approve").done()
    refused = practice("publish", "-t", SLUG)
    assert refused.code == 4
    assert "1 person of its own" in refused.err
    practice("reconcile", "-t", SLUG).done()
    practice("publish", "-t", SLUG).done()


def test_a_bound_tenant_is_looked_at_without_being_named(practice: Stager, clinic_tenant: Tenant) -> None:
    """`reconcile` without -t reads the people of the tenant that the file is bound to."""
    practice("reconcile", "-t", SLUG).done()
    first = practice("rows", "--sheet", "patients", "--state", "ready", "--json").done().out
    assert '"row":1,' in first
    _add_person(clinic_tenant, LEGACY_ID_OF_ROW_1)
    practice("reconcile").done()
    held = practice("rows", "--sheet", "patients", "--code", "patient.id_shared", "--json").done().out
    assert '"row":1,' in held


def test_another_keyset_publishes_nothing(practice: Stager, tmp_path: Path) -> None:
    """Where the tenant's fields are sealed under keys that are not here, publishing ends with 5."""
    practice("approve", "--sheet", "patients").done()
    first = practice("publish", "-t", SLUG).done()
    assert "back both up" in first.err
    keys = tmp_path / "config" / "stager" / "keys"
    shutil.rmtree(keys / "tenants")
    (keys / "kek.key").unlink()
    practice("approve").done()
    refused = practice("publish", "-t", SLUG)
    assert refused.code == 5
    assert "sealed under the key" in refused.err
