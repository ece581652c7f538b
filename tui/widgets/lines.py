"""Content laid out line by line for the width there is: cells side by side, and a widget that shows lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, cast

from textual.app import App
from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

GAP = 2
"""Blank cells of the terminal between two columns."""

BLANK = Content()


def said(text: str, style: str = "") -> Content:
    """Our own words in a style; literal text."""
    return Content.assemble((text, style))


def wrapped(content: Content, width: int, indent: int = 0) -> list[Content]:
    """The content in lines of at most that width, each behind an indent."""
    lines = content.wrap(max(width - indent, 1)) if content else [BLANK]
    return [line.pad_left(indent) for line in lines] if indent else lines


def beside(cells: Sequence[Content], widths: Sequence[int]) -> Iterator[Content]:
    """Cells wrapped to their widths and laid side by side, line by line."""
    columns = [wrapped(cell, width) for cell, width in zip(cells, widths, strict=True)]
    for y in range(max(map(len, columns))):
        parts = [column[y] if y < len(column) else BLANK for column in columns]
        filled = [_filled(part, width) for part, width in zip(parts, widths, strict=True)]
        yield Content(" " * GAP).join(filled)


def heading(words: str, width: int) -> Content:
    """A section's heading with a rule to the right edge."""
    rule = "─" * max(width - len(words) - 4, 0)
    return Content.assemble(("── ", "$secondary"), (words, "bold"), (f" {rule}", "$secondary"))


def _filled(content: Content, width: int) -> Content:
    return content.pad_right(max(width - content.cell_length, 0))


class Lines(Widget):
    """A widget that is as high as its lines. A subclass says in `lines` what they are at a width."""

    DEFAULT_CSS = """
    Lines { height: auto; width: 1fr; }
    """
    ALLOW_SELECT: ClassVar[bool] = True

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - textual's own name for it
        super().__init__(id=id)
        self._laid_out: tuple[int, list[Content]] | None = None

    def lines(self, width: int) -> Iterator[Content]:
        """What is shown at that width."""
        yield from ()

    @property
    def masked(self) -> bool:
        """Whether patients' values are hidden now."""
        return bool(getattr(cast("App[object]", self.app), "masked", False))

    def changed(self) -> None:
        """What is shown is another: lay it out again."""
        self._laid_out = None
        self.clear_cached_dimensions()
        self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._at(width)) if width else 0

    def render(self) -> Content:
        return Content("\n").join(self._at(self.content_size.width))

    def _at(self, width: int) -> list[Content]:
        if self._laid_out is None or self._laid_out[0] != width:
            self._laid_out = width, list(self.lines(width)) if width else []
        return self._laid_out[1]
