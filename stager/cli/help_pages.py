"""`docs/commands.md`: the help of every command, as the program itself gives it.

Run `python -m stager.cli.help_pages` to write it anew; a test holds the page equal to `--help`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from stager.cli.app import PROGRAM, app

WIDTH = 78
"""What `--help` takes on a terminal of 80 columns."""

_INTRODUCTION = """\
# Commands

What `--help` says. The page is made by `python -m stager.cli.help_pages`; change the commands, not this.

The global options may stand before and after a command's name. Results go to standard output; words about
the work, progress and errors to standard error. With `--json` standard output carries one JSON document
and nothing else (`rows`: JSON Lines).

| exit code | means |
|---|---|
| 0 | done |
| 1 | a fault in stager, with a report id and no patient data |
| 2 | wrong usage |
| 3 | the input was refused, nothing was staged |
| 4 | the step needs review or approval first |
| 5 | a tenant, the staging file or a key is not available |
| 6 | an integrity check failed |
| 130 | stopped by Ctrl-C; the same command goes on |
"""


def as_markdown() -> str:
    """The whole page."""
    sections = [f"## {title}\n\n```\n{text}\n```\n" for title, text in helps()]
    return "\n".join([_INTRODUCTION, *sections])


def helps() -> Iterator[tuple[str, str]]:
    """Every command as it is typed, with its help: the program's own first."""
    yield from _helps(get_command(app), PROGRAM, None)


def _helps(command: Any, name: str, parent: Any) -> Iterator[tuple[str, str]]:
    context = command.make_context(name, [], parent=parent, resilient_parsing=True, terminal_width=WIDTH)
    yield context.command_path, context.get_help()
    for sub_name, sub_command in getattr(command, "commands", {}).items():
        yield from _helps(sub_command, sub_name, context)


if __name__ == "__main__":
    sys.stdout.write(as_markdown())
