"""Short words and signs for what the screens show often; a sign never leaves its word alone to a colour."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from stager.sheets import SHEET, SHEETS, Code, State

STATE_SIGNS: Mapping[str, str] = MappingProxyType(
    {
        State.PUBLISHED.value: "■",
        State.APPROVED.value: "▣",
        State.READY.value: "□",
        State.HELD.value: "◆",
        State.WAITING.value: "○",
        State.REJECTED.value: "✗",
        State.EXCLUDED.value: "–",
    }
)
"""In the order in which a row goes forward, then what keeps one back."""

STATE_WORDS: Mapping[str, str] = MappingProxyType(
    {
        State.PUBLISHED.value: "published: it is in the practice's database",
        State.APPROVED.value: "approved: signed, and not yet published",
        State.READY.value: "ready: nothing is said against it; it can be approved",
        State.HELD.value: "held: a finding must be decided first",
        State.WAITING.value: "waiting: fine itself, but its patient is not",
        State.REJECTED.value: "rejected: cannot be published as it came",
        State.EXCLUDED.value: "excluded: a person decided to leave it out",
    }
)

STATE_STYLES: Mapping[str, str] = MappingProxyType(
    {
        State.PUBLISHED.value: "$success",
        State.APPROVED.value: "$success",
        State.READY.value: "$primary",
        State.HELD.value: "$warning",
        State.WAITING.value: "$secondary",
        State.REJECTED.value: "$error",
        State.EXCLUDED.value: "$secondary",
    }
)

CODE_WORDS: Mapping[str, str] = MappingProxyType(
    {
        Code.VALUE_MISSING.value: "value missing",
        Code.VALUE_INVALID.value: "value unreadable",
        Code.VALUE_NORMALISED.value: "value tidied",
        Code.VALUE_DEFAULTED.value: "default filled in",
        Code.VALUE_SUSPECT.value: "value looks wrong",
        Code.VALUE_UNKNOWN.value: "word not listed",
        Code.ROW_MALFORMED.value: "record unreadable",
        Code.ROW_REPEATED.value: "record stands twice",
        Code.PATIENT_ID_SHARED.value: "two share one ID",
        Code.PATIENT_DUPLICATE.value: "maybe one person",
        Code.PATIENT_EMAIL_SHARED.value: "two share one email",
        Code.PATIENT_WAITING.value: "patient waiting",
        Code.PRACTITIONER_UNRESOLVED.value: "practitioner unknown",
        Code.LINK_AMBIGUOUS.value: "several patients fit",
        Code.LINK_CONFLICT.value: "patient keys differ",
        Code.LINK_UNRESOLVED.value: "no patient fits",
        Code.PUBLISH_REFUSED.value: "database refused it",
    }
)

DECISION_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "link": "linked",
        "accept": "accepted",
        "correct": "corrected",
        "blank": "left blank",
        "release": "released",
        "keep_both": "kept both",
        "merge": "merged",
        "exclude": "excluded",
        "put_back": "put back",
    }
)
"""What was done, as a reviewer would say it."""


def code_words(code: str) -> str:
    """What a code means, in at most 20 letters; the code itself where it is not known."""
    return CODE_WORDS.get(code, code)


def column_name(field: str | None, sheet: str | None = None) -> str:
    """A field as its column is headed: of that sheet, else of the first sheet that has it."""
    if field is None:
        return ""
    for each in [SHEET[sheet]] if sheet and sheet in SHEET else SHEETS:
        for column in each.columns:
            if column.field == field:
                return column.name
    return field
