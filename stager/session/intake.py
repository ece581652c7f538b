"""Taking files in: recognised first, all of them, then staged as one command."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

from stager.errors import UsageError
from stager.ingest.hands import Hands, blocks_made
from stager.ingest.making import Planned
from stager.ingest.mapping import Mapping, load_mapping
from stager.ingest.reader import ReadOptions, Source, open_source
from stager.ingest.stage import SourceAccount, account_for, accounts_for, stage
from stager.projections import fold, standing
from stager.session.settings import Progress
from stager.session.told import Intake
from stager.session.workspace import Workspace
from stager.sheets import SHEETS
from stager.tenant.registry import Tenant
from stager.values import Rules


def open_sources(files: Sequence[Path], intake: Intake, cwd: Path) -> tuple[list[Source], Mapping | None]:
    """Every file surveyed and recognised, in the order of the sheets; refuses before anything is staged."""
    if not files:
        raise UsageError("no file is named", hint="stager ingest FILE…")
    mapping = load_mapping(cwd / intake.mapping) if intake.mapping else None
    options = ReadOptions(intake.sheet, intake.encoding, intake.delimiter, mapping)
    sources = [open_source(cwd / file, options) for file in files]
    order = [sheet.name for sheet in SHEETS]
    return sorted(sources, key=lambda source: order.index(source.sheet.name)), mapping


def rules_for(source: Source, tenant: Tenant | None, clock_us: int, *, synthetic: bool) -> Rules:
    """The rules that a file's cells are read by: its mapping's, else the tenant's, else the sheets' own."""
    mapping = source.mapping
    return Rules(
        as_of=datetime.fromtimestamp(clock_us / 1_000_000, UTC).date(),
        timezone=(mapping and mapping.timezone) or (tenant.timezone if tenant else "Europe/London"),
        date_format=mapping.date_format if mapping else None,
        datetime_format=mapping.datetime_format if mapping else None,
        synonyms=mapping.synonyms_for(source.sheet) if mapping else {},
        constants=mapping.constants_for(source.sheet) if mapping else {},
        synthetic=synthetic or bool(mapping and mapping.synthetic) or bool(tenant and tenant.synthetic),
        roles=tenant.roles if tenant else (),
    )


def dry_accounts(
    sources: Sequence[Source], tenant: Tenant | None, clock_us: int, progress: Progress, *, synthetic: bool
) -> list[SourceAccount]:
    """The accounts that staging these files would give; writes nothing."""
    return [
        account_for(source, rules_for(source, tenant, clock_us, synthetic=synthetic), progress=progress)
        for source in sources
    ]


def stage_all(
    workspace: Workspace,
    sources: Sequence[Source],
    tenant: Tenant | None,
    slug: str | None,
    progress: Progress,
    *,
    by: Hands,
    actor: str,
    synthetic: bool,
) -> list[SourceAccount]:
    """Stage these files as one command: all of them or none. by: what `hands` gave to make them ready."""
    with workspace.writing(actor) as log:
        workspace.bind(log, slug)
        marked = standing(workspace.staging, "synthetic") is not None
        told = synthetic or any(source.mapping and source.mapping.synthetic for source in sources)
        told = told or bool(tenant and tenant.synthetic)
        if told and not marked:
            log.append("migration.marked_synthetic")
        accounts = accounts_for(workspace.staging, sources)
        planned = [
            Planned(
                account.source,
                account.source_id or 0,
                rules_for(account.source, tenant, log.at, synthetic=marked or told),
            )
            for account in accounts
            if account.known_as is None
        ]
        new = (account for account in accounts if account.known_as is None)
        with (
            workspace.staging.one_processor() if by.beside else nullcontext(),
            blocks_made(by, planned, workspace.fingerprinter) as blocks,
        ):
            for file, account in zip(planned, new, strict=True):
                fold(workspace.staging)  # what came of the file before, while this one is made ready
                stage(
                    workspace.staging,
                    log,
                    file,
                    account,
                    blocks,
                    fingerprinter=workspace.fingerprinter,
                    progress=progress,
                )
        return accounts
