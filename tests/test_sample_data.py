"""The made-up practice is what it says: its files, its faults and what is expected of each row."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sample_data import SHEET_NAMES, practice_files
from sample_data.made_up import verhoeff_digit
from sample_data.write_practice import contents
from stager.sheets import REJECTING, SHEETS, Code, fold_header

FOLDER = next(iter(practice_files().values())).parent
EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))
CLINICAL = SHEET_NAMES[1:]
DIALECTS = {
    "patients": ("utf-8", ",", b"\xef\xbb\xbf"),
    "background": ("cp1252", ";", b""),
    "notes": ("utf-8", ",", b""),
    "medications": ("utf-16-le", "\t", b"\xff\xfe"),
}


@dataclass(frozen=True)
class Parsed:
    """A file as this test reads it: header, good records by row number, malformed rows, blank lines."""

    header: list[str]
    good: dict[int, dict[str, str]]
    malformed: set[int]
    blank: int


def _lines(sheet: str) -> list[str | None]:
    """The physical lines with their line ends; None for one whose bytes do not decode."""
    encoding, _, mark = DIALECTS[sheet]
    data = practice_files()[sheet].read_bytes().removeprefix(mark)
    lines: list[str | None] = []
    for raw in data.splitlines(keepends=True) if encoding != "utf-16-le" else _wide_lines(data):
        try:
            lines.append(raw.decode(encoding))
        except UnicodeDecodeError:
            lines.append(None)
    return lines if lines[-1] != "" else lines[:-1]


def _wide_lines(data: bytes) -> list[bytes]:
    units = [data[at : at + 2] for at in range(0, len(data), 2)]
    lines, line = [], b""
    for unit in units:
        line += unit
        if unit == b"\n\x00":
            lines.append(line)
            line = b""
    return [*lines, line]


def _record(lines: list[str | None], delimiter: str, width: int | None) -> tuple[list[str], int] | None:
    """The record that begins the lines and how many of them it takes; None if the first is broken."""
    text = ""
    for count, line in enumerate(lines[:20], start=1):
        if line is None:
            return None
        text += line
        if text.count('"') % 2:
            continue
        try:
            rows = list(csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True))
        except csv.Error:
            return None
        return (rows[0], count) if len(rows) == 1 and width in (None, len(rows[0])) else None
    return None


def _parse(sheet: str) -> Parsed:
    lines, delimiter = _lines(sheet), DIALECTS[sheet][1]
    first = _record(lines, delimiter, None)
    assert first is not None
    header, at = first
    good: dict[int, dict[str, str]] = {}
    malformed: set[int] = set()
    row = blank = 0
    while at < len(lines):
        if (lines[at] or "x").strip("\r\n") == "":
            blank, at = blank + 1, at + 1
            continue
        row += 1
        found = _record(lines[at:], delimiter, len(header))
        if found is None:
            malformed.add(row)
            at += 1
        else:
            good[row] = dict(zip(header, found[0], strict=True))
            at += found[1]
    return Parsed(header, good, malformed, blank)


PARSED = {sheet: _parse(sheet) for sheet in SHEET_NAMES}


def _expected(sheet: str) -> dict[int, dict[str, Any]]:
    return {row["row"]: row for row in EXPECTED[sheet]}


def _valid_nhs(text: str) -> str | None:
    """The ten digits of an NHS number that passes modulus 11 and is no placeholder."""
    digits = re.sub(r"[ -]", "", text)
    if not re.fullmatch(r"[0-9]{10}", digits) or len(set(digits)) == 1:
        return None
    total = sum(int(digit) * weight for digit, weight in zip(digits, range(10, 1, -1), strict=False))
    return digits if (total + int(digits[9])) % 11 == 0 else None


def _keys() -> dict[str, dict[str, list[int]]]:
    """Key → its value → the patients' rows that have it."""
    keys: dict[str, dict[str, list[int]]] = {"legacy_id": {}, "nhs_number": {}, "email": {}}
    for row, cells in PARSED["patients"].good.items():
        values = {
            "legacy_id": cells["LegacyPatientID"].strip(),
            "nhs_number": _valid_nhs(cells["NHS No"]) or "",
            "email": cells["Email Address"].strip().casefold(),
        }
        for key, value in values.items():
            if value:
                keys[key].setdefault(value, []).append(row)
    return keys


KEYS = _keys()


def _linked(reference: str) -> tuple[str | None, int | None, str | None]:
    """The key that links a reference, the patient's row, or the finding instead."""
    text = reference.strip()
    tried = {"legacy_id": text, "nhs_number": _valid_nhs(text) or "", "email": text.casefold()}
    found = {key: KEYS[key][value] for key, value in tried.items() if value in KEYS[key]}
    if not found:
        return None, None, "link.unresolved"
    via, rows = next(iter(found.items()))
    if len(rows) > 1:
        return None, None, "link.ambiguous"
    if any(other != rows for other in found.values()):
        return None, None, "link.conflict"
    return via, rows[0], None


def _practitioner(reference: str) -> int | None:
    text = reference.strip()
    rows = KEYS["legacy_id"].get(text) or KEYS["email"].get(text.casefold()) or []
    people = PARSED["patients"].good
    staff = [row for row in rows if people[row]["Role"].upper() not in ("", "PATIENT")]
    return staff[0] if len(staff) == 1 else None


def test_files_are_as_written_by_the_script() -> None:
    """The files in the repository are, byte for byte, what `write_practice` writes."""
    for name, data in contents(FOLDER).items():
        assert (FOLDER / name).read_bytes() == data, name


@pytest.mark.parametrize("sheet", SHEET_NAMES)
def test_every_record_has_an_expected_outcome(sheet: str) -> None:
    """Reading the file with Python's csv gives the records, malformed records and blank lines expected."""
    parsed, account = PARSED[sheet], EXPECTED["account"][sheet]
    assert sorted([*parsed.good, *parsed.malformed]) == [row["row"] for row in EXPECTED[sheet]]
    assert len(parsed.good) + len(parsed.malformed) == account["records"]
    assert parsed.blank == account["blank"] > 0
    malformed = {row for row, outcome in _expected(sheet).items() if "row.malformed" in outcome["codes"]}
    assert parsed.malformed == malformed
    assert len(malformed) == account["malformed"] > 0


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_headers_belong_to_the_sheet(sheet: Any) -> None:
    """Each header is a column or an alias of one; the patients have one unknown column besides."""
    known = {
        fold_header(name): column.field for column in sheet.columns for name in (column.name, *column.aliases)
    }
    fields = [known.get(fold_header(header)) for header in PARSED[sheet.name].header]
    assert fields.count(None) == (1 if sheet.name == "patients" else 0)
    assert set(fields) - {None} == set(sheet.fields)


def test_encodings_differ() -> None:
    """UTF-8 with mark, Windows-1252, UTF-8 and UTF-16 occur, and Windows-1252 is no UTF-8."""
    data = {sheet: path.read_bytes() for sheet, path in practice_files().items()}
    for sheet, (_, _, mark) in DIALECTS.items():
        assert data[sheet].startswith(mark)
    assert "£" in data["background"].decode("cp1252")
    for sheet in ("patients", "background"):
        with pytest.raises(UnicodeDecodeError):
            data[sheet].decode("utf-8")
    assert not data["background"].endswith(b"\n")


def test_every_finding_occurs() -> None:
    """Each code that a row can get by ingest and reconcile is shown by a row at least."""
    shown = {code for sheet in SHEET_NAMES for row in EXPECTED[sheet] for code in row["codes"]}
    unseen = {Code.VALUE_NORMALISED, Code.VALUE_DEFAULTED, Code.PUBLISH_REFUSED}
    assert shown == {code.value for code in Code if code not in unseen}


@pytest.mark.parametrize("sheet", SHEET_NAMES)
def test_states_follow_from_codes(sheet: str) -> None:
    """Rejecting codes reject, other findings hold, waiting stands alone, and no code means ready."""
    rejecting = {code.value for code in REJECTING}
    for outcome in EXPECTED[sheet]:
        codes = set(outcome["codes"])
        if codes & rejecting:
            state = "rejected"
        elif codes == {"patient.waiting"}:
            state = "waiting"
        else:
            state = "held" if codes else "ready"
        assert outcome["state"] == state, outcome
        assert codes == {"patient.waiting"} or "patient.waiting" not in codes
        assert outcome["codes"] == sorted(codes)
        assert (outcome["patient"] is None) == (outcome["via"] is None)


@pytest.mark.parametrize("sheet", SHEET_NAMES)
def test_account_is_the_sum_of_states(sheet: str) -> None:
    """Each sheet's account balances, and most of its rows are ready."""
    account = EXPECTED["account"][sheet]
    states = Counter(row["state"] for row in EXPECTED[sheet])
    assert {state: account[state] for state in ("ready", "held", "waiting", "rejected")} == states | {
        "waiting": states["waiting"]
    }
    assert account["records"] == sum(states.values())
    assert states["ready"] > account["records"] / 2


@pytest.mark.parametrize("sheet", CLINICAL)
def test_links_follow_the_cascade(sheet: str) -> None:
    """Legacy ID, then NHS number, then e-mail: the expected links and link findings are those."""
    outcomes = _expected(sheet)
    for row, cells in PARSED[sheet].good.items():
        outcome = outcomes[row]
        if outcome["state"] == "rejected":
            assert outcome["patient"] is None
            continue
        via, patient, finding = _linked(cells["PatientID"])
        legacy_id = PARSED["patients"].good[patient]["LegacyPatientID"].strip() if patient else None
        assert (outcome["patient"], outcome["via"]) == (legacy_id, via), row
        assert [code for code in outcome["codes"] if code.startswith("link.")] == (
            [finding] if finding else []
        )


@pytest.mark.parametrize("sheet", CLINICAL)
def test_rows_wait_for_people_who_are_not_ready(sheet: str) -> None:
    """A row without findings of its own waits exactly when its patient or practitioner is not ready."""
    outcomes, people = _expected(sheet), _expected("patients")
    for row, cells in PARSED[sheet].good.items():
        outcome = outcomes[row]
        reference = cells.get("Practitioner ID") or cells.get("Prescriber") or ""
        practitioner = _practitioner(reference)
        if outcome["state"] != "rejected":
            lost = bool(reference) and practitioner is None
            assert ("practitioner.unresolved" in outcome["codes"]) == lost, row
        if outcome["state"] in ("ready", "waiting"):
            _, patient, _ = _linked(cells["PatientID"])
            needed = [person for person in (patient, practitioner) if person]
            late = any(people[person]["state"] != "ready" for person in needed)
            assert outcome["state"] == ("waiting" if late else "ready"), row


@pytest.mark.parametrize("sheet", SHEET_NAMES)
def test_only_rows_that_say_so_repeat(sheet: str) -> None:
    """A record stands twice to the letter only where the later one is expected as repeated."""
    seen: set[tuple[str, ...]] = set()
    for row, cells in PARSED[sheet].good.items():
        key = tuple(cells.values())
        assert (key in seen) == ("row.repeated" in _expected(sheet)[row]["codes"]), row
        seen.add(key)


def test_clinical_dates_before_birth_or_in_the_future_are_suspect() -> None:
    """Every date before its patient's birth or after 2025 is expected as suspect, and both occur."""
    people, early, late = PARSED["patients"].good, 0, 0
    for sheet, column in (("background", 3), ("notes", 1), ("medications", 3)):
        for row, cells in PARSED[sheet].good.items():
            outcome, day = _expected(sheet)[row], list(cells.values())[column]
            if outcome["state"] == "rejected":
                continue
            _, patient, _ = _linked(cells["PatientID"])
            before = (
                patient is not None and day[:10] < people[patient]["DOB"] and people[patient]["DOB"][4] == "-"
            )
            early, late = early + before, late + (day > "2026")
            assert not (before or day > "2026") or "value.suspect" in outcome["codes"], row
    assert early > 0
    assert late > 0


def test_people_cannot_be_real() -> None:
    """NHS numbers are valid ones of the 999 range but for three faults; telephones are Ofcom's for drama."""
    faulty = []
    for row, cells in PARSED["patients"].good.items():
        if cells["NHS No"]:
            number = _valid_nhs(cells["NHS No"])
            assert number is None or number.startswith("999")
            faulty += [row] if number is None else []
        for column in ("Mobile Phone", "Emergency Contact Phone"):
            digits = re.sub(r"\D", "", cells[column])
            assert not digits or re.fullmatch(r"07700900\d{3}|01632960\d{3}", digits), row
        assert re.fullmatch(r"(.+@example\.org)?|greta\.atless", cells["Email Address"], re.IGNORECASE), row
    assert len(faulty) == 3
    assert all(_expected("patients")[row]["codes"] == ["value.suspect"] for row in faulty)


def test_clinical_codes_have_check_digits() -> None:
    """Codes of digits pass Verhoeff's check, which known SNOMED CT codes confirm, but for the damaged one."""
    assert all(
        verhoeff_digit(code[:-1]) == code[-1] for code in ("91936005", "22298006", "10939881000119105")
    )
    bad = []
    for sheet, column in (("background", "SNOMED Code"), ("notes", "ClinicalCode")):
        for row, cells in PARSED[sheet].good.items():
            code = cells[column]
            if code.isdigit() and verhoeff_digit(code[:-1]) != code[-1]:
                bad.append((sheet, row, code))
    assert [code for _, _, code in bad] == ["10939881000119104"]
    assert all(_expected(sheet)[row]["codes"] == ["value.suspect"] for sheet, row, _ in bad)


def test_readme_lists_what_is_expected() -> None:
    """Each row of the README's table says the state, codes and link that `expected.json` says."""
    rows = [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in (FOLDER / "README.md").read_text(encoding="utf-8").splitlines()
        if re.match(r"\| (patients|background|notes|medications) \| \d+ \| \D", line)
    ]
    listed = {(sheet, int(row)) for sheet, row, *_ in rows}
    for sheet, row, _, state, codes, patient, via in rows:
        outcome = _expected(sheet)[int(row)]
        assert (state, codes) == (outcome["state"], ", ".join(outcome["codes"])), (sheet, row)
        assert (patient, via) == (outcome["patient"] or "", outcome["via"] or "")
    telling = {(sheet, row["row"]) for sheet in SHEET_NAMES for row in EXPECTED[sheet] if row["codes"]}
    assert telling <= listed


def test_practice_files_name_the_sheets_in_order() -> None:
    """`practice_files` gives a file for each sheet, in the order of the foreign keys."""
    assert list(practice_files()) == [sheet.name for sheet in SHEETS]
    assert all(path.is_file() and isinstance(path, Path) for path in practice_files().values())
