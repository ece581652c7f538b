"""Help: what the screen is for, and every key that does something on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from tui.commands import actions
from tui.words import STATE_SIGNS, STATE_STYLES, STATE_WORDS


class HelpScreen(ModalScreen[None]):
    """Laid over the screen that it is about. actions: in words, with their keys."""

    DEFAULT_CSS = """
    HelpScreen {
        align: center middle;
        & > VerticalScroll { width: 76; max-width: 95%; height: auto; max-height: 90%; padding: 1 2;
            border: round $primary; background: $surface; }
        Static { margin-bottom: 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,enter", "app.pop_screen", "close"),
        Binding("w", "tour", "tour", tooltip="See the tour again"),
        Binding("j", "scroll_by(1)", "down", show=False),
        Binding("k", "scroll_by(-1)", "up", show=False),
    ]

    def __init__(self, about: str, keys: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._about = about
        self._keys = keys

    @classmethod
    def of(cls, screen: Screen[Any]) -> Self:
        """The help about a screen as it is now."""
        keys = [(words, keys) for words, keys, _ in actions(screen)]
        return cls(str(getattr(screen, "ABOUT", "")), keys)

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            if self._about:
                yield Static(Content(self._about))
            yield Static(Content("\n").join(_key(words, keys) for words, keys in self._keys))
            yield Static(Content("\n").join(_state(state) for state in STATE_SIGNS))
            yield Static(
                Content("esc closes this; w shows the tour again; ctrl+p finds any action by its name")
            )

    def action_scroll_by(self, lines: int) -> None:
        """Scroll the help."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_tour(self) -> None:
        """Show the tour in the help's place."""
        from tui.screens.tour import TourScreen

        self.app.switch_screen(TourScreen())


def _key(words: str, keys: str) -> Content:
    return Content.assemble((f"{keys:>12}  ", "bold"), words)


def _state(state: str) -> Content:
    return Content.assemble((f"{STATE_SIGNS[state]:>12}  ", STATE_STYLES[state]), STATE_WORDS[state])
