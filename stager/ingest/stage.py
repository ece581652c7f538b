"""Staging one file: its bytes, records and verdicts as facts and events, or, dry, only its account."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import polars as pl
import pyarrow as pa

from stager import sql
from stager.ahead import ahead
from stager.crypto.fingerprint import Fingerprinter
from stager.crypto.merkle import Tree, leaf_hashes
from stager.event_log import EventLog, compact
from stager.ingest.places import PlacesDigest
from stager.ingest.reader import Block, Source
from stager.ingest.rejects import is_round_trip, own_extra, restored
from stager.sheets import REJECTING, Code, Sheet
from stager.staging import Gathered, Staging
from stager.values import RULES_VERSION, Normalised, Rules, normalise

Progress = Callable[[str, int, int | None], None]
"""Called with what is being done, how many bytes of how many are behind it."""

AHEAD = 2
"""Blocks that are made ready while a row group is written. More would save some time, and cost memory."""
KEPT_BYTES = 64 << 10
"""Bytes of the file that are kept as one block. DuckDB holds a whole row group's blocks in memory when it
commits, and to show one record its block is unpacked: small is better."""

_REJECTING = sorted(code.value for code in REJECTING)
_ISSUES = {
    "source_id": pl.Int32,
    "row_no": pl.Int32,
    "field": pl.String,
    "code": pl.String,
    "rule": pl.String,
    "standing": pl.Boolean,
    "subject": pl.Binary,
}
_KEPT = {
    "source_id": pl.Int32,
    "block_no": pl.Int32,
    "byte_start": pl.Int64,
    "byte_len": pl.Int64,
    "data": pl.Binary,
}


@dataclass(slots=True)
class SourceAccount:
    """The account of one file: its bytes and records, and what the rules found in its cells."""

    source: Source
    source_id: int | None = None
    known_as: str | None = None
    rows: int = 0
    malformed: int = 0
    rejected: int = 0
    held: int = 0
    blank: int = 0
    bytes: int = 0
    codes: dict[str, int] = field(default_factory=dict)

    @property
    def records(self) -> int:
        """Records below the header, readable or not; blank lines are none."""
        return self.rows + self.malformed


@dataclass(frozen=True, slots=True)
class _Read:
    block: Block
    cells: pl.DataFrame
    found: Normalised


@dataclass(frozen=True, slots=True)
class _Ready:
    """A stretch of the file made ready to be written: frames as their tables take them.

    kept: its bytes in compressed blocks. leaves: the hashes of these blocks, one after another.
    """

    rows: pl.DataFrame
    spans: pl.DataFrame
    issues: pl.DataFrame
    changes: pl.DataFrame
    kept: pl.DataFrame
    leaves: bytes


def account_for(source: Source, rules: Rules, *, progress: Progress) -> SourceAccount:
    """The account that staging this file would give; writes nothing."""
    account = SourceAccount(source)
    for read in _read(source, 0, rules, progress):
        _count(account, read.cells.height, read.block.byte_len, read.block.spans, read.found)
    return account


def stage(
    staging: Staging,
    log: EventLog,
    source: Source,
    rules: Rules,
    *,
    fingerprinter: Fingerprinter,
    progress: Progress,
) -> SourceAccount:
    """Stage one file inside a transaction. The same bytes again change nothing: `known_as` names them."""
    known = staging.rows("source_by_content", sha256=source.sha256)
    if known:
        return SourceAccount(source, source_id=known[0][0], known_as=known[0][1])
    account = SourceAccount(source, source_id=staging.one("next_source"))
    _start(staging)
    tree, places = Tree(), PlacesDigest()
    registering = log.reserve(1 + len(source.columns))  # what they say is known when the file is read
    tables = _Tables(staging, log, source.sheet)
    reads = ahead(_read(source, account.source_id or 0, rules, progress))
    made = ahead(_made_ready(reads, source.sheet, fingerprinter, account))
    for ready, events in ahead(_with_events(made, log), AHEAD):
        tree.extend(ready.leaves)
        places.add(ready.rows, ready.spans)
        tables.add(ready, events)
    tables.end()
    bound = {
        "content_root": tree.root().hex(),
        "places": places.hexdigest(),
        "rules_digest": told_digest(fingerprinter, rules.to_json()),
        "mapping_digest": told_digest(fingerprinter, source.mapping.to_json() if source.mapping else None),
    }
    _register(staging, log, account, rules, bound, registering)
    _write_events(staging, log, source.sheet, account)
    return account


def _read(source: Source, source_id: int, rules: Rules, progress: Progress) -> Iterator[_Read]:
    for block in source.blocks():
        cells = block.rows.with_columns(source_id=pl.lit(source_id, dtype=pl.Int32))
        if is_round_trip(source.headers):
            cells = restored(cells, source.sheet)
        yield _Read(block, cells, normalise(source.sheet, cells, rules))
        progress(source.file_name, block.byte_start + block.byte_len, source.size)


def _count(account: SourceAccount, rows: int, size: int, spans: pl.DataFrame, found: Normalised) -> None:
    malformed = spans.filter(pl.col("kind") == "malformed").height
    account.rows += rows
    account.malformed += malformed
    account.blank += spans.filter(pl.col("kind") == "blank").height
    account.bytes += size
    bad = found.issues.filter(pl.col("code").is_in(_REJECTING))["row_no"].unique()
    account.rejected += bad.len()
    account.held += found.issues.filter(~pl.col("row_no").is_in(bad.implode()))["row_no"].n_unique()
    for frame in (found.issues, found.changes):
        for code, count in frame.group_by("code").len().iter_rows():
            account.codes[code] = account.codes.get(code, 0) + count
    if malformed:
        code = Code.ROW_MALFORMED.value
        account.codes[code] = account.codes.get(code, 0) + malformed


def _start(staging: Staging) -> None:
    staging.run("start_issues")
    staging.run("start_changes")


def _made_ready(
    blocks: Iterator[_Read], sheet: Sheet, fingerprinter: Fingerprinter, account: SourceAccount
) -> Iterator[tuple[_Ready, pl.DataFrame]]:
    """Each block with those of its rows of which events are to say that they were accepted."""
    block_no = 0
    for read in blocks:
        block = read.block
        _count(account, read.cells.height, block.byte_len, block.spans, read.found)
        kept, leaves = _kept(block, account.source_id or 0, block_no)
        block_no += kept.height
        rows = read.cells.with_columns(fingerprint=fingerprints(sheet, read.cells, fingerprinter))
        ready = _Ready(
            rows=rows,
            spans=block.spans.with_columns(source_id=pl.lit(account.source_id, dtype=pl.Int32)),
            issues=_with_subjects(read, fingerprinter),
            changes=read.found.changes,
            kept=kept,
            leaves=leaves,
        )
        yield ready, _accepted(sheet, rows, read.found)


def _with_events(
    made: Iterator[tuple[_Ready, pl.DataFrame]], log: EventLog
) -> Iterator[tuple[_Ready, pl.DataFrame]]:
    for ready, accepted in made:
        yield ready, log.ready("row.accepted", accepted, log.reserve(accepted.height))


def _accepted(sheet: Sheet, rows: pl.DataFrame, found: Normalised) -> pl.DataFrame:
    """The rows against which nothing speaks that rejects a row, as `EventLog.ready` takes them."""
    rejected = found.issues.filter(pl.col("code").is_in(_REJECTING))["row_no"].unique()
    print_ = pl.col("fingerprint").bin.encode("hex")
    return rows.filter(~pl.col("row_no").is_in(rejected.implode())).select(
        "source_id",
        "row_no",
        sheet=pl.lit(sheet.name),
        finding_id=pl.lit(None, pl.Int64),
        detail=pl.concat_str(pl.lit('{"fingerprint":"'), print_, pl.lit('"}')),
    )


def _kept(block: Block, source_id: int, first: int) -> tuple[pl.DataFrame, bytes]:
    """The stretch's bytes as numbered, compressed blocks, and the hashes of these."""
    pieces = [block.data[at : at + KEPT_BYTES] for at in range(0, block.byte_len, KEPT_BYTES)]
    codec = pa.Codec("zstd", 1)
    columns = {
        "source_id": [source_id] * len(pieces),
        "block_no": range(first, first + len(pieces)),
        "byte_start": range(block.byte_start, block.byte_start + block.byte_len, KEPT_BYTES),
        "byte_len": [len(piece) for piece in pieces],
        "data": [codec.compress(piece, asbytes=True) for piece in pieces],
    }
    frame = pl.DataFrame(columns, schema=_KEPT)
    return frame, leaf_hashes(pieces)


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
        self._events = Gathered(log.append_ready)

    def add(self, ready: _Ready, events: pl.DataFrame) -> None:
        """Take a stretch of the file and its rows' events; what is whole is written."""
        for part, gathered in self._gathered.items():
            gathered.add(getattr(ready, part))
        self._events.add(events)

    def end(self) -> None:
        """Write what is left."""
        for gathered in (*self._gathered.values(), self._events):
            gathered.end()


def fingerprints(sheet: Sheet, cells: pl.DataFrame, fingerprinter: Fingerprinter) -> pl.Series:
    """Over every cell with its length, absent and empty alike, and what the file's unknown columns hold."""
    texts = [pl.col(name).fill_null("") for name in sheet.fields]
    texts.append(own_extra(pl.col("extra")).fill_null(""))
    parts = [piece for text in texts for piece in (text.str.len_bytes().cast(pl.String), pl.lit(":"), text)]
    records = cells.select(record=pl.concat_str(parts).cast(pl.Binary))["record"]
    return pl.Series(fingerprinter.column(records.to_list()), dtype=pl.Binary)


def _with_subjects(read: _Read, fingerprinter: Fingerprinter) -> pl.DataFrame:
    """The issues with a keyed digest of the cell that each is about."""
    issues = read.found.issues
    about = read.cells.filter(pl.col("row_no").is_in(issues["row_no"].unique().implode()))
    parts = [pl.DataFrame(schema=_ISSUES)]
    for (name,), found in issues.group_by("field", maintain_order=True):
        cells = about.select("source_id", "row_no", cell=_cell(about, str(name)))
        told = found.join(cells, on=["source_id", "row_no"], how="left", maintain_order="left")
        digests = fingerprinter.column([text.encode() for text in told["cell"].to_list()])
        subjects = pl.Series(digests, dtype=pl.Binary)
        parts.append(told.drop("cell").with_columns(subject=subjects).select(*_ISSUES))
    return pl.concat(parts)


def _cell(cells: pl.DataFrame, name: str) -> pl.Expr:
    return pl.col(name).fill_null("") if name in cells.columns else pl.lit("")


def told_digest(fingerprinter: Fingerprinter, told: str | None) -> str | None:
    """A keyed digest, in hex, of a source's rules or mapping, which may hold a practice's own words."""
    return None if told is None else fingerprinter.one(b"stager/told/1\0" + told.encode()).hex()


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
    log.append_ready(log.ready("column.mapped", mapped, first + 1))


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
