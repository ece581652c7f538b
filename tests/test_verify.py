"""Verifying a migration that nobody touched: everything in order, whatever it has been through."""

from __future__ import annotations

from pathlib import Path

import pytest

from stager.decisions import Choice, Decision
from stager.errors import IntegrityFailed, UsageError
from stager.session import Intake, Session, Settings
from tests.postgres import SLUG
from tests.verify_migration import Built


def test_a_clean_file_verifies(built: Built) -> None:
    """After decisions, undo, corrections, two runs and later files nothing is found, and all is counted."""
    found = built.verify()
    assert found.events == built.ask("select count(*) from event")[0][0]
    assert found.seals == built.ask("select count(*) from seal")[0][0] > 15
    assert (found.sources, found.records) == (6, built.ask("select count(*) from row_state")[0][0])
    assert found.corrections == 4
    assert (found.tenant, found.published, found.head_kept) == (None, 0, True)
    assert found.root == built.ask("select lower(hex(root)) from seal order by seal_no desc limit 1")[0][0]


def test_a_clean_tenant_verifies(built: Built) -> None:
    """Ledger and rows of both runs are as approved, though people decided about published rows since."""
    found = built.verify(tenant=True)
    rows = built.ask("select count(*) from row_state where state = 'published'")[0][0]
    assert (found.tenant, found.published, found.opened, found.unrecorded) == (SLUG, rows, 0, 0)
    assert (
        found.chunks == built.ask("select count(*) from event where kind = 'publish.chunk_committed'")[0][0]
    )


def test_deep_opens_every_protected_field(built: Built) -> None:
    """Each NHS number, note and diagnosis is opened once and compared."""
    found = built.verify(deep=True)
    with built.session() as session:
        published = list(session.rows(state="published"))
    notes = sum(row.sheet == "notes" for row in published)
    assert found.opened > notes + 10


def test_a_clean_tenant_with_sequences_verifies(built_on_sequences: Built) -> None:
    """Rows under ids that the application's own sequences gave are found by the kept ids."""
    found = built_on_sequences.verify(deep=True)
    assert (
        found.published
        == built_on_sequences.ask("select count(*) from row_state where state = 'published'")[0][0]
    )


def test_verifying_changes_nothing(copied: Built) -> None:
    """The log, the projections and the file's tables are what they were."""
    before = (
        copied.ask("select count(*), max(seq) from event"),
        copied.ask("select * from standing order by 1"),
    )
    tables = copied.ask("select table_name from duckdb_tables() where database_name = 'stg' order by 1")
    copied.verify(tenant=True, deep=True)
    copied.verify()
    assert before == (
        copied.ask("select count(*), max(seq) from event"),
        copied.ask("select * from standing order by 1"),
    )
    assert tables == copied.ask(
        "select table_name from duckdb_tables() where database_name = 'stg' order by 1"
    )


def test_work_goes_on_in_a_session_that_verified(copied: Built) -> None:
    """What was folded beside the projections leaves no trace in the session."""
    with copied.session() as session:
        session.verify(SLUG)
        before = session.status()
        held = next(session.rows(sheet="background", state="held"))
        session.decide_rows([("background", str(held.row))], Choice(Decision.EXCLUDE), actor="x")
        after = session.status()
        assert after.events > before.events
        assert after.balances
        session.verify(SLUG)


def test_an_empty_migration_verifies(tmp_path: Path) -> None:
    """A file with nothing but its opening is in order; one without a sealed event has nothing to prove."""
    settings = Settings(tmp_path / "s.duckdb", {"HOME": str(tmp_path)}, tmp_path)
    (tmp_path / "p.csv").write_text("LegacyPatientID,FirstName,LastName,DateOfBirth\n")
    with Session(settings) as session:
        session.ingest([tmp_path / "p.csv"], Intake(), actor="x")
        assert session.verify().records == 0


def test_another_tenant_is_refused(built: Built) -> None:
    """A tenant that the file is not bound to is wrong usage, and so is --deep without a tenant."""
    with built.session() as session:
        with pytest.raises(UsageError, match="bound to maple-surgery"):
            session.verify("oak-practice")
        with pytest.raises(UsageError, match="tenant's database"):
            session.verify(deep=True)


def test_a_missing_head_is_told(copied: Built) -> None:
    """Without the seal kept outside the file verifies, and says that an older copy would not show."""
    for head in (copied.folder / "config").rglob("heads/*.json"):
        head.unlink()
    assert not copied.verify().head_kept


def test_an_older_copy_is_named(copied: Built) -> None:
    """A file that was put back to an earlier copy is smaller than the seal that is kept outside."""
    earlier = copied.settings.staging.read_bytes()
    with copied.session() as session:
        session.reconcile(actor="x")
    copied.verify()
    copied.settings.staging.write_bytes(earlier)
    with pytest.raises(IntegrityFailed, match="older than its last seal"):
        copied.verify()
