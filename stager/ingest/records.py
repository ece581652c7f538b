"""Records: which lines make one, which are malformed, and the cells of those that are legal.

One regular expression says for each line whether it is exactly N fields of RFC 4180. Only the misses are
looked at further: a blank line, a record over several lines, or damage. Strict: what is not proven legal
is malformed, and damage costs the line it stands in, never its neighbours.

A record over several lines. A line with an odd number of quotes leaves a cell open; by the grammar that
cell can only close on the next line with an odd number. The lines between are one record where together
they are exactly N legal fields. Otherwise the first line is malformed alone, and reading goes on with the
next line.

Two damaged rows can look like one such record: a closing quote lost in one, an opening quote lost in a
later one, whole rows between them. The text of other patients would be read as one patient's note. So the
first line is malformed alone where a line within the open cell is a record by itself, told by the date in
its required date column: a row between them, the closing row, or the opening row where its own date
follows the open quote. A note of several lines with commas in it is no such case and stays one record.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from msgspec import Struct
from numpy.typing import NDArray

from stager.errors import IntegrityFailed
from stager.ingest.grammar import Grammar, Kind, Reason, cells_of
from stager.ingest.lines import CR, Flags, Lines, Offsets

CELL_BYTES = 1 << 20
JOINED_LINES = 2000
JOINED_BYTES = 4 << 20


class Records(Struct, frozen=True):
    """The records of the lines before `end`, in order and without gaps.

    first: each record's first line. count: its number of lines. kind: a `Kind`. reason: a `Reason` for
    the malformed ones. end: lines from here on wait for more of the file, which closes the cell they
    leave open.
    """

    first: Offsets
    count: Offsets
    kind: NDArray[np.uint8]
    reason: dict[int, Reason]
    end: int


def split(lines: Lines, grammar: Grammar, *, last: bool) -> Records:
    """The records that these lines make; with `last` no line is left over. Depends on no block boundary."""
    text = lines.strings()
    legal = _matches(text, grammar.record)
    blank = np.zeros(len(lines), dtype=np.bool_)
    looked_at = np.arange(len(lines)) if grammar.fields == 1 else np.flatnonzero(~legal)
    blank[looked_at] = _matches(text.gather(looked_at), grammar.blank)
    legal &= ~blank
    begins, closes, end = _joins(lines, text, legal, ~legal & ~blank, grammar, last=last)
    continued = _covered(len(lines), begins + 1, closes + 1)
    legal[begins] = True
    first = np.flatnonzero(~continued[:end])
    count = np.diff(np.append(first, end))
    kind = np.where(legal[first], Kind.LEGAL, np.where(blank[first], Kind.BLANK, Kind.MALFORMED)).astype(
        np.uint8
    )
    reason = _reasons(lines, text, grammar, kind, first=first, count=count)
    kind[list(reason)] = Kind.MALFORMED
    return Records(first, count, kind, reason, end)


def _matches(text: pl.Series, pattern: str) -> Flags:
    return text.str.contains(pattern).to_numpy().astype(np.bool_)


def _covered(size: int, begins: Offsets, ends: Offsets) -> Flags:
    """Which of `size` places lie in one of the ranges begins[i]..ends[i], the end left out."""
    steps = np.zeros(size + 1, dtype=np.int64)
    np.add.at(steps, begins, 1)
    np.add.at(steps, ends, -1)
    return np.cumsum(steps)[:size] > 0


def _joins(
    lines: Lines, text: pl.Series, legal: Flags, missed: Flags, grammar: Grammar, *, last: bool
) -> tuple[Offsets, Offsets, int]:
    """First and last lines of the records over several lines, and where reading must stop for more bytes."""
    misses = np.flatnonzero(missed)
    quotes = text.gather(misses).str.count_matches('"', literal=True).to_numpy()
    odd = misses[quotes % 2 == 1]
    joined = np.zeros(len(odd), dtype=np.bool_)
    for parity in (0, 1):
        if parity and joined[0:-1:2].all():
            break  # every odd line pairs with the next: no other pairing is ever asked for
        pairs = odd[parity : len(odd) - (len(odd) - parity) % 2].reshape(-1, 2)
        joined[parity : parity + 2 * len(pairs) : 2] = _joinable(lines, text, legal, grammar, pairs)
    chosen, at = [np.zeros(0, dtype=np.int64)], 0
    alone = [np.flatnonzero(~joined[parity::2]) * 2 + parity for parity in (0, 1)]
    end = len(lines)
    while at < len(odd):
        stops = alone[at % 2][np.searchsorted(alone[at % 2], at) :]
        stop = int(stops[0]) if len(stops) else len(odd)
        chosen.append(np.arange(at, stop, 2))
        if stop == len(odd) - 1 and not last and _may_still_close(lines, int(odd[stop])):
            end = int(odd[stop])
        at = stop + 1
    opening = np.concatenate(chosen)
    return odd[opening], odd[opening + 1], end


def _may_still_close(lines: Lines, begin: int) -> bool:
    in_lines = len(lines) - begin < JOINED_LINES
    return bool(in_lines and lines.text_at[-1] - lines.text_at[begin] < JOINED_BYTES)


def _joinable(
    lines: Lines, text: pl.Series, legal: Flags, grammar: Grammar, pairs: NDArray[np.int64]
) -> Flags:
    """Which of the pairs (opening line, closing line) make one record. The pairs ascend without overlaps."""
    begins, closes = pairs[:, 0], pairs[:, 1]
    near = (closes - begins < JOINED_LINES) & (
        lines.text_at[closes + 1] - lines.text_at[begins] <= JOINED_BYTES
    )
    whole = np.flatnonzero(near)
    whole = whole[_matches(lines.joined(begins[whole], closes[whole] + 1), grammar.record)]
    if grammar.date_at is not None and len(whole):
        whole = whole[~_swallows_rows(text, legal, grammar, begins[whole], closes[whole])]
    answer = np.zeros(len(pairs), dtype=np.bool_)
    answer[whole] = True
    return answer


def _swallows_rows(
    text: pl.Series, legal: Flags, grammar: Grammar, begins: Offsets, closes: Offsets
) -> Flags:
    """Which joined lines hold a row in their open cell, so that its quote is a stray one."""
    within = np.flatnonzero(_covered(len(legal), begins + 1, closes) & legal)
    rows = np.zeros(len(legal) + 1, dtype=np.int64)
    rows[within + 1] = _matches(text.gather(within), grammar.dated)
    seen = np.cumsum(rows)
    between = seen[closes] > seen[begins + 1]
    opening, closing = text.gather(begins), text.gather(closes)
    closing_row = _enough_cells(closing, grammar) & _matches(closing, grammar.dated_unquoted)
    opening_row = (
        _enough_cells(opening, grammar)
        & ~_matches(opening, grammar.before_date)
        & _matches(opening, grammar.dated_by_count)
    )
    return between | closing_row | opening_row


def _enough_cells(text: pl.Series, grammar: Grammar) -> Flags:
    delimiters = text.str.count_matches(grammar.delimiter, literal=True).to_numpy()
    return np.asarray(delimiters >= grammar.fields - 1, dtype=np.bool_)


def _reasons(
    lines: Lines,
    text: pl.Series,
    grammar: Grammar,
    kind: NDArray[np.uint8],
    *,
    first: Offsets,
    count: Offsets,
) -> dict[int, Reason]:
    """Why each malformed record is so, by its place; legal records that may not be read are among them."""
    broken = np.flatnonzero(kind == Kind.MALFORMED)
    told = dict(zip(broken.tolist(), _structural(text.gather(first[broken]), grammar), strict=True))
    if not len(first):
        return told
    sizes = lines.text_at[first + count] - lines.text_at[first]
    for record in np.flatnonzero((sizes > CELL_BYTES) & (kind == Kind.LEGAL)).tolist():
        if _longest_cell(lines, grammar, int(first[record]), int(count[record])) > CELL_BYTES:
            told[record] = Reason.TOO_LONG
    for flags, why in ((lines.nul, Reason.NUL), (lines.undecodable, Reason.ENCODING)):
        marked = np.searchsorted(first, np.flatnonzero(flags[: first[-1] + count[-1]]), side="right") - 1
        told.update(dict.fromkeys(np.unique(marked).tolist(), why))
    return told


def _structural(text: pl.Series, grammar: Grammar) -> list[Reason]:
    """The reasons of single lines that are no record."""
    parsed = _matches(text, grammar.some_fields)
    bare = text.str.replace_all(r'"[^"]*"', "").str.count_matches(grammar.delimiter, literal=True)
    fields = bare.to_numpy() + 1
    stray = Reason.BARE_LF if grammar.newline == CR else Reason.BARE_CR
    by_count = np.select(
        [~parsed, fields < grammar.fields, fields > grammar.fields],
        [Reason.QUOTE.value, Reason.TOO_FEW_FIELDS.value, Reason.TOO_MANY_FIELDS.value],
        default=stray.value,
    )
    return [Reason(why) for why in by_count.tolist()]


def _longest_cell(lines: Lines, grammar: Grammar, first: int, count: int) -> int:
    """The bytes of a legal record's longest cell, in UTF-8 and without its quoting."""
    whole = lines.text[lines.text_at[first] : lines.text_at[first + count]].decode()
    return max(len(cell.encode()) for cell in cells_of(whole, grammar.delimiter) or [""])


def parse(lines: Lines, records: Records, grammar: Grammar) -> pl.DataFrame:
    """The cells of the legal records, text as it came: one row each, columns named "0", "1", ….

    Raises IntegrityFailed where the parser sees another number of records than were proven legal.
    """
    names = [str(place) for place in range(grammar.fields)]
    legal = records.kind == Kind.LEGAL
    text = _legal_text(lines, records, legal, grammar)
    try:
        frame = _read(text, names, grammar.delimiter).slice(1)
    except pl.exceptions.PolarsError:
        raise IntegrityFailed("the parser refused a record that was proven legal") from None
    if frame.height != int(legal.sum()):
        raise IntegrityFailed("the parser found another number of records than were proven legal")
    return frame


def _read(text: bytes, names: list[str], delimiter: str) -> pl.DataFrame:
    return pl.read_csv(
        text,
        has_header=False,
        schema=dict.fromkeys(names, pl.String()),
        separator=delimiter,
        quote_char='"',
        infer_schema=False,
        empty_string_is_null=False,
        extra_columns="raise",
        missing_columns="raise",
        glob=False,
    )


def _legal_text(lines: Lines, records: Records, legal: Flags, grammar: Grammar) -> bytes:
    """The legal records one after the other, each ended by LF.

    A record of our own stands first, for the parser skips a byte order mark that begins its input, and
    cells may begin with one.
    """
    own = grammar.delimiter.encode().join([b"-"] * grammar.fields) + b"\n"
    begins = lines.text_at[records.first]
    ends = lines.text_at[records.first + records.count]
    edges = np.flatnonzero(np.diff(np.concatenate(([False], legal, [False])).astype(np.int8)))
    runs = zip(begins[edges[0::2]].tolist(), ends[edges[1::2] - 1].tolist(), strict=True)
    view = memoryview(lines.text)
    text = b"".join([own, *(view[begin:end] for begin, end in runs)])
    lasts = len(own) - 1 + np.cumsum((ends - begins)[legal])
    units = np.frombuffer(text, dtype=np.uint8)
    bare = lasts[units[lasts] == CR]
    if not len(bare):
        return text
    changed = units.copy()
    changed[bare] = 10
    return changed.tobytes()
