"""What an event says, in a sentence without a patient's value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from stager.sheets import EXPLAINED, SHEETS, Code
from stager.values import CHANGES
from stager.wording import counted

Detail = Mapping[str, Any]

DONE_BY_PEOPLE = frozenset(
    {
        "migration.bound",
        "migration.marked_synthetic",
        "migration.opened",
        "source.registered",
        "expectation.stated",
        "tenant.snapshotted",
        "finding.decided",
        "finding.assigned",
        "decision.undone",
        "approval.granted",
        "publish.started",
        "publish.finished",
        "values.shown",
    }
)
"""Kinds of events that a person's command makes once, unlike those that a rule makes for each row."""

_DECIDED = MappingProxyType(
    {
        "link": "linked",
        "accept": "accepted as it stands",
        "correct": "corrected",
        "blank": "left blank",
        "release": "released without a practitioner",
        "keep_both": "kept both",
        "merge": "merged into another record",
        "exclude": "excluded",
        "put_back": "put back",
    }
)


def words_of(kind: str, detail: Detail) -> str:
    """The event in words; its kind where this stager does not know it."""
    return _WORDS[kind](detail) if kind in _WORDS else kind


def decision_words(detail: Detail) -> str:
    """What was decided, and about how many: "linked 1 finding", "excluded 3 rows"."""
    decision = str(detail["decision"])
    # The sets themselves are left out of a long detail; only excluding and putting back are about rows.
    noun = "row" if decision in ("exclude", "put_back") else "finding"
    return f"{_DECIDED.get(decision, decision)}: {counted(int(detail['count']), noun)}{_reason(detail)}"


def _reason(detail: Detail) -> str:
    return f" ({detail['reason']})" if detail.get("reason") else ""


def _column(detail: Detail) -> str:
    field = detail.get("field")
    for sheet in SHEETS:
        for column in sheet.columns:
            if column.field == field:
                return column.name
    return str(field)


def _registered(detail: Detail) -> str:
    return f"took in {detail['file']}: {counted(int(detail['rows']), 'row')}, {detail['malformed']} malformed"


def _mapped(detail: Detail) -> str:
    column = detail.get("column")
    return (
        f"read the header {detail['header']} as {column}"
        if column
        else f"kept the unknown header {detail['header']}"
    )


def _changed(detail: Detail) -> str:
    rule = str(detail["rule"])
    about = CHANGES[rule].about if rule in CHANGES else rule
    return f"{_column(detail)}: {about}, in {counted(int(detail['count']), 'cell')}"


def _resolved(detail: Detail) -> str:
    if detail.get("via"):
        return f"linked to its patient by {detail['via']}"
    return "found its practitioner"


def _raised(detail: Detail) -> str:
    column = f"{_column(detail)}: " if detail.get("field") else ""
    return f"raised a finding: {column}{EXPLAINED[Code(detail['code'])]}"


def _closed(detail: Detail) -> str:
    return (
        "a finding no longer holds"
        if detail.get("why") == "rule"
        else "a corrected record answered a finding"
    )


def _assigned(detail: Detail) -> str:
    what = counted(int(detail["count"]), "finding")
    if not detail.get("to"):
        return f"took back the question about {what}"
    note = f": {detail['note']}" if detail.get("note") else ""
    return f"asked {detail['to']} about {what}{note}"


def _undone(detail: Detail) -> str:
    return f"took back decision {detail['undoes']}{_reason(detail)}"


def _granted(detail: Detail) -> str:
    return f"approved {counted(int(detail['count']), 'row')} for publishing{_reason(detail)}"


def _committed(detail: Detail) -> str:
    refused = len(detail["refused"]) if isinstance(detail.get("refused"), list) else 0
    rows = counted(int(detail["count"]), "row") + (f", {refused} refused" if refused else "")
    return f"published chunk {detail['chunk']} of {detail['sheet']}: {rows}"


def _said(words: str) -> Callable[[Detail], str]:
    return lambda detail: words


_WORDS: Mapping[str, Callable[[Detail], str]] = MappingProxyType(
    {
        "migration.opened": _said("made the staging file"),
        "migration.bound": lambda detail: f"bound the migration to tenant {detail['tenant']}",
        "migration.marked_synthetic": _said("marked the patients as made up"),
        "source.registered": _registered,
        "expectation.stated": _said("stated how many records the practice counts"),
        "column.mapped": _mapped,
        "row.accepted": _said("took the record in"),
        "row.rejected": _said("rejected the record"),
        "row.superseded": lambda detail: f"a corrected record took its place: row {detail['by']}",
        "value.normalised": _changed,
        "value.defaulted": _changed,
        "tenant.snapshotted": lambda detail: f"read the tenant's own people: {detail['people']}",
        "link.resolved": _resolved,
        "link.withdrawn": _said("the rule's link no longer holds"),
        "finding.raised": _raised,
        "finding.closed": _closed,
        "reconcile.finished": _said("linked and checked every row so far"),
        "finding.decided": decision_words,
        "finding.assigned": _assigned,
        "decision.undone": _undone,
        "approval.granted": _granted,
        "approval.voided": lambda detail: f"its approval is void, because of event {detail['because']}",
        "publish.started": lambda detail: f"began to publish to {detail['tenant']}, run {detail['run']}",
        "publish.chunk_committed": _committed,
        "publish.finished": lambda detail: (
            f"finished run {detail['run']}: {counted(int(detail['published']), 'row')} published"
        ),
        "values.shown": _said("had the row's values shown"),
    }
)
