"""What a session shows: plain values for the command line, the TUI and JSON; no wording of their own."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from stager.account import SheetAccount


def iso(microseconds: int) -> str:
    """Microseconds since 1970 UTC → ISO 8601 to the microsecond."""
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC).isoformat(timespec="microseconds")


class Moment(Struct, frozen=True):
    """An event of the past. at: ISO 8601, UTC. command_ends: the last event of the command that wrote it."""

    seq: int
    at: str
    command_ends: int


class Status(Struct, frozen=True):
    """The migration at a glance. findings: open ones by code. next_step: the command that makes sense now.

    moment: the event after which it stood so; None for now.
    """

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
    moment: Moment | None = None

    @property
    def balances(self) -> bool:
        return all(sheet.balances for sheet in self.sheets)


class RowLine(Struct, frozen=True):
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


class EventLine(Struct, frozen=True):
    """An event as `stager history` gives it; at: ISO 8601, UTC. detail: its JSON, read."""

    seq: int
    at: str
    actor: str
    kind: str
    detail: dict[str, object]


class CellChange(Struct, frozen=True):
    """A rule's change to a cell of the row. kind: value.normalised or value.defaulted."""

    field: str
    column: str
    kind: str
    rule: str
    meaning: str
    seq: int


class LinkStory(Struct, frozen=True):
    """Whose row it is. patient, practitioner: their places; rule: what linked them, or "decision".

    by, reason, seq: of the person's decision, where one made the link.
    """

    patient: str | None
    practitioner: str | None
    rule: str | None
    by: str | None = None
    reason: str | None = None
    seq: int | None = None


class ChunkStory(Struct, frozen=True):
    """The chunk that brought the row into the tenant."""

    run: int
    chunk: int
    digest: str
    seq: int
    at: str


class RowCell(Struct, frozen=True):
    """A cell: as it came (None: its column is not in the file), as corrected, and as it is published."""

    field: str
    column: str
    came: str | None
    corrected: str | None
    is_corrected: bool
    published: str | None


class RowValues(Struct, frozen=True):
    """What a row holds: patients' values. record: its bytes in the file. seq: of the event that says so."""

    seq: int
    record: bytes
    cells: tuple[RowCell, ...]


class RowStory(Struct, frozen=True):
    """Where a row came from and everything that happened to it. No value of it is in here."""

    sheet: str
    source_id: int
    row: int
    state: str
    file: str
    sha256: str
    encoding: str
    line: int
    byte_start: int
    byte_len: int
    target_id: str | None
    link: LinkStory | None
    changes: tuple[CellChange, ...]
    approval: EventLine | None
    chunk: ChunkStory | None
    events: tuple[EventLine, ...]

    def of_field(self, field: str) -> RowStory:
        """The story of one cell: without changes to, and decisions about, the others."""
        others = {each.seq for each in self.changes if each.field != field}
        events = (each for each in self.events if each.seq not in others)
        kept = tuple(each for each in events if each.detail.get("field") in (None, field))
        return replace(self, changes=tuple(each for each in self.changes if each.field == field), events=kept)
