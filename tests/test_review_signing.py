"""What an approval would sign: told beforehand, and what it then signs."""

from __future__ import annotations

from pathlib import Path

import pytest

from stager import projections
from stager.decisions import Decision
from stager.errors import ReviewNeeded
from tests.migration import Migration, note, patient


def test_it_is_what_an_approval_then_signs(own_practice: Migration) -> None:
    """The rows, the plan's hash, and what could be published after it."""
    told = own_practice.session.signing()
    granted = own_practice.approve()
    assert (told.rows, told.plan, told.planned) == (granted.rows, granted.plan.hash, granted.plan.rows)
    assert told.blocked is None
    assert own_practice.session.plan_hash() == told.plan


def test_of_one_sheet_too(own_practice: Migration) -> None:
    """The rows of the other sheets are left, as ready."""
    whole = own_practice.session.signing()
    told = own_practice.session.signing("patients")
    granted = own_practice.approve(sheet="patients")
    assert (told.rows, told.plan) == (granted.rows, granted.plan.hash)
    assert told.left["ready"] == sum(whole.rows.values()) - whole.rows["patients"]


def test_it_writes_nothing(own_practice: Migration) -> None:
    """No event, no change of a projection, no seal, however often it is asked."""
    session = own_practice.session
    before = (session.status(), projections.digest(own_practice.staging))
    with own_practice.nothing_changes():
        assert session.signing() == session.signing()
    assert (session.status(), projections.digest(own_practice.staging)) == before


def test_what_is_left_is_told_by_state_and_code(practice: Migration) -> None:
    """Together with what is signed it is every row; the codes are those of the open findings."""
    told = practice.session.signing()
    status = practice.session.status()
    rows = sum(sheet.records for sheet in status.sheets)
    assert sum(told.rows.values()) + sum(told.left.values()) == rows
    assert told.codes == status.findings
    assert "ready" not in told.left


def test_a_decision_changes_the_plan(own_practice: Migration) -> None:
    """Another row, another hash; taken back, the first one again."""
    before = own_practice.session.signing()
    finding = next(each for each in own_practice.findings("value.unknown") if each.standing)
    seq = own_practice.decide(Decision.ACCEPT, finding)
    after = own_practice.session.signing()
    assert after.plan != before.plan
    assert sum(after.rows.values()) > sum(before.rows.values())
    own_practice.undo(seq)
    assert own_practice.session.signing().plan == before.plan


def test_what_stands_against_signing_is_told_with_what_to_do(own_practice: Migration) -> None:
    """The words of the refusal itself: nothing is ready any more."""
    own_practice.approve()
    told = own_practice.session.signing()
    with pytest.raises(ReviewNeeded) as refused:
        own_practice.approve()
    assert told.blocked == f"{refused.value} → {refused.value.hint}"
    assert told.rows == {}
    assert told.plan == own_practice.session.plan_hash()


def test_rows_that_are_not_linked_yet_block_it(tmp_path: Path) -> None:
    """A file that came since rows were last linked."""
    migration = Migration(tmp_path / "m").take(patients=[patient("P1")])
    migration.ingest(migration.write("notes.csv", "notes", [note("P1")]))
    told = migration.session.signing()
    assert told.blocked is not None
    assert "stager reconcile" in told.blocked
    migration.reconcile()
    assert migration.session.signing().blocked is None
    migration.close()
