"""A question that is answered by one key, for what should not happen by a slip."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Static


class Confirm(ModalScreen[bool]):
    """Asks whether to go on; `y` does, anything that looks like leaving does not. words: literal text."""

    DEFAULT_CSS = """
    Confirm {
        align: center middle;
        & > VerticalScroll { width: 64; max-width: 90%; height: auto; max-height: 80%; padding: 1 2;
            border: round $primary; background: $surface; }
        .question { text-style: bold; margin-bottom: 1; }
        Horizontal { height: auto; margin-top: 1; }
        Button { margin-right: 2; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "yes"),
        Binding("n,escape", "answer(False)", "no"),
    ]

    AUTO_FOCUS = "#no"

    def __init__(self, question: str, words: str | Content = "") -> None:
        super().__init__()
        self._question = question
        self._words = words

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(Content(self._question), classes="question")
            yield Static(self._words if isinstance(self._words, Content) else Content(self._words))
            with Horizontal():
                yield Button("No (n)", id="no", compact=True)
                yield Button("Yes (y)", id="yes", compact=True)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_answer(self, answer: bool) -> None:
        """Answer, and go back."""
        self.dismiss(answer)
