"""What the queue may be narrowed to and sorted by, in words; and whose a finding is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from stager.session.review_views import QueueFilter, QueueOrder
from stager.sheets import PATIENTS
from tui.screens.choose import Option
from tui.text import line
from tui.words import code_words, column_name

if TYPE_CHECKING:
    from stager.decisions import Finding
    from stager.session import Session

Change = Callable[[QueueFilter], QueueFilter]
"""A filter → the one with a part of it changed."""

ORDER_WORDS: Mapping[QueueOrder, str] = {
    QueueOrder.NUMBER: "number",
    QueueOrder.CODE: "what is found",
    QueueOrder.ROW: "sheet and row",
    QueueOrder.COLUMN: "sheet and column",
    QueueOrder.PATIENT: "patient",
    QueueOrder.ALIKE: "how many are alike",
}


def order_options(now: QueueOrder) -> list[Option[QueueOrder]]:
    """The orders to choose from."""
    return [Option(order, "", words, chosen=order is now) for order, words in ORDER_WORDS.items()]


def filter_options(
    wanted: QueueFilter, facets: Mapping[str, Mapping[str, int]], actor: str
) -> Sequence[Option[Change]]:
    """The filters to choose from, with what each would leave; what is chosen already is taken away again."""
    codes = [
        _part("code", "finding", code, code_words(code), wanted.code, n) for code, n in facets["code"].items()
    ]
    sheets = [_part("sheet", "sheet", name, name, wanted.sheet, n) for name, n in facets["sheet"].items()]
    columns = [
        _part("field", "column", field, column_name(field, wanted.sheet), wanted.field, n)
        for field, n in facets["column"].items()
        if field
    ]
    return [
        Option(lambda _: QueueFilter(), "", "every open finding"),
        *codes,
        *sheets,
        *columns,
        *_others(wanted, actor),
    ]


def _others(wanted: QueueFilter, actor: str) -> Iterator[Option[Change]]:
    yield _part("assigned_to", "asked", actor, "those that a colleague asked me", wanted.assigned_to, None)
    yield _part("assigned_to", "asked", "", "those that nobody was asked", wanted.assigned_to, None)
    decided = wanted.state == "decided"
    yield Option(
        lambda now: replace(now, state="open" if decided else "decided"),
        "",
        "decided already",
        chosen=decided,
    )


def _part(name: str, kind: str, value: str, words: str, now: str | None, count: int | None) -> Option[Change]:
    chosen = now == value
    return Option(
        lambda wanted: replace(wanted, **{name: None if chosen else value}), kind, words, count, chosen
    )


def filter_words(wanted: QueueFilter, *, masked: bool) -> Iterator[str]:
    """The parts of a filter, as they are shown above the queue."""
    if wanted.state != "open":
        yield wanted.state or "decided or not"
    if wanted.code:
        yield code_words(wanted.code)
    if wanted.sheet:
        yield wanted.sheet
    if wanted.field:
        yield column_name(wanted.field, wanted.sheet)
    if wanted.patient:
        yield "one patient"
    if wanted.assigned_to is not None:
        yield f"asked: {line(wanted.assigned_to)}" if wanted.assigned_to else "nobody asked"
    if wanted.text:
        yield f"“{line(wanted.text, masked=masked)}”"


def patient_of(session: Session, finding: Finding) -> str | None:
    """The place of the patient whom a finding's row is of; None where it is linked to none."""
    if finding.sheet == PATIENTS.name:
        return f"{finding.source_id}:{finding.row_no}"
    link = session.history(finding.sheet, f"{finding.source_id}:{finding.row_no}").link
    return link.patient if link else None
