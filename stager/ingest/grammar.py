"""The grammar of a legal record, RFC 4180 with one delimiter and N fields, and the names for what breaks
it.

Strict: a quote stands at both ends of a cell or doubled within one, and nowhere else; a line break stands
within quotes alone.
"""

from __future__ import annotations

import re
from enum import IntEnum, StrEnum
from functools import cached_property

from msgspec import Struct

_DATE = (
    r"(?:[0-9]{1,4}[-/. ](?:[0-9]{1,2}|[A-Za-z]{3,9})[-/. ][0-9]{1,4}|[0-9]{6,14})"
    r"(?:[T ][0-9:.+Z -]*)?"
)
_ENDING = re.compile(r"(?:\r\n|\r|\n)\Z")
_LEGAL_CELL = re.compile(r'"[^"]*(?:""[^"]*)*"|[^"\r\n]*')


class Kind(IntEnum):
    """What a record is."""

    LEGAL = 0
    BLANK = 1
    MALFORMED = 2


class Reason(StrEnum):
    """Why a record is malformed; the first that applies is told."""

    ENCODING = "encoding"
    NUL = "nul"
    TOO_LONG = "too_long"
    TOO_FEW_FIELDS = "too_few_fields"
    TOO_MANY_FIELDS = "too_many_fields"
    BARE_CR = "bare_cr"
    BARE_LF = "bare_lf"
    QUOTE = "quote"


class Grammar(Struct, frozen=True, dict=True):  # which keeps what is worked out once
    """The legal record of one file: its delimiter, its number of fields, where the required date stands.

    date_at: 0-based position of the sheet's required date column; None where the file has none.
    newline: the code unit that ends a line.
    """

    delimiter: str
    fields: int
    newline: int
    date_at: int | None = None

    @cached_property
    def _d(self) -> str:
        return rf"\x{ord(self.delimiter):02x}"

    def _field(self, unquoted_but: str = r"\r\n") -> str:
        return rf'(?:"[^"]*(?:""[^"]*)*"|[^"{self._d}{unquoted_but}]*)'

    @cached_property
    def record(self) -> str:
        return rf"^{self._field()}(?:{self._d}{self._field()}){{{self.fields - 1}}}\r?\n?$"

    @cached_property
    def some_fields(self) -> str:
        """Any number of fields, line breaks allowed outside quotes."""
        return rf"^{self._field('')}(?:{self._d}{self._field('')})*\r?\n?$"

    @cached_property
    def blank(self) -> str:
        return r"^ *\r?\n?$" if self.delimiter == "\t" else r"^[ \t]*\r?\n?$"

    @cached_property
    def dated(self) -> str:
        """A legal record with a date in its date column."""
        return rf'^(?:{self._field()}{self._d}){{{self.date_at}}} *"?{_DATE}"? *(?:{self._d}|\r?\n?$)'

    @cached_property
    def dated_unquoted(self) -> str:
        """A line with a date where its date column would be, before any quote, and a cell after it."""
        return rf'^(?:[^"{self._d}]*{self._d}){{{self.date_at}}} *{_DATE} *{self._d}'

    @cached_property
    def dated_by_count(self) -> str:
        """A line with a date where its date column would be if its quotes meant nothing."""
        return rf'^(?:[^{self._d}]*{self._d}){{{self.date_at}}} *"?{_DATE}"? *(?:{self._d}|\r?\n?$)'

    @cached_property
    def before_date(self) -> str:
        """Whole fields up to the date column."""
        return rf"^(?:{self._field()}{self._d}){{{self.date_at}}}"


def cells_of(record: str, delimiter: str) -> list[str] | None:
    """The cells of one record, its line ending left out; None where it is not legal RFC 4180.

    Python's csv module takes a quote within an unquoted cell for text, so the grammar is held to here.
    """
    cells, parts, opened = [], [], False
    for part in _ENDING.sub("", record).split(delimiter):
        parts.append(part)
        opened ^= part.count('"') % 2 == 1
        if not opened:
            cells.append(delimiter.join(parts))
            parts = []
    if opened or not all(map(_LEGAL_CELL.fullmatch, cells)):
        return None
    return [cell[1:-1].replace('""', '"') if cell[:1] == '"' else cell for cell in cells]
