"""Whether a decision fits a finding as it stands: asked before one is made, and to offer those that do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

import polars as pl

from stager.decisions.choices import ALLOWED, Choice, Decision, Finding, misfit
from stager.errors import UsageError
from stager.sheets import SHEET, Code, State
from stager.staging import Staging

_EXCLUDABLE = (State.READY, State.HELD, State.WAITING, State.REJECTED, State.APPROVED)


States = Mapping[int, tuple[str, str]]
"""Finding → its state and its row's."""


def fitting(staging: Staging, finding: Finding) -> tuple[Decision, ...]:
    """The decisions that this finding takes now, before a person or a value is named."""
    with staging.lent(chosen_finding=pl.DataFrame({"finding_id": [finding.finding_id]})):
        states = _states(staging)
    if states[finding.finding_id][1] == State.EXCLUDED.value:
        return (Decision.PUT_BACK,) if _can_be_put_back(staging, finding) else ()
    found = []
    for decision in Decision:
        with suppress(UsageError):
            require_fit(finding, Choice(decision))
            _require_state(finding, states, decision)
            found.append(decision)
    return tuple(found)


def require_fit(finding: Finding, choice: Choice) -> None:
    """UsageError where the decision does not settle such a finding, or not this one."""
    code, decision = Code(finding.code), choice.decision
    if code not in ALLOWED[decision]:
        names = ", ".join(each.value for each in Decision if code in ALLOWED[each])
        raise misfit(finding, f"{decision.value} does not settle {code.value}", f"it takes: {names}")
    if decision is Decision.ACCEPT and not finding.standing:
        raise misfit(finding, "the value cannot stand as it is", "correct it, blank it, or exclude the row")
    if decision is Decision.KEEP_BOTH and not finding.standing:
        raise misfit(
            finding, "two people cannot share an NHS number", "merge them, or correct or blank one's number"
        )
    if decision is Decision.CORRECT and finding.field is None:
        raise misfit(
            finding, "there is no cell, or no new value, to correct", "give the value, or another decision"
        )
    if decision is Decision.BLANK and finding.field is None:
        raise misfit(finding, "there is no cell that could be left blank", "give another decision")
    if decision is Decision.BLANK and finding.field and SHEET[finding.sheet].column(finding.field).required:
        raise misfit(finding, "a required value cannot be left blank", "correct it or exclude the row")


def require_open(staging: Staging, findings: Sequence[Finding], choice: Choice) -> None:
    """They must be open as things stand now, and their rows not excluded; of one that is published only a
    judgement can still be made. The table `chosen_finding` names them."""
    states = _states(staging)
    for finding in findings:
        _require_state(finding, states, choice.decision)


def _states(staging: Staging) -> States:
    return {number: (state, of_row) for number, state, of_row in staging.rows("states_of_findings")}


def _require_state(finding: Finding, states: States, decision: Decision) -> None:
    state, of_row = states.get(finding.finding_id, ("not known", ""))
    if state != "open":
        raise misfit(finding, f"finding {finding.finding_id} is {state}", "undo its decision first")
    if of_row == "excluded":
        raise misfit(finding, "the row is excluded", "put it back first")
    if of_row == "published" and decision not in (Decision.ACCEPT, Decision.KEEP_BOTH):
        raise misfit(finding, "the row is published", "accept it, keep both, or decide about the other row")


def states_for(decision: Decision) -> str:
    """The states of rows that can be excluded, or put back, as a list of SQL."""
    states = (State.EXCLUDED,) if decision is Decision.PUT_BACK else _EXCLUDABLE
    return ", ".join(f"'{state.value}'" for state in states)


def _can_be_put_back(staging: Staging, finding: Finding) -> bool:
    rows = pl.DataFrame(
        [(finding.sheet, *finding.place)],
        schema={"sheet": pl.String, "source_id": pl.Int32, "row_no": pl.Int32},
        orient="row",
    )
    with staging.lent(chosen_rows=rows):
        return not staging.rows("rows_replaced")
