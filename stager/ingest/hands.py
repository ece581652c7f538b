"""Whose hands make the files' blocks ready: a process of its own, which reads on while this one writes.

For little it is a thread of this process: another process would start later than that is done.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from stager.crypto.fingerprint import Fingerprinter
from stager.errors import StagerError, without_values
from stager.ingest.making import Made, Planned, made
from stager.processes import processes

MUCH_BYTES = 16 << 20
"""Files of less are read sooner than another process starts."""
AHEAD = 4
"""Blocks that are made ready while a row group is written. More would save some time, and cost memory."""

Blocks = Callable[[], Iterator[Made]]
"""Gives the next file's blocks."""


@dataclass(frozen=True, slots=True)
class Hands:
    """Who makes blocks ready. threads: how many processors are left to DuckDB meanwhile; None
    where no process works beside it."""

    pool: Executor
    threads: int | None


@contextmanager
def hands(files: Iterable[Path]) -> Iterator[Hands]:
    """Hands for these files, on their way while the files are looked at."""
    processors = os.cpu_count() or 1
    if sum(map(_size, files)) < MUCH_BYTES or processors < 2:
        with ThreadPoolExecutor(1, "stager-making") as pool:
            yield Hands(pool, None)
    else:
        with processes(1, _ready_to_start) as pool:
            yield Hands(pool, processors - 1)


@contextmanager
def blocks_made(by: Hands, files: Sequence[Planned], fingerprinter: Fingerprinter) -> Iterator[Blocks]:
    """Has these files made ready; gives each one's blocks in turn, which must be taken to their end."""
    place = next(_places)
    # What a mapping says of the cells is in the rules by now.
    bare = [replace(file, source=replace(file.source, mapping=None)) for file in files]
    coming: deque[Future[Made | None]] = deque()

    def blocks() -> Iterator[Made]:
        started.result()
        while True:
            coming.extend(by.pool.submit(_block, place) for _ in range(AHEAD - len(coming)))
            block = coming.popleft().result()
            if block is None:
                return
            yield block

    try:
        started = by.pool.submit(_start, place, bare, fingerprinter)
        yield blocks
    except BrokenExecutor:
        raise StagerError(
            "the process that reads the files ended before its time",
            hint="nothing was staged; run the same command again",
        ) from None
    finally:
        for each in coming:
            each.cancel()
        with suppress(BrokenExecutor):
            by.pool.submit(_end, place)


def _size(file: Path) -> int:
    """Its bytes; 0 for a file that opening it will refuse."""
    try:
        return file.stat().st_size
    except (OSError, ValueError):
        return 0


_places = count()
_makings: dict[int, Iterator[Made | None]] = {}  # in whichever process they run


def _ready_to_start() -> None:
    """All that a process needs has been imported by now."""


def _start(place: int, files: Sequence[Planned], fingerprinter: Fingerprinter) -> None:
    _makings[place] = made(files, fingerprinter)


def _block(place: int) -> Made | None:
    return without_values(lambda: next(_makings[place], None), "the files could not be made ready")


def _end(place: int) -> None:
    _makings.pop(place, None)
