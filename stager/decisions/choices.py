"""What a person may decide, and which findings each decision settles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum

from msgspec import Struct

from stager.errors import UsageError, Where
from stager.sheets import SHEET, Code

BlindIndex = Callable[[Sequence[str]], list[bytes]]
"""Ten-digit NHS numbers → their blind indexes in the tenant's database."""


class Decision(Enum):
    """What a person may decide."""

    LINK = "link"
    ACCEPT = "accept"
    CORRECT = "correct"
    BLANK = "blank"
    RELEASE = "release"
    KEEP_BOTH = "keep_both"
    MERGE = "merge"
    EXCLUDE = "exclude"
    PUT_BACK = "put_back"


_LINKS = {Code.LINK_UNRESOLVED, Code.LINK_AMBIGUOUS, Code.LINK_CONFLICT, Code.PRACTITIONER_UNRESOLVED}
_VALUES = {Code.VALUE_SUSPECT, Code.VALUE_UNKNOWN, Code.VALUE_MISSING, Code.VALUE_INVALID}

ALLOWED: dict[Decision, frozenset[Code]] = {
    Decision.LINK: frozenset(_LINKS),
    Decision.ACCEPT: frozenset(
        {
            Code.VALUE_SUSPECT,
            Code.VALUE_UNKNOWN,
            Code.ROW_REPEATED,
            Code.PATIENT_EMAIL_SHARED,
            Code.PUBLISH_REFUSED,
        }
    ),
    Decision.CORRECT: frozenset(
        {
            *_LINKS,
            *_VALUES,
            Code.PATIENT_ID_SHARED,
            Code.PATIENT_DUPLICATE,
            Code.PATIENT_EMAIL_SHARED,
            Code.PUBLISH_REFUSED,
        }
    ),
    Decision.BLANK: frozenset(
        {
            Code.VALUE_SUSPECT,
            Code.VALUE_UNKNOWN,
            Code.PATIENT_DUPLICATE,
            Code.PATIENT_EMAIL_SHARED,
            Code.PRACTITIONER_UNRESOLVED,
            Code.PUBLISH_REFUSED,
        }
    ),
    Decision.RELEASE: frozenset({Code.PRACTITIONER_UNRESOLVED}),
    Decision.KEEP_BOTH: frozenset({Code.ROW_REPEATED, Code.PATIENT_DUPLICATE}),
    Decision.MERGE: frozenset({Code.PATIENT_DUPLICATE, Code.PATIENT_ID_SHARED}),
    Decision.EXCLUDE: frozenset(Code),
    Decision.PUT_BACK: frozenset(),
}
"""Which findings each decision settles. Putting back is about rows, not findings."""

NEW_VALUES = (Decision.CORRECT, Decision.BLANK)


class Finding(Struct, frozen=True):
    """A finding as it stands; the addresses in `related` and `suggestions` are places of persons or rows."""

    finding_id: int
    sheet: str
    source_id: int
    row_no: int
    code: str
    field: str | None
    rule: str | None
    standing: bool
    subject: str
    related: str | None
    suggestions: str | None
    state: str

    @property
    def place(self) -> tuple[int, int]:
        """The row's source_id and row_no."""
        return self.source_id, self.row_no

    @property
    def where(self) -> Where:
        column = SHEET[self.sheet].column(self.field).name if self.field else None
        return Where(sheet=self.sheet, row=self.row_no, column=column)


class Choice(Struct, frozen=True):
    """What was decided: for a link or a merge the person's place, for a correction the new value."""

    decision: Decision
    target: str | None = None
    value: str | None = None
    reason: str | None = None


def misfit(finding: Finding, message: str, hint: str) -> UsageError:
    """The error that says why a decision does not fit a finding."""
    return UsageError(message, where=finding.where, hint=hint)
