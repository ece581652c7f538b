"""Postgres's binary COPY format: Arrow batches as one stream, and streams of some of its rows.

A stream is a header, a tuple for each row (field count, then length and bytes of each field, all
big-endian; length -1 is NULL) and a trailer. No text, so no cell can be taken for a command.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

import pgpq
import pyarrow as pa

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"

_COUNT = struct.Struct(">h")
_LENGTH = struct.Struct(">i")


def encode(batch: pa.RecordBatch) -> bytes:
    """The batch as one whole stream."""
    encoder = pgpq.ArrowToPostgresBinaryEncoder(batch.schema)
    return b"".join([encoder.write_header(), encoder.write_batch(batch), encoder.finish()])


def tuple_starts(stream: bytes) -> list[int]:
    """Where each tuple of a stream begins, and where the last one ends."""
    at, starts = len(HEADER), [len(HEADER)]
    while (fields := _COUNT.unpack_from(stream, at)[0]) != -1:
        at += _COUNT.size
        for _ in range(fields):
            at += _LENGTH.size + max(_LENGTH.unpack_from(stream, at)[0], 0)
        starts.append(at)
    return starts


def stream_of(stream: bytes, starts: list[int], rows: Iterable[int]) -> Iterator[bytes]:
    """A stream of some of the rows, by their places from 0, ascending."""
    whole = memoryview(stream)
    yield HEADER
    for first, last in _neighbours(rows):
        yield bytes(whole[starts[first] : starts[last + 1]])
    yield TRAILER


def _neighbours(rows: Iterable[int]) -> Iterator[tuple[int, int]]:
    first = last = -1
    for row in rows:
        if first >= 0 and row == last + 1:
            last = row
            continue
        if first >= 0:
            yield first, last
        first = last = row
    if first >= 0:
        yield first, last


def fields_of(tuple_: bytes) -> list[bytes | None]:
    """The fields of one tuple; None is NULL."""
    at, fields = _COUNT.size, []
    for _ in range(_COUNT.unpack_from(tuple_, 0)[0]):
        length = _LENGTH.unpack_from(tuple_, at)[0]
        at += _LENGTH.size
        fields.append(None if length < 0 else tuple_[at : at + length])
        at += max(length, 0)
    return fields
