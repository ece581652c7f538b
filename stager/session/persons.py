"""Persons as a reviewer calls them: name and birth date, or what else is known."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

import polars as pl

from stager.errors import UsageError
from stager.records import rows_frame
from stager.session.shown_cells import Cells, cells_of_rows
from stager.sheets import PATIENTS
from stager.staging import Staging

NAMING = ("legacy_id", "first_name", "last_name", "date_of_birth")
"""The fields that a person is called by."""

_PLACE = re.compile(r"([0-9]{1,9}):([0-9]{1,9})")

TENANT = "tenant:"
"""What the place of one of the tenant's own people begins with."""


def split_place(place: str) -> tuple[int, int]:
    """ "SOURCE:ROW" → source_id, row_no. UsageError for anything else."""
    found = _PLACE.fullmatch(place)
    if found is None:
        raise UsageError("a row is named by SOURCE:ROW here", hint="stager rows shows the numbers")
    return int(found[1]), int(found[2])


def titles(staging: Staging, places: Collection[str], known: Cells) -> dict[str, str]:
    """Place → "Name, birth date" for the staged, LegacyPatientID or id for the tenant's own.

    known: cells read already, which need not be read again.
    """
    found = {place: tenant_title(cells) for place, cells in tenants_people(staging, places).items()}
    staged = {place: split_place(place) for place in places if not place.startswith(TENANT)}
    missing = {row for row in staged.values() if row not in known}
    read = cells_of_rows(staging, PATIENTS, rows_frame(missing), NAMING) if missing else {}
    have = known | read
    return found | {place: title_of(have[row].standing) for place, row in staged.items() if row in have}


def title_of(cells: Mapping[str, str | None]) -> str:
    """A patient's cells → "Ann Archer, 1980-02-29"; the LegacyPatientID where there is no name."""
    names = [(cells.get(name) or "").strip() for name in ("first_name", "last_name")]
    name = " ".join(each for each in names if each) or (cells.get("legacy_id") or "").strip()
    born = (cells.get("date_of_birth") or "").strip()
    return ", ".join(each for each in (name, born) if each)


def tenant_title(cells: Mapping[str, str | None]) -> str:
    """One of the tenant's own people: no name is known here."""
    return f"the tenant's {cells['legacy_id'] or cells['target_id']}"


def tenants_people(staging: Staging, places: Collection[str]) -> dict[str, dict[str, str | None]]:
    """Place → what the snapshot knows of the tenant's own people among these, nothing that is sealed."""
    ids = [place.removeprefix(TENANT) for place in places if place.startswith(TENANT)]
    if not ids:
        return {}
    with staging.lent(shown_person=pl.DataFrame({"target_id": ids})):
        rows = staging.rows("tenants_shown")
    names = ("target_id", "legacy_id", "email", "role")
    return {f"{TENANT}{row[0]}": dict(zip(names, row, strict=True)) for row in rows}
