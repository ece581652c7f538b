"""A publishing run stopped by its key, and gone on with; the finished run at every size."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from msgspec.structs import replace

from stager.session import Settings
from stager.tenant.registry import Tenant
from tests.migration import cloned
from tests.review_keys import MIDDLE, WALKED, Keys, Size, at_keys, reading
from tests.test_review_cancel import TABLES
from tests.test_tui_everywhere import ODD_NAME, drawn, push, seen_after
from tui.desk import Telling
from tui.screens.publish import PublishPane, PublishScreen
from tui.text import line


@pytest.fixture
def approved(practice_home: Path, tmp_path: Path, clinic_tenant: Tenant) -> Settings:
    """The practice in a folder with an odd name, approved, to be published in chunks of 40 rows."""
    home = tmp_path / ODD_NAME
    migration = cloned(practice_home, home)
    migration.approve(reason="[/foo] \u202e")
    migration.close()
    (home / "tenants.toml").write_text(f'[tenants.{clinic_tenant.slug}]\ndsn = "{clinic_tenant.dsn}"\n')
    known = migration.session.settings
    return replace(known, environ={**known.environ, "STAGER_CHUNK_ROWS": "40"})


def rows_in(tenant: Tenant) -> int:
    with psycopg.connect(tenant.dsn) as connection:
        counted = [connection.execute(f"select count(*) from {table}").fetchall()[0][0] for table in TABLES]
    return sum(counted)


class Held:
    """Holds a publishing run at its nth word about rows that are in, until it is let go."""

    def __init__(self, keys: Keys, at: int) -> None:
        self._progress, self._at = keys.app.desk.progress, at
        self.reached, self.go_on = threading.Event(), threading.Event()
        keys.app.desk.progress = self._held  # type: ignore[method-assign]

    def _held(self, tell: Telling) -> Telling:
        told = self._progress(tell)

        def hear(what: str, done: int, total: int | None) -> None:
            self._at -= what.startswith("publishing")
            if self._at == 0 and not self.reached.is_set():
                self.reached.set()
                assert self.go_on.wait(60)
            told(what, done, total)

        return told if self.reached.is_set() else hear


async def stopped_by_key(keys: Keys, held: Held, has: Callable[[], int]) -> tuple[str, str, int]:
    """What the screen says while a run is asked to stop, and when it has; rows that were in by the key."""
    await keys.press("P")
    await keys.pilot.press("y")
    while not held.reached.is_set():
        await asyncio.sleep(0.01)
    before = has()
    await keys.pilot.press("escape", "c")
    stopping = " ".join(drawn(keys).split())
    held.go_on.set()
    await keys.settled()
    return stopping, " ".join(drawn(keys).split()), before


@pytest.mark.parametrize("at", [1, pytest.param(3, marks=pytest.mark.soak)])
def test_a_run_that_is_stopped_by_key_goes_on_by_key(
    approved: Settings, clinic_tenant: Tenant, at: int
) -> None:
    """It stops after what is on its way, says how to go on; the rest goes when P is pressed again, once."""

    async def script(keys: Keys) -> str:
        await push(keys, PublishScreen())
        plan = keys.app.screen.query_one(PublishPane).plan
        assert plan is not None
        stopping, stopped, before = await stopped_by_key(keys, Held(keys, at), lambda: rows_in(clinic_tenant))
        assert isinstance(keys.app.screen, PublishScreen)
        assert "stopping after the rows that are on their way" in stopping
        went = rows_in(clinic_tenant)
        assert 0 < before <= went <= before + 40 < plan.total
        assert f"stopped: {went} rows went; P goes on from there" in stopped
        left = keys.app.screen.query_one(PublishPane).plan
        assert left is not None
        assert left.total == plan.total - went
        await keys.press("P", "y")
        assert rows_in(clinic_tenant) == plan.total
        return " ".join(drawn(keys).split())

    words = at_keys(approved, script, size=MIDDLE)
    assert f"Published to {clinic_tenant.slug}" in words
    assert "it went on with a run that had been cut off" in words
    with reading(approved) as session:
        session.verify(clinic_tenant.slug)
        assert session.plan().total == 0


@pytest.mark.parametrize("size", WALKED)
def test_the_finished_run_is_told_in_full_at_every_size(approved: Settings, size: Size) -> None:
    """Rows by sheet, transactions, plan, and where the report is, in a folder with whatever name."""

    async def script(keys: Keys) -> tuple[str, dict[str, int], str]:
        await keys.press("a")
        drawn(keys)
        await keys.press("P")
        pane = keys.app.screen.query_one(PublishPane)
        assert pane.plan is not None
        await seen_after(keys, "P", "y")
        return drawn(keys), dict(pane.plan.rows), pane.plan.hash

    with reading(approved) as session:
        plan = session.plan()
    shown, left, _ = at_keys(approved, script, size=size)
    assert left == {}
    words, run_on = " ".join(shown.split()), "".join(shown.split())
    assert "✓ Published to maple-surgery" in words
    for sheet, count in plan.rows.items():
        assert f"{sheet} {count:,}" in words
    assert f"total {plan.total:,}" in words
    assert "transactions in" in words
    assert plan.hash in run_on
    report = approved.cwd / "report.html"
    assert report.exists()
    assert "".join(line(str(report)).split()) in run_on
