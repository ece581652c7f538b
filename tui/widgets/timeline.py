"""Events as lines of a list or of a timeline: when, by whom, what happened in words, and where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from textual.content import Content

from stager.visible import visible
from tui.widgets.lines import Lines, said, wrapped
from tui.widgets.virtual_table import Column

if TYPE_CHECKING:
    from stager.session.review_views import LogLine

SIGNS = {
    "finding.decided": "✓",
    "decision.undone": "↶",
    "finding.assigned": "@",
    "finding.raised": "◆",
    "finding.closed": "◇",
    "link.resolved": "→",
    "link.withdrawn": "↛",
    "row.accepted": "●",
    "row.rejected": "✗",
    "row.superseded": "✎",
    "approval.granted": "▓",
    "approval.voided": "▒",
    "publish.chunk_committed": "█",
    "values.shown": "◉",
}
"""A sign for the kinds of event that matter to a reader; the others have a dot."""


_UNSAID = frozenset({"subject", "value_digest", "digest"})
"""Parts of an event that say nothing to a reader: keyed digests."""


def event_columns(*, rows: bool) -> list[Column[LogLine]]:
    """The columns of a list of events. rows: with the rows that they are about."""
    where: list[Column[LogLine]] = [Column("Row", _where, 18, from_width=84)] if rows else []
    return [
        Column("No", lambda each: f"{each.event.seq:,}", 7, right=True),
        Column("When (UTC)", lambda each: when(each.event.at), 16),
        Column("Who", lambda each: each.event.actor, 10),
        Column("", lambda each: SIGNS.get(each.event.kind, "·"), 1),
        Column("What happened", lambda each: each.words, 20, share=1),
        *where,
    ]


def when(at: str) -> str:
    """ISO 8601 → "2026-09-21 10:30"."""
    return at[:16].replace("T", " ")


def _where(each: LogLine) -> str:
    if each.place is None:
        return each.sheet or ""
    return f"{each.sheet or ''} {each.place}".strip()


class EventDetail(Lines):
    """One event in full: no patient's value is in any."""

    DEFAULT_CSS = """
    EventDetail { padding: 0 1; border-top: solid $secondary; max-height: 40%; overflow-y: auto; }
    """
    event: LogLine | None = None

    def show(self, event: LogLine | None) -> None:
        """Show this event."""
        self.event = event
        self.changed()

    def lines(self, width: int) -> Iterator[Content]:
        if self.event is None:
            yield said(" ")
            return
        line = self.event
        head = (
            f"{line.event.kind}  event {line.event.seq:,} at {line.event.at} by {visible(line.event.actor)}"
        )
        finding = f"  finding {line.finding_id}" if line.finding_id is not None else ""
        yield from wrapped(Content.assemble((head, "bold"), (finding, "$secondary")), width)
        yield from wrapped(Content(visible(line.words)), width, 2)
        told = ", ".join(
            f"{key} {visible(_short(value))}"
            for key, value in line.event.detail.items()
            if value is not None and key not in _UNSAID
        )
        yield from wrapped(said(told, "dim"), width, 2)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 160 else f"{text[:160]}…"
