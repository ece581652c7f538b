"""A tenant's keyset: its data keys, one of them primary, and the key of its blind indexes.

New fields are sealed under the primary key; each sealed field names its key, so older ones stay
readable. The index key is no data key and never rotates: a blind index under another key would no
longer find what the old one wrote.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from stager.crypto.derivation import KEY_BYTES
from stager.errors import IntegrityFailed, UsageError, Where

KEY_ID_BYTES = 4
FORMAT = "stager-keyset"
VERSION = 1

_SLUG = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class DataKey(Struct, frozen=True):
    """A key that field keys are derived from: its id (4 bytes), when it was made (UTC), 32 bytes."""

    id: bytes
    created: datetime
    secret: bytes

    def __repr__(self) -> str:  # never the secret
        return f"DataKey({self.id.hex()!r})"


class KeyDescription(Struct, frozen=True):
    """What may be shown of a data key."""

    id: str
    created: datetime
    primary: bool


class Keyset(Struct, frozen=True):
    """A tenant's keys, as a plain value that a worker process can be handed.

    Its repr shows no secret; its pickle does, and goes nowhere but to a process of our own.
    """

    tenant: str
    keys: tuple[DataKey, ...]
    primary_id: bytes
    index_key: bytes

    def __repr__(self) -> str:  # never the secrets
        return f"Keyset({self.tenant!r}, {self.keys!r})"

    @property
    def primary(self) -> DataKey:
        """The key that new fields are sealed under."""
        return self.by_id[self.primary_id]

    @property
    def by_id(self) -> dict[bytes, DataKey]:
        """The data keys by their ids."""
        return {key.id: key for key in self.keys}

    def rotated(self, now: datetime) -> Keyset:
        """This keyset with a fresh primary key; all others stay."""
        made = _new_key(now, taken=set(self.by_id))
        return replace(self, keys=(*self.keys, made), primary_id=made.id)

    def describe(self) -> tuple[KeyDescription, ...]:
        """The data keys, oldest first, without their secrets."""
        return tuple(
            KeyDescription(key.id.hex(), key.created, key.id == self.primary_id) for key in self.keys
        )

    def holds(self, other: Keyset) -> bool:
        """Whether everything that `other` can open and find, this keyset can too."""
        known = {(key.id, key.secret) for key in self.keys}
        return (
            self.tenant == other.tenant
            and self.index_key == other.index_key
            and all((key.id, key.secret) in known for key in other.keys)
        )

    def to_json(self) -> dict[str, Any]:
        """The keyset with its secrets, in the format that docs/decrypt.md describes."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "tenant": self.tenant,
            "primary": self.primary_id.hex(),
            "keys": [
                {"id": key.id.hex(), "created": key.created.isoformat(), "secret": _text(key.secret)}
                for key in self.keys
            ],
            "index_key": _text(self.index_key),
        }


def checked_slug(slug: str) -> str:
    """The slug, where it is one (a DNS label in lower case); UsageError otherwise: it names a file."""
    if not _SLUG.fullmatch(slug):
        raise UsageError(
            f"{slug!r} is no tenant's slug", hint="a slug has up to 63 lower-case letters, digits and hyphens"
        )
    return slug


def new_keyset(tenant: str, now: datetime) -> Keyset:
    """A keyset with one fresh data key and a fresh index key. `now` carries a time zone."""
    key = _new_key(now, taken=set())
    return Keyset(checked_slug(tenant), (key,), key.id, secrets.token_bytes(KEY_BYTES))


def parse_keyset(text: bytes, origin: str) -> Keyset:
    """The keyset that `to_json` wrote; IntegrityFailed, naming `origin` and no content, otherwise."""
    try:
        keyset = _from_document(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError):
        keyset = None
    if keyset is None or not _is_sound(keyset):
        raise IntegrityFailed(
            "this is no keyset, or a damaged one",
            where=Where(file=origin),
            hint="restore it from its backup; without its keys the tenant's protected fields cannot be read",
        )
    return keyset


def _from_document(document: dict[str, Any]) -> Keyset | None:
    if (document["format"], document["version"]) != (FORMAT, VERSION):
        return None
    keys = tuple(
        DataKey(bytes.fromhex(each["id"]), datetime.fromisoformat(each["created"]), _bytes(each["secret"]))
        for each in document["keys"]
    )
    return Keyset(document["tenant"], keys, bytes.fromhex(document["primary"]), _bytes(document["index_key"]))


def _is_sound(keyset: Keyset) -> bool:
    ids = [key.id for key in keyset.keys]
    return (
        keyset.primary_id in ids
        and len(set(ids)) == len(ids)
        and all(len(key.id) == KEY_ID_BYTES and len(key.secret) == KEY_BYTES for key in keyset.keys)
        and len(keyset.index_key) == KEY_BYTES
        and _SLUG.fullmatch(keyset.tenant) is not None
    )


def _new_key(now: datetime, taken: set[bytes]) -> DataKey:
    while (key_id := secrets.token_bytes(KEY_ID_BYTES)) in taken:
        pass
    return DataKey(key_id, now.astimezone(UTC), secrets.token_bytes(KEY_BYTES))


def _text(secret: bytes) -> str:
    return base64.b64encode(secret).decode("ascii")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
