"""Key derivation: HKDF-SHA-256 under constant labels, and the injective framing they share.

A label names what a key is for and in which version. Two purposes never share a derived key, so a
weakness in the use of one says nothing about another. A label is never changed, only added to.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32

STAGING_FILE = b"stager/staging-file/1"
ROW_FINGERPRINT = b"stager/row-fingerprint/1"
EVENT_SIGNING = b"stager/event-signing/1"
FIELD_AES_GCM = b"stager/field/aes-256-gcm/1"
FIELD_FERNET = b"stager/field/fernet/1"
BLIND_INDEX = b"stager/blind-index/1"
KEYSET_WRAP = b"stager/keyset/1"
KEK_ID = b"stager/kek-id/1"


def framed(*parts: bytes) -> bytes:
    """The parts, each behind its length as four bytes, big-endian.

    Without the lengths ("ab", "c") and ("a", "bc") would be the same bytes, and a ciphertext bound to
    one place would open in the other.
    """
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def derive(secret: bytes, label: bytes, *context: bytes, salt: bytes | None = None) -> bytes:
    """A key of 32 bytes from `secret` for the purpose `label` and, within it, for `context`.

    HKDF-SHA-256 with info = framed(label, *context) and the given salt (none: RFC 5869's zeros).
    """
    return HKDF(SHA256(), KEY_BYTES, salt, framed(label, *context)).derive(secret)
