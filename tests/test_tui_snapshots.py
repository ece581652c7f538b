"""Pictures of the core's screens in three sizes; one that differs is looked at, then `--snapshot-update`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from stager.errors import StagingInUse
from stager.session import Settings
from stager.session.review_views import Taken
from tests.migration import cloned
from tests.review_keys import PICTURED, Keys, Size, review_app
from tui.app import ReviewApp
from tui.screens.taken import TakenScreen
from tui.screens.tour import TourScreen

Compare = Callable[..., bool]

SCREENS: dict[str, list[str]] = {
    "home": [],
    "help": ["question_mark"],
    "queue": ["enter", "j", "space", "j", "space"],
    "queue_hidden": ["enter", "p"],
    "filter": ["enter", "f", "j", "j"],
    "order": ["enter", "o"],
    "palette": ["enter", "ctrl+p"],
}


@pytest.fixture(scope="module")
def settings(practice_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The practice, with nobody at work on it."""
    made = cloned(practice_home, tmp_path_factory.mktemp("pictures") / "read")
    made.close()
    return made.session.settings


@pytest.fixture
def app(settings: Settings, tmp_path: Path) -> ReviewApp:
    """The program, which remembers nothing from one picture to the next."""
    return ReviewApp(replace(review_app(settings).told, environ={"HOME": str(tmp_path)}))


def pictured(app: ReviewApp, size: Size, snap_compare: Compare, script: Callable[[Keys], Any]) -> bool:
    async def before(pilot: Pilot[Any]) -> None:
        keys = Keys(app, pilot)
        await keys.until(lambda: app.status is not None)
        await script(keys)
        await keys.settled()

    return snap_compare(app, terminal_size=size, run_before=before)


@pytest.mark.parametrize("size", PICTURED)
@pytest.mark.parametrize("name", SCREENS)
def test_screens_look_as_they_did(name: str, size: Size, app: ReviewApp, snap_compare: Compare) -> None:
    """Home, help, queue, filter, order and palette are drawn as they were when somebody last looked."""
    assert pictured(app, size, snap_compare, lambda keys: keys.press(*SCREENS[name]))


@pytest.mark.parametrize("size", PICTURED)
@pytest.mark.parametrize("page", [0, 5])
def test_the_tour_looks_as_it_did(page: int, size: Size, app: ReviewApp, snap_compare: Compare) -> None:
    """The first and the last page fit every size."""

    async def script(keys: Keys) -> None:
        keys.app.push_screen(TourScreen())
        await keys.settled()
        await keys.press(*["enter"] * page)

    assert pictured(app, size, snap_compare, script)


@pytest.mark.parametrize("size", PICTURED)
def test_taken_looks_as_it_did(
    size: Size, app: ReviewApp, snap_compare: Compare, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has the file, since when, and what can be done."""
    taken = Taken(4711, "dr-lee", "2026-11-20T09:15:00+00:00", "stager review")
    monkeypatch.setattr("stager.session.looking.who_has", lambda error: taken)

    async def script(keys: Keys) -> None:
        keys.app.push_screen(TakenScreen(StagingInUse("s.duckdb is in use", pid=4711)))

    assert pictured(app, size, snap_compare, script)
