"""What a person says about the files that they hand over; reading it brings none of what reads those."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct


class Intake(Struct, frozen=True):
    """What a person says about the files they hand over; each None or False is found out or left alone."""

    sheet: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    mapping: Path | None = None
    synthetic: bool = False
