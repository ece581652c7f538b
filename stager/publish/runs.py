"""Sets of rows as text: "source:first-last source:row …", a word for each run of neighbours."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import numpy as np
import numpy.typing as npt
import polars as pl

Run = tuple[int, int, int]
"""source_id, first row, last row."""


def read_runs(text: str) -> Iterator[Run]:
    """The runs that the text names."""
    for word in text.split():
        source, _, rows = word.partition(":")
        first, _, last = rows.partition("-")
        yield int(source), int(first), int(last or first)


def write_runs(runs: Iterable[Run]) -> str:
    """The text for these runs."""
    return " ".join(
        f"{source}:{first}-{last}" if last > first else f"{source}:{first}" for source, first, last in runs
    )


def neighbours(row_nos: npt.NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """The first and last of each run of neighbours among numbers that ascend."""
    ends = np.flatnonzero(np.diff(row_nos) != 1)
    firsts = row_nos[np.concatenate(([0], ends + 1))]
    lasts = row_nos[np.concatenate((ends, [len(row_nos) - 1]))]
    yield from zip(firsts.tolist(), lasts.tolist(), strict=True)


def without(text: str, places: Collection[tuple[int, int]]) -> str:
    """The text for the same rows but those at `places` (source_id, row_no)."""
    if not places:
        return text
    return write_runs(_joined(row for row in _rows(text) if row not in places))


def run_frame(texts: Iterable[tuple[int, str]]) -> pl.DataFrame:
    """Chunk numbers with their runs' texts as a table: chunk, source_id, first_row, last_row."""
    rows = [(chunk, *run) for chunk, text in texts for run in read_runs(text)]
    schema = {"chunk": pl.Int64, "source_id": pl.Int32, "first_row": pl.Int32, "last_row": pl.Int32}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _rows(text: str) -> Iterator[tuple[int, int]]:
    for source, first, last in read_runs(text):
        for row in range(first, last + 1):
            yield source, row


def _joined(rows: Iterable[tuple[int, int]]) -> Iterator[Run]:
    """Neighbouring rows, given in order, as runs."""
    run: Run | None = None
    for source, row in rows:
        if run is not None and run[0] == source and run[2] + 1 == row:
            run = (source, run[1], row)
            continue
        if run is not None:
            yield run
        run = (source, row, row)
    if run is not None:
        yield run
