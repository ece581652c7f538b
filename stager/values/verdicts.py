"""What the rules may say about a cell: every rule's name, its finding code and its meaning, declared once.

A verdict is something against a cell (it holds or rejects the row); a change is something that was
done to it. A cell has at most one of each: the first verdict that applies, and the change that
reaches furthest.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

from stager.sheets import Code, Column


class Verdict(Struct, frozen=True):
    """One thing that may be said against a cell.

    rule: its name in issues, findings and events.
    code: the finding code; `value.invalid` becomes `value.suspect` where the column is optional.
    standing: whether the value, as normalised, may be published if a person accepts it. Where it
        may not, the value is NULL in `Normalised.values`, so that nothing links or publishes by it.
    about: its meaning, for people.
    """

    rule: str
    code: Code
    standing: bool
    about: str

    def code_for(self, column: Column) -> Code:
        """The code this verdict has in that column: an optional value that fails holds its row."""
        if self.code is Code.VALUE_INVALID and not column.required:
            return Code.VALUE_SUSPECT
        return self.code


class Change(Struct, frozen=True):
    """One thing that may be done to a cell: its rule's name, its code, its meaning for people."""

    rule: str
    code: Code
    about: str


_MISSING, _INVALID = Code.VALUE_MISSING, Code.VALUE_INVALID
_SUSPECT, _UNKNOWN = Code.VALUE_SUSPECT, Code.VALUE_UNKNOWN
_NORMALISED, _DEFAULTED = Code.VALUE_NORMALISED, Code.VALUE_DEFAULTED

VERDICTS: Mapping[str, Verdict] = MappingProxyType(
    {
        verdict.rule: verdict
        for verdict in (
            Verdict("missing", _MISSING, False, "a required cell is blank"),
            Verdict("date", _INVALID, False, "not a date of the agreed form"),
            Verdict("moment", _INVALID, False, "not a date, or date and time, of the agreed form"),
            Verdict("birth_future", _INVALID, False, "a date of birth in the future"),
            Verdict("birth_age", _INVALID, False, "a date of birth over 130 years ago"),
            Verdict("identifier_control", _INVALID, False, "a control character inside an identifier"),
            Verdict("future", _SUSPECT, True, "a clinical date in the future"),
            Verdict(
                "clock_skipped",
                _SUSPECT,
                True,
                "a local time that the clock change skips; 01:30 is read as 02:30",
            ),
            Verdict(
                "clock_repeated",
                _SUSPECT,
                True,
                "a local time that the clock change repeats; the earlier is taken",
            ),
            Verdict("nhs_check", _SUSPECT, False, "not ten digits with a right check digit"),
            Verdict("nhs_placeholder", _SUSPECT, False, "one digit ten times over: a placeholder, no number"),
            Verdict("nhs_range", _SUSPECT, True, "an NHS number of a range that was never issued"),
            Verdict("nhs_test_range", _SUSPECT, True, "an NHS number of the test range 999"),
            Verdict("email", _SUSPECT, True, "not an email address"),
            Verdict("phone", _SUSPECT, True, "not a possible UK or E.164 phone number; kept as given"),
            Verdict("postcode", _SUSPECT, True, "not a UK postcode"),
            Verdict("clinical_code", _SUSPECT, True, "neither a SNOMED CT identifier nor an ICD-10 code"),
            Verdict("control_character", _SUSPECT, True, "a control character in a text"),
            Verdict("quantity", _SUSPECT, False, "not a number of units"),
            Verdict("vocabulary", _UNKNOWN, True, "a word outside the column's vocabulary"),
            Verdict(
                "vocabulary_required", _UNKNOWN, False, "such a word where the row cannot do without one"
            ),
        )
    }
)
"""Every verdict by its rule's name."""

CHANGES: Mapping[str, Change] = MappingProxyType(
    {
        change.rule: change
        for change in (
            Change("trimmed", _NORMALISED, "outer white space was removed"),
            Change(
                "case", _NORMALISED, "case, spaces or hyphens were changed to those of the vocabulary or code"
            ),
            Change("synonym", _NORMALISED, "a listed synonym was replaced by its word of the vocabulary"),
            Change(
                "nhs_spacing", _NORMALISED, "spaces and hyphens between an NHS number's digits were removed"
            ),
            Change("postcode", _NORMALISED, "a postcode was given upper case and one space"),
            Change("quantity_unit", _NORMALISED, "the unit after a quantity was dropped"),
            Change("constant", _DEFAULTED, "a blank was filled with the migration's constant"),
            Change("default", _DEFAULTED, "a blank was filled with the column's default"),
        )
    }
)
"""Every change by its rule's name."""
