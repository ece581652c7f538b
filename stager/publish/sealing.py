"""The sealers of a profile's protected columns, and its blind indexes, made once and used for every chunk."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from stager.crypto.blind_index import BlindIndex
from stager.crypto.fernet_fields import FernetSealer
from stager.crypto.fields import FieldSealer, row_id_bytes
from stager.crypto.keyset import Keyset
from stager.tenant.profile import IdKind, Profile, Protect, TargetColumn, TargetTable


def sealer_of(
    keyset: Keyset, tenant: str, table: TargetTable, column: TargetColumn
) -> FieldSealer | FernetSealer | None:
    """What seals and opens the column's values; None for a column that stands open."""
    if column.protect is Protect.AES_256_GCM:
        return FieldSealer(keyset, tenant, table.table, column.name)
    if column.protect is Protect.FERNET:
        return FernetSealer(keyset, tenant, table.table, column.name)
    return None


class Sealing:
    """Seals columns of one tenant's tables. Holds keys: it stays in the process that made it."""

    def __init__(self, keyset: Keyset, tenant: str, profile: Profile) -> None:
        self._sealers: dict[tuple[str, str], FieldSealer | FernetSealer] = {}
        self._indexes: dict[tuple[str, str], BlindIndex] = {}
        for table in profile.tables:
            for column in table.columns:
                place = (table.table, column.name)
                if (sealer := sealer_of(keyset, tenant, table, column)) is not None:
                    self._sealers[place] = sealer
                if column.index_of is not None:
                    # Keyed by where the number itself stands, which is what looks it up by.
                    indexed = table.column_of(field=column.index_of) or column
                    self._indexes[place] = BlindIndex(keyset, tenant, table.table, indexed.name)

    def sealed(
        self, table: TargetTable, column: TargetColumn, values: pl.Series, row_ids: Sequence[bytes]
    ) -> Sequence[bytes | str | None]:
        """The texts sealed for their rows; NULL stays NULL. row_ids: as `bound_ids` gives them."""
        plain = values.cast(pl.Binary).to_list()
        return self._sealers[table.table, column.name].seal_column(plain, row_ids)

    def indexed(self, table: TargetTable, column: TargetColumn, values: pl.Series) -> Sequence[bytes | None]:
        """The blind indexes of NHS numbers, given as their ten digits; NULL stays NULL."""
        return self._indexes[table.table, column.name].column_of(values.cast(pl.Binary).to_list())


def bound_ids(table: TargetTable, ids: pl.Series) -> list[bytes]:
    """Row ids as a sealed field is bound to them: a uuid's bytes, a bigint's eight."""
    listed = ids.to_list()
    return listed if table.id_kind is IdKind.UUID else [row_id_bytes(id_) for id_ in listed]
