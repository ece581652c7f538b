"""Headers and mapping profiles: which sheet, which columns, by which claim."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stager.errors import InputRefused, UsageError
from stager.ingest.headers import How, match_sheet
from stager.ingest.mapping import Mapping, load_mapping
from stager.ingest.reader import ReadOptions, Source, open_source
from stager.sheets import MEDICATIONS, NOTES, PATIENTS, SHEETS, fold_header


def source_of(folder: Path, header: str, mapping: Mapping | None = None, **options: str) -> Source:
    path = folder / "file.csv"
    path.write_text(header + "\n")
    return open_source(path, ReadOptions(mapping=mapping, **options))  # type: ignore[arg-type]


def profile(folder: Path, text: str) -> Mapping:
    path = folder / "profile.toml"
    path.write_text(text)
    return load_mapping(path)


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_every_sheet_is_recognised_by_its_own_headers(tmp_path: Path, sheet) -> None:  # type: ignore[no-untyped-def]
    """All columns, the required ones alone, folded, in any order: the same sheet."""
    names = [column.name for column in sheet.columns]
    required = [column.name for column in sheet.required]
    for header in (names, required, names[::-1], [f" {name.upper().replace(' ', '_')} " for name in names]):
        source = source_of(tmp_path, ",".join(header))
        assert source.sheet is sheet
        assert all(column.field for column in source.columns)


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_no_alias_means_two_columns_of_a_sheet(sheet) -> None:  # type: ignore[no-untyped-def]
    """Each alias and name, folded, names one column."""
    seen: dict[str, str] = {}
    for column in sheet.columns:
        for word in {fold_header(name) for name in (column.name, *column.aliases)}:
            assert seen.setdefault(word, column.field) == column.field


def test_columns_tell_how_they_were_matched() -> None:
    """To the letter, folded, by alias, or unknown, each with its place from 0."""
    match = match_sheet(["LegacyPatientID", "first-name", "Surname", "D.O.B.", "Shoe size"], PATIENTS, None)
    assert [(c.position, c.field, c.how.value) for c in match.columns] == [
        (0, "legacy_id", "exact"),
        (1, "first_name", "folded"),
        (2, "last_name", "alias"),
        (3, "date_of_birth", "alias"),
        (4, None, "unknown"),
    ]


def test_an_alias_never_beats_the_name() -> None:
    """In either order the header that is the column's name has it, and the alias is kept as unknown."""
    for headers in (["Date", "Prescription Date"], ["Prescription Date", "Date"]):
        match = match_sheet(headers, MEDICATIONS, None)
        assert {c.header: c.field for c in match.columns} == {
            "Prescription Date": "prescribed_on",
            "Date": None,
        }


def test_a_patients_file_is_not_taken_for_another_sheet(tmp_path: Path) -> None:
    """LegacyPatientID is an alias of PatientID in the other sheets; names to the letter decide."""
    assert (
        source_of(tmp_path, "LegacyPatientID,First Name,Last Name,Date of Birth,Note,Date").sheet is PATIENTS
    )
    assert source_of(tmp_path, "Patient ID,Forename,Surname,DOB,Note,Date,Email,Sex").sheet is PATIENTS


def test_the_delimiter_is_the_one_that_gives_a_header(tmp_path: Path) -> None:
    """Commas within quoted headers do not mislead; another sign can be said."""
    assert source_of(tmp_path, '"a,b";PatientID;Consultation Date;Clinical Note Text').delimiter == ";"
    assert (
        source_of(tmp_path, "PatientID^Consultation Date^Clinical Note Text", delimiter="^").delimiter == "^"
    )
    assert source_of(tmp_path, "PatientID\tConsultation Date\tNote", delimiter="tab").delimiter == "\t"


PROFILE = """
sheet = "patients"
date_format = "%d/%m/%Y"
datetime_format = "%d/%m/%Y %H:%M"
timezone = "Europe/London"
synthetic = true
[columns]
"Pt Ref" = "LegacyPatientID"
"Given" = "first_name"
[synonyms.Gender]
"1" = "male"
"9" = "NOT_STATED"
[constants]
"Role" = "PATIENT"
"Last Name" = "Unknown"
"""


def test_a_profile_is_read_and_wins(tmp_path: Path) -> None:
    """Mapped headers beat names and aliases; a constant stands for a required column that is not there."""
    mapping = profile(tmp_path, PROFILE)
    source = source_of(tmp_path, "pt  ref,Given,DOB,LegacyPatientID,First Name", mapping)
    assert [(c.field, c.how) for c in source.columns] == [
        ("legacy_id", How.MAPPING),
        ("first_name", How.MAPPING),
        ("date_of_birth", How.ALIAS),
        (None, How.UNKNOWN),
        (None, How.UNKNOWN),
    ]
    assert mapping.synonyms_for(PATIENTS) == {"gender": {"1": "MALE", "9": "NOT_STATED"}}
    assert mapping.constants_for(PATIENTS) == {"role": "PATIENT", "last_name": "Unknown"}
    assert (mapping.date_format, mapping.timezone, mapping.synthetic) == ("%d/%m/%Y", "Europe/London", True)


def test_a_profile_gives_the_same_json_in_any_order(tmp_path: Path) -> None:
    """The order of keys in the file does not matter."""
    one = profile(tmp_path, '[columns]\n"a" = "City"\n"b" = "Postcode"\n')
    other = profile(tmp_path, '[columns]\n"b" = "Postcode"\n"a" = "City"\n')
    assert one.to_json() == other.to_json()
    assert json.loads(one.to_json())["columns"] == {"a": "City", "b": "Postcode"}


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("colums = {}", "did you mean columns"),
        ('sheet = "pateints"', "did you mean patients"),
        ("sheet = 1", "text"),
        ("[columns]\n'x' = 'Surnam'", "unknown column"),
        ("sheet='notes'\n[columns]\n'x' = 'City'", "unknown column"),
        ("sheet='notes'\n[columns]\n'x' = 'Diagnosis'\n'y' = 'diagnosis'", "two columns"),
        ("[columns]\n'x' = 1", "text"),
        ("columns = 1", "table"),
        ("[synonyms.Gender]\n'1' = 'MAN'", "MALE"),
        ("[synonyms.City]\n'1' = 'x'", "no vocabulary"),
        ("[synonyms.Gender]\n'm m' = 'MALE'\n'M-M' = 'FEMALE'", "two meanings"),
        ("[constants]\n'Role' = 'KING'", "PATIENT"),
        ("[constants]\n'PatientID' = '1'", "one person"),
        ("[constants]\n'NHS Number' = '9434765919'", "one person"),
        ("[constants]\n'Role' = ' '", "text"),
        ("date_format = '%d/%m/%y'", "%y"),
        ("date_format = '%d/%m'", "%Y"),
        ("datetime_format = '%d/%m/%Y'", "%H"),
        ("timezone = 'Europe/Londn'", "time zone"),
        ("synthetic = 'yes'", "true or false"),
        ("x = ", "not TOML"),
    ],
)
def test_a_profile_that_cannot_be_used_is_wrong_usage(tmp_path: Path, text: str, word: str) -> None:
    """Unknown keys, columns and words, with what was probably meant: exit 2."""
    with pytest.raises(UsageError) as caught:
        profile(tmp_path, text)
    assert word in f"{caught.value} {caught.value.hint}"
    assert caught.value.exit_code == 2


def test_a_profile_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    """A missing file and one that is no UTF-8 end the same way."""
    with pytest.raises(UsageError, match="no such mapping file") as caught:
        load_mapping(tmp_path / "none.toml")
    assert "--mapping" in caught.value.hint
    (tmp_path / "bad.toml").write_bytes(b"\xff")
    with pytest.raises(UsageError, match="not TOML in UTF-8"):
        load_mapping(tmp_path / "bad.toml")


def test_a_profile_of_one_sheet_must_fit_the_file(tmp_path: Path) -> None:
    """Another `--sheet`, or a mapped header that the file has not, is refused rather than lost unseen."""
    mapping = profile(tmp_path, "sheet = 'notes'\n[columns]\n'Dx code' = 'Diagnosis'")
    with pytest.raises(InputRefused, match="is for notes"):
        source_of(tmp_path, "PatientID,Consultation Date,Note", mapping, sheet="patients")
    with pytest.raises(InputRefused, match="names a column that the file has not") as caught:
        source_of(tmp_path, "PatientID,Consultation Date,Note,Dx codes", mapping)
    assert '"Dx codes"' in caught.value.hint


def test_a_word_of_another_sheet_is_told_when_the_sheet_is_known(tmp_path: Path) -> None:
    """RESOLVED is a status of background and not of medications; a profile for any sheet is checked late."""
    mapping = profile(tmp_path, "[constants]\n'Status' = 'RESOLVED'")
    assert source_of(tmp_path, "PatientID,Name,Type,OnsetDate", mapping).sheet.name == "background"
    assert source_of(tmp_path, "PatientID,Consultation Date,Note", mapping).sheet is NOTES
    with pytest.raises(UsageError, match="RESOLVED"):
        source_of(tmp_path, "PatientID,Drug Name,Frequency,Prescription Date", mapping)
