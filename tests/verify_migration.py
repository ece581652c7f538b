"""A migration that has been through everything, built once, and copies of it for tests to spoil.

Ingested, reconciled against a tenant with people of its own, decided upon, corrected, undone, approved
and published in two runs, then given back its corrected rejects; the tenant is a real PostgreSQL.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

import sample_data
from stager.crypto.staging_key import staging_key
from stager.decisions import Choice, Decision
from stager.session import Filter, Intake, Session, Settings
from stager.staging import Staging
from stager.tenant.embedded import Server
from stager.verify import Verified
from tests.postgres import DJANGO_PROFILE, SLUG, create_database

_numbers = itertools.count(1)

PERSON = "11111111-1111-4111-8111-111111111111"


@dataclass(frozen=True)
class Built:
    """A folder with a staging file, its keys and its tenants file; copied, it is the migration copied."""

    folder: Path
    server: Server
    database: str
    profile: str = "clinic"

    @property
    def settings(self) -> Settings:
        environ = {
            "HOME": str(self.folder),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "STAGER_CHUNK_ROWS": "40",
        }
        return Settings(self.folder / "staging.duckdb", environ, self.folder)

    def session(self) -> Session:
        return Session(self.settings)

    def verify(self, *, tenant: bool = False, deep: bool = False) -> Verified:
        """Verify as the command does, in a session of its own."""
        with self.session() as session:
            return session.verify(SLUG if tenant or deep else None, deep=deep)

    def spoil(self, *statements: str) -> None:
        """Run statements on the staging file past everything that guards it."""
        key = staging_key(self.settings.environ).file_key()
        with Staging.open(self.settings.staging, key, create=False) as staging:
            for each in statements:
                staging._execute(each)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """What a query gives on the staging file."""
        key = staging_key(self.settings.environ).file_key()
        with Staging.open(self.settings.staging, key, create=False) as staging:
            return staging._execute(query).fetchall()

    def spoil_tenant(self, *statements: str) -> None:
        """Run statements on the tenant's database."""
        with psycopg.connect(self.server.dsn(self.database), autocommit=True) as connection:
            for each in statements:
                done = connection.execute(each.encode())
                assert done.rowcount != 0, f"this spoils nothing: {each}"

    @contextmanager
    def opened(self) -> Iterator[Spoilable]:
        """The migration in a session that stays open, for many tests to spoil in turn."""
        with self.session() as session:
            yield Spoilable(self, session, session._open_as_it_is().staging)

    def register(self) -> None:
        """Write the tenants file that leads to the database."""
        dsn = self.server.dsn(self.database)
        text = f"[tenants.{SLUG}]\ndsn = {dsn!r}\nprofile = {self.profile!r}\n"
        (self.folder / "tenants.toml").write_text(text)


@dataclass(frozen=True)
class Spoilable:
    """An open migration that is spoilt in a transaction which never commits."""

    built: Built
    session: Session
    staging: Staging

    @contextmanager
    def spoilt(self, *statements: str) -> Iterator[None]:
        """Inside, the staging file is as these statements leave it; each must change something."""
        self.staging._execute("begin")
        try:
            for each in statements:
                changed = self.staging._execute(each).fetchall()
                assert changed != [(0,)], f"this spoils nothing: {each}"
            yield
        finally:
            self.staging._execute("rollback")


@pytest.fixture(scope="session")
def built(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: Server, templates: tuple[str, ...]
) -> Built:
    """The migration, to be looked at and not touched: `copied` and `beside` are for that."""
    return _build(tmp_path_factory.mktemp("verify"), postgres_server, "clinic", "clinic")


@pytest.fixture(scope="session")
def built_on_sequences(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: Server, templates: tuple[str, ...]
) -> Built:
    """Published in two runs into an application's tables whose ids are drawn from sequences."""
    folder = tmp_path_factory.mktemp("verify-django")
    return _build(folder, postgres_server, "django", str(DJANGO_PROFILE))


@pytest.fixture
def copied(built: Built, tmp_path: Path) -> Built:
    """A copy of the staging file and its keys; the tenant is the built one and must not be spoilt."""
    shutil.copytree(built.folder, tmp_path / "copy")
    return Built(tmp_path / "copy", built.server, built.database)


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Callable[[Built], Built]]:
    """Copies a migration together with its tenant's database, which is dropped after the test."""
    made: list[Built] = []

    def make(built: Built) -> Built:
        number = next(_numbers)
        shutil.copytree(built.folder, tmp_path / f"clone{number}")
        found = Built(tmp_path / f"clone{number}", built.server, f"verify_{number}", built.profile)
        create_database(built.server, found.database, built.database)
        found.register()
        made.append(found)
        return found

    yield make
    for each in made:
        with psycopg.connect(each.server.dsn("postgres"), autocommit=True) as connection:
            drop = sql.SQL("drop database {} with (force)").format(sql.Identifier(each.database))
            connection.execute(drop)


@pytest.fixture
def cloned(clone: Callable[[Built], Built], built: Built) -> Built:
    """A copy of the migration with a tenant of its own."""
    return clone(built)


def _build(folder: Path, server: Server, template: str, profile: str) -> Built:
    built = Built(folder, server, f"built_{next(_numbers)}", profile)
    create_database(server, built.database, template)
    built.register()
    if profile == "clinic":
        built.spoil_tenant(
            "insert into users_user (id, legacy_id, username, first_name, last_name, date_of_birth, role)"
            f" values ('{PERSON}', 'OWN1', 'own', 'a', 'b', '1990-01-01', 'PATIENT')"
        )
    with built.session() as session:
        _take_in(session)
        if profile == "clinic":
            _review(session)
        _publish(session)
        if profile == "clinic":
            _give_back(session, folder)
    return built


def _take_in(session: Session) -> None:
    session.ingest(
        list(sample_data.practice_files().values()), Intake(synthetic=True), actor="engineer", tenant=SLUG
    )
    session.reconcile(actor="engineer", tenant=SLUG)


def _decide(session: Session, code: str, field: str, choice: Choice) -> int:
    """Decide the first open finding of that code and field."""
    return session.decide(session.findings(Filter(code=code, field=field))[:1], choice, actor="reviewer")


def _review(session: Session) -> None:
    _decide(session, "value.unknown", "gender", Choice(Decision.ACCEPT, reason="as written"))
    _decide(session, "value.suspect", "postcode", Choice(Decision.CORRECT, value="LS1 4AP"))
    _decide(session, "value.suspect", "mobile_phone", Choice(Decision.BLANK))
    _decide(session, "value.unknown", "note_type", Choice(Decision.CORRECT, value="gp"))
    taken_back = _decide(session, "value.suspect", "quantity", Choice(Decision.CORRECT, value="28"))
    session.undo(taken_back, actor="reviewer", reason="wrong box")
    every = session.findings(Filter(code="practitioner.unresolved"))
    session.decide(every, Choice(Decision.RELEASE), actor="reviewer")
    session.decide_rows([("notes", "3"), ("notes", "4")], Choice(Decision.EXCLUDE), actor="reviewer")


def _publish(session: Session) -> None:
    session.approve(actor="lead", sheet="patients")
    session.publish(SLUG, actor="engineer")
    _decide(session, "value.suspect", "consulted_at", Choice(Decision.ACCEPT))
    session.approve(actor="lead", reason="the rest")
    session.publish(SLUG, actor="engineer")
    _decide(session, "value.unknown", "severity", Choice(Decision.ACCEPT))


def _give_back(session: Session, folder: Path) -> None:
    """The rejected notes come back corrected, with a column that nobody knows, and one patient more."""
    [rejects] = [file for file in session.rejects() if file.sheet == "notes"]
    text = rejects.content.decode("utf-8-sig").splitlines(keepends=True)
    (folder / "corrected.csv").write_text("".join(text[:4]), encoding="utf-8-sig")
    header = "LegacyPatientID,FirstName,LastName,DateOfBirth,Shoe size"
    (folder / "later.csv").write_text(f"{header}\nL900,Una,Later,1980-02-03,42\n\n", encoding="utf-8")
    session.ingest([Path("corrected.csv"), Path("later.csv")], Intake(), actor="engineer")
    session.reconcile(actor="engineer")
