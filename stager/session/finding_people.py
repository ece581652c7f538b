"""Finding a person by words of their record: staged patients and the tenant's own."""

from __future__ import annotations

from stager.session.cells import record
from stager.session.review_views import Record
from stager.sheets import PATIENTS
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
