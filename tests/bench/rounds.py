"""Rounds of runs, the sides in turn: the same files and server, a fresh database for each."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from tests.bench.places import EMPTY, PROFILE, ROOT, Place, Practice, ground, require_rows, say
from tests.bench.processes import Ran, run
from tests.bench.stager_side import ImportRun, Stager, StagerRun

SIDES = ("floor", "dlt", "stager", "import")
COUNTED = ("read", "seal", "copy")
"""The pieces of the floor that count."""

TABLES = (
    "users_user",
    "clinical_data_allergy",
    "clinical_data_condition",
    "clinical_data_note",
    "clinical_data_prescription",
)

NEEDED = {"dlt": ("dlt", "psycopg2", "adbc_driver_postgresql")}
"""What a side is made of that only the extra `bench` installs."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What to measure: which practice, how many rounds, which sides."""

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


@dataclass(frozen=True, slots=True)
class DltRun:
    """One run of dlt's bare load. peak: bytes."""

    seconds: float
    cpu: float
    peak: int
    rows: int


@dataclass(slots=True)
class Measured:
    """All runs, in their order: the first of each side are a round.

    rows: in the files. size: the files' bytes. postgres: the server's version.
    """

    rows: int
    size: int
    postgres: str
    floor: list[FloorRun] = field(default_factory=list)
    dlt: list[DltRun] = field(default_factory=list)
    stager: list[StagerRun] = field(default_factory=list)
    imported: list[ImportRun] = field(default_factory=list)


def missing(side: str) -> list[str]:
    """The modules that a side needs and that are not installed."""
    return [module for module in NEEDED.get(side, ()) if find_spec(module) is None]


def measure(asked: Asked) -> Measured:
    """Generate the practice, start a PostgreSQL, and run the rounds; says on standard error what it does."""
    with ground() as shared, shared.files(asked.practice) as files:
        size = sum(path.stat().st_size for path in files)
        measured = Measured(asked.practice.total, size, shared.postgres)
        for number in range(asked.repeat):
            for side in in_turn(asked.sides, number):
                template = EMPTY if side == "dlt" else PROFILE
                with shared.place(f"{side}_{number}", files, template) as at:
                    seconds = _RUN[side](measured, at)
                say(f"round {number + 1} of {asked.repeat}: {side} {seconds:.1f} s")
        return measured


def in_turn(sides: tuple[str, ...], number: int) -> tuple[str, ...]:
    """The sides of that round: whichever comes later may find caches warm or the disk busy."""
    first = number % len(sides)
    return sides[first:] + sides[:first]


def _floor(measured: Measured, at: Place) -> float:
    said = json.loads(_module("floor", at).output)
    done = FloorRun(said["seconds"], said["cpu"], sum(said["rows"].values()))
    require_rows("the floor", done.rows, at.dsn, TABLES)
    measured.floor.append(done)
    return done.whole


def _dlt(measured: Measured, at: Place) -> float:
    own = str(at.folder)
    quiet = {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "CRITICAL"}
    ran = _module("dlt_side", at, {**quiet, "DLT_DATA_DIR": own, "DLT_PROJECT_DIR": own})
    said = json.loads(ran.output)
    done = DltRun(said["seconds"], said["cpu"], ran.peak, sum(said["rows"].values()))
    require_rows("dlt", done.rows, at.dsn, tuple(said["rows"]), said["schema"])
    measured.dlt.append(done)
    return done.seconds


def _stager(measured: Measured, at: Place) -> float:
    measured.stager.append(run_stager(at))
    return measured.stager[-1].seconds


def _import(measured: Measured, at: Place) -> float:
    done = Stager(at.folder, at.dsn, at.environ).bring_in(at.files)
    require_rows("stager import", done.published, at.dsn, TABLES)
    measured.imported.append(done)
    return done.ran.seconds


def run_stager(at: Place) -> StagerRun:
    """Stager's run there. SystemExit unless every row that it published is in the database."""
    done = Stager(at.folder, at.dsn, at.environ).run(at.files)
    require_rows("stager", done.published + done.late, at.dsn, TABLES)
    return done


def _module(name: str, at: Place, more: Mapping[str, str] | None = None) -> Ran:
    """One of this folder's programs, told the files' folder, the database and a folder of its own."""
    command = [sys.executable, "-m", f"tests.bench.{name}", *map(str, (_folder(at), at.dsn, at.folder))]
    return run(command, ROOT, {**at.environ, **(more or {})})


def _folder(at: Place) -> Path:
    return at.files[0].parent


_RUN: dict[str, Callable[[Measured, Place], float]] = {
    "floor": _floor,
    "dlt": _dlt,
    "stager": _stager,
    "import": _import,
}
