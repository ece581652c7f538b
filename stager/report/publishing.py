"""Approvals and publishing in the report: plan hashes, runs, their chunks and how fast they went."""

from __future__ import annotations

import json
from typing import Any

from stager.report.model import Approval, ChunkLine, Run
from stager.report.moments import moment
from stager.staging import Staging


def approvals(staging: Staging) -> tuple[Approval, ...]:
    """Every approval as it was granted."""
    found = []
    for seq, at, actor, text in staging.rows("report_approvals"):
        detail = json.loads(text)
        given = bool((detail.get("reason") or "").strip())
        found.append(
            Approval(
                seq, moment(at) or "", actor, detail["plan_hash"], detail["count"], detail["sheets"], given
            )
        )
    return tuple(found)


def runs(staging: Staging) -> tuple[Run, ...]:
    """Every run with its chunks; of each chunk whether the log has it as committed."""
    committed = {chunk: (count, seq) for chunk, count, seq in staging.rows("report_chunks")}
    return tuple(
        _run(started, actor, json.loads(text), finished, committed)
        for _, started, actor, text, finished in staging.rows("report_runs")
    )


def _run(
    started: int,
    actor: str,
    detail: dict[str, Any],
    finished: int | None,
    committed: dict[int, tuple[int, int]],
) -> Run:
    chunks = tuple(_chunk(each, committed.get(each["chunk"])) for each in detail["chunks"])
    published = sum(each.committed or 0 for each in chunks)
    seconds = round((finished - started) / 1_000_000, 3) if finished is not None else None
    return Run(
        run=detail["run"],
        tenant=detail["tenant"],
        profile_digest=detail["profile"],
        plan_hash=detail["plan_hash"],
        started_at=moment(started) or "",
        finished_at=moment(finished),
        actor=actor,
        published=published,
        seconds=seconds,
        rows_per_second=round(published / seconds) if seconds else None,
        chunks=chunks,
    )


def _chunk(detail: dict[str, Any], committed: tuple[int, int] | None) -> ChunkLine:
    return ChunkLine(
        chunk=detail["chunk"],
        sheet=detail["sheet"],
        rows=detail["rows"],
        planned=detail["count"],
        committed=committed[0] if committed else None,
        first_event=detail["first_event"],
        last_event=detail["last_event"],
        digest=detail["digest"],
        seq=committed[1] if committed else None,
    )
