"""AES-256-GCM with random nonces: `nonce (12) ‖ ciphertext ‖ tag (16)`.

A nonce used twice under one key gives away the authentication key, so no caller chooses one: they
are drawn here. Random nonces are safe up to 2**32 messages a key; one key serves one column of one
tenant, and `keys rotate` begins anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from os import urandom

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from stager.crypto.derivation import KEY_BYTES

NONCE_BYTES = 12
TAG_BYTES = 16
OVERHEAD = NONCE_BYTES + TAG_BYTES


class NotAuthentic(Exception):
    """The ciphertext, its place or its key is not the one it was sealed with. Callers name the place."""


class Aead:
    """One AES-256-GCM key. Making the object costs more than a sealing: keep one for each column."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"an AES-256 key has {KEY_BYTES} bytes, not {len(key)}")
        self._cipher = AESGCM(key)

    def seal(self, plaintext: bytes, associated_data: bytes) -> bytes:
        """The plaintext sealed under a fresh nonce and bound to `associated_data`."""
        nonce = urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plaintext, associated_data)

    def seal_many(
        self, head: bytes, plaintexts: Sequence[bytes | None], bound: bytes, tails: Sequence[bytes]
    ) -> list[bytes | None]:
        """Each plaintext sealed behind `head`, its associated data `bound` and its own tail; None stays None.

        ValueError where there are not as many tails as plaintexts.
        """
        encrypt = self._cipher.encrypt
        drawn = urandom(NONCE_BYTES * len(plaintexts))
        nonces = [drawn[at : at + NONCE_BYTES] for at in range(0, len(drawn), NONCE_BYTES)]
        return [
            None if plaintext is None else head + nonce + encrypt(nonce, plaintext, bound + tail)
            for nonce, plaintext, tail in zip(nonces, plaintexts, tails, strict=True)
        ]

    def open(self, sealed: bytes, associated_data: bytes) -> bytes:
        """The plaintext; NotAuthentic where a bit of it, its tag, its place or its key is another."""
        if len(sealed) < OVERHEAD:
            raise NotAuthentic
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], associated_data)
        except InvalidTag:
            raise NotAuthentic from None
