"""What a failed check is: IntegrityFailed, with the first wrong thing by its name."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stager.errors import IntegrityFailed, StagerError, Where

ALTERED = "the staging file was altered or damaged: go back to a copy of which verify is content"


def broken(message: str, *, where: Where | None = None, hint: str = ALTERED) -> IntegrityFailed:
    """The error for something that is not what it must be; no part of it is a patient's value."""
    return IntegrityFailed(message, where=where, hint=hint)


@contextmanager
def checking(what: str) -> Iterator[None]:
    """A check that cannot be carried out has failed: what was altered may be of any form.

    Of the error that stopped it only its kind and its place in the code are told, since its text may
    hold a value. Errors that say that something is not available pass.
    """
    told: IntegrityFailed | None = None
    try:
        yield
    except StagerError as error:
        if error.exit_code != StagerError.exit_code:
            raise
        told = broken(f"{what} could not be read: {error.message}", where=error.where)
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        told = broken(
            f"{what} could not be checked: it is not of the form that stager writes "
            f"({type(error).__name__} at {Path(last.filename).name}:{last.lineno})"
        )
    if told is not None:
        try:
            raise told
        finally:
            # The error that was raised inside is still at hand here, and may hold a value.
            told.__context__ = None
