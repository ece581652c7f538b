"""The practice's own counts, as a person hands them over: in words, or as a small CSV."""

from __future__ import annotations

import csv
from pathlib import Path

from stager.errors import UsageError
from stager.event_log import EventLog
from stager.sheets import SHEET
from stager.staging import Staging

_HINT = "patients=10231,notes=720000; or a CSV file with the headers sheet,count"
_LARGEST = 64 * 1024


def read_expectation(told: str, cwd: Path) -> dict[str, int]:
    """ "patients=10231,notes=…", or the name of a CSV file with sheet and count → records by sheet.

    UsageError: it is neither, names no sheet, names one twice, or counts by something that is no number.
    """
    pairs = _from_words(told) if "=" in told else _from_file(cwd / told)
    counts: dict[str, int] = {}
    for sheet, count in pairs:
        if sheet not in SHEET:
            raise UsageError(f"there is no sheet {sheet!r}", hint="the sheets are " + ", ".join(SHEET))
        if sheet in counts:
            raise UsageError(f"{sheet} is counted twice", hint=_HINT)
        if not (count.isascii() and count.isdecimal() and len(count) <= 10):
            raise UsageError(f"the count of {sheet} is no number", hint=_HINT)
        counts[sheet] = int(count)
    if not counts:
        raise UsageError("no sheet is counted", hint=_HINT)
    return counts


def state_expectation(staging: Staging, log: EventLog, counts: dict[str, int]) -> None:
    """Append what was expected; nothing where it stands so already."""
    standing = dict(staging.rows("expectations"))
    if any(standing.get(sheet) != count for sheet, count in counts.items()):
        log.append("expectation.stated", {"counts": counts})


def _from_words(told: str) -> list[tuple[str, str]]:
    parts = [part.partition("=") for part in told.split(",") if part.strip()]
    return [(sheet.strip(), count.strip()) for sheet, _, count in parts]


def _from_file(path: Path) -> list[tuple[str, str]]:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST)
        rows = list(csv.reader(content.decode("utf-8-sig").splitlines()))
    except OSError as error:
        raise UsageError(f"the counts in {path.name} cannot be read: {error.strerror}", hint=_HINT) from None
    except (UnicodeDecodeError, csv.Error):
        raise UsageError(f"{path.name} is no CSV file in UTF-8", hint=_HINT) from None
    cells = [[cell.strip() for cell in row] for row in rows if row]
    if not cells or [cell.casefold() for cell in cells[0]] != ["sheet", "count"]:
        raise UsageError(f"{path.name} does not have the headers sheet,count", hint=_HINT)
    if any(len(row) != 2 for row in cells):
        raise UsageError(f"{path.name} has a line that is not a sheet and its count", hint=_HINT)
    return [(sheet, count.replace(" ", "")) for sheet, count in cells[1:]]
