"""Lines of the medications sheet that show something: quantities, statuses, a few links once more."""

from __future__ import annotations

from sample_data.people import TWIN
from sample_data.record import (
    BLANK,
    Line,
    held,
    malformed,
    nhs_number,
    ready,
    rejected,
    repeated,
    unlinked,
    waiting,
)


def _prescription(
    reference: str, drug: str, quantity: str = "28", practitioner: str = "GP02"
) -> tuple[str, ...]:
    return (reference, drug, "Take one daily", "2019-06-14", "10mg", "ACTIVE", quantity, practitioner)


def odd_medications() -> list[Line]:
    """The lines of the medications sheet that show something."""
    once = ready(_prescription("001007", "Cetirizine", "30 tablets"), "said here, and again below")
    stopped = (
        "001019",
        "Naproxen",
        "Take one twice daily",
        "2020-08-24",
        "250mg",
        "stopped",
        "",
        "gp01@example.org",
    )
    other = ("001018", "Codeine", "Take one at night", "2020-08-24", "15mg", "PENDING", "28", "")
    return [
        once,
        repeated(once),
        held(
            _prescription("001008", "Hydrocortisone cream", "as directed"),
            "value.suspect",
            "a quantity that is none",
        ),
        held(
            _prescription("001009", "Bisoprolol", "2 x 28"), "value.suspect", "a quantity that needs a person"
        ),
        BLANK,
        held(other, "value.unknown", "a status outside the vocabulary"),
        ready(stopped, "value.normalised: `stopped`; no quantity; a prescriber by e-mail address"),
        *_links(),
        held(
            _prescription("001013", "Vitamin D", practitioner="DR WHO"),
            "practitioner.unresolved",
            "a prescriber whom nobody knows",
        ),
        held(
            (TWIN, "Calamine", "Apply when itching", "2001-01-09", "", "ACUTE", "1", ""),
            "value.suspect",
            "prescribed before the patient was born",
        ),
        *_not_accepted(),
        waiting(_prescription("001048", "Simvastatin"), "its patient is held"),
        waiting(_prescription("001001", "Aciclovir", practitioner="GP03"), "its prescriber's row is held"),
    ]


def _links() -> list[Line]:
    return [
        unlinked(
            _prescription("1010", "Ramipril"), "link.unresolved", "leading zeros dropped; 001010 is suggested"
        ),
        unlinked(
            _prescription("1.23E+05", "Folic acid"),
            "link.unresolved",
            "a spreadsheet's exponent; 123000 is suggested",
        ),
        ready(
            _prescription(nhs_number("001011"), "Loratadine"), "link by nhs_number", "001011", "nhs_number"
        ),
        ready(
            _prescription("beatrix.sandboxe@example.org", "Ferrous fumarate"),
            "link by email",
            "001015",
            "email",
        ),
    ]


def _not_accepted() -> list[Line]:
    surrogate = "\t".join(_prescription("001016", "Amoxi#cillin")).encode("utf-16-le")
    return [
        rejected(
            ("001014", "Aspirin", "", "2019-06-14", "75mg", "ACTIVE", "28", ""),
            "value.missing",
            "no instructions",
        ),
        rejected(
            ("001014", "Aspirin", "Take one daily", "14.06.2019", "75mg", "ACTIVE", "28", ""),
            "value.invalid",
            "a prescription date in another form",
        ),
        malformed(
            surrogate.replace("#".encode("utf-16-le"), b"\x00\xd8"),
            "half a surrogate pair: no text in UTF-16",
        ),
        malformed(
            "\t".join((*_prescription("001016", "Zinc"), "one more")).encode("utf-16-le"), "too many fields"
        ),
    ]
