"""Protected fields as Fernet tokens, for applications whose encrypted fields read nothing else.

Weaker than `fields`, and so only by `format = "fernet"` in the target profile: a token is bound to no
row, column or table (one moved elsewhere opens there), it is AES-128, and it tells when it was made.
Those packages know one list of keys for all fields, so there is one Fernet key for each data key.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from stager.crypto.derivation import FIELD_FERNET, derive
from stager.crypto.fields import not_opening, require_own_keys
from stager.crypto.keyset import Keyset


def fernet_keys(keyset: Keyset) -> list[str]:
    """The tenant's Fernet keys as those packages' settings take them: the primary first, then the newest."""
    older = [key for key in reversed(keyset.keys) if key.id != keyset.primary_id]
    tenant = keyset.tenant.encode("utf-8")
    return [
        base64.urlsafe_b64encode(derive(key.secret, FIELD_FERNET, tenant)).decode("ascii")
        for key in (keyset.primary, *older)
    ]


class FernetSealer:
    """Seals and opens the fields of one column as Fernet tokens (text)."""

    def __init__(self, keyset: Keyset, tenant: str, table: str, column: str) -> None:
        """`table` and `column` as the target profile names them; they are only for errors."""
        require_own_keys(keyset, tenant)
        self.table, self.column = table, column
        fernets = [Fernet(key) for key in fernet_keys(keyset)]
        self._primary, self._any = fernets[0], MultiFernet(fernets)

    def seal_column(self, values: Sequence[bytes | None], row_ids: Sequence[bytes]) -> list[str | None]:
        """Each value as a token under the primary key; None (NULL) stays None.

        `row_ids` are as many as the values, as for the other format, and are not bound.
        """
        encrypt = self._primary.encrypt
        return [
            None if value is None else encrypt(value).decode("ascii")
            for value, _ in zip(values, row_ids, strict=True)
        ]

    def open(self, sealed: str, row_id: bytes) -> bytes:
        """The value; IntegrityFailed, naming table, column and row id, where the token is not authentic."""
        try:
            return self._any.decrypt(sealed)
        except (InvalidToken, ValueError):  # ValueError: not ASCII, so no token at all
            why = "the token was altered, or sealed under another key"
            raise not_opening(self.table, self.column, row_id, why) from None

    def open_column(self, sealed: Sequence[str | None], row_ids: Sequence[bytes]) -> list[bytes | None]:
        """Each value opened; None (NULL) stays None. IntegrityFailed at the first that does not open."""
        return [
            None if each is None else self.open(each, row_id)
            for each, row_id in zip(sealed, row_ids, strict=True)
        ]

    def is_current(self, sealed: str) -> bool:
        """Whether it is sealed under the primary key."""
        try:
            self._primary.decrypt(sealed)
        except (InvalidToken, ValueError):
            return False
        return True
