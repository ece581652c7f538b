"""Making the report: what the staging file says, with what is known beside it, in the form asked for."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from pathlib import Path

from stager.crypto import kek, keystore, places
from stager.crypto.keyset import Keyset
from stager.errors import KeyUnavailable, StagingUnavailable, TenantUnavailable, UsageError
from stager.projections import as_of, standing
from stager.report import Beside, Report, Target, TargetKey, as_html, as_json, as_tables, build
from stager.session.tenants import Doors
from stager.session.workspace import Workspace
from stager.verify import Proofs


class Format(Enum):
    """The forms of a report."""

    HTML = "html"
    JSON = "json"
    CSV = "csv"


_NAMES = {Format.HTML: "report.html", Format.JSON: "report.json", Format.CSV: "report"}
_MARKS = {
    "report.html": b'<!doctype html>\n<html lang="en-GB">\n<head>\n<meta charset="utf-8">\n'
    b'<meta name="generator" content="stager report">',
    "report.json": b'{\n "format": "stager/report/',
}
"""How our own files begin: only they are written over."""


def make_report(workspace: Workspace, doors: Doors, *, at: int | None, patient: str | None) -> Report:
    """The report as it stands, or as of an event; with one person's evidence where they are named."""
    if patient is not None and at is not None:
        raise UsageError("one person's proofs are over the whole log", hint="leave out --at or --patient")
    staging = workspace.staging
    if staging.one("event_head") == 0:
        raise UsageError("nothing has happened yet that could be reported", hint="stager ingest FILE…")
    proofs = Proofs(staging, workspace.signer)
    beside = Beside(
        made_at=workspace.settings.clock(),
        public_key=str(proofs.key),
        target=_target(workspace, doors) if at is None else None,
        past=at is not None,
        person=proofs.of_person(patient).document if patient is not None else None,
    )
    with as_of(staging, at):
        return build(staging, beside)


def files_of(report: Report, form: Format) -> dict[str, bytes]:
    """The report in one form, file by file."""
    if form is Format.CSV:
        return as_tables(report)
    return {_NAMES[form]: as_html(report) if form is Format.HTML else as_json(report)}


def members_of(report: Report) -> dict[str, bytes]:
    """The report in all forms, as further members of the auditor's pack."""
    files = {name: content for form in Format for name, content in files_of(report, form).items()}
    return {f"report/{name}": content for name, content in files.items()}


def write_report(files: Mapping[str, bytes], form: Format, out: Path | None, cwd: Path) -> list[Path]:
    """Write the files for their owner's eyes: CSV into a folder, else one file; their paths.

    UsageError: a file that is there is no report of stager. StagingUnavailable: it cannot be written.
    """
    target = cwd / (out or _NAMES[form])
    try:
        if form is Format.CSV:
            target.mkdir(parents=True, exist_ok=True, mode=0o700)
            paths = {target / name: content for name, content in files.items()}
        else:
            paths = dict.fromkeys([target], next(iter(files.values())))
        for path, content in paths.items():
            _require_ours(path, content)
        for path, content in paths.items():
            places.replace(path, content)
    except (OSError, KeyUnavailable) as error:
        what = error.strerror if isinstance(error, OSError) else str(error)
        raise StagingUnavailable(
            f"{target} cannot be written: {what}", hint="name another place with --out"
        ) from None
    return list(paths)


def _require_ours(path: Path, content: bytes) -> None:
    """What is written over must be an earlier report: one that begins as this one does."""
    if not path.exists():
        return
    mark = next((mark for mark in _MARKS.values() if content.startswith(mark)), content.split(b"\r\n")[0])
    with path.open("rb") as file:
        if file.read(len(mark)) != mark:
            raise UsageError(f"{path} is there already and no report", hint="name another place with --out")


def _target(workspace: Workspace, doors: Doors) -> Target | None:
    """The tenant as it is registered; None where it is not, or its settings cannot be read."""
    slug = standing(workspace.staging, "tenant")
    if slug is None:
        return None
    try:
        if doors.known(slug) is None:
            return None
        profile = doors.profile(slug)
        keys = _keyset(workspace, doors, slug)
    except (TenantUnavailable, KeyUnavailable, UsageError):
        return None
    described = keys.describe() if keys else ()
    return Target(
        slug,
        profile.name,
        profile.digest(),
        tuple(
            TargetKey(each.id, each.created.strftime("%Y-%m-%dT%H:%M:%SZ"), each.primary)
            for each in described
        ),
    )


def _keyset(workspace: Workspace, doors: Doors, slug: str) -> Keyset | None:
    """The tenant's keyset where it has one; a report makes no keys."""
    if not (doors.keys / kek.TENANTS / f"{slug}.json").exists():
        return None
    return keystore.load(doors.keys, slug, kek.key_encryption_key(workspace.settings.environ))
