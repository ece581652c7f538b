"""What became of a run, written into the staging file: chunks as events, refused rows as findings."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import polars as pl

from stager.event_log import EventLog, compact
from stager.publish.chunks import Run
from stager.publish.own_ids import Drawn
from stager.publish.refusals import Refusal
from stager.publish.runs import without
from stager.publish.sending import Sent
from stager.sheets import SHEETS, Code
from stager.staging import Staging
from stager.tenant.profile import Profile


def record_started(log: EventLog, run: Run) -> int:
    """Say which chunks the run has, before the first of them is sent; the event's seq."""
    return log.append("publish.started", run.detail)


def record_committed(
    staging: Staging, log: EventLog, run: Run, profile: Profile, sent: Iterable[Sent]
) -> None:
    """Say which of the run's chunks the tenant has, and raise a finding for each row that it refused."""
    told = sorted(sent, key=lambda each: each.chunk.chunk)
    for each in told:
        log.append("publish.chunk_committed", _detail(run, each), sheet=each.chunk.sheet)
    _raise_findings(staging, log, profile, told)
    _keep_drawn(staging, told)


def record_finished(staging: Staging, log: EventLog, run: Run) -> None:
    """Say that nothing of the run is left to do, and what became of it in all."""
    published, refused = staging.rows("count_committed", run=run.run)[0]
    log.append("publish.finished", {"run": run.run, "published": published, "refused": refused})


def _detail(run: Run, sent: Sent) -> dict[str, object]:
    chunk = sent.chunk
    return {
        "run": run.run,
        "chunk": chunk.chunk,
        "sheet": chunk.sheet,
        "rows": without(chunk.rows, {refusal.place for refusal in sent.refused}),
        "count": chunk.count - len(sent.refused),
        "refused": [refusal.address for refusal in sent.refused] or None,
        "digest": chunk.digest,
        "drawn": drawn_digest(drawn.rows for drawn in sent.drawn),
    }


def drawn_digest(drawn: Iterable[pl.DataFrame]) -> str | None:
    """SHA-256 in hex over a chunk's drawn ids with the rows they went to; None where none was drawn.

    drawn: row_no, target_table, target_id.
    """
    rows = sorted(row for frame in drawn for row in frame.select(*Drawn().rows.columns).iter_rows())
    text = "".join(f"{row_no} {table} {target_id}\n" for row_no, table, target_id in rows)
    return hashlib.sha256(b"stager/drawn/1\0" + text.encode()).hexdigest() if rows else None


def _raise_findings(staging: Staging, log: EventLog, profile: Profile, told: Sequence[Sent]) -> None:
    """Rows left out for a person's sake get none: they wait for that person."""
    last: int = staging.one("last_finding")
    raised = [
        (each.chunk.sheet, *refusal.place, _finding(profile, refusal))
        for each in told
        for refusal in each.refused
        if refusal.person is None
    ]
    if not raised:
        return
    schema = {"sheet": pl.String, "source_id": pl.Int32, "row_no": pl.Int32, "detail": pl.String}
    frame = pl.DataFrame(raised, schema=schema, orient="row").with_row_index("finding_id", last + 1)
    with staging.lent(refused_row=frame.with_columns(pl.col("finding_id").cast(pl.Int64))):
        log.append_rows("finding.raised", "refused_row")


def _finding(profile: Profile, refusal: Refusal) -> str:
    table = profile.table(refusal.table) if refusal.table else None
    columns = table.columns if table else ()
    field = next((each.field for each in columns if each.name == refusal.column), None)
    return compact(
        {
            "code": Code.PUBLISH_REFUSED.value,
            "field": field,
            "rule": refusal.rule,
            "standing": True,  # accepting it is trying again, for a cause that lay in the database
            "subject": refusal.sqlstate,
        }
    )


def _keep_drawn(staging: Staging, told: Sequence[Sent]) -> None:
    """Ids that cannot be computed again are kept as facts."""
    frames = [
        drawn.rows.with_columns(
            source_id=pl.lit(each.chunk.source_id, pl.Int32), target_id=pl.col("target_id").cast(pl.String)
        )
        for each in told
        for drawn in each.drawn
        if len(drawn)
    ]
    if frames:
        with staging.lent(drawn=pl.concat(frames)):
            staging.run("keep_target_rows")


def rows_by_sheet(sent: Iterable[Sent]) -> dict[str, int]:
    """Rows that are in the tenant by these chunks, by sheet in the sheets' order."""
    counts: dict[str, int] = {}
    for each in sent:
        counts[each.chunk.sheet] = counts.get(each.chunk.sheet, 0) + each.chunk.count - len(each.refused)
    return {sheet.name: counts[sheet.name] for sheet in SHEETS if sheet.name in counts}
