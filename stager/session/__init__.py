"""The session: wiring, and one method for each thing that a person may do with stager.

A name is looked up when it is first asked for (PEP 562): some of them bring the stages' libraries, and a
command that needs no stage should not wait for those.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stager.late import looked_up
from stager.session.settings import DEFAULT_STAGING, Progress, Settings, silent

if TYPE_CHECKING:
    from stager.approvals import Approval, Plan
    from stager.decisions import Choice, Decision, Finding
    from stager.publish.publishing import Published
    from stager.session.reading import Filter
    from stager.session.reporting import Format
    from stager.session.reviewing import holder
    from stager.session.session import Session
    from stager.session.told import Intake

__all__ = [
    "DEFAULT_STAGING",
    "Approval",
    "Choice",
    "Decision",
    "Filter",
    "Finding",
    "Format",
    "Intake",
    "Plan",
    "Progress",
    "Published",
    "Session",
    "Settings",
    "holder",
    "silent",
]

__getattr__ = looked_up(
    __name__,
    {
        "Approval": "stager.approvals",
        "Choice": "stager.decisions",
        "Decision": "stager.decisions",
        "Filter": "stager.session.reading",
        "Finding": "stager.decisions",
        "Format": "stager.session.reporting",
        "Intake": "stager.session.told",
        "Plan": "stager.approvals",
        "Published": "stager.publish.publishing",
        "Session": "stager.session.session",
        "holder": "stager.session.reviewing",
    },
)
