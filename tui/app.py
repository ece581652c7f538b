"""The program: its screens, its desk, what holds everywhere, and how it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import App
from textual.binding import Binding, BindingType
from textual.notifications import SeverityLevel
from textual.reactive import reactive
from textual.worker import WorkerFailed

from stager.errors import StagerError, StagingInUse
from stager.visible import visible
from tui.commands import Actions
from tui.desk import Desk
from tui.memory import Memory, Person
from tui.screens.base import ReviewScreen
from tui.screens.home import HomeScreen
from tui.themes import THEMES
from tui.told import Review
from tui.widgets.top_bar import TopBar

if TYPE_CHECKING:
    from stager.session.queue import Queue
    from stager.session.views import Status

_LOOK_EVERY = 1.0
"""Seconds between two looks at whether anybody is still there."""


class ReviewApp(App[int]):
    """Home, queue, finding and the rest, over one session. Its exit value is the exit code."""

    TITLE = "stager review"
    COMMANDS: ClassVar = {Actions}
    ENABLE_COMMAND_PALETTE = True
    NOTIFICATION_TIMEOUT = 5
    CSS = """
    ReviewScreen { background: $background; color: $foreground; }
    Toast { max-width: 70; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "help", "help", key_display="?", tooltip="What can be done here"),
        Binding("p", "mask", "hide", tooltip="Hide patients' values, or show them again"),
        Binding(
            "t", "next_theme", "theme", show=False, tooltip="Change the look: dark, light, high contrast"
        ),
        Binding("q", "leave", "quit", show=False, tooltip="Leave; everything decided is kept"),
    ]

    masked: reactive[bool] = reactive(False)
    """Patients' values are hidden on every screen."""

    def __init__(self, review: Review) -> None:
        super().__init__()
        self.told = review
        self.actor = review.actor
        self.read_only = review.read_only
        self.desk = Desk(lambda: review.open(review.read_only, self.warn))
        self.memory = Memory(review.environ)
        self.person = self.memory.person()
        self.status: Status | None = None
        self.facts = 0
        self.last_finding: int | None = None
        self.failure: BaseException | None = None
        self._touched = review.clock()
        for theme in THEMES:
            self.register_theme(theme)
        names = [theme.name for theme in THEMES]
        self.theme = self.person.theme if self.person.theme in names else names[0]

    def on_mount(self) -> None:
        self.push_screen(HomeScreen())
        if self.told.tour and not self.person.tour_seen:
            self.open_tour()
        self.set_interval(_LOOK_EVERY, self._hide_when_idle)

    async def on_unmount(self) -> None:
        await self.desk.close()

    def facts_changed(self, words: str = "") -> None:
        """Something was decided, undone, approved or published: say it, and have the screens load anew."""
        self.facts += 1
        if words:
            self.say(words)
        if isinstance(self.screen, ReviewScreen):
            self.screen.refresh_facts()

    def say(self, words: str, *, severity: SeverityLevel = "information") -> None:
        """Tell the person something, literally; no patient's value may be in it."""
        self.notify("\n".join(map(visible, words.splitlines())), severity=severity, markup=False)

    def warn(self, words: str) -> None:
        """What the session must have said, from whichever thread."""
        self.say(words, severity="warning")

    def tell(self, error: StagerError) -> None:
        """Tell what went wrong and what to do."""
        words = f"{error}\n→ {error.hint}" if error.hint else str(error)
        shown = "\n".join(map(visible, words.splitlines()))
        self.notify(shown, severity="error", timeout=15, markup=False)

    def fail(self, error: BaseException) -> None:
        """End: nothing can be done here. The error is the command line's to tell."""
        self.failure = error
        self.exit(return_code=1)

    def status_is(self, status: Status) -> None:
        """Keep the migration at a glance, for the line above every screen."""
        self.status = status
        for bar in (bar for screen in self.screen_stack for bar in screen.query(TopBar)):
            bar.refresh()

    def open_queue(self, *, code: str | None = None, resume: bool = False) -> None:
        """Show the queue of findings: those of a code, or as it was left."""
        from tui.screens.queue import QueueScreen

        self.push_screen(QueueScreen(code=code, resume=resume))

    def open_finding(self, queue: Queue, row: int) -> None:
        """Show a finding of the queue, by its place in it; from there one walks to its neighbours."""
        from tui.screens.finding import FindingScreen

        self.push_screen(FindingScreen(queue, row))

    def open_approve(self) -> None:
        """Show what an approval would sign."""
        from tui.screens.approve import ApproveScreen

        self.push_screen(ApproveScreen())

    def open_publish(self) -> None:
        """Show what would be published."""
        from tui.screens.publish import PublishScreen

        self.push_screen(PublishScreen())

    def open_log(self) -> None:
        """Show everything that happened."""
        from tui.screens.log import LogScreen

        self.push_screen(LogScreen())

    def open_taken(self, error: StagingInUse) -> None:
        """Say who has the file."""
        from tui.screens.taken import TakenScreen

        self.push_screen(TakenScreen(error))

    def open_tour(self) -> None:
        """Show the tour, which then is not shown by itself again."""
        from tui.screens.tour import TourScreen

        self.push_screen(TourScreen())
        self.remember(tour_seen=True)

    def look_read_only(self) -> None:
        """Go on with a read-only copy, for another process has the file."""
        self.read_only = True
        self.desk.change(lambda: self.told.open(True, self.warn))
        self.facts_changed()

    def action_mask(self) -> None:
        """Hide patients' values on every screen, or show them again."""
        self.masked = not self.masked

    def action_next_theme(self) -> None:
        """Go on to the next look, and remember it."""
        names = [theme.name for theme in THEMES]
        self.theme = names[(names.index(self.theme) + 1) % len(names)]
        self.remember(theme=self.theme)
        self.say(f"look: {self.theme.removeprefix('stager-')}")

    def remember(self, *, theme: str | None = None, tour_seen: bool | None = None) -> None:
        """Keep what holds for this person in every migration."""
        was = self.person
        self.person = Person(theme or was.theme, was.tour_seen if tour_seen is None else tour_seen)
        self.memory.keep_person(self.person)

    def action_help(self) -> None:
        """Show what can be done on the screen, with every key."""
        from tui.screens.help import HelpScreen

        self.push_screen(HelpScreen.of(self.screen))

    def action_leave(self) -> None:
        """Leave; everything that was decided is in the staging file."""
        self.exit(0)

    def action_help_quit(self) -> None:
        """Ctrl-C: say how to leave, for in a terminal that is what it is pressed for."""
        self.say("q leaves; everything decided is kept")

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key | events.MouseDown | events.MouseScrollDown | events.MouseScrollUp):
            self._touched = self.told.clock()
        await super().on_event(event)

    def _hide_when_idle(self) -> None:
        idle = self.told.clock() - self._touched
        if self.told.mask_after and idle >= self.told.mask_after and not self.masked:
            self.masked = True
            self.say("nobody was at the keys: values are hidden; p shows them again")

    def _handle_exception(self, error: Exception) -> None:
        """A fault ends the program; Textual's own way shows every local value on the terminal.

        It is kept for the command line, which tells a fault by its place in the code alone.
        """
        self._return_code = 1
        cause = error.error if isinstance(error, WorkerFailed) else error
        self.failure = self.failure or cause
        if self._exception is None and isinstance(cause, Exception):
            self._exception = cause
            self._exception_event.set()
        self._close_messages_no_wait()
