"""A person's decisions about findings and rows: which exist, what they may be about, what forbids them.

A decision is one event, about one finding or an exact set of them, and is undone by another. It never
changes a fact: a corrected value is kept beside the cell that it replaces.

choices    the decisions, and which findings each settles
persons    who can be named in one, and the veto of two NHS numbers
deciding   checking and making one, and taking it back
"""

from stager.decisions.choices import ALLOWED, BlindIndex, Choice, Decision, Finding
from stager.decisions.deciding import correction_bytes, decide, decide_rows, undo
from stager.decisions.persons import MOST_MERGED

__all__ = [
    "ALLOWED",
    "MOST_MERGED",
    "BlindIndex",
    "Choice",
    "Decision",
    "Finding",
    "correction_bytes",
    "decide",
    "decide_rows",
    "undo",
]
