"""The last seal of each migration, kept beside the keys and so outside the staging file.

A staging file that was rolled back to an older copy, or lost the end of its log, has a tree that is
smaller than its head, or another.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from msgspec import Struct

from stager.crypto import places
from stager.errors import IntegrityFailed, UsageError, Where

FOLDER = "heads"

_MIGRATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Head(Struct, frozen=True):
    """A seal: the tree's size and root, the seal's own hash, and the key that signed it."""

    size: int
    root: bytes
    seal: bytes
    public_key: bytes


def read(folder: Path, migration: str) -> Head | None:
    """The migration's head from the folder of keys; None where it has none.

    IntegrityFailed where the file is damaged.
    """
    path = _path(folder, migration)
    content = places.read(path)
    if content is None:
        return None
    try:
        kept = json.loads(content)
        digests = (bytes.fromhex(kept[part]) for part in ("root", "seal", "public_key"))
        return Head(int(kept["size"]), *digests)
    except (ValueError, KeyError, TypeError):
        raise IntegrityFailed(
            "the kept head of the migration is damaged",
            where=Where(file=str(path)),
            hint="compare the staging file with the tenant's ledger before you remove this file",
        ) from None


def write(folder: Path, migration: str, head: Head) -> None:
    """Keep the head.

    IntegrityFailed where the kept one is of a larger tree, or of another one of the same size: to
    write over it would wipe out the trace of a rollback.
    """
    path = _path(folder, migration)
    places.own_folder(folder)
    places.own_folder(path.parent)
    with places.locked(path):
        kept = read(folder, migration)
        if kept is not None and (
            kept.size > head.size or (kept.size == head.size and kept.root != head.root)
        ):
            raise IntegrityFailed(
                f"the staging file's log ({head.size} events) is not a continuation of the last seal kept "
                f"outside it ({kept.size} events)",
                where=Where(file=str(path)),
                hint="the staging file is an older copy or was cut: bring back the latest one",
            )
        places.replace(path, _text(head))


def _path(folder: Path, migration: str) -> Path:
    if not _MIGRATION.fullmatch(migration):
        raise UsageError(f"{migration!r} is no migration's id", hint="use letters, digits, '.', '_' and '-'")
    return folder / FOLDER / f"{migration}.json"


def _text(head: Head) -> bytes:
    document = {
        "size": head.size,
        "root": head.root.hex(),
        "seal": head.seal.hex(),
        "public_key": head.public_key.hex(),
    }
    return (json.dumps(document, indent=2) + "\n").encode("utf-8")
