"""What a finding says, and what lies beside it: the column as a whole, and what else is held."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from stager.sheets import Column, fold_word
from stager.visible import visible
from stager.wording import counted
from tui.text import cell, fitted, line
from tui.widgets.lines import heading, said, wrapped
from tui.words import STATE_SIGNS, code_words

if TYPE_CHECKING:
    from stager.session.review_views import ColumnLook, FindingView, QueueLine, Record

_VALUE = 24
_BAR = 30
_HELD_SHOWN = 40


def head_lines(view: FindingView, width: int, *, masked: bool) -> Iterator[Content]:
    """What is found, where, and what the rule says, in three or four lines."""
    finding, record = view.line.finding, view.record
    state = "" if finding.state == "open" else f"  ✓ {finding.state}"
    where = f"{finding.sheet} row {finding.source_id}:{finding.row_no}, line {record.line:,}"
    row = f"{STATE_SIGNS.get(record.state, '')} {record.state}".strip()
    head = Content.assemble(
        (code_words(finding.code), "bold $warning"),
        (state, "bold $success"),
        (f" · {row}", "bold"),
        (f" · {where} · {finding.code}", "$secondary"),
    )
    yield from wrapped(head, width)
    yield from wrapped(_about(view, masked=masked), width)
    if view.assigned_to:
        note = f": {visible(view.note)}" if view.note else ""
        yield from wrapped(said(f"@ {visible(view.assigned_to)} was asked{note}", "$accent"), width)


def _about(view: FindingView, *, masked: bool) -> Content:
    """The cell, what is wrong with it, and how many others have the very same problem."""
    subject: list[Content] = []
    if view.line.column:
        subject = [
            said(f"{view.line.column} ", "bold"),
            cell(view.line.cell, masked=masked, style="reverse"),
            said("  "),
        ]
    words = view.rule or view.meaning
    others = f"  = {view.alike - 1:,} other{'s' if view.alike > 2 else ''} alike" if view.alike > 1 else ""
    return Content.assemble(*subject, words, (others, "bold $accent"))


def look_lines(
    look: ColumnLook, column: Column, width: int, *, masked: bool, subject: str | None
) -> Iterator[Content]:
    """The whole column: how full it is, what is allowed, and its values with their counts as bars."""
    yield heading(f"The whole column {look.column}", width)
    filled, blank = f"{look.filled:,} filled", f"{look.blank:,} blank"
    yield said(f"  {filled}, {blank}, {look.distinct:,} different", "$secondary")
    if look.allowed:
        yield from wrapped(said(f"allowed: {', '.join(look.allowed)}"), width, 2)
    most = max((count for _, count in look.values), default=1)
    room = max(min(width - _VALUE - 16, _BAR), 4)
    for value, count in look.values:
        read = _read_as(value, look, column)
        bar = "█" * max(count * room // most, 1)
        text = f"{_sign(value, read, look)} {line(value, masked=masked and value not in look.allowed)}"
        told = fitted(f"{'▸' if value == subject else ' '} {text}", _VALUE)
        meant = f"  read as {read}" if read not in (None, value) else ""
        style = "bold $warning" if value == subject else ""
        yield Content.assemble((told, style), " ", (bar, "$primary"), f" {count:,}", (meant, "dim"))
    if look.distinct > len(look.values):
        yield said(f"    and {look.distinct - len(look.values):,} more", "dim")


def _read_as(value: str, look: ColumnLook, column: Column) -> str | None:
    """The word of the vocabulary that the value is taken for; None where there is none."""
    folded = fold_word(value)
    words = {fold_word(word): word for word in look.allowed}
    return words.get(folded) or column.synonyms.get(folded)


def _sign(value: str, read: str | None, look: ColumnLook) -> str:
    if not look.allowed:
        return ""
    return "✓" if value in look.allowed else "→" if read else "✗"


def held_lines(held: Sequence[QueueLine], width: int, *, masked: bool) -> Iterator[Content]:
    """What else is held of the same person or row."""
    if not held:
        return
    yield heading(
        f"Also held of the same person or row: {counted(len(held), 'finding')} (o opens them)", width
    )
    for each in held[:_HELD_SHOWN]:
        yield held_line(each, width, masked=masked)
    if len(held) > _HELD_SHOWN:
        yield said(f"    and {len(held) - _HELD_SHOWN:,} more", "dim")


def held_line(each: QueueLine, width: int, *, masked: bool) -> Content:
    """A finding on one line: its row, its problem, its cell."""
    finding = each.finding
    where = fitted(f"{finding.sheet} {finding.source_id}:{finding.row_no}", 20)
    column = f"{each.column}: " if each.column else ""
    text = f"  ◆ {where} {fitted(code_words(finding.code), 25)} {column}"
    shown = "" if each.cell is None and not each.column else line(each.cell, masked=masked)
    return Content.assemble((fitted(text + shown, width), ""))


def rows_lines(rows: Mapping[str, Sequence[Record]], width: int, *, masked: bool) -> Iterator[Content]:
    """The rows that belong to each of these persons. rows: by how the person is called here."""
    for whose, records in rows.items():
        yield heading(f"Rows of {whose}: {len(records):,}", width)
        for each in records:
            where = fitted(f"{each.sheet} {each.place}", 20)
            state = fitted(f"{STATE_SIGNS.get(each.state, '')} {each.state}", 12)
            yield Content(fitted(f"  {where} {state} {line(each.title, masked=masked)}", width))
        if not records:
            yield said("  none is linked to it", "dim")
