"""What a reviewer asks of a session: the queue, a finding with its evidence, the log, what is signed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from msgspec.structs import replace

from stager.errors import StagingInUse
from stager.session import reading
from stager.session.looking import who_has
from stager.session.reading import Filter
from stager.session.settings import Settings
from stager.session.workspace import Workspace, key_for

if TYPE_CHECKING:
    from stager.decisions import BlindIndex, Finding
    from stager.session.log_reading import Events
    from stager.session.queue import Queue
    from stager.session.review_views import (
        EventFilter,
        FindingView,
        LastDecision,
        LogLine,
        QueueFilter,
        QueueLine,
        QueueOrder,
        Record,
        Signing,
        Taken,
        Way,
    )


class Reviewing(ABC):
    """The part of a session that review works with. What it shows is patients' values: see `review_views`."""

    def get_ready(self) -> None:
        """Read what queue, findings and log need, while a person still looks at the numbers."""
        for name in ("evidence", "log_reading", "linking"):
            import_module(f"stager.session.{name}")

    def queue(self, wanted: QueueFilter, order: QueueOrder | None = None) -> Queue:
        """The findings that a filter means, in order, by their number where none is named; page by page."""
        from stager.session.queue import Queue
        from stager.session.review_views import QueueOrder

        return Queue(self._open().staging, wanted, order or QueueOrder.NUMBER)

    def finding_view(self, finding_id: int) -> FindingView:
        """A finding with everything that a person needs to decide it. UsageError where there is none."""
        from stager.session import evidence, linking

        workspace = self._open()
        known = linking.standing_snapshot(workspace.staging)
        index = self._when_asked(workspace) if known else None
        return evidence.view(workspace.staging, finding_id, index, workspace.looks)

    def alike(self, finding_id: int) -> list[Finding]:
        """The open findings that have the very same problem, this one included."""
        return reading.findings(self._open().staging, Filter(same_as=finding_id))

    def finding_lines(self, numbers: Sequence[int]) -> list[QueueLine]:
        """These findings as lines, in this order."""
        from stager.session.queue import lines

        return lines(self._open().staging, numbers)

    def ways(self, findings: Sequence[Finding]) -> tuple[Way, ...]:
        """The decisions that every one of these findings takes now."""
        from stager.session.alike import common_ways

        return common_ways(self._open().staging, findings)

    def find_people(self, text: str, most: int = 50) -> list[Record]:
        """The persons in whose record every word stands; patients' values."""
        from stager.session.finding_people import find_people

        return find_people(self._open().staging, text, most)

    def rows_of(self, place: str, most: int = 60) -> list[Record]:
        """The rows that are linked to a person; patients' values."""
        from stager.session.finding_people import rows_of

        return rows_of(self._open().staging, place, most)

    def record(self, place: str, sheet: str) -> Record:
        """A row as it came and as it stands. place: SOURCE:ROW, or tenant:ID. UsageError for none."""
        from stager.session import cells

        return cells.record(self._open().staging, place, sheet)

    def events(self, wanted: EventFilter) -> Events:
        """The log's events that a filter means, newest first, read page by page."""
        from stager.session.log_reading import Events

        return Events(self._open().staging, wanted)

    def timeline(self, place: str, sheet: str) -> list[LogLine]:
        """What happened to a row, the first thing first; of a patient also to the rows linked to them."""
        from stager.session import log_reading

        return log_reading.timeline(self._open().staging, place, sheet)

    def last_decision(self, actor: str | None = None) -> LastDecision | None:
        """The newest decision, of this actor where one is named, that stands and could be taken back."""
        from stager.session import log_reading

        return log_reading.last_decision(self._open().staging, actor)

    def signing(self, sheet: str | None = None) -> Signing:
        """What an approval would sign now, and what it would leave; writes nothing."""
        from stager.session import signing

        return signing.signing(self._open().staging, sheet)

    def assign(self, findings: Sequence[Finding], to: str, note: str | None, *, actor: str) -> int:
        """Ask a colleague about open findings, as one event; "" takes it back. The event's seq."""
        from stager import decisions

        workspace = self._to_write()
        with workspace.writing(actor) as log:
            return decisions.assign(workspace.staging, log, findings, to, note)

    def _when_asked(self, workspace: Workspace) -> BlindIndex:
        """The tenant's blind index, whose keys are opened when one of the tenant's own people is compared."""

        def index(numbers: Sequence[str]) -> list[bytes]:
            blind = self._index(workspace)
            return blind(numbers) if blind else [b""] * len(numbers)

        return index

    @abstractmethod
    def _open(self, *, create: bool = False) -> Workspace:
        """The open staging file."""

    @abstractmethod
    def _to_write(self, *, create: bool = False) -> Workspace:
        """The same, refused where it is only looked at."""

    @abstractmethod
    def _index(self, workspace: Workspace) -> BlindIndex | None:
        """The blind index of the tenant that the file is bound to, where it has one."""


def holder(settings: Settings) -> Taken | None:
    """Who has the staging file open, found out by trying to; None where nobody has."""
    try:
        Workspace.open(
            replace(settings, read_only=False), key_for(settings, create=False), create=False, checked=False
        ).close()
    except StagingInUse as in_use:
        return who_has(in_use)
    return None
