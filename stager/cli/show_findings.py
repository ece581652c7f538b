"""Findings as a reviewer's list: addresses, codes, rules and suggestions, never a patient's values."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from stager.cli.screen import Screen
from stager.sheets import SHEET
from stager.wording import counted

if TYPE_CHECKING:
    from stager.session import Finding

MOST_EXAMPLES = 5
MOST_RELATED = 9


def listed(screen: Screen, found: Sequence[Finding]) -> None:
    """The findings, each with its suggestions in the order in which `--suggestion N` counts them."""
    if not found:
        screen.say("no finding is meant")
        return
    screen.say(_laid_out("id", "sheet", "row", "code", "column"), style="bold")
    for each in found:
        screen.say(_laid_out(f"{each.finding_id}", each.sheet, address(each), each.code, column(each) or ""))
        for said in _evidence(each):
            screen.say(f"{'':9}{said}")


def examples(screen: Screen, found: Sequence[Finding]) -> None:
    """How many findings a decision is about, and the first of them, on standard error."""
    screen.note(f"{counted(len(found), 'finding is', 'findings are')} meant")
    for each in found[:MOST_EXAMPLES]:
        screen.note(
            f"  {each.finding_id}  {each.sheet} row {address(each)}  {column(each) or ''}  {each.code}"
        )
    if len(found) > MOST_EXAMPLES:
        screen.note(f"  and {len(found) - MOST_EXAMPLES:,} more; stager findings lists them all")


def document(found: Sequence[Finding]) -> dict[str, Any]:
    """The findings as JSON."""
    return {"count": len(found), "findings": [_finding(each) for each in found]}


def suggestions(finding: Finding) -> list[dict[str, str]]:
    """A finding's suggestions, the best first: a person's place, the key that is near, and why."""
    offers: list[dict[str, str]] | None = json.loads(finding.suggestions or "null")
    return offers or []


def address(finding: Finding) -> str:
    """The finding's row as SOURCE:ROW, which names it in every command."""
    return f"{finding.source_id}:{finding.row_no}"


def column(finding: Finding) -> str | None:
    """The header of the column that the finding is about, as the specification spells it."""
    return SHEET[finding.sheet].column(finding.field).name if finding.field else None


def person(place: str) -> str:
    """A person's place as it is typed in a command: tenant:ID, or row:SOURCE:ROW."""
    return place if place.startswith("tenant:") else f"row:{place}"


def _laid_out(number: str, sheet: str, row: str, code: str, about: str) -> str:
    return f"{number:>7}  {sheet:<11}  {row:>9}  {code:<23}  {about}".rstrip()


def _evidence(finding: Finding) -> Iterator[str]:
    """What is known beside the address: the rule, the rows it was compared with, what is suggested."""
    state = [finding.state] if finding.state != "open" else []
    rule = [f"rule {finding.rule}"] if finding.rule else []
    related = (finding.related or "").split()
    more = f" and {len(related) - MOST_RELATED} more" if len(related) > MOST_RELATED else ""
    shared = [f"see {' '.join(map(person, related[:MOST_RELATED]))}{more}"] if related else []
    if told := "; ".join([*state, *rule, *shared]):
        yield told
    for number, each in enumerate(suggestions(finding), 1):
        yield f"suggestion {number}: {person(each['patient'])} ({each['why']}, by {each['key']})"


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.finding_id,
        "sheet": finding.sheet,
        "source_id": finding.source_id,
        "row": finding.row_no,
        "column": column(finding),
        "field": finding.field,
        "code": finding.code,
        "rule": finding.rule,
        "standing": finding.standing,
        "related": finding.related,
        "suggestions": suggestions(finding),
        "state": finding.state,
    }
