"""What all screens have: the line above, the footer, one way to ask the session and tell errors."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Footer

from stager.errors import StagerError
from stager.wording import counted
from tui.screens.confirm import Confirm
from tui.widgets.top_bar import TopBar
from tui.widgets.virtual_table import VirtualTable

if TYPE_CHECKING:
    from stager.session import Session
    from stager.session.review_views import LastDecision
    from tui.app import ReviewApp

Answer = TypeVar("Answer")


class ReviewScreen(Screen[None]):
    """A screen of the program. A subclass yields widgets in `body` and asks for what they show in `load`."""

    TITLE_WORDS: ClassVar[str] = ""
    """What the screen is, in a word or two, for the line above."""

    ABOUT: ClassVar[str] = ""
    """What can be done here, in a sentence or two, for the help."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,backspace", "back", "back", key_display="esc"),
        Binding("u", "undo", "undo", tooltip="Take back your last decision"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._shown_facts = -1

    @property
    def review(self) -> ReviewApp:
        """The program, with its desk, the actor and whether values are hidden."""
        return cast("ReviewApp", self.app)

    def compose(self) -> ComposeResult:
        yield TopBar(self.TITLE_WORDS)
        yield from self.body()
        yield Footer(compact=True, show_command_palette=False)

    def body(self) -> ComposeResult:
        """The widgets between the line above and the footer."""
        yield from ()

    async def load(self) -> None:
        """Ask for what is shown. Called when shown first, and whenever something was decided since."""

    def redraw(self) -> None:
        """Show anew what was loaded: patients' values are hidden now, or no longer."""

    def on_mount(self) -> None:
        self.watch(self.app, "masked", self._on_masked, init=False)

    def on_screen_resume(self) -> None:
        self.refresh_facts()

    def refresh_facts(self) -> None:
        """Load, unless what is shown is how things stand."""
        if self._shown_facts != self.review.facts:
            self._shown_facts = self.review.facts
            self.do(self.load(), group="load", exclusive=True)

    async def ask(self, work: Callable[[Session], Answer]) -> Answer:
        """What `work` makes of the session, in the desk's thread. Raises StagerError."""
        return await self.review.desk.ask(work)

    def do(self, work: Coroutine[Any, Any, None], *, group: str = "work", exclusive: bool = False) -> None:
        """Do it while the screen goes on; a StagerError in it is told. exclusive: alone in its group."""
        self.run_worker(self._told(work), group=group, exclusive=exclusive)

    async def _told(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except StagerError as error:
            self.review.tell(error)

    def on_virtual_table_failed(self, event: VirtualTable.Failed) -> None:
        self.review.tell(event.error)

    def _on_masked(self) -> None:
        self.query_one(TopBar).refresh()
        self.redraw()

    def action_back(self) -> None:
        """Go back to the screen before."""
        if len(self.app.screen_stack) > 2:
            self.app.pop_screen()

    def action_undo(self) -> None:
        """Take back the last decision of the person who is here."""
        self.do(self._undo(), group="undo")

    async def _undo(self) -> None:
        actor = self.review.actor
        last, done = await self.ask(lambda session: _take_back(session, actor, None))
        if last is None:
            self.review.say("you have made no decision here that could be taken back")
            return
        if not done:
            words = f"{last.words}\n{counted(last.count, 'finding')} would be open again."
            if not await self.app.push_screen_wait(Confirm("Take back this decision?", words)):
                return
            seq = last.seq
            last, done = await self.ask(lambda session: _take_back(session, actor, seq))
        if last is not None and done:
            self.review.facts_changed(f"taken back: {last.words}")


def _take_back(session: Session, actor: str, agreed: int | None) -> tuple[LastDecision | None, bool]:
    """The actor's last decision, and whether it was taken back: one about many findings only if agreed."""
    last = session.last_decision(actor)
    if last is None or (last.count > 1 and last.seq != agreed):
        return last, False
    session.undo(last.seq, actor=actor)
    return last, True
