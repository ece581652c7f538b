"""Looking while another process has the staging file: an encrypted private copy, and who the other one is.

The copy is made of the file and its write-ahead log, in a folder of its own that only its owner may enter
and that is removed when the session is closed. It is encrypted as the file is, and opened with its key. A
copy that was made while the file was written to is given up and made again.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from stager.errors import IntegrityFailed, StagingInUse, StagingUnavailable
from stager.staging import check_there

if TYPE_CHECKING:
    import psutil

    from stager.session.review_views import Taken

COMMANDS = (
    "approve",
    "assign",
    "decide",
    "demo",
    "findings",
    "history",
    "import",
    "ingest",
    "keys",
    "publish",
    "rebuild",
    "reconcile",
    "rejects",
    "report",
    "review",
    "rows",
    "sheets",
    "status",
    "tenant",
    "undo",
    "verify",
    "why",
)
"""What a process of stager may be doing; no other word of its arguments is told, for it may be a value."""

_TRIES = 5
_PAUSE = 0.3
"""Seconds between two tries: a command's commit and checkpoint have ended by then, most times."""

Opened = TypeVar("Opened")
Stamps = tuple[tuple[int, int] | None, tuple[int, int] | None]
"""Size and time of change, in nanoseconds, of the file and of its write-ahead log."""


class Copy:
    """A private copy of a staging file; `close` removes it."""

    def __init__(self, source: Path, environ: Mapping[str, str]) -> None:
        """Copy the file. StagingUnavailable: not there, open in this process, or written to all the time."""
        check_there(source)
        _require_elsewhere(source)
        self._source = source
        self._folder = Path(tempfile.mkdtemp(prefix="stager-look-", dir=environ.get("TMPDIR") or None))
        self.path = self._folder / source.name

    def opened(self, open_it: Callable[[Path], Opened]) -> Opened:
        """The copy as `open_it` opens it, which must refuse one that is not whole; copied anew till it is.

        StagingUnavailable where no try gave a whole one.
        """
        failed_at: Stamps | None = None
        for attempt in range(_TRIES):
            if attempt:
                time.sleep(_PAUSE)
            stamps = self._copied()
            if stamps is None:
                continue
            try:
                return open_it(self.path)
            except IntegrityFailed:
                if stamps == failed_at:  # nobody writes to it: it is not torn, something is wrong with it
                    raise
                failed_at = stamps
        raise StagingUnavailable(
            f"{self._source} is being written to, so no whole copy of it can be had just now",
            hint="try again in a moment",
        )

    def close(self) -> None:
        """Remove the copy and its folder."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _copied(self) -> Stamps | None:
        """Copy the file and its log; their stamps, or None where they did not stay as they were meanwhile."""
        wal = self._source.with_name(self._source.name + ".wal")
        before = _stamp(self._source), _stamp(wal)
        try:
            for source in (self._source, wal):
                target = self._folder / source.name
                target.unlink(missing_ok=True)
                if source.exists():
                    shutil.copyfile(source, target)
                    target.chmod(0o600)
        except FileNotFoundError:  # a checkpoint took the log away between two looks
            return None
        except OSError as error:
            raise StagingUnavailable(
                f"{self._source} cannot be copied to look at it: {error.strerror}",
                hint="see the room and rights of the folder for temporary files (TMPDIR)",
            ) from None
        return before if before == (_stamp(self._source), _stamp(wal)) else None


def who_has(in_use: StagingInUse) -> Taken | None:
    """The process that has the file open, as far as this person may know of it; None where it is gone."""
    import psutil  # here, as below: a command that finds the file free needs none of it

    from stager.session.review_views import Taken

    if in_use.pid is None:
        return None
    try:
        process = psutil.Process(in_use.pid)
        since = datetime.fromtimestamp(process.create_time(), UTC).isoformat(timespec="seconds")
    except psutil.NoSuchProcess:
        return None
    except psutil.Error:
        return Taken(in_use.pid, None, None, None)
    return Taken(in_use.pid, _told(process.username), since, _told(lambda: _command(process)))


def refuse_writing(staging: Path) -> StagingUnavailable:
    """The error of a method that would write, in a session that only looks."""
    return StagingUnavailable(
        f"this is a read-only copy of {staging}, so nothing can be changed in it",
        hint="open the staging file itself when nobody else has it open",
    )


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_size, found.st_mtime_ns


def _require_elsewhere(path: Path) -> None:
    """A lock is a process's: to open and close the file for a copy would drop the one that DuckDB holds."""
    import psutil

    if any(Path(each.path) == path.resolve() for each in psutil.Process().open_files()):
        raise StagingUnavailable(f"{path} is open in this process", hint="use the session that has it open")


def _told(ask: Callable[[], str | None]) -> str | None:
    import psutil

    try:
        return ask()
    except psutil.Error:
        return None


def _command(process: psutil.Process) -> str:
    words = [word for word in process.cmdline()[1:] if word in COMMANDS]
    return " ".join([process.name(), *words[:1]])
