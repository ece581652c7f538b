"""The people of the made-up practice: its staff, its plain patients, and the keys that others refer to."""

from __future__ import annotations

from sample_data.record import Record, nhs_number

HEADER = (
    *("LegacyPatientID", "Forename", "Surname", "DOB", "NHS No", "Email Address", "Mobile Phone", "Gender"),
    *("Street Address", "City", "Postcode", "Emergency Contact Name", "Emergency Contact Phone", "Role"),
    "Old System Flag",
)
"""Partly the specification's spelling, partly aliases of it, and one column that no sheet knows."""

CONFLICTING_ID = nhs_number("001020")
"""A LegacyPatientID that reads as another patient's NHS number."""

PLACEHOLDER = "1111111111"
"""Not an NHS number, though it passes modulus 11."""

SHARED_EMAIL = "family.copperstub@example.org"

TWIN, HELD, REJECTED = "001030", "001050", "001055"
"""A patient who has a twin, one whose row is held, one whose row is rejected."""

_PLAIN = """\
001001 Tilly Testwell 1948-02-11 F
001002 Barnaby Samplewick 1951-07-30 M
001003 Ottoline Madeupham 1955-12-05 F
001004 Cuthbert Fictionby 1958-03-19 M
001005 Perdita Inventon 1960-10-27 F
001006 Ignatius Specimenly 1962-06-02 M
001007 Zoë Exampleton 1964-01-15 F
001008 Lysander Mockridge 1967-09-08 M
001009 Araminta Dummysworth 1969-04-22 F
001010 Peregrine Trialby 1971-11-11 M
001011 Clementine Pretendon 1973-08-16 F
001012 Thaddeus Placeholt 1975-05-03 M
001013 Łucja Fabricka 1977-02-28 F
001014 Horatio Nonesuch 1979-12-24 M
001015 Beatrix Sandboxe 1981-10-09 F
001016 Leopold Rehearsall 1983-07-21 M
001017 Philippa O'Mockery 1985-03-13 F
001018 Ferdinand Staginge 1987-01-06 M
001019 Marigold Demonby 1989-09-29 F
001020 Rupert Prototype 1991-06-17 M
001021 Winifred Draftley 1994-04-04 F
001022 Casper Blueprint-Smythe 1998-11-20 M
001023 Saffron Templateau 2003-08-01 F
001024 Monty Fixturely 2009-05-25 M
001025 Hermione Scenarigg 1946-09-04 F
001026 Algernon Makebelieve 1950-01-29 M
001027 Rosalind Notional 1954-06-08 F
001028 Gideon Hypothet 1966-12-12 M
001029 Tamsin Storybook 1980-03-30 F
102205 Jasper Figment 1992-08-07 M
103377 Imogen Allegory 1996-02-19 F
104523 Juniper Paperby 2010-02-14 F
105891 Roland Parable 1974-10-03 M
123000 Quentin Roundfigure 2012-10-31 M
"""
"""LegacyPatientID, forename, surname, birth date, sex. The old system's ids begin with zeros."""

PLAIN_IDS = tuple(line.split()[0] for line in _PLAIN.splitlines())
"""The patients whose rows are ready and who have the most of the clinical rows."""


_GENDER = {"F": "FEMALE", "M": "MALE"}


def email_of(first: str, last: str) -> str:
    """The made-up address of a person, in ASCII letters as such addresses are."""
    name = f"{first}.{last}".lower().translate(str.maketrans("ëéł", "eel"))
    return f"{name.replace(chr(39), '').replace(' ', '')}@example.org"


def person(serial: int, legacy_id: str, first: str, last: str, born: str, **given: str) -> tuple[str, ...]:
    """The cells of one person; `given` names headers, `_` for a blank."""
    cells = dict.fromkeys(HEADER, "") | {
        "LegacyPatientID": legacy_id,
        "Forename": first,
        "Surname": last,
        "DOB": born,
        "Mobile Phone": f"07700 900{serial:03d}",
        "Street Address": f"{serial} Imaginary Row",
        "City": "Samplebury",
        "Postcode": f"ZY{1 + serial % 9} {serial % 10}AB",
        "Old System Flag": "migrated",
    }
    cells.update({header.replace("_", " "): value for header, value in given.items()})
    return tuple(cells[header] for header in HEADER)


def staff() -> list[Record]:
    """The clinicians and the office, all of them ready."""
    people = (
        ("GP01", "Ada", "Stethoscope", "1970-03-03", "F", "CLINICIAN"),
        ("GP02", "Basil", "Tonguedepressor", "1966-08-12", "M", "CLINICIAN"),
        ("N01", "Cora", "Bandageworthy", "1982-05-19", "F", "CLINICIAN"),
        ("RC01", "Dilys", "Frontdesk", "1990-01-23", "F", "RECEPTIONIST"),
        ("PM01", "Edwin", "Rotaplanner", "1963-11-07", "M", "PRACTICE_MANAGER"),
    )
    return [
        Record(
            cells=person(
                serial,
                staff_id,
                first,
                last,
                born,
                Gender=_GENDER[sex],
                Role=role,
                Email_Address=f"{staff_id.lower()}@example.org",
            )
        )
        for serial, (staff_id, first, last, born, sex, role) in enumerate(people, start=900)
    ]


def plain_patients() -> list[Record]:
    """Every patient with an NHS number and a role, two in three with an address for e-mail."""
    return [
        Record(
            cells=person(
                serial,
                legacy_id,
                first,
                last,
                born,
                NHS_No=nhs_number(legacy_id),
                Email_Address="" if serial % 3 == 0 else email_of(first, last),
                Gender=_GENDER[sex],
                Role="PATIENT",
                Emergency_Contact_Name="" if serial % 4 else f"Robin {last}",
                Emergency_Contact_Phone="" if serial % 4 else f"01632 960{serial:03d}",
            )
        )
        for serial, line in enumerate(_PLAIN.splitlines(), start=101)
        for legacy_id, first, last, born, sex in [line.split()]
    ]
