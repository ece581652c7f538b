"""Memory that this process and those it begins have in common, for large things on their way between them.

Through a pipe a frame is pickled, cut into pieces of 64 KiB and put together again: five times the work of
writing it down once and reading it, most of it under Python's one lock. A slot is a file that is memory alone
and stands in no folder, so nothing of it is left when the processes end, however they end. While they run,
whoever may look into them may look into it, too: root, and what runs as the same person.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self, TypeAlias, Union

from stager.errors import StagerError

if TYPE_CHECKING:
    import polars as pl

_NO_PROGRAM = 8
"""MFD_NOEXEC_SEAL of Linux 6.3: a system may refuse such memory that could be run as a program."""

Part: TypeAlias = Union["pl.DataFrame", bytes]


class Slots:
    """Numbered slots. One side at a time uses a slot; who does what when, the two sides settle."""

    def __init__(self, count: int) -> None:
        self._files: list[int] = []
        try:
            self._files += (_memory() for _ in range(count))
        except OSError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._files)

    def __reduce__(self) -> tuple[Callable[..., Slots], tuple[Any, ...]]:
        """For a process that is being begun, which inherits the files."""
        from multiprocessing.reduction import DupFd

        return _inherited, ([DupFd(file) for file in self._files],)

    def fill(self, slot: int, parts: Iterable[Part]) -> list[int]:
        """Write parts into a slot, over what was there; how many bytes each has.

        StagerError where this system has no memory left for it.
        """
        try:
            return self._fill(self._files[slot], parts)
        except OSError as error:
            raise StagerError(
                f"no memory could be had to hand rows from process to process: {error.strerror or 'refused'}",
                hint="end other programs, or let this one have more memory, and run the same command again",
            ) from None

    def _fill(self, file: int, parts: Iterable[Part]) -> list[int]:
        import polars as pl  # here and below: slots are made before the libraries are read that use them

        os.lseek(file, 0, os.SEEK_SET)
        ends = [0]
        with os.fdopen(file, "wb", buffering=0, closefd=False) as out:
            for part in parts:
                if isinstance(part, pl.DataFrame):
                    part.write_ipc_stream(out)
                else:
                    _write(file, part)
                ends.append(out.tell())
            out.truncate()
        return [end - start for start, end in pairwise(ends)]

    def parts(self, slot: int, lengths: Sequence[int]) -> list[bytes]:
        """The bytes of a slot's parts, which are this process's own then."""
        found, at = [], 0
        for length in lengths:
            found.append(_read(self._files[slot], length, at))
            at += length
        return found

    def close(self) -> None:
        """Let go of the memory."""
        for file in self._files:
            os.close(file)
        self._files.clear()


def available() -> bool:
    """Whether this system gives such memory; where it does not, one process does all of the work."""
    try:
        os.close(_memory())
    except (AttributeError, OSError):
        return False
    return True


def _memory() -> int:
    try:
        return os.memfd_create("stager", os.MFD_CLOEXEC | _NO_PROGRAM)
    except OSError as error:
        if error.errno != errno.EINVAL:  # as an older system says that it knows no such flag
            raise
        return os.memfd_create("stager", os.MFD_CLOEXEC)


def frame_of(part: bytes) -> pl.DataFrame:
    """The frame that was written as this part."""
    import polars as pl
    import pyarrow as pa
    import pyarrow.ipc

    frame = pl.from_arrow(pyarrow.ipc.open_stream(pa.py_buffer(part)).read_all())
    assert isinstance(frame, pl.DataFrame)
    return frame


def _inherited(files: Sequence[Any]) -> Slots:
    slots = Slots(0)
    slots._files = [file.detach() for file in files]
    return slots


def _write(file: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(file, left) :]


def _read(file: int, length: int, at: int) -> bytes:
    data = os.pread(file, length, at)
    if len(data) == length:
        return data
    pieces = [data]  # the kernel gives two gibibytes at a time at most
    while (have := sum(map(len, pieces))) < length:
        piece = os.pread(file, length - have, at + have)
        if not piece:
            raise EOFError("a slot holds less than was written into it")
        pieces.append(piece)
    return b"".join(pieces)
