"""A small practice in which every question that stager asks is asked once: what decisions are tried on."""

from __future__ import annotations

from tests.migration import Migration, allergy, drug, nhs, note, patient

LOOKS = {"first_name": "Lou", "last_name": "Kay", "date_of_birth": "1970-07-07"}

PATIENTS = [
    patient("S1", email="s@example.org"),
    patient("S1", first_name="Other", last_name="Baker"),
    patient("N3", nhs_number=nhs(3)),
    patient("N4", nhs_number=nhs(3)),
    patient("L5", **LOOKS),
    patient("L6", **(LOOKS | {"first_name": "Kay", "last_name": "Lou"})),
    patient("E7", email="shared@example.org"),
    patient("E8", email="SHARED@example.org"),
    patient("U9", gender="odd"),
    patient("P10", date_of_birth="1990-06-15"),
    patient("D11", role="CLINICIAN", email="doc@example.org"),
    patient("R12", last_name=""),
    patient("V13", nhs_number="999 123", postcode="NOWHERE"),
]
"""1, 2 share an id; 3, 4 a number; 5, 6 look alike; 7, 8 share an email; 9, 12, 13 have a bad value."""

NOTES = [
    note("P10", "one", practitioner_ref="D11"),
    note("P10", "one", practitioner_ref="D11"),
    note("P99", "three", practitioner_ref="D11"),
    note("P10", "four", practitioner_ref="LOCUM"),
    note("U9", "five"),
    note("P10", "six", consulted_at="1985-01-01 10:00"),
    note("S1", "seven"),
    note("P10", "eight", note_type="CHAT"),
    note("P10", "nine", note_type="CHAT"),
    note("P10", "ten", note_type="chat"),
    note("R12", "eleven"),
    note("P10", "twelve"),
    note(nhs(3), "thirteen"),
    note("P99", "fourteen"),
]
"""2 repeats 1; 3, 14 find nobody; 4 finds no practitioner; 6 is before the birth; 7, 13 find two."""

BACKGROUND = [
    allergy("P10", onset_date="1980-05-05"),
    allergy("P10", onset_date="1980-05-05", name="Latex"),
    allergy("P10", onset_date="1981-01-01", name="Nuts"),
    allergy("P10", clinical_code="12345", name="Eggs"),
    allergy("L5"),
]
"""1, 2, 3 are before the birth, 3 on another day; 4 has a bad code; 5 waits for 5."""

MEDICATIONS = [
    drug("P10", quantity="as directed"),
    drug("P10", name="", frequency=""),
    drug("P10", name="Aspirin", practitioner_ref="P10"),
    drug("P10", name="Codeine", status=" stopped ", quantity="30 tablets"),
]
"""1 has a bad quantity, 2 nothing, 3 a patient for its practitioner; 4 is put right by rules."""


def build(migration: Migration) -> None:
    """Ingest and reconcile the four sheets; their sources are 1 to 4."""
    migration.ingest(
        migration.write("patients.csv", "patients", PATIENTS),
        migration.write("background.csv", "background", BACKGROUND),
        migration.write("notes.csv", "notes", NOTES),
        migration.write("medications.csv", "medications", MEDICATIONS),
    )
    migration.reconcile()
