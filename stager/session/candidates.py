"""Whom a row may belong to, or be the same as, with what speaks for and against each."""

from __future__ import annotations

import json
from collections.abc import Sequence

import polars as pl

from stager.decisions import ALLOWED, BlindIndex, Decision, Finding, vetoes
from stager.records import rows_frame
from stager.session.cells import pairs_of_rows, values_of
from stager.session.likelihood import Person, compared_with, known_of, reasons_against, reasons_for
from stager.session.meanings import key_name
from stager.session.persons import TENANT, split_place, tenant_title, tenants_people, title_of
from stager.session.review_views import Candidate, Record
from stager.sheets import PATIENTS, Code
from stager.staging import Staging

MOST = 9
"""As many as there are digits to choose by."""

_WHY = {
    "spreadsheet": "the reference is their {} as a spreadsheet writes it",
    "leading_zeros": "the same as their {} but for leading zeros",
    "case": "the same as their {} but for upper and lower case",
    "edit": "one character away from their {}",
    "replaced": "the record that the row was linked to has gone into theirs",
}
_OF_PERSONS = ALLOWED[Decision.LINK] | ALLOWED[Decision.MERGE] | {Code.PATIENT_EMAIL_SHARED}


def candidates(
    staging: Staging, finding: Finding, record: Record, index: BlindIndex | None
) -> tuple[Candidate, ...]:
    """The persons to choose from, those suggested first; none for findings that ask for no person."""
    offered = _offered(finding)
    if not offered:
        return ()
    people = _people(staging, list(offered))
    rows, known = _rows_of(staging, list(people)), known_of(staging, finding, record)
    refused = _vetoes(staging, finding, list(people), index)
    found = []
    for number, (place, person) in enumerate(people.items(), 1):
        compared = tuple(compared_with(person, known))
        found.append(
            Candidate(
                number=number,
                place=place,
                title=person.title,
                why=(*offered[place], *reasons_for(staging, person, known, compared, index)),
                against=tuple(reasons_against(person, known, compared)),
                veto=refused.get(place),
                compared=compared,
                rows=rows.get(place, {}),
            )
        )
    return tuple(found)


def places_of(finding: Finding) -> list[str]:
    """The other rows or persons that a finding names."""
    own = f"{finding.source_id}:{finding.row_no}"
    return [place for place in dict.fromkeys((finding.related or "").split()) if place != own]


def _offered(finding: Finding) -> dict[str, list[str]]:
    """Place → the reasons of the rules, at most nine places, suggestions first and in their order."""
    if Code(finding.code) not in _OF_PERSONS:
        return {}
    found: dict[str, list[str]] = {}
    for each in json.loads(finding.suggestions or "null") or ():
        found.setdefault(each["patient"], []).append(_WHY[each["why"]].format(key_name(each["key"])))
    for place in places_of(finding):
        found.setdefault(place, [])
    return dict(list(found.items())[:MOST])


def _people(staging: Staging, places: Sequence[str]) -> dict[str, Person]:
    """The persons at these places, in this order; those that are no longer there are left out."""
    staged = {split_place(place): place for place in places if not place.startswith(TENANT)}
    found = {
        place: Person(place, tenant_title(values), values)
        for place, values in tenants_people(staging, places).items()
    }
    if staged:
        with staging.lent(shown_row=rows_frame(staged)):
            states = {(source, row): state for source, row, state in staging.rows("states_of_rows")}
        for row, pairs in pairs_of_rows(staging, PATIENTS, staged).items():
            values = values_of(pairs)
            found[staged[row]] = Person(staged[row], title_of(values), values, states.get(row))
    return {place: found[place] for place in places if place in found}


def _rows_of(staging: Staging, places: Sequence[str]) -> dict[str, dict[str, int]]:
    """Place → how many rows of each sheet are linked to that person."""
    staged = [split_place(place) for place in places if not place.startswith(TENANT)]
    ids = [place.removeprefix(TENANT) for place in places if place.startswith(TENANT)]
    found: dict[str, dict[str, int]] = {}
    people = pl.DataFrame({"target_id": ids}, schema={"target_id": pl.String})
    with staging.lent(shown_row=rows_frame(staged), shown_person=people):
        for place, sheet, count in staging.rows("counts_of_persons_rows"):
            found.setdefault(place, {})[sheet] = count
    return found


def _vetoes(
    staging: Staging, finding: Finding, places: Sequence[str], index: BlindIndex | None
) -> dict[str, str]:
    """The persons whom no decision may name, in the words in which it would be refused."""
    code = Code(finding.code)
    naming = next((each for each in (Decision.LINK, Decision.MERGE) if code in ALLOWED[each]), None)
    if naming is None:
        return {}
    return {place: error.message for place, error in vetoes(staging, finding, naming, places, index).items()}
