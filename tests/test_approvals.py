"""Approvals: what the plan's hash binds, which rows are in the plan, what voids and what forbids one."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stager.decisions import Decision
from stager.errors import IntegrityFailed, ReviewNeeded
from tests.migration import Migration, cloned, note, patient


@pytest.fixture(scope="module")
def home(faulty: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The faulty practice with everything approved that is ready."""
    folder = tmp_path_factory.mktemp("approved") / "m"
    made = cloned(faulty, folder)
    made.approve()
    made.close()
    return folder


@pytest.fixture
def migration(home: Path, tmp_path: Path) -> Iterator[Migration]:
    made = cloned(home, tmp_path / "m")
    yield made
    made.close()


def states(migration: Migration) -> dict[tuple[str, int], str]:
    return {(line.sheet, line.row): line.state for line in migration.session.rows()}


def planned(migration: Migration) -> set[tuple[str, int]]:
    """The rows of the plan as it stands."""
    migration.session.plan_hash()
    return set(migration.staging._execute("select sheet, row_no from plan").fetchall())


def test_an_approval_covers_what_is_ready_and_names_it(faulty: Path, tmp_path: Path) -> None:
    """Every ready row and no other; the event holds the plan's hash, the counts and the rows."""
    made = cloned(faulty, tmp_path / "m")
    before = states(made)
    approval = made.approve(reason="as shown")
    after = states(made)
    assert after == {at: "approved" if state == "ready" else state for at, state in before.items()}
    assert approval.rows == approval.plan.rows
    assert sum(approval.rows.values()) == list(before.values()).count("ready")
    assert made.session.plan_hash() == approval.plan.hash
    (granted,) = made.events("approval.granted")
    assert f'"plan_hash":"{approval.plan.hash}"' in granted[5]
    assert '"reason":"as shown"' in granted[5]
    folded, rebuilt = made.session.rebuild()
    assert folded == rebuilt
    made.close()


def test_the_hash_changes_with_whatever_would_be_published(migration: Migration) -> None:
    """A row more, another value, another link, no practitioner, another username: each its own hash."""
    seen = [migration.session.plan_hash()]

    def another(decision: Decision, code: str, sheet: str, row: int, **choice: str) -> int:
        seq = migration.decide(decision, migration.finding(code, sheet, row), **choice)
        migration.approve()
        seen.append(migration.session.plan_hash())
        return seq

    first = another(Decision.CORRECT, "value.unknown", "notes", 8, value="TRIAGE")
    migration.undo(first)
    another(Decision.CORRECT, "value.unknown", "notes", 8, value="REFERRAL")
    link = another(Decision.LINK, "link.unresolved", "notes", 3, target="1:10")
    migration.undo(link)
    another(Decision.LINK, "link.unresolved", "notes", 3, target="1:11")
    released = another(Decision.RELEASE, "practitioner.unresolved", "notes", 4)
    migration.undo(released)
    another(Decision.LINK, "practitioner.unresolved", "notes", 4, target="1:11")
    shares = another(Decision.ACCEPT, "patient.email_shared", "patients", 8)
    migration.undo(shares)
    another(Decision.BLANK, "patient.email_shared", "patients", 8)
    assert len(set(seen)) == len(seen) == 9


def test_the_hash_does_not_change_with_what_would_not(migration: Migration) -> None:
    """A decision taken back, about a row that is not in the plan, a reconciliation, another file that nothing
    is approved of, an approval voided and given again: the same rows and values, the same hash."""
    before = migration.session.plan_hash()
    migration.decide(Decision.ACCEPT, migration.finding("value.unknown", "patients", 9))
    assert migration.session.plan_hash() == before
    migration.reconcile()
    migration.take(notes=[note("nobody"), note("P10", "later")])
    assert migration.session.plan_hash() == before
    gone = migration.exclude(("notes", "3:12"))
    assert migration.session.plan_hash() != before
    migration.undo(gone)
    assert migration.session.plan_hash() != before
    migration.exclude(("notes", "5:2"), ("notes", "3:5"), ("patients", "9"))
    migration.approve()
    assert migration.session.plan_hash() == before


def test_the_order_of_decisions_and_approvals_makes_no_difference(home: Path, tmp_path: Path) -> None:
    """Two copies of one migration, the same done in another order, with one detour: one hash."""
    shutil.copytree(home, tmp_path / "base")

    def correct(m: Migration) -> None:
        m.decide(Decision.CORRECT, m.finding("value.unknown", "notes", 8), value="TRIAGE")

    def blank(m: Migration) -> None:
        m.decide(Decision.BLANK, m.finding("value.suspect", "medications", 1))

    def link(m: Migration) -> None:
        m.decide(Decision.LINK, m.finding("link.unresolved", "notes", 3), target="1:10")

    def detour(m: Migration) -> None:
        m.undo(m.decide(Decision.CORRECT, m.finding("value.unknown", "notes", 8), value="REFERRAL"))

    def share(m: Migration) -> None:
        m.decide(Decision.ACCEPT, m.finding("patient.email_shared", "patients", 8))

    ways: tuple[tuple[Callable[[Migration], None], ...], ...] = (
        (correct, blank, link, share),
        (share, detour, link, blank, correct),
    )
    hashes = set()
    for number, way in enumerate(ways):
        made = cloned(tmp_path / "base", tmp_path / f"way{number}")
        for step in way:
            step(made)
        sheets = ("notes", "patients", "medications")
        for sheet in sheets if number else sheets[::-1]:
            made.approve(sheet=sheet)
        hashes.add(made.session.plan_hash())
        made.close()
    assert len(hashes) == 1


def test_a_later_event_voids_the_approval_of_its_row_alone(migration: Migration) -> None:
    """A patient corrected, excluded and put back: their approval is gone, and only theirs. Their rows keep
    theirs, wait with them, and are out of the plan until they are approved again."""
    before, plan = states(migration), planned(migration)
    gone = migration.exclude(("patients", "10"))
    migration.undo(gone)
    after = states(migration)
    assert {at for at in before if before[at] != after[at]} == {("patients", 10)}
    assert after["patients", 10] == "ready"
    assert planned(migration) == {at for at in plan if at[0] == "patients" and at[1] != 10}
    (voided,) = migration.events("approval.voided")
    assert (voided[2], voided[4], f'"because":{gone}' in voided[5]) == ("patients", 10, True)
    migration.approve()
    assert (states(migration), planned(migration)) == (before, plan)


def test_a_link_that_changes_voids_row_by_row(migration: Migration) -> None:
    """Somebody else comes with the same id, and the practitioner goes: the rows that found them are held or
    wait; those of nobody else are touched."""
    before = states(migration)
    migration.take(patients=[patient("P10", first_name="Other")])
    kept = {at for at, state in states(migration).items() if state == "approved"}
    others = {at for at in before if at[0] == "patients" and at != ("patients", 10)}
    assert kept == {at for at in others if before[at] == "approved"}
    migration.exclude(("patients", "5:1"))
    states_now = states(migration)
    assert {state for (sheet, _), state in states_now.items() if sheet == "notes"} == {
        *{"held", "waiting", "ready"}
    }
    migration.approve()
    assert migration.row("notes", 1).state == "approved"


def test_a_sheet_is_approved_by_itself_and_rows_go_with_their_persons(tmp_path: Path) -> None:
    """Notes approved before their patients are in no plan; with their patients they are, with their
    practitioner too."""
    made = Migration(tmp_path / "m").take(
        patients=[patient("P1"), patient("D1", role="CLINICIAN"), patient("P3")],
        notes=[note("P1", "a"), note("P1", "b", practitioner_ref="D1"), note("P3", "c")],
    )
    approval = made.approve(sheet="notes")
    assert (approval.rows, approval.plan.rows) == ({"notes": 3}, {})
    assert planned(made) == set()
    approval = made.approve(sheet="patients")
    assert (approval.rows, approval.plan.rows) == ({"patients": 3}, {"patients": 3, "notes": 3})
    made.undo(made.exclude(("patients", "2")))
    assert planned(made) == {("patients", 1), ("patients", 3), ("notes", 1), ("notes", 3)}
    with made.nothing_changes(), pytest.raises(ReviewNeeded, match="no row is ready"):
        made.approve(sheet="notes")
    made.exclude(("patients", "3"))
    assert made.row("notes", 3).state == "waiting"
    made.close()


def test_there_must_be_something_to_approve_and_nothing_left_to_link(tmp_path: Path) -> None:
    """Rows that were never linked, nothing ready: exit 4, nothing granted."""
    made = Migration(tmp_path / "m")
    made.ingest(made.write("p.csv", "patients", [patient("P1")]))
    with made.nothing_changes(), pytest.raises(ReviewNeeded, match="since the last reconciliation"):
        made.approve()
    made.reconcile()
    made.approve()
    with made.nothing_changes(), pytest.raises(ReviewNeeded, match="no row is ready") as refused:
        made.approve()
    assert refused.value.exit_code == 4
    made.ingest(made.write("p2.csv", "patients", [patient("P2")]))
    with made.nothing_changes(), pytest.raises(ReviewNeeded, match="since the last reconciliation"):
        made.approve()
    made.close()


@pytest.mark.parametrize(
    "tampering",
    [
        "delete from row_notes where row_no = 12",
        "delete from span where kind = 'header' and source_id = 3",
        "delete from row_state where sheet = 'notes' and row_no = 12",
        "insert into row_state (sheet, source_id, row_no, state) values ('notes', 3, 15, 'ready')",
        "update source set size = size + 1 where source_id = 3",
    ],
)
def test_nothing_is_approved_while_the_account_does_not_balance(migration: Migration, tampering: str) -> None:
    """A fact or a state that is gone, or one too many: exit 6, and the file at fault is named."""
    migration.take(notes=[note("P10", "one more")])
    migration.staging._execute(tampering)
    assert not migration.session.status().balances
    with (
        migration.nothing_changes(),
        pytest.raises(IntegrityFailed, match=r"does not balance.*notes\.csv") as broken,
    ):
        migration.approve()
    assert broken.value.exit_code == 6
