"""`stager review`: the screens where people decide findings. The only place that knows of the TUI."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec.structs import replace

from stager.cli import options
from stager.cli.invocation import Invocation, invocation
from stager.errors import UsageError

if TYPE_CHECKING:
    from stager.session import Session

MASK_AFTER = 300


def add_to(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(
        epilog=options.examples(
            "stager review", "stager review --read-only", "STAGER_MASK_AFTER=60 stager review --actor dr-lee"
        )
    )(review)


def review(
    context: typer.Context,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Look at a copy; nothing can be decided in it.")
    ] = False,
    no_tour: Annotated[
        bool, typer.Option("--no-tour", help="Without the tour that is shown the first time.")
    ] = False,
) -> None:
    """Decide findings on a screen, by keys or mouse.

    It opens on the migration at a glance: for each sheet its records by state, and the open findings by
    what they are about. Enter opens those; enter again shows one with its record, and who it may belong
    to. Each decision is one key, the footer shows which; `u` takes the last one back. Everything that is
    decided is in the staging file at once, as `stager decide` would have written it.

    \b
    ?      what can be done on the screen, with every key
    ctrl+p any action by its name
    p      hide patients' values, or show them; they are hidden by themselves when
           nobody has been at the keys for STAGER_MASK_AFTER seconds (300; 0 never)
    q      leave; the next time `c` goes on where you left off

    While another process has the staging file open, a copy of it can be looked at: --read-only, or `o`
    when the screen offers it. The look (dark, light, high contrast) is chosen with `t` and remembered;
    NO_COLOR and --no-color leave out all colours.
    """
    call = invocation(context)
    _require_terminal(call)
    if not call.screen.color:
        os.environ["NO_COLOR"] = "1"
    from tui import Review, run

    raise typer.Exit(
        run(
            Review(
                open=partial(_session, call),
                actor=call.actor,
                environ=os.environ,
                read_only=read_only,
                tour=not no_tour,
                mask_after=_mask_after(os.environ.get("STAGER_MASK_AFTER", "")),
            )
        )
    )


def _session(call: Invocation, read_only: bool, warn: Callable[[str], None]) -> Session:
    """A session that says what it must on the screen: on standard error it would tear it."""
    from stager.session import Session

    return Session(replace(call.session().settings, read_only=read_only, warn=warn))


def _require_terminal(call: Invocation) -> None:
    if call.screen.as_json:
        raise UsageError(
            "a review is on a screen and has no JSON", hint="stager findings --json lists findings"
        )
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "a review needs a terminal", hint="stager findings and stager decide work without one"
        )


def _mask_after(told: str) -> float:
    if not told:
        return MASK_AFTER
    if not (told.isascii() and told.isdecimal() and len(told) <= 6):
        raise UsageError(
            f"STAGER_MASK_AFTER is {told!r}",
            hint=f"set it to seconds, 0 for never, or unset it for {MASK_AFTER}",
        )
    return float(told)
