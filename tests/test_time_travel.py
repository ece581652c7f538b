"""Time travel: what status, rows and findings say of an event in the past is what they said then."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from stager.decisions import Choice, Decision
from stager.errors import UsageError
from stager.projections import PROJECTIONS, as_of, digest
from stager.session import Filter
from tests.migration import Migration, allergy, drug, note, patient


def _snapshot(migration: Migration, at: int | None = None) -> tuple[Any, ...]:
    session = migration.session
    status = replace(session.status(at=at), moment=None)
    rows = list(session.rows(at=at))
    return status, rows, session.findings(Filter(state=None), at=at)


def _steps(migration: Migration) -> list[Callable[[], object]]:
    """Things that people do, in no order; each does nothing where there is nothing to do it to."""

    def decide(code: str, choice: Choice) -> Callable[[], object]:
        def step() -> object:
            found = migration.findings(code)
            return migration.session.decide(found[:1], choice, actor="reviewer") if found else None

        return step

    def undo_last() -> object:
        made = migration.events("finding.decided")
        undone = {row[0] for row in migration.events("decision.undone")}
        return migration.undo(made[-1][0]) if made and not undone else None

    return [
        decide("link.unresolved", Choice(Decision.LINK, target="1:1", reason="known")),
        decide("value.suspect", Choice(Decision.BLANK)),
        decide("practitioner.unresolved", Choice(Decision.RELEASE)),
        lambda: migration.exclude(("notes", "2")),
        undo_last,
        lambda: migration.approve() if "ready" in migration.states("patients") else None,
        lambda: migration.session.expect("patients=3,notes=7", actor="engineer"),
        lambda: migration.take(medications=[drug("A1"), drug("Z9")]),
    ]


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in (2, 3))])
def test_the_past_is_what_was_said_then(tmp_path: Path, seed: int) -> None:
    """A history in a random order; after it, each of its moments is shown as it was, and nothing changed."""
    migration = Migration(tmp_path / "m")
    told: dict[int, tuple[Any, ...]] = {}

    def remember() -> None:
        told[migration.staging.one("event_head")] = _snapshot(migration)

    migration.take(patients=[patient("A1"), patient("A2", nhs_number="123"), patient("A3")])
    remember()
    migration.take(
        notes=[note("A1"), note("A3", practitioner_ref="nobody"), note("Q7")], background=[allergy("A2")]
    )
    remember()
    steps = _steps(migration)
    random.Random(seed).shuffle(steps)
    for step in steps:
        step()
        remember()
    before = digest(migration.staging)
    for at, then in told.items():
        assert _snapshot(migration, at) == then, f"event {at}"
    assert digest(migration.staging) == before
    migration.close()


def test_it_leaves_nothing_behind(tmp_path: Path) -> None:
    """No table, no view, no event; also where the past is left by an error, or a list of rows half read."""
    migration = Migration(tmp_path / "m").take(patients=[patient("A1"), patient("A2")])
    staging = migration.staging
    query = "select count(*) from (select table_name from duckdb_tables() where temporary union all "
    query += "select view_name from duckdb_views() where temporary and not internal) as t(n) where n in "
    query += str((*PROJECTIONS, "event", "seal", "source", "target_row"))
    with migration.nothing_changes():
        with as_of(staging, 2):
            assert staging.one("event_head") == 2
        with pytest.raises(RuntimeError), as_of(staging, 2):
            raise RuntimeError
        lines = migration.session.rows(at=staging.one("event_head"))
        next(lines)
        lines.close()  # type: ignore[attr-defined]
        assert staging._execute(query).fetchone() == (0,)
    migration.close()


def test_an_event_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """Before the first and after the last event there is nothing to see."""
    migration = Migration(tmp_path / "m").take(patients=[patient("A1")])
    for at in (0, -1, 10_000):
        with pytest.raises(UsageError, match="no event"):
            migration.session.status(at=at)
    assert migration.session.status().events == migration.staging.one("event_head")
    migration.close()


def test_the_midst_of_a_command_says_where_it_ended(tmp_path: Path) -> None:
    """A moment within a command names the event that the command ended with."""
    migration = Migration(tmp_path / "m").take(patients=[patient("A1"), patient("A2")])
    found = migration.session.status(at=2)
    assert found.moment is not None
    assert found.moment.command_ends > 2
    assert found.events == 2
    migration.close()
