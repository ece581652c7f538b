"""A record as it came beside what stager made of it, cell by cell; long texts across the whole width."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from textual.content import Content

from stager.visible import visible
from tui.text import ABSENT, cell, line
from tui.widgets.lines import BLANK, GAP, beside, heading, said, wrapped
from tui.words import STATE_SIGNS

if TYPE_CHECKING:
    from stager.session.review_views import CellPair, Record

SUBJECT = "▸"
"""Stands before the cell that a finding is about."""

SEALED = "§"
"""Stands behind a column whose values are sealed in the tenant's database."""

_LONG = 120
"""Characters from which on a cell is a text of its own, across the whole width."""

_NAME = 22


def record_lines(record: Record, width: int, *, masked: bool, title: str) -> Iterator[Content]:
    """The record in lines of that width. title: what it is here, as "The record"."""
    yield heading(title, width)
    yield from wrapped(_whereabouts(record, masked=masked), width)
    if record.raw is not None:
        yield said("It could not be read as cells. As it came:", "$warning")
        yield from wrapped(cell(record.raw, masked=masked, lines=True), width, 2)
        return
    shown = [pair for pair in record.pairs if not _is_blank(pair)]
    widths = _widths([pair for pair in shown if not _is_long(pair)], width)
    yield from beside([BLANK, said("as it came", "dim"), said("as stager has it", "dim")], widths)
    for pair in shown:
        yield from _text(pair, width, masked=masked) if _is_long(pair) else _row(pair, widths, masked=masked)
    if blank := [pair.column for pair in record.pairs if _is_blank(pair)]:
        yield from wrapped(said(f"empty: {', '.join(blank)}", "dim"), width, 2)
    if any(pair.protected for pair in shown):
        yield said(f"  {SEALED} sealed in the practice's database", "dim")


def whereabouts(record: Record) -> str:
    """The row's address and state, without a value: "◆ held · notes.csv line 45 · row 3:43"."""
    if record.place.startswith("tenant:"):
        return "already in the practice's database"
    state = f"{STATE_SIGNS.get(record.state, '')} {record.state}".strip()
    return f"{state} · {visible(record.file)} line {record.line:,} · {record.sheet} row {record.place}"


def _whereabouts(record: Record, *, masked: bool) -> Content:
    title = cell(record.title, masked=masked, style="bold")
    return Content.assemble(title, (f"  {whereabouts(record)}", "$secondary"))


def _is_blank(pair: CellPair) -> bool:
    """Nothing came and nothing was made of it, and nobody asks about it."""
    return not pair.is_subject and not pair.came and not pair.made and not pair.is_corrected


def _is_long(pair: CellPair) -> bool:
    came = pair.corrected if pair.is_corrected and pair.corrected else pair.came or ""
    return len(came) > _LONG or len(came.splitlines()) > 2


def _widths(pairs: list[CellPair], width: int) -> list[int]:
    name = min(max((len(_named(pair)) for pair in pairs), default=8), _NAME)
    left = max(width - name - 2 * GAP, 8)
    return [name, left - left // 2, left // 2]


def _named(pair: CellPair) -> str:
    return f"{SUBJECT if pair.is_subject else ' '} {pair.column}{f' {SEALED}' if pair.protected else ''}"


def _name(pair: CellPair) -> Content:
    return said(_named(pair), "bold $warning" if pair.is_subject else "")


def _row(pair: CellPair, widths: list[int], *, masked: bool) -> Iterator[Content]:
    style = "bold" if pair.is_subject else ""
    came = cell(pair.came, masked=masked, style=style)
    yield from beside([_name(pair), came, _made(pair, masked=masked)], widths)


def _made(pair: CellPair, *, masked: bool) -> Content:
    """What the cell will be: the same, changed and why, or not to be had."""
    why = f"  ({'; '.join(pair.rules)})" if pair.rules else ""
    if pair.is_corrected:
        typed = cell(pair.corrected, masked=masked) if pair.corrected else said("left blank")
        return Content.assemble(("✎ ", "bold"), typed, (f"  (a person's{why})", "dim"))
    if pair.made is None:
        return said("✗ not usable as it stands", "$warning") if pair.came else said(ABSENT, "dim")
    if pair.made == pair.came:
        return said("◆ in question", "$warning") if pair.is_subject else said("= the same", "dim")
    return Content.assemble(("→ ", "bold"), cell(pair.made, masked=masked), (why, "dim"))


def _text(pair: CellPair, width: int, *, masked: bool) -> Iterator[Content]:
    """A long text: its name and what becomes of it on one line, the whole of it below."""
    yield Content.assemble(_name(pair), "  ", _kept(pair))
    shown = pair.corrected if pair.is_corrected else pair.came
    yield from wrapped(cell(shown, masked=masked, lines=True), width, 4)


def _kept(pair: CellPair) -> Content:
    if pair.is_corrected:
        return said("✎ a person's, in place of what came", "dim")
    if pair.made is None:
        return said("✗ not usable as it stands", "$warning")
    return said("= the same" if pair.made == pair.came else f"→ {'; '.join(pair.rules) or 'changed'}", "dim")


def one_line(record: Record, *, masked: bool) -> str:
    """The record on one line, for a list."""
    return f"{line(record.title, masked=masked)}  {whereabouts(record)}"
