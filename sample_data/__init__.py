"""A small made-up practice with every fault that stager knows, and a generator of large ones.

The practice is synthetic: names, addresses and histories are invented, NHS numbers come from the
999 test range, telephone numbers from Ofcom's numbers for drama, e-mail addresses from example.org.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

SHEET_NAMES = ("patients", "background", "notes", "medications")
"""The sheets of the practice, in the order of their foreign keys."""


def practice_files() -> dict[str, Path]:
    """Sheet name → its CSV file of the made-up practice, in the order of the foreign keys."""
    folder = Path(str(files(__name__)))
    return {sheet: folder / f"{sheet}.csv" for sheet in SHEET_NAMES}
