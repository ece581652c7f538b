"""The review program: the screens where a practice decides its findings, over `stager.session` alone.

Nothing in `stager` knows of it but the command that starts it.
"""

from __future__ import annotations

import os

from tui.told import Review

__all__ = ["Review", "run"]

_FOR_MAKERS = ("TEXTUAL", "TEXTUAL_LOG", "TEXTUAL_DEBUG", "TEXTUAL_SCREENSHOT", "TEXTUAL_PRESS")
"""What makes Textual write down keys, messages or screens, which hold patients' values."""


def run(review: Review) -> int:
    """Run the program in this terminal until it is left; the exit code. Raises what ended it otherwise."""
    for name in _FOR_MAKERS:  # Textual reads them while it is imported
        os.environ.pop(name, None)
    from tui.app import ReviewApp

    app = ReviewApp(review)
    code = app.run()
    if app.failure is not None:
        raise app.failure
    return code or 0
