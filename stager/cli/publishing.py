"""Publishing: `publish`, and `import`, the whole way in one command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from msgspec import to_builtins

from stager.cli import intake, options, progress, review, show_account, show_intake, show_publishing
from stager.cli.invocation import Invocation, invocation
from stager.errors import ReviewNeeded, TenantUnavailable
from stager.sheets import State
from stager.wording import counted

if TYPE_CHECKING:
    from stager.publish.publishing import Published
    from stager.session import Intake, Session
    from stager.session.views import Status


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command(
        epilog=options.examples(
            "stager publish -t maple-surgery --dry-run",
            "stager publish -t maple-surgery --plan HASH",
        )
    )(publish)
    app.command(
        "import",
        epilog=options.examples(
            "stager import patients.csv notes.csv -t maple-surgery --dry-run",
            "stager import patients.csv notes.csv -t maple-surgery --yes",
        ),
    )(import_files)


def publish(
    context: typer.Context,
    tenant: options.Slug,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="The same, rolled back at the end.")] = False,
    plan: Annotated[
        str | None,
        typer.Option("--plan", metavar="HASH", help="Publish this approved plan and nothing else."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Not unless as many records came as the practice expects.")
    ] = False,
) -> None:
    """Publish the approved rows to a tenant, each exactly once."""
    call = invocation(context)
    with call.session() as session:
        done = send(call, session, tenant, dry_run=dry_run, plan=plan, strict=strict)
    call.screen.document(show_publishing.document(done, dry_run=dry_run))


def send(
    call: Invocation,
    session: Session,
    tenant: str,
    *,
    dry_run: bool = False,
    plan: str | None = None,
    strict: bool = False,
) -> Published:
    """Publish and show what became of it."""
    with progress.shown(call.screen, "rows") as seen:
        done = session.publish(
            tenant, actor=call.actor, dry_run=dry_run, expected_plan=plan, strict=strict, progress=seen
        )
    show_publishing.published(call.screen, done, dry_run=dry_run)
    return done


def import_files(
    context: typer.Context,
    tenant: options.Slug,
    files: options.Files = None,
    more: options.MoreFiles = None,
    sheet: options.AsSheet = None,
    encoding: options.Encoding = None,
    delimiter: options.Delimiter = None,
    mapping: options.MappingFile = None,
    synthetic: options.Synthetic = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the account, look at the tenant, write nothing.")
    ] = False,
    yes: options.Yes = False,
) -> None:
    """Ingest, reconcile, approve what is ready, and publish it.

    What is held stays in the staging file for review; nothing of it is lost.
    """
    from stager.session import Intake

    call = invocation(context)
    told = Intake(sheet, encoding, delimiter, mapping, synthetic)
    named = [*(files or ()), *(more or ())]
    with call.session() as session:
        require_fit(session, tenant)
        if dry_run:
            accounts = intake.take_in(call, session, named, told, tenant, dry_run=True)
            call.screen.document(show_intake.document(accounts, session.key_made, dry_run=True))
            return
        document: dict[str, Any] = {}
        try:
            _import(call, session, named, told, tenant, document, yes=yes)
        finally:
            if document:
                call.screen.document(document)


def require_fit(session: Session, tenant: str) -> None:
    """TenantUnavailable, before anything is staged, where the tenant could not be published to."""
    differences = session.check_tenant(tenant)
    if differences:
        raise TenantUnavailable(
            f"the database of tenant {tenant} differs from its profile "
            f"in {counted(len(differences), 'place')}",
            hint=f"stager tenant check -t {tenant} shows them, stager tenant init -t {tenant} makes tables; "
            "nothing was staged",
        )


def _import(
    call: Invocation,
    session: Session,
    files: Sequence[Path],
    told: Intake,
    tenant: str,
    document: dict[str, Any],
    *,
    yes: bool,
) -> None:
    """The whole way. document: what is done so far, as JSON, for whatever ends it."""
    accounts = intake.take_in(call, session, files, told, tenant, dry_run=False)
    document |= show_intake.document(accounts, session.key_made, dry_run=False)
    document["reconciled"] = show_intake.outcome_document(intake.link(call, session, tenant))
    found = session.status()
    document["status"] = show_account.status_document(found)
    document["approved"] = document["published"] = None
    if not call.screen.quiet:
        call.screen.tell("")
        show_account.account(call.screen, found)
        show_account.findings(call.screen, found)
    ready = _rows_in(found, State.READY)
    if ready or _rows_in(found, State.APPROVED):
        _require_yes(call, found, tenant, yes=yes)
    if ready:
        granted = session.approve(actor=call.actor)
        review.approved(call, granted)
        document["approved"] = to_builtins(granted)
    document["published"] = show_publishing.document(send(call, session, tenant), dry_run=False)
    found = session.status()
    document["status"] = show_account.status_document(found)
    if not call.screen.quiet:
        show_account.next_step(call.screen, found)


def _require_yes(call: Invocation, found: Status, tenant: str, *, yes: bool) -> None:
    """ReviewNeeded unless a person agrees to publishing, now or by --yes."""
    count = _rows_in(found, State.READY) + _rows_in(found, State.APPROVED)
    rows, wait = counted(count, "row"), "waits" if count == 1 else "wait"
    if yes or (call.screen.can_ask() and call.screen.ask(f"approve and publish {rows} to {tenant}?")):
        return
    raise ReviewNeeded(
        f"the files are staged and reconciled; {rows} {wait} for approval and nothing was published",
        hint=f"stager approve, then stager publish -t {tenant}; or the same command with --yes",
    )


def _rows_in(found: Status, state: State) -> int:
    return sum(sheet.states.get(state.value, 0) for sheet in found.sheets)
