"""Verifying: the staging file's keys and kept head, and the tenant's database, handed to the checks."""

from __future__ import annotations

from stager.crypto import heads
from stager.crypto.heads import Head
from stager.errors import IntegrityFailed, UsageError
from stager.projections import standing
from stager.session.settings import Progress
from stager.session.tenants import Doors
from stager.session.workspace import Workspace
from stager.verify import Outside, Verified, verify


def verify_all(
    workspace: Workspace, doors: Doors, tenant: str | None, progress: Progress, *, deep: bool
) -> Verified:
    """See `Session.verify`. UsageError: another tenant than the file's, or `deep` without one."""
    if deep and tenant is None:
        bound = standing(workspace.staging, "tenant")
        raise UsageError(
            "protected fields stand in a tenant's database",
            hint=f"name it with -t {bound}"
            if bound
            else "name one with -t SLUG; stager tenant list shows them",
        )
    if tenant is None:
        return _verify(workspace, None, progress)
    bound = standing(workspace.staging, "tenant")
    if bound != tenant:
        raise UsageError(
            f"this staging file is bound to {bound or 'no tenant'}, not to {tenant}",
            hint="name the tenant that it was published to",
        )
    profile, keyset = doors.profile(tenant), doors.keyset(tenant)
    with doors.connected(tenant) as connection:
        return _verify(workspace, Outside(tenant, profile, keyset, connection, deep), progress)


def _head(workspace: Workspace) -> Head | None:
    try:
        return heads.read(workspace.keys, workspace.staging.migration_id)
    except UsageError:
        raise IntegrityFailed(
            "the staging file's migration id is not one that stager gives",
            hint="the file was altered or damaged: restore it from a copy",
        ) from None


def _verify(workspace: Workspace, outside: Outside | None, progress: Progress) -> Verified:
    return verify(
        workspace.staging,
        fingerprinter=workspace.fingerprinter,
        public_key=workspace.signer.public_key,
        head=_head(workspace),
        outside=outside,
        progress=progress,
    )
