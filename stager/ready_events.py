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


def leaves_of(events: pl.DataFrame) -> bytes:
    """Each event's leaf hash, one after another: `leaf_of` for many at once."""
    if events.is_empty():
        return b""
    import polars as pl

    from stager.crypto.sha256 import digests

    message = pl.concat_str(_joined([BEFORE_LEAF.decode(), *_netstrings(events)]))
    return digests(events.with_columns(message=message)["message"])


def _netstrings(events: pl.DataFrame) -> Iterator[str | pl.Expr]:
    """What stands for the columns in the leaves: the same text for every row, or what gives it for each.

    A netstring of its own concat costs half as much again as its parts in the leaf's, and is needed only
    where some of the values are NULL.
    """
    import polars as pl

    [nulls] = events.select(pl.all().null_count()).rows()
    [alike] = events.select((pl.all() == pl.all().first()).all()).rows()
    firsts = events.row(0)
    for name, missing, same, first in zip(events.columns, nulls, alike, firsts, strict=True):
        if missing == events.height:
            yield "-"
        elif same and not missing:
            yield f"{len(str(first).encode())}:{first},"
        else:
            text = pl.col(name).cast(pl.String)
            parts = [text.str.len_bytes().cast(pl.String), pl.lit(":"), text, pl.lit(",")]
            yield from [pl.concat_str(parts).fill_null("-")] if missing else parts


def _joined(parts: Iterable[str | pl.Expr]) -> Iterator[pl.Expr]:
    """The parts, those texts as one that follow each other."""
    import polars as pl

    text = ""
    for part in parts:
        if isinstance(part, str):
            text += part
        else:
            yield from (pl.lit(text), part)
            text = ""
    yield pl.lit(text)
