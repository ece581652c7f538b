"""Events and links in words."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from stager.sheets import EXPLAINED, Code
from stager.wording import counted

if TYPE_CHECKING:
    from stager.session.views import EventLine, LinkStory

Detail = Mapping[str, Any]

_RULES = {
    "legacy_id": "by the practice's own number, to the letter",
    "nhs_number": "by the NHS number's ten digits",
    "email": "by the email address",
    "decision": "by a person's decision",
}
_DECIDED = {
    "link": "linked it",
    "accept": "accepted the value as it stands",
    "correct": "corrected the value",
    "blank": "left the value out",
    "release": "released it without its practitioner",
    "keep_both": "kept both records",
    "merge": "merged it",
    "exclude": "excluded it",
    "put_back": "put it back",
}


def said(event: EventLine) -> str:
    """What the event says about the row, in words; nothing for a kind that says all by its name."""
    tell = _TOLD.get(event.kind)
    return tell(event.detail) if tell else ""


def detail(event: EventLine) -> str:
    """The event's detail to the letter."""
    return ", ".join(
        f"{name} {value if isinstance(value, str) else json.dumps(value)}"
        for name, value in event.detail.items()
        if value not in (None, "")
    )


def link(found: LinkStory) -> Iterator[str]:
    """Whose the row is, and by what."""
    if found.patient:
        yield f"to patient {found.patient} {_RULES.get(found.rule or '', f'by {found.rule}')}"
    if found.seq is not None:
        reason = f": {found.reason}" if found.reason else ", no reason given"
        yield f"decided by {found.by}, event {found.seq:,}{reason}"
    if found.practitioner:
        yield f"to practitioner {found.practitioner}"


def _linked(told: Detail) -> str:
    whom = f"to patient {told['patient']} " if told.get("patient") else "to no patient "
    by = _RULES.get(str(told.get("via")), f"by {told.get('via')}") if told.get("patient") else ""
    practitioner = f", practitioner {told['practitioner']}" if told.get("practitioner") else ""
    return f"{whom}{by}{practitioner}".strip()


def _raised(told: Detail) -> str:
    code = str(told.get("code"))
    about = f", {told['field']}" if told.get("field") else ""
    rule = f" ({told['rule']})" if told.get("rule") else ""
    return f"{code}{about}{rule}: {EXPLAINED[Code(code)]}"


def _decided(told: Detail) -> str:
    what = _DECIDED.get(str(told.get("decision")), str(told.get("decision")))
    target = f", to {told['target']}" if told.get("target") else ""
    many = f", one of {told['count']:,}" if (told.get("count") or 1) > 1 else ""
    return f"{what}{target}{many}{_reason(told)}"


def _reason(told: Detail) -> str:
    return f"; reason: {told['reason']}" if told.get("reason") else "; no reason given"


def _rejected(told: Detail) -> str:
    return ", ".join(EXPLAINED[Code(code)] for code in told.get("codes", ()))


_TOLD: Mapping[str, Callable[[Detail], str]] = {
    "row.accepted": lambda _: "the record was parsed, and every required value reads",
    "row.rejected": _rejected,
    "row.superseded": lambda told: f"the corrected record {told.get('by')} stands for it",
    "value.normalised": lambda told: f"{told.get('field')}, by the rule {told.get('rule')}",
    "value.defaulted": lambda told: f"{told.get('field')}, by the rule {told.get('rule')}",
    "link.resolved": _linked,
    "finding.raised": _raised,
    "finding.closed": lambda told: str(told.get("why") or ""),
    "finding.decided": _decided,
    "decision.undone": lambda told: f"took back event {told.get('undoes')}{_reason(told)}",
    "approval.granted": lambda told: (
        f"one of {counted(told.get('count', 0), 'row')}, plan {told.get('plan_hash')}{_reason(told)}"
    ),
    "approval.voided": lambda told: f"because of event {told.get('because')}",
    "publish.chunk_committed": lambda told: (
        f"run {told.get('run')}, chunk {told.get('chunk')} of {counted(told.get('count', 0), 'row')}, "
        f"digest {told.get('digest')}"
    ),
    "values.shown": lambda told: f"the cell {told['field']}" if told.get("field") else "the whole record",
}
