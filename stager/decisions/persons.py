"""Naming a person in a decision: who can be named, and the veto of two different NHS numbers."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from stager.decisions.choices import BlindIndex, Choice, Decision, Finding, misfit
from stager.records import rows_frame, slices, valid_numbers
from stager.sheets import PATIENTS, SHEET, Code
from stager.staging import Staging

Rows = Collection[tuple[str, int, int]]
"""Rows as sheet, source_id, row_no."""

MOST_MERGED = 8
"""Records that may become one person; beyond it a chain of likenesses is likelier than a person."""


def require_person(
    staging: Staging, findings: Sequence[Finding], choice: Choice, index: BlindIndex | None
) -> None:
    """UsageError unless these findings' rows may be linked to, or merged into, the person that is named."""
    if not choice.target:
        raise misfit(
            findings[0], "no person is named", "name one by LegacyPatientID, row:SOURCE:ROW or tenant:ID"
        )
    if not staging.one("place_stands", place=choice.target):
        raise misfit(
            findings[0], "the person named is not there, or is excluded", "stager rows --sheet patients"
        )
    if choice.decision is Decision.LINK:
        _require_linkable(staging, findings, choice.target, index)
    else:
        _require_mergeable(staging, findings, choice.target, index)


def _require_linkable(
    staging: Staging, findings: Sequence[Finding], target: str, index: BlindIndex | None
) -> None:
    patients = [finding for finding in findings if Code(finding.code) is not Code.PRACTITIONER_UNRESOLVED]
    if len(patients) < len(findings) and _role(staging, target) == PATIENTS.column("role").default:
        doctor = next(each for each in findings if each not in patients)
        raise misfit(doctor, "the person named is a patient, no practitioner", "stager rows --sheet patients")
    if patients:
        group = {target, *(row[0] for row in staging.rows("merged_into", place=target))}
        linked = [(each.sheet, *each.place) for each in patients]
        _require_one_number(staging, patients[0], group, index, linked)


def _require_mergeable(
    staging: Staging, findings: Sequence[Finding], target: str, index: BlindIndex | None
) -> None:
    own = {f"{finding.source_id}:{finding.row_no}": finding for finding in findings}
    if target in own:
        raise misfit(own[target], "a row cannot be merged into itself", "name the other row")
    group = {*own, target, *(row[0] for row in staging.rows("merged_into", place=target))}
    if len(group) > MOST_MERGED:
        raise misfit(
            findings[0], f"more than {MOST_MERGED} records would become one person", "look at them singly"
        )
    for place, finding in own.items():
        if staging.rows("merged_into", place=place):
            raise misfit(finding, "other rows are merged into this one", "undo that first, then merge each")
    _require_one_number(staging, findings[0], group, index, ())


def _require_one_number(
    staging: Staging, about: Finding, places: Collection[str], index: BlindIndex | None, linked: Rows
) -> None:
    """The veto: these records, the rows that belong to them and those to be linked name one NHS number.

    The tenant's own people are known by blind index alone, so beside them numbers are compared as indexes.
    """
    digits = _numbers_named(staging, places, linked)
    theirs = {bytes(row[0]) for row in staging.rows("indexes_of", places=list(places))}
    ours = index(sorted(digits)) if index and theirs else [each.encode() for each in digits]
    if len(theirs.union(ours)) > 1:
        raise misfit(
            about, "the two have different valid NHS numbers, so they are two people", "see both records"
        )


def _numbers_named(staging: Staging, places: Collection[str], linked: Rows) -> set[str]:
    staged = [place.split(":") for place in places if not place.startswith("tenant:")]
    own = [(int(source_id), int(row_no)) for source_id, row_no in staged]
    digits = valid_numbers(staging, PATIENTS, "nhs_number", own)
    rows = {*linked, *staging.rows("rows_linked_to", places=list(places))}
    for sheet in {sheet for sheet, _, _ in rows}:
        referring = [(source_id, row_no) for name, source_id, row_no in rows if name == sheet]
        digits |= valid_numbers(staging, SHEET[sheet], "patient_ref", referring)
    return digits


def _role(staging: Staging, place: str) -> str:
    default = PATIENTS.column("role").default or ""
    if place.startswith("tenant:"):
        return str(staging.one("role_of", target_id=place.removeprefix("tenant:")) or default)
    source_id, row_no = (int(part) for part in place.split(":"))
    with staging.lent(role_row=rows_frame([(source_id, row_no)])):
        part = next(slices(staging, PATIENTS, fields=["role"], among="role_row"))
    return str(part.normalised(["role"]).values["role"][0] or default)
