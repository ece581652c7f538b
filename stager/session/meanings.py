"""What rules, findings and decisions mean, in words for the person who decides."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from stager.decisions import Decision, Finding
from stager.ingest.grammar import Reason
from stager.publish.refusals import UNWRITABLE
from stager.sheets import PATIENTS, Code
from stager.values import VERDICTS

_MALFORMED: Mapping[str, str] = MappingProxyType(
    {
        Reason.ENCODING: "its bytes are no text in the file's encoding",
        Reason.NUL: "it holds a NUL character",
        Reason.TOO_LONG: "one of its cells is over 1 MiB",
        Reason.TOO_FEW_FIELDS: "fewer cells than the header; often a line break outside quotes",
        Reason.TOO_MANY_FIELDS: "more cells than the header; often a delimiter outside quotes",
        Reason.BARE_CR: "a CR outside quotes in a file whose lines end in LF or CRLF",
        Reason.BARE_LF: "an LF outside quotes in a file whose lines end in CR",
        Reason.QUOTE: "a quote that is not closed, not doubled, or in the middle of an unquoted cell",
    }
)

_RULES: Mapping[tuple[Code, str], str] = MappingProxyType(
    {
        (Code.VALUE_SUSPECT, "before_birth"): "the date is before the birth of the patient it is linked to",
        (Code.LINK_UNRESOLVED, ""): "nobody has it as LegacyPatientID, NHS number or email address",
        (Code.LINK_UNRESOLVED, "replaced"): "the record it was linked to has gone into another one since",
        (Code.PRACTITIONER_UNRESOLVED, "link.unresolved"): "no member of staff has it as "
        "LegacyPatientID or email address",
        (Code.PRACTITIONER_UNRESOLVED, "link.ambiguous"): "two or more members of staff have it",
        (
            Code.PRACTITIONER_UNRESOLVED,
            "link.conflict",
        ): "its keys find different members of staff",
        (Code.ROW_REPEATED, "fingerprint"): "every cell is the same as in an earlier record of the sheet",
        (Code.ROW_REPEATED, "corrects_unknown"): "it corrects a record that is not known here",
        (Code.ROW_REPEATED, "corrects_published"): "it corrects a record that is published already",
        (Code.ROW_REPEATED, "corrects_excluded"): "it corrects a record that is excluded",
        (Code.PATIENT_ID_SHARED, "legacy_id"): "the LegacyPatientID must be unique in the practice",
        (Code.PATIENT_DUPLICATE, "nhs_number"): "a valid NHS number is one person's, and both have it",
        (Code.PATIENT_DUPLICATE, "name_and_birth"): "the names and birth dates agree, and no two NHS numbers "
        "tell them apart",
        (Code.PATIENT_EMAIL_SHARED, "email"): "the address becomes a username, which is one person's",
    }
)

WAYS: Mapping[Decision, str] = MappingProxyType(
    {
        Decision.LINK: "say whose row it is",
        Decision.ACCEPT: "let the value stand as it is",
        Decision.CORRECT: "write what it should be; what came is kept beside it",
        Decision.BLANK: "leave the cell empty",
        Decision.RELEASE: "go on without a practitioner",
        Decision.KEEP_BOTH: "they are two people: keep both",
        Decision.MERGE: "they are one person: this record goes into the other, and its rows with it",
        Decision.EXCLUDE: "leave the row out: it will not be published",
        Decision.PUT_BACK: "take the row back in",
    }
)

_OWN_WAYS: Mapping[tuple[Decision, Code], str] = MappingProxyType(
    {
        (Decision.LINK, Code.PRACTITIONER_UNRESOLVED): "say who the practitioner is",
        (Decision.ACCEPT, Code.ROW_REPEATED): "take it as a record of its own",
        (Decision.ACCEPT, Code.PATIENT_EMAIL_SHARED): "let both have the address; this one's username is "
        "the LegacyPatientID",
        (Decision.ACCEPT, Code.PUBLISH_REFUSED): "try it again as it is",
        (Decision.KEEP_BOTH, Code.ROW_REPEATED): "keep both records",
    }
)


def rule_words(finding: Finding) -> str:
    """What the finding's rule says; the rule's own name where it is the database's."""
    code, rule = Code(finding.code), finding.rule or ""
    if code is Code.ROW_MALFORMED:
        return _MALFORMED.get(rule, rule)
    if code in (Code.LINK_AMBIGUOUS, Code.LINK_CONFLICT):
        return _link_words(code, rule)
    if code is Code.PUBLISH_REFUSED:
        return _refusal_words(rule)
    if (code, rule) in _RULES:
        return _RULES[code, rule]
    return VERDICTS[rule].about if rule in VERDICTS else rule


def way_words(decision: Decision, code: Code | None) -> str:
    """What a decision does to a finding of that code; None: to findings of several."""
    return WAYS[decision] if code is None else _OWN_WAYS.get((decision, code), WAYS[decision])


def key_name(key: str) -> str:
    """The key that a reference is compared with, as the patients sheet heads it."""
    try:
        return PATIENTS.column(key).name
    except KeyError:
        return key


def _refusal_words(rule: str) -> str:
    """An SQLSTATE with the constraint or column; or what stager found itself before it sent the row."""
    why, _, what = rule.partition(" ")
    if why == UNWRITABLE:
        return f"the database's column {what} cannot hold the value"
    return f"the database gave the code {why}" + (f", about {what}" if what else "")


def _link_words(code: Code, key: str) -> str:
    if code is Code.LINK_AMBIGUOUS:
        return f"two or more persons have it as their {key_name(key)}"
    return (
        f"one person has it as their {key_name(key)}, and another key of the reference "
        "means somebody else or another NHS number"
    )
