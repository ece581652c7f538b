"""Chunks: the pieces in which approved rows go to the tenant, each a transaction there.

A run records its chunks in the log before the first of them is sent. A chunk's digest says what it
carries, without any key: the plan's line of each of its rows, their source's bytes and rules, the
tenant and the profile. The tenant's ledger keeps the digest, so that another content under a number
that was used before is found out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from stager.errors import IntegrityFailed
from stager.publish.runs import read_runs, run_frame
from stager.sheets import SHEETS
from stager.staging import Staging

_NO_CHUNK = 0
"""Chunks are numbered from 1."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of one source that go in one transaction.

    chunk: its number in the migration, never used twice. rows: the rows as runs' text.
    first_event, last_event: the first and last seq of the events that brought the rows in.
    digest: SHA-256 in hex of what it carries.
    """

    chunk: int
    sheet: str
    rows: str
    count: int
    first_event: int
    last_event: int
    digest: str

    @property
    def source_id(self) -> int:
        return next(read_runs(self.rows))[0]

    def row_nos(self) -> list[int]:
        """Its rows' numbers, ascending."""
        return [row for _, first, last in read_runs(self.rows) for row in range(first, last + 1)]


@dataclass(frozen=True, slots=True)
class Run:
    """One replay of a plan: its number and chunks. seq: of its publish.started; None before there is one."""

    run: int
    tenant: str
    profile: str
    plan_hash: str
    chunks: tuple[Chunk, ...]
    seq: int | None = None

    @property
    def detail(self) -> dict[str, Any]:
        """What its publish.started says."""
        chunks = [asdict(chunk) for chunk in self.chunks]
        return {
            "run": self.run,
            "tenant": self.tenant,
            "profile": self.profile,
            "plan_hash": self.plan_hash,
            "chunks": chunks,
        }


def cut_run(staging: Staging, plan_hash: str, tenant: str, profile: str, chunk_rows: int) -> Run:
    """The temporary table `plan` cut into chunks of at most `chunk_rows` rows; left in `chunk_row`.

    profile: the target profile's digest. Numbers go on from the migration's last.
    """
    names = [sheet.name for sheet in SHEETS]
    staging.run("cut_chunks", last=staging.one("last_chunk"), sheets=names, chunk_rows=chunk_rows)
    return Run(
        run=staging.one("count_runs") + 1,
        tenant=tenant,
        profile=profile,
        plan_hash=plan_hash,
        chunks=tuple(_described(staging, tenant, profile)),
    )


def unfinished_run(staging: Staging) -> Run | None:
    """The run that was started and never finished, or None."""
    found = staging.rows("unfinished_run")
    if not found:
        return None
    seq, text = found[0]
    detail = json.loads(text)
    chunks = tuple(Chunk(**chunk) for chunk in detail.pop("chunks"))
    return Run(**detail, chunks=chunks, seq=seq)


def recorded_chunks(staging: Staging, run: Run) -> frozenset[int]:
    """The run's chunks that the log has as committed."""
    return frozenset(chunk for (chunk,) in staging.rows("chunks_recorded", after=run.seq))


def unchanged(staging: Staging, run: Run, chunks: Sequence[Chunk], profile: str) -> tuple[Chunk, ...]:
    """Those of the run's chunks whose rows are all in the temporary table `plan`, still saying the same.

    A row of which an approval was voided or a link changed since the run was cut must not go as it was
    recorded. Leaves the rows' chunks in the temporary table `chunk_row`.
    """
    with staging.lent(recorded_run=run_frame((chunk.chunk, chunk.rows) for chunk in chunks)):
        staging.run("place_recorded_rows")
    now = {chunk.chunk: chunk.digest for chunk in _described(staging, run.tenant, profile)}
    return tuple(chunk for chunk in chunks if now.get(chunk.chunk) == chunk.digest)


def withdraw(staging: Staging, chunks: Sequence[Chunk]) -> None:
    """Take the chunks' rows out of the temporary table `plan`."""
    with staging.lent(recorded_run=run_frame((chunk.chunk, chunk.rows) for chunk in chunks)):
        staging.run("withdraw_from_plan")


def _described(staging: Staging, tenant: str, profile: str) -> Iterator[Chunk]:
    """The chunks that stand in `chunk_row`, with their digests."""
    sources = {source[0]: source for source in staging.rows("sources_of_chunks")}
    whole = _line_digests(staging)
    for chunk, sheet, source_id, rows, count, first_event, last_event in staging.rows("describe_chunks"):
        _, _, sha256, content_root, rules = sources[source_id]
        digest = hashlib.sha256(b"stager/chunk/1\n")
        for part in (tenant, profile, sheet, sha256, content_root, rules, whole[chunk].hex()):
            digest.update(f"{len(part.encode())}:{part},".encode())
        yield Chunk(chunk, sheet, rows, count, first_event, last_event, digest.hexdigest())


def _line_digests(staging: Staging) -> Mapping[int, bytes]:
    """For each chunk SHA-256 over its rows' lines of the plan, in the rows' order."""
    chunk_of = staging.frame("chunks_of_plan")["chunk"].fill_null(_NO_CHUNK).to_numpy()
    hashes: dict[int, Any] = {}
    at = 0
    for batch in staging.batches("plan_lines"):
        lines: list[str] = batch.column(0).to_pylist()
        chunks = chunk_of[at : at + len(lines)]
        edges = [0, *(np.flatnonzero(np.diff(chunks)) + 1).tolist(), len(chunks)]
        for first, last in pairwise(edges):
            if first < last and (chunk := int(chunks[first])) != _NO_CHUNK:
                text = "".join(lines[first:last])
                hashes.setdefault(chunk, hashlib.sha256()).update(text.encode())
        at += len(lines)
    if at != len(chunk_of):
        raise IntegrityFailed(
            "the staging file does not have exactly one event of arrival for each planned row",
            hint="stager verify names the first bad one",
        )
    return {chunk: each.digest() for chunk, each in hashes.items()}
