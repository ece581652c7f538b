"""A person's decisions about findings and rows: which exist, what they may be about, what forbids them.

A decision is one event, about one finding or an exact set of them, and is undone by another. It never
changes a fact: a corrected value is kept beside the cell that it replaces.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

import polars as pl

from stager.errors import UsageError, Where
from stager.event_log import EventLog
from stager.projections import fold
from stager.records import slices
from stager.sheets import PATIENTS, SHEET, Code, Kind
from stager.staging import Staging
from stager.values import nhs_digits

BlindIndex = Callable[[Sequence[str]], list[bytes]]
MOST_MERGED = 8


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
        {Code.VALUE_SUSPECT, Code.VALUE_UNKNOWN, Code.ROW_REPEATED, Code.PATIENT_EMAIL_SHARED}
    ),
    Decision.CORRECT: frozenset(
        {*_LINKS, *_VALUES, Code.PATIENT_ID_SHARED, Code.PATIENT_DUPLICATE, Code.PATIENT_EMAIL_SHARED}
    ),
    Decision.BLANK: frozenset(
        {
            Code.VALUE_SUSPECT,
            Code.VALUE_UNKNOWN,
            Code.PATIENT_DUPLICATE,
            Code.PATIENT_EMAIL_SHARED,
            Code.PRACTITIONER_UNRESOLVED,
        }
    ),
    Decision.RELEASE: frozenset({Code.PRACTITIONER_UNRESOLVED}),
    Decision.KEEP_BOTH: frozenset({Code.ROW_REPEATED, Code.PATIENT_DUPLICATE}),
    Decision.MERGE: frozenset({Code.PATIENT_DUPLICATE, Code.PATIENT_ID_SHARED}),
    Decision.EXCLUDE: frozenset(Code),
    Decision.PUT_BACK: frozenset(),
}
"""Which findings each decision settles. Putting back is about rows, not findings."""


@dataclass(frozen=True, slots=True)
class Finding:
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
    def where(self) -> Where:
        column = SHEET[self.sheet].column(self.field).name if self.field else None
        return Where(sheet=self.sheet, row=self.row_no, column=column)


@dataclass(frozen=True, slots=True)
class Choice:
    """What was decided: for a link or a merge the person's place, for a correction the new value."""

    decision: Decision
    target: str | None = None
    value: str | None = None
    reason: str | None = None


def decide(
    staging: Staging,
    log: EventLog,
    findings: Sequence[Finding],
    choice: Choice,
    *,
    index: BlindIndex | None = None,
) -> int:
    """Decide these open findings, all alike, as one event; its seq. Run it inside a transaction.

    index: the tenant's blind index, for the veto on a link or merge with one of the tenant's own people.
    Raises UsageError where the decision does not fit a finding, and names the first that it does not.
    """
    if not findings:
        raise UsageError("no open finding is meant", hint="stager findings lists those that are open")
    for finding in findings:
        _require_fit(staging, finding, choice, index)
    correction = _keep_correction(staging, findings, choice)
    detail = {
        "decision": choice.decision.value,
        "count": len(findings),
        "findings": _runs(sorted(finding.finding_id for finding in findings)),
        "target": choice.target,
        "correction": correction,
        "reason": choice.reason,
    }
    alone = findings[0] if len(findings) == 1 else None
    seq = log.append(
        "finding.decided",
        detail,
        sheet=alone.sheet if alone else None,
        source_id=alone.source_id if alone else None,
        row_no=alone.row_no if alone else None,
        finding_id=alone.finding_id if alone else None,
    )
    fold(staging)
    return seq


def decide_rows(staging: Staging, log: EventLog, rows: Sequence[tuple[str, int, int]], choice: Choice) -> int:
    """Exclude or put back rows (sheet, source_id, row_no) as such, as one event; its seq."""
    if choice.decision not in (Decision.EXCLUDE, Decision.PUT_BACK):
        raise UsageError(
            f"{choice.decision.value} is about findings, not rows", hint="name findings by their numbers"
        )
    frame = pl.DataFrame(
        rows, schema={"sheet": pl.String, "source_id": pl.Int32, "row_no": pl.Int32}, orient="row"
    )
    with staging.lent(chosen_rows=frame):
        wrong = staging.rows("rows_not_in", {"states": _states_for(choice.decision)})
        runs = staging.one("runs_of", {"table": "chosen_rows"})
    if wrong or not rows:
        sheet, row_no, state = wrong[0] if wrong else (None, None, "not known")
        raise UsageError(
            f"the row is {state}, so it cannot be {choice.decision.value.replace('_', ' ')}",
            where=Where(sheet=sheet, row=row_no),
            hint="stager rows shows the state of every row",
        )
    seq = log.append(
        "finding.decided",
        {"decision": choice.decision.value, "rows": runs, "count": len(rows), "reason": choice.reason},
    )
    fold(staging)
    return seq


def undo(staging: Staging, log: EventLog, seq: int, *, reason: str | None = None) -> int:
    """Take a decision back by a further event; its seq. UsageError where there is none to take back."""
    made = staging.rows("decision_to_undo", seq=seq)
    if not made:
        raise UsageError(
            f"event {seq} is no decision that stands", hint="stager findings --state decided lists them"
        )
    frame = pl.DataFrame(
        made, schema={"source_id": pl.Int32, "row_no": pl.Int32, "state": pl.String}, orient="row"
    )
    if (frame["state"] == "published").any():
        raise UsageError("the decision is about rows that are published", hint="it can no longer be undone")
    with staging.lent(undone_rows=frame):
        runs = staging.one("runs_of", {"table": "undone_rows"})
    done = log.append("decision.undone", {"undoes": seq, "rows": runs, "reason": reason})
    fold(staging)
    return done


def _require_fit(staging: Staging, finding: Finding, choice: Choice, index: BlindIndex | None) -> None:
    code = Code(finding.code)
    if finding.state != "open":
        raise _misfit(finding, f"finding {finding.finding_id} is {finding.state}", "undo its decision first")
    if code not in ALLOWED[choice.decision]:
        fitting = ", ".join(each.value for each in Decision if code in ALLOWED[each])
        raise _misfit(
            finding, f"{choice.decision.value} does not settle {code.value}", f"it takes: {fitting}"
        )
    if choice.decision is Decision.ACCEPT and not finding.standing:
        raise _misfit(finding, "the value cannot stand as it is", "correct it, blank it, or exclude the row")
    if choice.decision is Decision.KEEP_BOTH and not finding.standing:
        raise _misfit(
            finding, "two people cannot share an NHS number", "merge them, or correct or blank one's number"
        )
    if choice.decision is Decision.BLANK:
        _require_optional(finding)
    if choice.decision in (Decision.LINK, Decision.MERGE):
        _require_target(staging, finding, choice, index)
    if choice.decision is Decision.CORRECT:
        _require_valid(staging, finding, choice.value)


def _require_optional(finding: Finding) -> None:
    if finding.field is None or SHEET[finding.sheet].column(finding.field).required:
        raise _misfit(finding, "a required value cannot be left blank", "correct it or exclude the row")


def _require_valid(staging: Staging, finding: Finding, value: str | None) -> None:
    if finding.field is None or value is None or value.strip() == "":
        raise _misfit(
            finding, "there is no cell, or no new value, to correct", "give the value, or another decision"
        )
    sheet = SHEET[finding.sheet]
    with staging.lent(
        corrected_row=pl.DataFrame({"source_id": [finding.source_id], "row_no": [finding.row_no]})
    ):
        part = next(iter(slices(staging, sheet, fields=[finding.field], among="corrected_row")))
    cells = part.cells.with_columns(pl.lit(value).alias(finding.field))
    issues = type(part)(sheet, part.source_id, part.rules, cells).normalised([finding.field]).issues
    if issues.height:
        raise _misfit(
            finding, f"the new value fails the column's rule ({issues['rule'][0]})", "stager sheets has it"
        )


def _require_target(staging: Staging, finding: Finding, choice: Choice, index: BlindIndex | None) -> None:
    if not choice.target:
        raise _misfit(
            finding, "no person is named", "name one by LegacyPatientID, row:SOURCE:ROW or tenant:ID"
        )
    own = f"{finding.source_id}:{finding.row_no}"
    if not staging.one("place_stands", place=choice.target):
        raise _misfit(
            finding, "the person named is not there, or is excluded", "stager rows --sheet patients"
        )
    if choice.decision is Decision.MERGE:
        if choice.target == own:
            raise _misfit(finding, "a row cannot be merged into itself", "name the other row")
        group = [own, choice.target, *(row[0] for row in staging.rows("merged_into", place=choice.target))]
        if staging.rows("merged_into", place=own):
            raise _misfit(finding, "other rows are merged into this one", "undo that first, then merge each")
        if len(group) > MOST_MERGED:
            raise _misfit(
                finding, f"more than {MOST_MERGED} records would become one person", "look at them singly"
            )
        numbers = set().union(*(_numbers(staging, place, index) for place in group))
    else:
        numbers = _numbers(staging, choice.target, index) | _reference_numbers(staging, finding, index)
        if Code(finding.code) is Code.PRACTITIONER_UNRESOLVED:
            return
    if len(numbers) > 1:
        raise _misfit(
            finding, "the two have different valid NHS numbers, so they are two people", "see both records"
        )


def _numbers(staging: Staging, place: str, index: BlindIndex | None) -> set[bytes]:
    """The valid NHS number of a person, as its blind index where a tenant's own people are in play."""
    if place.startswith("tenant:"):
        return {
            bytes(row[0]) for row in staging.rows("person_index", target_id=place.removeprefix("tenant:"))
        }
    source_id, row_no = (int(part) for part in place.split(":"))
    return _cell_numbers(staging, PATIENTS.name, "nhs_number", source_id, row_no, index)


def _reference_numbers(staging: Staging, finding: Finding, index: BlindIndex | None) -> set[bytes]:
    return _cell_numbers(staging, finding.sheet, "patient_ref", finding.source_id, finding.row_no, index)


def _cell_numbers(
    staging: Staging, sheet: str, field: str, source_id: int, row_no: int, index: BlindIndex | None
) -> set[bytes]:
    with staging.lent(number_row=pl.DataFrame({"source_id": [source_id], "row_no": [row_no]})):
        found = [
            part.normalised([field]).values[field]
            for part in slices(staging, SHEET[sheet], fields=[field], among="number_row")
        ]
    if not found:
        return set()
    digits = (
        pl.DataFrame({"cell": found[0]})
        .select(digits=nhs_digits(pl.col("cell")))["digits"]
        .drop_nulls()
        .to_list()
    )
    return set(index(digits)) if index else {number.encode() for number in digits}


def _keep_correction(staging: Staging, findings: Sequence[Finding], choice: Choice) -> int | None:
    if choice.decision not in (Decision.CORRECT, Decision.BLANK):
        return None
    correction: int = staging.one("next_correction")
    cells = pl.DataFrame(
        [(correction, each.source_id, each.row_no, each.field, choice.value) for each in findings],
        schema={
            "correction_id": pl.Int64,
            "source_id": pl.Int32,
            "row_no": pl.Int32,
            "field": pl.String,
            "value": pl.String,
        },
        orient="row",
    )
    with staging.lent(new_correction=cells):
        staging.run("add_corrections")
    return correction


def _states_for(decision: Decision) -> str:
    return (
        "'excluded'"
        if decision is Decision.PUT_BACK
        else "'ready', 'held', 'waiting', 'rejected', 'approved'"
    )


def _runs(numbers: Sequence[int]) -> str:
    """Sorted numbers as text, a word for each run: [1, 2, 3, 7] → "1-3 7"."""
    frame = pl.DataFrame({"n": numbers}).with_row_index("i")
    runs = frame.group_by((pl.col("n") - pl.col("i").cast(pl.Int64)).alias("island")).agg(
        pl.col("n").min().alias("first"), pl.col("n").max().alias("last")
    )
    return " ".join(
        f"{first}-{last}" if last > first else str(first) for _, first, last in runs.sort("first").iter_rows()
    )


def _misfit(finding: Finding, message: str, hint: str) -> UsageError:
    return UsageError(message, where=finding.where, hint=hint)
