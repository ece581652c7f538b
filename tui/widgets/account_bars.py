"""The account as bars: for each sheet how many of its rows are in each state, to scale and in numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from textual.content import Content
from textual.widget import Widget

from tui.words import STATE_SIGNS, STATE_STYLES

if TYPE_CHECKING:
    from stager.account import SheetAccount

_NAME, _COUNT = 12, 12


class AccountBars(Widget):
    """A bar for each sheet, the counts of its states under it, and whether it balances."""

    DEFAULT_CSS = """
    AccountBars { height: auto; padding: 0 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._sheets: Sequence[SheetAccount] = ()

    def show(self, sheets: Sequence[SheetAccount]) -> None:
        """Show these accounts."""
        self._sheets = sheets
        self.refresh(layout=True)

    def render(self) -> Content:
        lines = [part for sheet in self._sheets for part in self._sheet(sheet)]
        return Content("\n").join(lines)

    def _sheet(self, sheet: SheetAccount) -> tuple[Content, Content]:
        width = max(self.size.width - _NAME - _COUNT, 10)
        states = {state: sheet.states.get(state, 0) for state in STATE_SIGNS}
        bar = [
            (STATE_SIGNS[state] * cells, STATE_STYLES[state])
            for state, cells in shared(states, width).items()
        ]
        balance = "" if sheet.balances else "  ✗ DOES NOT BALANCE"
        return (
            Content.assemble((f"{sheet.sheet:<{_NAME}}", "bold"), *bar, f"{sheet.records:>{_COUNT},}"),
            Content.assemble(" " * _NAME, *_counts(states), (balance, "bold $error")),
        )


def shared(counts: Mapping[str, int], cells: int) -> dict[str, int]:
    """Cells of a bar shared out in proportion; whatever is there at all has one, so that it is seen."""
    there = {name: count for name, count in counts.items() if count}
    total = sum(there.values())
    given = {name: max(1, count * cells // total) for name, count in there.items()}
    if given:
        largest = max(given, key=lambda name: there[name])
        given[largest] += cells - sum(given.values())
    return given


def _counts(states: Mapping[str, int]) -> list[tuple[str, str]]:
    return [
        (f"{STATE_SIGNS[state]} {count:,} {state}  ", STATE_STYLES[state])
        for state, count in states.items()
        if count
    ]
