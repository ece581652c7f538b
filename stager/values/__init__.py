"""The rules of cells: pure, set-wise polars from a sheet's text to typed values, issues and changes.

`normalise` reads the columns of one sheet; what it says about a cell is named by a rule of
`verdicts`. `nhs_digits` and `fold_name` are the two readings that linking and duplicate detection
share with it, so that one number or name is never read in two ways.
"""

from __future__ import annotations

from stager.values.nhs import nhs_digits
from stager.values.normalise import Normalised, normalise
from stager.values.rules import RULES_VERSION, Rules
from stager.values.text import fold_name
from stager.values.verdicts import CHANGES, VERDICTS, Change, Verdict

__all__ = [
    "CHANGES",
    "RULES_VERSION",
    "VERDICTS",
    "Change",
    "Normalised",
    "Rules",
    "Verdict",
    "fold_name",
    "nhs_digits",
    "normalise",
]
