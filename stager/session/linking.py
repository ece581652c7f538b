"""Linking: the tenant's own people read as a snapshot, and the reconciliation against them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from stager.crypto.blind_index import BlindIndex
from stager.errors import ReviewNeeded, TenantUnavailable, UsageError
from stager.event_log import EventLog
from stager.projections import standing
from stager.session.settings import Progress
from stager.session.tenants import Doors
from stager.session.workspace import Workspace
from stager.staging import Staging
from stager.tenant import people
from stager.tenant.schema import prove_tenant
from stager.wording import counted

if TYPE_CHECKING:
    import polars as pl

    from stager.reconcile import Outcome

BlindIndexer = Callable[[Sequence[str]], list[bytes]]


class _Snapshot(Struct, frozen=True):
    """The tenant's own people as read now: their text, and its digest, keyed, in hex."""

    text: bytes
    digest: str

    @property
    def people(self) -> pl.DataFrame:
        return people.framed(self.text)


def link(workspace: Workspace, doors: Doors, log: EventLog) -> Outcome:
    """Link and check anew what a person's decision changed, inside its command."""
    from stager.reconcile import reconcile  # here: publishing needs this module and not that stage

    slug = workspace.tenant_slug(None)
    return reconcile(
        workspace.staging,
        log,
        digester=workspace.fingerprinter.column,
        index=_indexer(workspace, doors, slug),
        tenant=slug,
    )


def link_all(
    workspace: Workspace, doors: Doors, actor: str, tenant: str | None, progress: Progress, *, anew: bool
) -> Outcome:
    """Link and check what happened since the last time as a command of its own, bound to the tenant if named.

    anew: read the tenant's own people first.
    """
    from stager.reconcile import look, tell

    workspace.require_bound(tenant)
    slug = workspace.tenant_slug(tenant)
    fresh = _read_people(workspace, doors, slug) if slug and anew else None
    seen = look(
        workspace.staging,
        digester=workspace.fingerprinter.column,
        index=_indexer(workspace, doors, slug, fresh),
        fresh=fresh.people if fresh else None,
        progress=lambda what: progress(what, 0, None),
    )
    progress("writing what was found", 0, None)
    with workspace.writing(actor) as log:
        workspace.bind(log, tenant)
        if fresh:
            _keep_people(workspace.staging, log, fresh)
        return tell(workspace.staging, log, seen, slug)


def _indexer(
    workspace: Workspace, doors: Doors, slug: str | None, fresh: _Snapshot | None = None
) -> BlindIndexer | None:
    if slug and (fresh or standing_snapshot(workspace.staging)):
        return indexer(doors, slug)
    return None


def can_look(doors: Doors, slug: str | None, warn: Callable[[str], None]) -> bool:
    """Whether a tenant that was not named now can be looked at all the same; it is said where it cannot."""
    if slug is None or doors.known(slug) is None:
        return False
    try:
        with doors.connected(slug) as connection:
            prove_tenant(connection, slug)
    except TenantUnavailable as unavailable:
        warn(f"stager: the people of tenant {slug} were not read anew: {unavailable}")
        return False
    return True


def require_compared(workspace: Workspace, doors: Doors, slug: str) -> None:
    """ReviewNeeded where the tenant has people of its own with whom no row was ever compared."""
    if standing_snapshot(workspace.staging):
        return
    with doors.connected(slug) as connection:
        strangers = people.count(connection, doors.profile(slug), _ours(workspace.staging, slug))
    if strangers:
        raise ReviewNeeded(
            f"tenant {slug} has {counted(strangers, 'person', 'people')} of its own, "
            "and no row was compared with them",
            hint=f"stager reconcile -t {slug}, then look at what it finds and approve",
        )


def indexer(doors: Doors, slug: str) -> BlindIndexer:
    """Ten-digit NHS numbers → their blind indexes in the tenant's database; nothing where it keeps none."""
    table = doors.profile(slug).people
    column = table.column_of(field="nhs_number")
    if column is None or table.column_of(index_of="nhs_number") is None:
        return lambda numbers: [b""] * len(numbers)
    blind = BlindIndex(doors.keyset(slug), slug, table.table, column.name)
    return lambda numbers: [each or b"" for each in blind.column_of([number.encode() for number in numbers])]


def standing_snapshot(staging: Staging) -> bool:
    """Whether the tenant's own people were read for this migration."""
    return bool(staging.one("has_snapshot"))


def _read_people(workspace: Workspace, doors: Doors, slug: str) -> _Snapshot | None:
    """The tenant's own people, None where they are those that are kept already."""
    with doors.connected(slug) as connection:
        prove_tenant(connection, slug)
        text = people.read(connection, doors.profile(slug), _ours(workspace.staging, slug))
    digest = workspace.fingerprinter.one(people.lines_of(text)).hex()
    known = workspace.staging.rows("last_snapshot")
    return None if known and known[0][0] == digest else _Snapshot(text, digest)


def _keep_people(staging: Staging, log: EventLog, fresh: _Snapshot) -> None:
    own = fresh.people
    with staging.lent(snapshot=own):
        staging.run("forget_snapshot")
        staging.run("keep_snapshot")
    log.append("tenant.snapshotted", {"people": own.height, "digest": fresh.digest})


def _ours(staging: Staging, slug: str) -> people.Migration:
    """This migration, whose patients have, or would have, ids of their own in the tenant's database."""
    return people.Migration(slug, [sha256 for (sha256,) in staging.rows("sources_of_patients")])


def require_tenant(workspace: Workspace, named: str | None) -> str:
    """The tenant named, else the one the file is bound to; UsageError where there is neither."""
    slug = named or standing(workspace.staging, "tenant")
    if slug is None:
        raise UsageError("no tenant is named", hint="name one with -t SLUG; stager tenant list shows them")
    return slug
