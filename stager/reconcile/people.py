"""The persons that a reference may mean: the staged patients and the tenant's own people."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl

from stager.reconcile.scope import KEYS
from stager.records import slices
from stager.sheets import PATIENTS
from stager.staging import Staging
from stager.values import fold_name, nhs_digits

BlindIndex = Callable[[Sequence[str]], list[bytes]]
"""Ten-digit NHS numbers → their blind indexes in the tenant's database."""


def gather_people(
    staging: Staging,
    index: BlindIndex | None,
    references: pl.DataFrame,
    fresh: pl.DataFrame | None = None,
    *,
    among: str = "row_state",
) -> None:
    """Fill the temporary tables `person`, `person_key` and `person_number`.

    index: the tenant's blind index, None where no tenant was read. references: frame with `digits`.
    fresh: the tenant's own people, where those that are kept are old. among: which staged patients.
    """
    own = staging.frame("tenant_people") if fresh is None else fresh
    staged = _staged_people(staging, among)
    known = _known_indexes(index, [staged["nhs_number"], references["digits"]])
    staging.run("find_successors")
    with staging.lent(staged_person=staged, tenants_person=_tenants_people(own, known), wanted=references):
        staging.run("gather_people")
        staging.run("gather_numbers")
    staging.run("gather_keys")


def _staged_people(staging: Staging, among: str) -> pl.DataFrame:
    read = slices(staging, PATIENTS, fields=KEYS, among=among)
    parts = [_keys_of(part.normalised(KEYS).values) for part in read]
    return pl.concat(parts) if parts else _keys_of(_NOBODY)


def _tenants_people(own: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """The tenant's own people with their keys read as the staged ones' are.

    Whose index nobody's digits give has a number all the same, and another one: `number` says so.
    """
    index = pl.col("nhs_index")
    people = own.with_columns(nhs_index=pl.when(index.bin.size() > 0).then(index))
    return people.join(known, on="nhs_index", how="left").select(
        "target_id",
        "role",
        legacy_id=pl.col("legacy_id").str.strip_chars(),
        email=pl.col("email").str.strip_chars().str.to_lowercase(),
        nhs_number=pl.col("digits"),
        number=pl.coalesce("digits", pl.lit("index:") + index.bin.encode("hex")),
    )


def _keys_of(values: pl.DataFrame) -> pl.DataFrame:
    first, last = (_known_name(fold_name(pl.col(name))) for name in ("first_name", "last_name"))
    return values.select(
        "source_id",
        "row_no",
        "legacy_id",
        nhs_number=nhs_digits(pl.col("nhs_number")),
        email=pl.col("email").str.to_lowercase(),
        name_folded=pl.concat_str(first, last, separator="|"),
        name_swapped=pl.concat_str(last, first, separator="|"),
        date_of_birth=pl.col("date_of_birth"),
        role=pl.col("role"),
    )


def _known_name(folded: pl.Expr) -> pl.Expr:
    """NULL for a name without a letter or digit: a blank matches nothing, neither does a dash."""
    return pl.when(folded != "").then(folded)


_NOBODY = pl.DataFrame(
    schema={
        "source_id": pl.Int32,
        "row_no": pl.Int32,
        **{key: pl.Date if key == "date_of_birth" else pl.String for key in KEYS},
    }
)


def _known_indexes(index: BlindIndex | None, numbers: Sequence[pl.Series]) -> pl.DataFrame:
    digits = pl.concat([column.drop_nulls() for column in numbers]).unique().sort()
    if index is None:
        return pl.DataFrame(schema={"digits": pl.String, "nhs_index": pl.Binary})
    return pl.DataFrame(
        {"digits": digits, "nhs_index": index(digits.to_list())},
        schema={"digits": pl.String, "nhs_index": pl.Binary},
    )
