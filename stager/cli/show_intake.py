"""What taking files in shows: each file's account, and what linking made of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec import to_builtins

from stager.cli.screen import Cell, Screen
from stager.wording import counted

if TYPE_CHECKING:
    from stager.ingest.stage import SourceAccount
    from stager.reconcile import Outcome

_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
_LINE_ENDS = {"\n": "LF", "\r\n": "CRLF", "\r": "CR"}


def accounts(screen: Screen, found: Sequence[SourceAccount], *, dry_run: bool) -> None:
    """Each file's account: what it is, its records and bytes, what was found in it."""
    if screen.quiet:
        return
    for account in found:
        _account(screen, account, dry_run=dry_run)
    if dry_run:
        screen.tell("dry run: nothing was written")


def key_made(screen: Screen, path: str | None) -> None:
    """Tell the person to back a new key up; also with --quiet, for without it the data are lost."""
    if path is not None:
        screen.warn(f"stager: a new key was made: {path}")
        screen.warn("  → back it up: no staging file made with it opens without it")


def document(found: Sequence[SourceAccount], key: str | None, *, dry_run: bool) -> dict[str, Any]:
    """The accounts as JSON."""
    return {"dry_run": dry_run, "files": [_file(account) for account in found], "key_made": key}


def outcome(screen: Screen, made: Outcome) -> None:
    """What a reconciliation did."""
    if screen.quiet:
        return
    rows: list[tuple[Cell, ...]] = [
        ("rows looked at", made.rows),
        ("links made", made.linked),
        ("links withdrawn", made.withdrawn),
        ("findings raised", made.raised),
        ("findings closed", made.closed),
    ]
    screen.table(("reconciled", ""), rows)


def outcome_document(made: Outcome) -> dict[str, Any]:
    """A reconciliation as JSON."""
    found: dict[str, Any] = to_builtins(made)
    return found


def _account(screen: Screen, account: SourceAccount, *, dry_run: bool) -> None:
    source = account.source
    screen.tell(f"{source.file_name}: {source.sheet.name}", style="bold")
    if account.known_as is not None:
        screen.tell(f"  already staged, the same bytes, as {account.known_as}; nothing changed")
        return
    screen.tell(f"  encoding   {source.encoding}, confidence {source.confidence:.2f}")
    screen.tell(f"  evidence   {source.evidence}")
    delimiter = _DELIMITERS.get(source.delimiter, source.delimiter)
    screen.tell(f"  delimiter  {delimiter}, lines end in {_LINE_ENDS.get(source.newline, source.newline)}")
    screen.tell(f"  records    {account.records:,}: {account.rows:,} read, {account.malformed:,} malformed")
    if not account.records:
        screen.tell("  notice     there is a header and no record below it: is the export whole?")
    screen.tell(f"  blank      {counted(account.blank, 'line')}")
    screen.tell(f"  bytes      {account.bytes:,} of {source.size:,} belong to one record each")
    screen.tell(
        f"  rows       {account.rejected:,} rejected, {account.held:,} held for review by their values"
    )
    unknown = _unknown(account)
    if unknown:
        screen.tell(f"  unknown    columns kept and not read: {', '.join(unknown)}")
    if screen.verbose:
        for place, column in enumerate(source.columns):
            label = "" if place else "columns"
            screen.tell(f"  {label:<10} {column.header} is {column.field or 'unknown'} ({column.how})")
    for place, (code, count) in enumerate(sorted(account.codes.items())):
        screen.tell(f"  {'' if place else 'found':<10} {code} {count:,}")
    screen.tell("  would be staged" if dry_run else f"  staged     as source {account.source_id}")


def _unknown(account: SourceAccount) -> list[str]:
    return [column.header for column in account.source.columns if column.field is None]


def _file(account: SourceAccount) -> dict[str, Any]:
    source = account.source
    found = {
        name: getattr(source, name) for name in ("encoding", "confidence", "evidence", "delimiter", "newline")
    }
    counts = ("records", "rows", "malformed", "blank", "rejected", "held", "bytes")
    return {
        "file": source.file_name,
        "sheet": source.sheet.name,
        "size": source.size,
        "sha256": source.sha256,
        **found,
        **{name: getattr(account, name) for name in counts},
        "codes": dict(sorted(account.codes.items())),
        "columns": [
            {"header": column.header, "field": column.field, "how": str(column.how)}
            for column in source.columns
        ],
        "unknown_columns": _unknown(account),
        "source_id": account.source_id,
        "already_staged_as": account.known_as,
    }
