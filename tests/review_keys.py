"""The review program driven by keys: nothing is done to it but what a person at a keyboard could do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from unittest.mock import patch

import pytest
from textual.command import CommandPalette
from textual.pilot import Pilot

from stager.session import Session, Settings
from stager.session.review_views import FindingView
from tui.app import ReviewApp
from tui.screens.finding import FindingScreen
from tui.told import Review

Answer = TypeVar("Answer")
Size = tuple[int, int]

NARROW: Size = (80, 24)
MIDDLE: Size = (120, 35)
WIDE: Size = (160, 50)
SIZES = (NARROW, MIDDLE, WIDE)
PICTURED = [
    pytest.param(size, id=f"{size[0]}x{size[1]}", marks=[pytest.mark.soak] if size == MIDDLE else [])
    for size in SIZES
]
"""The sizes; the middle one is left to the soak."""
WALKED = [
    pytest.param(size, id=f"{size[0]}x{size[1]}", marks=[] if size == NARROW else [pytest.mark.soak])
    for size in SIZES
]
"""The sizes for what takes long: all but the narrowest, in which least fits, are left to the soak."""

_SECONDS = 60.0
"""Until a key must have had its effect, on a busy machine."""
_TURNS = 5
"""How often the loop has to be at rest, with nothing asked and all drawn in between."""
_LOOK_EVERY = 0.005
"""Seconds between two looks at what is still under way; asked for more often, it would only be slower."""


# A slow machine would show the palette before it has all of its commands, and the mark would stay on one.
CommandPalette._RESULT_BATCH_TIME = _SECONDS


async def _next_turn(*_: float) -> None:
    """In place of Textual's own waiting, which tells rest by the processor's: settled tells it exactly."""
    await asyncio.sleep(0)


async def _at_rest(until: float) -> None:
    """Until no task of the loop can go on: each waits for a message, a moment or another thread."""
    ready = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]
    await asyncio.sleep(0)
    while ready:
        assert time.monotonic() < until, "the program did not come to rest"
        await asyncio.sleep(0)


class Keys:
    """A person at the keys. `pressed` counts them."""

    def __init__(self, app: ReviewApp, pilot: Pilot[int | None]) -> None:
        self.app = app
        self.pilot = pilot
        self.pressed = 0
        self._under_way = 0
        self._ask = app.desk.ask
        app.desk.ask = self._counted  # type: ignore[method-assign,assignment]

    async def _counted(self, work: Callable[[Session], Answer]) -> Answer:
        self._under_way += 1
        try:
            return await self._ask(work)
        finally:
            self._under_way -= 1

    async def press(self, *keys: str) -> None:
        """Press keys, each when the one before has had its effect."""
        for key in keys:
            await self._send(key)
            await self.settled()

    async def type(self, text: str) -> None:
        """Type a text."""
        names = {" ": "space", "@": "at", "-": "minus", ".": "full_stop", ":": "colon", "/": "slash"}
        await self._send(*(names.get(char, char) for char in text))
        await self.settled()

    async def _send(self, *names: str) -> None:
        with patch("textual.app.wait_for_idle", _next_turn):
            await self.pilot.press(*names)
        self.pressed += len(names)

    async def settled(self) -> None:
        """Until nothing is asked of the session or looked up any more, and what came of it is drawn."""
        quiet, until = 0, time.monotonic() + _SECONDS
        while quiet < _TURNS:
            assert time.monotonic() < until, "the program did not come to rest"
            if self._busy:
                await asyncio.sleep(_LOOK_EVERY)
            await _at_rest(until)
            if self.app.is_running:
                self.app.screen._on_timer_update()
            quiet = 0 if self._busy else quiet + 1

    @property
    def _busy(self) -> bool:
        """Something is asked of the session, or the palette, which takes its time, still gathers commands."""
        screens = self.app.screen_stack if self.app.is_running else []
        return self._under_way > 0 or any(
            isinstance(each, CommandPalette) and not each.has_class("-ready") for each in screens
        )

    async def until(self, seen: Callable[[], bool]) -> None:
        """Until something is so."""
        until = time.monotonic() + _SECONDS
        while not seen():
            assert time.monotonic() < until, "it did not come so far"
            await asyncio.sleep(_LOOK_EVERY)
        await self.settled()

    @property
    def text(self) -> str:
        """What the screen shows, line by line."""
        return "\n".join(strip.text.rstrip() for strip in self.app.screen._compositor.render_strips())

    @property
    def words(self) -> str:
        """What the screen shows, its words one space apart."""
        return " ".join(self.text.split())

    @property
    def view(self) -> FindingView:
        """The finding that is shown."""
        assert isinstance(self.app.screen, FindingScreen)
        assert self.app.screen.shown is not None
        return self.app.screen.shown

    @property
    def number(self) -> int:
        """The number of the finding that is shown."""
        return self.view.line.finding.finding_id


def review_app(settings: Settings, *, actor: str = "tester", read_only: bool = False) -> ReviewApp:
    """The program on a staging file."""
    from msgspec.structs import replace

    def open_session(copy: bool, warn: Callable[[str], None]) -> Session:
        return Session(replace(settings, read_only=copy, warn=warn))

    environ = {"HOME": str(settings.cwd / "home"), "XDG_STATE_HOME": str(settings.cwd / "state")}
    return ReviewApp(Review(open_session, actor, environ, read_only=read_only, tour=False, mask_after=0))


def at_keys(
    settings: Settings,
    script: Callable[[Keys], Awaitable[Answer]],
    *,
    size: Size = MIDDLE,
    **told: Any,
) -> Answer:
    """What a script at the keys gives, from the home screen on."""

    async def run() -> Answer:
        app = review_app(settings, **told)
        async with app.run_test(size=size) as pilot:
            keys = Keys(app, pilot)
            await keys.until(lambda: app.status is not None)
            answer = await script(keys)
            await keys.settled()
        if app.failure is not None:
            raise app.failure
        return answer

    return asyncio.run(run())


def on_findings(
    settings: Settings,
    numbers: list[int],
    script: Callable[[Keys], Coroutine[Any, Any, Answer]],
    *,
    size: Size = MIDDLE,
    **told: Any,
) -> Answer:
    """The same, beginning at the first of these findings."""

    async def begun(keys: Keys) -> Answer:
        keys.app.push_screen(FindingScreen(numbers))
        await keys.settled()
        return await script(keys)

    return at_keys(settings, begun, size=size, **told)


@contextmanager
def reading(settings: Settings) -> Iterator[Session]:
    """A session on the same file, when the program is closed."""
    with Session(settings) as session:
        yield session
