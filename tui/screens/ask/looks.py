"""The looks that come before excluding a row, merging two records, and linking to somebody no rule named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from stager.sheets import PATIENTS
from tui.screens.ask.look import Look
from tui.text import cell
from tui.widgets.lines import said
from tui.widgets.record_table import whereabouts

if TYPE_CHECKING:
    from stager.session.review_views import CellPair, FindingView, Record, Way

_LONGEST = 200
"""Characters of a cell that are shown in a look; the whole of it is on the screen below."""

_TOLD = ("legacy_id", "first_name", "last_name", "date_of_birth", "nhs_number", "gender", "postcode", "email")


def look_at_row(view: FindingView, way: Way, reason: str | None, *, masked: bool) -> Look:
    """Before a row is left out."""
    return Look(
        f"{_sentence(way.words)}?",
        Content("\n").join([*_told(view.record, masked=masked), *_waiting(view)]),
        reason=reason,
        required=way.reason_required,
    )


def look_at_two(view: FindingView, way: Way, other: Record, reason: str | None, *, masked: bool) -> Look:
    """Before a row is given to a person, or a record goes into another."""
    merges = way.decision.value == "merge"
    lines = [
        *_told(view.record, masked=masked),
        said("goes into, with its rows:" if merges else "becomes a row of:", "bold $warning"),
        *_told(other, masked=masked),
    ]
    return Look(
        f"{_sentence(way.words)}?", Content("\n").join(lines), reason=reason, required=way.reason_required
    )


def _waiting(view: FindingView) -> list[Content]:
    """What leaving a patient out does to others."""
    if view.record.sheet != PATIENTS.name:
        return []
    return [
        said(
            "A patient's rows are not published without them: those linked to this one will wait.", "$warning"
        )
    ]


def _told(record: Record, *, masked: bool) -> list[Content]:
    """The record's name and address, then its cells one after the other."""
    title = cell(record.title, masked=masked, style="bold")
    pairs = [pair for pair in record.pairs if pair.field in _TOLD or record.sheet != PATIENTS.name]
    cells = [_pair(pair, masked=masked) for pair in pairs if _value(pair)]
    raw = [cell((record.raw or "")[:_LONGEST], masked=masked)] if record.raw else []
    return [
        Content.assemble(title, (f"  {whereabouts(record)}", "$secondary")),
        Content(" · ").join([*cells, *raw]),
    ]


def _pair(pair: CellPair, *, masked: bool) -> Content:
    value = _value(pair) or ""
    shown = cell(value[:_LONGEST], masked=masked)
    return Content.assemble((f"{pair.column} ", "dim"), shown, "…" if len(value) > _LONGEST else "")


def _value(pair: CellPair) -> str | None:
    return pair.made or (pair.corrected if pair.is_corrected else pair.came)


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]
