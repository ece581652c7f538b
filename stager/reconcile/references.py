"""The references of the rows in scope: as they stand, whom each means, and the links that follow.

Each distinct reference is judged once; the rows name it by its number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

import polars as pl

from stager import sql
from stager.reconcile.scope import REFERENCES
from stager.sheets import NOTES
from stager.staging import Staging
from stager.values import Rules, nhs_digits, normalise

Digester = Callable[[Sequence[bytes]], Sequence[bytes]]
"""Values → keyed digests, so that a finding can say what it is about without showing it."""

_ANY_RULES = Rules(as_of=date(1970, 1, 1))  # references are trimmed and read as numbers alike under all rules
_OF_PRACTITIONERS = "where hit.rank <> 2 and coalesce(hit.role, 'PATIENT') <> 'PATIENT'"


def gather_references(staging: Staging, restriction: str) -> int:
    """Fill `reference` and `decided_reference`; how many rows in scope have references."""
    for step in ("find_people_linked", "find_practitioners_decided", "gather_decided_references"):
        staging.run(step)
    staging.run("gather_references", {"restriction": restriction})
    _forget_unsure_dates(staging)
    for (field,) in staging.rows("overlaid_columns", keys=REFERENCES):
        _complete(staging, "reference", field)
        if field == "patient_ref":
            _complete(staging, "decided_reference", field)
    count: int = staging.one("count_rows_of", {"table": "reference"})
    return count


def distinct_references(staging: Staging, digester: Digester) -> pl.DataFrame:
    """The references gathered, each once: frame of `read_references`, and subject (digest)."""
    references = read_references(staging.frame("distinct_references")["raw"].sort())
    digests = digester([text.encode() for text in references["raw"].to_list()])
    return references.with_columns(subject=pl.Series([each.hex() for each in digests], dtype=pl.String))


def read_references(raw: pl.Series) -> pl.DataFrame:
    """References as they came → frame of no, raw, text (trimmed), digits (valid NHS number), email."""
    column = NOTES.column("patient_ref").field
    cells = pl.DataFrame({"source_id": 0, "row_no": pl.int_range(raw.len(), eager=True), column: raw})
    text = normalise(NOTES, cells, _ANY_RULES, [column]).values[column]
    return pl.DataFrame({"no": cells["row_no"], "raw": raw, "text": text}).with_columns(
        digits=nhs_digits(pl.col("text")),
        email=pl.when(pl.col("text").str.contains("@", literal=True)).then(pl.col("text").str.to_lowercase()),
    )


def judge_references(staging: Staging, references: pl.DataFrame) -> None:
    """Fill `patient_judged` and `practitioner_judged`, and `matched`, the rows with the numbers of theirs."""
    with staging.lent(wanted=references):
        staging.run("match_references")
        staging.run("judge_references", {"table": "patient_judged", "among": ""})
        staging.run("judge_references", {"table": "practitioner_judged", "among": _OF_PRACTITIONERS})
    staging.run("number_references")
    staging.run("forget_references")


def link_rows(staging: Staging, restriction: str) -> None:
    """Fill `new_link` and `lost_link`."""
    staging.run("known_links", {"restriction": restriction})
    for step in ("find_links", "new_links", "lost_links"):
        staging.run(step)


def _forget_unsure_dates(staging: Staging) -> None:
    unsure = staging.frame("unsure_dates")
    if unsure.height:
        with staging.lent(unsure=unsure):
            staging.run("forget_unsure_dates")


def _complete(staging: Staging, table: str, field: str) -> None:
    """Lay people's corrections over the references, and the mappings' constants under them."""
    places = {"table": table, "field": sql.identifier(field)}
    staging.run("correct_references", places, field=field)
    constant = staging.frame("constants_of", path=f"$.constants.{field}")
    if constant.height:
        with staging.lent(constant=constant):
            staging.run("fill_references", places)
