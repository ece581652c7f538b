"""How a call ends: the exit code, and what is said on standard error.

0  done
1  a fault in stager, told by a report id and without patients' data
2  wrong usage                          3  the input was refused
4  review or approval is needed first   5  a tenant, staging file or key is not available
6  an integrity check failed            130  interrupted
"""

from __future__ import annotations

import errno
import os

import typer

from stager.cli import faults
from stager.cli.screen import Screen
from stager.errors import StagerError

WRONG_USAGE = 2
INTERRUPTED = 130

# Of its own files stager tells by their names: what is left is what it prints.
_UNPRINTED = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def exit_code(error: BaseException, screen: Screen) -> int:
    """Say what happened and what to do next; the exit code that tells which kind it was."""
    if isinstance(error, typer.Exit | SystemExit):
        return _as_asked(error)
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return interrupted(screen)
    if isinstance(error, StagerError):
        _tell(screen, str(error), error.hint)
        return error.exit_code
    if isinstance(error, typer.TyperException):
        _tell(screen, _sentence(error.format_message()), f"{_command(error)} --help")
        return WRONG_USAGE
    if isinstance(error, OSError) and error.errno in _UNPRINTED and error.filename is None:
        return _unprinted(error, screen)
    return _fault(error, screen)


def _as_asked(error: typer.Exit | SystemExit) -> int:
    """The code that the end was asked for with: SystemExit is typer's when it has shown its completion."""
    if isinstance(error, typer.Exit):
        return error.exit_code
    return error.code if isinstance(error.code, int) else int(error.code is not None)


def interrupted(screen: Screen) -> int:
    """Say that a person stopped the work, and how to go on."""
    _tell(screen, "stopped; everything so far is consistent", "run the same command again to go on")
    return INTERRUPTED


def _tell(screen: Screen, what: str, hint: str) -> None:
    screen.warn(f"stager: {what}", style="bold red")
    if hint:
        screen.warn(f"  → {hint}")


def _sentence(message: str) -> str:
    return message.strip().rstrip(".").replace("\n", " ").replace("Value error, ", "")


def _command(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    return str(context.command_path) if context else "stager"


def _unprinted(error: OSError, screen: Screen) -> int:
    """Standard output was lost in the midst of the work; what was done stays done."""
    screen.let_go()
    if error.errno == errno.EPIPE:
        _tell(screen, "standard output was closed before the end", "run the same command again to go on")
    else:
        what = f"standard output could not be written: {error.strerror}"
        _tell(screen, what, "make room there, or print elsewhere")
    return 1


def _fault(error: BaseException, screen: Screen) -> int:
    fault = faults.report(error, os.environ)
    where = str(fault.path) if fault.path else "no file could be written"
    _tell(
        screen,
        f"a fault in stager itself, report {fault.id}: {where}",
        "the report holds no patient data; hand it to stager's makers and say which command it was",
    )
    return 1
