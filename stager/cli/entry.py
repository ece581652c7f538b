"""Where the program's process begins and ends. Read by each process that helps it, so it reads little."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from typing import NoReturn

_MANY = 300_000
"""Objects after which Python looks for garbage: most that a command makes are modules, which never are."""


def run() -> NoReturn:
    """One call of the command line, and the end of the process with its exit code, at once.

    Python would take apart, one by one, the modules that it read: a fifth of a short command. By then the
    session is closed, and whatever was begun beside it has ended.
    """
    gc.set_threshold(_MANY)
    from stager.cli.app import main

    code = main()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # `main` has told of what could not be printed
            stream.flush()
    os._exit(code)
