"""What speaks for and against a row's being a person's: cells compared, dates, households. No verdict."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date

import polars as pl
from msgspec import Struct, field

from stager.decisions import BlindIndex, Finding
from stager.errors import Unavailable
from stager.records import rules_of
from stager.session.cells import values_of
from stager.session.comparing import compare
from stager.session.persons import TENANT
from stager.session.review_views import Compared, Likeness, Record
from stager.sheets import PATIENTS, SHEET, Kind, State, fold_header
from stager.staging import Staging
from stager.values import Rules, nhs_digits, normalise

_IDENTITY = (
    "legacy_id",
    "first_name",
    "last_name",
    "date_of_birth",
    "nhs_number",
    "email",
    "postcode",
    "role",
)
"""The fields by which a clinical row's candidates are told apart; patients are compared in all of theirs."""

_KEYS = ("legacy_id", "nhs_number", "email")
_TELLING = (*_KEYS[1:], "first_name", "last_name", "date_of_birth", "gender")
"""The fields whose difference speaks against two patients' being one."""

_UNFIT = (State.HELD.value, State.REJECTED.value, State.EXCLUDED.value)


class Known(Struct, frozen=True):
    """What a row says of its patient. values: by field of the patients sheet. dates: column → day.

    reference: of a clinical row, as it stands. is_patient: the row is a patient's own.
    """

    values: Mapping[str, str | None]
    reference: str | None = None
    dates: Mapping[str, date] = field(default_factory=dict)
    is_patient: bool = False


class Person(Struct, frozen=True):
    """A candidate as far as they are known here. state: of their row, None for the tenant's own."""

    place: str
    title: str
    values: Mapping[str, str | None]
    state: str | None = None


def known_of(staging: Staging, finding: Finding, record: Record) -> Known:
    """What the finding's row says of the person it is about: its patient, or its practitioner."""
    values = values_of(record.pairs)
    if finding.sheet == PATIENTS.name:
        return Known(values, is_patient=True)
    if finding.field == "practitioner_ref":
        reference = values.get("practitioner_ref")
        return Known(_as_keys(reference), reference)
    reference = values.get("patient_ref")
    dated = SHEET[finding.sheet].of_kind(Kind.DATE, Kind.MOMENT)
    days = {column.name: day for column in dated if (day := _day(values.get(column.field)))}
    return Known(_as_keys(reference) | _unknown_cells(staging, finding), reference, days)


def compared_with(person: Person, known: Known) -> Iterator[Compared]:
    """The row and the person field by field, where either says something; then the row's dates."""
    for name in PATIENTS.fields if known.is_patient else _IDENTITY:
        ours, theirs = known.values.get(name), person.values.get(name)
        if ours or theirs:
            yield compare(PATIENTS.column(name), ours, theirs)
    born = _day(person.values.get("date_of_birth"))
    for column, day in known.dates.items():
        if born:
            likeness = Likeness.AGREE if born <= day else Likeness.DIFFER
            yield Compared("date_of_birth", column, str(day), f"born {born}", likeness)


def reasons_for(
    staging: Staging, person: Person, known: Known, compared: Sequence[Compared], index: BlindIndex | None
) -> Iterator[str]:
    """What speaks for the person, beside what the rules suggest."""
    agreeing = {each.field: each.column for each in compared if each.likeness is Likeness.AGREE}
    if known.reference is not None:
        for name in _KEYS:
            if name in agreeing and known.values.get(name) == known.reference:
                yield f"the reference is their {agreeing[name]}"
        if _is_index_of(staging, person.place, known.reference, index):
            yield "the reference is their NHS Number, by its blind index"
    if known.is_patient and (keys := [agreeing[name] for name in _KEYS if name in agreeing]):
        yield "the same " + ", ".join(keys)
    if {"first_name", "last_name", "date_of_birth"} <= set(agreeing):
        yield "the same name and birth date"


def reasons_against(person: Person, known: Known, compared: Sequence[Compared]) -> Iterator[str]:
    """What speaks against the person. A veto is none of these: no rule of likeness decides anything."""
    born = _day(person.values.get("date_of_birth"))
    for column, day in known.dates.items():
        if born and day < born:
            yield f"{column} {day} is before their birth on {born}"
    likeness = {each.field: each.likeness for each in compared if each.column not in known.dates}
    if _is_household(likeness):
        yield "the same surname, birth date and address but another first name: twins, or a household"
    for each in compared:
        told = each.field in _TELLING and each.column not in known.dates
        own = known.is_patient or known.values.get(each.field) != known.reference
        if told and own and each.likeness is Likeness.DIFFER:
            yield f"another {each.column}"
    if person.state in _UNFIT and not known.is_patient:
        yield f"their own record is {person.state}, so the row would wait for it"


def _is_household(likeness: Mapping[str, Likeness]) -> bool:
    at_home = {likeness.get("street_address"), likeness.get("postcode")}
    return (
        likeness.get("last_name") is Likeness.AGREE
        and likeness.get("date_of_birth") is Likeness.AGREE
        and Likeness.AGREE in at_home
        and Likeness.DIFFER not in at_home
        and likeness.get("first_name") in (Likeness.DIFFER, Likeness.NEAR)
    )


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat((text or "")[:10])
    except ValueError:
        return None


def _as_keys(reference: str | None) -> dict[str, str | None]:
    """A reference as each key that it may be."""
    if not reference:
        return {}
    if "@" in reference:
        return {"email": reference}
    digits = sum(char.isdecimal() for char in reference)
    keys: dict[str, str | None] = {"legacy_id": reference}
    return keys | {"nhs_number": reference} if 9 <= digits <= 11 else keys


def _is_index_of(staging: Staging, place: str, reference: str, index: BlindIndex | None) -> bool:
    """Whether the reference is the NHS number of one of the tenant's own people."""
    if index is None or not place.startswith(TENANT):
        return False
    digits = pl.select(nhs_digits(pl.lit(reference))).item()
    theirs = {bytes(row[0]) for row in staging.rows("indexes_of", places=[place])}
    if digits is None or not theirs:
        return False
    with suppress(Unavailable):  # without the tenant's keys nothing can be said of it; the veto says so
        return index([digits])[0] in theirs
    return False


def _unknown_cells(staging: Staging, finding: Finding) -> dict[str, str | None]:
    """What a clinical row says of its patient in columns that its own sheet does not know."""
    extra = staging.rows(
        "unknown_cells_of_row",
        {"table": SHEET[finding.sheet].table},
        source_id=finding.source_id,
        row_no=finding.row_no,
    )
    if not extra:
        return {}
    cells = {fold_header(header): cell for header, cell in json.loads(extra[0][0]).items()}
    told = {field: cells[header] for header, field in _headers().items() if cells.get(header, "").strip()}
    return _as_read(told, rules_of(staging, finding.source_id))


def _headers() -> dict[str, str]:
    """Folded header → field, of the columns that say who a patient is; an id may be anybody's."""
    return {
        fold_header(name): column.field
        for column in PATIENTS.columns
        if column.kind is not Kind.IDENTIFIER
        for name in (column.name, *column.aliases)
    }


def _as_read(cells: Mapping[str, str], rules: Rules) -> dict[str, str | None]:
    """Patient's cells as the rules read them; as they stand where the rules read nothing."""
    if not cells:
        return {}
    raw = pl.DataFrame({"source_id": [0], "row_no": [0], **{name: [cell] for name, cell in cells.items()}})
    values = normalise(PATIENTS, raw, rules, list(cells)).values.row(0, named=True)
    return {name: cell.strip() if values[name] is None else str(values[name]) for name, cell in cells.items()}
