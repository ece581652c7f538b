"""What is refused before anything is staged: exit 3, a sentence, a hint, and never a patient's value."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import zipfile
from pathlib import Path

import pytest

from stager.errors import InputRefused, IntegrityFailed
from stager.ingest import blocks
from stager.ingest.mapping import Mapping
from stager.ingest.reader import ReadOptions, open_source
from stager.sheets import SHEETS

HEAD = "PatientID,Consultation Date,Clinical Note Text\n"
GOOD = HEAD + "p1,2020-01-01,note\n"


def refused(path: Path, **options: str) -> InputRefused:
    """The refusal of this file, with its exit code and hint checked."""
    with pytest.raises(InputRefused) as caught:
        open_source(path, ReadOptions(**options))  # type: ignore[arg-type]
    assert caught.value.exit_code == 3
    assert caught.value.hint
    assert caught.value.where is not None
    return caught.value


def saved(folder: Path, data: bytes | str, name: str = "notes.csv") -> Path:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    """A missing file, a folder, a pipe, a device, a link and a name that no file can have."""
    good = saved(tmp_path, GOOD)
    (tmp_path / "link.csv").symlink_to(good)
    os.mkfifo(tmp_path / "pipe.csv")
    assert "no such file" in refused(tmp_path / "none.csv").message
    assert "no such file" in refused(good / "below.csv").message
    assert "no such file" in refused(Path("https://example.org/notes.csv")).message
    assert "folder" in refused(tmp_path).message
    assert "not a regular file" in refused(tmp_path / "pipe.csv").message
    assert "not a regular file" in refused(Path("/dev/null")).message
    assert "symbolic link" in refused(tmp_path / "link.csv").message
    assert "no such file" in refused(tmp_path / "a\0b.csv").message
    assert "too long" in refused(tmp_path / ("x" * 300)).message


@pytest.mark.parametrize(
    "name", ["p[12].csv", "x*.csv", "?", "a b;c.csv", "%s.csv", "~", "$HOME", "-", "é\u202e.csv"]
)
def test_a_name_is_taken_to_the_letter(tmp_path: Path, name: str) -> None:
    """A name with pattern signs reads that file, beside others that the pattern would match."""
    for other in ("p1.csv", "p2.csv", "xy.csv", "q"):
        saved(tmp_path, "LegacyPatientID,First Name,Last Name,Date of Birth\nother,o,o,2000-01-01\n", other)
    source = open_source(saved(tmp_path, GOOD, name), ReadOptions())
    assert source.file_name == name
    assert [row for block in source.blocks() for row in block.rows["patient_ref"]] == ["p1"]


def test_a_pattern_that_matches_files_is_no_file(tmp_path: Path) -> None:
    """`p[12].csv` where only p1.csv is there is no file."""
    saved(tmp_path, GOOD, "p1.csv")
    assert "no such file" in refused(tmp_path / "p[12].csv").message
    assert "no such file" in refused(tmp_path / "*.csv").message


def test_a_name_that_is_no_utf_8_can_be_told(tmp_path: Path) -> None:
    """Undecodable bytes of a name are shown as escapes, so that it can be kept as text."""
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.csv"))
    path.write_text(GOOD)
    assert open_source(path, ReadOptions()).file_name == "\\xff.csv"


def test_other_kinds_of_file_are_named(tmp_path: Path) -> None:
    """Spreadsheets, archives, PDFs and binary data are refused by what they are."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("notes.csv", GOOD)
    kinds = {
        "spreadsheet": (tmp_path / "a.zip").read_bytes(),
        ".xls": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100),
        "PDF": b"%PDF-1.7\n",
        "gzip": gzip.compress(GOOD.encode()),
        "zstd": b"\x28\xb5\x2f\xfd" + GOOD.encode(),
        "bzip2": bz2.compress(GOOD.encode()),
        "xz": lzma.compress(GOOD.encode()),
        "binary": bytes(range(256)) + bytes(200),
    }
    for word, data in kinds.items():
        assert word in refused(saved(tmp_path, data)).message


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"\xff\xfe", "empty"),
        (b"\n \n\t\n", "no header"),
        (b'PatientID,"Consultation Date,Clinical Note Text\n', "quotes do not match"),
        (b"Patient\0ID,Consultation Date,Clinical Note Text\n", "damaged"),
        (b"PatientID,Consultation Date\np,2020-01-01\n", "Clinical Note Text"),
        (b"PatientID,Patient Ref,Consultation Date,Clinical Note Text\n", None),
        (HEAD.strip().encode() + b",PatientID\n", "twice"),
        (HEAD.strip().encode() + b",patient_id\n", "twice"),
        (HEAD.strip().encode() + b",Odd,Odd\n", "twice"),
        (b"DOB,Birth Date,LegacyPatientID,First Name,Last Name\n", "twice"),
        (("," * 50_000).encode() + b"\n", "columns"),
        ((HEAD.strip() + "," + ",".join(f"c{i}" for i in range(1000)) + "\n").encode(), "columns"),
    ],
)
def test_a_header_that_will_not_do_is_refused(tmp_path: Path, data: bytes, word: str | None) -> None:
    """Empty, broken, incomplete, doubled and endless headers; an alias beside its column is none of them."""
    if word is None:
        columns = open_source(saved(tmp_path, data), ReadOptions()).columns
        assert [column.field for column in columns][:2] == ["patient_ref", None]
        return
    assert word in refused(saved(tmp_path, data)).message


def test_a_missing_column_is_named_with_the_nearest_header(tmp_path: Path) -> None:
    """The sheet, what it needs, and the header that was probably meant."""
    error = refused(saved(tmp_path, "LegacyPatientID,First Name,Last Name,Date of Brith\n"))
    assert error.message == "the header lacks required columns of the sheet patients: Date of Birth"
    assert 'nearest header to Date of Birth seen: "Date of Brith"' in error.hint
    assert "LegacyPatientID, First Name, Last Name, Date of Birth" in error.hint


@pytest.mark.parametrize("header", ["a,b", "x;y;z", "Shoe size,Ref No,Sex"])
def test_a_header_of_no_sheet_is_told_every_sheets_columns(tmp_path: Path, header: str) -> None:
    """Where nothing or one alias alone is known, no sheet is guessed at."""
    error = refused(saved(tmp_path, f"{header}\n1,2\n"))
    assert (
        error.message == "the header is that of none of the sheets patients, background, notes, medications"
    )
    for sheet in SHEETS:
        assert f"{sheet.name} needs the columns {sheet.required[0].name}" in error.hint
    assert "the first line must be the header" in error.hint
    assert "nearest" not in error.hint


def test_the_nearest_header_is_shown_also_where_no_sheet_is_near(tmp_path: Path) -> None:
    """Only one that is all but a column's name: the others may be a patient's cells."""
    error = refused(saved(tmp_path, "Consultaton Date,Daye,b\n"))
    assert 'nearest header to Consultation Date seen: "Consultaton Date"' in error.hint
    assert "Daye" not in f"{error} {error.hint}"


@pytest.mark.parametrize("sheet", ["patients", None])
def test_a_mappings_typo_is_told_before_what_is_missing(tmp_path: Path, sheet: str | None) -> None:
    """The column is missing because of it; a profile of any sheet is held against what is missing, too."""
    columns = {"Pt Reff": "LegacyPatientID", "Given": "First Name", "Family": "Last Name"}
    columns["Born"] = "Date of Birth"
    mapping = Mapping("m.toml", sheet=sheet, columns=columns)
    path = saved(tmp_path, "Pt Ref,Given,Family,Born\n")
    with pytest.raises(InputRefused) as caught:
        open_source(path, ReadOptions(mapping=mapping))
    assert caught.value.message == 'the mapping m.toml names a column that the file has not: "Pt Reff"'
    assert caught.value.hint == 'nearest header seen: "Pt Ref"'


@pytest.mark.parametrize(
    "line",
    ["P1,Dawn,Osborn,1970-01-01,9434765919\n", "P1,2020-01-01 10:00,Drugge,PATIENT\n", "0001;Names;Patien\n"],
)
def test_a_file_without_a_header_shows_no_patient(tmp_path: Path, line: str) -> None:
    """Where the first line is a record, nothing of it comes into the message."""
    error = refused(saved(tmp_path, line))
    assert "the first line must be the header" in error.hint
    for word in line.replace(";", ",").strip().split(","):
        assert word not in f"{error} {error.hint}".replace("PatientID", "")


def test_options_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    """Unknown sheets, encodings and delimiters, and those that the file contradicts."""
    path = saved(tmp_path, GOOD)
    assert "no sheet of that name" in refused(path, sheet="letters").message
    assert "First Name" in refused(path, sheet="patients").message
    for encoding in (
        "utf-9",
        "rot13",
        "base64",
        "utf-7",
        "cp037",
        "raw_unicode_escape",
        "idna",
        "hz",
        "a\0b",
        "",
    ):
        assert "no encoding of that name" in refused(path, encoding=encoding).message
    for delimiter in ("", ",,", '"', "a", "\n", "\r", "€", " ", "\0"):
        assert "delimiter" in refused(path, delimiter=delimiter).message
    assert refused(path, delimiter=";")
    marked = saved(tmp_path, GOOD.encode("utf-16"), "marked.csv")
    assert "byte order mark of utf-16-le" in refused(marked, encoding="cp1252").message


def test_a_header_of_two_sheets_needs_a_word(tmp_path: Path) -> None:
    """Where two sheets fit equally the file is refused, and `--sheet` decides."""
    text = "PatientID,Date,Note Text,Drug,Frequency\n"
    path = saved(tmp_path, text)
    source = open_source(path, ReadOptions(sheet="notes"))
    assert source.sheet.name == "notes"
    tied = saved(tmp_path, "Patient,Date,Text,Drug,Frequency,Reason\n", "tied.csv")
    assert "several sheets" in refused(tied).message
    assert open_source(tied, ReadOptions(sheet="medications")).sheet.name == "medications"


def test_a_line_of_more_than_64_mib_is_refused(tmp_path: Path) -> None:
    """A file without line ends is not read into memory."""
    path = tmp_path / "long.csv"
    with path.open("wb") as file:
        file.write(GOOD.encode() + b"p,2020-01-01,")
        file.write(b"a" * (65 << 20))
    assert "64 MiB" in refused(path).message


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    """Other bytes, more bytes or fewer than were surveyed: refused, though blocks were handed out."""
    for changed in (GOOD.replace("note", "nota"), GOOD + "p2,2020-01-01,x\n", GOOD[:-4]):
        path = saved(tmp_path, GOOD)
        source = open_source(path, ReadOptions())
        path.write_text(changed)
        with pytest.raises(InputRefused, match="changed"):
            list(source.blocks())


def test_a_byte_in_no_record_is_an_integrity_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a span goes missing the account of bytes does not balance and reading ends with exit 6."""
    source = open_source(saved(tmp_path, GOOD + "\n\n"), ReadOptions())
    whole = blocks.spans_of
    monkeypatch.setattr("stager.ingest.reader.spans_of", lambda *given: whole(*given).slice(0, 2))
    with pytest.raises(IntegrityFailed):
        list(source.blocks())
