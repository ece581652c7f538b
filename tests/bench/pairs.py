"""Pairs of runs, the floor's and stager's in turn: the same files and server, a fresh database for each."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psycopg
from psycopg import sql

from stager.tenant import embedded
from stager.tenant.embedded import Server
from tests.bench.processes import run
from tests.bench.stager_side import SLUG, Stager, StagerRun

ROOT = Path(__file__).resolve().parents[2]
SIDES = ("floor", "stager")
ROWS = {"patients": 20_000, "background": 60_000, "notes": 720_000, "medications": 200_000}
"""The rows of each sheet of the practice of a million."""

COUNTED = ("read", "seal", "copy")
"""The pieces of the floor that count."""

TEMPLATE = "template_bench"
"""The database with the profile's empty tables, which every run gets a copy of."""

TABLES = (
    "users_user",
    "clinical_data_allergy",
    "clinical_data_condition",
    "clinical_data_note",
    "clinical_data_prescription",
)


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
class Asked:
    """What to measure: which practice, how many pairs, which sides."""

    practice: Practice
    repeat: int
    sides: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FloorRun:
    """One run of the floor. seconds, cpu: by piece; `fetch` is not a part of it. rows: that it sent."""

    seconds: dict[str, float]
    cpu: dict[str, float]
    rows: int

    @property
    def whole(self) -> float:
        return sum(self.seconds[piece] for piece in COUNTED)


@dataclass(slots=True)
class Measured:
    """All runs, in their order: the first of `floor` and the first of `stager` are a pair.

    rows: in the files. size: the files' bytes. postgres: the server's version.
    """

    rows: int
    size: int
    postgres: str
    floor: list[FloorRun] = field(default_factory=list)
    stager: list[StagerRun] = field(default_factory=list)


def measure(asked: Asked) -> Measured:
    """Generate the practice, start a PostgreSQL, and run the pairs; says on standard error what it does."""
    with _folder() as folder, _server(folder / "pg") as server:
        _say(f"generating {asked.practice.total:,} rows")
        files = _generate(folder / "practice", asked.practice)
        size = sum(path.stat().st_size for path in files)
        measured = Measured(asked.practice.total, size, _version(server))
        with _fresh(folder / "setup") as setup:
            stager = Stager(setup, server.database(TEMPLATE), _environ(setup))
            stager("tenant", "init", "-t", SLUG)
            verifies = "verify" in stager("--help").output.split()
        one: dict[str, Callable[[Measured, Place], float]] = {
            "floor": _floor,
            "stager": partial(_stager, verifies=verifies),
        }
        for number in range(asked.repeat):
            # Whichever comes second may find caches warm or the disk busy, so they take turns.
            for side in asked.sides if number % 2 == 0 else reversed(asked.sides):
                with _fresh(folder / "run") as own, _database(server, f"{side}_{number}") as dsn:
                    seconds = one[side](measured, Place(files, own, dsn))
                _say(f"pair {number + 1} of {asked.repeat}: {side} {seconds:.1f} s")
        return measured


@dataclass(frozen=True, slots=True)
class Place:
    """What one run has: the files, a folder of its own, a database of its own."""

    files: list[Path]
    folder: Path
    dsn: str


def _floor(measured: Measured, at: Place) -> float:
    command = [sys.executable, "-m", "tests.bench.floor", str(at.files[0].parent), at.dsn, str(at.folder)]
    said = json.loads(run(command, ROOT, _environ(at.folder)).output)
    done = FloorRun(said["seconds"], said["cpu"], sum(said["rows"].values()))
    _require("the floor", done.rows, at.dsn)
    measured.floor.append(done)
    return done.whole


def _stager(measured: Measured, at: Place, *, verifies: bool) -> float:
    done = Stager(at.folder, at.dsn, _environ(at.folder)).run(at.files, verifies=verifies)
    _require("stager", done.published, at.dsn)
    measured.stager.append(done)
    return done.seconds


def _require(side: str, rows: int, dsn: str) -> None:
    """SystemExit unless so many rows are in the tenant: a fast run that lost some is no measurement."""
    counts = sql.SQL(" + ").join(
        sql.SQL("(select count(*) from {})").format(sql.Identifier(table)) for table in TABLES
    )
    with psycopg.connect(dsn) as connection:
        found = connection.execute(sql.SQL("select {}").format(counts)).fetchone()
    if found != (rows,) or rows == 0:
        sys.exit(f"{side} says that it sent {rows} rows, and the database holds {found and found[0]}")


def _generate(out: Path, practice: Practice) -> list[Path]:
    """The practice's files; in a process of its own, whose memory would count for those begun by this one."""
    rows = [f"--{sheet}={count}" for sheet, count in practice.rows.items()]
    more = [f"--seed={practice.seed}", f"--dirt={practice.dirt}"]
    run([sys.executable, "-m", "sample_data.generate", str(out), *rows, *more], ROOT, os.environ)
    return [out / f"{sheet}.csv" for sheet in practice.rows]


def _environ(folder: Path) -> Mapping[str, str]:
    """The environment without the person's own tenants, keys and databases."""
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
def _server(folder: Path) -> Iterator[Server]:
    """A PostgreSQL as a tenant's `dsn = "embedded"` gets it, safe settings and all."""
    server = embedded.start(folder)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def _database(server: Server, name: str) -> Iterator[str]:
    """A new database, dropped at the end. What earlier runs left to be written is on the disk by then."""
    new = sql.Identifier(name)
    _administer(server, sql.SQL("create database {} template {}").format(new, sql.Identifier(TEMPLATE)))
    try:
        _administer(server, sql.SQL("checkpoint"))
        os.sync()
        yield server.dsn(name)
    finally:
        _administer(server, sql.SQL("drop database {} with (force)").format(new))


def _administer(server: Server, statement: sql.SQL | sql.Composed) -> None:
    with psycopg.connect(server.dsn("postgres"), autocommit=True) as connection:
        connection.execute(statement)


def _version(server: Server) -> str:
    with psycopg.connect(server.dsn("postgres")) as connection:
        return connection.info.parameter_status("server_version") or "unknown"


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
