"""Write the made-up practice's files, what is expected of them, and the table in the README.

Run `python -m sample_data.write_practice` after a change to the rows; a test holds the files equal
to what it writes.
"""

from __future__ import annotations

import csv
import io
import json
from codecs import BOM_UTF8, BOM_UTF16_LE
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sample_data import clinical, people
from sample_data.odd_background import odd_background
from sample_data.odd_medications import odd_medications
from sample_data.odd_notes import odd_notes
from sample_data.odd_people import odd_patients
from sample_data.record import Line, Record, scattered

TABLE_BEGINS, TABLE_ENDS = "<!-- rows: begin -->\n", "<!-- rows: end -->\n"
CRLF = "\r\n"
_STATES = ("ready", "held", "waiting", "rejected")


@dataclass(frozen=True, slots=True)
class SheetFile:
    """One file of the practice: its lines and the dialect and encoding it is written in.

    mark: the byte order mark; last_end: whether the last record has a line end.
    """

    sheet: str
    header: tuple[str, ...]
    lines: list[Line]
    encoding: str
    delimiter: str
    newline: str
    mark: bytes = b""
    last_end: bool = True

    @property
    def name(self) -> str:
        """The file's name."""
        return f"{self.sheet}.csv"

    def records(self) -> Iterator[tuple[int, Record]]:
        """The records with their row numbers, from 1 below the header; blank lines have none."""
        return enumerate((line for line in self.lines if line is not None), start=1)

    def data(self) -> bytes:
        """The file's bytes."""
        end = self.newline.encode(self.encoding)
        below = [self._line(line) for line in self.lines]
        return self.mark + end.join([self._encoded(self.header), *below]) + (end if self.last_end else b"")

    def _line(self, line: Line) -> bytes:
        if line is None:
            return b""
        return self._encoded(line.cells) if line.raw is None else line.raw

    def _encoded(self, cells: tuple[str, ...]) -> bytes:
        text = io.StringIO()
        csv.writer(text, delimiter=self.delimiter, lineterminator="").writerow(cells)
        return text.getvalue().encode(self.encoding)


def practice() -> tuple[SheetFile, ...]:
    """The four files, in the order of their foreign keys."""
    plain = people.plain_patients()
    patients = [*people.staff(), *plain[:2], *scattered(plain[2:], odd_patients(), every=1)]
    background = scattered(clinical.plain_background(), odd_background(), every=2)
    notes = scattered(clinical.plain_notes(), odd_notes(), every=3)
    medications = scattered(clinical.plain_medications(), odd_medications(), every=3)
    return (
        SheetFile("patients", people.HEADER, patients, "utf-8", ",", CRLF, mark=BOM_UTF8),
        SheetFile("background", clinical.BACKGROUND_HEADER, background, "cp1252", ";", CRLF, last_end=False),
        SheetFile("notes", clinical.NOTES_HEADER, notes, "utf-8", ",", "\n"),
        SheetFile(
            "medications", clinical.MEDICATIONS_HEADER, medications, "utf-16-le", "\t", CRLF, BOM_UTF16_LE
        ),
    )


def _account(file: SheetFile) -> dict[str, int]:
    """The sheet's account: its records, how many were malformed, its blank lines, the sum of each state."""
    records = [record for _, record in file.records()]
    states = Counter(record.state for record in records)
    return {
        "records": len(records),
        "malformed": sum(record.raw is not None for record in records),
        "blank": len(file.lines) - len(records),
        **{state: states[state] for state in _STATES},
    }


def _outcome(row: int, record: Record) -> dict[str, object]:
    return {
        "row": row,
        "state": record.state,
        "codes": sorted(record.codes),
        "patient": record.patient,
        "via": record.via,
    }


def expected(files: tuple[SheetFile, ...]) -> str:
    """What stager must say of each row before any decision, as JSON with one row on each line."""
    sheets = []
    for file in files:
        rows = ",\n".join(
            f"    {json.dumps(_outcome(row, record), ensure_ascii=False)}" for row, record in file.records()
        )
        sheets.append(f'  "{file.sheet}": [\n{rows}\n  ]')
    accounts = ",\n".join(f'    "{file.sheet}": {json.dumps(_account(file))}' for file in files)
    return "{\n" + ",\n".join(sheets) + f',\n  "account": {{\n{accounts}\n  }}\n}}\n'


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def table(files: tuple[SheetFile, ...]) -> str:
    """The README's tables: the account, and the rows that show something."""
    account = [f"| {file.sheet} | " + " | ".join(map(str, _account(file).values())) + " |" for file in files]
    shown = [
        f"| {file.sheet} | {row} | {_cell(record.shows)} | {record.state} "
        f"| {', '.join(sorted(record.codes))} | {record.patient or ''} | {record.via or ''} |"
        for file in files
        for row, record in file.records()
        if record.shows
    ]
    return "\n".join(
        [
            "| sheet | records | malformed | blank lines | ready | held | waiting | rejected |",
            "|---" * 8 + "|",
            *account,
            "",
            "| sheet | row | what it shows | state | codes | patient | via |",
            "|---" * 7 + "|",
            *shown,
            "",
        ]
    )


def readme(text: str, files: tuple[SheetFile, ...]) -> str:
    """The README's text with its tables written anew between their marks."""
    before, rest = text.split(TABLE_BEGINS)
    _, after = rest.split(TABLE_ENDS)
    return before + TABLE_BEGINS + table(files) + TABLE_ENDS + after


def contents(folder: Path) -> dict[str, bytes]:
    """File name → bytes of everything that is written; the README's prose is read from `folder`."""
    files = practice()
    prose = (folder / "README.md").read_text(encoding="utf-8")
    return {
        **{file.name: file.data() for file in files},
        "expected.json": expected(files).encode(),
        "README.md": readme(prose, files).encode(),
    }


def main() -> None:
    """Write everything beside this module."""
    folder = Path(__file__).parent
    for name, data in contents(folder).items():
        (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
