"""Protected fields as AES-256-GCM.

    0x01 ‖ key id (4) ‖ nonce (12) ‖ ciphertext ‖ tag (16)

The associated data are tenant, table, column and row id, each behind its length: a ciphertext moved
to any other place does not open. None of them is a patient's data. docs/decrypt.md is the same for
the application that reads the fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from stager.crypto.aead import OVERHEAD, Aead, NotAuthentic
from stager.crypto.derivation import FIELD_AES_GCM, derive, framed
from stager.crypto.keyset import KEY_ID_BYTES, DataKey, Keyset
from stager.errors import IntegrityFailed, StagerError, Where

FORMAT_BYTE = b"\x01"
_ID_LENGTHS = (8, 16)
_HEAD_BYTES = len(FORMAT_BYTE) + KEY_ID_BYTES


def row_id_bytes(row_id: UUID | int) -> bytes:
    """A row's id as the associated data hold it: a uuid's 16 bytes, a bigint's 8, big-endian, signed."""
    return row_id.bytes if isinstance(row_id, UUID) else row_id.to_bytes(8, "big", signed=True)


def require_own_keys(keyset: Keyset, tenant: str) -> None:
    """StagerError where a keyset is another tenant's: its keys' holder could open what is sealed under it."""
    if keyset.tenant != tenant:
        raise StagerError(f"the keyset of {keyset.tenant} was taken for the tenant {tenant}")


class FieldSealer:
    """Seals and opens the fields of one column of one tenant's table."""

    def __init__(self, keyset: Keyset, tenant: str, table: str, column: str) -> None:
        """`table` and `column` as the target profile names them."""
        require_own_keys(keyset, tenant)
        self.table, self.column = table, column
        self._place = tuple(part.encode("utf-8") for part in (tenant, table, column))
        self._aeads = {key.id: self._aead(key) for key in keyset.keys}
        self._primary_id = keyset.primary_id
        self._prefix = {length: framed(*self._place) + length.to_bytes(4, "big") for length in _ID_LENGTHS}

    def seal_column(self, values: Sequence[bytes | None], row_ids: Sequence[bytes]) -> list[bytes | None]:
        """Each value sealed for its row under the primary key; None (NULL) stays None.

        `row_ids` as `row_id_bytes` gives them. ValueError where they are not as many as the values, or
        the ids are not all uuids or all bigints.
        """
        return self._aeads[self._primary_id].seal_many(
            FORMAT_BYTE + self._primary_id, values, self._bound(row_ids), row_ids
        )

    def open(self, sealed: bytes, row_id: bytes) -> bytes:
        """The value; IntegrityFailed, naming table, column and row id, where it is not authentic."""
        if len(sealed) < _HEAD_BYTES + OVERHEAD or sealed[:1] != FORMAT_BYTE:
            raise self._failed(row_id, "it is not in stager's format")
        key_id = sealed[1:_HEAD_BYTES]
        aead = self._aeads.get(key_id)
        if aead is None:
            raise self._failed(row_id, f"its key {key_id.hex()} is not in the tenant's keyset")
        try:
            return aead.open(sealed[_HEAD_BYTES:], self._bound([row_id]) + row_id)
        except NotAuthentic:
            raise self._failed(row_id, "it was altered, moved, or sealed under another key") from None

    def open_column(self, sealed: Sequence[bytes | None], row_ids: Sequence[bytes]) -> list[bytes | None]:
        """Each value opened; None (NULL) stays None. IntegrityFailed at the first that does not open."""
        return [
            None if each is None else self.open(each, row_id)
            for each, row_id in zip(sealed, row_ids, strict=True)
        ]

    def is_current(self, sealed: bytes) -> bool:
        """Whether it is sealed under the primary key; if not, `keys reencrypt` has it to do."""
        return sealed[:_HEAD_BYTES] == FORMAT_BYTE + self._primary_id

    def _aead(self, key: DataKey) -> Aead:
        return Aead(derive(key.secret, FIELD_AES_GCM, *self._place))

    def _bound(self, row_ids: Sequence[bytes]) -> bytes:
        """The associated data up to the row ids, which are of one length."""
        lengths = {*map(len, row_ids)}
        if not lengths:
            return b""
        if len(lengths) > 1 or not lengths <= self._prefix.keys():
            raise ValueError("a table's row ids have 8 bytes each, or 16 bytes each")
        return self._prefix[lengths.pop()]

    def _failed(self, row_id: bytes, why: str) -> IntegrityFailed:
        return not_opening(self.table, self.column, row_id, why)


def not_opening(table: str, column: str, row_id: bytes, why: str) -> IntegrityFailed:
    """The error for a protected field that does not open; it names the place and nothing of the value."""
    shown = str(UUID(bytes=row_id)) if len(row_id) == 16 else str(int.from_bytes(row_id, "big", signed=True))
    return IntegrityFailed(
        f"the protected field of row {shown} does not open: {why}",
        where=Where(column=f"{table}.{column}"),
        hint="restore the tenant's keyset, or the row, from its backup",
    )
