"""What a session is told from outside: the staging file's place, the environment, the tenants' file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from stager.event_log import Clock, system_clock

DEFAULT_STAGING = "staging.duckdb"

Progress = Callable[[str, int, int | None], None]
"""Called with what is being done, how much of it is behind, and of how much (None: not known)."""


def silent(what: str, done: int, total: int | None) -> None:
    """Progress that nobody looks at."""


def unheard(words: str) -> None:
    """Words that nobody reads."""


class Settings(Struct, frozen=True):
    """Where a session works; handed in, so that many may work in one process.

    staging: the staging file. environ: for keys, tenants and limits. cwd: where relative names start.
    tenants: the tenants' file where one is named outright. clock: microseconds since 1970 UTC.
    warn: called with a sentence that a person must see, whatever they asked for. read_only: look at a
    private copy of the staging file, which another process may have open; nothing can be changed then.
    """

    staging: Path
    environ: Mapping[str, str]
    cwd: Path
    tenants: Path | None = None
    clock: Clock = system_clock
    warn: Callable[[str], None] = unheard
    read_only: bool = False
