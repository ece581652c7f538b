"""Findings and decisions in the report: counts by code, by decision and person, by age; the bulk decisions.

How many findings are open is told twice, by code and by age, and how many are decided twice, too. So
each is a total that a reader knows, and small parts of it are hidden together with others.
"""

from __future__ import annotations

from itertools import groupby, pairwise
from typing import Any, TypeAlias

from stager.report.counts import SMALL, families_of_known, parts_of_known
from stager.report.model import Age, AgeBand, Bulk, DecisionCount, FindingCount
from stager.report.moments import moment
from stager.sheets import EXPLAINED, SHEETS, Code
from stager.staging import Staging

_DAY = 86_400_000_000
_BAND_EDGES = (0, 1, 7, 30, 90)
_ORDER = [sheet.name for sheet in SHEETS]


def finding_counts(staging: Staging) -> tuple[FindingCount, ...]:
    """Findings by sheet and code, in the order of the sheets."""
    rows = sorted(staging.rows("report_findings"), key=lambda row: (_ORDER.index(row[0]), row[1]))
    groups = _coded(staging)
    wholes, _ = families_of_known(_sizes(groups))
    decided = dict(zip(groups, wholes, strict=True))
    opened = parts_of_known([row[2] for row in rows])
    closed = parts_of_known([row[4] for row in rows])
    return tuple(
        FindingCount(sheet, code, EXPLAINED[Code(code)], opened[i], decided.get((sheet, code), 0), closed[i])
        for i, (sheet, code, *_) in enumerate(rows)
    )


def decision_counts(staging: Staging) -> tuple[DecisionCount, ...]:
    """Standing decisions by sheet, code, kind, person and whether a reason was given."""
    coded, plain = _coded(staging), _about_rows(staging)
    _, inner = families_of_known(_sizes(coded))
    counts = [*inner, *(parts_of_known(family) for family in _sizes(plain))]
    return tuple(
        DecisionCount(sheet, code, decision, actor, bool(given), count)
        for group, shown in zip([*coded.values(), *plain.values()], counts, strict=True)
        for (sheet, code, decision, actor, given, _), count in zip(group, shown, strict=True)
    )


_Groups: TypeAlias = dict[tuple[str, str | None], list[tuple[Any, ...]]]


def _coded(staging: Staging) -> _Groups:
    """The decisions about findings, by sheet and code."""
    return _grouped([row for row in staging.rows("report_decisions") if row[1] is not None])


def _about_rows(staging: Staging) -> _Groups:
    """The decisions about rows as such, by sheet."""
    return _grouped([row for row in staging.rows("report_decisions") if row[1] is None])


def _grouped(rows: list[tuple[Any, ...]]) -> _Groups:
    rows = sorted(rows, key=lambda row: (_ORDER.index(row[0]), row[1] or "", row[2:]))
    return {key: list(group) for key, group in groupby(rows, key=lambda row: (row[0], row[1]))}


def _sizes(groups: _Groups) -> list[list[int]]:
    return [[row[-1] for row in group] for group in groups.values()]


def bulk_decisions(staging: Staging) -> tuple[Bulk, ...]:
    """Decisions about so many findings or rows that their exact set points at nobody."""
    return tuple(
        Bulk(seq, moment(at) or "", actor, decision, count, findings, rows, bool(given), undone)
        for seq, at, actor, decision, count, findings, rows, given, undone in staging.rows(
            "report_bulk", least=SMALL
        )
    )


def age(staging: Staging, now: int) -> Age:
    """How long findings have been open. now: microseconds since 1970 UTC."""
    raised = staging.rows("report_ages")
    edges = [*_BAND_EDGES, None]
    counts = [
        sum(count for at, count in raised if _within((now - at) // _DAY, low or 0, high))
        for low, high in pairwise(edges)
    ]
    bands = tuple(
        AgeBand(low or 0, high, count)
        for (low, high), count in zip(pairwise(edges), parts_of_known(counts), strict=True)
    )
    oldest = raised[0][0] if raised else None
    days = None if oldest is None else max(0, (now - oldest) // _DAY)
    return Age(moment(oldest), days, bands)


def _within(days: int, low: int, high: int | None) -> bool:
    return max(0, days) >= low and (high is None or max(0, days) < high)
