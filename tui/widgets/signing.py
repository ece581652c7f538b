"""What would be signed and published, and what would not and why, as lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from textual.content import Content

from stager.sheets import EXPLAINED, SHEETS, Code
from tui.widgets.lines import BLANK, heading, said, wrapped
from tui.words import STATE_SIGNS, STATE_WORDS, code_words

if TYPE_CHECKING:
    from stager.session.review_views import Signing

_SHEET, _COUNT = 14, 14


def signing_lines(signing: Signing, width: int, *, sheet: str | None) -> Iterator[Content]:
    """What an approval would sign, what could then be published, and what stays behind and why."""
    covered = f"only {sheet}" if sheet else "all sheets"
    yield heading(f"An approval now would sign ({covered})", width)
    yield from counts(("ready now", signing.rows), ("then to publish", signing.planned))
    yield from plan_line(signing.plan, width)
    yield BLANK
    if signing.blocked:
        yield from wrapped(said(f"✗ {signing.blocked}", "bold $warning"), width)
        yield BLANK
    yield heading("What it would not sign, and why", width)
    if not signing.left:
        yield said("  nothing is left behind", "dim")
    for state, count in signing.left.items():
        yield from wrapped(_left(state, count), width, 2)
    for code, count in signing.codes.items():
        told = f"{count:>9,}  {code_words(code)}: {EXPLAINED[Code(code)]}"
        yield from wrapped(said(told, "$secondary"), width, 2)


def counts(*columns: tuple[str, Mapping[str, int]]) -> Iterator[Content]:
    """Rows by sheet, a column for each of these, with the sums below."""
    yield said(" " * _SHEET + "".join(f"{name:>{_COUNT + 2}}" for name, _ in columns), "dim")
    for sheet in SHEETS:
        numbers = "".join(f"{rows.get(sheet.name, 0):>{_COUNT + 2},}" for _, rows in columns)
        yield Content(f"  {sheet.name:<{_SHEET - 2}}{numbers}")
    sums = "".join(f"{sum(rows.values()):>{_COUNT + 2},}" for _, rows in columns)
    yield said(f"  {'total':<{_SHEET - 2}}{sums}", "bold")


def plan_line(plan: str, width: int) -> Iterator[Content]:
    """The plan's hash."""
    yield from wrapped(Content.assemble(("plan hash  ", "dim"), plan), width, 2)


def _left(state: str, count: int) -> Content:
    words = STATE_WORDS.get(state, state)
    return Content.assemble((f"{STATE_SIGNS.get(state, ' ')} {count:>7,}  ", "bold"), words)
