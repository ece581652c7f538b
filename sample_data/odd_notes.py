"""Lines of the notes sheet that show something: clock changes, practitioners, texts, broken records."""

from __future__ import annotations

from sample_data.people import CONFLICTING_ID, HELD, REJECTED, TWIN
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


def _note(
    reference: str, at: str, text: str, practitioner: str = "GP01", kind: str = "GP NOTE"
) -> tuple[str, ...]:
    return (reference, at, text, practitioner, kind, "", "")


def odd_notes() -> list[Line]:
    """The lines of the notes sheet that show something."""
    twice = ready(
        _note("001007", "2018-09-03 15:45", "Ears: wax both sides.\nDrops, then syringing."),
        "said here, and again below",
    )
    strange = 'Allergic to [penicillin], "[/foo]" and =1+1; \\. 50% of 3 µg ≤ £2, naïve 😀'
    email = "ferdinand.staginge@example.org"
    return [
        ready(
            _note("001005", "2017-02-20 08:55", strange),
            "text that a terminal, a spreadsheet or a database might run: kept to the letter",
        ),
        twice,
        BLANK,
        repeated(twice),
        *_odd_moments(),
        *_odd_practitioners(),
        ready(
            _note(nhs_number(TWIN), "2019-11-11 16:05", "Sports medical, fit."),
            "link by nhs_number",
            TWIN,
            "nhs_number",
        ),
        ready(_note(email, "2020-01-15", "Repeat request."), "link by email", "001018", "email"),
        *_odd_records(),
        waiting(
            _note(nhs_number("001043"), "2021-05-10 09:15", "Blood pressure 128/76."),
            "its patient is held as a duplicate; link by nhs_number",
            "001043",
            "nhs_number",
        ),
        waiting(
            _note(REJECTED, "2021-05-11 09:15", "Moved house, new address given."), "its patient is rejected"
        ),
    ]


def _odd_records() -> list[Line]:
    return [
        malformed(
            b'001020,2018-03-05 10:10,"Began to write and never closed,GP01,GP NOTE,,',
            "a quote that is never closed, above notes of several lines that are whole",
        ),
        malformed(b"001020,2018-03-05 10:20", "too few fields"),
        ready(
            _note("001027", "2021-05-04", "Travel vaccines: hepatitis A.", "", ""),
            "value.defaulted: note type OTHER; no time, no practitioner",
        ),
        held(
            _note("001028", "2021-05-04 09:15", "Rang about results.", kind="CHAT"),
            "value.unknown",
            "a note type outside the vocabulary",
        ),
        rejected(_note("001029", "2021-05-05 09:15", ""), "value.missing", "no text"),
        rejected(
            _note("", "2021-05-06 09:15", "Whose note is this?"), "value.missing", "no patient reference"
        ),
        unlinked(
            _note(CONFLICTING_ID, "2021-05-07 09:15", "Back pain, no red flags."),
            "link.conflict",
            "Hugo's LegacyPatientID and Rupert's NHS number",
        ),
    ]


def _odd_moments() -> list[Line]:
    return [
        held(
            _note("001002", "2023-03-26 01:30", "Called at night about chest pain; ambulance sent."),
            "value.suspect",
            "an hour that the clock change skipped",
        ),
        held(
            _note("001002", "2023-10-29 01:30", "Called at night about a nosebleed; settled."),
            "value.suspect",
            "an hour that the clock change repeated",
        ),
        held(
            _note("001024", "2003-02-05 09:40", "Stitches removed, wound dry."),
            "value.suspect",
            "a consultation before the patient was born",
        ),
        held(
            _note("001004", "2099-01-01 10:00", "Annual review, no change."),
            "value.suspect",
            "a consultation in the future",
        ),
        rejected(
            _note("001004", "last Tuesday", "Dressing changed."), "value.invalid", "no date of consultation"
        ),
    ]


def _odd_practitioners() -> list[Line]:
    at = "2019-06-14 11:20"
    return [
        ready(
            _note("001021", at, "Ankle sprain, no fracture.", "gp02@example.org"),
            "a practitioner named by e-mail address",
        ),
        held(
            _note("001022", at, "Sore throat, viral.", "GP99"),
            "practitioner.unresolved",
            "a practitioner whom nobody knows; can be released without one",
        ),
        held(
            _note("001023", at, "Acne, better.", "001001"),
            "practitioner.unresolved",
            "a practitioner reference to a patient",
        ),
        waiting(_note("001025", at, "Shoulder stiff, exercises.", "GP03"), "its practitioner's row is held"),
        held(
            _note(HELD, at, "Cataract clinic letter read.", "GP99"),
            "practitioner.unresolved",
            "its patient is held as well, but its own finding comes first",
        ),
        held(
            _note("001026", "2099-01-01 12:00", "Bunion, wide shoes.", "GP99"),
            "practitioner.unresolved value.suspect",
            "two findings on one row",
        ),
        unlinked(
            _note("NOBODY", at, "Tinnitus, hearing test booked.", "GP01", "PHONE CALL"),
            "link.unresolved value.unknown",
            "two findings on one row, one of them its link",
        ),
    ]
