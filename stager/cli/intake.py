"""Taking files in and linking their rows: `ingest`, `reconcile`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stager.cli import options, progress, show_intake
from stager.cli.invocation import Invocation, invocation

if TYPE_CHECKING:
    from stager.ingest.stage import SourceAccount
    from stager.reconcile import Outcome
    from stager.session import Intake, Session


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command(
        epilog=options.examples(
            "stager ingest patients.csv background.csv -t maple-surgery",
            "stager ingest export.txt --sheet notes --encoding cp1252 --delimiter tab",
            "stager ingest patients.csv --dry-run",
        )
    )(ingest)
    app.command(
        epilog=options.examples("stager reconcile", "stager reconcile -t maple-surgery"),
    )(reconcile)


def ingest(
    context: typer.Context,
    files: options.Files = None,
    more: options.MoreFiles = None,
    tenant: options.MaybeSlug = None,
    sheet: options.AsSheet = None,
    encoding: options.Encoding = None,
    delimiter: options.Delimiter = None,
    mapping: options.MappingFile = None,
    synthetic: options.Synthetic = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the account and write nothing.")] = False,
) -> None:
    """Stage CSV files: every record as it came, all files or none."""
    from stager.session import Intake

    told = Intake(sheet, encoding, delimiter, mapping, synthetic)
    call = invocation(context)
    with call.session() as session:
        accounts = take_in(call, session, [*(files or ()), *(more or ())], told, tenant, dry_run=dry_run)
        call.screen.document(show_intake.document(accounts, session.key_made, dry_run=dry_run))


def take_in(
    call: Invocation,
    session: Session,
    files: Sequence[Path],
    told: Intake,
    tenant: str | None,
    *,
    dry_run: bool,
) -> list[SourceAccount]:
    """Stage files and show their accounts."""
    try:
        with progress.shown(call.screen, "bytes") as seen:
            accounts = session.ingest(
                files, told, actor=call.actor, tenant=tenant, dry_run=dry_run, progress=seen
            )
        show_intake.accounts(call.screen, accounts, dry_run=dry_run)
    finally:
        # Also where the files could not be staged: the next command finds the key and says nothing of it.
        show_intake.key_made(call.screen, session.key_made)
    return accounts


def reconcile(context: typer.Context, tenant: options.MaybeSlug = None) -> None:
    """Link rows to their patients and raise findings for people.

    With a tenant named, references are also compared with the tenant's own patients.
    """
    call = invocation(context)
    with call.session() as session:
        outcome = link(call, session, tenant)
        call.screen.document(show_intake.outcome_document(outcome))


def link(call: Invocation, session: Session, tenant: str | None) -> Outcome:
    """Link rows and show how many."""
    with progress.shown(call.screen, "rows") as seen:
        outcome = session.reconcile(actor=call.actor, tenant=tenant, progress=seen)
    show_intake.outcome(call.screen, outcome)
    return outcome
