"""Suggestions for a reference that finds no one: near keys, ranked, with the reason for each.

A suggestion is evidence for a reviewer and never a link. The reasons, the strongest first:

    spreadsheet      the reference is a key as a spreadsheet writes it: `123.0`, `1.23E+05`
    leading_zeros    the two are equal without their leading zeros
    case             the two are equal without regard to case
    edit             one character was typed, left out, changed or swapped with its neighbour
"""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation

import polars as pl
from rapidfuzz.distance import OSA

from stager.staging import Staging

MOST = 9
_REASONS = ("spreadsheet", "leading_zeros", "case", "edit")
_EDIT_MIN_LENGTH = 4


def offer_suggestions(staging: Staging) -> pl.DataFrame:
    """For each unresolved reference: raw, suggestions (JSON list of patient, key, why), at most nine."""
    unresolved = staging.frame("unresolved_references")
    schema = {"raw": pl.String, "suggestions": pl.String}
    if unresolved.is_empty() or (keys := staging.frame("key_texts")).is_empty():
        return pl.DataFrame(schema=schema)
    found = pl.concat([_same_form(unresolved, keys), _one_edit(unresolved, keys)])
    ranked = (
        found.with_columns(
            rank=pl.col("why").replace_strict(_REASONS, range(len(_REASONS)), return_dtype=pl.Int8)
        )
        .sort("raw", "rank", "place", "via")
        .unique(["raw", "place"], keep="first", maintain_order=True)
        .group_by("raw", maintain_order=True)
        .agg(pl.struct("place", "via", "why").head(MOST).alias("offers"))
    )
    rows = [(raw, json.dumps([_offer(each) for each in offers])) for raw, offers in ranked.iter_rows()]
    return pl.DataFrame(rows, schema=schema, orient="row")


def _offer(each: dict[str, str]) -> dict[str, str]:
    return {"patient": each["place"], "key": each["via"], "why": each["why"]}


def _same_form(unresolved: pl.DataFrame, keys: pl.DataFrame) -> pl.DataFrame:
    forms = {
        "spreadsheet": (pl.col("text").map_elements(_written_out, return_dtype=pl.String), pl.col("key")),
        "leading_zeros": (_bare(pl.col("text")), _bare(pl.col("key"))),
        "case": (pl.col("text").str.to_lowercase(), pl.col("key").str.to_lowercase()),
    }
    parts = [
        unresolved.with_columns(form=theirs)
        .filter(pl.col("form") != "")
        .join(keys.with_columns(form=ours), on="form")
        .select("raw", "place", "via", why=pl.lit(why))
        for why, (theirs, ours) in forms.items()
    ]
    return pl.concat([*parts, _spreadsheet_of_padded(unresolved, keys)])


def _spreadsheet_of_padded(unresolved: pl.DataFrame, keys: pl.DataFrame) -> pl.DataFrame:
    written = pl.col("text").map_elements(_written_out, return_dtype=pl.String)
    return (
        unresolved.with_columns(form=_bare(written))
        .filter(pl.col("form") != "")
        .join(keys.with_columns(form=_bare(pl.col("key"))), on="form")
        .select("raw", "place", "via", why=pl.lit("spreadsheet"))
    )


def _bare(text: pl.Expr) -> pl.Expr:
    return text.str.strip_chars_start("0")


def _written_out(text: str) -> str:
    """`123.0` → `123`, `1.23E+05` → `123000`; "" for what is not a whole number in such a form."""
    if not text or text.isdecimal():
        return ""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return ""
    whole = number.is_finite() and 0 <= number < Decimal(10) ** 20 and number == number.to_integral_value()
    return str(int(number)) if whole else ""


def _one_edit(unresolved: pl.DataFrame, keys: pl.DataFrame) -> pl.DataFrame:
    """Pairs one edit apart, found by what both leave when one character is taken out."""
    ours = _neighbours(keys.filter(pl.col("key").str.len_chars() >= _EDIT_MIN_LENGTH), "key")
    theirs = _neighbours(unresolved.filter(pl.col("text").str.len_chars() >= _EDIT_MIN_LENGTH), "text")
    pairs = theirs.join(ours, on="form").unique(["raw", "place", "via"])
    near = [OSA.distance(text, key) == 1 for text, key in pairs.select("text", "key").iter_rows()]
    return pairs.filter(pl.Series(near, dtype=pl.Boolean)).select("raw", "place", "via", why=pl.lit("edit"))


def _neighbours(frame: pl.DataFrame, column: str) -> pl.DataFrame:
    length = pl.col(column).str.len_chars().cast(pl.Int64)
    return (
        frame.with_columns(cut=pl.int_ranges(-1, length))
        .explode("cut")
        .with_columns(
            form=pl.when(pl.col("cut") < 0)
            .then(pl.col(column))
            .otherwise(pl.col(column).str.head(pl.col("cut")) + pl.col(column).str.slice(pl.col("cut") + 1))
        )
        .drop("cut")
    )
