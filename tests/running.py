"""Stager as a process of its own: in a folder with its own keys and settings, its output captured."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from stager.session import Session, Settings
from stager.session.views import RowLine
from tests.cli_calls import Called

ROOT = Path(__file__).parents[1]
Reached: TypeAlias = Callable[[], bool]
"""Whether a moment has come."""

ROUNDS = int(os.environ.get("SOAK_ROUNDS", "40"))
"""How often the soaking tests try."""

Capture: TypeAlias = pytest.CaptureFixture[str]
SECONDS = 120.0
"""How long a command may take on a busy machine before it counts as hanging."""

_OURS = ("STAGER_", "PG", "XDG_", "COVERAGE")


@dataclass(frozen=True)
class Place:
    """A folder with a staging file, keys and settings of its own, and what the environment adds to them.

    The folder copied is the place copied: every key and every file is below it.
    """

    folder: Path
    environ: Mapping[str, str] = field(default_factory=dict)

    @property
    def staging(self) -> Path:
        return self.folder / "staging.duckdb"

    @property
    def keys(self) -> Path:
        return self.folder / "config" / "stager" / "keys"

    @property
    def whole_environ(self) -> dict[str, str]:
        """The environment that its processes get."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        own = {
            "HOME": str(self.folder / "home"),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "XDG_DATA_HOME": str(self.folder / "data"),
            "XDG_STATE_HOME": str(self.folder / "state"),
            "STAGER_ACTOR": "tester",
            "PYTHONPATH": str(ROOT),
        }
        return {**kept, **own, **self.environ}

    def start(self, *arguments: str | Path, **options: Any) -> Running:
        """Start a command, in a process group of its own. options: of the process."""
        command = [sys.executable, "-m", "stager.cli", *map(str, arguments)]
        options = {"cwd": self.folder, "env": self.whole_environ, "stdin": subprocess.DEVNULL, **options}
        return Running(
            subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="surrogateescape",
                start_new_session=True,
                **options,
            )
        )

    def call(self, *arguments: str | Path, **options: Any) -> Called:
        """Run a command to its end."""
        return self.start(*arguments, **options).ended()

    def session(self) -> Session:
        """A session of this process on the place's staging file."""
        return Session(Settings(Path("staging.duckdb"), self.whole_environ, self.folder))

    def copied(self, folder: Path) -> Place:
        """The same place in another folder, which must not be there yet."""
        shutil.copytree(self.folder, folder)
        return Place(folder, self.environ)

    def register(self, slug: str, dsn: str, more: str = "") -> None:
        """Make this the one registered tenant. more: further lines of its entry."""
        text = f"[tenants.{slug}]\ndsn = '{dsn}'\n{more}\n"
        (self.folder / "tenants.toml").write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class Running:
    """A command under way."""

    process: subprocess.Popen[str]

    def ended(self) -> Called:
        """What it gave when it ended; a hanging one is killed and fails the test."""
        try:
            out, err = self.process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            self.send(signal.SIGKILL, group=True)
            self.process.communicate()
            raise
        return Called(self.process.returncode, out, err)

    def send(self, number: signal.Signals, *, group: bool = False) -> None:
        """Send it a signal; group: to all its processes, as a terminal's Ctrl-C."""
        if self.process.poll() is None:
            (os.killpg if group else os.kill)(self.process.pid, number)

    def when(self, reached: Reached, number: signal.Signals, *, group: bool = False) -> Called:
        """Send it a signal as soon as something is reached, if it is while it runs; what it gave."""
        return self.meanwhile(reached, lambda: self.send(number, group=group))

    def meanwhile(self, reached: Reached, act: Callable[[], object]) -> Called:
        """Do something as soon as something is reached, at the latest when it has ended; what it gave."""
        until = time.monotonic() + SECONDS
        while self.process.poll() is None and not reached() and time.monotonic() < until:
            time.sleep(0.001)
        act()
        return self.ended()


def new_chance(capsys: Capture) -> random.Random:
    """Another chance each time, its seed printed; SOAK_SEED repeats one."""
    seed = int(os.environ.get("SOAK_SEED", random.SystemRandom().randrange(10**9)))
    with capsys.disabled():
        print(f" SOAK_SEED={seed}", end=" ", flush=True)
    return random.Random(seed)


def after(seconds: float) -> Reached:
    """Reached when so much time has passed."""
    until = time.monotonic() + seconds
    return lambda: time.monotonic() >= until


@dataclass(frozen=True)
class State:
    """What a staging file says: how many events, every row as it stands, the projections' digest."""

    events: int
    rows: tuple[RowLine, ...]
    digest: str


def state_of(place: Place) -> State:
    """The state of its staging file, which must also be what folding the whole log anew gives."""
    with place.session() as session:
        events, rows = session.status().events, tuple(session.rows())
        kept, folded = session.rebuild()
    assert kept == folded
    return State(events, rows, kept)


def require_clean(called: Called, *marks: str) -> None:
    """No traceback, nothing that acts on a terminal, and none of the marks that stand in cells."""
    said = called.out + called.err
    assert "Traceback" not in said
    assert "a fault in stager" not in said
    assert not [char for char in said if not char.isprintable() and char != "\n"], repr(said)
    assert not [mark for mark in marks if mark in said]


def require_refused(called: Called, code: int, *says: str) -> None:
    """Refused with this exit code, saying what happened and, behind an arrow, what to do.

    A shell shows 130 for a process that ended by SIGINT, too, as Python does where Ctrl-C came while a
    library ran Python of its own.
    """
    assert called.code in ({130, -signal.SIGINT} if code == 130 else {code}), called.err
    for each in says:
        assert each in called.err
    assert "stager: " in called.err
    assert "\n  → " in called.err
    require_clean(called)
