"""The generator makes a practice of any size, the same for a seed, with faults that are known."""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from sample_data import SHEET_NAMES, generate
from sample_data.batches import NhsRange, nhs_numbers
from sample_data.dirt import FAULTS
from sample_data.generate import Manifest, Practice
from stager.sheets import SHEET, Code

SMALL = Practice(patients=300, background=400, notes=1500, medications=600, seed=7, dirt=0.0)
DIRTY = Practice(patients=300, background=900, notes=1500, medications=900, seed=7, dirt=0.15)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small practice without faults."""
    out = tmp_path_factory.mktemp("clean")
    generate.generate(out, SMALL)
    return out


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    """A small practice with faults in one row of seven."""
    out = tmp_path_factory.mktemp("dirty")
    return out, generate.generate(out, DIRTY)


def _rows(folder: Path, sheet: str) -> list[dict[str, str]]:
    with (folder / f"{sheet}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def _records(folder: Path, sheet: str) -> list[list[str] | None]:
    """The records below the header, None for one that cannot be parsed: a quote must close in two lines."""
    lines = (folder / f"{sheet}.csv").read_text(encoding="utf-8").split("\n")[1:-1]
    width, at = len(SHEET[sheet].columns), 0
    records: list[list[str] | None] = []
    while at < len(lines):
        taken = 1 if lines[at].count('"') % 2 == 0 else 2
        try:
            (cells,) = csv.reader(["\n".join(lines[at : at + taken])], strict=True)
        except (csv.Error, ValueError):
            cells, taken = [], 1
        records.append(cells if len(cells) == width else None)
        at += taken
    return records


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, clean: Path) -> None:
    """Generating twice gives equal files and manifests; another seed gives others."""
    generate.generate(tmp_path / "again", SMALL)
    generate.generate(tmp_path / "other", replace(SMALL, seed=8))
    for name in (*(f"{sheet}.csv" for sheet in SHEET_NAMES), "manifest.json"):
        same = (clean / name).read_bytes()
        assert (tmp_path / "again" / name).read_bytes() == same
        assert (tmp_path / "other" / name).read_bytes() != same


@pytest.mark.parametrize("sheet", SHEET_NAMES)
def test_files_have_the_columns_and_rows_asked_for(clean: Path, sheet: str) -> None:
    """Python's csv reads as many records as were asked for, under the specification's headers."""
    rows = _rows(clean, sheet)
    assert list(rows[0]) == [column.name for column in SHEET[sheet].columns]
    assert len(rows) == getattr(SMALL, sheet)
    assert len({tuple(row.values()) for row in rows}) == len(rows)
    assert all(row[column.name] for row in rows for column in SHEET[sheet].required)


def test_words_belong_to_their_vocabularies(clean: Path) -> None:
    """Every word that is given, but for gender's synonyms, is one of its column's vocabulary."""
    for sheet in SHEET_NAMES:
        for column in SHEET[sheet].columns:
            if column.vocabulary and column.field != "gender":
                given = {row[column.name] for row in _rows(clean, sheet)} - {""}
                assert given <= set(column.vocabulary), column.name


def test_patients_are_different_and_their_numbers_valid(clean: Path) -> None:
    """IDs, NHS numbers, addresses and names with birth dates are each one patient's; modulus 11 holds."""
    rows = _rows(clean, "patients")
    for column in ("LegacyPatientID", "NHS Number", "Email Address"):
        given = [row[column] for row in rows if row[column]]
        assert len(set(given)) == len(given) > len(rows) / 3
    assert len({(row["First Name"], row["Last Name"], row["Date of Birth"]) for row in rows}) == len(rows)
    for row in rows:
        number = row["NHS Number"]
        weights = [*range(10, 1, -1), 1]
        assert sum(int(digit) * weight for digit, weight in zip(number, weights, strict=False)) % 11 == 0
        assert number[:3] in ("999", "")
        assert "1930-01-01" <= row["Date of Birth"] < "2014-01-06"


def test_references_find_one_patient(clean: Path) -> None:
    """Every reference is a legacy ID, NHS number or address of one patient, and each way occurs."""
    people = _rows(clean, "patients")
    ways: Counter[str] = Counter()
    for sheet in SHEET_NAMES[1:]:
        for row in _rows(clean, sheet):
            found = [
                column
                for column in ("LegacyPatientID", "NHS Number", "Email Address")
                for person in people
                if person[column] == row["PatientID"]
            ]
            assert len(found) == 1
            ways.update(found)
    assert ways["LegacyPatientID"] > 0.9 * ways.total()
    assert len(ways) == 3


def test_practitioners_are_clinicians(clean: Path) -> None:
    """Practitioner references name clinicians of the practice by legacy ID or address."""
    staff = [row for row in _rows(clean, "patients") if row["Role"] == "CLINICIAN"]
    keys = {row[column] for row in staff for column in ("LegacyPatientID", "Email Address")}
    given = {row["Practitioner ID"] for sheet in ("notes", "medications") for row in _rows(clean, sheet)}
    assert given - {""} <= keys
    assert len(staff) == SMALL.staff


def test_notes_read_like_notes(clean: Path) -> None:
    """Notes are 90 to 130 characters on average; some have line breaks, some quotes."""
    texts = [row["Clinical Note Text"] for row in _rows(clean, "notes")]
    assert 90 <= sum(map(len, texts)) / len(texts) <= 130
    assert sum("\n" in text for text in texts) > len(texts) / 50
    assert sum('"' in text for text in texts) > len(texts) / 50
    assert len(set(texts)) > 0.9 * len(texts)


def test_a_practice_of_several_batches_repeats_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a batch ends shows in no record: counts hold, no record stands twice, dates ascend."""
    monkeypatch.setattr(generate, "BATCH", 400)
    generate.generate(tmp_path, SMALL)
    rows = _rows(tmp_path, "notes")
    assert len({tuple(row.values()) for row in rows}) == len(rows) == SMALL.notes
    days = [row["Consultation Date"][:10] for row in rows]
    assert days == sorted(days)


@pytest.mark.parametrize("sheet", SHEET_NAMES)
def test_the_manifest_names_the_malformed_rows(dirty: tuple[Path, Manifest], sheet: str) -> None:
    """The records that cannot be parsed are exactly those that the manifest calls malformed."""
    out, manifest = dirty
    records = _records(out, sheet)
    assert len(records) == manifest.files[sheet].rows == getattr(DIRTY, sheet)
    named = {bad.row for bad in manifest.spoilt if (bad.sheet, bad.code) == (sheet, "row.malformed")}
    assert {row for row, cells in enumerate(records, start=1) if cells is None} == named != set()


@pytest.mark.parametrize("sheet", SHEET_NAMES)
def test_faults_stand_where_the_manifest_says(dirty: tuple[Path, Manifest], sheet: str) -> None:
    """Every fault with a cell of its own is found in its row's cell; every kind of fault occurs."""
    out, manifest = dirty
    records = _records(out, sheet)
    faults = {fault.name: fault for fault in FAULTS[sheet]}
    spoilt = [bad for bad in manifest.spoilt if bad.sheet == sheet]
    fields = [column.name for column in SHEET[sheet].columns]
    for bad in spoilt:
        fault, cells = faults[bad.fault], records[bad.row - 1]
        assert bad.code == fault.code in {code.value for code in Code}
        if bad.fault == "repeated":
            assert cells == records[bad.row - 2]
        elif bad.fault == "leading zeros dropped":
            assert cells is not None
            assert not cells[0].startswith("0")
        elif fault.column:
            assert cells is not None
            assert cells[fields.index(fault.column)] == (fault.value or "")
    assert {bad.fault for bad in spoilt} == set(faults)
    assert 0.1 < len(spoilt) / len(records) < 0.2


def test_the_account_follows_from_the_faults(dirty: tuple[Path, Manifest]) -> None:
    """A clinical row without a fault waits for a patient whose row is spoilt, and loses a malformed one."""
    out, manifest = dirty
    fate = {bad.row: bad.code for bad in manifest.spoilt if bad.sheet == "patients"}
    patients = {cells[0]: row for row, cells in enumerate(_records(out, "patients"), start=1) if cells}
    spoilt = {bad.row: bad.code for bad in manifest.spoilt if bad.sheet == "notes"}
    states: Counter[str] = Counter()
    for row, cells in enumerate(_records(out, "notes"), start=1):
        if row in spoilt:
            bad = spoilt[row] in ("row.malformed", "value.missing", "value.invalid")
            states["rejected" if bad else "held"] += 1
        elif cells and cells[0].startswith("0") and cells[0] not in patients:
            states["held"] += 1
        else:
            assert cells is not None
            states["waiting" if patients.get(cells[0]) in fate else "ready"] += 1
    assert manifest.files["notes"].account == dict(states)
    assert len(states) == 4


def test_the_manifest_file_says_the_same(dirty: tuple[Path, Manifest]) -> None:
    """`manifest.json` holds the manifest, and its sizes are the files' sizes."""
    out, manifest = dirty
    written = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert written["practice"]["nhs_range"] == "test"
    assert len(written["spoilt"]) == len(manifest.spoilt)
    for facts in written["files"].values():
        assert facts["size"] == (out / facts["file"]).stat().st_size
        assert sum(facts["account"].values()) == facts["rows"]


def test_ranges_of_nhs_numbers() -> None:
    """The issued range begins with 4; the test range gives half a million numbers and refuses a million."""
    assert set(nhs_numbers(50, NhsRange.ISSUED, 1).str.head(1)) == {"4"}
    assert nhs_numbers(500_000, NhsRange.TEST, 1).n_unique() == 500_000
    with pytest.raises(ValueError, match="too few NHS numbers"):
        nhs_numbers(1_000_000, NhsRange.TEST, 1)


def test_impossible_practices_are_refused() -> None:
    """A practice that would repeat records, or a share that is none, is refused."""
    with pytest.raises(ValueError, match="4 patients or more"):
        Practice(patients=3)
    with pytest.raises(ValueError, match="rows of a sheet for each"):
        Practice(patients=10, notes=100_000)
    with pytest.raises(ValueError, match="share of the rows"):
        Practice(dirt=1.5)


def test_the_command_says_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command line writes the practice asked for and names each file; a bad option ends with 2."""
    arguments = [
        str(tmp_path),
        "--patients",
        "40",
        "--background",
        "10",
        "--notes",
        "20",
        "--medications",
        "10",
    ]
    generate.main([*arguments, "--nhs-range", "issued", "--dirt", "0"])
    assert "notes.csv: 20 rows" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        generate.main([*arguments, "--dirt", "2"])
    assert ended.value.code == 2
