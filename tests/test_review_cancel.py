"""Publishing stopped by the person who watches it: consistent, and the same step again goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from stager.cli.outcome import exit_code
from stager.cli.screen import Screen
from stager.errors import Cancelled
from stager.session import Session, Settings
from stager.tenant.registry import Tenant
from tests.migration import Migration, cloned

TABLES = (
    "users_user",
    "clinical_data_allergy",
    "clinical_data_condition",
    "clinical_data_note",
    "clinical_data_prescription",
)


class Stopper:
    """Progress that a person stops at its nth word about publishing."""

    def __init__(self, at: int) -> None:
        self.at, self.heard = at, 0

    def __call__(self, what: str, done: int, total: int | None) -> None:
        if what.startswith("publishing"):
            self.heard += 1
            if self.heard == self.at:
                raise Cancelled


@pytest.fixture
def approved(practice_home: Path, tmp_path: Path, clinic_tenant: Tenant) -> Iterator[Session]:
    """The practice, approved, with a tenant to publish to, in chunks of 40 rows."""
    home = tmp_path / "m"
    migration: Migration = cloned(practice_home, home)
    migration.approve()
    migration.close()
    (home / "tenants.toml").write_text(f'[tenants.{clinic_tenant.slug}]\ndsn = "{clinic_tenant.dsn}"\n')
    known = migration.session.settings
    environ = {**known.environ, "STAGER_CHUNK_ROWS": "40"}
    with Session(Settings(known.staging, environ, home, clock=known.clock)) as session:
        yield session


def counts(tenant: Tenant) -> dict[str, int]:
    with psycopg.connect(tenant.dsn) as connection:
        return {
            table: connection.execute(f"select count(*) from {table}").fetchall()[0][0] for table in TABLES
        }


def states(session: Session) -> dict[str, int]:
    found: dict[str, int] = {}
    for sheet in session.status().sheets:
        for state, count in sheet.states.items():
            found[state] = found.get(state, 0) + count
    return found


@pytest.mark.parametrize("at", [3, *(pytest.param(at, marks=pytest.mark.soak) for at in (1, 6))])
def test_stopped_publishing_stands_and_goes_on(approved: Session, clinic_tenant: Tenant, at: int) -> None:
    """What is in is recorded as published; the same step again publishes the rest, each row once."""
    slug = clinic_tenant.slug
    whole = states(approved)["approved"]
    with pytest.raises(Cancelled):
        approved.publish(slug, actor="lead", progress=Stopper(at))
    stopped = states(approved)
    assert 0 < stopped["published"] < whole
    assert stopped["published"] + stopped["approved"] == whole
    assert sum(counts(clinic_tenant).values()) == stopped["published"]
    assert approved.verify(slug)
    done = approved.publish(slug, actor="lead")
    assert done.resumed
    assert done.rows == whole - stopped["published"]
    assert states(approved)["published"] == whole
    assert sum(counts(clinic_tenant).values()) == whole
    assert approved.verify(slug)


@pytest.mark.soak
def test_stopped_again_and_again_it_comes_to_its_end(approved: Session, clinic_tenant: Tenant) -> None:
    """Each time some more is in, and never a row twice."""
    whole, seen = states(approved)["approved"], [0]
    while seen[-1] < whole:
        try:
            approved.publish(clinic_tenant.slug, actor="lead", progress=Stopper(1))
        except Cancelled:
            seen.append(states(approved)["published"])
        assert sum(counts(clinic_tenant).values()) == states(approved)["published"]
        assert len(seen) < 30
    assert seen == sorted(set(seen))


def test_a_rehearsal_that_is_stopped_leaves_nothing(approved: Session, clinic_tenant: Tenant) -> None:
    """No row, no event; and a real run finds everything as it was."""
    before = approved.status()
    with pytest.raises(Cancelled):
        approved.publish(clinic_tenant.slug, actor="lead", dry_run=True, progress=Stopper(2))
    assert approved.status() == before
    assert sum(counts(clinic_tenant).values()) == 0
    assert approved.publish(clinic_tenant.slug, actor="lead").rows > 0


def test_the_command_line_ends_as_after_ctrl_c(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 130, with what stands and how to go on."""
    assert exit_code(Cancelled(), Screen()) == 130
    told = capsys.readouterr().err
    assert "everything so far is consistent" in told
    assert "again goes on from there" in told
