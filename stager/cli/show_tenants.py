"""Tenants, keys and what was done with them; never a connection string or a secret."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from stager.cli.screen import Screen
from stager.errors import StagerError
from stager.wording import counted

if TYPE_CHECKING:
    from stager.crypto.keyset import KeyDescription
    from stager.publish.reencrypt import Reencrypted
    from stager.tenant.registry import Registry


def registry(screen: Screen, found: Registry) -> None:
    """The registered tenants and the file that they stand in."""
    if found.path is None:
        screen.say(f"no tenants.toml was found; looked at {', '.join(map(str, found.looked))}")
        return
    screen.say(f"registered in {found.path}")
    screen.table(
        ("tenant", "database", "profile", "time zone", "note"),
        [
            (
                each["tenant"],
                each["database"],
                each["profile"],
                each["timezone"],
                each["problem"] or _note(each),
            )
            for each in _tenants(found)
        ],
    )


def registry_document(found: Registry) -> dict[str, Any]:
    """The registered tenants as JSON."""
    return {
        "file": str(found.path) if found.path else None,
        "looked_at": [str(path) for path in found.looked],
        "tenants": _tenants(found),
    }


def keys(screen: Screen, found: Sequence[KeyDescription]) -> None:
    """A tenant's data keys."""
    rows = [
        (key.id, key.created.isoformat(timespec="seconds"), "primary" if key.primary else "") for key in found
    ]
    screen.table(("key", "made", ""), rows)


def reencrypted(screen: Screen, moved: Reencrypted) -> None:
    """What was moved to the primary key."""
    if not screen.quiet:
        rows = [*moved.moved.items(), ("total", moved.total)]
        screen.table(("moved to the primary key", "values"), rows, last=True)
        screen.say(f"{counted(moved.looked_at, 'value was', 'values were')} looked at")


def keys_document(slug: str, found: Sequence[KeyDescription]) -> dict[str, Any]:
    """A tenant's data keys as JSON."""
    described = [{"id": key.id, "created": key.created.isoformat(), "primary": key.primary} for key in found]
    return {"tenant": slug, "keys": described}


def _tenants(found: Registry) -> list[dict[str, Any]]:
    return [_tenant(found, slug) for slug in found.slugs()]


def _tenant(found: Registry, slug: str) -> dict[str, Any]:
    """A tenant, or what is wrong with its entry: the others are listed all the same."""
    try:
        tenant = found.tenant(slug)
    except StagerError as error:
        absent = {"database": None, "profile": None, "timezone": None, "synthetic": None}
        return {"tenant": slug, **absent, "problem": str(error)}
    return {
        "tenant": slug,
        "database": "embedded" if tenant.embedded_folder else "its own server",
        "profile": tenant.profile,
        "timezone": tenant.timezone,
        "synthetic": tenant.synthetic,
        "problem": None,
    }


def _note(tenant: dict[str, Any]) -> str:
    return "made-up patients" if tenant["synthetic"] else ""
