"""Tenants' keysets in files: loaded, made, rotated, exported and restored.

A file holds the keyset sealed under a key of its own (AES-256-GCM), and that key wrapped by the
key-encryption key; both are bound to the tenant's slug, so one tenant's file is of no use under
another's name. What stands open in it (ids, dates) is for a person and is not read back.
"""

from __future__ import annotations

import base64
import json
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stager.crypto import derivation, places
from stager.crypto.aead import Aead, NotAuthentic
from stager.crypto.fernet_fields import fernet_keys
from stager.crypto.kek import TENANTS, KeyEncryptionKey
from stager.crypto.keyset import Keyset, checked_slug, new_keyset, parse_keyset
from stager.errors import IntegrityFailed, KeyUnavailable, UsageError, Where

FORMAT = "stager-wrapped-keyset"
VERSION = 1


def load(folder: Path, slug: str, kek: KeyEncryptionKey) -> Keyset | None:
    """The tenant's keyset from the folder of keys; None where it has none yet.

    KeyUnavailable where another key-encryption key wrapped it, IntegrityFailed where it is damaged.
    """
    path = _path(folder, slug)
    content = places.read(path)
    return None if content is None else _unwrapped(content, path, slug, kek)


def load_or_create(folder: Path, slug: str, kek: KeyEncryptionKey, *, now: datetime | None = None) -> Keyset:
    """The tenant's keyset, made where it has none. `now` (default: the clock) dates a new key."""
    known = load(folder, slug, kek)
    if known is not None:
        return known
    made = new_keyset(slug, now or datetime.now(UTC))
    if places.create(_own_path(folder, slug), _wrapped(made, kek)):
        return made
    return _existing(folder, slug, kek)


def rotate(folder: Path, slug: str, kek: KeyEncryptionKey, *, now: datetime | None = None) -> Keyset:
    """Add a primary key to the tenant's keyset; KeyUnavailable where it has none.

    What was sealed before stays readable; what is sealed by a process that still holds the former
    keyset does too.
    """
    path = _own_path(folder, slug)
    with places.locked(path):
        rotated = _existing(folder, slug, kek).rotated(now or datetime.now(UTC))
        places.replace(path, _wrapped(rotated, kek))
    return rotated


def export(keyset: Keyset, path: Path) -> None:
    """Write the keyset with its secrets to a new file, 0600; UsageError where there is a file already."""
    document = {**keyset.to_json(), "fernet_keys": fernet_keys(keyset)}
    if not places.create(path, _text(document)):
        raise UsageError(f"{path} exists already", hint="name a file that does not exist")


def read_export(path: Path) -> Keyset:
    """The keyset in a file that `export` wrote."""
    content = places.read(path)
    if content is None:
        raise KeyUnavailable(f"the keyset's export {path} does not exist", hint="correct the path")
    return parse_keyset(content, str(path))


def restore(folder: Path, keyset: Keyset, kek: KeyEncryptionKey) -> None:
    """Store a keyset from an export.

    UsageError where one is stored that holds a key the export does not: what that key sealed would be
    lost.
    """
    path = _own_path(folder, keyset.tenant)
    with places.locked(path):
        stored = load(folder, keyset.tenant, kek)
        if stored is not None and not keyset.holds(stored):
            raise UsageError(
                f"the stored keyset of {keyset.tenant} holds keys that the export does not",
                hint="export the stored one, or take a later export",
            )
        places.replace(path, _wrapped(keyset, kek))


def _path(folder: Path, slug: str) -> Path:
    return folder / TENANTS / f"{checked_slug(slug)}.json"


def _own_path(folder: Path, slug: str) -> Path:
    path = _path(folder, slug)
    places.own_folder(folder)
    places.own_folder(path.parent)
    return path


def _existing(folder: Path, slug: str, kek: KeyEncryptionKey) -> Keyset:
    keyset = load(folder, slug, kek)
    if keyset is None:
        raise KeyUnavailable(f"the tenant {slug} has no keyset", hint="publishing to it makes one")
    return keyset


def _context(slug: str) -> bytes:
    return derivation.framed(derivation.KEYSET_WRAP, slug.encode("ascii"))


def _wrapped(keyset: Keyset, kek: KeyEncryptionKey) -> bytes:
    envelope_key, context = secrets.token_bytes(derivation.KEY_BYTES), _context(keyset.tenant)
    sealed = Aead(envelope_key).seal(_text(keyset.to_json()), context)
    shown = [{"id": key.id, "created": key.created.isoformat()} for key in keyset.describe()]
    document = {
        "format": FORMAT,
        "version": VERSION,
        "tenant": keyset.tenant,
        "primary": keyset.primary_id.hex(),
        "keys": shown,
        "kek": kek.id,
        "wrapped_key": base64.b64encode(kek.wrap(envelope_key, context)).decode("ascii"),
        "sealed": base64.b64encode(sealed).decode("ascii"),
    }
    return _text(document)


def _unwrapped(content: bytes, path: Path, slug: str, kek: KeyEncryptionKey) -> Keyset:
    document = _document(content, path)
    if document["kek"] != kek.id:
        raise KeyUnavailable(
            f"{path} is wrapped by the key-encryption key {document['kek']}, not by {kek.id}",
            hint="set STAGER_KEK to the one that wrapped it, or restore kek.key from its backup",
        )
    envelope_key = kek.unwrap(document["wrapped_key"], _context(slug))
    try:
        text = Aead(envelope_key).open(document["sealed"], _context(slug))
    except NotAuthentic:
        raise _damaged(path) from None
    return parse_keyset(text, str(path))


def _document(content: bytes, path: Path) -> dict[str, Any]:
    try:
        document = json.loads(content)
        known = (document["format"], document["version"]) == (FORMAT, VERSION)
        parts = {part: base64.b64decode(document[part], validate=True) for part in ("wrapped_key", "sealed")}
        kek_id = str(document["kek"])
    except (ValueError, KeyError, TypeError):
        raise _damaged(path) from None
    if not known:
        raise _damaged(path)
    return {**parts, "kek": kek_id}


def _damaged(path: Path) -> IntegrityFailed:
    return IntegrityFailed(
        "the keyset's file is damaged", where=Where(file=str(path)), hint="restore it from its backup"
    )


def _text(document: dict[str, Any]) -> bytes:
    return (json.dumps(document, indent=2) + "\n").encode("utf-8")
