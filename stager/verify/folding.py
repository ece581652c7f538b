"""Projections folded anew from the log, beside the file's own, which stay as they are.

DuckDB looks for a name among a session's temporary tables first. So the fold's own statements, run
over empty temporary tables of the projections' names, fold the log into these; and over a temporary
view of the log's name, the log as it once was.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from stager import sql
from stager.errors import Where
from stager.projections import PROJECTIONS, fold
from stager.staging import Staging
from stager.verify.broken import broken

_KEYS = {
    "finding": ("finding_id",),
    "decision": ("seq", "source_id", "row_no", "finding_id", "field"),
    "row_state": ("source_id", "row_no"),
    "standing": ("name",),
}
"""What tells the rows of a projection apart, and names one."""


@contextmanager
def folded(staging: Staging, upto: int | None = None) -> Iterator[None]:
    """Inside, every statement finds the projections as the log gives them, and not the file's own.

    upto: the last event that is folded in; what reads the log finds it ending there, too.
    """
    try:
        if upto is not None:
            staging.run("shadow_log", {"upto": str(int(upto))})
        for table in PROJECTIONS:
            staging.run("shadow_projection", {"table": table})
        fold(staging)
        yield
    finally:
        for table in PROJECTIONS:
            staging.run("unshadow_projection", {"table": table})
        staging.run("unshadow_log")


def verify_projections(staging: Staging) -> None:
    """Raises IntegrityFailed, naming the first row of a projection that the log does not give."""
    with folded(staging):
        for table in ("standing", "row_state", "finding", "decision"):
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
