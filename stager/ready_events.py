"""Events of one kind made ready for the log, with their leaves: pure, for any thread or process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stager.crypto.merkle import Subtree, leaf_column, subtrees
from stager.events import EVENT_KINDS

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Stamp:
    """Who appends, and when. at: microseconds since 1970-01-01 UTC."""

    actor: str
    at: int

    def ready(self, kind: str, rows: pl.DataFrame, first: int) -> ReadyEvents:
        """Events of one kind with the numbers from `first` in the rows' order.

        rows: sheet, source_id, row_no, finding_id, detail.
        """
        import polars as pl  # here, as below: what reads the log alone should not wait for it

        leaves = _leaves(_numbered(self, kind, rows, first))
        with_leaves = rows.with_columns(leaf=pl.Series(leaves, dtype=pl.Binary))
        return ReadyEvents(self, kind, with_leaves, first, subtrees(first - 1, b"".join(leaves)))


@dataclass(frozen=True, slots=True)
class ReadyEvents:
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
    import polars as pl

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


def _leaves(events: pl.DataFrame) -> list[bytes]:
    """Each event's leaf hash: the macro event_leaf of stager/sql/staging.sql, for many at once."""
    import polars as pl

    netstrings = [_netstring(pl.col(name)) for name in events.columns]
    data = events.select(pl.concat_str(netstrings).cast(pl.Binary))
    return leaf_column(data.to_series().to_list())


def _netstring(column: pl.Expr) -> pl.Expr:
    import polars as pl

    text = column.cast(pl.String)
    framed = pl.concat_str(text.str.len_bytes(), pl.lit(":"), text, pl.lit(","))
    return framed.fill_null("-")
