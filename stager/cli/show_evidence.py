"""Where a row came from and what happened to it, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import to_builtins

from stager.cli import telling
from stager.cli.screen import Screen

if TYPE_CHECKING:
    from stager.session.views import RowStory, RowValues


def story(screen: Screen, found: RowStory, *, of: str) -> None:
    """The row's place down to its bytes, whose it is, how it came to the tenant, and its events."""
    screen.say(of, style="bold")
    for label, said in _place(found):
        screen.say(f"  {label:<9} {said}")
    for change in found.changes:
        screen.say(
            f"  {'changed':<9} {change.column}: {change.meaning} ({change.rule}), event {change.seq:,}"
        )
    screen.say()
    for event in found.events:
        screen.say(f"{event.seq:>7}  {event.at}  {event.actor}  {event.kind}")
        said = telling.said(event)
        if said:
            screen.say(f"{'':9}{said}")
        if screen.verbose and event.detail:
            screen.say(f"{'':9}{telling.detail(event)}")


def values(screen: Screen, found: RowStory, shown: RowValues) -> None:
    """The row's cells and bytes, as they came and as they are published."""
    screen.say()
    screen.say(f"values, shown to you as event {shown.seq:,}", style="bold")
    for cell in shown.cells:
        came = "not in the file" if cell.came is None else repr(cell.came)
        parts = [f"came as {came}"]
        if cell.is_corrected:
            parts.append("blanked" if cell.corrected is None else f"corrected to {cell.corrected!r}")
        parts.append("is no value" if cell.published is None else f"reads {cell.published!r}")
        screen.say(f"  {cell.column}: {', '.join(parts)}")
    if shown.record:
        screen.say(f"  record: {_text(shown.record, found.encoding)!r}")


def document(found: RowStory, shown: RowValues | None = None) -> dict[str, Any]:
    """The story as JSON; with its values where they were asked for."""
    told: dict[str, Any] = to_builtins(found)
    if shown:
        told["values"] = {
            "event": shown.seq,
            "record": _text(shown.record, found.encoding) if shown.record else None,
            "record_hex": shown.record.hex() or None,
            "cells": to_builtins(shown.cells),
        }
    return told


def _place(found: RowStory) -> list[tuple[str, str]]:
    lines = [
        ("state", found.state),
        ("sheet", f"{found.sheet}, row {found.row:,}"),
        ("file", f"{found.file}, source {found.source_id}"),
        ("sha256", found.sha256),
        ("line", f"{found.line:,}"),
        ("bytes", f"{found.byte_start:,} to {found.byte_start + found.byte_len:,} ({found.byte_len:,})"),
    ]
    if found.link:
        lines += [("link", line) for line in telling.link(found.link)]
    if found.approval:
        plan = found.approval.detail.get("plan_hash")
        lines.append(("approved", f"by {found.approval.actor}, event {found.approval.seq:,}, plan {plan}"))
    if found.chunk:
        chunk = found.chunk
        lines.append(("published", f"in chunk {chunk.chunk} of run {chunk.run}, event {chunk.seq:,}"))
    if found.target_id:
        lines.append(("target", found.target_id))
    return lines


def _text(record: bytes, encoding: str) -> str:
    return record.decode(encoding, "backslashreplace")
