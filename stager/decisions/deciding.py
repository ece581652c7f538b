"""Deciding: a decision checked against its findings or rows and appended as one event; taking one back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import polars as pl

from stager.decisions.choices import NEW_VALUES, BlindIndex, Choice, Decision, Finding, misfit
from stager.decisions.fitting import require_fit, require_open, states_for
from stager.decisions.persons import require_person
from stager.errors import UsageError, Where
from stager.event_log import EventLog
from stager.projections import fold
from stager.records import rows_frame, slices
from stager.sheets import SHEET
from stager.staging import Staging

Digest = Callable[[bytes], bytes]
"""Bytes → their keyed digest."""

_PAST = {Decision.EXCLUDE: "excluded", Decision.PUT_BACK: "put back"}


def decide(
    staging: Staging,
    log: EventLog,
    findings: Sequence[Finding],
    choice: Choice,
    *,
    digest: Digest,
    index: BlindIndex | None = None,
) -> int:
    """Decide these open findings, all alike, as one event; its seq. Run it inside a transaction.

    Settled with them: by keep_both the same question about the other rows of the group; by a new value
    whatever else was said against the cell. To exclude is about the rows, whose findings stay as they are.
    digest: keyed, of what was typed in: the event binds it and does not show it.
    index: the tenant's blind index, for the veto on a link or merge with one of the tenant's own people.
    Raises UsageError where the decision does not fit a finding, and names the first that it does not.
    """
    if not findings:
        raise UsageError("no open finding is meant", hint="stager findings lists those that are open")
    chosen = sorted({finding.finding_id: finding for finding in findings}.values(), key=_number)
    for finding in chosen:
        require_fit(finding, choice)
    with staging.lent(chosen_finding=numbers_frame(chosen)):
        require_open(staging, chosen, choice)
        settled = sorted({*map(_number, chosen), *_settled_as_well(staging, choice)})
    if choice.decision is Decision.EXCLUDE:
        return decide_rows(staging, log, [(each.sheet, *each.place) for each in chosen], choice)
    _require_sound(staging, chosen, choice, index)
    correction, value_digest = _keep_correction(staging, chosen, choice, digest)
    detail = {
        "decision": choice.decision.value,
        "count": len(settled),
        "findings": number_runs(settled),
        "target": choice.target,
        "correction": correction,
        "value_digest": value_digest,
        "reason": choice.reason,
    }
    alone = chosen[0] if len(settled) == 1 else None
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
        sorted(set(rows)),
        schema={"sheet": pl.String, "source_id": pl.Int32, "row_no": pl.Int32},
        orient="row",
    )
    with staging.lent(chosen_rows=frame):
        wrong = staging.rows("rows_not_in", {"states": states_for(choice.decision)})
        if choice.decision is Decision.PUT_BACK:
            wrong = wrong or staging.rows("rows_replaced")
        runs = staging.one("runs_of", {"table": "chosen_rows"})
    if wrong or not rows:
        sheet, row_no, state = wrong[0] if wrong else (None, None, "not known")
        raise UsageError(
            f"the row is {state}, so it cannot be {_PAST[choice.decision]}",
            where=Where(sheet=sheet, row=row_no),
            hint="stager rows shows the state of every row, stager history what became of one",
        )
    seq = log.append(
        "finding.decided",
        {"decision": choice.decision.value, "rows": runs, "count": frame.height, "reason": choice.reason},
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


def _settled_as_well(staging: Staging, choice: Choice) -> Iterator[int]:
    if choice.decision is Decision.KEEP_BOTH:
        yield from (row[0] for row in staging.rows("same_questions"))
    if choice.decision in NEW_VALUES:
        yield from (row[0] for row in staging.rows("same_cells"))


def _require_sound(
    staging: Staging, findings: Sequence[Finding], choice: Choice, index: BlindIndex | None
) -> None:
    if choice.decision is Decision.CORRECT:
        _require_valid(staging, findings, choice.value)
    if choice.decision in (Decision.LINK, Decision.MERGE):
        require_person(staging, findings, choice, index)


def _require_valid(staging: Staging, findings: Sequence[Finding], value: str | None) -> None:
    for finding in findings:
        if finding.field is None or value is None or value.strip() == "":
            raise misfit(
                finding,
                "there is no cell, or no new value, to correct",
                "give the value, or another decision",
            )
    for sheet, field in sorted({(each.sheet, each.field or "") for each in findings}):
        alike = {each.place: each for each in findings if (each.sheet, each.field) == (sheet, field)}
        with staging.lent(row_to_correct=rows_frame(alike)):
            for part in slices(staging, SHEET[sheet], fields=[field], among="row_to_correct"):
                issues = part.with_value(field, value or "").normalised([field]).issues
                for source_id, row_no, rule in issues.select("source_id", "row_no", "rule").iter_rows():
                    raise misfit(
                        alike[source_id, row_no],
                        f"the new value fails the column's rule ({rule})",
                        "stager sheets has it",
                    )


def correction_bytes(cells: Iterable[tuple[int, int, str, str | None]]) -> bytes:
    """What the digest of a correction is over: each source_id, row_no, field and value, by their lengths."""
    parts = [str(part) if part is not None else None for cell in sorted(cells, key=str) for part in cell]
    texts = (b"-" if part is None else b"%d:%s," % (len(part.encode()), part.encode()) for part in parts)
    return b"stager/correction/1\0" + b"".join(texts)


def _keep_correction(
    staging: Staging, findings: Sequence[Finding], choice: Choice, digest: Digest
) -> tuple[int | None, str | None]:
    if choice.decision not in NEW_VALUES:
        return None, None
    correction: int = staging.one("next_correction")
    value = choice.value if choice.decision is Decision.CORRECT else None
    cells = {(correction, *each.place, each.field, value) for each in findings}
    schema = {
        "correction_id": pl.Int64,
        "source_id": pl.Int32,
        "row_no": pl.Int32,
        "field": pl.String,
        "value": pl.String,
    }
    with staging.lent(new_correction=pl.DataFrame(sorted(cells, key=str), schema=schema, orient="row")):
        staging.run("add_corrections")
    typed = [(source_id, row_no, field or "", text) for _, source_id, row_no, field, text in cells]
    return correction, digest(correction_bytes(typed)).hex()


def _number(finding: Finding) -> int:
    return finding.finding_id


def numbers_frame(findings: Sequence[Finding]) -> pl.DataFrame:
    """The findings' numbers as a table that statements read as `chosen_finding`."""
    return pl.DataFrame({"finding_id": [finding.finding_id for finding in findings]})


def number_runs(numbers: Sequence[int]) -> str:
    """Sorted numbers as text, a word for each run: [1, 2, 3, 7] → "1-3 7"."""
    frame = pl.DataFrame({"n": numbers}).with_row_index("i")
    runs = frame.group_by((pl.col("n") - pl.col("i").cast(pl.Int64)).alias("island")).agg(
        pl.col("n").min().alias("first"), pl.col("n").max().alias("last")
    )
    return " ".join(
        f"{first}-{last}" if last > first else str(first) for _, first, last in runs.sort("first").iter_rows()
    )
