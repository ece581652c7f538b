"""The command line `stager`: parse, call the session, print. Nothing below it prints."""

from typing import TYPE_CHECKING

from stager.cli.entry import run
from stager.late import looked_up

if TYPE_CHECKING:
    from stager.cli.app import main

__all__ = ["main", "run"]

__getattr__ = looked_up(__name__, {"main": "stager.cli.app"})
