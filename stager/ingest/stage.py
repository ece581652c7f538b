"""Staging one file: its bytes, records and verdicts as facts and events, or, dry, only its account."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence

import polars as pl

from stager import sql
from stager.ahead import ahead
from stager.crypto.fingerprint import Fingerprinter
from stager.crypto.merkle import Tree
from stager.event_log import EventLog, compact
from stager.ingest.making import Counts, Made, Planned, accepted, counted, told_digest
from stager.ingest.places import PlacesDigest
from stager.ingest.reader import Source
from stager.ingest.round_trip import is_round_trip
from stager.ready_events import ReadyEvents
from stager.sheets import Sheet
from stager.staging import Gathered, Staging
from stager.values import RULES_VERSION, Rules

READY_AHEAD = 3
"""Blocks whose events are made ready while a row group is written, which is as long as some blocks take."""

Progress = Callable[[str, int, int | None], None]
"""Called with what is being done, how many bytes of how many are behind it."""


class SourceAccount(Counts, kw_only=True):
    """The account of one file: its bytes and records, and what the rules found in its cells.

    known_as: the name under which the same bytes were staged before; they are not staged again.
    """

    source: Source
    source_id: int | None = None
    known_as: str | None = None


def accounts_for(staging: Staging, sources: Sequence[Source]) -> list[SourceAccount]:
    """An account for each file, still empty: with its number, or that of the file that has the same bytes."""
    known: dict[str, tuple[int, str]] = {}
    accounts, following = [], staging.one("next_source")
    for source in sources:
        found = staging.rows("source_by_content", sha256=source.sha256)
        source_id, known_as = found[0] if found else known.get(source.sha256, (following, None))
        accounts.append(SourceAccount(source=source, source_id=source_id, known_as=known_as))
        if known_as is None:
            known[source.sha256] = (following, source.file_name)
            following += 1
    return accounts


def account_for(source: Source, rules: Rules, *, progress: Progress) -> SourceAccount:
    """The account that staging this file would give; writes nothing."""
    account = SourceAccount(source=source)
    for counts in counted(Planned(source, 0, rules)):
        _count(account, counts, progress)
    return account


def stage(
    staging: Staging,
    log: EventLog,
    file: Planned,
    account: SourceAccount,
    blocks: Callable[[], Iterator[Made]],
    *,
    fingerprinter: Fingerprinter,
    progress: Progress,
) -> None:
    """Stage one file inside a transaction, and fill its account.

    blocks: gives what was made ready of it.
    """
    staging.run("start_issues")
    staging.run("start_changes")
    source = file.source
    tree, places = Tree(), PlacesDigest()
    registering = log.reserve(1 + len(source.columns))  # what they say is known when the file is read
    tables = _Tables(staging, log, source.sheet)
    for made, events in _with_events(log, source.sheet, blocks()):
        tree.extend(made.leaves)
        places.add(made.rows, made.spans)
        tables.add(made, events)
        _count(account, made.counts, progress)
    tables.end()
    bound = {
        "content_root": tree.root().hex(),
        "places": places.hexdigest(),
        "rules_digest": told_digest(fingerprinter, file.rules.to_json()),
        "mapping_digest": told_digest(fingerprinter, source.mapping.to_json() if source.mapping else None),
    }
    _register(staging, log, account, file.rules, bound, registering)
    _write_events(staging, log, source.sheet, account)


def _with_events(log: EventLog, sheet: Sheet, blocks: Iterator[Made]) -> Iterator[tuple[Made, ReadyEvents]]:
    """Each block with its rows' events, which a thread makes ready while blocks before it are written."""

    def ready() -> Iterator[tuple[Made, ReadyEvents]]:
        for made in blocks:
            first = log.reserve(made.counts.rows - made.counts.rejected)
            yield made, log.stamp.ready("row.accepted", accepted(sheet, made), first)

    return ahead(ready(), READY_AHEAD)


def _count(account: SourceAccount, counts: Counts, progress: Progress) -> None:
    account.add(counts)
    progress(account.source.file_name, account.bytes, account.source.size)


class _Tables:
    """The tables that a file goes into, each written by whole row groups."""

    def __init__(self, staging: Staging, log: EventLog, sheet: Sheet) -> None:
        places = {"table": sheet.table, "fields": sql.identifiers(sheet.fields)}
        steps: dict[str, dict[str, str]] = {
            "rows": places,
            "spans": {},
            "issues": {},
            "changes": {},
            "kept": {},
        }
        self._gathered = {
            part: Gathered(staging.filling(f"add_{part}", f"gathered_{part}", named))
            for part, named in steps.items()
        }
        self._log, self._events = log, Gathered(log.append_ready)

    def add(self, made: Made, events: ReadyEvents) -> None:
        """Take a stretch of the file; what is whole is written."""
        for part, gathered in self._gathered.items():
            gathered.add(getattr(made, part))
        self._events.add(self._log.keep(events))

    def end(self) -> None:
        """Write what is left."""
        for gathered in (*self._gathered.values(), self._events):
            gathered.end()


def _register(
    staging: Staging,
    log: EventLog,
    account: SourceAccount,
    rules: Rules,
    bound: dict[str, str | None],
    first: int,
) -> None:
    """The file as a fact and as events with the numbers from `first`, which were reserved for them."""
    source, source_id = account.source, account.source_id
    mapping = source.mapping.to_json() if source.mapping else None
    known = {
        "sha256": source.sha256,
        "size": source.size,
        "encoding": source.encoding,
        "confidence": source.confidence,
        "evidence": source.evidence,
        "delimiter": source.delimiter,
        "newline": source.newline,
    }
    columns = [
        {"position": match.position, "header": match.header, "column": match.field, "how": match.how}
        for match in source.columns
    ]
    staging.run(
        "add_source",
        source_id=source_id,
        sheet=source.sheet.name,
        file_name=source.file_name,
        columns=json.dumps(columns, ensure_ascii=False),
        mapping=mapping,
        rules=rules.to_json(),
        content_root=bound["content_root"],
        **known,
    )
    counts = {"rows": account.rows, "malformed": account.malformed, "blank": account.blank}
    detail = {
        "file": source.file_name,
        **known,
        **bound,
        **counts,
        "rules_version": RULES_VERSION,
        "mapped": mapping is not None,
    }
    log.append("source.registered", detail, sheet=source.sheet.name, source_id=source_id, seq=first)
    mapped = pl.DataFrame({"detail": [compact(column) for column in columns]}).with_columns(
        sheet=pl.lit(source.sheet.name),
        source_id=pl.lit(source_id, pl.Int32),
        row_no=pl.lit(None, pl.Int32),
        finding_id=pl.lit(None, pl.Int64),
    )
    log.append_ready(log.keep(log.stamp.ready("column.mapped", mapped, first + 1)))


def _write_events(staging: Staging, log: EventLog, sheet: Sheet, account: SourceAccount) -> None:
    about = {"sheet": sheet.name, "source_id": account.source_id}
    staging.run("find_rejected_rows", {"table": sheet.table}, **about)
    staging.run("find_raised", last=staging.one("last_finding"), **about)
    log.append_rows("row.rejected", "rejected_row")
    raised = log.append_rows("finding.raised", "raised_finding")
    for kind, name, rule, count, rows in staging.rows("changed_sets"):
        detail = {"field": name, "rule": rule, "count": count, "rows": rows}
        log.append(kind, detail, sheet=sheet.name, source_id=account.source_id)
    if is_round_trip(account.source.headers):
        _supersede(staging, log, sheet, account, raised)


def _supersede(staging: Staging, log: EventLog, sheet: Sheet, account: SourceAccount, raised: int) -> None:
    """Rows of a corrected file take the place of those that they say they correct.

    Where that row is published, excluded by a person or not to be found, nobody but a person can say
    whether the record is one too many: it is held. raised: findings of this file so far.
    """
    about = {"sheet": sheet.name, "source_id": account.source_id}
    staging.run("find_corrected", {"table": sheet.table}, **about)
    staging.run("find_superseded", sheet=sheet.name)
    staging.run("find_superseded_findings")
    staging.run("find_contested", last=staging.one("last_finding") + raised, **about)
    log.append_rows("row.superseded", "superseded_row")
    log.append_rows("finding.closed", "superseded_finding")
    log.append_rows("finding.raised", "contested_row")
