"""Looking at the rows in scope: their references, the persons meant, the links and findings that follow."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from stager.reconcile.people import BlindIndex, gather_people
from stager.reconcile.references import (
    Digester,
    distinct_references,
    gather_references,
    judge_references,
    link_rows,
)
from stager.reconcile.scope import NEAR, Scope, find_near
from stager.reconcile.wanted import want_of_links, want_repeats
from stager.staging import Staging


def look_at(
    staging: Staging,
    scope: Scope,
    digester: Digester,
    index: BlindIndex | None,
    fresh: pl.DataFrame | None,
    progress: Callable[[str], None],
) -> bool:
    """Fill `new_link`, `lost_link`, `new_finding` and `gone_finding`; whether there are links to tell.

    index, fresh: as `reconcile.look` has them.
    """
    progress("gathering references")
    staging.run("start_wanted_findings")
    linking = gather_references(staging, scope.among("cells")) > 0 or scope.people
    if linking:
        references = distinct_references(staging, digester)
        progress("finding persons")
        near = find_near(staging, scope, references)
        gather_people(staging, index, references, fresh, among=near)
        judge_references(staging, references)
        progress("linking rows")
        link_rows(staging, scope.among("row_state"))
        progress("checking rows")
        if near == NEAR and staging.rows("unresolved_references"):  # anybody may be suggested
            gather_people(staging, index, references)
        want_of_links(staging, digester, people=scope.people)
    want_repeats(staging, scope)
    staging.run("new_findings", last=staging.one("last_finding"))
    staging.run("gone_findings")
    return linking
