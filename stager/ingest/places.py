"""One digest over where every record of a file stands, so that a row cannot be made to point at other bytes.

The fingerprints in the log bind what the cells hold; this binds the lines and byte ranges of rows and
spans, what the spans are, and the unknown columns, of which a fingerprint leaves out those that stager
itself added to a reject file.
"""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl

from stager.ready_events import netstring

ROW_PLACE = ("row_no", "line", "byte_start", "byte_len")
SPAN_PLACE = ("row_no", "line", "line_count", "byte_start", "byte_len", "kind", "reason")


class PlacesDigest:
    """Takes a file's rows in the order of their numbers and its spans in that of their bytes."""

    def __init__(self) -> None:
        self._rows, self._extra, self._spans = (hashlib.sha256() for _ in range(3))

    def add(self, rows: pl.DataFrame, spans: pl.DataFrame | None = None) -> None:
        """rows: with ROW_PLACE and `extra`. spans: with SPAN_PLACE."""
        places = rows.select(pl.col(name).cast(pl.Int64) for name in ROW_PLACE).to_numpy()
        self._rows.update(np.ascontiguousarray(places, dtype="<i8").tobytes())
        if rows["extra"].null_count() < rows.height:
            self._extra.update("".join(map(netstring, rows["extra"].to_list())).encode())
        for span in spans.select(SPAN_PLACE).iter_rows() if spans is not None else ():
            self._spans.update("".join(map(netstring, span)).encode())

    def hexdigest(self) -> str:
        """SHA-256 over all that was added."""
        parts = (self._rows.digest(), self._extra.digest(), self._spans.digest())
        return hashlib.sha256(b"stager/places/1\0" + b"".join(parts)).hexdigest()
