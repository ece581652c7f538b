"""Tenants and their keys: `tenant init|check|list|stop`, `keys list|rotate|export|restore|reencrypt`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec import to_builtins

from stager.cli import options, progress, show_tenants
from stager.cli.invocation import invocation
from stager.errors import TenantUnavailable, UsageError
from stager.wording import counted

if TYPE_CHECKING:
    from stager.session import Session

tenant = typer.Typer(
    name="tenant",
    help="Set tenants' databases up and look at them.",
    epilog=options.examples("stager tenant list", "stager tenant check -t maple-surgery"),
    rich_markup_mode=None,
    add_completion=False,
)
keys = typer.Typer(
    name="keys",
    help="Look after the keys of tenants' protected fields.",
    epilog=options.examples("stager keys list -t maple-surgery", "stager keys rotate -t maple-surgery"),
    rich_markup_mode=None,
    add_completion=False,
)


def add_to(app: typer.Typer) -> None:
    """Add these groups to the program."""
    app.add_typer(tenant)
    app.add_typer(keys)


@tenant.command(epilog=options.examples("stager tenant init -t maple-surgery"))
def init(context: typer.Context, slug: options.Slug) -> None:
    """Make what is missing of a tenant's tables.

    Marks the database as this tenant's, which every later command asks for."""
    call = invocation(context)
    with call.session() as session:
        made = session.init_tenant(slug)
    call.screen.tell(f"made {', '.join(made)}" if made else "nothing was missing")
    call.screen.document({"tenant": slug, "made": list(made)})


@tenant.command(epilog=options.examples("stager tenant check -t maple-surgery"))
def check(context: typer.Context, slug: options.Slug) -> None:
    """Compare a tenant's database with its profile.

    Ends with exit code 5 where it differs."""
    call = invocation(context)
    with call.session() as session:
        differences = session.check_tenant(slug)
    for difference in differences:
        call.screen.say(str(difference))
    found = [
        {**to_builtins(each), "kind": each.kind.name.casefold(), "means": each.kind.value}
        for each in differences
    ]
    call.screen.document({"tenant": slug, "differences": found})
    if differences:
        raise TenantUnavailable(
            f"the database of tenant {slug} differs from its profile in {counted(len(differences), 'place')}",
            hint=f"stager tenant init -t {slug} makes missing tables; else change the profile",
        )
    call.screen.tell(f"the database of tenant {slug} is as its profile has it")


@tenant.command(
    "list", epilog=options.examples("stager tenant list", "stager --tenants site.toml tenant list")
)
def list_tenants(context: typer.Context) -> None:
    """List the registered tenants, without their connection strings."""
    call = invocation(context)
    with call.session() as session:
        registry = session.registry()
    show_tenants.registry(call.screen, registry)
    call.screen.document(show_tenants.registry_document(registry))


@tenant.command(epilog=options.examples("stager tenant stop -t demo"))
def stop(context: typer.Context, slug: options.Slug) -> None:
    """Stop a tenant's embedded PostgreSQL.

    Its data stay, and the next command starts it again."""
    from stager.tenant.embedded import Server

    call = invocation(context)
    with call.session() as session:
        folder = session.registry().tenant(slug).embedded_folder
    if folder is None:
        raise TenantUnavailable(
            f"tenant {slug} has no embedded database", hint="its server is not stager's to stop"
        )
    stopped = Server(folder).stop()
    call.screen.tell("stopped" if stopped else "it was not running")
    call.screen.document({"tenant": slug, "stopped": stopped})


@keys.command("list", epilog=options.examples("stager keys list -t maple-surgery"))
def list_keys(context: typer.Context, slug: options.Slug) -> None:
    """List a tenant's data keys, without their secrets."""
    call = invocation(context)
    with call.session() as session:
        _require_registered(session, slug)
        found = session.keys(slug)
    show_tenants.keys(call.screen, found)
    call.screen.document(show_tenants.keys_document(slug, found))


@keys.command(epilog=options.examples("stager keys rotate -t maple-surgery"))
def rotate(context: typer.Context, slug: options.Slug) -> None:
    """Add a primary data key to a tenant's.

    What is sealed under the older ones stays readable."""
    call = invocation(context)
    with call.session() as session:
        found = session.rotate_keys(slug)
    show_tenants.keys(call.screen, found)
    call.screen.note(f"fields move to the new key with: stager keys reencrypt -t {slug}")
    call.screen.document(show_tenants.keys_document(slug, found))


@keys.command(epilog=options.examples("stager keys export maple.keyset.json -t maple-surgery"))
def export(
    context: typer.Context,
    slug: options.Slug,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A new file, made with mode 0600.")],
) -> None:
    """Write a tenant's keys in the clear to a new file.

    For its backup, or for the tenant's application, which opens the fields with it."""
    call = invocation(context)
    with call.session() as session:
        _require_registered(session, slug)
        session.export_keys(slug, path)
    call.screen.tell(f"wrote {path}")
    call.screen.warn(
        "stager: whoever has this file reads every protected field of the tenant: keep it locked away"
    )
    call.screen.document({"tenant": slug, "path": str(path)})


@keys.command(epilog=options.examples("stager keys restore maple.keyset.json -t maple-surgery"))
def restore(
    context: typer.Context,
    slug: options.Slug,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `stager keys export` wrote.")],
) -> None:
    """Store a tenant's keys from an export again."""
    from stager.crypto import kek, keystore

    call = invocation(context)
    with call.session() as session:
        _require_registered(session, slug)
        keyset = keystore.read_export(path)
        if keyset.tenant != slug:
            raise UsageError(
                f"these are the keys of tenant {keyset.tenant}, not of {slug}", hint="name that tenant"
            )
        keystore.restore(session.doors.keys, keyset, kek.key_encryption_key(session.settings.environ))
        found = session.keys(slug)
    show_tenants.keys(call.screen, found)
    call.screen.document(show_tenants.keys_document(slug, found))


@keys.command(epilog=options.examples("stager keys reencrypt -t maple-surgery"))
def reencrypt(context: typer.Context, slug: options.Slug) -> None:
    """Move every protected field to the primary key."""
    call = invocation(context)
    with call.session() as session, progress.shown(call.screen, "rows") as seen:
        moved = session.reencrypt(slug, progress=seen)
    show_tenants.reencrypted(call.screen, moved)
    call.screen.document({"tenant": slug, **to_builtins(moved)})


def _require_registered(session: Session, slug: str) -> None:
    """A slug mistyped must not be given a keyset of its own."""
    session.registry().tenant(slug)
