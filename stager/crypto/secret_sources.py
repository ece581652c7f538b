"""Secrets of 32 bytes and where they are found: a named file, the environment, stager's own folder."""

from __future__ import annotations

import base64
import binascii
import secrets
from pathlib import Path

from msgspec import Struct

from stager.crypto import places
from stager.crypto.derivation import KEY_BYTES
from stager.errors import KeyUnavailable


class FoundSecret(Struct, frozen=True):
    """A secret, a phrase on where it was found, and whether it was made just now."""

    secret: bytes
    origin: str
    created: bool = False

    def __repr__(self) -> str:  # never the secret
        return f"FoundSecret({self.origin!r})"


def encode(secret: bytes) -> str:
    """The secret as base64 text, as it is kept in files and keyrings."""
    return base64.b64encode(secret).decode("ascii")


def decode(text: bytes, origin: str) -> bytes:
    """The 32 bytes that `text` holds as base64 (either alphabet) or as 64 hexadecimal digits.

    KeyUnavailable, which names `origin` and never the text, where it holds anything else.
    """
    secret = _from_hex(text.strip()) or _from_base64(text.strip())
    if secret is None or len(secret) != KEY_BYTES:
        raise KeyUnavailable(
            f"{origin} does not hold a key of {KEY_BYTES} bytes as base64 or hexadecimal text",
            hint="restore it from its backup; a new one is made by: openssl rand -base64 32",
        )
    return secret


def from_named_file(path: Path) -> FoundSecret:
    """The secret in a file that a person named; KeyUnavailable where it is not there."""
    content = places.read(path)
    if content is None:
        raise KeyUnavailable(f"the key file {path} does not exist", hint="correct the path, or restore it")
    return FoundSecret(decode(content, str(path)), str(path))


def from_own_folder(folder: Path, name: str, *, may_create: bool = True) -> FoundSecret | None:
    """The secret `name` in stager's folder of keys, made on first use; None where it may not be made."""
    path = folder / name
    content = places.read(path)
    if content is None:
        if not may_create:
            return None
        places.own_folder(folder)
        made = secrets.token_bytes(KEY_BYTES)
        if places.create(path, f"{encode(made)}\n".encode("ascii")):
            return FoundSecret(made, str(path), created=True)
    return from_named_file(path)


def _from_hex(text: bytes) -> bytes | None:
    if len(text) != 2 * KEY_BYTES:
        return None
    try:
        return binascii.unhexlify(text)
    except ValueError:
        return None


def _from_base64(text: bytes) -> bytes | None:
    try:
        return base64.b64decode(text.translate(bytes.maketrans(b"-_", b"+/")), validate=True)
    except ValueError:
        return None
