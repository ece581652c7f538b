"""The session: wiring, and one method for each thing that a person may do with stager."""

from stager.approvals import Approval, Plan
from stager.decisions import Choice, Decision, Finding
from stager.publish.publishing import Published
from stager.session.intake import Intake
from stager.session.reading import Filter
from stager.session.reporting import Format
from stager.session.reviewing import holder
from stager.session.session import Session
from stager.session.settings import DEFAULT_STAGING, Progress, Settings, silent

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
