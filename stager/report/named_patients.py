"""Rejected rows beside the patient whom their own reference names.

No rule links a rejected row, since it goes nowhere. Yet an allergy that was rejected for a missing date
is still that patient's, and must not be lost from sight. So its reference is looked up here, exactly
and in the order of the linking rules; where it finds two persons by one key, the row is nobody's.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from stager.records import slices
from stager.sheets import PATIENTS, SHEETS, Sheet
from stager.staging import Staging
from stager.values import nhs_digits

_KEYS = ("legacy_id", "nhs_number", "email")

Named = tuple[str, int, int, str]
"""A rejected row, as sheet, source_id, row_no, and the place of the person that it names."""


def named_patients(staging: Staging) -> Iterator[Named]:
    """The rejected rows whose patient reference names one person."""
    people: dict[str, dict[str, str | None]] | None = None
    for sheet in SHEETS:
        rejected = staging.frame("report_rejected_rows", sheet=sheet.name)
        if sheet is PATIENTS or rejected.is_empty():
            continue
        people = people or _people(staging)
        for source_id, row_no, *keys in _references(staging, sheet, rejected).iter_rows():
            if person := _person(people, keys):
                yield sheet.name, source_id, row_no, person


def _person(people: dict[str, dict[str, str | None]], keys: list[str | None]) -> str | None:
    """The person whom the first key that finds anyone finds alone."""
    for name, key in zip(_KEYS, keys, strict=True):
        if key and key in people[name]:
            return people[name][key]
    return None


def _people(staging: Staging) -> dict[str, dict[str, str | None]]:
    """Key by key, who has it; None for one that several persons have."""
    found: dict[str, dict[str, str | None]] = {name: {} for name in _KEYS}
    for frame in _people_frames(staging):
        for place, *keys in frame.iter_rows():
            for name, key in zip(_KEYS, keys, strict=True):
                if key:
                    found[name][key] = place if found[name].get(key, place) == place else None
    return found


def _people_frames(staging: Staging) -> Iterator[pl.DataFrame]:
    for part in slices(staging, PATIENTS, fields=_KEYS, among="row_state"):
        standing = staging.frame("report_people_standing", source_id=part.source_id)
        values = part.normalised(_KEYS).values.join(standing, on=["source_id", "row_no"], how="semi")
        yield values.select(
            pl.format("{}:{}", "source_id", "row_no").alias("place"),
            pl.col("legacy_id"),
            nhs_digits(pl.col("nhs_number")).alias("nhs_number"),
            pl.col("email").str.to_lowercase(),
        )
    own = staging.frame("report_tenants_people")
    yield own.select(
        pl.format("tenant:{}", "target_id").alias("place"),
        pl.col("legacy_id").str.strip_chars(),
        pl.lit(None, pl.String).alias("nhs_number"),
        pl.col("email").str.to_lowercase(),
    )


def _references(staging: Staging, sheet: Sheet, rejected: pl.DataFrame) -> pl.DataFrame:
    """source_id, row_no and the reference as it may be read: to the letter, as NHS number, as address."""
    parts = []
    with staging.lent(rejected_row=rejected):
        for part in slices(staging, sheet, fields=["patient_ref"], among="rejected_row"):
            values = part.normalised(["patient_ref"]).values
            parts.append(
                values.select(
                    "source_id",
                    "row_no",
                    pl.col("patient_ref").alias("legacy_id"),
                    nhs_digits(pl.col("patient_ref")).alias("nhs_number"),
                    pl.col("patient_ref").str.to_lowercase().alias("email"),
                )
            )
    return pl.concat(parts) if parts else pl.DataFrame(schema=["source_id", "row_no", *_KEYS])
