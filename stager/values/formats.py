"""Date and time formats that a migration states, read to the letter.

The parser behind polars forgives blanks, signs and missing digits; here a format also gives the
regular expression that a cell must match before it is parsed at all, so that nothing is guessed.
"""

from __future__ import annotations

import re

from msgspec import Struct

from stager.errors import UsageError

_DIRECTIVES = {
    "Y": "[0-9]{4}",
    "m": "[0-9]{1,2}",
    "d": "[0-9]{1,2}",
    "b": "[A-Za-z]{3}",
    "B": "[A-Za-z]+",
    "H": "[0-9]{1,2}",
    "I": "[0-9]{1,2}",
    "M": "[0-9]{2}",
    "S": "[0-5][0-9]",
    "p": "[AaPp][Mm]",
}
_TIME = frozenset("HIMSp")
_CLOCKS = (frozenset("H"), frozenset("Ip"))
_TOKEN = re.compile(r"%(.?)|([^%]+)")


class Format(Struct, frozen=True):
    """A form of date, or of date and time.

    strptime: the format as polars takes it.
    pattern: what a cell must match as a whole, in the syntax of polars' regular expressions.
    """

    strptime: str
    pattern: str


ISO_DATE = Format("%Y-%m-%d", "^[0-9]{4}-[0-9]{2}-[0-9]{2}$")
ISO_MOMENT = Format("%Y-%m-%d %H:%M", "^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}$")


def date_format(stated: str | None) -> Format:
    """The form of dates that a migration states, ISO where it states none.

    A time of day may only stand in it as literal text (`%d/%m/%Y 00:00`), so that none is dropped
    unseen. UsageError: the format does not make a whole date, or makes more.
    """
    if stated is None:
        return ISO_DATE
    directives = _directives(stated)
    _require_date(stated, directives)
    if _TIME & set(directives):
        raise UsageError(
            f"the date format {stated!r} holds a time",
            hint="use datetime_format for dates with a time, or write a constant time out: %d/%m/%Y 00:00",
        )
    return Format(stated, _pattern(stated))


def moment_format(stated: str | None) -> Format:
    """The form of dates with a time that a migration states, `YYYY-MM-DD HH:MM` where it states none.

    UsageError: the format does not make a whole date with hours and minutes.
    """
    if stated is None:
        return ISO_MOMENT
    directives = _directives(stated)
    _require_date(stated, directives)
    if "M" not in directives or frozenset("HIp").intersection(directives) not in _CLOCKS:
        raise UsageError(
            f"the date and time format {stated!r} does not give hours and minutes",
            hint="use %H and %M, or %I, %M and %p",
        )
    return Format(stated, _pattern(stated))


def _directives(stated: str) -> list[str]:
    directives = [found[1] for found in _TOKEN.finditer(stated) if found[2] is None]
    refused = sorted({directive for directive in directives if directive not in _DIRECTIVES})
    if refused or len(directives) != len(set(directives)):
        raise UsageError(
            f"the date format {stated!r} cannot be used",
            hint="each of %Y %m %b %B %d %H %I %M %S %p may stand in it once; a year of two digits "
            "(%y) is refused: its century would be a guess",
        )
    return directives


def _require_date(stated: str, directives: list[str]) -> None:
    months = sum(directives.count(month) for month in "mbB")
    if months != 1 or "Y" not in directives or "d" not in directives:
        raise UsageError(
            f"the date format {stated!r} does not give one day",
            hint="use %Y, %d and one of %m, %b and %B",
        )


def _pattern(stated: str) -> str:
    parts = (
        re.escape(found[2]) if found[2] is not None else _DIRECTIVES[found[1]]
        for found in _TOKEN.finditer(stated)
    )
    return "^" + "".join(parts) + "$"
