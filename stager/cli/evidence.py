"""Evidence: `rejects`, `why`, `history`, `rebuild`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stager.cli import options, show_evidence
from stager.cli.invocation import Invocation, invocation
from stager.errors import IntegrityFailed
from stager.sheets import SHEET
from stager.wording import counted

if TYPE_CHECKING:
    from stager.session import Session
    from stager.session.views import RowStory


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command(epilog=options.examples("stager rejects", "stager rejects --out to-correct/"))(rejects)
    app.command(
        epilog=options.examples(
            "stager why clinical_data_note 018f3c2a-7d1e-8a4b-9c0d-1e2f3a4b5c6d",
            "stager why users_user 018f3c2a-7d1e-8a4b-9c0d-1e2f3a4b5c6d --show-values",
        ),
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
        call.screen.tell(f"wrote {path}: {counted(file.records, 'record')} of {file.sheet}")
    if not written:
        call.screen.tell("no record is rejected or held")
    files = [{"path": str(path), "sheet": file.sheet, "records": file.records} for path, file in written]
    call.screen.document({"files": files})


def why(
    context: typer.Context,
    table: Annotated[str, typer.Argument(metavar="TABLE", help="The tenant's table.")],
    target_id: Annotated[str, typer.Argument(metavar="ID", help="The row's id there.")],
    column: options.OfColumn = None,
    show_values: options.ShowValues = False,
) -> None:
    """Show where a published row came from, down to its bytes."""
    call = invocation(context)
    with call.session() as session:
        story = session.why(target_id, table)
        _tell(call, session, story, column, {"table": table}, f"{table} {target_id}", show_values=show_values)


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
    column: options.OfColumn = None,
    show_values: options.ShowValues = False,
) -> None:
    """Show every event of a row."""
    call = invocation(context)
    with call.session() as session:
        story = session.history(sheet, row)
        _tell(call, session, story, column, {}, f"{story.sheet} row {story.row}", show_values=show_values)


def _tell(
    call: Invocation,
    session: Session,
    story: RowStory,
    column: str | None,
    told: dict[str, str],
    of: str,
    *,
    show_values: bool,
) -> None:
    """Show a row's story, or one cell's; its values only where they are asked for."""
    field = options.field_of(column, story.sheet)
    if field:
        story = story.of_field(field)
        of = f"{of}, {SHEET[story.sheet].column(field).name}"
    values = session.show_values(story, actor=call.actor, field=field) if show_values else None
    show_evidence.story(call.screen, story, of=of)
    if values:
        show_evidence.values(call.screen, story, values)
    call.screen.document({**told, **show_evidence.document(story, values)})


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
