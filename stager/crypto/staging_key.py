"""The staging key: one secret from which a staging file's own keys are derived."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from stager.crypto import derivation
from stager.crypto.keyring_entry import from_keyring
from stager.crypto.places import key_folder
from stager.crypto.secret_sources import FoundSecret, encode, from_named_file, from_own_folder
from stager.errors import KeyUnavailable

FILE_NAME = "staging.key"
KEYRING_ENTRY = "staging-key"


class StagingKey(Struct, frozen=True):
    """The secret of 32 bytes, where it was found, and whether it was made just now.

    Where `created` is true the person is to be told to back `origin` up: without the key no staging
    file made under it opens again.
    """

    secret: bytes
    origin: str
    created: bool = False

    def __repr__(self) -> str:  # never the secret
        return f"StagingKey({self.origin!r})"

    def file_key(self) -> str:
        """The key that encrypts staging files, as base64 text; the same for every migration, since a
        file must be opened before its migration id can be read."""
        return encode(derivation.derive(self.secret, derivation.STAGING_FILE))

    def fingerprint_key(self, migration: str) -> bytes:
        """The key of a migration's row fingerprints, 32 bytes."""
        return self._for_migration(derivation.ROW_FINGERPRINT, migration)

    def signing_seed(self, migration: str) -> bytes:
        """The seed of a migration's Ed25519 signing key, 32 bytes."""
        return self._for_migration(derivation.EVENT_SIGNING, migration)

    def _for_migration(self, label: bytes, migration: str) -> bytes:
        return derivation.derive(self.secret, label, salt=migration.encode("utf-8"))


def staging_key(environ: Mapping[str, str], *, may_create: bool = True) -> StagingKey:
    """The staging key that `environ` leads to.

    In this order: the file that STAGER_KEY_FILE names, the OS keyring, `staging.key` in the folder of
    keys, which is made on first use where `may_create` says so: a new one opens no file that is there
    already. KeyUnavailable where there is none, a named file is missing, cannot be read, is open to other
    users or holds no key, or the keyring fails.
    """
    folder = key_folder(environ)
    found = _named(environ) or from_keyring(environ, KEYRING_ENTRY, may_create=may_create)
    found = found or from_own_folder(folder, FILE_NAME, may_create=may_create)
    if found is None:
        raise KeyUnavailable(
            f"the key of the staging file is gone: there is no {FILE_NAME} in {folder}",
            hint="restore it from its backup, or name the key's file in STAGER_KEY_FILE",
        )
    return StagingKey(found.secret, found.origin, found.created)


def _named(environ: Mapping[str, str]) -> FoundSecret | None:
    name = environ.get("STAGER_KEY_FILE")
    return from_named_file(Path(name)) if name else None
