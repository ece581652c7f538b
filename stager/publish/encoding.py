"""Making a chunk ready to send: cells to values, values to columns, protected fields sealed, all encoded.

The costly part of publishing, and pure: it runs in processes of its own, which are handed the keys
when they start and never by their arguments.
"""

from __future__ import annotations

import os
import signal
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import parent_process
from multiprocessing.connection import wait
from pathlib import Path

import polars as pl

from stager.crypto.keyset import Keyset
from stager.errors import StagerError, Where
from stager.publish.pgcopy import encode
from stager.publish.sealing import Sealing
from stager.publish.target_rows import needed_fields, own_ids, rows_for, table_batch, unwritable
from stager.sheets import SHEET
from stager.tenant.profile import Profile
from stager.values import Rules, normalise


@dataclass(frozen=True, slots=True)
class RowsToSend:
    """What a chunk is made from.

    rules: the source's rules as JSON. rows: row_no and the fields' cells as they stand, and what
    `target_rows` names beside them.
    """

    chunk: int
    sheet: str
    rules: str
    rows: pl.DataFrame


@dataclass(frozen=True, slots=True)
class TableRows:
    """One table's part of a chunk: row numbers, ids, and the rows as a binary COPY stream."""

    table: str
    row_nos: pl.Series
    ids: pl.Series
    stream: bytes


@dataclass(frozen=True, slots=True)
class Unfit:
    """A row with a value that a column of its table cannot be given."""

    row_no: int
    table: str
    column: str


@dataclass(frozen=True, slots=True)
class Encoded:
    """A chunk ready to be sent."""

    chunk: int
    tables: tuple[TableRows, ...]
    unfit: tuple[Unfit, ...]


class Encoder:
    """Encodes the chunks of one tenant."""

    def __init__(self, keyset: Keyset, tenant: str, profile: Profile) -> None:
        self._profile = profile
        self._sealing = Sealing(keyset, tenant, profile)
        self._fields = {sheet: needed_fields(profile, sheet) for sheet in SHEET}

    def encode(self, part: RowsToSend) -> Encoded:
        """The chunk's rows table by table. StagerError, without a value in it, where that fails."""
        if part.rows.is_empty():
            return Encoded(part.chunk, (), ())
        with _no_values_in_errors(part):
            found = normalise(
                SHEET[part.sheet], part.rows, Rules.from_json(part.rules), self._fields[part.sheet]
            )
            beside = [name for name in part.rows.columns if name.startswith("_")]
            values = pl.concat([found.values, part.rows.select(beside)], how="horizontal")
            return self._encoded(part, values)

    def _encoded(self, part: RowsToSend, values: pl.DataFrame) -> Encoded:
        tables, unfit = [], []
        for table in self._profile.tables_of(part.sheet):
            rows = rows_for(table, values)
            for column, row_nos in unwritable(table, rows).items():
                unfit += [Unfit(row_no, table.table, column) for row_no in row_nos]
            rows = rows.filter(~pl.col("row_no").is_in([each.row_no for each in unfit]))
            if rows.height:
                stream = encode(table_batch(table, rows, self._sealing))
                tables.append(TableRows(table.table, rows["row_no"], own_ids(table, rows), stream))
        placed = sum(table.row_nos.len() for table in tables) + len({each.row_no for each in unfit})
        if placed != values.height:
            raise StagerError("a row goes to none of its sheet's tables", where=Where(sheet=part.sheet))
        return Encoded(part.chunk, tuple(tables), tuple(unfit))


@contextmanager
def _no_values_in_errors(part: RowsToSend) -> Iterator[None]:
    """An error of a library may quote a cell: only its kind and the place in the code pass."""
    told: StagerError | None = None
    try:
        yield
    except StagerError:
        raise
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(last.filename).name}:{last.lineno}"
        told = StagerError(
            f"rows could not be made ready ({type(error).__name__} at {place})", where=Where(sheet=part.sheet)
        )
    # Raised outside the handler, so that the library's error is not carried along as its context.
    if told is not None:
        raise told


_encoders: list[Encoder] = []


def start_worker(keyset: Keyset, tenant: str, profile: Profile) -> None:
    """Make this process an encoding one: its keys, and that it ends with the process that made it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _encoders.append(Encoder(keyset, tenant, profile))


def encode_in_worker(part: RowsToSend) -> Encoded:
    """`Encoder.encode` in a process that `start_worker` has begun."""
    return _encoders[0].encode(part)


def _end_with_parent() -> None:
    # A parent that was killed closes nothing that a pool's worker waits on; it would hold the keys for ever.
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
