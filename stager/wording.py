"""Numbers in sentences: every message counts in the same way."""

from __future__ import annotations


def counted(count: int, one: str, many: str | None = None) -> str:
    """The count with its noun: "1 row", "1,200 rows". many: where it is not `one` with an s."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
