"""The tenant's ledger against the log: every committed chunk in both, of one content, under a known seal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from stager.errors import Where
from stager.publish.chunks import Chunk, Run
from stager.publish.refusals import Place, Refusal
from stager.publish.runs import without
from stager.staging import Staging
from stager.tenant.ledger import LedgerEntry
from stager.verify.broken import broken

LEDGER = "compare with the tenant's backups: a chunk's ledger row and rows were written in one transaction"


class Committed(Struct, frozen=True):
    """A chunk that the tenant has. refused: its rows that are not there. recorded: whether the log knows."""

    chunk: Chunk
    refused: frozenset[Place]
    recorded: bool

    @property
    def count(self) -> int:
        """Rows that are in the tenant by it."""
        return self.chunk.count - len(self.refused)


class CommittedRun(Struct, frozen=True):
    """A run with those of its chunks that the tenant has."""

    run: Run
    chunks: tuple[Committed, ...]


def verify_ledger(
    staging: Staging, entries: Sequence[LedgerEntry], roots: Mapping[int, bytes]
) -> tuple[CommittedRun, ...]:
    """The committed chunks, run by run. Raises IntegrityFailed, naming the first chunk that differs.

    roots: of the sealed trees by their sizes. A chunk of an unfinished run that only the ledger knows is
    in order: a publisher was ended before it could record it, and the next publish does.
    """
    events = {
        detail["chunk"]: detail
        for *_, text in staging.rows("details_of_kind", kind="publish.chunk_committed")
        for detail in (json.loads(text),)
    }
    by_chunk = {entry.chunk: entry for entry in entries}
    finished = {json.loads(text)["run"] for *_, text in _of_kind(staging, "publish.finished")}
    runs = [_run(seq, json.loads(text)) for seq, _, _, text in _of_kind(staging, "publish.started")]
    _require_known(by_chunk, events, runs)
    found = []
    for run in runs:
        chunks = [
            _committed(run, chunk, events.get(chunk.chunk), by_chunk.get(chunk.chunk), roots, finished)
            for chunk in run.chunks
        ]
        found.append(CommittedRun(run, tuple(chunk for chunk in chunks if chunk is not None)))
    return tuple(found)


def _of_kind(staging: Staging, kind: str) -> list[tuple[Any, ...]]:
    return staging.rows("details_of_kind", kind=kind)


def _run(seq: int, detail: dict[str, Any]) -> Run:
    chunks = tuple(Chunk(**chunk) for chunk in detail.pop("chunks"))
    return Run(**detail, chunks=chunks, seq=seq)


def _require_known(entries: Iterable[int], events: Iterable[int], runs: Sequence[Run]) -> None:
    known = {chunk.chunk for run in runs for chunk in run.chunks}
    if strange := sorted(set(entries) - known):
        raise broken(
            f"the tenant's ledger has chunk {strange[0]} of this migration, and the log does not",
            hint="is this an older copy of the staging file, or was the ledger altered?",
        )
    if strange := sorted(set(events) - known):
        raise broken(f"the log has chunk {strange[0]} as committed, and no run of it")


def _committed(
    run: Run,
    chunk: Chunk,
    event: Mapping[str, Any] | None,
    entry: LedgerEntry | None,
    roots: Mapping[int, bytes],
    finished: set[int],
) -> Committed | None:
    if entry is None:
        if event is None:
            return None
        raise _wrong(chunk, "is not in the tenant's ledger, and the log has it as committed")
    if event is None and run.run in finished:
        raise _wrong(chunk, "is in the tenant's ledger, and the log has it as given up")
    content = (chunk.sheet, chunk.first_event, chunk.last_event, bytes.fromhex(chunk.digest))
    if entry.content != content:
        raise _wrong(chunk, "has another content in the tenant's ledger than in the log")
    refused = [str(each["row"]) for each in entry.refused]
    if entry.rows != chunk.count - len(refused):
        raise _wrong(chunk, f"has {entry.rows} rows in the tenant's ledger, and {chunk.count} in the log")
    if entry.seal_size and roots.get(entry.seal_size) != entry.seal_root:
        raise _wrong(
            chunk,
            f"was committed under a seal over {entry.seal_size} events that the log does not have: "
            "the staging file is older, or another",
        )
    places = frozenset(Refusal.from_ledger(each).place for each in entry.refused)
    if event is not None:
        _require_same(chunk, event, refused, places)
    return Committed(chunk, places, event is not None)


def _require_same(
    chunk: Chunk, event: Mapping[str, Any], refused: list[str], places: frozenset[Place]
) -> None:
    told = (sorted(event.get("refused", [])), event["count"], event["digest"], event["rows"])
    kept = (sorted(refused), chunk.count - len(refused), chunk.digest, without(chunk.rows, places))
    if told != kept:
        raise _wrong(chunk, "has other rows in the tenant's ledger than its event tells of")


def _wrong(chunk: Chunk, what: str) -> Exception:
    return broken(f"chunk {chunk.chunk} {what}", where=Where(sheet=chunk.sheet), hint=LEDGER)
