"""Physical lines: found on the file's own bytes, read as UTF-8, each with its place in the file.

A line keeps its terminator. Where it begins is counted in bytes of the file as it is, in every encoding;
its text is UTF-8, so that all that follows needs to know nothing of encodings. Both have the same number
of lines, which is asserted.

An undecodable line gets a stand-in of the same shape (quotes and delimiters in place) so that a quoted
record around it is still found whole; the line is marked, and no record that touches it is ever read as
cells.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
import polars as pl
import pyarrow as pa
from msgspec import Struct
from numpy.typing import NDArray

from stager.binary import series_of
from stager.errors import IntegrityFailed
from stager.ingest.encoding import Encoding, is_utf8

Offsets: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]

_DECODED_AT_ONCE = 128
LF, CR = 10, 13


class Lines(Struct, frozen=True):
    """Lines of one piece of a file.

    text: UTF-8. text_at: n + 1 offsets into it. file_at: n + 1 offsets into the piece's own bytes.
    undecodable, nul: which lines cannot be decoded, which hold U+0000.
    """

    text: bytes
    text_at: Offsets
    file_at: Offsets
    undecodable: Flags
    nul: Flags

    def __len__(self) -> int:
        return len(self.text_at) - 1

    def strings(self) -> pl.Series:
        """Every line, without a copy of the text."""
        return _strings(self.text, self.text_at)

    def joined(self, first: Offsets, end: Offsets) -> pl.Series:
        """The text from line first[i] up to, not including, line end[i]; ascending, without overlaps."""
        bounds = np.empty(2 * len(first), dtype=np.int64)
        bounds[0::2], bounds[1::2] = self.text_at[first], self.text_at[end]
        return _strings(self.text, bounds).gather_every(2)


def _strings(text: bytes, bounds: Offsets) -> pl.Series:
    if len(bounds) < 2:
        return pl.Series(dtype=pl.String)
    array = pa.LargeStringArray.from_buffers(len(bounds) - 1, pa.py_buffer(bounds), pa.py_buffer(text))
    return series_of(array)


def read_lines(data: bytes, encoding: Encoding, newline: int, *, last: bool) -> Lines:
    """The whole lines at the front of `data`; with `last` also what stands after the last newline.

    newline: LF or CR, the code unit that ends a line in this file. Raises IntegrityFailed where the text
    has another number of lines than the bytes, which no supported encoding allows.
    """
    file_at = _line_bounds(data, encoding.unit, newline, last=last)
    data = data[: file_at[-1]]
    count = len(file_at) - 1
    undecodable = np.zeros(count, dtype=np.bool_)
    if encoding.unit.itemsize == 1 and (data.isascii() or (encoding.codec == "utf-8" and is_utf8(data))):
        text, text_at = data, file_at
    else:
        text = b"".join(_transcoded(data, file_at, encoding, newline, undecodable))
        text_at = _line_bounds(text, np.dtype("u1"), newline, last=True)
        if len(text_at) != len(file_at):
            raise IntegrityFailed("the decoded text has another number of lines than the file")
    return Lines(text, text_at, file_at, undecodable, _lines_with_nul(text, text_at))


def _line_bounds(data: bytes, unit: np.dtype[np.unsignedinteger], newline: int, *, last: bool) -> Offsets:
    units = np.frombuffer(data, dtype=unit, count=len(data) // unit.itemsize)
    ends = (np.flatnonzero(units == newline) + 1) * unit.itemsize
    bounds = np.concatenate((np.zeros(1, dtype=np.int64), ends))
    if last and bounds[-1] != len(data):
        bounds = np.append(bounds, len(data))
    return bounds


def _transcoded(
    data: bytes, at: Offsets, encoding: Encoding, newline: int, undecodable: Flags
) -> Iterator[bytes]:
    """The lines in UTF-8: all at once, else in groups, else one by one, marking those that fail."""
    view, lines = memoryview(data), len(at) - 1
    whole = _decoded(view, encoding)
    if whole is not None:
        yield whole
        return
    for first in range(0, lines, _DECODED_AT_ONCE):
        end = min(first + _DECODED_AT_ONCE, lines)
        group = _decoded(view[at[first] : at[end]], encoding)
        if group is not None:
            yield group
            continue
        for line in range(first, end):
            raw = view[at[line] : at[line + 1]]
            text = _decoded(raw, encoding)
            undecodable[line] = text is None
            yield _stand_in(bytes(raw), encoding, chr(newline)) if text is None else text


def _decoded(raw: memoryview, encoding: Encoding) -> bytes | None:
    try:
        return str(raw, encoding.codec).encode()
    except UnicodeDecodeError:
        return None


def _stand_in(raw: bytes, encoding: Encoding, newline: str) -> bytes:
    """Text of the line's shape, for finding where its record ends; it never becomes a cell."""
    ending = newline.encode(encoding.codec)
    ended = raw.endswith(ending)
    content = raw[: -len(ending)] if ended else raw
    shape = content.decode(encoding.codec, "replace").replace(newline, "?").replace("\ufffd", "?")
    return (shape + (newline if ended else "")).encode()


def _lines_with_nul(text: bytes, at: Offsets) -> Flags:
    marked = np.zeros(len(at) - 1, dtype=np.bool_)
    if b"\0" in text:
        places = np.flatnonzero(np.frombuffer(text, dtype=np.uint8) == 0)
        marked[np.searchsorted(at, places, side="right") - 1] = True
    return marked
