"""Columns of binary values of one width, made of their bytes as they lie in memory: ids, hashes, messages.

A million of them as Python's objects would cost a second. numpy, polars and pyarrow are imported where a
column is made: for one value they are not worth the wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl
    import pyarrow as pa


def column_of(
    data: bytes | npt.NDArray[np.uint8], width: int, known: npt.NDArray[np.bool_] | None = None
) -> pl.Series:
    """The values, of `width` bytes each, as a column of binary. known: which are; the others are NULL.

    ValueError where the bytes are no whole values.
    """
    import numpy as np
    import pyarrow as pa

    held = pa.py_buffer(data)
    count, over = divmod(held.size, width)
    if over:
        raise ValueError(f"{held.size} bytes are no whole values of {width} bytes")
    offsets = np.arange(0, held.size + 1, width, dtype=np.int64)
    valid = None if known is None else pa.py_buffer(np.packbits(known, bitorder="little"))
    buffers = [valid, pa.py_buffer(offsets), held]
    column = pa.LargeBinaryArray.from_buffers(pa.large_binary(), count, buffers)
    return series_of(column)


def series_of(column: pa.Array[pa.Scalar]) -> pl.Series:
    """An Arrow column as polars has them, where it can without a copy.

    By way of a frame: of a single column polars would have pyarrow read all of its functions first.
    """
    import polars as pl
    import pyarrow as pa

    return pl.DataFrame(pa.record_batch({"value": column}))["value"]
