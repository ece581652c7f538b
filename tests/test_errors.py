"""Errors of libraries, which may quote a cell, on their way out: only their kind and their place pass."""

from __future__ import annotations

import pytest

from stager.errors import InputRefused, IntegrityFailed, StagerError, without_values
from stager.verify.broken import checking
from tests.spine import whole_text

CELL = "".join(["Rosa", "lind"])
"""So that the traceback's own lines do not hold it."""


def refuse() -> None:
    raise InputRefused("as it is")


def test_an_unforeseen_error_in_making_something() -> None:
    """Neither its words nor those of an error behind it come along; what we say ourselves passes whole."""
    assert without_values(lambda: 3, "it failed") == 3
    with pytest.raises(StagerError) as told:
        without_values(lambda: int(CELL), "it failed")
    assert str(told.value).startswith("it failed (ValueError at test_errors.py:")
    assert CELL not in whole_text(told.value)
    with pytest.raises(InputRefused, match="as it is"):
        without_values(refuse, "it failed")


def test_an_unforeseen_error_in_a_check() -> None:
    """The check has failed, and nothing of the error's words comes along; a refusal passes whole."""
    with pytest.raises(IntegrityFailed) as told, checking("the log"):
        int(CELL)
    assert str(told.value).startswith("the log could not be checked")
    assert "(ValueError at test_errors.py:" in str(told.value)
    assert CELL not in whole_text(told.value)
    with pytest.raises(InputRefused, match="as it is"), checking("the log"):
        refuse()
