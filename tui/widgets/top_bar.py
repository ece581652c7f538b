"""The line above every screen: what it is, whose migration, who acts, and whether values are hidden."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.content import Content, Span
from textual.widget import Widget

from stager.visible import visible
from tui.text import fitted

if TYPE_CHECKING:
    from tui.app import ReviewApp

_GAP = "  "


class TopBar(Widget):
    """One line; no patient's value is ever in it."""

    DEFAULT_CSS = """
    TopBar { dock: top; height: 1; background: $panel; color: $foreground; padding: 0 1; }
    """

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title

    def retitle(self, title: str) -> None:
        """Say what the screen shows now; no patient's value may be in it."""
        self._title = title
        self.refresh()

    def render(self) -> Content:
        review = cast("ReviewApp", self.app)
        status = review.status
        whose = (
            f"{visible(status.tenant or 'no tenant yet')}{', made-up' if status.synthetic else ''}"
            if status
            else ""
        )
        signs = [
            *(["VALUES HIDDEN (p shows)"] if review.masked else []),
            *(["READ-ONLY COPY"] if review.read_only else []),
        ]
        right = _GAP.join([*signs, *([whose] if whose else []), visible(review.actor)])
        width = max(self.size.width, 1)
        left = fitted(self._title, max(width - len(right) - 1, min(len(self._title), width)))
        text = fitted(f"{left} {right}", width)
        at = len(left) + 1
        spans = [Span(0, len(self._title), "bold")]
        for sign in signs:
            spans.append(Span(at, at + len(sign), "bold reverse"))
            at += len(sign) + len(_GAP)
        return Content(text, spans)
