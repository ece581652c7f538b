"""What publishing did: rows by sheet and table, how fast, and what the database refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import to_builtins

from stager.cli.screen import Screen
from stager.wording import counted

if TYPE_CHECKING:
    from stager.publish.publishing import Published

MOST_REFUSED = 9


def published(screen: Screen, done: Published, *, dry_run: bool) -> None:
    """The rows that are in the tenant now, or would be."""
    _refused(screen, done)
    if screen.quiet:
        return
    if not done.rows and not done.refused:
        screen.say("nothing to publish: every approved row is published")
        return
    if done.resumed:
        screen.say("went on with a run that had been cut off")
    heading = "would be published" if dry_run else "published"
    screen.table((heading, "rows"), [*done.sheets.items(), ("total", done.rows)], last=True)
    screen.say()
    screen.table(("table", "rows"), list(done.tables.items()))
    screen.say()
    if done.already:
        screen.say(f"{done.already:,} of them were in the tenant already, by an earlier run that was cut off")
    rate = f", {done.rows / done.seconds:,.0f} rows/s" if done.seconds > 0 else ""
    screen.say(f"{counted(done.chunks, 'transaction')} in {done.seconds:.1f} s{rate}")
    if dry_run:
        screen.say("dry run: everything was rolled back")
    screen.say(f"plan {done.plan_hash}")


def document(done: Published, *, dry_run: bool) -> dict[str, Any]:
    """What publishing did as JSON."""
    return {"dry_run": dry_run, **to_builtins(done), "rows": done.rows, "refused": list(done.refused)}


def _refused(screen: Screen, done: Published) -> None:
    if not done.refused:
        return
    more = f" and {len(done.refused) - MOST_REFUSED:,} more" if len(done.refused) > MOST_REFUSED else ""
    named = " ".join(done.refused[:MOST_REFUSED])
    screen.warn(f"stager: the tenant's database refused {counted(len(done.refused), 'row')}: {named}{more}")
    screen.warn("  → stager findings --code publish.refused")
