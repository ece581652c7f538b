"""Evidence: `verify`, of a staging file, with its tenant, or of an auditor's pack."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec import to_builtins
from msgspec.structs import replace

from stager.cli import options, progress
from stager.cli.invocation import Invocation, invocation
from stager.errors import UsageError
from stager.wording import counted

if TYPE_CHECKING:
    from stager.verify import PackChecked, Verified


def add_to(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(
        epilog=options.examples(
            "stager verify",
            "stager verify -t maple-surgery --deep",
            "stager verify pack.zip --key stager/0c7a…+9f2b11aa+AbC…",
        )
    )(verify)


def verify(
    context: typer.Context,
    path: Annotated[
        Path | None, typer.Argument(metavar="PATH", help="A staging file or a pack; else --staging.")
    ] = None,
    tenant: Annotated[
        str | None, typer.Option("--tenant", "-t", metavar="SLUG", help="Hold its database against it, too.")
    ] = None,
    deep: Annotated[bool, typer.Option("--deep", help="Open every protected field of the tenant.")] = False,
    key: Annotated[
        str | None, typer.Option("--key", metavar="KEY", help="A pack's public key, as you were given it.")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", metavar="FILE", help="One that a pack's log must continue.")
    ] = None,
) -> None:
    """Prove facts, events, seals and published rows unaltered.

    The first thing that is not as it must be is named, and the exit code is 6. Nothing is changed.
    """
    call = invocation(context)
    from stager.verify.pack import is_pack

    if path is not None and is_pack(Path.cwd() / path):
        if tenant or deep:
            raise UsageError("a pack is verified offline, without a tenant", hint="leave out -t and --deep")
        _pack(call, path, key, checkpoint)
    elif key or checkpoint:
        raise UsageError("--key and --checkpoint are for packs", hint="name a pack: stager verify PACK.zip")
    else:
        _staging(call if path is None else replace(call, staging=path), tenant, deep=deep)


def _staging(call: Invocation, tenant: str | None, *, deep: bool) -> None:
    with call.session() as session, progress.shown(call.screen, "entries") as seen:
        done = session.verify(tenant, deep=deep, progress=seen)
    _show(call, done)
    call.screen.document({"verified": True, **to_builtins(done), "events_per_second": done.events_per_second})


def _show(call: Invocation, done: Verified) -> None:
    say = call.screen.say
    say(f"verified: migration {done.migration_id}")
    log = f"{counted(done.events, 'event')} under {counted(done.seals, 'seal')}"
    say(f"  {log}, {done.events_per_second:,} a second")
    records = f"{counted(done.records, 'record')} in {counted(done.sources, 'file')}"
    say(f"  {records}, {counted(done.bytes, 'byte')}, to the byte")
    corrections = counted(done.corrections, "correction")
    say(f"  {corrections}; the projections are what the log gives; the account balances")
    if done.tenant:
        stand = f"{'stands' if done.published == 1 else 'stand'} as approved"
        published = f"{counted(done.published, 'row')} in {counted(done.chunks, 'chunk')}"
        say(f"  tenant {done.tenant}: {published} {stand}")
        if done.opened:
            say(f"  {counted(done.opened, 'protected field')} opened to the approved values")
        if done.unrecorded:
            unrecorded = counted(done.unrecorded, "chunk is", "chunks are")
            call.screen.note(f"{unrecorded} in the tenant and not recorded: publish again")
    say(f"  root {done.root}")
    say(f"  key  {done.public_key}")
    if not done.head_kept:
        call.screen.note(
            "no seal of this migration is kept beside the keys here, so an older copy would not show"
        )


def _pack(call: Invocation, path: Path, key: str | None, checkpoint: Path | None) -> None:
    from stager.verify.pack import verify_pack

    done = verify_pack(Path.cwd() / path, key=key, checkpoint=_text(checkpoint))
    _show_pack(call, done, known=key is not None)
    call.screen.document({"verified": True, **to_builtins(done)})


def _text(checkpoint: Path | None) -> str | None:
    if checkpoint is None:
        return None
    try:
        return (Path.cwd() / checkpoint).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise UsageError(f"{checkpoint} cannot be read", hint="name a kept checkpoint.txt") from None


def _show_pack(call: Invocation, done: PackChecked, *, known: bool) -> None:
    call.screen.say(f"verified: {counted(done.events, 'event')} under {counted(done.seals, 'seal')}")
    call.screen.say(f"  {len(done.members)} members as the signed manifest names them")
    call.screen.say(f"  key  {done.public_key}")
    if not known:
        call.screen.note("compare that key with the one you were given by another way, or give it as --key")
