"""Projections: what a log means for each row, the same however the log is cut into stretches."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from stager import projections
from stager.event_log import EventLog
from stager.projections import catch_up, digest, fold, rebuild, standing
from stager.session import Choice, Decision, Filter, Intake, Session
from stager.staging import Staging
from tests.spine import FILE_KEY, session_in, write_practice

PATIENT, OTHER, DOCTOR, NOTE = ("patients", 1, 1), ("patients", 1, 2), ("patients", 1, 3), ("notes", 2, 1)
Row = tuple[str, int, int]
Step = tuple[str, Row | None, int | None, dict[str, Any]]


def accepted(*rows: Row) -> list[Step]:
    return [("row.accepted", row, None, {"fingerprint": "00"}) for row in rows]


def linked(row: Row, patient: str = "1:1", **more: str) -> Step:
    return ("link.resolved", row, None, {"patient": patient, "via": "legacy_id", **more})


def raised(row: Row, number: int = 1, code: str = "value.suspect", field: str = "") -> Step:
    return ("finding.raised", row, number, {"code": code, "field": field or None, "standing": True})


def decided(decision: str, row: Row, number: int, **more: str) -> Step:
    return ("finding.decided", row, number, {"decision": decision, "findings": str(number), **more})


def decided_rows(decision: str, rows: str) -> Step:
    return ("finding.decided", None, None, {"decision": decision, "rows": rows})


def undone(seq: int, rows: str) -> Step:
    return ("decision.undone", None, None, {"undoes": seq, "rows": rows})


def approved(rows: str) -> Step:
    return ("approval.granted", None, None, {"rows": rows})


def committed(rows: str) -> Step:
    return ("publish.chunk_committed", None, None, {"rows": rows, "sheet": "notes"})


TWO = [*accepted(PATIENT, NOTE), linked(NOTE)]
"""A patient and a note of theirs: events 1 to 3."""

HISTORIES: dict[str, tuple[Sequence[Step], dict[Row, str]]] = {
    "a patient that nothing is said against": (accepted(PATIENT), {PATIENT: "ready"}),
    "a row without a patient": (accepted(NOTE), {NOTE: "waiting"}),
    "a linked row": (TWO, {PATIENT: "ready", NOTE: "ready"}),
    "linked to one of the tenant's own": ([*accepted(NOTE), linked(NOTE, "tenant:7")], {NOTE: "ready"}),
    "an open finding holds": ([*TWO, raised(NOTE)], {PATIENT: "ready", NOTE: "held"}),
    "its patient's finding makes it wait": ([*TWO, raised(PATIENT)], {PATIENT: "held", NOTE: "waiting"}),
    "its own finding comes first": ([*TWO, raised(PATIENT), raised(NOTE, 2)], {NOTE: "held"}),
    "a missing value rejects": ([*TWO, raised(PATIENT, code="value.missing")], {PATIENT: "rejected"}),
    "rejecting outweighs holding": (
        [*TWO, raised(NOTE), raised(NOTE, 2, "row.malformed")],
        {NOTE: "rejected"},
    ),
    "its patient rejected makes it wait": (
        [*TWO, raised(PATIENT, code="row.malformed")],
        {PATIENT: "rejected", NOTE: "waiting"},
    ),
    "a decided finding holds no more": (
        [*TWO, raised(PATIENT), decided("accept", PATIENT, 1)],
        {PATIENT: "ready", NOTE: "ready"},
    ),
    "a decision undone holds again": (
        [*TWO, raised(PATIENT), decided("accept", PATIENT, 1), undone(5, "1:1")],
        {PATIENT: "held", NOTE: "waiting"},
    ),
    "a closed finding holds no more": (
        [*TWO, raised(NOTE), ("finding.closed", NOTE, 1, {"why": "rule"})],
        {NOTE: "ready"},
    ),
    "closed stays closed when its decision is undone": (
        [
            *TWO,
            raised(NOTE),
            decided("accept", NOTE, 1),
            ("finding.closed", NOTE, 1, {"why": "rule"}),
            undone(5, "2:1"),
        ],
        {NOTE: "ready"},
    ),
    "excluded by a person": ([*TWO, decided_rows("exclude", "1:1")], {PATIENT: "excluded", NOTE: "waiting"}),
    "put back": (
        [*TWO, decided_rows("exclude", "1:1 2:1"), decided_rows("put_back", "1:1")],
        {PATIENT: "ready", NOTE: "excluded"},
    ),
    "an exclusion undone": (
        [*TWO, decided_rows("exclude", "1:1 2:1"), undone(4, "1:1 2:1")],
        {PATIENT: "ready", NOTE: "ready"},
    ),
    "excluded outweighs rejected": (
        [*TWO, raised(NOTE, code="value.invalid"), decided_rows("exclude", "2:1")],
        {NOTE: "excluded"},
    ),
    "merged into another": (
        [*accepted(PATIENT, OTHER), raised(OTHER), decided("merge", OTHER, 1, target="1:1")],
        {PATIENT: "ready", OTHER: "excluded"},
    ),
    "replaced by a corrected record": (
        [*accepted(PATIENT), ("row.superseded", PATIENT, None, {"by": "3:1"})],
        {PATIENT: "excluded"},
    ),
    "a link that no longer holds": ([*TWO, ("link.withdrawn", NOTE, None, {})], {NOTE: "waiting"}),
    "linked anew": (
        [*TWO, *accepted(OTHER), raised(OTHER), linked(NOTE, "1:2")],
        {OTHER: "held", NOTE: "waiting"},
    ),
    "linked anew to somebody who is fit": (
        [*TWO, raised(PATIENT), *accepted(OTHER), linked(NOTE, "1:2")],
        {PATIENT: "held", NOTE: "ready"},
    ),
    "approved, made to wait, and linked anew": (
        [*TWO, approved("1:1 2:1"), raised(PATIENT), *accepted(OTHER), linked(NOTE, "1:2")],
        {PATIENT: "held", NOTE: "approved"},
    ),
    "approved, and linked anew to somebody held": (
        [*TWO, *accepted(OTHER), raised(OTHER), approved("1:1 2:1"), linked(NOTE, "1:2")],
        {PATIENT: "approved", NOTE: "waiting"},
    ),
    "linked anew to a practitioner who is held": (
        [*TWO, *accepted(DOCTOR), raised(DOCTOR), linked(NOTE, practitioner="1:3")],
        {NOTE: "waiting", DOCTOR: "held"},
    ),
    "linked to a practitioner alone": (
        [*TWO, *accepted(DOCTOR), ("link.resolved", NOTE, None, {"practitioner": "1:3"})],
        {NOTE: "waiting", DOCTOR: "ready"},
    ),
    "linked while held": ([*accepted(PATIENT, NOTE), raised(NOTE), linked(NOTE)], {NOTE: "held"}),
    "linked while excluded": (
        [*accepted(PATIENT, NOTE), decided_rows("exclude", "2:1"), linked(NOTE)],
        {NOTE: "excluded"},
    ),
    "linked by a rule while a person's link waits": (
        [
            *accepted(PATIENT, OTHER, NOTE),
            raised(OTHER, 1),
            raised(NOTE, 2, "link.conflict"),
            decided("link", NOTE, 2, target="1:2"),
            linked(NOTE, "1:1"),
        ],
        {NOTE: "waiting", OTHER: "held"},
    ),
    "linked by a person": (
        [
            *accepted(PATIENT, NOTE),
            raised(NOTE, 1, "link.unresolved"),
            decided("link", NOTE, 1, target="1:1"),
        ],
        {NOTE: "ready"},
    ),
    "a person's link outlasts the rule's": (
        [
            *accepted(PATIENT, OTHER, NOTE),
            raised(OTHER, 1),
            raised(NOTE, 2, "link.conflict"),
            decided("link", NOTE, 2, target="1:1"),
            linked(NOTE, "1:2"),
        ],
        {NOTE: "ready", OTHER: "held"},
    ),
    "a person's link undone leaves the rule's": (
        [
            *accepted(PATIENT, OTHER, NOTE),
            linked(NOTE, "1:2"),
            raised(NOTE, 1, "link.conflict"),
            decided("link", NOTE, 1, target="1:1"),
            raised(OTHER, 2),
            undone(6, "2:1"),
            ("finding.closed", NOTE, 1, {"why": "rule"}),
        ],
        {NOTE: "waiting", OTHER: "held"},
    ),
    "its practitioner held makes it wait": (
        [*accepted(PATIENT, DOCTOR, NOTE), raised(DOCTOR), linked(NOTE, practitioner="1:3")],
        {NOTE: "waiting", DOCTOR: "held"},
    ),
    "released without a practitioner": (
        [
            *accepted(PATIENT, DOCTOR, NOTE),
            raised(DOCTOR),
            linked(NOTE, practitioner="1:3"),
            raised(NOTE, 2, "practitioner.unresolved", "practitioner_ref"),
            decided("release", NOTE, 2),
        ],
        {NOTE: "ready"},
    ),
    "approved": ([*TWO, approved("1:1 2:1")], {PATIENT: "approved", NOTE: "approved"}),
    "a void approval": (
        [*TWO, approved("1:1 2:1"), ("approval.voided", NOTE, None, {"because": 3})],
        {PATIENT: "approved", NOTE: "ready"},
    ),
    "approved again": (
        [*TWO, approved("2:1"), ("approval.voided", NOTE, None, {"because": 3}), approved("2:1")],
        {NOTE: "approved"},
    ),
    "approved, and its patient held since": (
        [*TWO, approved("1:1 2:1"), raised(PATIENT)],
        {PATIENT: "held", NOTE: "waiting"},
    ),
    "approved while a finding is open": ([*TWO, raised(NOTE), approved("2:1")], {NOTE: "held"}),
    "approved before its patient is fit": (
        [*TWO, raised(PATIENT), approved("1:1 2:1"), decided("accept", PATIENT, 1)],
        {PATIENT: "approved", NOTE: "approved"},
    ),
    "published though held since, and who waited for that": (
        [*TWO, approved("1:1"), raised(PATIENT), committed("1:1")],
        {PATIENT: "published", NOTE: "ready"},
    ),
    "published though its patient is held since": (
        [*TWO, approved("1:1 2:1"), raised(PATIENT), committed("2:1")],
        {PATIENT: "held", NOTE: "published"},
    ),
    "published": (
        [*TWO, approved("1:1 2:1"), committed("1:1"), committed("2:1")],
        {PATIENT: "published", NOTE: "published"},
    ),
    "published twice over": (
        [*TWO, approved("2:1"), committed("2:1"), committed("2:1")],
        {NOTE: "published"},
    ),
    "published stays published": (
        [*TWO, approved("1:1 2:1"), committed("1:1-1 2:1"), raised(NOTE), decided_rows("exclude", "1:1")],
        {PATIENT: "published", NOTE: "published"},
    ),
    "a run of rows": (
        [*accepted(*(("patients", 1, row) for row in range(1, 6))), decided_rows("exclude", "1:1 1:3-4")],
        {
            ("patients", 1, row): state
            for row, state in enumerate(["excluded", "ready", "excluded", "excluded", "ready"], 1)
        },
    ),
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staging]:
    with Staging.open(tmp_path_factory.mktemp("log") / "s.duckdb", FILE_KEY) as opened:
        yield opened


@pytest.fixture
def staging(shared: Staging) -> Staging:
    """A staging file without events."""
    with shared.transaction():
        for table in ("event", *projections.PROJECTIONS):
            shared.run("empty_projection", {"table": table})
    return shared


def append(log: EventLog, step: Step) -> None:
    kind, row, number, detail = step
    sheet, source_id, row_no = row or (None, None, None)
    log.append(kind, detail, sheet=sheet, source_id=source_id, row_no=row_no, finding_id=number)


def states(staging: Staging) -> dict[Row, str]:
    found = staging._execute("select sheet, source_id, row_no, state from row_state").fetchall()
    return {row[:3]: row[3] for row in found}


@pytest.mark.parametrize("history", HISTORIES)
def test_what_a_history_makes_of_a_row(history: str, staging: Staging) -> None:
    """Folded event by event, or the whole log at once, every row is in the one state that it must be in."""
    steps, expected = HISTORIES[history]
    with staging.transaction():
        for step in steps:
            append(EventLog(staging, "eng", lambda: 1), step)
            fold(staging)
        found, one_by_one = states(staging), digest(staging)
        rebuild(staging)
    assert found == states(staging)
    assert one_by_one == digest(staging)
    assert expected.items() <= found.items()


def test_a_persons_link_stands_beside_the_rules(staging: Staging) -> None:
    """Who decided is told by `via`, and undoing the decision brings the rule's link back whole."""
    steps = [
        *accepted(PATIENT, OTHER, NOTE),
        linked(NOTE, "1:2", practitioner="tenant:9"),
        raised(NOTE, 1, "link.conflict"),
        decided("link", NOTE, 1, target="1:1"),
    ]
    links = """select patient_source, patient_row, patient_person, via, practitioner_person
        from row_state where sheet = 'notes'"""
    with staging.transaction():
        log = EventLog(staging, "eng", lambda: 1)
        for step in steps:
            append(log, step)
        fold(staging)
        assert staging._execute(links).fetchall() == [(1, 1, None, "decision", "9")]
        append(log, undone(6, "2:1"))
        fold(staging)
        assert staging._execute(links).fetchall() == [(1, 2, None, "legacy_id", "9")]


def test_marks_of_the_migration(staging: Staging) -> None:
    """The tenant it is bound to and that it is made up are known from the log; what is not said is None."""
    assert (standing(staging, "tenant"), standing(staging, "synthetic")) == (None, None)
    with staging.transaction():
        log = EventLog(staging, "eng", lambda: 1)
        log.append("migration.bound", {"tenant": "maple-surgery"})
        log.append("migration.marked_synthetic")
        fold(staging)
    assert (standing(staging, "tenant"), standing(staging, "synthetic")) == ("maple-surgery", "true")
    assert standing(staging, "folded") == "2"


def test_the_digest_sees_every_difference(staging: Staging) -> None:
    """A state, a NULL that becomes the text NULL, a row more or less, a row moved to another table."""
    with staging.transaction():
        for step in (*TWO, raised(NOTE, field="name"), decided("accept", NOTE, 1)):
            append(EventLog(staging, "eng", lambda: 1), step)
        fold(staging)
    seen = {digest(staging)}
    changes = (
        "update row_state set state = 'held' where sheet = 'notes'",
        "update row_state set via = null where sheet = 'notes'",
        "update row_state set via = 'NULL' where sheet = 'notes'",
        "update finding set field = 'name, rule: x'",
        "delete from decision",
        "insert into standing values ('tenant', 'maple')",
        "insert into row_state select * from row_state limit 1",
    )
    for number, change in enumerate(changes, 2):
        staging._execute(change)
        seen.add(digest(staging))
        assert len(seen) == number, change


def test_projections_that_are_behind_are_refolded(staging: Staging) -> None:
    """Events that were never folded are taken in when a file is opened; one that is up to date is let be."""
    with staging.transaction():
        for step in TWO:
            append(EventLog(staging, "eng", lambda: 1), step)
    assert states(staging) == {}
    catch_up(staging)
    assert states(staging) == {PATIENT: "ready", NOTE: "ready"}
    staging._execute("update row_state set state = 'held'")
    catch_up(staging)
    assert set(states(staging).values()) == {"held"}


# ---------------------------------------------------------------- cut anywhere


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A practice with every fault, reviewed: decided, undone, excluded, approved, changed again."""
    folder = tmp_path_factory.mktemp("reviewed")
    with session_in(folder) as session:
        session.ingest(write_practice(folder / "csv")[0], Intake(synthetic=True), actor="eng")
        session.reconcile(actor="eng")
        session.decide_rows([("patients", "3"), ("notes", "5")], Choice(Decision.EXCLUDE), actor="lee")
        session.approve(actor="lead")
        seq = session.decide(
            session.findings(Filter(code="practitioner.unresolved")), Choice(Decision.RELEASE), actor="lee"
        )
        session.decide_rows([("patients", "3")], Choice(Decision.PUT_BACK), actor="lee")
        session.undo(seq, actor="lee")
    return folder


def in_stretches(session: Session, cuts: Sequence[int]) -> str:
    """The digest after the log was taken away and brought back, folded after each of these events."""
    staging = session._open().staging
    staging._execute("begin")
    staging._execute("create temp table whole_log as select * from event")
    for table in ("event", *projections.PROJECTIONS):
        staging.run("empty_projection", {"table": table})
    for first, last in zip([0, *cuts], [*cuts, 10**9], strict=True):
        staging._execute(f"insert into event select * from whole_log where seq > {first} and seq <= {last}")
        fold(staging)
    reached = digest(staging)
    staging._execute("rollback")
    return reached


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.soak)])
def test_it_makes_no_difference_how_a_log_is_cut(seed: int, reviewed: Path, tmp_path: Path) -> None:
    """A real log folded in stretches that end anywhere, also inside a command, reaches the same state."""
    rng = random.Random(seed)
    work = Path(shutil.copytree(reviewed, tmp_path / "work"))
    with session_in(work) as session:
        head = session.status().events
        cuts = sorted(rng.sample(range(1, head), 12))
        assert in_stretches(session, cuts) == digest(session._open().staging), f"cut after {cuts}"
