"""A practice whose every cell is marked, so that it is known again wherever it should not be."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from tests.spine import forms_of

STEM = "Qvxzkarn"
"""Every marked text has it, so that one search finds them all; a number behind it says which cell it was."""
LEGACY = "Jwqlegvy"
"""The same for LegacyPatientIDs, which `stager rows` shows and nothing else does."""


def nhs_number(nine: str) -> str:
    """The number of these nine digits with its modulus-11 check digit."""
    check = 11 - sum(int(digit) * (10 - place) for place, digit in enumerate(nine)) % 11
    assert check != 10, "no number begins with these nine digits"
    return nine + str(check % 11)


NHS = [nhs_number(nine) for nine in ("431286759", "438195027", "447602913", "459217386")]
PHONES = ["07700900461", "07700900873", "+442079460764"]
DAYS = ["1931-07-23", "1937-10-29", "1943-02-27"]
CODES = ["73211009", "195967001", "10939881000119104"]
QUANTITIES = ["7351902 tablets"]
NUMBERS = [*NHS, *PHONES, *DAYS, *CODES[1:], *QUANTITIES, "7351902"]
"""Cells that cannot hold a marked word: valid numbers and days that nothing else here has."""


SheetRow = dict[str, str]


class Marks:
    """Texts that are found again, each once."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def __call__(self, before: str = "", after: str = "", stem: str = STEM) -> str:
        self.made.append(f"{stem}{len(self.made):04d}")
        return before + self.made[-1] + after


def patients(mark: Marks, ids: list[str]) -> list[SheetRow]:
    """Good, held and rejected patients, a doctor, and pairs who share what must be one person's."""
    rows = [
        {
            "LegacyPatientID": legacy,
            "First Name": mark(),
            "Last Name": mark(" ", " "),
            "Date of Birth": DAYS[number % 3],
            "NHS Number": NHS[number] if number < len(NHS) else "",
            "Email Address": mark(after="@example.org"),
            "Mobile Phone": PHONES[number % 3],
            "Gender": "f",
            "Street Address": mark("1 ", " Road"),
            "City": mark(),
            "Postcode": "ze1 0aa",
            "Emergency Contact Name": mark(),
            "Emergency Contact Phone": PHONES[2],
            "Role": "",
            "Private": mark(),
        }
        for number, legacy in enumerate(ids)
    ]
    rows[1]["Role"] = "Doctor"
    rows[2] |= {"Gender": mark(), "Mobile Phone": mark(), "Postcode": mark(), "NHS Number": mark()}
    rows[3] |= {"Role": mark(), "Email Address": mark()}
    rows[4] |= {"Last Name": ""}
    rows[5] |= {"Date of Birth": mark()}
    rows[6] |= {"NHS Number": NHS[0]}
    rows[7] |= {"LegacyPatientID": ids[8]}
    rows[8] |= {"Email Address": rows[0]["Email Address"].upper()}
    rows[4] |= {"Email Address": ids[11]}
    rows[9] |= {name: rows[1][name] for name in ("First Name", "Last Name", "Date of Birth")}
    rows[10] |= {"First Name": f"=cmd|{mark()}", "Last Name": f"[/{mark()}]", "City": f"\x1b[2J{mark()}"}
    return rows


def clinical(mark: Marks, ids: list[str], row: SheetRow, faults: Sequence[SheetRow]) -> list[SheetRow]:
    """Rows of a clinical sheet: one for each way of naming the patient, and one for each fault."""
    references = [
        *ids[:6],
        ids[8],
        ids[11],
        NHS[1],
        mark(),
        mark(after="@example.org"),
        f"0{ids[0]}",
        ids[0] + ".0",
    ]
    rows = [{"PatientID": reference, **row} for reference in references]
    rows += [{"PatientID": ids[0], **row, **fault} for fault in faults]
    marked = [
        {name: cell.replace("*", mark()) for name, cell in {**each, "Private": "*"}.items()} for each in rows
    ]
    return [*marked, marked[0]]


def sheets(mark: Marks) -> dict[str, list[SheetRow]]:
    """The four sheets, a marked value in every column that can hold one."""
    ids = [mark(stem=LEGACY) for _ in range(11)] + [mark(stem=LEGACY, after="@example.org")]
    return {
        "patients": patients(mark, ids),
        "background": clinical(
            mark,
            ids,
            {
                "Name": "*",
                "Type": "allergy",
                "OnsetDate": "2001-02-03",
                "ClinicalCode": CODES[1],
            },
            [
                {"Type": "*"},
                {"OnsetDate": "*"},
                {"OnsetDate": "2099-01-02"},
                {"Severity": "*", "Status": "*"},
                {"ClinicalCode": "*"},
                {"ClinicalCode": CODES[2]},
                {"OnsetDate": "1890-01-01"},
                {"Name": ""},
            ],
        ),
        "notes": clinical(
            mark,
            ids,
            {
                "Consultation Date": "2011-12-13 14:15",
                "Clinical Note Text": 'saw "*",\r\nthen *\r\n\\.\r\n',
                "Practitioner ID": ids[1],
                "Note Type": "gp",
                "Diagnosis": "*",
                "ClinicalCode": CODES[1],
            },
            [
                {"Consultation Date": "*"},
                {"Consultation Date": "2023-03-26 01:30"},
                {"Practitioner ID": "*"},
                {"Note Type": "*"},
                {"Clinical Note Text": ""},
            ],
        ),
        "medications": clinical(
            mark,
            ids,
            {
                "Drug Name": "*",
                "Frequency / Instructions": "*",
                "Prescription Date": "2012-05-06",
                "Dosage / Strength": "*",
                "Quantity Authorised": QUANTITIES[0],
                "Practitioner ID": "",
            },
            [
                {"Prescription Date": "*"},
                {"Quantity Authorised": "*"},
                {"Status": "*"},
                {"Practitioner ID": "*@example.org"},
                {"Drug Name": ""},
            ],
        ),
    }


def sheet_bytes(rows: list[SheetRow], mark: Marks) -> bytes:
    """A sheet's file with an unknown column, and lines that are no record: too short, too long, broken."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    short, long, quoted = mark(), ",".join(mark() for _ in range(40)), f'x,"{mark()}" {mark()},y'
    broken = f'{mark()},"{mark()}'
    undecodable = b"x," + mark().encode() + b"\xff\xfe," + mark().encode()
    lines = [line.encode() for line in (short, long, quoted, broken)]
    return text.getvalue().encode() + b"\r\n".join([*lines, undecodable, b""])


def needles(*, legacy: bool = True) -> list[bytes]:
    """What is looked for: the stems in either case and the numbers, each in every form."""
    words = [STEM, STEM.lower(), STEM.upper()]
    words += [LEGACY, LEGACY.lower(), LEGACY.upper()] if legacy else []
    return forms_of([*words, *NUMBERS])


def shown(content: bytes, sought: Sequence[bytes]) -> list[bytes]:
    """What of it is there, with what stands around it."""
    places = [(content.find(each), each) for each in sought]
    return [content[max(0, place - 40) : place + len(each) + 40] for place, each in places if place >= 0]
