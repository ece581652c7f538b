"""Chunks: the pieces in which approved rows go to the tenant, each a transaction there.

A run records its chunks in the log before the first of them is sent. A chunk's digest says what it
carries, without any key: the plan's line of each of its rows, their source's bytes and rules, the
tenant and the profile. The tenant's ledger keeps the digest, so that another content under a number
that was used before is found out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from msgspec import Struct, to_builtins

from stager.approvals import Plan
from stager.errors import IntegrityFailed
from stager.plan_lines import NO_PIECE, Cut, Numbers, Piece, hash_lines
from stager.publish.runs import neighbours, read_runs, run_frame, write_runs
from stager.sheets import SHEETS
from stager.staging import Staging


class Chunk(Struct, frozen=True):
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

    def row_nos(self) -> pl.Series:
        """Its rows' numbers, ascending."""
        runs = read_runs(self.rows)
        numbers = [pl.int_range(first, last + 1, dtype=pl.Int32, eager=True) for _, first, last in runs]
        return pl.concat(numbers).alias("row_no")


class Run(Struct, frozen=True):
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
        return {
            "run": self.run,
            "tenant": self.tenant,
            "profile": self.profile,
            "plan_hash": self.plan_hash,
            "chunks": to_builtins(self.chunks),
        }


def by_size(chunk_rows: int) -> Cut:
    """Cuts a plan's rows into pieces of at most `chunk_rows` rows of one source."""
    return _BySize(chunk_rows).cut


def cut_run(staging: Staging, plan: Plan, tenant: str, profile: str) -> Run:
    """The plan, which was cut `by_size`, as a run: a chunk for each piece, numbered in the sheets' order.

    profile: the target profile's digest. Numbers go on from the migration's last.
    """
    sources = _sources(staging)
    names = [sheet.name for sheet in SHEETS]
    pieces = sorted(plan.pieces.values(), key=lambda piece: names.index(sources[piece.source_id].sheet))
    if sum(len(piece.row_nos) for piece in pieces) != staging.one("count_rows_of", {"table": "plan"}):
        raise IntegrityFailed(
            "the staging file does not have exactly one event of arrival for each planned row",
            hint="stager verify names the first bad one",
        )
    last: int = staging.one("last_chunk")
    chunks = (
        _chunk(number, piece, sources[piece.source_id], tenant, profile)
        for number, piece in enumerate(pieces, start=last + 1)
    )
    return Run(staging.one("count_runs") + 1, tenant, profile, plan.hash, tuple(chunks))


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


def as_recorded(chunks: Sequence[Chunk]) -> Cut:
    """Cuts a plan's rows into the pieces that these chunks were; rows of none of them are of no piece."""
    return _AsRecorded(chunks).cut


def unchanged(
    staging: Staging, plan: Plan, run: Run, chunks: Sequence[Chunk], profile: str
) -> tuple[Chunk, ...]:
    """Those of the run's chunks whose rows all still stand in the plan, and say the same.

    plan: cut `as_recorded`. A row of which an approval was voided or a link changed since the run was cut
    must not go as it was recorded.
    """
    sources = _sources(staging)
    now = {
        number: _digest(piece, sources[piece.source_id], run.tenant, profile)
        for number, piece in plan.pieces.items()
    }
    return tuple(chunk for chunk in chunks if now.get(chunk.chunk) == chunk.digest)


def withdraw(staging: Staging, chunks: Sequence[Chunk], cut: Cut) -> dict[int, Piece]:
    """Take the chunks' rows out of the temporary table `plan`; the pieces that `cut` makes of the rest."""
    with staging.lent(recorded_run=run_frame((chunk.chunk, chunk.rows) for chunk in chunks)):
        staging.run("withdraw_from_plan")
    return hash_lines(staging, cut)


class _SourceOf(Struct, frozen=True):
    """What a chunk's digest takes in of its source."""

    sheet: str
    sha256: str
    content_root: str
    rules: str


def _sources(staging: Staging) -> dict[int, _SourceOf]:
    return {source_id: _SourceOf(*rest) for source_id, *rest in staging.rows("sources_of_chunks")}


def _chunk(number: int, piece: Piece, source: _SourceOf, tenant: str, profile: str) -> Chunk:
    row_nos = piece.row_nos
    return Chunk(
        number,
        source.sheet,
        write_runs((piece.source_id, first, last) for first, last in neighbours(row_nos)),
        len(row_nos),
        piece.first_event,
        piece.last_event,
        _digest(piece, source, tenant, profile),
    )


def _digest(piece: Piece, source: _SourceOf, tenant: str, profile: str) -> str:
    digest = hashlib.sha256(b"stager/chunk/1\n")
    lines = piece.lines.hexdigest()
    parts = (tenant, profile, source.sheet, source.sha256, source.content_root, source.rules, lines)
    for part in parts:
        digest.update(f"{len(part.encode())}:{part},".encode())
    return digest.hexdigest()


class _BySize(Struct):
    """Counts the rows of the source that it is at."""

    most: int
    source_id: int = 0
    rows: int = 0
    first: int = 1
    """The number of the source's first piece."""

    def cut(self, source_id: int, row_nos: Numbers) -> Numbers:
        if source_id != self.source_id:
            self.first += -(-self.rows // self.most)
            self.source_id, self.rows = source_id, 0
        places = np.arange(self.rows, self.rows + len(row_nos), dtype=np.int64)
        self.rows += len(row_nos)
        return self.first + places // self.most


class _AsRecorded:
    """Looks rows up among the chunks' runs."""

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        runs: dict[int, list[tuple[int, int, int]]] = {}
        for chunk in chunks:
            for source_id, first, last in read_runs(chunk.rows):
                runs.setdefault(source_id, []).append((first, last, chunk.chunk))
        self._runs = {source_id: np.array(sorted(found)) for source_id, found in runs.items()}

    def cut(self, source_id: int, row_nos: Numbers) -> Numbers:
        if source_id not in self._runs:
            return np.full(len(row_nos), NO_PIECE)
        firsts, lasts, chunks = self._runs[source_id].T
        at = np.searchsorted(firsts, row_nos, side="right") - 1
        return np.where((at >= 0) & (row_nos <= lasts[at]), chunks[at], NO_PIECE)
