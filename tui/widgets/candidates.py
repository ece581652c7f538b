"""Persons to choose from, side by side, field by field, with what speaks for and against each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct
from textual.content import Content

from stager.session.review_views import Likeness
from stager.sheets import SHEETS
from stager.wording import counted
from tui.text import ABSENT, cell
from tui.widgets.lines import BLANK, GAP, beside, heading, said

if TYPE_CHECKING:
    from stager.session.review_views import Candidate, Compared

_LABEL, _OURS, _THEIRS = 15, 14, 20
"""Cells of a terminal that the columns take at least."""

_WIDEST = 40

SIGNS = {
    Likeness.AGREE: ("= agree", "$success"),
    Likeness.NEAR: ("≈ near", "$warning"),
    Likeness.DIFFER: ("≠ differs", "bold $error"),
    Likeness.MISSING: ("○ missing", "dim"),
}
"""Each likeness by sign and word, so that no colour is needed to tell them apart."""

NEAR_MARK = "bold underline"
"""How the difference is marked inside a value that is near."""

_PLURALS = {"background": "background rows"}


class Window(Struct, frozen=True):
    """Which candidates are in sight. first: the first one's number. shown: how many. of: how many in all."""

    first: int
    shown: int
    of: int

    @property
    def words(self) -> str:
        if self.shown >= self.of:
            return counted(self.of, "candidate")
        return f"candidates {self.first}–{self.first + self.shown - 1} of {self.of}: ← → show the others"


def room(width: int) -> int:
    """How many candidates stand side by side in that width."""
    return max((width - _LABEL - _OURS - GAP) // (_THEIRS + GAP), 1)


def window(count: int, first: int, width: int) -> Window:
    """The candidates in sight, from the one wanted first as far as there is room."""
    shown = min(room(width), count)
    return Window(max(1, min(first, count - shown + 1)), shown, count)


def candidate_lines(
    candidates: Sequence[Candidate], width: int, *, masked: bool, first: int, chosen: int | None
) -> Iterator[Content]:
    """The candidates in lines of that width. first: the number to begin at. chosen: who was picked."""
    if not candidates:
        yield heading("Candidates", width)
        yield said("  the rules suggest nobody: l finds a person by name, number or birth date", "dim")
        return
    seen = window(len(candidates), first, width)
    here = candidates[seen.first - 1 : seen.first - 1 + seen.shown]
    widths = _widths(len(here), width)
    yield heading(seen.words[:1].upper() + seen.words[1:], width)
    titles = [_title(each, chosen, masked=masked) for each in here]
    yield from beside([BLANK, said("this row", "bold"), *titles], widths)
    for label, told in _REASONS:
        cells = [told(each) for each in here]
        if any(cells):
            yield from beside([said(label, "dim"), BLANK, *cells], widths)
    for field in _fields(here):
        yield from beside(_compared(field, here, masked=masked), widths)
    yield from beside([said("their rows", "dim"), BLANK, *(_rows(each) for each in here)], widths)


def _widths(count: int, width: int) -> list[int]:
    """The columns' widths: the candidates share what is left, up to a width at which they are easily read."""
    left = width - _LABEL - _OURS - GAP * (count + 1)
    return [_LABEL, _OURS, *[max(min(left // count, _WIDEST), 8)] * count]


def _title(candidate: Candidate, chosen: int | None, *, masked: bool) -> Content:
    is_chosen = candidate.number == chosen
    number = (f"[{candidate.number}]", "bold reverse") if is_chosen else (f" {candidate.number} ", "bold")
    sign = ("✓ chosen ", "bold") if is_chosen else ("", "")
    return Content.assemble(number, " ", sign, cell(candidate.title, masked=masked, style="bold"))


def _veto(candidate: Candidate) -> Content:
    return said(f"✗ VETO: {candidate.veto}", "bold $error") if candidate.veto else BLANK


def _why(candidate: Candidate) -> Content:
    return Content("\n").join(said(f"+ {reason}", "$success") for reason in candidate.why)


def _against(candidate: Candidate) -> Content:
    return Content("\n").join(said(f"− {reason}", "$warning") for reason in candidate.against)


_REASONS: tuple[tuple[str, Callable[[Candidate], Content]], ...] = (
    ("veto", _veto),
    ("why", _why),
    ("against", _against),
)


def _fields(candidates: Sequence[Candidate]) -> list[tuple[str, str]]:
    """The fields that any of them is compared in, in the order of the sheet."""
    return list(dict.fromkeys((each.field, each.column) for found in candidates for each in found.compared))


def _compared(field: tuple[str, str], shown: Sequence[Candidate], *, masked: bool) -> list[Content]:
    found = [
        next((each for each in one.compared if (each.field, each.column) == field), None) for one in shown
    ]
    ours = next((each.ours for each in found if each is not None), None)
    own = cell(ours, masked=masked) if ours else said(*SIGNS[Likeness.MISSING])
    return [said(field[1], "dim"), own, *(_theirs(each, masked=masked) for each in found)]


def _theirs(compared: Compared | None, *, masked: bool) -> Content:
    if compared is None:
        return said(ABSENT, "dim")
    word, style = SIGNS[compared.likeness]
    if compared.theirs is None or (compared.likeness is Likeness.AGREE and compared.ours == compared.theirs):
        return said(word, style)
    value = cell(compared.theirs, masked=masked, marks=compared.marks, mark_style=NEAR_MARK)
    if compared.likeness is Likeness.MISSING:
        return value
    return Content.assemble((word, style), " ", value)


def _rows(candidate: Candidate) -> Content:
    counts = [(sheet.name, candidate.rows.get(sheet.name, 0)) for sheet in SHEETS]
    told = ", ".join(f"{count:,} {_PLURALS.get(sheet, sheet)}" for sheet, count in counts if count)
    return said(told or "none", "dim")
