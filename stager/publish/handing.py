"""Chunks handed to the processes that make rows ready, and taken back, their rows and streams by slots."""

from __future__ import annotations

from concurrent.futures import Future, ProcessPoolExecutor
from queue import SimpleQueue

import polars as pl
from msgspec import Struct
from msgspec.structs import replace

from stager.crypto.keyset import Keyset
from stager.publish.encoding import Encoded, Encoder, RowsToSend, TableRows, Unfit
from stager.slots import Slots, frame_of
from stager.tenant.profile import Profile


class _Filled(Struct, frozen=True):
    """A chunk ready to be sent. In its slot each table has a frame of row numbers and ids, and its stream."""

    chunk: int
    tables: tuple[str, ...]
    unfit: tuple[Unfit, ...]
    lengths: list[int]


class Handing:
    """This side. slots: as many as chunks may be under way at once, one more than that would wait."""

    def __init__(self, pool: ProcessPoolExecutor, slots: Slots) -> None:
        self._pool, self._slots = pool, slots
        self._free: SimpleQueue[int] = SimpleQueue()
        for slot in range(len(slots)):
            self._free.put(slot)

    def encode(self, part: RowsToSend) -> Future[Encoded]:
        """Have a chunk made ready."""
        slot = self._free.get()
        answer: Future[Encoded] = Future()
        try:
            lengths = self._slots.fill(slot, [part.rows])
            given = self._pool.submit(_encode, slot, lengths, replace(part, rows=pl.DataFrame()))
        except Exception as error:  # as below
            self._free.put(slot)
            answer.set_exception(error)
            return answer
        given.add_done_callback(lambda done: self._take_back(done, slot, answer))
        return answer

    def _take_back(self, done: Future[_Filled], slot: int, answer: Future[Encoded]) -> None:
        try:
            answer.set_result(self._encoded(slot, done.result()))
        except BaseException as error:  # whatever it is, who waits for the chunk is told
            answer.set_exception(error)
        finally:
            self._free.put(slot)

    def _encoded(self, slot: int, filled: _Filled) -> Encoded:
        parts = self._slots.parts(slot, filled.lengths)
        tables = []
        for table, rows, stream in zip(filled.tables, parts[::2], parts[1::2], strict=True):
            frame = frame_of(rows)
            tables.append(TableRows(table, frame["row_no"], frame["id"], stream))
        return Encoded(filled.chunk, tuple(tables), filled.unfit)


_there: list[tuple[Encoder, Slots]] = []  # in a process that makes rows ready


def start_worker(slots: Slots, keyset: Keyset, tenant: str, profile: Profile) -> None:
    """Make this process one that makes rows ready, by handing it its keys."""
    _there.append((Encoder(keyset, tenant, profile), slots))


def _encode(slot: int, lengths: list[int], part: RowsToSend) -> _Filled:
    encoder, slots = _there[0]
    (rows,) = slots.parts(slot, lengths)
    encoded = encoder.encode(replace(part, rows=frame_of(rows)))
    parts: list[pl.DataFrame | bytes] = []
    for each in encoded.tables:
        parts += [pl.DataFrame({"row_no": each.row_nos, "id": each.ids}), each.stream]
    tables = tuple(each.table for each in encoded.tables)
    return _Filled(encoded.chunk, tables, encoded.unfit, slots.fill(slot, parts))
