"""What an approval would sign now, and what it would leave. Nothing is written."""

from __future__ import annotations

from stager.account import account, require_balance
from stager.approvals import prospect
from stager.errors import IntegrityFailed, StagerError
from stager.session.review_views import Signing
from stager.sheets import State
from stager.staging import Staging

_SIGNED = (State.APPROVED, State.PUBLISHED)


def signing(staging: Staging, sheet: str | None = None) -> Signing:
    """See `Session.signing`; sheet: of one sheet only."""
    found = prospect(staging, sheet)
    left = {
        state.value: sum(each.states[state.value] for each in account(staging))
        for state in State
        if state not in _SIGNED
    }
    left[State.READY.value] -= sum(found.rows.values())
    return Signing(
        rows=found.rows,
        plan=found.plan.hash,
        planned=found.plan.rows,
        left={state: count for state, count in left.items() if count},
        codes=dict(staging.rows("open_findings_by_code")),
        blocked=_told(_unbalanced(staging) or found.refusal),
    )


def _unbalanced(staging: Staging) -> IntegrityFailed | None:
    try:
        require_balance(staging)
    except IntegrityFailed as failed:
        return failed
    return None


def _told(refusal: StagerError | None) -> str | None:
    return f"{refusal} → {refusal.hint}" if refusal else None
