"""Where keys live, and how their files are made: whole or not at all, for their owner's eyes only.

    $XDG_CONFIG_HOME/stager/keys/        (default ~/.config/stager/keys/), 0700
        staging.key                      the staging key, where no file or keyring holds it
        kek.key                          the key-encryption key, likewise
        tenants/<slug>.json              a tenant's wrapped keyset
        heads/<migration>.json           the last seal of a migration

Files are 0600. They are written beside their place, synced, then linked or renamed into it, so that
a crash leaves the file as before or after and never an empty key.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from stager.errors import KeyUnavailable

_OTHERS = 0o077
_LARGEST = 1 << 20


def key_folder(environ: Mapping[str, str]) -> Path:
    """The folder of keys that `environ` names (XDG_CONFIG_HOME, else HOME); it need not exist yet.

    KeyUnavailable where neither names an absolute folder (a relative XDG_CONFIG_HOME is ignored, as
    its specification asks).
    """
    config = Path(environ.get("XDG_CONFIG_HOME", ""))
    if config.is_absolute():
        return config / "stager" / "keys"
    home = Path(environ.get("HOME", ""))
    if home.is_absolute():
        return home / ".config" / "stager" / "keys"
    raise KeyUnavailable(
        "there is no folder to keep keys in: neither XDG_CONFIG_HOME nor HOME is set",
        hint="set XDG_CONFIG_HOME to a folder of your own",
    )


def own_folder(folder: Path) -> Path:
    """Make `folder` where it is missing, and close it to group and others where it is open to them.

    For stager's own folders only. Parents that are missing are made 0700 too; existing ones stay as
    they are.
    """
    with _told(folder, "made"):
        _make(folder)
        if folder.stat().st_mode & _OTHERS:
            folder.chmod(0o700)
    return folder


def create(path: Path, content: bytes) -> bool:
    """Make the file with this content, 0600; False, and nothing changed, where there is one already.

    Of two processes that create at once one makes the file and the other is told False.
    """
    with _told(path, "written"):
        spare = _written_beside(path, content)
        try:
            os.link(spare, path)
        except FileExistsError:
            return False
        finally:
            spare.unlink()
        _sync_folder(path.parent)
    return True


def replace(path: Path, content: bytes) -> None:
    """Put the file with this content, 0600, in the place of what may be there."""
    with _told(path, "written"):
        spare = _written_beside(path, content)
        try:
            spare.replace(path)
        except OSError:
            spare.unlink()
            raise
        _sync_folder(path.parent)


def read(path: Path) -> bytes | None:
    """What the file holds; None where there is none.

    KeyUnavailable where it cannot be read, is no regular file, or is open to group or others: a key
    that others could read must be thought known, so it is not used without a word.
    """
    with _told(path, "read"):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            _refuse_unfit(path, os.fstat(descriptor))
            return file.read(_LARGEST)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the right to change `path`, against other processes, while the block runs."""
    with _told(path, "locked"):
        descriptor = os.open(
            path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _refuse_unfit(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
        raise KeyUnavailable(f"{path} is no key file", hint="name a small regular file")
    if status.st_mode & _OTHERS:
        raise KeyUnavailable(
            f"{path} is open to other users (mode {status.st_mode & 0o777:04o})", hint=f"chmod 600 {path}"
        )


def _make(folder: Path) -> None:
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)


def _written_beside(path: Path, content: bytes) -> Path:
    spare = path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")
    descriptor = os.open(spare, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    return spare


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _told(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise KeyUnavailable(
            f"{path} cannot be {what}: {error.strerror}", hint="see the rights and the room of its folder"
        ) from error
