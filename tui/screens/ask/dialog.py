"""What all questions have: a frame, a line for what is wrong, and typing of which all is seen."""

from __future__ import annotations

from typing import ClassVar, Generic, TypeVar, cast

from msgspec import Struct
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.reactive import reactive
from textual.screen import ModalScreen
from textual.widgets import Footer, Input, Static

from stager.errors import StagerError
from stager.visible import visible

Answer = TypeVar("Answer")


class Agreed(Struct, frozen=True):
    """A decision that was agreed to, and its reason where one was given."""

    reason: str | None


class Typed(Input):
    """A line to type in, that takes only characters which can be seen: what is pasted may hold others."""

    DEFAULT_CSS = """
    Typed { border: round $secondary; background: $surface; height: 3; padding: 0 1;
        &:focus { border: round $primary; background-tint: $foreground 0%; } }
    """

    cursor_blink = reactive(False, init=False)
    """Over ssh every blink is traffic, and it tells nothing."""

    def validate_value(self, value: str) -> str:
        """The value without characters that would act in a terminal or not be seen."""
        return "".join(char for char in value if char.isprintable() and visible(char) == char)


class Dialog(ModalScreen[Answer | None], Generic[Answer]):
    """A question. A subclass yields its widgets in `questions`; None is the answer of who leaves."""

    DEFAULT_CSS = """
    Dialog {
        align: center middle;
        & > VerticalScroll { width: 90; max-width: 96%; height: auto; max-height: 95%; padding: 0 1;
            border: round $primary; background: $surface; scrollbar-size-vertical: 1; }
        .question { text-style: bold; }
        .looked { height: auto; max-height: 50vh; margin: 1 0; scrollbar-size-vertical: 1; }
        .wrong { color: $error; text-style: bold; }
        .label { color: $secondary; }
        .keys { margin-top: 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "back", key_display="esc")]

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        with VerticalScroll(can_focus=False):
            yield Static(Content(self._question), classes="question")
            yield from self.questions()
            yield Static(Content(), classes="wrong")
        yield Footer(compact=True)

    def questions(self) -> ComposeResult:
        """The widgets below the question."""
        yield from ()

    def on_mount(self) -> None:
        self.query_one(".wrong", Static).display = False

    @property
    def masked(self) -> bool:
        """Whether patients' values are hidden now."""
        return bool(getattr(cast("App[object]", self.app), "masked", False))

    def wrong(self, error: StagerError | str) -> None:
        """Say what is wrong with the answer, and stay."""
        words = error if isinstance(error, str) else f"{error}\n→ {error.hint}" if error.hint else str(error)
        line = self.query_one(".wrong", Static)
        line.update(
            Content(
                "\n".join(
                    f"✗ {visible(each)}" if not n else visible(each)
                    for n, each in enumerate(words.splitlines())
                )
            )
        )
        line.display = True

    def on_input_changed(self) -> None:
        """Another answer is being typed: what was wrong with the last one is over."""
        self.query_one(".wrong", Static).display = False

    def action_leave(self) -> None:
        """Leave without an answer."""
        self.dismiss(None)


def told(value: str) -> str | None:
    """What was typed, without blanks around it; None where that is nothing."""
    return value.strip() or None
