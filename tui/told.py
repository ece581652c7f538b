"""What a review is told from outside."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct, field

if TYPE_CHECKING:
    from stager.session import Session

Warn = Callable[[str], None]


class Review(Struct, frozen=True):
    """The session to open, and how to behave.

    open: makes the session; with True, one on a read-only copy; what it has to say goes to the second.
    actor: who decides. mask_after: seconds without a key until values are hidden, 0 for never.
    """

    open: Callable[[bool, Warn], Session]
    actor: str
    environ: Mapping[str, str]
    read_only: bool = False
    tour: bool = True
    mask_after: float = 300.0
    clock: Callable[[], float] = field(default=time.monotonic)
