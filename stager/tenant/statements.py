"""The SQL spoken to a tenant: named statements in `sql/*.sql`, read once.

A statement starts at a line `-- name: …`; the comments under it say what it is for. Values go in
as parameters, identifiers by `.format(table=psycopg.sql.Identifier(…))`, nothing by text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from psycopg import sql

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def statement(name: str) -> sql.SQL:
    """The statement of that name; KeyError if no file has it."""
    return _statements()[name]


@cache
def _statements() -> Mapping[str, sql.SQL]:
    found: dict[str, sql.SQL] = {}
    for file in sorted((Path(__file__).parent / "sql").glob("*.sql")):
        _, *parts = _NAME.split(file.read_text(encoding="utf-8"))
        for name, text in zip(parts[::2], parts[1::2], strict=True):
            if name in found:
                raise ValueError(f"two statements are named {name}")
            found[name] = sql.SQL(_without_comments(text))
    return found


def _without_comments(text: str) -> str:
    """A comment may hold a brace or a percent sign, which psycopg would take for a placeholder."""
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--")).strip()
