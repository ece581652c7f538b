"""The plan's lines: what each planned row publishes, as text that only the same content gives; hashed here.

They are read once, in the order of sources and rows, and hashed as they stand in DuckDB's own memory:
a million of them as Python's texts would cost more than all the rest of the plan.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from msgspec import Struct, field

from stager.staging import Staging

Numbers = npt.NDArray[np.int64]

Cut = Callable[[int, Numbers], Numbers]
"""A source, and numbers of rows of it that are planned → which piece each is of, NO_PIECE for none.

It is asked in the order of sources and rows.
"""

NO_PIECE = 0
"""Pieces are numbered from 1."""


class Piece(Struct):
    """Planned rows of one source.

    parts: the rows' numbers, ascending. first_event, last_event: the first and last seq of the events that
    brought them in. lines: SHA-256 over the rows' lines.
    """

    source_id: int
    first_event: int
    last_event: int
    parts: list[Numbers] = field(default_factory=list)
    lines: Any = field(default_factory=hashlib.sha256)

    @property
    def row_nos(self) -> Numbers:
        return np.concatenate(self.parts)

    def add(self, text: memoryview, row_nos: Numbers, seqs: Numbers) -> None:
        """Take in further rows, with the text of their lines."""
        self.lines.update(text)
        self.parts.append(row_nos)
        self.first_event = min(self.first_event, int(seqs.min()))
        self.last_event = max(self.last_event, int(seqs.max()))


def hash_lines(staging: Staging, cut: Cut | None, whole: Any = None) -> dict[int, Piece]:
    """The pieces that `cut` makes of the temporary table `plan`; `whole` takes in all of its lines."""
    pieces: dict[int, Piece] = {}
    for batch in staging.batches("plan_lines"):
        lines = _Texts(batch.column("line"))
        if whole is not None:
            whole.update(lines.between(0, batch.num_rows))
        if cut is None:
            continue
        sources, row_nos, seqs = (_numbers(batch, name) for name in ("source_id", "row_no", "seq"))
        for first, last in _stretches(sources):
            source_id = int(sources[first])
            numbers = cut(source_id, row_nos[first:last])
            for start, end in _stretches(numbers):
                if (number := int(numbers[start])) != NO_PIECE:
                    at = slice(first + start, first + end)
                    seq = int(seqs[at.start])
                    piece = pieces.setdefault(number, Piece(source_id, seq, seq))
                    piece.add(lines.between(at.start, at.stop), row_nos[at], seqs[at])
    return pieces


class _Texts:
    """A column of texts by the bytes that it stands in, one after the other."""

    def __init__(self, column: pa.Array) -> None:
        _, offsets, data = column.buffers()
        width = np.int64 if pa.types.is_large_string(column.type) else np.int32
        self._offsets = np.frombuffer(offsets, dtype=width)[column.offset :]
        self._data = memoryview(data if data is not None else b"")

    def between(self, first: int, last: int) -> memoryview:
        """The texts from `first` to before `last`, joined."""
        return self._data[int(self._offsets[first]) : int(self._offsets[last])]


def _numbers(batch: pa.RecordBatch, name: str) -> Numbers:
    return np.asarray(batch.column(name).to_numpy(), dtype=np.int64)


def _stretches(values: Numbers) -> Iterator[tuple[int, int]]:
    """Where runs of one value begin and end."""
    edges = [0, *(np.flatnonzero(np.diff(values)) + 1).tolist(), len(values)]
    yield from ((first, last) for first, last in pairwise(edges) if first < last)
