"""Text from outside as it may stand on a screen: literally, on one line or several, or hidden.

A cell of a practice's file may hold anything. It is never read as markup; what would act in a terminal, or
could not be seen in it, is shown as a sign or as its escape, in reverse, so that it is not taken for text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from rich.cells import cell_len, set_cell_size
from textual.content import Content, Span

from stager.visible import visible

MASKED = "••••••"
"""A value that is hidden: its length is hidden with it."""

ABSENT = "–"
"""No such column, or nothing to be had."""

EMPTY = "(empty)"

BREAK = "↵"
TAB = "⇥"
SPACE = "·"
"""A space at the beginning or end of a cell, where it would not be seen."""

ODD = "reverse"
"""How a sign that stands for a character is told from text; no colour, so that it is seen without."""

_SHOWN_AT_MOST = 200_000
"""Characters of one cell on a screen; a cell may hold a million, which nobody reads in a terminal."""

_PLAIN = re.compile(r"[\x21-\x7e]+(?: [\x21-\x7e]+)*")
_EVERYDAY = re.compile(r"[ -~]+")


def line(value: str | None, *, masked: bool = False) -> str:
    """The value on one line, for a table: line breaks, tabs and acting characters as signs."""
    if value is None:
        return ABSENT
    if masked and value:
        return MASKED
    if _PLAIN.fullmatch(value):
        return value
    return "".join(shown for shown, _ in _pieces(value, several=False))


def cell(
    value: str | None,
    *,
    masked: bool = False,
    marks: Sequence[tuple[int, int]] = (),
    mark_style: str = "bold underline",
    lines: bool = False,
    style: str = "",
) -> Content:
    """The value as content that a widget shows literally.

    marks: half-open ranges of the value's characters to show in `mark_style`, as what differs. lines: go
    on to a new line after the sign of a line break, as for notes. style: of the value as a whole.
    """
    if value is None:
        return Content(ABSENT, [Span(0, 1, "dim")])
    if not value:
        return Content(EMPTY, [Span(0, len(EMPTY), "dim italic")])
    if masked:
        return Content(MASKED, [Span(0, len(MASKED), style)] if style else [])
    return _built(value, marks, mark_style, style, lines=lines)


def _built(
    value: str, marks: Sequence[tuple[int, int]], mark_style: str, style: str, *, lines: bool
) -> Content:
    parts: list[str] = []
    starts: list[int] = []  # where each piece of the value begins on the screen, and which characters it is
    spans: list[Span] = []
    at = place = 0
    origins: list[tuple[int, int]] = []
    for shown, odd in _pieces(value[:_SHOWN_AT_MOST], several=lines):
        parts.append(shown)
        starts.append(at)
        taken = 1 if odd else len(shown)
        origins.append((place, taken))
        if odd:
            spans.append(Span(at, at + len(shown.rstrip("\n")), ODD))
        at, place = at + len(shown), place + taken
    whole = [Span(0, at, style)] if style else []
    marked = [Span(*each, mark_style) for each in _ranges(marks, starts, origins, parts)]
    if place < len(value):
        parts.append(f" … {len(value) - place:,} more characters")
    return Content("".join(parts), [*whole, *marked, *spans])


def _ranges(
    marks: Sequence[tuple[int, int]],
    starts: Sequence[int],
    origins: Sequence[tuple[int, int]],
    parts: Sequence[str],
) -> Iterator[tuple[int, int]]:
    """Ranges of the value's characters as ranges of what is shown for them."""
    for first, last in marks:
        for start, (place, taken), shown in zip(starts, origins, parts, strict=True):
            low, high = max(first, place), min(last, place + taken)
            if low < high:
                yield (
                    (start + low - place, start + high - place) if taken > 1 else (start, start + len(shown))
                )


def _pieces(value: str, *, several: bool) -> Iterator[tuple[str, bool]]:
    """What is shown, run by run, and whether it is a sign that stands for one character."""
    inner = value.strip(" ")
    lead = len(value) - len(value.lstrip(" "))
    if not inner:
        yield from ((SPACE, True) for _ in value)
        return
    yield from ((SPACE, True) for _ in range(lead))
    at = 0
    for run in _EVERYDAY.finditer(inner):
        yield from _acting(inner[at : run.start()], several=several)
        yield run.group(), False
        at = run.end()
    yield from _acting(inner[at:], several=several)
    yield from ((SPACE, True) for _ in range(len(value) - lead - len(inner)))


def _acting(text: str, *, several: bool) -> Iterator[tuple[str, bool]]:
    """Characters outside printable ASCII, one by one; a CR before its LF is one break with it."""
    for char in text:
        if char == "\n":
            yield (f"{BREAK}\n" if several else BREAK), True
        elif char == "\t":
            yield TAB, True
        elif unicodedata.category(char) == "Zs":
            yield char.encode("unicode_escape").decode("ascii"), True
        else:
            shown = visible(char)
            yield shown, shown != char


def fitted(text: str, width: int, *, right: bool = False) -> str:
    """The text in exactly `width` cells of a terminal: cut with an ellipsis, or filled with spaces."""
    taken = cell_len(text)
    if taken > width:
        return set_cell_size(text, width - 1) + "…" if width > 0 else ""
    return " " * (width - taken) + text if right else text + " " * (width - taken)
