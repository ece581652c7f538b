"""Files made ready to be written, block by block: cells, verdicts, fingerprints, kept bytes, events.

Pure, and the costly part of taking files in: `hands` has it done in a process of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor

import polars as pl
import pyarrow as pa
from msgspec import Struct, field

from stager.binary import column_of
from stager.crypto.fingerprint import FINGERPRINT_BYTES, Fingerprinter
from stager.crypto.merkle import leaf_hashes
from stager.ingest.reader import Block, Source
from stager.ingest.round_trip import is_round_trip, own_extra, restored
from stager.ready_events import length_of
from stager.sheets import REJECTING, Code, Sheet
from stager.values import Normalised, Rules, normalise

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


class Counts(Struct):
    """What a stretch of a file, or all of it, holds. held: rows that wait for a person's decision."""

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

    def add(self, more: Counts) -> None:
        """Count a further stretch of the same file."""
        for name in ("rows", "malformed", "rejected", "held", "blank", "bytes"):
            setattr(self, name, getattr(self, name) + getattr(more, name))
        for code, number in more.codes.items():
            self.codes[code] = self.codes.get(code, 0) + number


class Planned(Struct, frozen=True):
    """A file that is to be staged, the number it gets, and the rules that its cells are read by."""

    source: Source
    source_id: int
    rules: Rules


class Made(Struct, frozen=True):
    """A stretch of a file made ready to be written: frames as their tables take them.

    kept: its bytes in compressed blocks. leaves: the hashes of these blocks, one after another.
    """

    rows: pl.DataFrame
    spans: pl.DataFrame
    issues: pl.DataFrame
    changes: pl.DataFrame
    kept: pl.DataFrame
    leaves: bytes
    counts: Counts

    @property
    def frames(self) -> tuple[pl.DataFrame, ...]:
        """What its tables take, in the order of the fields."""
        return self.rows, self.spans, self.issues, self.changes, self.kept


def made(files: Sequence[Planned], fingerprinter: Fingerprinter) -> Iterator[Made | None]:
    """The blocks of several files, one after another; None behind the last one of each."""
    with ThreadPoolExecutor(1, "stager-hashing") as beside:
        for file in files:
            block_no = 0
            for block in file.source.blocks():
                ready = _made(file, block, block_no, fingerprinter, beside)
                block_no += ready.kept.height
                yield ready
            yield None


def counted(file: Planned) -> Iterator[Counts]:
    """What staging a file would count, block by block; nothing is made ready."""
    for block in file.source.blocks():
        yield _counts(_read(file, block, _cells(file, block)))


def accepted(sheet: Sheet, made: Made) -> pl.DataFrame:
    """The rows against which nothing speaks that rejects a row, as `Stamp.ready` takes them."""
    rejected = made.issues.filter(pl.col("code").is_in(_REJECTING))["row_no"].unique()
    print_ = pl.col("fingerprint").bin.encode("hex")
    return made.rows.filter(~pl.col("row_no").is_in(rejected.implode())).select(
        "source_id",
        "row_no",
        sheet=pl.lit(sheet.name),
        finding_id=pl.lit(None, pl.Int64),
        detail=pl.concat_str(pl.lit('{"fingerprint":"'), print_, pl.lit('"}')),
    )


class _Read(Struct, frozen=True):
    file: Planned
    block: Block
    cells: pl.DataFrame
    found: Normalised


def _cells(file: Planned, block: Block) -> pl.DataFrame:
    cells = block.rows.with_columns(source_id=pl.lit(file.source_id, dtype=pl.Int32))
    return restored(cells, file.source.sheet) if is_round_trip(file.source.headers) else cells


def _read(file: Planned, block: Block, cells: pl.DataFrame) -> _Read:
    return _Read(file, block, cells, normalise(file.source.sheet, cells, file.rules))


def _made(file: Planned, block: Block, block_no: int, fingerprinter: Fingerprinter, beside: Executor) -> Made:
    """beside: hashes and compresses while the cells are read."""
    sheet, source_id = file.source.sheet, file.source_id
    cells = _cells(file, block)
    printing = beside.submit(fingerprints, sheet, cells, fingerprinter)
    keeping = beside.submit(_kept, block, source_id, block_no)
    read = _read(file, block, cells)
    issues, counts = _with_subjects(read, fingerprinter), _counts(read)
    kept, leaves = keeping.result()
    return Made(
        rows=cells.with_columns(fingerprint=printing.result()),
        spans=block.spans.with_columns(source_id=pl.lit(source_id, dtype=pl.Int32)),
        issues=issues,
        changes=read.found.changes,
        kept=kept,
        leaves=leaves,
        counts=counts,
    )


def _counts(read: _Read) -> Counts:
    spans, found = read.block.spans, read.found
    bad = found.issues.filter(pl.col("code").is_in(_REJECTING))["row_no"].unique()
    counts = Counts(
        rows=read.cells.height,
        malformed=spans.filter(pl.col("kind") == "malformed").height,
        rejected=bad.len(),
        held=found.issues.filter(~pl.col("row_no").is_in(bad.implode()))["row_no"].n_unique(),
        blank=spans.filter(pl.col("kind") == "blank").height,
        bytes=read.block.byte_len,
    )
    for frame in (found.issues, found.changes):
        counts.add(Counts(codes=dict(frame.group_by("code").len().iter_rows())))
    if counts.malformed:
        counts.add(Counts(codes={Code.ROW_MALFORMED.value: counts.malformed}))
    return counts


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


def fingerprints(sheet: Sheet, cells: pl.DataFrame, fingerprinter: Fingerprinter) -> pl.Series:
    """Over every cell with its length, absent and empty alike, and what the file's unknown columns hold."""
    texts = [pl.col(name).fill_null("") for name in sheet.fields]
    texts.append(own_extra(pl.col("extra")).fill_null(""))
    parts = [piece for text in texts for piece in (length_of(text), text)]
    records = cells.select(record=pl.concat_str(parts).cast(pl.Binary))["record"]
    return column_of(fingerprinter.concatenated(records.to_list()), FINGERPRINT_BYTES)


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
