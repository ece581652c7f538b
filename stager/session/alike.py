"""Several findings at once: which decisions every one of them takes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import polars as pl

from stager.decisions import Choice, Decision, Finding
from stager.decisions.fitting import require_fit, require_open
from stager.errors import UsageError
from stager.session.evidence import NEEDS
from stager.session.meanings import way_words
from stager.session.review_views import Way
from stager.sheets import Code
from stager.staging import Staging


def common_ways(staging: Staging, findings: Sequence[Finding]) -> tuple[Way, ...]:
    """The decisions that each of these findings takes now, before a person or a value is named.

    Put in the words of their code where they share one.
    """
    if not findings:
        return ()
    codes = {finding.code for finding in findings}
    frame = pl.DataFrame({"finding_id": [finding.finding_id for finding in findings]})
    found = []
    with staging.lent(chosen_finding=frame):
        for decision in Decision:
            with suppress(UsageError):
                for finding in findings:
                    require_fit(finding, Choice(decision))
                require_open(staging, findings, Choice(decision))
                words = way_words(decision, Code(findings[0].code) if len(codes) == 1 else None)
                found.append(Way(decision, words, NEEDS.get(decision), reason_required=False))
    return tuple(found)
