"""One call of the command line: what the global options said, and the session that follows from it."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from msgspec import Struct

from stager.cli.screen import Screen
from stager.errors import StagerError, UsageError

if TYPE_CHECKING:
    from stager.session import Session


class Invocation(Struct, frozen=True):
    """The global options. actor: who is to be named in the events."""

    screen: Screen
    staging: Path
    tenants: Path | None
    actor: str

    def session(self) -> Session:
        """A session on the staging file named; use it as a context manager."""
        # Imported here: the session brings polars, DuckDB and psycopg, which `--help` does without.
        from stager.session import Session, Settings

        return Session(Settings(self.staging, os.environ, Path.cwd(), self.tenants, warn=self.screen.warn))


def invocation(context: typer.Context) -> Invocation:
    """The call that a command is part of."""
    found = context.find_object(Invocation)
    if found is None:
        raise StagerError("a command was called without its global options")
    return found


def actor_or_user(named: str | None) -> str:
    """The actor named, else the operating system's user; UsageError for a name that cannot be shown."""
    actor = (named if named is not None else _user()).strip()
    if not actor or not actor.isprintable():
        raise UsageError("the actor's name is blank or cannot be shown", hint="name one with --actor NAME")
    return actor


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid-{os.getuid()}"
