"""The operating system's keyring, where the optional `keyring` package is installed.

STAGER_KEYRING says what may be done: unset, an entry that is there is used; `1`, the key belongs in
the keyring and is made there on first use; `0`, the keyring is not asked.
"""

from __future__ import annotations

import importlib
import secrets
from collections.abc import Mapping
from types import ModuleType

from stager.crypto.derivation import KEY_BYTES
from stager.crypto.secret_sources import FoundSecret, decode, encode
from stager.errors import KeyUnavailable, UsageError

SERVICE = "stager"
_CHOICES = ("", "0", "1")


def from_keyring(environ: Mapping[str, str], entry: str, *, may_create: bool = True) -> FoundSecret | None:
    """The secret kept under `entry`; None where the keyring holds none and need not, or it may not be made.

    KeyUnavailable where the keyring is locked or fails (falling back to another key would only make
    the staging file look damaged), or where STAGER_KEYRING=1 and there is none to use.
    """
    choice = environ.get("STAGER_KEYRING", "")
    if choice not in _CHOICES:
        raise UsageError(f"STAGER_KEYRING is {choice!r}", hint="set it to 0 or 1, or unset it")
    keyring = None if choice == "0" else _usable_keyring()
    if keyring is not None:
        return _read_or_make(keyring, entry, may_create=may_create and choice == "1")
    if choice == "1":
        raise KeyUnavailable(
            "STAGER_KEYRING=1, but there is no keyring to use here",
            hint="install stager[keyring] and unlock the keyring, or unset STAGER_KEYRING",
        )
    return None


def _usable_keyring() -> ModuleType | None:
    try:
        keyring = importlib.import_module("keyring")
    except ImportError:
        return None
    # keyring's `fail` backend has priority 0 and its `null` backend -1: neither keeps anything.
    return keyring if keyring.get_keyring().priority > 0 else None


def _read_or_make(keyring: ModuleType, entry: str, *, may_create: bool) -> FoundSecret | None:
    origin = f"the keyring's entry {SERVICE}/{entry}"
    try:
        text = keyring.get_password(SERVICE, entry)
        if text is not None:
            return FoundSecret(decode(text.encode("utf-8"), origin), origin)
        if not may_create:
            return None
        keyring.set_password(SERVICE, entry, encode(secrets.token_bytes(KEY_BYTES)))
        # Read back: where two processes made one at once, both go on with the one that stayed.
        kept = keyring.get_password(SERVICE, entry)
    except importlib.import_module("keyring.errors").KeyringError as error:
        raise KeyUnavailable(
            f"{origin} cannot be used ({type(error).__name__})",
            hint="unlock the keyring, or set STAGER_KEYRING=0 to do without it",
        ) from error
    return FoundSecret(decode((kept or "").encode("utf-8"), origin), origin, created=True)
