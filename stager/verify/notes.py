"""Checkpoints and public keys in the text forms of C2SP: signed-note and tlog-checkpoint.

    stager/0c7a…            the origin: which migration's log
    1980451                 how many events it holds
    q1f…=                   the root of their Merkle tree
                            (a blank line)
    — stager/0c7a… Az3…=    key name, and base64 of key id (4 bytes) ‖ Ed25519 signature of the text above

A text is taken only in the one form in which it is written.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from msgspec import Struct

from stager.crypto import signing
from stager.crypto.merkle import HASH_BYTES
from stager.crypto.signing import Signer
from stager.errors import IntegrityFailed

ED25519 = b"\x01"
KEY_ID_BYTES = 4

_NAME = re.compile(r"[^\s+\x00-\x1f\x7f]+")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_SIGNATURE = re.compile("— ([^ \n]+) ([A-Za-z0-9+/]+={0,2})")


def origin(migration_id: str) -> str:
    """The name of a migration's log, and of the key that signs for it."""
    return f"stager/{migration_id}"


class NoteKey(Struct, frozen=True):
    """A public key with the name that it signs under."""

    name: str
    public_key: bytes

    @property
    def id(self) -> bytes:
        """The first four bytes of SHA-256 over name, newline, signature type and key."""
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.public_key).digest()[:KEY_ID_BYTES]

    def __str__(self) -> str:
        """The key as it is handed on: name+id+base64, as Go's sumdb/note reads it."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(ED25519 + self.public_key).decode()}"

    @classmethod
    def parse(cls, text: str) -> NoteKey:
        """The key that `str` gave; IntegrityFailed for any other text."""
        name, _, rest = text.partition("+")
        id_, _, encoded = rest.partition("+")
        key = _decoded(encoded)
        if not _NAME.fullmatch(name) or key is None or len(key) != 33 or key[:1] != ED25519:
            raise _malformed("the public key is not in the form name+id+key")
        found = cls(name, key[1:])
        if found.id.hex() != id_:
            raise _malformed("the public key does not have the id that is written with it")
        return found


class Checkpoint(Struct, frozen=True):
    """A tree's head under its log's name. root: 32 bytes."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """The head that a note's text names; IntegrityFailed for any other text."""
        lines = text.split("\n")
        if len(lines) != 4 or lines[3] or not _NAME.fullmatch(lines[0]) or not _SIZE.fullmatch(lines[1]):
            raise _malformed("a checkpoint has three lines: origin, size, root")
        root = _decoded(lines[2])
        if root is None or len(root) != HASH_BYTES:
            raise _malformed("a checkpoint's third line is the root, 32 bytes in base64")
        return cls(lines[0], int(lines[1]), root)


def sign_note(text: str, name: str, signer: Signer) -> str:
    """The text with its signature line. text: whole lines, each with its newline."""
    if not text.endswith("\n") or not _NAME.fullmatch(name) or not _is_plain(text):
        raise ValueError("a note is whole lines without control characters, signed under a plain name")
    key = NoteKey(name, signer.public_key)
    signature = base64.b64encode(key.id + signer.sign(text.encode())).decode()
    return f"{text}\n— {name} {signature}\n"


def open_note(note: str, key: NoteKey) -> str:
    """The note's text, which that key signed.

    Signatures of other keys are passed over. IntegrityFailed where the note is malformed, that key did
    not sign it, or a signature under its name and id is wrong.
    """
    text, gap, signatures = note.rpartition("\n\n")
    if not gap or not signatures.endswith("\n") or not _is_plain(note):
        raise _malformed("a signed note is a text, a blank line, and signature lines")
    found = [_SIGNATURE.fullmatch(line) for line in signatures[:-1].split("\n")]
    text += "\n"
    verified = False
    for line in found:
        signed = _decoded(line[2]) if line else None
        if line is None or signed is None or not _NAME.fullmatch(line[1]):
            raise _malformed("a signature line is not of the form — name base64")
        if (line[1], signed[:KEY_ID_BYTES]) != (key.name, key.id):
            continue
        if not signing.verify(key.public_key, signed[KEY_ID_BYTES:], text.encode()):
            raise _malformed("the note's signature is not that of its key")
        verified = True
    if not verified:
        raise _malformed(f"the note is not signed by {key.name}")
    return text


def _is_plain(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return not any(character < " " and character != "\n" for character in text)


def _decoded(text: str) -> bytes | None:
    """Base64 in its one written form, or None."""
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return decoded if base64.b64encode(decoded).decode() == text else None


def _malformed(what: str) -> IntegrityFailed:
    return IntegrityFailed(what, hint="take the text as stager wrote it, every byte of it")
