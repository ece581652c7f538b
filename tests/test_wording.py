"""Numbers in sentences."""

from __future__ import annotations

import pytest

from stager.cli import telling
from stager.session.views import EventLine
from stager.wording import counted


@pytest.mark.parametrize(
    ("count", "nouns", "said"),
    [
        (0, ["row"], "0 rows"),
        (1, ["row"], "1 row"),
        (1200, ["row"], "1,200 rows"),
        (1, ["person", "people"], "1 person"),
        (2, ["person", "people"], "2 people"),
    ],
)
def test_one_is_one(count: int, nouns: list[str], said: str) -> None:
    """One has the singular, every other number the plural, thousands their separator."""
    assert counted(count, *nouns) == said


def test_an_empty_detail_is_left_out() -> None:
    """A detail without a value leaves no name with a blank behind it."""
    event = EventLine(1, "", "x", "finding.raised", {"code": "row.repeated", "subject": "", "rule": None})
    assert telling.detail(event) == "code row.repeated"
