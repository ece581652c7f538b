"""Words of a vocabulary: folded, looked up, replaced by the vocabulary's own spelling."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from stager.errors import UsageError, Where
from stager.sheets import Column, fold_word
from stager.values.rules import Rules

_FOUND = pl.Struct({"word": pl.String, "change": pl.String})


def read_word(cells: pl.LazyFrame, column: Column, rules: Rules) -> pl.LazyFrame:
    """Words, in the vocabulary's spelling; others as given, and unknown.

    UsageError: a synonym of the rules stands for a word outside the vocabulary.
    """
    meanings = _meanings(column, rules)
    unknown = "vocabulary_required" if column.required else "vocabulary"
    text = pl.col("text")
    read = cells.with_columns(
        _found=text.map_batches(lambda texts: _look_up(texts, meanings), return_dtype=_FOUND)
    ).with_columns(
        _word=pl.col("_found").struct.field("word"), change=pl.col("_found").struct.field("change")
    )
    word = pl.col("_word")
    return read.with_columns(
        value=pl.coalesce(word, text),
        issue=pl.when(text.is_not_null() & word.is_null()).then(pl.lit(unknown)),
    )


def _vocabulary(column: Column, rules: Rules) -> tuple[str, ...]:
    return (*column.vocabulary, *rules.roles) if column.field == "role" else column.vocabulary


def _meanings(column: Column, rules: Rules) -> Mapping[str, str]:
    """Folded word → word of the vocabulary; the source's synonyms win over the sheet's words."""
    spelling = {fold_word(word): word for word in _vocabulary(column, rules)}
    own = rules.synonyms.get(column.field, {})
    if not all(fold_word(meant) in spelling for meant in own.values()):
        raise UsageError(
            "a synonym stands for a word that is not in the column's vocabulary",
            where=Where(column=column.name),
            hint="use one of: " + ", ".join(spelling.values()),
        )
    return {**column.synonyms, **spelling, **{word: spelling[fold_word(own[word])] for word in own}}


def _look_up(texts: pl.Series, meanings: Mapping[str, str]) -> pl.Series:
    """Each text's word and what was changed for it; looked up once for each distinct text."""
    words: dict[str, str] = {}
    changes: dict[str, str] = {}
    for text in texts.drop_nulls().unique():
        folded = fold_word(text)
        if (word := meanings.get(folded)) is None:
            continue
        words[text] = word
        if word != text:
            changes[text] = "case" if fold_word(word) == folded else "synonym"
    return pl.DataFrame({"word": _replaced(texts, words), "change": _replaced(texts, changes)}).to_struct(
        texts.name
    )


def _replaced(texts: pl.Series, by: Mapping[str, str]) -> pl.Series:
    return texts.replace_strict(list(by), list(by.values()), default=None, return_dtype=pl.String)
