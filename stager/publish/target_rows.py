"""From a sheet's typed values to the columns of a target table, as Arrow arrays of the wire's types."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

import polars as pl
import pyarrow as pa

from stager.publish.sealing import Sealing, bound_ids
from stager.row_ids import ID_BYTES
from stager.tenant.profile import Constant, Derived, IdKind, Profile, Protect, TargetColumn, TargetTable

ID, DRAWN, PATIENT, PRACTITIONER = "_id", "_drawn", "_patient", "_practitioner"
SHARES_EMAIL = "_shares_email"
"""What a row carries beside its values: its own id, computed and drawn, its persons' ids, whether its email
is another's username."""

_ARROW = {
    "text": pa.large_string(),
    "varchar": pa.large_string(),
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamptz": pa.timestamp("us", "UTC"),
    "bytea": pa.large_binary(),
    "uuid": pa.binary(16),
}
_POLARS: dict[str, pl.DataType] = {
    "text": pl.String(),
    "varchar": pl.String(),
    "smallint": pl.Int16(),
    "integer": pl.Int32(),
    "bigint": pl.Int64(),
    "boolean": pl.Boolean(),
    "date": pl.Date(),
    "timestamptz": pl.Datetime("us", "UTC"),
}
_AS_TEXT: dict[pl.DataType, str] = {pl.Date(): "%Y-%m-%d", pl.Datetime("us", "UTC"): "%Y-%m-%dT%H:%M:%SZ"}


def needed_fields(profile: Profile, sheet: str) -> frozenset[str]:
    """The sheet's fields that anything written is made from. Persons are written as ids, not as text."""
    needed: set[str] = set()
    for table in profile.tables_of(sheet):
        needed |= {table.when.field} if table.when else set()
        for column in table.columns:
            needed |= set(_made_from(column))
    return frozenset(needed)


def _made_from(column: TargetColumn) -> Collection[str]:
    if column.derived is not None:
        return () if column.derived.is_person else column.derived.fields
    return tuple(field for field in (column.field, column.index_of) if field is not None)


def rows_for(table: TargetTable, values: pl.DataFrame) -> pl.DataFrame:
    """Those of the sheet's rows that go to this table."""
    if table.when is None:
        return values
    return values.filter(pl.col(table.when.field).is_in(list(table.when.words)))


def own_ids(table: TargetTable, rows: pl.DataFrame) -> pl.Series:
    """The rows' ids in the table: sixteen bytes, or a bigint where its sequence makes them."""
    return rows[ID if table.id_kind is IdKind.UUID else DRAWN]


def unwritable(table: TargetTable, rows: pl.DataFrame) -> dict[str, list[int]]:
    """Column → row numbers whose value it cannot hold: a word without a translation, too large a number.

    Written anyway they would become NULL or the column's stand-in for nothing: a value lost in silence.
    """
    found: dict[str, list[int]] = {}
    for column in table.columns:
        if column.field is None or column.protect is not Protect.NONE:
            continue
        given, written = rows[column.field], _written(column, rows)
        lost = rows.filter(given.is_not_null() & written.is_null())["row_no"].to_list()
        if lost:
            found[column.name] = lost
    return found


def table_batch(
    table: TargetTable, rows: pl.DataFrame, sealing: Sealing, columns: Sequence[TargetColumn] | None = None
) -> pa.RecordBatch:
    """The rows as the table's columns, the id first, in the rows' order. columns: only these of them."""
    wanted = table.columns if columns is None else columns
    own = own_ids(table, rows)
    ids = bound_ids(table, own)
    arrays = [_ids(own, table.id_kind.type)]
    arrays += [_column(table, column, rows, ids, sealing) for column in wanted]
    return pa.RecordBatch.from_arrays(arrays, names=[table.id_column, *(column.name for column in wanted)])


def _column(
    table: TargetTable, column: TargetColumn, rows: pl.DataFrame, ids: list[bytes], sealing: Sealing
) -> pa.Array:
    if column.derived is Derived.PATIENT:
        return _ids(rows[PATIENT], column.base_type)
    if column.derived is Derived.PRACTITIONER:
        return _ids(rows[PRACTITIONER], column.base_type)
    if column.index_of is not None:
        return pa.array(sealing.indexed(table, column, rows[column.index_of]), pa.large_binary())
    if column.protect is not Protect.NONE:
        sealed = sealing.sealed(table, column, text_of(column, rows), ids)
        return _bytes_or_text(sealed, column.base_type)
    written = _written(column, rows)
    if column.absent is not None:
        written = written.fill_null(pl.lit(column.absent, dtype=written.dtype))
    return _as_arrow(written, _ARROW[column.base_type])


def _written(column: TargetColumn, rows: pl.DataFrame) -> pl.Series:
    """What is written for each row, by the column's own type; NULL where the sheet has nothing."""
    kind = _POLARS[column.base_type]
    if column.constant is not None:
        return pl.repeat(_constant(column.constant), rows.height, dtype=kind, eager=True)
    if column.values:
        words = [word for word, _ in column.values]
        meant = pl.Series([_constant(value) for _, value in column.values], dtype=kind)
        return text_of(column, rows).replace_strict(words, meant, default=None, return_dtype=kind)
    if kind == pl.String:
        return text_of(column, rows)
    return rows[str(column.field)].cast(kind, strict=False)


def text_of(column: TargetColumn, rows: pl.DataFrame) -> pl.Series:
    """The column's values as text: what a protected column seals."""
    if column.derived is Derived.USERNAME:
        return rows.select(
            pl.when(pl.col(SHARES_EMAIL)).then("legacy_id").otherwise(pl.coalesce("email", "legacy_id"))
        ).to_series()
    if column.derived is Derived.DRUG:
        parts = pl.concat_str("drug_name", "strength", separator=" ", ignore_nulls=True)
        return rows.select(pl.when(pl.col("drug_name").is_not_null()).then(parts)).to_series()
    values = rows[str(column.field)]
    form = _AS_TEXT.get(values.dtype)
    return values.dt.to_string(form) if form else values.cast(pl.String)


def _ids(ids: pl.Series, type_: str) -> pa.Array:
    """Ids as they go over the wire: sixteen bytes or a bigint."""
    if type_ != IdKind.UUID.type:
        return ids.cast(pl.Int64).to_arrow()
    _, _, data = _as_arrow(ids.fill_null(bytes(ID_BYTES)), pa.large_binary()).buffers()
    _, there = pa.array(ids.is_not_null().to_list(), pa.bool_()).buffers()
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(ID_BYTES), ids.len(), [there, data])


def _as_arrow(values: pl.Series, type_: pa.DataType) -> pa.Array:
    """A cast, even to what it is, would have Arrow's functions read, which a few rows are not worth."""
    array = values.to_arrow(compat_level=pl.CompatLevel.oldest())
    return array if array.type == type_ else array.cast(type_)


def _bytes_or_text(sealed: Sequence[bytes | str | None], type_: str) -> pa.Array:
    """As the column's type has it: Fernet's tokens are text, and may stand in a bytea."""
    if type_ != "bytea":
        return pa.array(sealed, pa.large_string())
    return pa.array(sealed, pa.large_binary())


def _constant(value: Constant) -> Constant:
    """A moment with an offset as polars takes it into a UTC column."""
    return value.astimezone(UTC) if isinstance(value, datetime) else value
