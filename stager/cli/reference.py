"""What the sheets hold: `sheets`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from stager import specification
from stager.cli import options
from stager.cli.invocation import invocation
from stager.cli.screen import Screen
from stager.errors import StagingUnavailable
from stager.sheets import SHEET, SHEETS, Sheet


def add_to(app: typer.Typer) -> None:
    """Add this command to the program."""
    app.command(
        epilog=options.examples(
            "stager sheets", "stager sheets notes", "stager sheets --templates templates/"
        ),
    )(sheets)


def sheets(
    context: typer.Context,
    sheet: Annotated[
        str | None,
        typer.Argument(
            metavar="SHEET",
            callback=options.known_sheet,
            autocompletion=options.sheet_names,
            help="One sheet.",
        ),
    ] = None,
    templates: Annotated[
        Path | None, typer.Option("--templates", metavar="DIR", help="Write empty CSV templates there.")
    ] = None,
) -> None:
    """Show what the sheets hold: their columns, rules and words."""
    screen = invocation(context).screen
    chosen = SHEETS if sheet is None else (SHEET[sheet],)
    if templates is None:
        with screen.list_for_readers():
            _show(screen, chosen, whole=sheet is not None)
            screen.document(specification.as_dict(chosen))
        return
    for path in _write_templates(templates, chosen):
        screen.tell(f"wrote {path}")
    names = [str(templates / f"{each.name}.csv") for each in chosen]
    screen.document({"templates": names})


def _write_templates(folder: Path, chosen: Sequence[Sheet]) -> list[Path]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = [folder / f"{each.name}.csv" for each in chosen]
        for each, path in zip(chosen, written, strict=True):
            path.write_text(specification.template_csv(each), encoding="utf-8", newline="")
    except OSError as error:
        raise StagingUnavailable(
            f"{folder} cannot be written: {error.strerror}", hint="name another folder"
        ) from None
    return written


def _show(screen: Screen, chosen: Sequence[Sheet], *, whole: bool) -> None:
    """The sheets' columns; of one sheet alone also its words and other headers."""
    for sheet in chosen:
        screen.say(f"{sheet.name}: {sheet.title} (was {sheet.old_command})", style="bold")
        screen.table(
            ("column", "R", "holds", "rule"),
            [
                (column.name, "R" if column.required else "", column.kind.value, column.about)
                for column in sheet.columns
            ],
        )
        screen.say()
        if whole:
            _words(screen, sheet)


def _words(screen: Screen, sheet: Sheet) -> None:
    for column in sheet.columns:
        if column.vocabulary:
            default = f" (blank is {column.default})" if column.default else ""
            screen.say(f"{column.name}: {', '.join(column.vocabulary)}{default}")
        for word, meant in column.synonyms.items():
            screen.say(f"    {word} is read as {meant}")
    screen.say()
    for column in sheet.columns:
        if column.aliases:
            screen.say(f"{column.name} may be headed: {', '.join(column.aliases)}")
