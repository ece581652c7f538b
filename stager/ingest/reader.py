"""The reader: a CSV file in, blocks of rows out, with every byte of the file in exactly one row or span.

A file is read twice: `open_source` surveys it (hash, encoding, line ends, header) and refuses what cannot
be staged; `Source.blocks` then yields it in blocks of bounded size. Cells are text as they came. The
accounting is checked on what is handed out, not on what it was made from, and the second reading's hash
must be the first's.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from stager.ahead import ahead
from stager.errors import InputRefused, Where
from stager.ingest.blocks import Block, Placed, Rows, Span, check_account, spans_of
from stager.ingest.grammar import Grammar, cells_of
from stager.ingest.headers import ColumnMatch, recognise
from stager.ingest.lines import read_lines
from stager.ingest.mapping import Mapping
from stager.ingest.records import parse, split
from stager.ingest.survey import HEAD_BYTES, Survey, open_regular, survey
from stager.sheets import Kind, Sheet

__all__ = ["Block", "ReadOptions", "Source", "open_source"]

BLOCK_BYTES = 4 << 20
DELIMITERS = (",", ";", "\t", "|")
_NAMED_DELIMITERS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}


class ReadOptions(Struct, frozen=True):
    """What a person says about a file. sheet: its name. delimiter: one character, or `tab`."""

    sheet: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    mapping: Mapping | None = None


class Source(Struct, frozen=True):
    """A file that can be staged: what it is, how it was recognised, and its records by `blocks`.

    size: bytes. sha256: hex. confidence: 0 to 1. evidence: how the encoding was decided. newline: "\\n",
    "\\r\\n", "\\r" or "mixed". headers: as they came. columns: one for each header. body_at: where the
    header ends, in bytes. block_bytes: the size a block grows to, give or take a record.
    """

    path: Path
    file_name: str
    size: int
    sha256: str
    sheet: Sheet
    encoding: str
    confidence: float
    evidence: str
    delimiter: str
    newline: str
    headers: tuple[str, ...]
    columns: tuple[ColumnMatch, ...]
    mapping: Mapping | None
    body_at: int
    block_bytes: int
    _survey: Survey
    _preface: tuple[Span, ...]

    def __repr__(self) -> str:  # nothing of what stands in it
        return f"Source({self.file_name!r})"

    def blocks(self) -> Iterator[Block]:
        """The file's blocks in order.

        Raises InputRefused where the file changed since it was opened, IntegrityFailed where a byte of it
        lies in no row or span, or in two. Both may come after blocks were handed out: stage in one
        transaction.
        """
        digest, at = hashlib.sha256(), 0
        for block in ahead(self._blocks()):
            check_account(block, at)
            digest.update(block.data)
            at += block.byte_len
            yield block
        if at != self.size or digest.hexdigest() != self.sha256:
            raise _changed(self.file_name)

    def _blocks(self) -> Iterator[Block]:
        grammar, rows_of = self._grammar(), Rows(self.sheet, self.columns)
        line = self._preface[-1][1] + self._preface[-1][2]
        row_no, at, spans = 1, self.body_at, list(self._preface)
        with open_regular(self.path, Where(file=self.file_name)) as file:
            lead, rest, last = file.read(self.body_at), b"", False
            while not last:
                step = file.read(max(4, self.block_bytes // 4 * 4))
                rest += step
                last = not step or at + len(rest) >= self.size
                lines = read_lines(rest, self._survey.encoding, self._survey.line_end, last=last)
                records = split(lines, grammar, last=last)
                taken = int(lines.file_at[records.end])
                if not taken and not lead:
                    continue
                made = Placed(lines, records, row_no, line, at)
                yield Block(
                    at - len(lead),
                    taken + len(lead),
                    lead + rest[:taken],
                    rows_of(parse(lines, records, grammar), made),
                    spans_of(spans, made),
                )
                row_no, line = made.next_row, line + records.end
                lead, rest, at, spans = b"", rest[taken:], at + taken, []
            if file.read(1):
                raise _changed(self.file_name)

    def _grammar(self) -> Grammar:
        dated = {column.field for column in self.sheet.required if column.kind in (Kind.DATE, Kind.MOMENT)}
        date_at = next((column.position for column in self.columns if column.field in dated), None)
        return Grammar(self.delimiter, len(self.headers), self._survey.line_end, date_at)


def _changed(file_name: str) -> InputRefused:
    return InputRefused(
        "the file changed while it was read",
        where=Where(file=file_name),
        hint="wait until the export is finished, and ingest it again",
    )


def open_source(path: Path, options: ReadOptions, *, block_bytes: int = BLOCK_BYTES) -> Source:
    """Surveys a file and recognises it.

    Raises InputRefused for a file that cannot be staged, with what to do; UsageError for a mapping whose
    words do not fit the sheet. Nothing of a refused file is handed out.
    """
    name = os.fsencode(path.name).decode("utf-8", "backslashreplace")
    where = Where(file=name)
    delimiters = _delimiters(options.delimiter, where)
    found = survey(path, options.encoding, where)
    header, spans = _header(found, where)
    by_delimiter = {d: cells for d in delimiters if (cells := cells_of(header, d)) is not None}
    if not by_delimiter:
        raise InputRefused(
            "the header line is not CSV: its quotes do not match", where=where, hint="correct the first line"
        )
    delimiter, match = recognise(by_delimiter, options.sheet, options.mapping, where)
    if options.mapping:
        options.mapping.require_fit(match.sheet)
    return Source(
        path=path,
        file_name=name,
        size=found.size,
        sha256=found.sha256,
        sheet=match.sheet,
        encoding=found.encoding.name,
        confidence=found.encoding.confidence,
        evidence=found.encoding.evidence,
        delimiter=delimiter,
        newline=found.newline,
        headers=tuple(by_delimiter[delimiter]),
        columns=match.columns,
        mapping=options.mapping,
        body_at=spans[-1][3] + spans[-1][4],
        block_bytes=block_bytes,
        _survey=found,
        _preface=tuple(spans),
    )


def _delimiters(told: str | None, where: Where) -> tuple[str, ...]:
    if told is None:
        return DELIMITERS
    delimiter = _NAMED_DELIMITERS.get(told.casefold(), told)
    if len(delimiter) != 1 or not _may_delimit(delimiter):
        raise InputRefused(
            "this cannot be a delimiter",
            where=where,
            hint="--delimiter is one of , ; | or tab, or one such sign",
        )
    return (delimiter,)


def _may_delimit(char: str) -> bool:
    return char == "\t" or (
        char.isascii() and char.isprintable() and not char.isalnum() and char not in "\"' -./:_"
    )


def _header(found: Survey, where: Where) -> tuple[str, list[Span]]:
    """The text of the header's record, and the spans up to its end: mark, blank lines, header."""
    bom, whole = found.encoding.bom, found.size <= HEAD_BYTES
    lines = read_lines(found.head[bom:], found.encoding, found.line_end, last=whole)
    texts = lines.strings()
    spans: list[Span] = [(None, 1, 0, 0, bom, "bom", None)] if bom else []
    first = next((place for place, text in enumerate(texts) if text.strip(" \t\r\n")), None)
    if first is None:
        hint = "the first line that is not blank names the columns"
        raise InputRefused("the file has no header line", where=where, hint=hint)
    at = (lines.file_at + bom).tolist()
    spans += [
        (None, place + 1, 1, at[place], at[place + 1] - at[place], "blank", None) for place in range(first)
    ]
    quotes = texts[first:].str.count_matches('"', literal=True).cum_sum().to_numpy()
    closed = (quotes % 2 == 0).nonzero()[0]
    end = first + 1 + (int(closed[0]) if len(closed) else 0)
    if (lines.undecodable | lines.nul)[first:end].any():
        raise InputRefused(
            f"the header line is damaged: it holds bytes that are no text in {found.encoding.name}",
            where=where,
            hint="say the file's encoding with --encoding, or export it again",
        )
    spans.append((None, first + 1, end - first, at[first], at[end] - at[first], "header", None))
    return "".join(texts[first:end]), spans
