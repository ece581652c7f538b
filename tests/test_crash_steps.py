"""A step of the work killed at any moment: the file opens, and is as before the step or as after it."""

from __future__ import annotations

import random
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from sample_data.generate import Practice, generate
from tests.running import ROUNDS, Capture, Place, Reached, State, after, new_chance, state_of

SIZES = Practice(patients=300, background=900, notes=3600, medications=1200, seed=11, dirt=0.01)
STEPS = {
    "ingest": ("ingest", "background.csv", "notes.csv", "medications.csv", "--synthetic"),
    "reconcile": ("reconcile",),
    "decide": ("decide", "--code", "practitioner.unresolved", "--release", "--yes"),
    "approve": ("approve",),
}


@dataclass(frozen=True)
class Step:
    """A command with the place that it starts from, and the states before and after it."""

    command: tuple[str, ...]
    start: Place
    before: State
    after: State
    seconds: float


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Step]:
    """The steps one after the other, each done once without a disturbance."""
    folder = tmp_path_factory.mktemp("steps")
    place = Place(folder / "patients")
    generate(place.folder, SIZES)
    place.call("ingest", "patients.csv", "--synthetic").done()
    made, before = {}, state_of(place)
    for name, command in STEPS.items():
        start, place = place, place.copied(folder / name)
        began = time.monotonic()
        place.call(*command).done()
        seconds, after_it = time.monotonic() - began, state_of(place)
        assert after_it.events > before.events
        made[name] = Step(command, start, before, after_it, seconds)
        before = after_it
    return made


@pytest.mark.parametrize("name", STEPS)
def test_a_step_killed_just_when_it_writes(steps: dict[str, Step], tmp_path: Path, name: str) -> None:
    """Killed when the staging file changes: it opens, and is as before the step or as after it."""
    place = steps[name].start.copied(tmp_path / "place")
    require_before_or_after(steps[name], place, touched(place))


def test_a_step_killed_at_a_random_moment(steps: dict[str, Step], tmp_path: Path) -> None:
    """Killed in the midst of its work it is not begun, and the same command does it."""
    place = steps["reconcile"].start.copied(tmp_path / "place")
    require_before_or_after(steps["reconcile"], place, at_random(steps["reconcile"], random.Random(3)))
    if state_of(place) == steps["reconcile"].before:
        place.call("reconcile").done()
    assert state_of(place) == steps["reconcile"].after


def test_the_first_step_killed(steps: dict[str, Step], tmp_path: Path) -> None:
    """Killed as the staging file is made: there is none, or one that opens, and the same command does it."""
    place = Place(tmp_path / "place")
    shutil.copytree(
        steps["ingest"].start.folder, place.folder, ignore=shutil.ignore_patterns("config", "*.duckdb")
    )

    def is_being_made() -> bool:
        return any(place.folder.glob("*staging.duckdb*"))

    killed = place.start("ingest", "patients.csv", "--synthetic").when(is_being_made, signal.SIGKILL)
    assert killed.code == -signal.SIGKILL
    if place.staging.exists():
        assert state_of(place).rows == ()
    place.call("ingest", "patients.csv", "--synthetic").done()
    assert state_of(place).rows == steps["ingest"].before.rows


def at_random(step: Step, chance: random.Random) -> Reached:
    return after(chance.uniform(0.3, 1.0) * step.seconds)


def touched(place: Place) -> Reached:
    """When the staging file or its log changes."""
    wal = place.staging.with_name(place.staging.name + ".wal")
    before = place.staging.stat()

    def reached() -> bool:
        now = place.staging.stat()
        return wal.exists() or (now.st_mtime_ns, now.st_size) != (before.st_mtime_ns, before.st_size)

    return reached


def require_before_or_after(step: Step, place: Place, reached: Reached) -> None:
    killed = place.start(*step.command).when(reached, signal.SIGKILL)
    assert killed.code in (0, -signal.SIGKILL)
    found = state_of(place)
    assert found == (step.after if found.events > step.before.events else step.before)


@pytest.mark.soak
@pytest.mark.parametrize("name", STEPS)
def test_a_step_under_many_kills(steps: dict[str, Step], tmp_path: Path, capsys: Capture, name: str) -> None:
    """Many kills of each step, half of them just after its first write."""
    step, chance = steps[name], new_chance(capsys)
    for number in range(ROUNDS):
        place = step.start.copied(tmp_path / str(number))
        if number % 2:
            require_before_or_after(step, place, at_random(step, chance))
        else:
            require_before_or_after(step, place, soon_after(touched(place), chance.uniform(0, 0.05)))
        shutil.rmtree(place.folder)


def soon_after(reached: Reached, seconds: float) -> Reached:
    def both() -> bool:
        if not reached():
            return False
        time.sleep(seconds)
        return True

    return both
