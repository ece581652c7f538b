"""The desk: one thread that owns the session, so that no screen ever waits for the staging file.

A screen awaits what it asks; the loop that draws and hears keys goes on meanwhile. Questions are answered
one after the other, in the order in which they were asked.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from stager.errors import Cancelled

if TYPE_CHECKING:
    from stager.session import Session

Answer = TypeVar("Answer")

Open = Callable[[], "Session"]
"""Makes the session; called in the desk's own thread, where the imports that it needs may take their time."""

Telling = Callable[[str, int, int | None], None]
"""What `progress` tells, on the loop: what is being done, how much is behind, of how much."""

_TELL_EVERY = 0.1
"""Seconds between two words of progress to the screen."""


class Desk:
    """Answers questions to the session. Use it on the loop that the screens run on."""

    def __init__(self, open_session: Open) -> None:
        self._open = open_session
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="desk")
        self._session: Session | None = None
        self._stopped = False

    async def ask(self, work: Callable[[Session], Answer]) -> Answer:
        """What `work` makes of the session, in the desk's thread. Raises what it raises."""
        return await asyncio.wrap_future(self._thread.submit(self._answer, work))

    def progress(self, tell: Telling) -> Telling:
        """A progress to hand to the session: passes words on to the screen, and stops the work once asked.

        Raises Cancelled inside the work after `stop`; what was done by then stands.
        """
        self._stopped = False
        loop = asyncio.get_running_loop()
        return _Progress(self, tell, loop)

    def stop(self) -> None:
        """Ask the work that reports progress to stop at its next word."""
        self._stopped = True

    @property
    def stopped(self) -> bool:
        return self._stopped

    def change(self, open_session: Open) -> None:
        """Let go of the session; the next question opens another one."""
        self._thread.submit(self._close)
        self._open = open_session

    async def close(self) -> None:
        """Stop what reports progress, and let go of the staging file when all questions are answered."""
        self.stop()
        await asyncio.wrap_future(self._thread.submit(self._close))
        self._thread.shutdown(wait=False)

    def _answer(self, work: Callable[[Session], Answer]) -> Answer:
        if self._session is None:
            self._session = self._open()
        return work(self._session)

    def _close(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None


class _Progress:
    """Called in the desk's thread with each step of the work; told on ten times a second at most."""

    def __init__(self, desk: Desk, tell: Telling, loop: asyncio.AbstractEventLoop) -> None:
        self._desk = desk
        self._tell = tell
        self._loop = loop
        self._told = 0.0
        self._what = ""

    def __call__(self, what: str, done: int, total: int | None) -> None:
        if self._desk.stopped:
            raise Cancelled
        now = time.monotonic()
        if what != self._what or done == total or now - self._told >= _TELL_EVERY:
            self._told, self._what = now, what
            self._loop.call_soon_threadsafe(self._tell, what, done, total)
