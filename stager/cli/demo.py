"""`stager demo`: the whole way with a made-up practice, into an embedded PostgreSQL of its own.

The steps are the very calls that the commands make; each is printed first as it would be typed.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from msgspec import to_builtins
from msgspec.structs import replace

from stager.cli import intake, options, publishing, review, show_account, show_findings
from stager.cli.invocation import Invocation, invocation
from stager.errors import StagingUnavailable, TenantUnavailable, UsageError

if TYPE_CHECKING:
    from stager.session import Session

SLUG = "demo"
MOST_HELD = 8
_STAGING, _TENANTS = "staging.duckdb", "tenants.toml"
_MARK = "made-by-stager-demo"
_TENANTS_TEXT = f"""\
# Made by `stager demo`, and made anew by the next one.
[tenants.{SLUG}]
dsn = "embedded"
synthetic = true
"""


def add_to(app: typer.Typer) -> None:
    """Add this command to the program."""
    app.command(epilog=options.examples("stager demo", "stager demo --out practice/"))(demo)


def demo(
    context: typer.Context,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Its folder; else $XDG_DATA_HOME/stager/demo."),
    ] = None,
) -> None:
    """Go the whole way with a made-up practice.

    Ingest, reconcile, approve, publish: it has a folder, a staging file and a PostgreSQL of its own,
    and begins afresh each time.
    """
    from stager.session import Session, Settings

    given = invocation(context)
    _require_own_database()
    folder = _own_folder(Path.cwd() / out if out else _default_folder())
    files = _files_into(folder)
    _fresh_database()
    call = replace(given, staging=Path(_STAGING), tenants=Path(_TENANTS))
    with Session(Settings(call.staging, os.environ, folder, call.tenants)) as session:
        document = _walk(call, session, folder, files)
    call.screen.document(document)


def _walk(call: Invocation, session: Session, folder: Path, files: Sequence[Path]) -> dict[str, Any]:
    from stager.session import Intake

    typed = _Typed(call)
    typed(f"cd {shlex.quote(str(folder))}")
    typed(f"stager tenant init -t {SLUG}")
    made = session.init_tenant(SLUG)
    call.screen.tell(f"made {', '.join(made)}")
    typed(f"stager ingest {' '.join(map(str, files))} -t {SLUG}")
    intake.take_in(call, session, files, Intake(), SLUG, dry_run=False)
    typed(f"stager reconcile -t {SLUG}")
    intake.link(call, session, SLUG)
    typed("stager approve")
    granted = session.approve(actor=call.actor)
    review.approved(call, granted)
    typed(f"stager publish -t {SLUG} --plan {granted.plan.hash}")
    done = publishing.send(call, session, SLUG, plan=granted.plan.hash)
    typed("stager status")
    found = session.status()
    show_account.status(call.screen, found)
    typed("stager findings")
    _held(call, session)
    return {
        "folder": str(folder),
        "commands": typed.lines,
        "approved": to_builtins(granted),
        "published": {
            "rows": done.rows,
            "sheets": done.sheets,
            "tables": done.tables,
            "plan_hash": done.plan_hash,
        },
        "status": show_account.status_document(found),
    }


class _Typed:
    """The commands as they would be typed, printed and kept."""

    def __init__(self, call: Invocation) -> None:
        self._screen = call.screen
        self.lines: list[str] = []

    def __call__(self, line: str) -> None:
        if self.lines:
            self._screen.say()
        self.lines.append(line)
        self._screen.say(f"$ {line}", style="bold")


def _held(call: Invocation, session: Session) -> None:
    """Some of what is held, and how a person would go on."""
    from stager.session import Filter

    found = session.findings(Filter())
    suggested = [each for each in found if show_findings.suggestions(each)]
    shown = [*suggested, *(each for each in found if each not in suggested)][:MOST_HELD]
    show_findings.listed(call.screen, shown)
    call.screen.say(f"… {len(found) - len(shown):,} more" if len(found) > len(shown) else "")
    call.screen.say()
    call.screen.say("what a person would type next, in that folder:", style="bold")
    if suggested:
        call.screen.say(f"  stager decide {suggested[0].finding_id} --suggestion 1")
    for line in ("approve", f"publish -t {SLUG}", "rows --state held", "rejects", f"tenant stop -t {SLUG}"):
        call.screen.say(f"  stager {line}")


def _default_folder() -> Path:
    data = Path(os.environ.get("XDG_DATA_HOME", ""))
    if not data.is_absolute():
        data = Path.home() / ".local" / "share"
    return data / "stager" / "demo"


def _own_folder(folder: Path) -> Path:
    """The demo's folder, emptied of what an earlier demo made; UsageError where it is somebody else's."""
    mark = folder / _MARK
    try:
        if folder.exists() and not mark.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(
                f"{folder} is no folder of an earlier demo", hint="name an empty one with --out DIR"
            )
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name in (_STAGING, f"{_STAGING}.wal"):
            (folder / name).unlink(missing_ok=True)
        (folder / _TENANTS).write_text(_TENANTS_TEXT, encoding="utf-8")
        mark.touch()
    except OSError as error:
        raise StagingUnavailable(
            f"{folder} cannot be written: {error.strerror}", hint="name another with --out"
        ) from None
    return folder


def _files_into(folder: Path) -> list[Path]:
    """The made-up practice's files, copied into the folder; their names there."""
    import sample_data

    files = sample_data.practice_files()
    for path in files.values():
        shutil.copyfile(path, folder / path.name)
    return [Path(path.name) for path in files.values()]


def _require_own_database() -> None:
    """TenantUnavailable, before anything is changed, where a tenant of the person's own is called so, too."""
    from stager.tenant import embedded

    folder = embedded.data_folder(os.environ, SLUG)
    if (folder / "data").exists() and not (folder / _MARK).exists():
        raise TenantUnavailable(
            f"the database in {folder} is not the demo's: a tenant of yours is called {SLUG}, too",
            hint="give that tenant another slug, or set XDG_DATA_HOME to another folder",
        )


def _fresh_database() -> None:
    """Remove the embedded server that an earlier demo made, and start another."""
    from stager.tenant import embedded

    folder = embedded.data_folder(os.environ, SLUG)
    if (folder / "data").exists():
        embedded.Server(folder).stop()
        shutil.rmtree(folder)
    embedded.start(folder)
    (folder / _MARK).touch()
