"""TOML files that people write: read whole, and an unknown key is refused with the nearest known one."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from stager.errors import UsageError, Where

Toml = Mapping[str, Any]


def read_toml(path: Path) -> dict[str, Any]:
    """The document in a TOML file.

    Raises UsageError if it cannot be read or parsed. Of the parser's words only the position is
    kept: the line itself may hold a password.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}",
            where=Where(file=str(path)),
            hint="check its name, and that you may read it",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        position = str(error).rpartition("(")[2].rstrip(")") if "(at " in str(error) else "not UTF-8"
        raise UsageError(f"{path.name} is not valid TOML: {position}", where=Where(file=str(path))) from None


def refuse_unknown(given: Collection[str], known: Collection[str], place: str) -> None:
    """UsageError for the first key of `given` that is not `known`, with the nearest that is."""
    for key in given:
        if key not in known:
            raise UsageError(f"{place}: unknown key {key!r}", hint=suggestion(key, known))


def suggestion(word: str, known: Collection[str]) -> str:
    """A hint that names the nearest known word, or all of them where none is near."""
    near = difflib.get_close_matches(word, sorted(known), n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"known here: {', '.join(sorted(known))}"


def text_of(table: Toml, key: str, place: str, default: str | None = None) -> str:
    """The text under `key`; UsageError if it is another type, or missing without a default."""
    value = table.get(key, default)
    if not isinstance(value, str):
        said = "is missing" if value is None else "must be text"
        raise UsageError(f"{place}: {key} {said}")
    return value


def texts_of(table: Toml, key: str, place: str) -> tuple[str, ...]:
    """The list of texts under `key` (none where it is absent); UsageError if it is anything else."""
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise UsageError(f"{place}: {key} must be a list of texts")
    return tuple(value)


def flag_of(table: Toml, key: str, place: str, default: bool) -> bool:
    """The true or false under `key`; UsageError if it is anything else."""
    value = table.get(key, default)
    if not isinstance(value, bool):
        raise UsageError(f"{place}: {key} must be true or false")
    return value


def table_of(table: Toml, key: str, place: str) -> Toml:
    """The table under `key` (empty where it is absent); UsageError if it is anything else."""
    value = table.get(key, {})
    if not isinstance(value, dict):
        raise UsageError(f"{place}: {key} must be a table")
    return value
