"""The program: its commands, its global options, and the one place where a call begins and ends."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from typer.main import get_command

from stager import __version__
from stager.cli import (
    assigning,
    demo,
    evidence,
    intake,
    publishing,
    reference,
    report,
    review,
    reviewing,
    tenants,
    verify,
)
from stager.cli.commands import Program, families
from stager.cli.hoisting import hoist
from stager.cli.imports import amid_import, refuse_needless
from stager.cli.invocation import Invocation, actor_or_user
from stager.cli.options import examples
from stager.cli.outcome import exit_code, interrupted
from stager.cli.screen import Screen

PROGRAM = "stager"
_SOON = 0.02
"""Seconds after which a Ctrl-C that came amid an import is looked at again."""
_COMPLETION = "_STAGER_COMPLETE"

app = typer.Typer(
    name=PROGRAM,
    cls=Program,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 80},
    epilog=examples(
        "stager import patients.csv notes.csv -t maple-surgery",
        "stager status --json",
        "stager demo",
    ).rpartition("\n\n")[0],
)
for _family in (
    intake,
    review,
    reviewing,
    assigning,
    publishing,
    evidence,
    report,
    verify,
    reference,
    demo,
    tenants,
):
    _family.add_to(families)


def _version(*, asked: bool) -> None:
    if asked:
        sys.stdout.write(f"{PROGRAM} {__version__}\n")
        raise typer.Exit


@app.callback()
def stager(
    context: typer.Context,
    staging: Annotated[
        Path,
        typer.Option(metavar="PATH", envvar="STAGER_STAGING", help="The staging file.", readable=False),
    ] = Path("staging.duckdb"),
    actor: Annotated[
        str | None,
        typer.Option(metavar="NAME", envvar="STAGER_ACTOR", help="Who acts; the system's user by default."),
    ] = None,
    tenants_file: Annotated[
        Path | None,
        typer.Option(
            "--tenants",
            metavar="PATH",
            help="The tenants file; else STAGER_TENANTS, ./tenants.toml.",
            readable=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No words about the work.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Say more.")] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colours; NO_COLOR says the same.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Take a practice's patient records in, have them reviewed, and publish them to its database."""
    screen = Screen(as_json=as_json, quiet=quiet, verbose=verbose, color=not no_color)
    context.obj = Invocation(screen, staging, tenants_file, actor_or_user(actor))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one call of the command line; its exit code. arguments: those of the process by default."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    _let_streams_escape()
    refuse_needless()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy's threads would spin at every start
    command = get_command(app)
    if _COMPLETION in os.environ:
        command.main(args=given, prog_name=PROGRAM, complete_var=_COMPLETION)
    screen = Screen(color="--no-color" not in given)
    with _watching_for_interrupts() as interrupts:
        try:
            with command.make_context(PROGRAM, hoist(given or ["--help"], command)) as context:
                command.invoke(context)
            screen.finish()
        except BaseException as error:
            interrupts.end()
            # DuckDB makes an error of its own of a query that was stopped, so the signal is asked.
            return interrupted(screen) if interrupts.came else exit_code(error, screen)
    return 0


class _Interrupts:
    """What a Ctrl-C does while a command runs. came: whether there was one."""

    def __init__(self) -> None:
        self.came = self._over = False
        self._again: threading.Timer | None = None

    def __call__(self, _signal: int, frame: FrameType | None) -> None:
        """The signal's handler. Amid an import it would be lost, so that it is sent once more soon."""
        if self._over:
            return
        self.came = True
        self._forget()
        if not amid_import(frame, main.__code__):
            raise KeyboardInterrupt
        # To this thread, so that whatever it waits for then is interrupted.
        to = threading.get_ident(), signal.SIGINT
        again = threading.Timer(_SOON, signal.pthread_kill, to)
        again.start()
        self._again = again

    def end(self) -> None:
        """The command is over: whoever presses Ctrl-C now, or did just before, interrupts nothing."""
        self._over = True
        self._forget()

    def _forget(self) -> None:
        if self._again:
            self._again.cancel()
            self._again.join()
            self._again = None


@contextmanager
def _watching_for_interrupts() -> Iterator[_Interrupts]:
    """What a person's Ctrl-C does inside."""
    interrupts = _Interrupts()
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if ignored or threading.current_thread() is not threading.main_thread():
        yield interrupts
        return
    before = signal.signal(signal.SIGINT, interrupts)
    try:
        yield interrupts
    finally:
        interrupts.end()
        signal.signal(signal.SIGINT, before)


def _let_streams_escape() -> None:
    """A name that the terminal's encoding cannot carry is shown with escapes, and is no error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
