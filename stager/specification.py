"""The sheets' specification for people and programs, rendered from `stager.sheets` alone.

Markdown (which is `docs/sheets.md`), JSON-able dicts, and empty CSV templates.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from stager.sheets import EXPLAINED, REJECTING, SHEETS, Column, Sheet

_INTRODUCTION = """\
# The sheets

What `stager ingest` accepts. The page is rendered from `stager/sheets.py`; change that, not this.

Sheets are published in this order, which is that of their foreign keys; they may be ingested in any.
Headers match to the letter, else without case, spaces and punctuation, else by the aliases listed.
**R** marks a required column. All cells but narratives lose their outer white space."""

_COLUMN_HEADINGS = ("Column", "R", "Holds", "Rule", "Words", "Blank is", "In the tenant")
_CODES_INTRODUCTION = """\
## Finding codes

What may be said against a row, or was done to one of its values."""


def as_markdown(sheets: Iterable[Sheet] = SHEETS) -> str:
    """The specification of those sheets as a Markdown page."""
    parts = [_INTRODUCTION, *map(sheet_markdown, sheets), _CODES_INTRODUCTION, codes_table()]
    return "\n\n".join(parts) + "\n"


def sheet_markdown(sheet: Sheet) -> str:
    """One sheet's section: its columns, their aliases, the synonyms of its words."""
    heading = f"## {sheet.name}: {sheet.title}"
    replaces = f"Replaces the command `{sheet.old_command}`."
    aliases = _listed("Other headers", ((column.name, column.aliases) for column in sheet.columns))
    synonyms = _listed("Synonyms", ((column.name, _synonyms(column)) for column in sheet.columns))
    return "\n\n".join(part for part in (heading, replaces, columns_table(sheet), aliases, synonyms) if part)


def columns_table(sheet: Sheet) -> str:
    """A sheet's columns as a Markdown table."""
    return _table(
        _COLUMN_HEADINGS,
        (
            (
                column.name,
                "R" if column.required else "",
                column.kind.value,
                column.about,
                ", ".join(column.vocabulary),
                column.default or "",
                column.protection.value,
            )
            for column in sheet.columns
        ),
    )


def codes_table() -> str:
    """The finding codes as a Markdown table."""
    return _table(
        ("Code", "Means", "Rejects the row"),
        (
            (f"`{code.value}`", meaning, "yes" if code in REJECTING else "")
            for code, meaning in EXPLAINED.items()
        ),
    )


def as_dict(sheets: Iterable[Sheet] = SHEETS) -> dict[str, Any]:
    """The specification as JSON-able values: `sheets`, in order, and `codes` with their meanings."""
    return {
        "sheets": [sheet_dict(sheet) for sheet in sheets],
        "codes": {code.value: meaning for code, meaning in EXPLAINED.items()},
    }


def sheet_dict(sheet: Sheet) -> dict[str, Any]:
    """One sheet as JSON-able values."""
    return {
        "name": sheet.name,
        "title": sheet.title,
        "old_command": sheet.old_command,
        "columns": [_column_dict(column) for column in sheet.columns],
    }


def template_csv(sheet: Sheet) -> str:
    """An empty CSV file of the sheet: its header record, by RFC 4180."""
    text = io.StringIO()
    csv.writer(text).writerow(column.name for column in sheet.columns)
    return text.getvalue()


def _column_dict(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "field": column.field,
        "holds": column.kind.value,
        "required": column.required,
        "rule": column.about,
        "vocabulary": list(column.vocabulary),
        "default": column.default,
        "synonyms": dict(column.synonyms),
        "aliases": list(column.aliases),
        "protection": column.protection.value,
    }


def _synonyms(column: Column) -> tuple[str, ...]:
    return tuple(f"{word} → {meant}" for word, meant in column.synonyms.items())


def _listed(title: str, entries: Iterable[tuple[str, Sequence[str]]]) -> str:
    lines = [f"- {name}: {'; '.join(items)}" for name, items in entries if items]
    return "\n".join([f"{title}:", "", *lines]) if lines else ""


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
