"""Moments of the log as the report writes them."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(microseconds: int | None) -> str | None:
    """Microseconds since 1970 UTC → ISO 8601 to the second; None stays None."""
    if microseconds is None:
        return None
    return datetime.fromtimestamp(microseconds // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
