"""All SQL that the staging file is asked, named, in `.sql` files, and the identifiers composed into it.

A statement starts at a line `-- name: what_it_does` and ends before the next one. `{places}` in a
statement are filled with identifiers and column lists made here from declared names, never with
values: values are bound as `$parameters`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent  # importlib.resources takes longer to be read than all of the files
_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]*")


def statement(name: str, **places: str) -> str:
    """The text of the statement of that name, its `{places}` filled. KeyError if there is none."""
    text = _statements()[name]
    for place, composed in places.items():
        text = text.replace("{" + place + "}", composed)
    return text


def script(name: str) -> str:
    """A whole `.sql` file by its stem, for the numbered schema steps."""
    return (_FOLDER / f"{name}.sql").read_text(encoding="utf-8")


def schema_steps() -> tuple[str, ...]:
    """The stems of the numbered schema steps, in their order."""
    names = (entry.name for entry in _FOLDER.iterdir())
    return tuple(sorted(name.removesuffix(".sql") for name in names if re.match(r"schema_\d+", name)))


def identifier(name: str) -> str:
    """A declared name as a quoted identifier; ValueError for anything that is not one."""
    if not _IDENTIFIER.fullmatch(name):
        raise ValueError(f"not a declared name: {name!r}")
    return f'"{name}"'


def identifiers(names: Iterable[str], *, of: str = "") -> str:
    """Declared names as a column list, each prefixed by the table alias `of` where one is given."""
    prefix = f"{of}." if of else ""
    return ", ".join(prefix + identifier(name) for name in names)


@cache
def _statements() -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in sorted(_FOLDER.glob("*.sql")):
        if not entry.name.startswith("schema_"):
            parts = _NAME.split(entry.read_text(encoding="utf-8"))[1:]
            for name, text in zip(parts[::2], parts[1::2], strict=True):
                if name in found:
                    raise ValueError(f"two statements are named {name}")
                found[name] = text.strip()
    return found
