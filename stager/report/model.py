"""The report as plain values. No part of it is a patient's value; its JSON is these names as they are.

Addresses of rows are "source:row", moments ISO 8601 in UTC, digests lower-case hex.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from stager.report.counts import Count

FORMAT = "stager/report/1"


class Migration(Struct, frozen=True):
    """Whose records these are, and up to which event the report goes. made_at: when it was made."""

    id: str
    tenant: str | None
    synthetic: bool
    events: int
    began_at: str | None
    last_event_at: str | None
    made_at: str
    past: bool


class MappedColumn(Struct, frozen=True):
    """A header of a file, at its position from 1, and the column it was taken for; None: kept as unknown."""

    position: int
    header: str
    column: str | None
    how: str


class Reading(Struct, frozen=True):
    """What a file's cells were read by. Of constants and synonyms only which columns have them."""

    mapping: str | None
    timezone: str
    date_format: str | None
    datetime_format: str | None
    constants: tuple[str, ...]
    synonyms: tuple[str, ...]
    rules_version: int


class SourceFile(Struct, frozen=True):
    """A file that was taken in. confidence: how sure the encoding is, 0 to 1."""

    source_id: int
    sheet: str
    file: str
    sha256: str
    size: int
    encoding: str
    confidence: float
    evidence: str
    delimiter: str
    newline: str
    registered_at: str
    content_root: str
    reading: Reading
    columns: tuple[MappedColumn, ...]


class FileBalance(Struct, frozen=True):
    """A file's part of the account: records and bytes that came, and that are kept."""

    source_id: int
    file: str
    bytes: int
    bytes_kept: int
    records: int
    records_kept: int
    blank_lines: int
    balances: bool


class StateRows(Struct, frozen=True):
    """The rows of a sheet in one state, "source:first-last source:row …"; left_out: runs not listed."""

    runs: str
    left_out: int


class SheetBalance(Struct, frozen=True):
    """A sheet's account, exact. replaced: records that a corrected record stands for.

    expected: the practice's own count; difference: records without the replaced ones, less expected.
    rows: which rows are in each state that has any.
    """

    sheet: str
    title: str
    records: int
    replaced: int
    states: dict[str, int]
    rows: dict[str, StateRows]
    expected: int | None
    difference: int | None
    balances: bool
    files: tuple[FileBalance, ...]


class Links(Struct, frozen=True):
    """Rows of a sheet whose patient was found in one way; rule None: no patient. certainty: in words."""

    sheet: str
    rule: str | None
    certainty: str
    rows: Count


class FindingCount(Struct, frozen=True):
    """Findings of a sheet by code."""

    sheet: str
    code: str
    meaning: str
    open: Count
    decided: Count
    closed: Count


class DecisionCount(Struct, frozen=True):
    """Standing decisions of one kind by one person. code None: about rows as such.

    with_reason: whether a reason was given; its text stays in the log, since a person typed it.
    """

    sheet: str
    code: str | None
    decision: str
    actor: str
    with_reason: bool
    rows: Count


class Bulk(Struct, frozen=True):
    """A decision about five or more findings or rows, with its exact set as runs of numbers.

    findings: "1-3 7", numbers of findings; rows: "source:first-last …". undone_by: the event that did.
    """

    seq: int
    at: str
    actor: str
    decision: str
    count: int
    findings: str | None
    rows: str | None
    with_reason: bool
    undone_by: int | None


class AgeBand(Struct, frozen=True):
    """Open findings raised from `days_from` days ago, up to but without `days_to`; None: any longer."""

    days_from: int
    days_to: int | None
    open: Count


class Age(Struct, frozen=True):
    """How long findings have been open. oldest_days: whole days; None where none is open."""

    oldest_raised_at: str | None
    oldest_days: int | None
    bands: tuple[AgeBand, ...]


class Change(Struct, frozen=True):
    """Cells of a column that a rule rewrote (value.normalised) or filled (value.defaulted)."""

    source_id: int
    sheet: str
    column: str
    kind: str
    rule: str
    meaning: str
    cells: Count


class MissingRow(Struct, frozen=True):
    """A row that belongs to a patient and is not, or not going to be, published as things stand."""

    row: str
    sheet: str
    what: str
    state: str


class IncompletePatient(Struct, frozen=True):
    """A patient some of whose rows are missing, allergies first. patient: "source:row" or "tenant:id"."""

    patient: str
    state: str
    allergies: int
    rows: tuple[MissingRow, ...]


class Approval(Struct, frozen=True):
    """An approval as granted; counts of rows by sheet, exact."""

    seq: int
    at: str
    actor: str
    plan_hash: str
    count: int
    sheets: dict[str, int]
    with_reason: bool


class ChunkLine(Struct, frozen=True):
    """A chunk of a run. committed: rows that the tenant has by it; None: not recorded as committed."""

    chunk: int
    sheet: str
    rows: str
    planned: int
    committed: int | None
    first_event: int
    last_event: int
    digest: str
    seq: int | None


class Run(Struct, frozen=True):
    """A replay into the tenant. seconds: from its start to its end, None while it has none."""

    run: int
    tenant: str
    profile_digest: str
    plan_hash: str
    started_at: str
    finished_at: str | None
    actor: str
    published: int
    seconds: float | None
    rows_per_second: int | None
    chunks: tuple[ChunkLine, ...]


class TargetKey(Struct, frozen=True):
    """What may be shown of a data key of the tenant."""

    id: str
    created: str
    primary: bool


class Target(Struct, frozen=True):
    """The tenant as it is registered now: its profile by name and digest, its data keys by id."""

    slug: str
    profile: str
    profile_digest: str
    keys: tuple[TargetKey, ...]


class Seals(Struct, frozen=True):
    """The last seal over the log. size: events under it; public_key: of the key that signs."""

    count: int
    size: int
    root: str | None
    at: str | None
    signature: str | None
    public_key: str


class Versions(Struct, frozen=True):
    """What made the staging file, and what made this report."""

    stager: str
    opened_by: str | None
    rules: int
    staging_schema: int


class Report(Struct, frozen=True):
    """The whole report. person: what befell one person's rows, with proofs, where it was asked for."""

    format: str
    migration: Migration
    balances: bool
    account: tuple[SheetBalance, ...]
    sources: tuple[SourceFile, ...]
    links: tuple[Links, ...]
    findings: tuple[FindingCount, ...]
    decisions: tuple[DecisionCount, ...]
    bulk_decisions: tuple[Bulk, ...]
    decisions_taken_back: Count
    open_findings: Age
    changes: tuple[Change, ...]
    incomplete_patients: tuple[IncompletePatient, ...]
    approvals: tuple[Approval, ...]
    approvals_voided: Count
    runs: tuple[Run, ...]
    target: Target | None
    seals: Seals
    versions: Versions
    person: dict[str, Any] | None = None
