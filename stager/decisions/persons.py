"""Naming a person in a decision: who can be named, and the veto of two different NHS numbers."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import polars as pl

from stager.decisions.choices import BlindIndex, Choice, Decision, Finding, misfit
from stager.errors import StagerError, Unavailable, UsageError
from stager.records import rows_frame, slices, valid_numbers
from stager.sheets import PATIENTS, SHEET, Code
from stager.staging import Staging

_TENANT = "tenant:"
"""What the place of one of the tenant's own people begins with."""

MOST_MERGED = 8
"""Records that may become one person; beyond it a chain of likenesses is likelier than a person."""


class NamedNumbers:
    """The valid NHS numbers that persons' records, and the rows that belong to them, name; read at once.

    referred: those by which the rows of the findings `referring` name their patient.
    """

    def __init__(self, staging: Staging, places: Collection[str], referring: Sequence[Finding] = ()) -> None:
        self.referred = _referred_to(staging, referring)
        self._of: dict[str, set[str]] = {place: set() for place in places}
        own = {_row(place): place for place in places if not place.startswith(_TENANT)}
        for row, digits in valid_numbers(staging, PATIENTS, "nhs_number", own).items():
            self._of[own[row]].add(digits)
        people = pl.DataFrame(
            {"target_id": [place.removeprefix(_TENANT) for place in places if place.startswith(_TENANT)]},
            schema={"target_id": pl.String},
        )
        with staging.lent(named_row=rows_frame(own), named_person=people):
            linked = staging.rows("rows_linked_to")
        for sheet in {sheet for _, sheet, _, _ in linked}:
            theirs = {(source, row): place for place, name, source, row in linked if name == sheet}
            for row, digits in valid_numbers(staging, SHEET[sheet], "patient_ref", theirs).items():
                self._of[theirs[row]].add(digits)

    def of(self, places: Collection[str]) -> set[str]:
        """All that these persons' records and rows name."""
        return set().union(*(self._of[place] for place in places))


def vetoes(
    staging: Staging, finding: Finding, decision: Decision, targets: Sequence[str], index: BlindIndex | None
) -> dict[str, StagerError]:
    """Those of the persons whom this decision may not name, and why: as it would be refused.

    Where the tenant's keys cannot be had, without which its people cannot be told apart, that is why.
    """
    with_them = {place for target in targets for place in _with_merged(staging, target)}
    referring = [finding] if decision is Decision.LINK else []
    numbers = NamedNumbers(staging, {f"{finding.source_id}:{finding.row_no}", *with_them}, referring)
    refused: dict[str, StagerError] = {}
    for target in targets:
        try:
            require_person(staging, [finding], Choice(decision, target=target), index, numbers)
        except (UsageError, Unavailable) as refusal:
            refused[target] = refusal
    return refused


def require_person(
    staging: Staging,
    findings: Sequence[Finding],
    choice: Choice,
    index: BlindIndex | None,
    numbers: NamedNumbers | None = None,
) -> None:
    """UsageError unless these findings' rows may be linked to, or merged into, the person that is named.

    numbers: read already, of that person and of everyone else concerned.
    """
    if not choice.target:
        raise misfit(
            findings[0], "no person is named", "name one by LegacyPatientID, row:SOURCE:ROW or tenant:ID"
        )
    if not staging.one("place_stands", place=choice.target):
        raise misfit(
            findings[0], "the person named is not there, or is excluded", "stager rows --sheet patients"
        )
    if choice.decision is Decision.LINK:
        _require_linkable(staging, findings, choice.target, index, numbers)
    else:
        _require_mergeable(staging, findings, choice.target, index, numbers)


def _require_linkable(
    staging: Staging,
    findings: Sequence[Finding],
    target: str,
    index: BlindIndex | None,
    numbers: NamedNumbers | None,
) -> None:
    patients = [finding for finding in findings if Code(finding.code) is not Code.PRACTITIONER_UNRESOLVED]
    if len(patients) < len(findings) and _role(staging, target) == PATIENTS.column("role").default:
        doctor = next(each for each in findings if each not in patients)
        raise misfit(doctor, "the person named is a patient, no practitioner", "stager rows --sheet patients")
    if patients:
        group = _with_merged(staging, target)
        named = numbers or NamedNumbers(staging, group, patients)
        _require_one_number(staging, patients[0], group, index, named.of(group) | named.referred)


def _require_mergeable(
    staging: Staging,
    findings: Sequence[Finding],
    target: str,
    index: BlindIndex | None,
    numbers: NamedNumbers | None,
) -> None:
    own = {f"{finding.source_id}:{finding.row_no}": finding for finding in findings}
    if target in own:
        raise misfit(own[target], "a row cannot be merged into itself", "name the other row")
    group = {*own, *_with_merged(staging, target)}
    if len(group) > MOST_MERGED:
        raise misfit(
            findings[0], f"more than {MOST_MERGED} records would become one person", "look at them singly"
        )
    for place, finding in own.items():
        if staging.rows("merged_into", place=place):
            raise misfit(finding, "other rows are merged into this one", "undo that first, then merge each")
    named = (numbers or NamedNumbers(staging, group)).of(group)
    _require_one_number(staging, findings[0], group, index, named)


def _require_one_number(
    staging: Staging, about: Finding, places: Collection[str], index: BlindIndex | None, digits: set[str]
) -> None:
    """The veto: these records, the rows that belong to them and those to be linked name one NHS number.

    The tenant's own people are known by blind index alone, so beside them numbers are compared as indexes.
    """
    theirs = {bytes(row[0]) for row in staging.rows("indexes_of", places=list(places))}
    ours = index(sorted(digits)) if index and theirs else [each.encode() for each in digits]
    if len(theirs.union(ours)) > 1:
        raise misfit(
            about, "the two have different valid NHS numbers, so they are two people", "see both records"
        )


def _with_merged(staging: Staging, target: str) -> set[str]:
    return {target, *(row[0] for row in staging.rows("merged_into", place=target))}


def _referred_to(staging: Staging, findings: Sequence[Finding]) -> set[str]:
    """The valid NHS numbers by which these findings' rows name their patient."""
    return {
        digits
        for sheet in {finding.sheet for finding in findings}
        for digits in valid_numbers(
            staging, SHEET[sheet], "patient_ref", {each.place for each in findings if each.sheet == sheet}
        ).values()
    }


def _row(place: str) -> tuple[int, int]:
    source_id, _, row_no = place.partition(":")
    return int(source_id), int(row_no)


def _role(staging: Staging, place: str) -> str:
    default = PATIENTS.column("role").default or ""
    if place.startswith("tenant:"):
        return str(staging.one("role_of", target_id=place.removeprefix("tenant:")) or default)
    source_id, row_no = (int(part) for part in place.split(":"))
    with staging.lent(role_row=rows_frame([(source_id, row_no)])):
        part = next(slices(staging, PATIENTS, fields=["role"], among="role_row"))
    return str(part.normalised(["role"]).values["role"][0] or default)
