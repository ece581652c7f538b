"""The first pass over a file: is it one that can be read, what are its bytes, how does it end its lines.

The path is data: exactly that name is opened, never a pattern, never through a symbolic link, and only a
regular file is read.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from msgspec import Struct, field

from stager.ahead import ahead
from stager.errors import InputRefused, Where
from stager.ingest.encoding import Encoding, HighLines, declared
from stager.ingest.lines import CR, LF

HEAD_BYTES = 4 << 20
LINE_BYTES = 64 << 20
_CHUNK = 8 << 20
_NUL_SHARE = 0.1
_NOWHERE = np.empty(0, dtype=np.intp)

_MAGIC = (
    (b"PK\x03\x04", "a zip file or a spreadsheet (.xlsx)"),
    (b"PK\x05\x06", "a zip file"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a spreadsheet of the old kind (.xls)"),
    (b"%PDF-", "a PDF"),
    (b"\x1f\x8b", "a gzip file"),
    (b"\x28\xb5\x2f\xfd", "a zstd file"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ\x00", "an xz file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip file"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"PAR1", "a Parquet file"),
)
_NOT_OPENED = {
    errno.ENOENT: ("there is no such file", "check the name; it is taken to the letter, not as a pattern"),
    errno.ENOTDIR: ("there is no such file", "check the name; a part of the path is no folder"),
    errno.ELOOP: ("this is a symbolic link", "name the file that it points to"),
    errno.EMLINK: ("this is a symbolic link", "name the file that it points to"),
    errno.EACCES: ("the file may not be read", "check its owner and its permissions"),
    errno.ENXIO: ("this is not a regular file", "save the CSV to a file and name that"),
    errno.ENAMETOOLONG: ("the name is too long for a file", "check the name"),
}


class _Newlines(Struct):
    """Counts of line ends over the file, by code unit, and the longest stretch without each of them."""

    unit: np.dtype[np.unsignedinteger]
    count: dict[int, int] = field(default_factory=lambda: {LF: 0, CR: 0})
    crlf: int = 0
    longest: dict[int, int] = field(default_factory=lambda: {LF: 0, CR: 0})
    first_is_lone_cr: bool = False
    _open: dict[int, int] = field(default_factory=lambda: {LF: 0, CR: 0})
    _after_cr: bool = False

    def feed(self, chunk: bytes) -> None:
        units = np.frombuffer(chunk, dtype=self.unit, count=len(chunk) // self.unit.itemsize)
        if not len(units):
            return
        found = {end: units == end for end in (LF, CR) if end in chunk}  # most files have no CR at all
        if self._after_cr and units[0] == LF:
            self.crlf += 1
        if not any(self.count.values()) and not self._after_cr:
            self.first_is_lone_cr = CR in found and _begins_with_lone_cr(units, found[CR])
        for end in (LF, CR):
            self._measure(end, np.flatnonzero(found[end]) if end in found else _NOWHERE, len(units))
        if len(found) == 2:
            self.crlf += int(np.count_nonzero(found[CR][:-1] & found[LF][1:]))
        self._after_cr = bool(units[-1] == CR)

    def _measure(self, end: int, places: np.ndarray[tuple[int], np.dtype[np.intp]], units: int) -> None:
        self.count[end] += len(places)
        before = int(places[0]) if len(places) else units
        self.longest[end] = max(self.longest[end], (self._open[end] + before) * self.unit.itemsize)
        self._open[end] = units - 1 - int(places[-1]) if len(places) else self._open[end] + units

    def line_end(self) -> int:
        """CR for a file whose lines end by a bare CR, else LF; a stray CR in other files is content."""
        lone = self.count[CR] - self.crlf
        bare = lone and (
            not self.count[LF] or (self.first_is_lone_cr and not self.crlf and lone >= self.count[LF])
        )
        return CR if bare else LF

    def longest_line(self, end: int) -> int:
        """Bytes of the longest line, its end left out; exact for lines longer than a chunk."""
        return max(self.longest[end], self._open[end] * self.unit.itemsize)

    def style(self) -> str:
        if self.line_end() == CR:
            return "\r"
        if self.crlf and self.crlf < self.count[LF]:
            return "mixed"
        return "\r\n" if self.crlf else "\n"


def _begins_with_lone_cr(
    units: np.ndarray[tuple[int], np.dtype[np.unsignedinteger]],
    cr: np.ndarray[tuple[int], np.dtype[np.bool_]],
) -> bool:
    return bool(cr.any()) and not bool((units[: int(cr.argmax()) + 2] == LF).any())


class Survey(Struct, frozen=True):
    """What the first pass found.

    size: bytes. sha256: hex. head: the file's first bytes, at most HEAD_BYTES. encoding: decided over the
    whole file. line_end: LF or CR. newline: "\\n", "\\r\\n", "\\r" or "mixed".
    """

    size: int
    sha256: str
    head: bytes
    encoding: Encoding
    line_end: int
    newline: str


def open_regular(path: Path, where: Where) -> BinaryIO:
    """Opens exactly this file for reading. Raises InputRefused for what is no regular file, or not there."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
    try:
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as error:
        number = error.errno if isinstance(error, OSError) else errno.ENOENT
        message, hint = _NOT_OPENED.get(
            number or 0, ("the file cannot be opened", "check the name and the disk")
        )
        raise InputRefused(message, where=where, hint=hint) from None
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        what = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
        raise InputRefused(f"this is {what}", where=where, hint="name a CSV file")
    return os.fdopen(descriptor, "rb")


def survey(path: Path, override: str | None, where: Where) -> Survey:
    """Reads the file once. override: `--encoding`. Raises InputRefused for what cannot be staged."""
    with open_regular(path, where) as file:
        first = file.read(_CHUNK)
        head = first[:HEAD_BYTES]
        _refuse_by_head(head, where)
        encoding = declared(head[:65536], override, where)
        _refuse_binary(head[:65536], encoding, where)
        highs = None if encoding else HighLines()
        newlines = _Newlines(encoding.unit if encoding else np.dtype("u1"))
        digest, size = hashlib.sha256(), 0
        for chunk in ahead(_hashed(first, file, digest)):
            newlines.feed(chunk)
            if highs:
                highs.feed(chunk)
            size += len(chunk)
    if highs:
        highs.feed(b"", last=True)
        encoding = highs.decide(where)
    if encoding is None:
        raise AssertionError("an encoding is declared or decided")
    if encoding.bom == size:
        raise InputRefused("the file is empty but for a byte order mark", where=where, hint="export it again")
    line_end = newlines.line_end()
    if newlines.longest_line(line_end) > LINE_BYTES:
        raise InputRefused(
            f"the file has a line of more than {LINE_BYTES >> 20} MiB",
            where=where,
            hint="it has no line ends that stager knows, or a quote was lost; export it again",
        )
    return Survey(size, digest.hexdigest(), head, encoding, line_end, newlines.style())


def _hashed(first: bytes, file: BinaryIO, digest: hashlib._Hash) -> Iterator[bytes]:
    """The first chunk and those that follow it in the file, each taken into the digest before."""
    chunk = first
    while chunk:
        digest.update(chunk)
        yield chunk
        chunk = file.read(_CHUNK)


def _refuse_by_head(head: bytes, where: Where) -> None:
    if not head:
        raise InputRefused("the file is empty", where=where, hint="export it again")
    for magic, what in _MAGIC:
        if head.startswith(magic):
            raise InputRefused(
                f"this is {what}, not a CSV file",
                where=where,
                hint="unpack it, or save it as CSV, and name that",
            )


def _refuse_binary(head: bytes, encoding: Encoding | None, where: Where) -> None:
    """NULs throughout that are not UTF-16 or UTF-32. A single one is left to make its record malformed."""
    if encoding is not None and encoding.unit.itemsize > 1:
        return
    if head.count(0) > _NUL_SHARE * len(head):
        raise InputRefused(
            "this is binary data, not a CSV file",
            where=where,
            hint="save it as CSV; if it is text in UTF-32, say --encoding utf-32",
        )
