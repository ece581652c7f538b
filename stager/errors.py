"""The error tree: what happened, where, what to do next, and the exit code that says which kind.

    StagerError ............. 1  a fault in stager
    ├── UsageError .......... 2  the command was called wrongly
    ├── InputRefused ........ 3  the input was refused, nothing was staged
    ├── ReviewNeeded ........ 4  the step needs review or approval first
    ├── Unavailable ......... 5  a tenant, a staging file or a key is not available
    │   ├── StagingUnavailable
    │   │   └── StagingInUse
    │   ├── KeyUnavailable
    │   └── TenantUnavailable
    ├── IntegrityFailed ..... 6  an integrity check failed
    └── Cancelled ......... 130  a person stopped the work; what was done stands

A message names files, sheets, rows and columns and never holds a patient's value.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

Made = TypeVar("Made")


class Where(Struct, frozen=True):
    """The place an error speaks of; each part is left out where it does not apply."""

    file: str | None = None
    sheet: str | None = None
    row: int | None = None
    line: int | None = None
    column: str | None = None

    def __str__(self) -> str:
        named = (
            ("", self.file),
            ("sheet ", self.sheet),
            ("row ", self.row),
            ("line ", self.line),
            ("column ", self.column),
        )
        return ", ".join(f"{label}{part}" for label, part in named if part is not None)


class StagerError(Exception):
    """Something that ends a command. `message` says what, `where` the place, `hint` what to do."""

    exit_code = 1

    def __init__(self, message: str, *, where: Where | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        place = f" ({self.where})" if self.where and str(self.where) else ""
        return f"{self.message}{place}"


class UsageError(StagerError):
    """The command was called wrongly."""

    exit_code = 2


class InputRefused(StagerError):
    """A file that cannot be staged; nothing of it was."""

    exit_code = 3


class ReviewNeeded(StagerError):
    """The step needs a person's review or approval first."""

    exit_code = 4


class Unavailable(StagerError):
    """Something outside that the step needs is not there; nothing was changed."""

    exit_code = 5


class StagingUnavailable(Unavailable):
    """The staging file cannot be opened: held by another process, wrong key, too new, read-only."""


class StagingInUse(StagingUnavailable):
    """Another process has the staging file open. pid: which, where that could be found out."""

    def __init__(self, message: str, *, pid: int | None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.pid = pid


class KeyUnavailable(Unavailable):
    """A key cannot be found or read."""


class TenantUnavailable(Unavailable):
    """A tenant is not registered, not reachable, not set up, or is another tenant."""


class IntegrityFailed(StagerError):
    """Facts, events, projections, seals, ledger or ciphertext are not what they must be."""

    exit_code = 6


class Cancelled(StagerError):
    """A person stopped the work, through a progress callback; the same step again goes on from there."""

    exit_code = 130

    def __init__(self, message: str = "stopped; everything so far is consistent") -> None:
        super().__init__(message, hint="the same step again goes on from there")


def without_values(make: Callable[[], Made], what: str, where: Where | None = None) -> Made:
    """What is made; else a StagerError that says `what`, since a library's error may quote a cell.

    Only the error's kind and its place in the code are told.
    """
    try:
        return make()
    except StagerError:
        raise
    except Exception as error:
        told = StagerError(f"{what} ({type(error).__name__} at {_place(error)})", where=where)
    # Raised where the library's error is not at hand any more, or it would go along as the context of ours.
    raise told


def _place(error: Exception) -> str:
    """Where in stager an error came up, or, if not in it, where else."""
    frames = traceback.extract_tb(error.__traceback__)[1:]  # but for `without_values` itself
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(Path(__file__).parent)]
    last = (ours or frames)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"
