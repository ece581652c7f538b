"""The catalogue of events: what may happen in a migration, each kind with its version and meaning.

An event names rows, rules and keyed digests, never a patient's value. What a person types in is kept
as a fact (`correction`) and the event refers to it by its id. A kind whose detail changes gets a new
version here; the old one stays readable.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct


class EventKind(Struct, frozen=True):
    """One kind of event. `detail` names the keys of its JSON; `about` says what it is about."""

    name: str
    version: int
    about: str
    meaning: str
    detail: tuple[str, ...] = ()


def _kind(name: str, about: str, meaning: str, *detail: str, version: int = 1) -> EventKind:
    return EventKind(name, version, about, meaning, detail)


_CATALOGUE = (
    _kind(
        "migration.opened",
        "the migration",
        "The staging file was made.",
        "migration_id",
        "public_key",
        "stager",
    ),
    _kind(
        "migration.bound", "the migration", "The migration was bound to a tenant's slug, for good.", "tenant"
    ),
    _kind(
        "migration.marked_synthetic",
        "the migration",
        "The data is made up: NHS numbers of the 999 test range count as valid from here on.",
    ),
    _kind(
        "source.registered",
        "a source",
        "A file was taken in, with what was found out about it and the root over its bytes.",
        "file",
        "sha256",
        "size",
        "encoding",
        "confidence",
        "evidence",
        "delimiter",
        "newline",
        "rows",
        "malformed",
        "blank",
        "rules_version",
        "mapped",
        "content_root",
        "places",
        "rules_digest",
        "mapping_digest",
    ),
    _kind(
        "expectation.stated",
        "the migration",
        "A person said how many records of each sheet the practice counts; the last word on a sheet holds.",
        "counts",
    ),
    _kind(
        "column.mapped",
        "a source",
        "A header of the file was matched to a column of its sheet, or kept as unknown.",
        "position",
        "header",
        "column",
        "how",
    ),
    _kind("row.accepted", "a row", "The record was parsed and every required value reads.", "fingerprint"),
    _kind(
        "row.rejected",
        "a row",
        "The record is malformed or a required value is missing or unreadable; its bytes are kept.",
        "codes",
        "fingerprint",
    ),
    _kind(
        "row.superseded",
        "a row",
        "A corrected record of a later file took this row's place.",
        "by",
    ),
    _kind(
        "value.normalised",
        "rows of a source",
        "Cells of one column were rewritten by one rule (trimmed, folded, synonym, spacing).",
        "field",
        "rule",
        "count",
        "rows",
    ),
    _kind(
        "value.defaulted",
        "rows of a source",
        "Blank cells of one column got their default or the mapping's constant.",
        "field",
        "rule",
        "count",
        "rows",
    ),
    _kind(
        "tenant.snapshotted",
        "the migration",
        "The tenant's own people were read, for linking.",
        "people",
        "digest",
    ),
    _kind(
        "link.resolved",
        "a row",
        "A rule found the row's patient, and its practitioner where it names one.",
        "patient",
        "via",
        "practitioner",
    ),
    _kind("link.withdrawn", "a row", "The rule's earlier link no longer holds."),
    _kind(
        "finding.raised",
        "a row",
        "Something that no rule may decide, or that rejects the row.",
        "code",
        "field",
        "rule",
        "standing",
        "subject",
        "related",
        "suggestions",
    ),
    _kind("finding.closed", "a row", "What the finding said no longer holds.", "why"),
    _kind(
        "reconcile.finished", "the migration", "Every row so far was linked and checked.", "sources", "tenant"
    ),
    _kind(
        "finding.decided",
        "a row or rows",
        "A person decided: about a finding, a set of findings, or a row as such.",
        "decision",
        "findings",
        "rows",
        "count",
        "target",
        "correction",
        "value_digest",
        "reason",
    ),
    _kind(
        "finding.assigned",
        "a finding or findings",
        "A person asked a colleague about findings, or with nobody named took that back; the newest holds.",
        "findings",
        "count",
        "to",
        "note",
    ),
    _kind(
        "decision.undone",
        "a row or rows",
        "A person took an earlier decision back.",
        "undoes",
        "rows",
        "reason",
    ),
    _kind(
        "approval.granted",
        "rows",
        "A person approved these rows, as they stood, for publishing.",
        "plan_hash",
        "count",
        "sheets",
        "rows",
        "reason",
    ),
    _kind(
        "approval.voided",
        "a row",
        "Something changed about an approved row, so its approval is void.",
        "because",
    ),
    _kind(
        "publish.started",
        "rows",
        "Chunks of approved rows were cut for the tenant.",
        "run",
        "tenant",
        "profile",
        "plan_hash",
        "chunks",
    ),
    _kind(
        "publish.chunk_committed",
        "rows",
        "The tenant's database holds these rows and the chunk's ledger row.",
        "run",
        "chunk",
        "sheet",
        "rows",
        "count",
        "refused",
        "digest",
        "drawn",
    ),
    _kind(
        "publish.finished",
        "the migration",
        "Every chunk of the run is committed.",
        "run",
        "published",
        "refused",
    ),
    _kind(
        "values.shown",
        "rows of a source",
        "A person had the cells of a row shown, or one of them, with what the rules made of them.",
        "rows",
        "field",
    ),
)

EVENT_KINDS: Mapping[str, EventKind] = MappingProxyType({kind.name: kind for kind in _CATALOGUE})
"""Every kind of event by its name."""
