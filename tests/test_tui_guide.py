"""The reviewers' guide keeps its word: its keys are bound, its pictures are there, its decisions all told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from textual.binding import Binding
from textual.keys import _character_to_key
from textual.screen import Screen

from tests.review_pictures import PICTURES
from tui.app import ReviewApp
from tui.screens.approve import ApproveScreen
from tui.screens.finding import FindingScreen
from tui.screens.log import LogScreen
from tui.screens.publish import PublishScreen
from tui.widgets.finding_panes import KEYS
from tui.widgets.virtual_table import VirtualTable

GUIDE = Path(__file__).parents[1] / "docs" / "review.md"
README = GUIDE.parents[1] / "README.md"

TABLES: dict[str, type[Screen[None]]] = {
    "on a finding": FindingScreen,
    "in the log": LogScreen,
    "when approving": ApproveScreen,
    "when publishing": PublishScreen,
}
"""A table's heading → the screen whose keys it names."""


def keys_in(heading: str) -> list[str]:
    """The keys that the table with that heading names, each one of a range."""
    text = GUIDE.read_text(encoding="utf-8")
    rows = text.partition(f"| key | {heading} |\n|---|---|\n")[2].partition("\n\n")[0]
    keys: list[str] = []
    for row in rows.splitlines():
        named = re.findall(r"`([^`]+)`", row.split("|")[1])
        keys += map(str, range(int(named[0]), int(named[1]) + 1)) if "…" in row.split("|")[1] else named
    return keys


def bound(screen: type[Screen[None]]) -> set[str]:
    """Every key that does something on that screen."""
    found: set[str] = set()
    for owner in (*screen.__mro__, VirtualTable, ReviewApp):
        for binding in vars(owner).get("BINDINGS", ()):
            assert isinstance(binding, Binding)
            found |= set(binding.key.split(","))
    return found


@pytest.mark.parametrize("heading", TABLES)
def test_every_key_of_the_guide_is_bound(heading: str) -> None:
    """A key that is renamed on a screen fails here until the guide names the new one."""
    named = keys_in(heading)
    assert named
    known = bound(TABLES[heading])
    assert [key for key in named if not known & {key, _character_to_key(key)}] == []


def test_every_decision_is_in_the_guide() -> None:
    """No decision has a key that the guide does not name."""
    assert set(KEYS.values()) - set(keys_in("on a finding")) == set()


def test_every_picture_of_the_guide_is_there_and_every_picture_is_used() -> None:
    """And each has words for those who cannot see it."""
    shown = re.findall(r"!\[([^\]]+)\]\(pictures/([a-z-]+\.svg)\)", GUIDE.read_text(encoding="utf-8"))
    assert sorted(name for _, name in shown) == sorted(path.name for path in PICTURES.glob("*.svg"))
    assert all(words for words, _ in shown)


def test_the_readme_leads_to_the_guide() -> None:
    """A reviewer finds it."""
    assert "docs/review.md" in README.read_text(encoding="utf-8")
