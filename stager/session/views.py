"""What a session shows: plain values for the command line, the TUI and JSON; no wording of their own."""

from __future__ import annotations

from dataclasses import dataclass

from stager.account import SheetAccount


@dataclass(frozen=True, slots=True)
class Status:
    """The migration at a glance. findings: open ones by code. next_step: the command that makes sense now."""

    migration_id: str
    tenant: str | None
    synthetic: bool
    events: int
    seals: int
    root: str
    sheets: tuple[SheetAccount, ...]
    findings: dict[str, int]
    next_step: str
    why_next: str

    @property
    def balances(self) -> bool:
        return all(sheet.balances for sheet in self.sheets)


@dataclass(frozen=True, slots=True)
class RowLine:
    """A row as `stager rows` gives it. patient: the linked LegacyPatientID; via: the rule, or "decision"."""

    sheet: str
    file: str
    row: int
    line: int
    state: str
    codes: tuple[str, ...]
    patient: str | None
    via: str | None
    target_id: str | None


@dataclass(frozen=True, slots=True)
class EventLine:
    """An event as `stager history` gives it; at: ISO 8601, UTC. detail: its JSON, read."""

    seq: int
    at: str
    actor: str
    kind: str
    detail: dict[str, object]


@dataclass(frozen=True, slots=True)
class RowStory:
    """Where a row came from and everything that happened to it."""

    sheet: str
    row: int
    state: str
    file: str
    sha256: str
    line: int
    byte_start: int
    byte_len: int
    target_id: str | None
    events: tuple[EventLine, ...]
