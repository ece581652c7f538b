"""A person's decisions about findings and rows: which exist, what they may be about, what forbids them.

A decision is one event, about one finding or an exact set of them, and is undone by another. It never
changes a fact: a corrected value is kept beside the cell that it replaces.

choices    the decisions, and which findings each settles
persons    who can be named in one, and the veto of two NHS numbers
fitting    which of them a finding takes as it stands
deciding   checking and making one, and taking it back
assigning  asking a colleague, which decides nothing

What needs polars is looked up when it is first asked for (PEP 562), so that what a decision is can be
named without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stager.decisions.choices import ALLOWED, BlindIndex, Choice, Decision, Finding
from stager.late import looked_up

if TYPE_CHECKING:
    from stager.decisions.assigning import assign
    from stager.decisions.deciding import correction_bytes, decide, decide_rows, undo
    from stager.decisions.persons import MOST_MERGED, vetoes

__all__ = [
    "ALLOWED",
    "MOST_MERGED",
    "BlindIndex",
    "Choice",
    "Decision",
    "Finding",
    "assign",
    "correction_bytes",
    "decide",
    "decide_rows",
    "undo",
    "vetoes",
]

__getattr__ = looked_up(
    __name__,
    {
        "MOST_MERGED": "stager.decisions.persons",
        "assign": "stager.decisions.assigning",
        "correction_bytes": "stager.decisions.deciding",
        "decide": "stager.decisions.deciding",
        "decide_rows": "stager.decisions.deciding",
        "undo": "stager.decisions.deciding",
        "vetoes": "stager.decisions.persons",
    },
)
