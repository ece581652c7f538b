"""The key-encryption key: what a tenant's keyset is wrapped by, so that a stolen file opens nothing.

Kept in the environment, the OS keyring or a file; a key management service fits behind the same
protocol, since it is only ever asked to wrap 32 bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from stager.crypto import derivation
from stager.crypto.aead import Aead, NotAuthentic
from stager.crypto.keyring_entry import from_keyring
from stager.crypto.places import key_folder
from stager.crypto.secret_sources import FoundSecret, decode, from_own_folder
from stager.errors import IntegrityFailed, KeyUnavailable

FILE_NAME = "kek.key"
KEYRING_ENTRY = "key-encryption-key"
VARIABLE = "STAGER_KEK"
TENANTS = "tenants"


class KeyEncryptionKey(Protocol):
    """Wraps and unwraps keys of 32 bytes, each bound to a context that is no secret."""

    @property
    def id(self) -> str:
        """A name that tells this key from others and shows nothing of it (a service's key name)."""

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """The key, encrypted so that it can be stored."""

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """What was wrapped; IntegrityFailed where key, context or wrapping is another."""


class LocalKek:
    """A key-encryption key of 32 bytes that stager itself holds: AES-256-GCM."""

    def __init__(self, found: FoundSecret) -> None:
        self.origin = found.origin
        self.created = found.created
        self._id = derivation.derive(found.secret, derivation.KEK_ID)[:4].hex()
        self._aead = Aead(derivation.derive(found.secret, derivation.KEYSET_WRAP))

    @property
    def id(self) -> str:
        """Eight hexadecimal digits, derived from the key."""
        return self._id

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """The key behind a nonce and before a tag, bound to the context."""
        return self._aead.seal(key, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """The key; IntegrityFailed where it was not wrapped by this key for this context."""
        try:
            return self._aead.open(wrapped, context)
        except NotAuthentic:
            raise IntegrityFailed(
                f"a wrapped key does not open under the key-encryption key {self.id} from {self.origin}",
                hint="restore the keyset's file from its backup",
            ) from None

    def __repr__(self) -> str:
        return f"LocalKek(id={self.id!r}, origin={self.origin!r})"


def key_encryption_key(environ: Mapping[str, str]) -> LocalKek:
    """The key-encryption key that `environ` leads to.

    In this order: STAGER_KEK (base64 or hexadecimal text), the OS keyring, `kek.key` in the folder of
    keys, which is made on first use. KeyUnavailable where none can be had; that is also so where
    keysets are stored and `kek.key` is gone, for a new one could not open them.
    """
    folder = key_folder(environ)
    found = _from_environment(environ) or from_keyring(environ, KEYRING_ENTRY)
    found = found or from_own_folder(folder, FILE_NAME, may_create=not any(folder.glob(f"{TENANTS}/*.json")))
    if found is None:
        raise KeyUnavailable(
            f"keysets are stored in {folder / TENANTS}, but the key-encryption key is gone",
            hint=f"restore {folder / FILE_NAME} from its backup, or set {VARIABLE}",
        )
    return LocalKek(found)


def _from_environment(environ: Mapping[str, str]) -> FoundSecret | None:
    text = environ.get(VARIABLE)
    if not text:
        return None
    return FoundSecret(decode(text.encode("utf-8", "replace"), VARIABLE), VARIABLE)
