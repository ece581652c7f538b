"""Target profiles: what a TOML file leaves out follows from the sheets, and what cannot be is refused."""

from __future__ import annotations

import pickle
import tomllib
from pathlib import Path
from typing import Any

import pytest

from stager.errors import UsageError
from stager.sheets import SHEETS, Protection
from stager.tenant.profile import Derived, IdKind, Profile, Protect, Source, TargetColumn
from stager.tenant.profile_file import read_profile
from tests.postgres import DJANGO_PROFILE

CLINIC_TEXT = (Path(__file__).parents[1] / "stager" / "tenant" / "profiles" / "clinic.toml").read_text(
    encoding="utf-8"
)
CLINIC = Profile.load("clinic")
DJANGO = Profile.load(DJANGO_PROFILE)


def column(profile: Profile, table: str, name: str) -> TargetColumn:
    found = profile.table(table)
    assert found is not None
    [one] = [column for column in found.columns if column.name == name]
    return one


def test_clinic_takes_every_sheet_in_the_order_of_the_keys() -> None:
    """Patients first, then the two tables of background, notes, medications."""
    assert [table.sheet for table in CLINIC.tables] == [
        "patients",
        "background",
        "background",
        "notes",
        "medications",
    ]
    assert CLINIC.people.table == "users_user"
    assert not CLINIC.draws_ids


@pytest.mark.parametrize("profile", [CLINIC, DJANGO], ids=lambda profile: profile.name)
def test_what_the_sheets_protect_is_sealed(profile: Profile) -> None:
    """Every column of a protected field is sealed in the profile's format, without the profile saying so."""
    sealed = {
        (table.sheet, column.field)
        for table in profile.tables
        for column in table.columns
        if column.protect is profile.format
    }
    assert sealed == {
        (sheet.name, column.field)
        for sheet in SHEETS
        for column in sheet.columns
        if column.protection is not Protection.OPEN
    }


def test_types_and_nullability_follow_from_the_sheet() -> None:
    """A required or defaulted field is never NULL; dates, moments, numbers and ids have their own types."""
    expected = {
        ("users_user", "date_of_birth"): ("date", False),
        ("users_user", "city"): ("text", True),
        ("users_user", "role"): ("text", False),
        ("users_user", "nhs_number_index"): ("bytea", True),
        ("clinical_data_note", "consulted_at"): ("timestamptz", False),
        ("clinical_data_note", "practitioner_id"): ("uuid", True),
        ("clinical_data_prescription", "quantity"): ("integer", True),
        ("clinical_data_prescription", "drug_name"): ("text", False),
    }
    for (table, name), answer in expected.items():
        one = column(CLINIC, table, name)
        assert (one.type, one.nullable) == answer


def test_an_existing_applications_profile() -> None:
    """Drawn ids with their sequences, constants, value maps, and fillers for NOT NULL columns."""
    assert DJANGO.draws_ids
    assert {table.sequence for table in DJANGO.tables} == {
        "accounts_user_id_seq",
        "records_allergy_id_seq",
        "records_problem_id_seq",
        "records_note_ids",
        "records_prescription_id_seq",
    }
    assert column(DJANGO, "records_encounter", "user_id").type == "bigint"
    assert column(DJANGO, "records_encounter", "body").protect is Protect.FERNET
    assert column(DJANGO, "records_encounter", "body").type == "text"
    sex = column(DJANGO, "accounts_user", "sex")
    assert (dict(sex.values)["MALE"], sex.absent, sex.base_type) == ("M", "N", "varchar")
    assert column(DJANGO, "accounts_user", "is_active").constant is True
    assert column(DJANGO, "records_allergy", "is_active").values == (("ACTIVE", True), ("RESOLVED", False))


def test_a_table_lists_its_columns_id_first() -> None:
    """The column list of a COPY, and finding a column by what it holds."""
    people = CLINIC.people
    assert people.column_names[:3] == ("id", "legacy_id", "username")
    index = people.column_of(index_of="nhs_number")
    assert index is not None
    assert index.source is Source.INDEX_OF
    assert people.column_of(field="nhs_number") == column(CLINIC, "users_user", "nhs_number")
    assert people.column_of(field="strength") is None
    username = column(CLINIC, "users_user", "username")
    assert username.derived is Derived.USERNAME
    assert not username.derived.is_person


def test_the_digest_follows_the_meaning_and_not_the_text() -> None:
    """Comments and order of keys change nothing; any other word does."""
    again = read_profile(tomllib.loads("# another comment\n" + CLINIC_TEXT), "x", "clinic")
    assert again == CLINIC
    assert again.digest() == CLINIC.digest()
    other = read_profile(tomllib.loads(CLINIC_TEXT.replace('city = "city"', 'town = "city"')), "x", "clinic")
    assert other.digest() != CLINIC.digest()
    assert len({CLINIC.digest(), DJANGO.digest()}) == 2


def test_a_profile_can_be_sent_to_a_worker() -> None:
    """Pickled and back it is the same, and it can be a key."""
    for profile in (CLINIC, DJANGO):
        assert pickle.loads(pickle.dumps(profile)) == profile
        assert hash(profile) == hash(pickle.loads(pickle.dumps(profile)))


def test_profiles_are_found_by_name_and_by_path(tmp_path: Path) -> None:
    """A built-in by its name, a file by its path; anything else is refused with what there is."""
    path = tmp_path / "own.toml"
    path.write_text(CLINIC_TEXT.replace('name = "clinic"', ""))
    assert Profile.load(path).name == "own"
    assert Profile.load(str(path)).tables == CLINIC.tables
    with pytest.raises(UsageError, match="no target profile 'clinik'") as caught:
        Profile.load("clinik")
    assert "clinic" in caught.value.hint
    with pytest.raises(UsageError, match="cannot be read"):
        Profile.load(tmp_path / "nowhere.toml")


def edited(*replacements: tuple[str, str]) -> dict[str, Any]:
    """`clinic` with texts replaced; each must be there."""
    text = CLINIC_TEXT
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new, 1)
    return tomllib.loads(text)


REFUSED = [
    ('city = "city"', 'city = "town"', "has no field 'town'"),
    ('city = "city"', "", "nothing holds city"),
    ('city = "city"', 'city = { feild = "city" }', "unknown key 'feild'"),
    ('city = "city"', 'city = { type = "text" }', "exactly one of field, derived, constant, index_of"),
    ('city = "city"', 'city = { field = "city", constant = "x" }', "exactly one of"),
    ('city = "city"', 'city = { field = "city", type = "json" }', "type 'json' is not known"),
    ('city = "city"', 'city = { field = "city", type = "text; drop table x" }', "is not known"),
    ('city = "city"', 'city = { field = "city", type = "date" }', "cannot hold its values"),
    ('city = "city"', 'city = { field = "city", absent = 1 }', "does not fit the type text"),
    ('city = "city"', 'city = { field = "city", values = { A = "B" } }', "has a vocabulary"),
    ('city = "city"', 'city = "city"\nx = { constant = true }', "does not fit the type text"),
    ('city = "city"', 'city = "city"\nx = { constant = true, type = "integer" }', "does not fit"),
    ('city = "city"', 'city = "city"\nx = { constant = 2026-01-01T00:00:00 }', "with its offset"),
    ('city = "city"', 'city = "city"\nx = { index_of = "city" }', "may have no blind index"),
    ('city = "city"', 'city = "city"\nx = { derived = "drug" }', "cannot be made from the sheet patients"),
    ('city = "city"', 'city = "city"\nid = { constant = "1" }', "is the id column"),
    ('city = "city"', 'city = { field = "city", protect = "rot13" }', "'rot13' is not known"),
    (
        'nhs_number = "nhs_number"',
        'nhs_number = { field = "nhs_number", type = "text" }',
        "protected by default",
    ),
    (
        'nhs_number = "nhs_number"',
        'nhs_number = "nhs_number"\nx = { field = "nhs_number", protect = "none" }',
        "shows",
    ),
    ('email = "email"', 'email = { field = "email", protect = "aes-256-gcm" }', "username: shows email"),
    ('index_of = "nhs_number", unique', 'index_of = "nhs_number", type = "text", unique', "type is bytea"),
    ('gender = "gender"', 'gender = { field = "gender", values = { MALE = "M" } }', "says nothing of FEMALE"),
    (
        'status = "status"',
        'status = { field = "status", values = { ACTIVE = "A", RESOLVED = "R", GONE = "G" } }',
        "has GONE",
    ),
    ('format = "aes-256-gcm"', 'format = "none"', "cannot be none"),
    ('patient_id = { derived = "patient" }', "", "no column holds the patient"),
    ('{ derived = "patient" }', '{ derived = "patient", type = "bigint" }', "whose id is uuid"),
    ("patient_id = { derived", 'x = "patient_ref"\npatient_id = { derived', "is never written"),
    ('when = { type = "ALLERGY" }', "", "must each have a when"),
    ('when = { type = "ALLERGY" }', 'when = { type = "MEDICAL CONDITION" }', "exactly once"),
    ('when = { type = "ALLERGY" }', 'when = { type = "ALERGY" }', "words of its vocabulary"),
    ('table = "clinical_data_allergy"', 'table = "clinical_data_note"', "two tables are named"),
    ('sheet = "notes"', 'sheet = "note"', "no sheet 'note'"),
    ('kind = "uuid"', 'kind = "uuid", sequence = "s"', "a sequence goes with"),
    ('kind = "uuid"', 'kind = "serial"', "'serial' is not known"),
]


@pytest.mark.parametrize(("old", "new", "message"), REFUSED)
def test_what_cannot_be_is_refused(old: str, new: str, message: str) -> None:
    """Each slip is refused when the profile is read, with the place it stands at."""
    with pytest.raises(UsageError, match=message) as caught:
        read_profile(edited((old, new)), "own.toml", "own")
    assert str(caught.value).startswith("own.toml")


def test_protection_can_be_raised_and_lowered_outright() -> None:
    """An open field may be sealed, and a protected one left open by saying so."""
    sealed = read_profile(
        edited(('city = "city"', 'city = { field = "city", protect = "fernet" }')), "x", "x"
    )
    assert column(sealed, "users_user", "city").type == "text"
    assert column(sealed, "users_user", "city").protect is Protect.FERNET
    opened = read_profile(
        edited(('diagnosis = "diagnosis"', 'diagnosis = { field = "diagnosis", protect = "none" }')), "x", "x"
    )
    assert column(opened, "clinical_data_note", "diagnosis").type == "text"


def test_a_field_may_be_left_out_by_name() -> None:
    """`left_out` is how a profile says that a field is not written."""
    document = edited(('city = "city"', ""))
    document["tables"][0]["left_out"] = ["city"]
    assert read_profile(document, "x", "x").people.left_out == ("city",)


def test_mixed_id_kinds() -> None:
    """People may have an application's bigint ids while other tables have computed uuids."""
    mixed = read_profile(edited(('kind = "uuid"', 'kind = "sequence"')), "x", "x")
    assert mixed.people.id_kind is IdKind.SEQUENCE
    assert mixed.tables_of("notes")[0].id_kind is IdKind.UUID
    assert column(mixed, "clinical_data_note", "patient_id").type == "bigint"
