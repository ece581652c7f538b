"""Evidence: `report`, the migration report as a page, a document or tables, and the auditor's pack."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stager.cli import options
from stager.cli.invocation import Invocation, invocation
from stager.errors import UsageError

if TYPE_CHECKING:
    from stager.report import Report

_FORMS = ("html", "json", "csv")


def add_to(app: typer.Typer) -> None:
    """Add this command to the program."""
    app.command(
        epilog=options.examples(
            "stager report",
            "stager report --format json --out maple-surgery.json",
            "stager report --pack maple-surgery.zip",
        )
    )(report)


def _known_form(form: str) -> str:
    if form not in _FORMS:
        raise typer.BadParameter(f"there is no format {form!r}; the formats are {', '.join(_FORMS)}")
    return form


def report(
    context: typer.Context,
    form: Annotated[
        str,
        typer.Option("--format", metavar="FORMAT", callback=_known_form, help="html, json or csv."),
    ] = "html",
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="PATH", help="The file, for csv the folder; else report.FORMAT."),
    ] = None,
    pack: Annotated[
        Path | None, typer.Option("--pack", metavar="ZIP", help="Write the auditor's pack, with the report.")
    ] = None,
    patient: Annotated[
        str | None,
        typer.Option("--patient", metavar="LEGACYID", help="Add what happened to one person's rows."),
    ] = None,
    expect: options.Expect = None,
    at: options.AtEvent = None,
) -> None:
    """Write the migration report, without patients' values.

    With --patient it names that person by their LegacyPatientID, and is to be treated as their record.
    """
    call = invocation(context)
    if at and (pack or expect):
        raise UsageError(
            "a pack is of the whole log, and what is expected is said now", hint="leave out --at"
        )
    if pack and out:
        raise UsageError("a pack holds the report in every form", hint="leave out --out, or make two calls")
    from stager.session import Format

    with call.session() as session:
        if expect:
            session.expect(expect, actor=call.actor)
        made = session.report(at=at, patient=patient)
        if pack:
            members = session.write_report_pack(made, pack)
            paths = [Path.cwd() / pack]
        else:
            members, paths = (), session.write_report(made, Format(form), out)
    _show(call, made, paths, members)


def _show(call: Invocation, made: Report, paths: list[Path], members: tuple[str, ...]) -> None:
    for path in paths:
        call.screen.tell(f"wrote {path}")
    if members:
        call.screen.tell(f"  {len(members)} members; stager verify checks it, and so does verify.py in it")
    if not made.balances:
        call.screen.warn("stager: the account does not balance, and the report says so", style="bold red")
    for sheet in made.account:
        if sheet.difference:
            call.screen.warn(
                f"stager: {sheet.sheet}: {sheet.expected:,} records were expected, the difference is "
                f"{sheet.difference:+,}"
            )
    call.screen.document(
        {
            "files": [str(path) for path in paths],
            "members": list(members),
            "events": made.migration.events,
            "balances": made.balances,
            "differences": {each.sheet: each.difference for each in made.account if each.difference},
        }
    )
