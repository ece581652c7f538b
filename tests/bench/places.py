"""Where runs take place: the practice, one PostgreSQL, and a fresh folder and database for each run."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from stager.tenant import embedded
from stager.tenant.embedded import Server
from tests.bench.processes import run
from tests.bench.stager_side import SLUG, Stager

ROOT = Path(__file__).resolve().parents[2]
ROWS = {"patients": 20_000, "background": 60_000, "notes": 720_000, "medications": 200_000}
"""The rows of each sheet of the practice of a million."""

EMPTY, PROFILE = "template0", "template_bench"
"""What a run's database is a copy of: an empty one, or one with the profile's empty tables."""


@dataclass(frozen=True, slots=True)
class Practice:
    """The practice to generate: rows of each sheet, seed, share of spoilt rows."""

    rows: Mapping[str, int]
    seed: int = 1
    dirt: float = 0.0

    @property
    def total(self) -> int:
        return sum(self.rows.values())


@dataclass(frozen=True, slots=True)
class Place:
    """What one run has: the files, a folder of its own, a database of its own."""

    files: list[Path]
    folder: Path
    dsn: str

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment without the person's own tenants, keys and databases."""
        return _environ(self.folder)


@dataclass(frozen=True, slots=True)
class Ground:
    """The folder and the server that all runs share."""

    folder: Path
    server: Server

    @contextmanager
    def files(self, practice: Practice) -> Iterator[list[Path]]:
        """The practice's files; gone at the end."""
        with _fresh(self.folder / "practice") as folder:
            say(f"generating {practice.total:,} rows")
            yield _generate(folder, practice)

    @contextmanager
    def place(self, name: str, files: list[Path], template: str = PROFILE) -> Iterator[Place]:
        """A place for one run; gone at the end."""
        with _fresh(self.folder / "run") as own, _database(self.server, name, template) as dsn:
            yield Place(files, own, dsn)

    @property
    def postgres(self) -> str:
        """The server's version."""
        with psycopg.connect(self.server.dsn("postgres")) as connection:
            return connection.info.parameter_status("server_version") or "unknown"


@contextmanager
def ground() -> Iterator[Ground]:
    """A PostgreSQL as a tenant's `dsn = "embedded"` gets it, safe settings and all, with PROFILE in it."""
    with _folder() as folder:
        server = embedded.start(folder / "pg")
        try:
            with _fresh(folder / "setup") as setup:
                stager = Stager(setup, server.database(PROFILE), _environ(setup))
                stager("tenant", "init", "-t", SLUG)
            yield Ground(folder, server)
        finally:
            server.stop()


def require_rows(side: str, rows: int, dsn: str, tables: Sequence[str], schema: str = "public") -> None:
    """SystemExit unless so many rows are in the tables: a fast run that lost some is no measurement."""
    counts = sql.SQL(" + ").join(
        sql.SQL("(select count(*) from {})").format(sql.Identifier(schema, table)) for table in tables
    )
    with psycopg.connect(dsn) as connection:
        found = connection.execute(sql.SQL("select {}").format(counts)).fetchone()
    if found != (rows,) or rows == 0:
        sys.exit(f"{side} says that it sent {rows} rows, and the database holds {found and found[0]}")


def say(words: str) -> None:
    """What is being done, on standard error."""
    print(words, file=sys.stderr, flush=True)


def _generate(out: Path, practice: Practice) -> list[Path]:
    """The practice's files; in a process of its own, whose memory would count for those begun by this one."""
    rows = [f"--{sheet}={count}" for sheet, count in practice.rows.items()]
    more = [f"--seed={practice.seed}", f"--dirt={practice.dirt}"]
    run([sys.executable, "-m", "sample_data.generate", str(out), *rows, *more], ROOT, os.environ)
    return [out / f"{sheet}.csv" for sheet in practice.rows]


def _environ(folder: Path) -> Mapping[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("STAGER_", "PG"))}
    return {**kept, "XDG_DATA_HOME": str(folder / "data"), "XDG_STATE_HOME": str(folder / "state")}


@contextmanager
def _folder() -> Iterator[Path]:
    """A temporary folder that the account may pass through which runs root's PostgreSQL."""
    folder = Path(tempfile.mkdtemp(prefix="stager-bench-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def _fresh(folder: Path) -> Iterator[Path]:
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def _database(server: Server, name: str, template: str) -> Iterator[str]:
    """A new database, dropped at the end. What earlier runs left to be written is on the disk by then."""
    new = sql.Identifier(name)
    _administer(server, sql.SQL("create database {} template {}").format(new, sql.Identifier(template)))
    try:
        _administer(server, sql.SQL("checkpoint"))
        os.sync()
        yield server.dsn(name)
    finally:
        _administer(server, sql.SQL("drop database {} with (force)").format(new))


def _administer(server: Server, statement: sql.SQL | sql.Composed) -> None:
    with psycopg.connect(server.dsn("postgres"), autocommit=True) as connection:
        connection.execute(statement)
