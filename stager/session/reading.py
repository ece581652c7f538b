"""Reading a migration: its status, rows, findings, and one row's story. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from stager import sql
from stager.account import account
from stager.approvals import reconcile_due
from stager.decisions import Finding
from stager.errors import UsageError
from stager.event_log import last_seal
from stager.projections import as_of, standing
from stager.row_ids import row_id
from stager.session.views import Moment, RowLine, Status, iso
from stager.sheets import PATIENTS, SHEET, State
from stager.staging import Staging
from stager.wording import counted

_NONE: Mapping[str, str] = {}


class Filter(Struct, frozen=True):
    """Which findings are meant; every part that is given must hold. same_as: a finding's number."""

    ids: tuple[int, ...] = ()
    code: str | None = None
    sheet: str | None = None
    field: str | None = None
    rule: str | None = None
    row: int | None = None
    same_as: int | None = None
    state: str | None = "open"


def status(staging: Staging) -> Status:
    """The migration at a glance."""
    sheets = account(staging)
    findings = dict(staging.rows("open_findings_by_code"))
    seal = last_seal(staging)
    states = {state.value: sum(sheet.states[state.value] for sheet in sheets) for state in State}
    step, why = _next_step(staging, states, findings, has_sheets=any(sheet.files for sheet in sheets))
    return Status(
        migration_id=staging.migration_id,
        tenant=standing(staging, "tenant"),
        synthetic=standing(staging, "synthetic") is not None,
        events=staging.one("event_head"),
        seals=seal.seal_no if seal else 0,
        root=seal.root.hex() if seal else "",
        sheets=sheets,
        findings=findings,
        next_step=step,
        why_next=why,
    )


def status_as_of(staging: Staging, seq: int) -> Status:
    """The migration as it stood after that event."""
    with as_of(staging, seq):
        found = status(staging)
    _, last, at = staging.rows("command_of_event", seq=seq)[0]
    return replace(found, moment=Moment(seq, iso(at), last or seq))


def _next_step(
    staging: Staging, states: dict[str, int], findings: dict[str, int], *, has_sheets: bool
) -> tuple[str, str]:
    slug = standing(staging, "tenant")
    to = f" -t {slug or 'SLUG'}"
    which = "" if slug else "; stager tenant list shows the tenants"
    if not has_sheets:
        return "stager ingest FILE…", "no file has been taken in yet"
    if reconcile_due(staging):
        return f"stager reconcile{to}", f"rows came or changed since rows were last linked{which}"
    if ready := states["ready"]:
        return "stager approve", f"{counted(ready, 'row is', 'rows are')} ready"
    if approved := states["approved"]:
        return f"stager publish{to}", f"{counted(approved, 'row is', 'rows are')} approved{which}"
    if findings:
        count = sum(findings.values())
        return "stager findings", f"{counted(count, 'finding is', 'findings are')} open"
    return "stager rows", "every row is published, excluded or waiting"


def rows(
    staging: Staging, *, sheet: str | None = None, state: str | None = None, code: str | None = None
) -> Iterator[RowLine]:
    """The rows in the order of sheets, files and rows, as they stand; read in batches."""
    slug = standing(staging, "tenant")
    conditions = [
        *(["row_state.sheet = $sheet"] if sheet else []),
        *(["row_state.state = $state"] if state else []),
        *(["list_contains(codes, $code)"] if code else []),
    ]
    given = {"sheet": sheet, "state": state, "code": code}
    places = {"conditions": " and ".join(conditions) or "true"}
    parameters: dict[str, Any] = {name: value for name, value in given.items() if value}
    for batch in staging.batches("rows_as_they_stand", places, **parameters):
        for row in batch.to_pylist():
            yield _row_line(row, slug)


def rows_as_of(staging: Staging, seq: int, **wanted: Any) -> Iterator[RowLine]:
    """The rows as they stood after that event; `wanted` as of `rows`."""
    with as_of(staging, seq):
        yield from rows(staging, **wanted)


def _row_line(row: dict[str, Any], slug: str | None) -> RowLine:
    target = row["target_id"]
    if target is None and row["state"] == State.PUBLISHED.value and slug:
        target = str(row_id(slug, row["sheet"], row["sha256"], row["row_no"]))
    return RowLine(
        sheet=row["sheet"],
        file=row["file_name"],
        row=row["row_no"],
        line=row["line"],
        state=row["state"],
        codes=tuple(row["codes"]),
        patient=row["patient"],
        via=row["via"] if row["patient"] is not None else None,
        target_id=target,
    )


def findings(staging: Staging, wanted: Filter) -> list[Finding]:
    """The findings meant, in the order of their numbers. UsageError where a number is not known."""
    conditions, parameters = _conditions(staging, wanted)
    found = [Finding(*row) for row in staging.rows("findings", {"conditions": conditions}, **parameters)]
    missing = set(wanted.ids) - {finding.finding_id for finding in found}
    if missing:
        raise UsageError(
            f"there is no {wanted.state or ''} finding {min(missing)}".replace("  ", " "),
            hint="stager findings lists those that are open",
        )
    return found


def count_alike(staging: Staging, finding: Finding) -> int:
    """How many open findings have the very same problem, this one included where it is open."""
    conditions, parameters = _conditions(staging, Filter(same_as=finding.finding_id))
    return int(staging.one("count_findings", {"conditions": conditions}, **parameters))


def person_of(staging: Staging, finding: Finding) -> str | None:
    """The place of the person whose row it is; None for a row that is linked to nobody."""
    if finding.sheet == PATIENTS.name:
        return f"{finding.source_id}:{finding.row_no}"
    found = staging.one("patient_of_row", source_id=finding.source_id, row_no=finding.row_no)
    return None if found is None else str(found)


def _conditions(staging: Staging, wanted: Filter) -> tuple[str, dict[str, Any]]:
    parts: list[str] = []
    parameters: dict[str, Any] = {}
    for name, column in (
        ("code", "code"),
        ("field", "field"),
        ("rule", "rule"),
        ("row", "row_no"),
        ("sheet", "sheet"),
    ):
        value = getattr(wanted, name)
        if value is not None:
            parts.append(f"finding.{sql.identifier(column)} = ${name}")
            parameters[name] = value
    if wanted.state is not None:
        parts.append("finding.state = $state")
        parameters["state"] = wanted.state
    if wanted.state == "open":
        parts.append("row_state.state <> 'excluded'")
    if wanted.ids:
        parts.append("list_contains($ids, finding.finding_id)")
        parameters["ids"] = list(wanted.ids)
    if wanted.same_as is not None:
        like = findings(staging, Filter(ids=(wanted.same_as,), state=None))[0]
        parts.append(
            "finding.sheet = $like_sheet and finding.code = $like_code and finding.subject = $like_subject"
            " and finding.field is not distinct from $like_field"
        )
        parameters |= {
            "like_sheet": like.sheet,
            "like_code": like.code,
            "like_subject": like.subject,
            "like_field": like.field,
        }
    return " and ".join(parts) or "true", parameters


def find_row(staging: Staging, sheet: str, row: str) -> tuple[int, int]:
    """A row named "17" (the sheet's only file) or "2:17" (source 2) → source_id, row_no."""
    if sheet not in SHEET:
        raise UsageError(f"there is no sheet {sheet}", hint="the sheets are " + ", ".join(SHEET))
    sources = [source_id for source_id, _, _ in staging.rows("columns_of_sources", sheet=sheet)]
    source, _, number = row.rpartition(":")
    if not number.isascii() or not number.isdecimal() or (source and not source.isdecimal()):
        raise UsageError(
            "a row is named by its number, or SOURCE:NUMBER", hint="stager rows shows the numbers"
        )
    if not source and len(sources) != 1:
        known = ", ".join(f"{each}:{number}" for each in sources)
        raise UsageError(
            f"the {sheet} sheet has {len(sources)} files", hint=f"say which: {known or 'none is staged'}"
        )
    return int(source) if source else sources[0], int(number)


def place_of(staging: Staging, person: str) -> str:
    """A person named by LegacyPatientID, row:NUMBER, row:SOURCE:NUMBER or tenant:ID → their place."""
    if person.startswith("tenant:"):
        return person
    if person.startswith("row:"):
        source_id, row_no = find_row(staging, PATIENTS.name, person.removeprefix("row:"))
        return f"{source_id}:{row_no}"
    found = [row[0] for row in staging.rows("places_of_legacy_id", legacy_id=person.strip())]
    if len(found) != 1:
        many = (
            f"{len(found)} patients have that LegacyPatientID"
            if found
            else "no patient has that LegacyPatientID"
        )
        raise UsageError(many, hint="name the person by row:NUMBER of the patients sheet, or tenant:ID")
    return str(found[0])


def find_target(
    staging: Staging, target_id: str, table: str | None = None, sheets: Mapping[str, str] = _NONE
) -> tuple[int, int]:
    """A published row by its id in the tenant's database → source_id, row_no.

    table: the tenant's table, which tells ids apart that several tables' sequences gave. sheets: each of
    the tenant's tables → the sheet whose rows it takes. UsageError for an unknown table or id.
    """
    drawn = {
        str(its_table): (int(source_id), int(row_no))
        for source_id, row_no, its_table in staging.rows("row_of_target", target_id=target_id)
    }
    if table in drawn:
        return drawn[table]
    if table is not None and table not in sheets:
        raise UsageError(f"there is no table {table}", hint=f"the tables are {', '.join(sheets)}")
    computed = _computed_place(staging, target_id)
    tables = [*drawn, *(name for name, sheet in sheets.items() if computed and sheet == computed[0])]
    if table is not None and tables and table not in tables:
        raise UsageError(f"that row is not in {table}", hint=f"it is of {' or '.join(tables)}")
    if computed:
        return computed[1:]
    if drawn and table is None:
        return next(iter(drawn.values()))
    raise UsageError(
        "no row of this migration has that id", hint="stager rows --state published shows the ids"
    )


def _computed_place(staging: Staging, target_id: str) -> tuple[str, int, int] | None:
    """The row whose computed id this is: its sheet, source_id and row_no."""
    slug, row_no = standing(staging, "tenant"), _row_no_in(target_id)
    if not slug or not row_no:
        return None
    for source_id, sheet, sha256, last in staging.rows("sources_with_rows"):
        if row_no <= last and str(row_id(slug, sheet, sha256, row_no)) == target_id.lower():
            return sheet, source_id, row_no
    return None


def _row_no_in(target_id: str) -> int | None:
    digits = target_id.replace("-", "")
    try:
        return int(digits[8:12] + digits[13:16], 16)
    except ValueError:
        return None
