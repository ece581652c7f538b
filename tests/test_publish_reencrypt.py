"""Moving protected fields to the newest key."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from stager.crypto.fernet_fields import FernetSealer
from stager.crypto.fields import FieldSealer, row_id_bytes
from stager.errors import IntegrityFailed, TenantUnavailable
from stager.publish import reencrypt as module
from stager.publish.reencrypt import reencrypt
from stager.tenant import postgres
from stager.tenant.postgres import Connection
from stager.tenant.registry import Tenant
from tests.postgres import SLUG
from tests.publish_migration import Migration, clinical, staged_copy

LATER = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture(params=["clinic_tenant", "django_tenant"])
def migration(request: pytest.FixtureRequest, tmp_path: Path, everything_staged: Path) -> Iterator[Migration]:
    """Published in both formats: by uuids and AES-GCM, by sequences and Fernet."""
    made = staged_copy(everything_staged, tmp_path, request.getfixturevalue(request.param))
    made.approve()
    made.publish()
    yield made
    made.staging.close()


@pytest.fixture
def target(migration: Migration) -> Iterator[Connection]:
    with postgres.connect(migration.tenant) as connection:
        yield connection


def notes(migration: Migration, target: Connection) -> list[str]:
    """The notes' texts, opened with the migration's keys."""
    if migration.profile.name == "clinic":
        sealer = FieldSealer(migration.keyset, SLUG, "clinical_data_note", "note_text")
        rows = target.execute("select id, note_text from clinical_data_note order by id").fetchall()
        return [sealer.open(text, row_id_bytes(id_)).decode() for id_, text in rows]
    tokens = FernetSealer(migration.keyset, SLUG, "records_encounter", "body")
    rows = target.execute("select id, body from records_encounter order by id").fetchall()
    return [tokens.open(text, b"").decode() for _, text in rows]


def test_everything_moves_to_the_newest_key(
    migration: Migration, target: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Afterwards the newest key alone opens every field; a second time nothing is left to move."""
    monkeypatch.setattr(module, "BATCH_ROWS", 4)
    keyset = migration.keyset.rotated(LATER)
    done = reencrypt(target, migration.tenant, migration.profile, keyset)
    assert sorted(done.moved.values()) == [5, 7, 14]
    migration.keyset = replace(keyset, keys=(keyset.primary,))
    assert notes(migration, target) == [row["note_text"] for row in clinical(14)["notes"]]
    assert reencrypt(target, migration.tenant, migration.profile, keyset).total == 0


def test_ended_halfway_it_goes_on(
    migration: Migration, target: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was moved stays moved, what was not stays readable, and the next command does the rest."""
    monkeypatch.setattr(module, "BATCH_ROWS", 4)
    keyset = migration.keyset.rotated(LATER)

    def end(what: str, done: int, total: int | None) -> None:
        if done >= 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reencrypt(target, migration.tenant, migration.profile, keyset, end)
    migration.keyset = keyset
    assert notes(migration, target) == [row["note_text"] for row in clinical(14)["notes"]]
    rest = reencrypt(target, migration.tenant, migration.profile, keyset).total
    assert 0 < rest < 26


def test_a_field_that_does_not_open_is_named(migration: Migration, target: Connection) -> None:
    """An altered field is an integrity failure that names its row and nothing of it."""
    aes = migration.profile.name == "clinic"
    target.execute(
        "update clinical_data_note set note_text = note_text || '\\x00'"
        if aes
        else "update records_encounter set body = reverse(body)"
    )
    with pytest.raises(IntegrityFailed, match="does not open"):
        reencrypt(target, migration.tenant, migration.profile, migration.keyset.rotated(LATER))


def test_another_tenants_database_is_left_alone(migration: Migration, target: Connection) -> None:
    """The database says whose it is before anything in it is changed."""
    other: Tenant = replace(migration.tenant, slug="oak-practice")
    with pytest.raises(TenantUnavailable, match="belongs to"):
        reencrypt(target, other, migration.profile, migration.keyset)
