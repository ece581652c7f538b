"""Which encoding a file is in: decided once, over the whole file, and recorded with its evidence.

The order of the tests, strongest first:

1. `--encoding`, a person's word.
2. A byte order mark.
3. NULs at every second byte: UTF-16 without a mark.
4. Strict UTF-8 over the whole file, line by line where a piece of it fails. A line of single-byte text
   that holds a character above 127 is almost never valid UTF-8 by chance, so one count decides:
   - no invalid line: UTF-8;
   - at least as many valid as invalid lines: UTF-8 with damage. The invalid lines are malformed records
     with their bytes kept. Reading such a file as cp1252 would turn every good "é" into "Ã©" unseen;
   - a fifth to a half of them valid, and three at the least: two encodings in one file. Refused, for
     either choice would spoil many rows, and the person who exported it can say what happened.
   A smaller share is what an export holds that was already spoiled once before ("JosÃ©" in cp1252).
5. chardet, restricted to what British practice systems wrote, on the lines with bytes above 127 alone:
   on the whole file it calls a late "£" ASCII, unrestricted it calls cp1252 Windows-1250. It is
   overruled where another of the encodings puts more characters where English has them: on one line it
   takes cp1252's "£5" for cp850's "ú5". With few such characters cp1252 has the tie. Up to three lines
   with no such character in any of the encodings are damage in an ASCII file, and no encoding.

chardet's confidence is recorded and never used as a threshold: right answers were measured at 0.04.
"""

from __future__ import annotations

import codecs
import re

import chardet
import numpy as np
import pyarrow as pa
from msgspec import Struct, field
from numpy.typing import NDArray

from stager.errors import InputRefused, Where

SAMPLE_BYTES = 200_000
CANDIDATES = ("cp1252", "mac_roman", "cp850", "iso-8859-15")
MIXED_SHARE, MIXED_LINES = 0.2, 3
STRAY_LINES = 3
ENOUGH_FOR_CHARDET = 20

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig", "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le", "utf-32-le"),  # before UTF-16: its mark begins with UTF-16's
    (codecs.BOM_UTF32_BE, "utf-32-be", "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "utf-16-be"),
)
_UNIT = {
    "utf-16-le": "<u2",
    "utf-16-be": ">u2",
    "utf-32-le": "<u4",
    "utf-32-be": ">u4",
}
_PIECE_TAIL = 1 << 20
_IN_PLACE = re.compile(
    r"(?<=[A-Za-z])[à-ïñ-öø-ýœ]|[à-ïñ-öø-ýœ](?=[a-z])"  # letters, within words
    r"|\b[À-ÏÑ-ÖØ-Ý](?=[a-z])|(?<=[A-Z])[À-ÏÑ-ÖØ-Ý]|[À-ÏÑ-ÖØ-Ý](?=[A-Z])"
    r"|[£€](?= ?[0-9])|(?<=[0-9 ])[°½¼¾µ±²³×]"
    r"|(?<=[A-Za-z])’(?=[a-z])|(?<![A-Za-z0-9])[“‘](?=[A-Za-z0-9])|(?<=[A-Za-z0-9.,!?])[”’](?![A-Za-z0-9])"
    r"|(?<=[ 0-9])[–—](?=[ 0-9])|…(?![A-Za-z])|[•·](?= )|(?<=[a-z])[™®]"
)


class Encoding(Struct, frozen=True):
    """How a file's bytes become text.

    name: as recorded, `utf-8-sig` with a mark. codec: what Python decodes the body by. bom: length of the
    byte order mark in bytes. unit: numpy's name of one code unit. confidence: 0 to 1. evidence: how it
    was decided.
    """

    name: str
    codec: str
    bom: int
    confidence: float
    evidence: str

    @property
    def unit(self) -> np.dtype[np.unsignedinteger]:
        return np.dtype(_UNIT.get(self.codec, "u1"))


def declared(head: bytes, override: str | None, where: Where) -> Encoding | None:
    """The encoding that an option, a mark or the NULs of `head` state; None where the bytes must be
    surveyed.

    head: the file's first bytes, some tens of kilobytes. Raises InputRefused for an encoding that does not
    exist, that cannot be split into lines by bytes, or that the byte order mark contradicts.
    """
    marked = _by_mark(head)
    if override is not None:
        return _by_option(head, override, marked, where)
    return marked or _by_nuls(head)


def _by_mark(head: bytes) -> Encoding | None:
    for mark, name, codec in _BOMS:
        if head.startswith(mark):
            return Encoding(name, codec, len(mark), 1.0, "byte order mark")
    return None


def _by_nuls(head: bytes) -> Encoding | None:
    units = np.frombuffer(head[: len(head) // 2 * 2], dtype=np.uint8).reshape(-1, 2) == 0
    if not len(units):
        return None
    first, second = units.mean(axis=0)
    evidence = "NUL pattern of UTF-16 without a byte order mark"
    if second > 0.4 and first < 0.02:
        return Encoding("utf-16-le", "utf-16-le", 0, 1.0, evidence)
    if first > 0.4 and second < 0.02:
        return Encoding("utf-16-be", "utf-16-be", 0, 1.0, evidence)
    return None


def _by_option(head: bytes, override: str, marked: Encoding | None, where: Where) -> Encoding:
    codec = _codec_named(override, where)
    if codec in ("utf-16", "utf-32"):
        codec = _with_byte_order(codec, head, marked)
    if marked and (marked.codec in _UNIT or codec in _UNIT) and marked.codec != codec:
        raise InputRefused(
            f"the file begins with the byte order mark of {marked.name}, not of {codec}",
            where=where,
            hint="leave --encoding out, or name the encoding that the file is in",
        )
    return Encoding(codec, codec, marked.bom if marked else 0, 1.0, "--encoding")


def _with_byte_order(codec: str, head: bytes, marked: Encoding | None) -> str:
    told = marked or _by_nuls(head)
    return told.codec if told and told.codec.startswith(codec) else f"{codec}-le"


def _codec_named(override: str, where: Where) -> str:
    try:
        name = codecs.lookup(override).name
        known = name.startswith(("utf-16", "utf-32")) or _extends_ascii(name)
    except (LookupError, UnicodeError, ValueError, TypeError):
        known = False
    if not known:
        raise InputRefused(
            "no encoding of that name, or none that a CSV file can be split in",
            where=where,
            hint="name one such as utf-8, cp1252, utf-16, iso-8859-15, mac-roman or cp850",
        )
    return "utf-8" if name == "utf-8-sig" else name


def _extends_ascii(name: str) -> bool:
    """Whether each ASCII byte means itself, also after a backslash: then lines can be found by bytes."""
    plain = bytes(range(128)) + b"\\u0041\\x41+AEE-"
    return name != "idna" and str(plain, name) == plain.decode("ascii")


class HighLines(Struct):
    """The lines with bytes above 127: how many are valid UTF-8, how many not, and a sample for chardet."""

    valid: int = 0
    invalid: int = 0
    _rest: bytes = b""
    _sample: list[bytes] = field(default_factory=list)
    _sampled: int = 0
    _has_c1: bool = False

    def feed(self, chunk: bytes, *, last: bool = False) -> None:
        """Takes the file's next bytes; a line cut by a chunk's end is kept until it is whole."""
        piece = self._rest + chunk
        cut = len(piece) if last else max(piece.rfind(b"\n"), piece.rfind(b"\r")) + 1
        if len(piece) - cut > _PIECE_TAIL:
            cut = _last_ascii(piece)
        self._rest = piece[cut:]
        if not piece.isascii():
            self._count(piece[:cut])

    def _count(self, piece: bytes) -> None:
        starts = _line_starts(piece)
        if len(starts) < 2:
            return
        units = np.frombuffer(piece, dtype=np.uint8)
        high = np.flatnonzero(np.maximum.reduceat(units, starts[:-1]) >= 128)
        if is_utf8(piece):
            self.valid += len(high)
            return
        self._has_c1 |= bool(((units >= 0x80) & (units <= 0x9F)).any())
        for line in high:
            self._weigh(piece[starts[line] : starts[line + 1]])

    def _weigh(self, line: bytes) -> None:
        try:
            line.decode("utf-8")
            self.valid += 1
        except UnicodeDecodeError:
            self.invalid += 1
        if self._sampled < SAMPLE_BYTES:
            self._sample.append(line[: SAMPLE_BYTES - self._sampled])
            self._sampled += len(self._sample[-1])

    def decide(self, where: Where) -> Encoding:
        """The encoding of a file without a mark. Raises InputRefused where it holds two encodings."""
        lines = self.valid + self.invalid
        if not lines:
            return Encoding("utf-8", "utf-8", 0, 1.0, "no byte above 127")
        if not self.invalid:
            return Encoding("utf-8", "utf-8", 0, 1.0, f"all {lines} lines with bytes above 127 are UTF-8")
        share = self.valid / lines
        counted = f"{self.valid} of {lines} lines with bytes above 127 are UTF-8"
        if self.valid >= self.invalid:
            return Encoding("utf-8", "utf-8", 0, round(share, 4), f"{counted}, the others damaged")
        if share >= MIXED_SHARE and self.valid >= MIXED_LINES:
            raise InputRefused(
                f"the file holds two encodings: {counted}",
                where=where,
                hint="export it again in one encoding, or choose with --encoding utf-8 or --encoding cp1252",
            )
        found, fit = _by_chardet(b"".join(self._sample), counted, has_c1=self._has_c1)
        if self.invalid <= STRAY_LINES and not fit:
            return Encoding("utf-8", "utf-8", 0, 0.5, f"{counted}, the others hold no text: damaged")
        return found


def _by_chardet(sample: bytes, counted: str, *, has_c1: bool) -> tuple[Encoding, int]:
    """The likeliest single-byte encoding, and how many of the sample's characters speak for it."""
    found = chardet.detect(
        sample,
        max_bytes=SAMPLE_BYTES,
        include_encodings=list(CANDIDATES),
        compat_names=False,
        no_match_encoding="cp1252",
    )
    guess = codecs.lookup(found["encoding"] or "cp1252").name
    codecs_left = [codecs.lookup(name).name for name in CANDIDATES]
    if has_c1:
        codecs_left.remove("iso8859-15")  # there bytes 80 to 9F are control characters
    fit = {codec: _in_place(sample, codec) for codec in codecs_left}
    tie = guess if max(fit.values()) >= ENOUGH_FOR_CHARDET else "cp1252"
    codec = max(codecs_left, key=lambda name: (fit[name], name == tie))
    evidence = f"{counted}; chardet on {len(sample)} bytes of them says {guess}"
    if codec != guess:
        evidence += f", but more of the characters stand where they do in English, or as many, in {codec}"
    return Encoding(codec, codec, 0, round(float(found["confidence"] or 0.0), 4), evidence), fit[codec]


def _in_place(sample: bytes, codec: str) -> int:
    """How many characters above 127 stand where English text has them, were the sample in this encoding."""
    return len(_IN_PLACE.findall(sample.decode(codec, "ignore")))


def is_utf8(data: bytes) -> bool:
    """Whether the bytes are valid UTF-8 throughout, without building the text."""
    if data.isascii():
        return True
    bounds = pa.py_buffer(np.array([0, len(data)], dtype=np.int64))
    try:
        pa.LargeStringArray.from_buffers(1, bounds, pa.py_buffer(data)).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _line_starts(piece: bytes) -> NDArray[np.int64]:
    """Where lines of the piece begin, its length last; LF ends a line, and CR where there is no LF."""
    units = np.frombuffer(piece, dtype=np.uint8)
    ends = np.flatnonzero(units == (10 if b"\n" in piece else 13)) + 1
    rest = [len(piece)] if len(piece) and (not len(ends) or ends[-1] != len(piece)) else []
    return np.concatenate(([0], ends, rest)).astype(np.int64)


def _last_ascii(piece: bytes) -> int:
    """The place after the last ASCII byte, so that no character is cut; the length where there is none."""
    plain = np.flatnonzero(np.frombuffer(piece[-64:], dtype=np.uint8) < 128)
    return len(piece) - min(64, len(piece)) + int(plain[-1]) + 1 if len(plain) else len(piece)
