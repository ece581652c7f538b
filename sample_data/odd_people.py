"""Patients of the made-up practice who have something to show."""

from __future__ import annotations

from sample_data.people import CONFLICTING_ID, PLACEHOLDER, SHARED_EMAIL, person
from sample_data.record import BLANK, Line, Record, malformed, nhs_number, rejected, spaced, unlinked


def odd_patients() -> list[Line]:
    """The lines of the patients sheet that show something."""
    accepted = [*_no_finding(), *_changed()]
    return [*accepted, *_held_alone(), *_held_for_words(), *_held_together(), *_not_accepted()]


def _no_finding() -> list[Line]:
    """Rows that look as if something were wrong and are ready."""
    twin = {"Street_Address": "30 Imaginary Row", "Postcode": "ZY4 0AB", "Mobile_Phone": "07700 900030"}
    return [
        Record(
            cells=person(
                30, "001030", "Castor", "Twinfold", "2008-06-06", NHS_No=nhs_number("001030"), **twin
            ),
            shows="one of twins: same surname, birth date, address and telephone as the other, "
            "and no finding",
        ),
        Record(
            cells=person(
                30, "001031", "Pollux", "Twinfold", "2008-06-06", NHS_No=nhs_number("001031"), **twin
            ),
            shows="the other of the twins: no finding",
        ),
        Record(
            cells=person(32, "001032", "Ann", "Commonname", "1970-01-01", NHS_No=nhs_number("001032")),
            shows="two people of one name born on one day; two valid NHS numbers say that they are two",
        ),
        Record(
            cells=person(33, "001033", "Ann", "Commonname", "1970-01-01", NHS_No=nhs_number("001033")),
            shows="the other of them: no finding",
        ),
        Record(
            cells=person(37, CONFLICTING_ID, "Hugo", "Numberswap", "1978-08-08"),
            shows="a LegacyPatientID that is Rupert Prototype's NHS number; see link.conflict",
        ),
    ]


def _changed() -> list[Line]:
    """Rows that are ready after changes that a rule makes."""
    return [
        Record(
            cells=person(
                34,
                "001034",
                "  Odette ",
                "Trimmingham",
                "1984-02-02",
                Gender="f",
                NHS_No=spaced(nhs_number("001034")),
                Postcode=" zy74ab ",
            ),
            shows="value.normalised: outer blanks, `f`, an NHS number with spaces, a postcode in lower case",
        ),
        Record(
            cells=person(
                35,
                "001035",
                "Maurice",
                "Hyphenhall",
                "1986-09-12",
                Gender="Male",
                Role="Patient",
                NHS_No="-".join(spaced(nhs_number("001035")).split()),
            ),
            shows="value.normalised: `Male`, `Patient`, an NHS number with hyphens",
        ),
        Record(
            cells=person(
                36,
                "001036",
                "Nell",
                "Sparsely",
                "1992-12-12",
                Street_Address="",
                City="",
                Mobile_Phone="",
                Postcode="",
            ),
            shows="value.defaulted: no role given, so PATIENT; no optional value at all",
        ),
        BLANK,
    ]


def _held_alone() -> list[Line]:
    """Rows held for an optional value that fails its rule."""
    failing = nhs_number("001047")
    failing = failing[:-1] + str((int(failing[-1]) + 1) % 10)
    return [
        unlinked(
            person(947, "001047", "Magnus", "Wrongdigit", "1959-05-05", NHS_No=failing),
            "value.suspect",
            "an NHS number that fails its modulus-11 check",
        ),
        unlinked(
            person(948, "001048", "Iris", "Onesby", "1961-01-01", NHS_No=PLACEHOLDER),
            "value.suspect",
            "a placeholder for an NHS number, though it passes modulus 11",
        ),
        unlinked(
            person(949, "001049", "Olaf", "Onesworth", "1972-02-02", NHS_No=PLACEHOLDER),
            "value.suspect",
            "the same placeholder: that makes no duplicate of the two",
        ),
        unlinked(
            person(950, "001050", "Edith", "Ringer", "1949-09-09", Mobile_Phone="ring the neighbour"),
            "value.suspect",
            "a telephone number that is none",
        ),
        unlinked(
            person(951, "001051", "Wilfred", "Nopost", "1953-03-03", Postcode="SAMPLEBURY"),
            "value.suspect",
            "a postcode that is none",
        ),
        unlinked(
            person(952, "001052", "Greta", "Atless", "1995-05-15", Email_Address="greta.atless"),
            "value.suspect",
            "an e-mail address that is none",
        ),
        BLANK,
    ]


def _held_for_words() -> list[Line]:
    """Rows held for words outside a vocabulary, and a practitioner's row."""
    return [
        unlinked(
            person(953, "001053", "Robin", "Otherword", "1999-09-19", Gender="see record"),
            "value.unknown",
            "a gender outside the vocabulary",
        ),
        unlinked(
            person(954, "LC01", "Lorna", "Locumsby", "1974-04-14", Role="LOCUM"),
            "value.unknown",
            "a role that neither the sheet nor the tenant knows",
        ),
        unlinked(
            person(
                955,
                "GP03",
                "Felix",
                "Absentia",
                "1968-06-26",
                Role="GP",
                Gender="M",
                Emergency_Contact_Phone="ask reception",
            ),
            "value.suspect",
            "a practitioner whose own row is held: notes that name him wait",
        ),
    ]


def _held_together() -> list[Line]:
    """Rows held for what they share with another patient's row."""
    shared = nhs_number("001041")
    first = Record(
        cells=person(45, "001045", "Dora", "Copperstub", "1982-02-20", Email_Address=SHARED_EMAIL),
        shows="the first of a family with one e-mail address: she keeps it",
    )
    return [
        unlinked(
            person(40, "001040", "Selina", "Doubletake", "1956-06-16", NHS_No=nhs_number("001240")),
            "patient.id_shared",
            "two patients with one LegacyPatientID: both held",
        ),
        unlinked(
            person(41, "001040", "Bertram", "Secondhand", "1988-08-28", NHS_No=nhs_number("001340")),
            "patient.id_shared",
            "the other of them",
        ),
        unlinked(
            person(42, "001041", "Ursula", "Twicely", "1965-05-25", NHS_No=shared),
            "patient.duplicate",
            "two patients with one NHS number: both held",
        ),
        unlinked(
            person(43, "001042", "Ulla", "Twicely-Remarried", "1965-05-26", NHS_No=spaced(shared)),
            "patient.duplicate",
            "the other of them, the number written with spaces",
        ),
        unlinked(
            person(44, "001043", "Renée", "Lookalike", "1976-07-17", NHS_No=nhs_number("001043")),
            "patient.duplicate",
            "two rows that look like one person: same name and birth date",
        ),
        unlinked(
            person(46, "001044", "Renee", "Lookalike", "1976-07-17"),
            "patient.duplicate",
            "the other of them, without accent and NHS number",
        ),
        first,
        unlinked(
            person(45, "001046", "Alfie", "Copperstub", "2011-11-01", Email_Address=SHARED_EMAIL.upper()),
            "patient.email_shared",
            "the later of a family with one e-mail address: it cannot be his username",
        ),
    ]


def _not_accepted() -> list[Line]:
    """Rows rejected for a required value, and records that cannot be parsed."""
    whole = ",".join(person(62, "001062", "Nora", "Brokenquote", "1990-01-01"))
    return [
        rejected(
            person(55, "001055", "Silas", "", "1957-07-07"),
            "value.missing",
            "no surname; its LegacyPatientID can be read, so rows that refer to it wait",
        ),
        rejected(person(56, "", "Mabel", "Numberless", "1952-12-02"), "value.missing", "no LegacyPatientID"),
        rejected(
            person(57, "001057", "Ernest", "Dayfirst", "14/03/1962"),
            "value.invalid",
            "a date of birth in another form: the order of day and month is never guessed",
        ),
        rejected(
            person(58, "001058", "Flora", "Leapless", "1962-02-30"),
            "value.invalid",
            "a date of birth that is not in the calendar",
        ),
        malformed(b"001060,Fewer,Fieldsby,1980-08-18", "too few fields"),
        malformed(
            ",".join(person(61, "001061", "Morag", "Commas", "1981-01-18")).encode() + b",one,two",
            "too many fields",
        ),
        malformed(
            whole.replace("Nora", '"Nora').encode(), "a quote that is never closed; the next line is whole"
        ),
        malformed(
            ",".join(person(63, "001063", "Ren#e", "Undecodable", "1983-03-18"))
            .encode()
            .replace(b"#", b"\xe9"),
            "a byte that is not UTF-8",
        ),
    ]
