"""Evidence: `rejects`, `why`, `history`, `rebuild`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stager.cli import options, show_evidence
from stager.cli.invocation import invocation
from stager.errors import IntegrityFailed


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command(epilog=options.examples("stager rejects", "stager rejects --out to-correct/"))(rejects)
    app.command(
        epilog=options.examples("stager why clinical_data_note 018f3c2a-7d1e-8a4b-9c0d-1e2f3a4b5c6d"),
    )(why)
    app.command(epilog=options.examples("stager history notes 17", "stager history notes 2:17 --json"))(
        history
    )
    app.command(epilog=options.examples("stager rebuild"))(rebuild)


def rejects(
    context: typer.Context,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder to write to.")] = Path(
        "rejects"
    ),
) -> None:
    """Write rejected and held records out, to be corrected.

    The records stand as they came, with the reasons; a corrected file ingests again. The files hold
    patients' data and are readable for their owner only.
    """
    call = invocation(context)
    with call.session() as session:
        written = session.write_rejects(out)
    for path, file in written:
        call.screen.tell(f"wrote {path}: {file.records:,} records of {file.sheet}")
    if not written:
        call.screen.tell("no record is rejected or held")
    files = [{"path": str(path), "sheet": file.sheet, "records": file.records} for path, file in written]
    call.screen.document({"files": files})


def why(
    context: typer.Context,
    table: Annotated[str, typer.Argument(metavar="TABLE", help="The tenant's table.")],
    target_id: Annotated[str, typer.Argument(metavar="ID", help="The row's id there.")],
) -> None:
    """Show where a published row came from, down to its bytes."""
    call = invocation(context)
    with call.session() as session:
        story = session.why(target_id)
    show_evidence.story(call.screen, story, of=f"{table} {target_id}")
    call.screen.document({"table": table, **show_evidence.document(story)})


def history(
    context: typer.Context,
    sheet: Annotated[
        str,
        typer.Argument(
            metavar="SHEET",
            callback=options.known_sheet,
            autocompletion=options.sheet_names,
            help="The sheet.",
        ),
    ],
    row: Annotated[str, typer.Argument(metavar="ROW", help="ROW, or SOURCE:ROW where it has several files.")],
) -> None:
    """Show every event of a row."""
    call = invocation(context)
    with call.session() as session:
        story = session.history(sheet, row)
    show_evidence.story(call.screen, story, of=f"{story.sheet} row {story.row}")
    call.screen.document(show_evidence.document(story))


def rebuild(context: typer.Context) -> None:
    """Fold every projection again, and prove the state the same."""
    call = invocation(context)
    with call.session() as session:
        before, after = session.rebuild()
    if before != after:
        raise IntegrityFailed(
            f"the state was {before} and is {after} when it is folded from the log",
            hint="the projections had been altered; they are right now. Look at stager status",
        )
    call.screen.tell(f"rebuilt: the same state as before, {after}")
    call.screen.document({"before": before, "after": after, "equal": True})
