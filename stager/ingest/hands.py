"""Whose hands make the files' blocks ready: a process of its own, which reads on while this one writes.

For little it is a thread of this process: another process would start later than that is done. It reads
its libraries while this one reads its own: nothing that brings them is imported here before it is needed.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from importlib import import_module
from itertools import count, cycle
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from stager.crypto.fingerprint import Fingerprinter
from stager.errors import StagerError, without_values
from stager.processes import processes
from stager.slots import Slots, available, frame_of

if TYPE_CHECKING:
    from stager.ingest.making import Counts, Made, Planned

MUCH_BYTES = 16 << 20
"""Files of less are read sooner than another process starts."""
AHEAD = 4
"""Blocks that are made ready while a row group is written. More would save some time, and cost memory."""

Blocks: TypeAlias = "Callable[[], Iterator[Made]]"
"""Gives the next file's blocks."""


class Hands(Struct, frozen=True):
    """Who makes blocks ready. slots: by which another process hands them over; None where it is this one."""

    pool: Executor
    slots: Slots | None = None

    @property
    def beside(self) -> bool:
        """Whether a process works beside this one."""
        return self.slots is not None


@contextmanager
def hands(files: Iterable[Path]) -> Iterator[Hands]:
    """Hands for these files, on their way while the files are looked at."""
    if sum(map(_size, files)) < MUCH_BYTES or (os.cpu_count() or 1) < 2 or not available():
        with ThreadPoolExecutor(1, "stager-making") as pool:
            yield Hands(pool)
    else:
        with Slots(AHEAD) as slots, processes(1, _take_slots, slots) as pool:
            yield Hands(pool, slots)


@contextmanager
def blocks_made(by: Hands, files: Sequence[Planned], fingerprinter: Fingerprinter) -> Iterator[Blocks]:
    """Has these files made ready; gives each one's blocks in turn, which must be taken to their end."""
    place = next(_places)
    # What a mapping says of the cells is in the rules by now.
    bare = [replace(file, source=replace(file.source, mapping=None)) for file in files]
    coming: deque[Future[Made | _Filled | None]] = deque()
    turns = cycle(range(AHEAD))

    def blocks() -> Iterator[Made]:
        started.result()
        while True:
            coming.extend(by.pool.submit(_block, place, next(turns)) for _ in range(AHEAD - len(coming)))
            block = coming.popleft().result()
            if block is None:
                return
            yield block.taken(by.slots) if isinstance(block, _Filled) else block

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


class _Filled(Struct, frozen=True):
    """A block whose frames stand in a slot."""

    slot: int
    lengths: list[int]
    leaves: bytes
    counts: Counts

    def taken(self, slots: Slots | None) -> Made:
        """The block; its slot may be filled again then."""
        from stager.ingest.making import Made

        assert slots is not None  # for it was filled
        rows, spans, issues, changes, kept = map(frame_of, slots.parts(self.slot, self.lengths))
        return Made(rows, spans, issues, changes, kept, self.leaves, self.counts)


_places = count()
_makings: dict[int, Iterator[Made | None]] = {}  # in whichever process they run
_slots: list[Slots] = []  # in a process that makes blocks ready


def _take_slots(slots: Slots) -> None:
    """Begin as the process that reads: DuckDB has one processor beside it, and polars the others."""
    os.environ.setdefault("POLARS_MAX_THREADS", str((os.cpu_count() or 2) - 1))
    import_module("stager.ingest.making")  # now, and not when the first block is asked for
    _slots.append(slots)


def _start(place: int, files: Sequence[Planned], fingerprinter: Fingerprinter) -> None:
    from stager.ingest.making import made

    _makings[place] = made(files, fingerprinter)


def _block(place: int, slot: int) -> Made | _Filled | None:
    block = without_values(lambda: next(_makings[place], None), "the files could not be made ready")
    if block is None or not _slots:
        return block
    return _Filled(slot, _slots[0].fill(slot, block.frames), block.leaves, block.counts)


def _end(place: int) -> None:
    _makings.pop(place, None)
