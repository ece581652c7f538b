"""What a person says about the files that they hand over; reading it brings none of what reads those."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Intake:
    """What a person says about the files they hand over; each None or False is found out or left alone."""

    sheet: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    mapping: Path | None = None
    synthetic: bool = False
