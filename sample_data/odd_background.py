"""Lines of the background sheet that show something: every way of linking, and faults of values."""

from __future__ import annotations

from sample_data.people import CONFLICTING_ID, HELD, PLACEHOLDER, REJECTED, SHARED_EMAIL, TWIN
from sample_data.record import (
    BLANK,
    Line,
    Record,
    held,
    malformed,
    nhs_number,
    ready,
    rejected,
    spaced,
    unlinked,
    waiting,
)

_SOUND_CODE = "10939881000119105"
_DAMAGED_CODE = "10939881000119104"


def _allergy(reference: str, name: str = "Penicillin") -> tuple[str, ...]:
    return (reference, name, "ALLERGY", "2016-05-09", "MILD", "ACTIVE", "")


def odd_background() -> list[Line]:
    """The lines of the background sheet that show something."""
    mixed = ("001008", "Hay fever", "condition", "2017-03-14", " Moderate", "current", "J30.1")
    sparse = ("001009", "Strawberries", "ALLERGY", "2018-07-02", "", "", "")
    return [
        *_good_links(),
        ready(mixed, "value.normalised: synonyms `condition` and `current`, blanks, case"),
        ready(sparse, "value.defaulted: severity UNSPECIFIED, status ACTIVE"),
        BLANK,
        *_bad_links(),
        *_held_for_values(),
        BLANK,
        *_not_accepted(),
        waiting(_allergy(HELD), "its patient is held"),
        waiting(_allergy(REJECTED), "its patient is rejected"),
        held(
            (*_allergy(HELD, "Feathers")[:4], "AWFUL", "ACTIVE", ""),
            "value.unknown",
            "its patient is held as well, but its own finding comes first",
        ),
    ]


def _held_for_values() -> list[Line]:
    vague = ("001010", "Wool", "ALLERGY", "2015-01-19", "QUITE BAD", "ACTIVE", "")
    return [
        ready((*_allergy("001011", "Long code, sound")[:6], _SOUND_CODE), "a clinical code of 17 digits"),
        held(
            (*_allergy("001011", "Long code, damaged")[:6], _DAMAGED_CODE),
            "value.suspect",
            "the same code after a spreadsheet: its check digit fails",
        ),
        held(
            (*_allergy("001012", "Long code, lost")[:6], "1.09399E+16"),
            "value.suspect",
            "a clinical code as a spreadsheet shows it",
        ),
        held(vague, "value.unknown", "a severity outside the vocabulary"),
        held(
            ("123000", "Eczema", "MEDICAL CONDITION", "2001-04-04", "MILD", "ACTIVE", ""),
            "value.suspect",
            "an onset before the patient was born",
        ),
        held(
            ("001013", "Dust", "ALLERGY", "2099-01-01", "MILD", "ACTIVE", ""),
            "value.suspect",
            "an onset in the future",
        ),
    ]


def _not_accepted() -> list[Line]:
    return [
        rejected(_allergy("001014", ""), "value.missing", "no name of allergen or condition"),
        rejected(
            ("001015", "Cats", "ALLERGY", "03/2016", "MILD", "ACTIVE", ""),
            "value.invalid",
            "an onset date that is none",
        ),
        malformed("001016;Horse hair;ALLERGY".encode("cp1252"), "too few fields"),
        malformed(
            "001017;Mould;damp houses;ALLERGY;2016-05-09;MILD;ACTIVE;".encode("cp1252"),
            "too many fields: a delimiter in an unquoted text",
        ),
        malformed(
            '001018;"Plasters;ALLERGY;2016-05-09;MILD;ACTIVE;'.encode("cp1252"),
            "a quote that is never closed; the next line is whole",
        ),
    ]


def _good_links() -> list[Record]:
    number = nhs_number("001003")
    return [
        ready(_allergy(number), "link by nhs_number", "001003", "nhs_number"),
        ready(_allergy(spaced(number)), "link by nhs_number, written with spaces", "001003", "nhs_number"),
        ready(_allergy("TILLY.Testwell@Example.org"), "link by email, whatever its case", "001001", "email"),
        ready(_allergy(" 001006 "), "link by legacy_id, outer blanks trimmed", "001006"),
        ready(_allergy(TWIN), "a twin's row goes to that twin alone"),
    ]


def _bad_links() -> list[Record]:
    unresolved = (
        ("1004", "leading zeros dropped; 001004 is suggested"),
        ("123000.0", "a spreadsheet's decimal; 123000 is suggested"),
        ("1.23E+05", "a spreadsheet's exponent; 123000 is suggested"),
        ("104528", "an edit apart from 104523, which is suggested"),
        ("X-77-GONE", "nobody, and nobody near"),
        (PLACEHOLDER, "a placeholder links to no one, though two patients carry it"),
        ("001063", "the patient's own record could not be parsed"),
    )
    ambiguous = (
        ("001040", "a LegacyPatientID that two patients share"),
        (nhs_number("001041"), "an NHS number that two patients share"),
        (SHARED_EMAIL, "an e-mail address that two patients share"),
    )
    return [
        *(unlinked(_allergy(reference), "link.unresolved", shows) for reference, shows in unresolved),
        *(unlinked(_allergy(reference), "link.ambiguous", shows) for reference, shows in ambiguous),
        unlinked(_allergy(CONFLICTING_ID), "link.conflict", "Hugo's LegacyPatientID and Rupert's NHS number"),
    ]
