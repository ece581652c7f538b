"""Gathering frames, so that a table is written by whole row groups.

DuckDB compresses a whole row group and writes it out at once. One that is not whole stays in memory until
the commit, and the checkpoint lays such ones together: each of their rows is compressed twice, and the
file keeps the room of the first time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

ROW_GROUP = 122_880
"""Rows of one of DuckDB's row groups."""

GATHERED_BYTES = 48 << 20
"""Memory of gathered rows beyond which they are written though they are no whole row group."""


class Gathered:
    """Frames for one table, handed to `write` by whole row groups; what is left, at the end."""

    def __init__(self, write: Callable[[pl.DataFrame], None]) -> None:
        self._write = write
        self._held: list[pl.DataFrame] = []
        self._rows = self._bytes = 0

    def add(self, frame: pl.DataFrame) -> None:
        """Take a frame; write what is whole by now, and all of it where it is too much to hold."""
        import polars as pl  # here and below: a file that is only read needs none of it

        self._hold(frame)
        while self._rows >= ROW_GROUP:
            whole = pl.concat(self._held, rechunk=False)
            self._write(whole[:ROW_GROUP])
            self._drop()
            self._hold(whole[ROW_GROUP:])
        if self._bytes >= GATHERED_BYTES:
            self.end()

    def end(self) -> None:
        """Write what is left."""
        import polars as pl

        if self._rows:
            self._write(pl.concat(self._held, rechunk=False))
        self._drop()

    def _hold(self, frame: pl.DataFrame) -> None:
        if frame.height:
            self._held.append(frame)
            self._rows += frame.height
            self._bytes += int(frame.estimated_size())

    def _drop(self) -> None:
        self._held, self._rows, self._bytes = [], 0, 0
