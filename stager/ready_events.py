"""Events of one kind made ready for the log, with their leaves: pure, for any thread or process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

from stager.binary import column_of
from stager.crypto.merkle import BEFORE_LEAF, HASH_BYTES, Subtree, leaf_hash, subtrees
from stager.events import EVENT_KINDS

if TYPE_CHECKING:
    import polars as pl


class Stamp(Struct, frozen=True):
    """Who appends, and when. at: microseconds since 1970-01-01 UTC."""

    actor: str
    at: int

    def ready(self, kind: str, rows: pl.DataFrame, first: int) -> ReadyEvents:
        """Events of one kind with the numbers from `first` in the rows' order.

        rows: sheet, source_id, row_no, finding_id, detail.
        """
        leaves = leaves_of(_numbered(self, kind, rows, first))
        with_leaves = rows.with_columns(leaf=column_of(leaves, HASH_BYTES))
        return ReadyEvents(self, kind, with_leaves, first, subtrees(first - 1, leaves))


class ReadyEvents(Struct, frozen=True):
    """Events with the numbers from `first`. rows: as given to `Stamp.ready`, and each event's leaf.

    subtrees: the largest full ones over the leaves, so that the seal need not hash them again.
    """

    stamp: Stamp
    kind: str
    rows: pl.DataFrame
    first: int
    subtrees: list[Subtree]

    def frame(self) -> pl.DataFrame:
        """The events as their table takes them."""
        return _numbered(self.stamp, self.kind, self.rows, self.first).with_columns(self.rows["leaf"])


def _numbered(stamp: Stamp, kind: str, rows: pl.DataFrame, first: int) -> pl.DataFrame:
    """Every column of the events but their leaf, in the order in which the leaf holds them."""
    import polars as pl  # here, as below: what reads the log alone should not wait for it

    return rows.select(
        seq=pl.int_range(first, first + rows.height, dtype=pl.Int64),
        at=pl.lit(stamp.at, pl.Int64),
        actor=pl.lit(stamp.actor),
        kind=pl.lit(kind),
        version=pl.lit(EVENT_KINDS[kind].version, pl.Int32),
        sheet="sheet",
        source_id="source_id",
        row_no="row_no",
        finding_id="finding_id",
        detail="detail",
    )


def leaf_of(event: Iterable[object]) -> bytes:
    """The leaf hash of RFC 9162, section 2.1.1, over the netstrings of an event's columns, '-' for NULL.

    event: every column but the leaf, in the order of `_numbered`.
    """
    return leaf_hash("".join(map(netstring, event)).encode())


def netstring(part: object) -> str:
    """A value's text behind its length in bytes, '-' for NULL: no two rows of values read alike."""
    text = str(part)
    return "-" if part is None else f"{len(text.encode())}:{text},"


def length_of(text: pl.Expr) -> pl.Expr:
    """What stands before the texts of a column: each one's length in bytes, and a colon; NULL for NULL.

    Picked from the lengths up to the longest: to write a number for each row takes longer.
    """
    import polars as pl

    length = text.str.len_bytes()
    up_to_longest = pl.int_range(length.max().fill_null(0) + 1).cast(pl.String)
    return pl.concat_str(up_to_longest, pl.lit(":")).gather(length)


def leaves_of(events: pl.DataFrame) -> bytes:
    """Each event's leaf hash, one after another: `leaf_of` for many at once."""
    if events.is_empty():
        return b""
    import polars as pl

    from stager.crypto.sha256 import digests

    alike = _alike(events)
    texts = events.with_columns(pl.exclude(alike).cast(pl.String))
    parts: list[str | pl.Expr] = [BEFORE_LEAF.decode()]
    for column in texts:
        parts += [alike[column.name]] if column.name in alike else _netstrings(column)
    return digests(texts.with_columns(message=pl.concat_str(_joined(parts)))["message"])


def _alike(events: pl.DataFrame) -> dict[str, str]:
    """The columns that have the same value in every row, and its netstring."""
    import polars as pl

    same = events.select((pl.all().eq_missing(pl.all().first())).all()).row(0, named=True)
    return {name: netstring(first) for name, first in events.row(0, named=True).items() if same[name]}


def _netstrings(column: pl.Series) -> list[str | pl.Expr]:
    """What makes the netstrings of a column of texts.

    A concat of their own costs half as much again as their parts in the leaf's, and is needed only where
    some of the values are NULL.
    """
    import polars as pl

    text = pl.col(column.name)
    if column.null_count():
        return [pl.concat_str(length_of(text), text, pl.lit(",")).fill_null("-")]
    return [length_of(text), text, ","]


def _joined(parts: Iterable[str | pl.Expr]) -> Iterator[pl.Expr]:
    """The parts, those texts as one that follow each other."""
    import polars as pl

    text = ""
    for part in parts:
        if isinstance(part, str):
            text += part
        else:
            yield from [pl.lit(text), part] if text else [part]
            text = ""
    yield pl.lit(text)
