"""The tour: six pages that a person reads once, before their first finding."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Footer, Static

PAGES: tuple[tuple[str, str], ...] = (
    (
        "What you are here for",
        """
        The practice's records came as files. Rules have read them, linked each to its patient and made
        ready whatever was beyond doubt.

        What no rule may decide is left to you: a note whose patient is not certain, two records that may
        be one person, a date that cannot be right. Each such question is called a finding.

        Nothing reaches the practice's database before somebody has approved it.
        """,
    ),
    (
        "Home",
        """
        The bars show how far each sheet is: published ■, approved ▣, ready □. What is held ◆ has an open
        finding; what waits ○ is fine itself, but its patient is not; what is rejected ✗ cannot go as it
        came; what is excluded – somebody left out.

        Below stand the open findings by what they are about. Enter opens them. c goes on where you left
        off.
        """,
    ),
    (
        "The queue",
        """
        Arrows or j and k move; page up and down, g and G go far. Enter opens a finding.

        f filters, / searches, o sorts, e shows everything about one patient. space marks findings, and d
        decides all that are marked, alike.

        The mouse works as well: click a line, click a heading to sort.
        """,
    ),
    (
        "A finding",
        """
        The record as it came stands beside what stager made of it. Where the question is whose it is, up
        to nine people are shown side by side with what agrees, what is near and what differs; the digits
        1 to 9 choose one of them.

        Each decision is one key; the footer shows those that fit. n and N go on and back, s skips, @ asks
        a colleague.
        """,
    ),
    (
        "Nothing is lost",
        """
        Every decision is written down with your name, the moment and your reason. u takes the last one
        back, then the one before it, as far as you like.

        Whatever is about many rows at once, or leaves something out, is shown first and asks.

        You may leave at any time with q: everything that was decided is kept.
        """,
    ),
    (
        "Other people's eyes",
        """
        p hides every patient's value on every screen, and shows them again. When nobody has been at the
        keys for some minutes they are hidden by themselves.

        ? shows what can be done wherever you are, ctrl+p finds any action by its name, t changes the
        look: dark, light, high contrast.

        That is all. w in the help shows this again.
        """,
    ),
)


class TourScreen(ModalScreen[None]):
    """One page after the other; left at any time, and not shown by itself again."""

    DEFAULT_CSS = """
    TourScreen {
        align: center middle;
        & > VerticalScroll { width: 72; max-width: 95%; height: auto; max-height: 90%; padding: 1 3;
            border: round $primary; background: $surface; }
        #title { text-style: bold; margin-bottom: 1; }
        #dots { margin-top: 1; color: $primary; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,right,space,l,n", "turn(1)", "next"),
        Binding("left,backspace,h", "turn(-1)", "back"),
        Binding("escape,q", "close", "leave the tour"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._page = 0

    def compose(self) -> ComposeResult:
        with VerticalScroll(can_focus=False):
            yield Static(id="title")
            yield Static(id="words")
            yield Static(id="dots")
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self._show()

    def _show(self) -> None:
        title, words = PAGES[self._page]
        self.query_one("#title", Static).update(Content(title))
        self.query_one("#words", Static).update(Content(_flowed(words)))
        dots = " ".join("●" if page == self._page else "○" for page in range(len(PAGES)))
        self.query_one("#dots", Static).update(Content(f"{dots}   {self._page + 1} of {len(PAGES)}"))

    def action_turn(self, pages: int) -> None:
        """Turn pages; after the last the tour is over."""
        if self._page + pages >= len(PAGES):
            self.action_close()
            return
        self._page = max(self._page + pages, 0)
        self._show()

    def action_close(self) -> None:
        """Leave the tour."""
        self.dismiss(None)


def _flowed(text: str) -> str:
    """Paragraphs without the line breaks that they are written with here."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.strip().split("\n\n"))
