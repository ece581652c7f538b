"""A fault in stager itself: reported by its place in the code, never by what the code was working on.

An exception's message and a frame's local values may hold patients' data, so neither is written.
"""

from __future__ import annotations

import os
import platform
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from stager import __version__


class Fault(Struct, frozen=True):
    """A reported fault: its id and the file that tells of it, None where none could be written."""

    id: str
    path: Path | None


def report(error: BaseException, environ: Mapping[str, str]) -> Fault:
    """Write the fault's places to a file of mode 0600 in `$XDG_STATE_HOME/stager/faults`."""
    fault_id = os.urandom(4).hex()
    path = folder(environ) / f"{fault_id}.txt"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(f"{line}\n" for line in _lines(fault_id, error))
    except OSError:
        return Fault(fault_id, None)
    return Fault(fault_id, path)


def folder(environ: Mapping[str, str]) -> Path:
    """Where faults are kept: `$XDG_STATE_HOME/stager/faults`, by default below ~/.local/state."""
    state = Path(environ.get("XDG_STATE_HOME", ""))
    if not state.is_absolute():
        state = Path(environ.get("HOME", "/")) / ".local" / "state"
    return state / "stager" / "faults"


def _lines(fault_id: str, error: BaseException) -> Iterator[str]:
    yield f"fault {fault_id}, stager {__version__}, Python {platform.python_version()}, {platform.system()}"
    for each in _chain(error):
        yield f"{type(each).__module__}.{type(each).__qualname__}"
        for frame, line in traceback.walk_tb(each.__traceback__):
            yield f"    {frame.f_code.co_filename}:{line}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and those that it came from, the last first."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__ or each.__context__
