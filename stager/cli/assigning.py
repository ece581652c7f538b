"""Asking a colleague: `assign`."""

from __future__ import annotations

from typing import Annotated

import typer

from stager.cli import options
from stager.cli.invocation import invocation
from stager.wording import counted


def add_to(app: typer.Typer) -> None:
    """Add this command to the program."""
    app.command(
        epilog=options.examples(
            'stager assign 12 15 --to dr-lee --note "is this one of ours?"', 'stager assign 12 --to ""'
        )
    )(assign)


def assign(
    context: typer.Context,
    ids: Annotated[list[int], typer.Argument(metavar="ID...", help="Findings by their numbers.")],
    to: Annotated[
        str, typer.Option("--to", metavar="NAME", help='The colleague; "" takes the question back.')
    ],
    note: Annotated[
        str | None, typer.Option("--note", metavar="TEXT", help="What to ask; no patient's name.")
    ] = None,
) -> None:
    """Ask a colleague about open findings; it decides nothing.

    The name and the note stand in the log, as one event: write no patient's name there.
    """
    from stager.session import Filter

    call = invocation(context)
    with call.session() as session:
        found = session.findings(Filter(ids=tuple(ids)))
        seq = session.assign(found, to, note, actor=call.actor)
    what = counted(len(found), "finding")
    told = f"assigned {what} to {to.strip()}" if to.strip() else f"took back the question about {what}"
    call.screen.tell(f"{told} as event {seq}")
    numbers = [each.finding_id for each in found]
    call.screen.document({"seq": seq, "to": to.strip(), "count": len(found), "findings": numbers})
