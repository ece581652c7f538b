"""Projections folded anew from the log, in tables beside the file's own, and compared with them."""

from __future__ import annotations

from stager import sql
from stager.errors import Where
from stager.projections import as_of
from stager.staging import Staging
from stager.verify.broken import broken

_KEYS = {
    "standing": ("name",),
    "row_state": ("source_id", "row_no"),
    "finding": ("finding_id",),
    "decision": ("seq", "source_id", "row_no", "finding_id", "field"),
}
"""What tells the rows of a projection apart, and names one."""


def verify_projections(staging: Staging) -> None:
    """Raises IntegrityFailed, naming the first row of a projection that the log does not give."""
    last: int = staging.one("event_head")
    with as_of(staging, last or None):
        for table in _KEYS if last else ():
            _require_alike(staging, table)


def _require_alike(staging: Staging, table: str) -> None:
    key = _KEYS[table]
    either = [f"coalesce(kept.{sql.identifier(name)}, fresh.{sql.identifier(name)})" for name in key]
    same = " and ".join(
        f"kept.{sql.identifier(name)} is not distinct from fresh.{sql.identifier(name)}" for name in key
    )
    places = {
        "table": table,
        "names": ", ".join(either),
        "order": ", ".join(either),
        "first": f"kept.{sql.identifier(key[0])}",
        "same": same,
    }
    found = staging.rows("unlike_its_refold", places)
    kept, fresh = staging.rows("count_kept", {"table": table})[0]
    if not found and kept == fresh:
        return
    named = dict(zip(key, found[0], strict=False)) if found else {}
    what = "is missing" if found and found[0][-1] else "is not what the log gives"
    shown = ", ".join(f"{name} {value}" for name, value in named.items() if value is not None)
    raise broken(
        f"projection {table}: its row {shown} {what}"
        if named
        else f"projection {table}: it holds {kept} rows, and the log gives {fresh}",
        where=Where(row=named.get("row_no")),
        hint="stager rebuild folds it anew from the log; look at what was done since it was right",
    )
