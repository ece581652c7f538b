"""The command line `stager`: parse, call the session, print. Nothing below it prints."""

from stager.cli.app import main

__all__ = ["main"]
