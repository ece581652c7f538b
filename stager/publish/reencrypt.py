"""Protected fields moved to the tenant's newest key, so that an older one can be given up.

Row by row it is opened and sealed again, some hundreds in a transaction. Ended at any moment, what was
moved stays moved and the rest stays readable; run again, it finds what is left by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from msgspec import Struct, field

from stager.crypto.fernet_fields import FernetSealer
from stager.crypto.fields import FieldSealer, row_id_bytes
from stager.crypto.keyset import Keyset
from stager.publish.sealing import sealer_of
from stager.tenant.postgres import Connection, transaction
from stager.tenant.profile import Profile, TargetTable
from stager.tenant.protected_cells import Cells, lock_cells, read_cells, replace_cells
from stager.tenant.registry import Tenant
from stager.tenant.schema import prove_tenant

BATCH_ROWS = 2_000

Progress = Callable[[str, int, int | None], None]


class Reencrypted(Struct):
    """How many values were looked at, and how many of each column ("table.column") were moved."""

    looked_at: int = 0
    moved: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Values moved."""
        return sum(self.moved.values())


def reencrypt(
    connection: Connection,
    tenant: Tenant,
    profile: Profile,
    keyset: Keyset,
    progress: Progress = lambda _what, _done, _total: None,
) -> Reencrypted:
    """Seal every protected field that is under an older key under the primary one.

    Raises TenantUnavailable where the database is another tenant's or is lost (the same command goes on),
    IntegrityFailed, naming the row, where a field does not open; the rows before it are done.
    """
    prove_tenant(connection, tenant.slug)
    told = Reencrypted()
    for table in profile.tables:
        made = {each.name: sealer_of(keyset, tenant.slug, table, each) for each in table.columns}
        sealers = {name: sealer for name, sealer in made.items() if sealer is not None}
        if sealers:
            _table(connection, table, sealers, told, progress)
    return told


Sealers = dict[str, FieldSealer | FernetSealer]


def _table(
    connection: Connection, table: TargetTable, sealers: Sealers, told: Reencrypted, progress: Progress
) -> None:
    columns, after, rows = tuple(sealers), None, 0
    while batch := read_cells(connection, table, columns, after, BATCH_ROWS):
        stale = [cells[0] for cells in batch if _is_stale(cells, sealers)]
        if stale:
            with transaction(connection):
                locked = lock_cells(connection, table, columns, stale)
                replace_cells(
                    connection, table, columns, [_moved(cells, table, sealers, told) for cells in locked]
                )
        after = batch[-1][0]
        rows += len(batch)
        told.looked_at += len(batch) * len(columns)
        progress(f"sealing {table.table} again", rows, None)


def _is_stale(cells: Cells, sealers: Sealers) -> bool:
    _, *values = cells
    return any(
        value is not None and not _is_current(sealer, value)
        for value, sealer in zip(values, sealers.values(), strict=True)
    )


def _is_current(sealer: FieldSealer | FernetSealer, value: bytes | str) -> bool:
    if isinstance(sealer, FernetSealer):
        return sealer.is_current(_text(value))
    return isinstance(value, bytes) and sealer.is_current(value)


def _moved(cells: Cells, table: TargetTable, sealers: Sealers, told: Reencrypted) -> Cells:
    id_, *values = cells
    sealed = list(values)
    for at, (name, sealer) in enumerate(sealers.items()):
        value = values[at]
        if value is not None and not _is_current(sealer, value):
            sealed[at] = _sealed_again(sealer, value, id_)
            place = f"{table.table}.{name}"
            told.moved[place] = told.moved.get(place, 0) + 1
    return (id_, *sealed)


def _sealed_again(
    sealer: FieldSealer | FernetSealer, value: bytes | str, id_: UUID | int
) -> bytes | str | None:
    bound = row_id_bytes(id_)
    if isinstance(sealer, FieldSealer):
        plain = sealer.open(value if isinstance(value, bytes) else value.encode(), bound)
        return sealer.seal_column([plain], [bound])[0]
    token = sealer.seal_column([sealer.open(_text(value), bound)], [bound])[0]
    # A token goes back as the column holds it: some applications keep theirs as bytes.
    return token.encode() if isinstance(value, bytes) and token is not None else token


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode("ascii", "replace")
