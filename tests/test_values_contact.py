"""Email addresses, phone numbers and postcodes: what is known, and what is held."""

from __future__ import annotations

import phonenumbers
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from values_check import RULES, check

from stager.sheets import PATIENTS
from stager.values import normalise


@pytest.mark.parametrize(
    "cell",
    ["a@b.co", "Ann.Lee+gp@Example.CO.UK", "o'brien@nhs.net", "x@xn--80ak6aa92e.com", "a@1.2.co"],
)
def test_email(cell: str) -> None:
    """An address is kept in its case."""
    check("patients.email", (cell, cell, None, None))
    check("patients.email", (f" {cell}\n", cell, None, "trimmed"))


@pytest.mark.parametrize(
    "cell",
    [
        *("none", "a@b", "a@@b.co", "a b@c.de", ".a@b.co", "a..b@c.de", "a.@b.co", "a@-b.co", "a@b-.co"),
        *("a@b..co", "a@b.c", "a@b.c1", "a@b.co;c@d.ee", "<a@b.co>", "josé@b.co", "a\n@b.co", "@b.co"),
        *("x" * 65 + "@b.co", "a@" + "b." * 130 + "co"),
    ],
)
def test_email_suspect(cell: str) -> None:
    """What is no address is kept, and held."""
    check("patients.email", (cell, cell, "email", None))


@pytest.mark.parametrize(
    "cell",
    [
        *("07700900123", "07700 900123", "07700 900 123", "+447700900123", "+44 (0)7700 900123"),
        *("020 7946 0000", "(0113) 496-0000", "01632 960001", "0113 496 0000 ext 12", "tel: 01632 960001"),
        *("+33 1 23 45 67 89", "+1 650 253 0000", "447700900123", "7700900123"),
    ],
)
def test_phone(cell: str) -> None:
    """A possible number of the UK or of E.164 is kept as it was written."""
    for column in ("patients.mobile_phone", "patients.emergency_contact_phone"):
        check(column, (cell, cell, None, None))


@pytest.mark.parametrize(
    "cell",
    [
        "none",
        "12",
        "+",
        "999",
        "077009001234567",
        "07700900123 (wife)",
        "٠٧٧٠٠٩٠٠١٢٣",
        "07700900123 or 020 7946 0000",
    ],
)
def test_phone_suspect(cell: str) -> None:
    """What cannot be a number is kept as given, and held."""
    check("patients.mobile_phone", (cell, cell, "phone", None))


@pytest.mark.parametrize(
    "written",
    [
        *("M1 1AE", "B33 8TH", "CR2 6XH", "DN55 1PT", "W1A 0AX", "EC1A 1BB", "N1C 4AG", "BT1 1AA", "JE2 3AB"),
        *("GIR 0AA", "BF1 2AA", "BFPO 7", "BFPO 801", "ZZ99 3VZ", "ASCN 1ZZ"),
    ],
)
def test_postcode(written: str) -> None:
    """Postcodes of every shape are known, and take upper case and one space."""
    check("patients.postcode", (written, written, None, None))
    packed = written.replace(" ", "").lower()
    check("patients.postcode", (packed, written, None, "postcode"))
    check("patients.postcode", (written.replace(" ", " \u00a0"), written, None, "postcode"))


@pytest.mark.parametrize(
    "cell",
    [
        "LS1",
        "LS1 4A",
        "LS1 4CP",
        "QA1 1AA",
        "LS1-4AP",
        "12345",
        "\u0131p1 1aa",
        "LS1 4AP Leeds",
        "D02 AF30",
        "BFPO",
    ],
)
def test_postcode_suspect(cell: str) -> None:
    """What is no UK postcode is kept as given, and held."""
    check("patients.postcode", (cell, cell, "postcode", None))


_PHONE_LIKE = st.one_of(
    st.from_regex(r"\A(\+44 ?|0)[1-9][0-9]{2,3} ?[0-9]{3} ?[0-9]{2,4}\Z"),
    st.from_regex(r"\A\+?[0-9][0-9 ()./-]{0,16}\Z"),
)


def _possible(text: str) -> bool:
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(text, "GB"))
    except phonenumbers.NumberParseException:
        return False


@settings(max_examples=50, deadline=None)
@given(st.lists(_PHONE_LIKE, max_size=30))
def test_phones_are_settled_as_the_library_settles_them(cells: list[str]) -> None:
    """Of what is written like a number, held is exactly what phonenumbers calls impossible."""
    raw = pl.DataFrame(
        {"source_id": [1] * len(cells), "row_no": range(len(cells)), "mobile_phone": cells},
        schema={"source_id": pl.Int32, "row_no": pl.Int32, "mobile_phone": pl.String},
    )
    read = normalise(PATIENTS, raw, RULES, ["mobile_phone"])
    suspect = [row for row, cell in enumerate(cells) if not _possible(cell.strip())]
    assert read.issues["row_no"].to_list() == suspect
