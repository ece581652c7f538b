"""Where a row came from and what happened to it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from stager.cli.screen import Screen

if TYPE_CHECKING:
    from stager.session.views import EventLine, RowStory

LONGEST_DETAIL = 160
"""Characters of an event's detail that are shown unless a person asks for more."""


def story(screen: Screen, found: RowStory, *, of: str) -> None:
    """The row's place down to its bytes, and its events."""
    screen.say(of, style="bold")
    screen.say(f"  state   {found.state}")
    screen.say(f"  sheet   {found.sheet}, row {found.row:,}")
    screen.say(f"  file    {found.file}")
    screen.say(f"  sha256  {found.sha256}")
    screen.say(f"  line    {found.line:,}")
    screen.say(
        f"  bytes   {found.byte_start:,} to {found.byte_start + found.byte_len:,} ({found.byte_len:,})"
    )
    if found.target_id:
        screen.say(f"  target  {found.target_id}")
    screen.say()
    for event in found.events:
        screen.say(f"{event.seq:>7}  {event.at}  {event.actor}  {event.kind}")
        said = _detail(event)
        short = said if screen.verbose or len(said) <= LONGEST_DETAIL else f"{said[:LONGEST_DETAIL]}…"
        if short:
            screen.say(f"{'':9}{short}")


def document(found: RowStory) -> dict[str, Any]:
    """The story as JSON."""
    return asdict(found)


def _detail(event: EventLine) -> str:
    parts = [(name, value) for name, value in event.detail.items() if value is not None]
    return ", ".join(
        f"{name} {value if isinstance(value, str) else json.dumps(value)}" for name, value in parts
    )
