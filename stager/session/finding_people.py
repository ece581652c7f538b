"""Finding a person by words of their record, and what belongs to one: staged patients, the tenant's own."""

from __future__ import annotations

from stager.session.cells import record
from stager.session.persons import TENANT, split_place
from stager.session.review_views import Record
from stager.sheets import PATIENTS, SHEETS
from stager.staging import Staging


def find_people(staging: Staging, text: str, most: int) -> list[Record]:
    """The persons in whose record every word stands, those whose ID it is first; at most so many.

    Looked in: ID, names, birth date, NHS number, email address, postcode, as they came or as corrected;
    of the tenant's own people ID and email address. Excluded patients are nobody to be linked to.
    """
    words = text.lower().split()
    if not words:
        return []
    found = staging.rows("people_with_words", words=words, whole=" ".join(words), most=most)
    return [record(staging, place, PATIENTS.name) for (place,) in found]


def rows_of(staging: Staging, place: str, most: int) -> list[Record]:
    """The rows that are linked to a person, in the sheets' order; at most so many."""
    person = place.removeprefix(TENANT) if place.startswith(TENANT) else None
    source_id, row_no = (None, None) if person else split_place(place)
    found = staging.rows("rows_of_one", person=person, source_id=source_id, row_no=row_no, most=most)
    order = {sheet.name: at for at, sheet in enumerate(SHEETS)}
    found.sort(key=lambda row: (order[row[0]], row[1], row[2]))
    return [record(staging, f"{source}:{row}", sheet) for sheet, source, row in found]
