"""The whole verification: each step holds one thing against another; the first wrong thing ends it.

The log comes first, since everything else is held against it: the facts that it registers, the
projections that it gives, the account over both, and the tenant's ledger and rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from msgspec import Struct, field

from stager.account import require_balance
from stager.crypto.fingerprint import Fingerprinter
from stager.crypto.heads import Head
from stager.staging import Staging
from stager.verify.broken import checking
from stager.verify.facts import verify_facts
from stager.verify.folding import verify_projections
from stager.verify.log import verify_log
from stager.verify.notes import NoteKey, origin
from stager.verify.published import Outside, Published, verify_published

Progress = Callable[[str, int, int | None], None]


class Verified(Struct, frozen=True):
    """What was found in order, all of it.

    size, root: of the log's tree, root in hex. public_key: the migration's, as it is handed on.
    head_kept: whether the log's end was known outside the file, so that an older copy would have shown.
    records, bytes: of the files. chunks, published, opened: of the tenant, where one was looked at.
    unrecorded: chunks that the tenant has and the log not yet. seconds: by step.
    """

    migration_id: str
    events: int
    seals: int
    root: str
    public_key: str
    head_kept: bool
    sources: int
    records: int
    bytes: int
    corrections: int
    tenant: str | None = None
    chunks: int = 0
    published: int = 0
    opened: int = 0
    unrecorded: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def events_per_second(self) -> int:
        """Events for each second that the log took."""
        return round(self.events / max(self.seconds.get("log", 0.0), 1e-6))


def verify(
    staging: Staging,
    *,
    fingerprinter: Fingerprinter,
    public_key: bytes,
    head: Head | None,
    outside: Outside | None = None,
    progress: Progress = lambda _what, _done, _total: None,
) -> Verified:
    """Hold everything against everything; writes nothing. IntegrityFailed names the first wrong thing.

    public_key: as the staging key gives it. head: the last seal as kept outside the file. outside: the
    tenant to look at, too.
    """
    seconds: dict[str, float] = {}
    with _timed(seconds, "log"), checking("the log"):
        log = verify_log(staging, public_key, head, progress)
    with _timed(seconds, "facts"), checking("the facts"):
        facts = verify_facts(staging, fingerprinter, progress)
    progress("folding the log", 0, None)
    with _timed(seconds, "projections"), checking("the projections"):
        verify_projections(staging)
    with _timed(seconds, "account"), checking("the account"):
        require_balance(staging)
    found = Published()
    if outside is not None:
        with _timed(seconds, "tenant"), checking("what was published"):
            found = verify_published(staging, outside, log.roots, progress)
    return Verified(
        migration_id=staging.migration_id,
        events=log.events,
        seals=len(log.seals),
        root=log.seals[-1].root.hex() if log.seals else "",
        public_key=str(NoteKey(origin(staging.migration_id), public_key)),
        head_kept=log.head_kept,
        sources=facts.sources,
        records=facts.records,
        bytes=facts.bytes,
        corrections=facts.corrections,
        tenant=outside.tenant if outside else None,
        chunks=found.chunks,
        published=found.rows,
        opened=found.opened,
        unrecorded=found.unrecorded,
        seconds=seconds,
    )


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    seconds[step] = round(time.perf_counter() - began, 3)
