"""Options and arguments that several commands share, and what they may be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from stager.errors import UsageError
from stager.sheets import SHEET, SHEETS, Code, fold_header

EVERYWHERE = "The global options (see stager --help) may stand here too."


def examples(*lines: str) -> str:
    """The end of a command's help: its examples, kept line by line."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines), "", EVERYWHERE])


def field_of(column: str | None, sheet: str | None) -> str | None:
    """The field of a column named by its header or its field, without regard to case; UsageError for none."""
    if column is None:
        return None
    sought = fold_header(column)
    for each in [SHEET[sheet]] if sheet else SHEETS:
        for found in each.columns:
            if sought in (fold_header(found.name), fold_header(found.field)):
                return found.field
    where = f"the {sheet} sheet has no column" if sheet else "no sheet has a column"
    raise UsageError(f"{where} {column!r}", hint="stager sheets shows the columns")


def known_sheet(name: str | None) -> str | None:
    """The sheet's name; a wrong usage where there is no such sheet."""
    if name is not None and name not in SHEET:
        raise typer.BadParameter(f"there is no sheet {name!r}; the sheets are {', '.join(SHEET)}")
    return name


def sheet_names(incomplete: str) -> Iterator[str]:
    """The sheets that begin so, for the shell's completion."""
    yield from (name for name in SHEET if name.startswith(incomplete))


# `readable=False`: whether a file may be read, its reader finds out, and says it by the fitting exit code.
Files = Annotated[
    list[Path] | None, typer.Argument(metavar="FILE...", help="CSV files, in any order.", readable=False)
]
MoreFiles = Annotated[
    list[Path] | None, typer.Option("--file", "-f", metavar="FILE", help="A CSV file, too.", readable=False)
]
Slug = Annotated[str, typer.Option("--tenant", "-t", metavar="SLUG", help="The tenant.")]
MaybeSlug = Annotated[
    str | None, typer.Option("--tenant", "-t", metavar="SLUG", help="The tenant that this migration is for.")
]
OfSheet = Annotated[
    str | None,
    typer.Option(
        "--sheet",
        metavar="SHEET",
        callback=known_sheet,
        autocompletion=sheet_names,
        help="Of this sheet only.",
    ),
]
AsSheet = Annotated[
    str | None,
    typer.Option(
        "--sheet",
        metavar="SHEET",
        callback=known_sheet,
        autocompletion=sheet_names,
        help="Which sheet the files are; else told by their headers.",
    ),
]
OfCode = Annotated[Code | None, typer.Option("--code", metavar="CODE", help="With this finding code only.")]
OfColumn = Annotated[str | None, typer.Option("--column", metavar="COLUMN", help="About this column only.")]
OfRule = Annotated[str | None, typer.Option("--rule", metavar="RULE", help="Found by this rule only.")]
SameAs = Annotated[
    int | None, typer.Option("--same-as", metavar="ID", help="Those about the same thing as finding ID.")
]
Reason = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why, for the record.")]
AtEvent = Annotated[
    int | None, typer.Option("--at", metavar="SEQ", help="As it stood after that event of the log.")
]
ShowValues = Annotated[
    bool,
    typer.Option("--show-values", help="Show the cells and bytes, too; an event says that you saw them."),
]
Expect = Annotated[
    str | None,
    typer.Option(
        "--expect",
        metavar="COUNTS",
        help="The practice's own counts: patients=10231,… or a CSV file with sheet,count.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Encoding = Annotated[
    str | None, typer.Option("--encoding", metavar="ENCODING", help="The files' encoding; else found out.")
]
Delimiter = Annotated[
    str | None, typer.Option("--delimiter", metavar="SIGN", help="One sign, or `tab`; else found out.")
]
MappingFile = Annotated[
    Path | None,
    typer.Option(
        "--mapping", metavar="FILE", help="A mapping profile (TOML) for the headers.", readable=False
    ),
]
Synthetic = Annotated[
    bool, typer.Option("--synthetic", help="The patients are made up: 999 NHS numbers count as valid.")
]
