"""A person's decisions about findings and rows: which exist, what they may be about, what forbids them.

A decision is one event, about one finding or an exact set of them, and is undone by another. It never
changes a fact: a corrected value is kept beside the cell that it replaces.

choices    the decisions, and which findings each settles
persons    who can be named in one, and the veto of two NHS numbers
fitting    which of them a finding takes as it stands
deciding   checking and making one, and taking it back
assigning  asking a colleague, which decides nothing
"""

from stager.decisions.assigning import assign
from stager.decisions.choices import ALLOWED, BlindIndex, Choice, Decision, Finding
from stager.decisions.deciding import correction_bytes, decide, decide_rows, undo
from stager.decisions.fitting import fitting
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
    "fitting",
    "undo",
    "vetoes",
]
