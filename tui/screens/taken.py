"""Taken: another process has the staging file; who, since when, and what can be done meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from stager.errors import StagingInUse
from stager.visible import visible
from tui.screens.base import ReviewScreen

if TYPE_CHECKING:
    from stager.session.review_views import Taken


class TakenScreen(ReviewScreen):
    """Shown in the place of home, until the file is free or a copy of it is looked at."""

    TITLE_WORDS = "stager review: somebody else has the file"
    ABOUT = (
        "One process at a time may write to a staging file. You may wait and try again, or look at a copy of "
        "it as it was saved last; in the copy nothing can be decided."
    )
    DEFAULT_CSS = """
    TakenScreen VerticalScroll { padding: 1 2; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("o", "look", "look at a copy", tooltip="Look at a read-only copy"),
        Binding("r", "again", "try again"),
        Binding("escape,backspace", "back", "back", show=False),
        Binding("u", "undo", "undo", show=False),
    ]

    def __init__(self, error: StagingInUse) -> None:
        super().__init__()
        self._error = error

    def body(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(Content(visible(str(self._error))), id="taken")

    async def load(self) -> None:
        from stager.session.looking import who_has

        taken = await self.ask(lambda _: who_has(self._error))
        self.query_one("#taken", Static).update(_words(taken))

    def action_look(self) -> None:
        """Go on with a copy, in which nothing can be decided."""
        self.dismiss()
        self.review.look_read_only()

    def action_again(self) -> None:
        """Try to open the file again."""
        self.dismiss()
        self.review.facts_changed()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return False if action in ("undo", "back") else super().check_action(action, parameters)


def _words(taken: Taken | None) -> Content:
    lines = [
        *(
            _whose(taken)
            if taken
            else [Content("Another process had this staging file open; it has ended since.")]
        ),
        Content(""),
        Content.assemble(
            ("o", "bold"), "  look at a copy of it as it was saved last; nothing can be decided there"
        ),
        Content.assemble(("r", "bold"), "  try again, when they have finished"),
        Content.assemble(("q", "bold"), "  leave"),
    ]
    return Content("\n").join(lines)


def _whose(taken: Taken) -> list[Content]:
    who = visible(taken.who or "somebody")
    since = f", since {visible(taken.since[:16].replace('T', ' '))} UTC" if taken.since else ""
    return [
        Content.assemble((f"{who} has this staging file open{since}.", "bold")),
        Content(f"Process {taken.pid}" + (f": {visible(taken.command)}" if taken.command else "")),
    ]
