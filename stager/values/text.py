"""Texts: free text, references, identifiers and narratives; and names folded for comparison."""

from __future__ import annotations

import polars as pl

from stager.sheets import Column
from stager.values.rules import Rules

_CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x{9f}]"
"""Controls but tab and line breaks. The C1 range is what cp1252 text read as Latin-1 leaves behind."""

_UNDECOMPOSED = {"ß": "ss", "ø": "o", "ł": "l", "æ": "ae", "œ": "oe", "đ": "d", "ð": "d", "þ": "th", "ı": "i"}
"""Letters that Unicode does not take apart into a base letter and a mark."""


def read_text(cells: pl.LazyFrame, column: Column, rules: Rules) -> pl.LazyFrame:
    """Free text and references: as they are, suspect where a control character is inside."""
    text = pl.col("text")
    return cells.with_columns(
        value=text,
        issue=pl.when(text.str.contains(_CONTROL)).then(pl.lit("control_character")),
        change=pl.lit(None, pl.String),
    )


def read_identifier(cells: pl.LazyFrame, column: Column, rules: Rules) -> pl.LazyFrame:
    """Identifiers: as they are, never padded; refused where any control character is inside."""
    text = pl.col("text")
    return cells.with_columns(
        value=text,
        issue=pl.when(text.str.contains(r"\p{Cc}")).then(pl.lit("identifier_control")),
        change=pl.lit(None, pl.String),
    )


def read_narrative(cells: pl.LazyFrame, column: Column, rules: Rules) -> pl.LazyFrame:
    """Narratives: to the byte."""
    nothing = pl.lit(None, pl.String)
    return cells.with_columns(value=pl.col("text"), issue=nothing, change=nothing)


def fold_name(name: pl.Expr) -> pl.Expr:
    """A name without accents, case and punctuation, for comparing: "Zoë  O'Brien-Weiß" → "zoe o brien weiss".

    Scripts other than Latin keep their letters. NULL stays NULL; a name without a letter or digit
    becomes empty, and must not be matched.
    """
    return (
        name.str.normalize("NFKD")
        .str.replace_all(r"\p{M}", "")
        .str.to_lowercase()
        .str.replace_many(list(_UNDECOMPOSED), list(_UNDECOMPOSED.values()))
        .str.replace_all(r"[^\p{L}\p{N}]+", " ")
        .str.strip_chars(" ")
    )
