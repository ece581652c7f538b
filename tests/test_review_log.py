"""The log for a reader: pages, filters, timelines, the last decision, and asking a colleague."""

from __future__ import annotations

from pathlib import Path

import pytest

from stager.decisions import Decision
from stager.errors import UsageError
from stager.events import EVENT_KINDS
from stager.session.log_words import DONE_BY_PEOPLE, words_of
from stager.session.review_views import EventFilter, LogLine
from tests.cli_calls import Stager, caller, copied
from tests.migration import Migration
from tests.review_practice import all_lines


def whole_log(migration: Migration, **wanted: str | bool | None) -> list[LogLine]:
    events = migration.session.events(EventFilter(**wanted))  # type: ignore[arg-type]
    return events.page(0, events.count)


def seqs(lines: list[LogLine]) -> list[int]:
    return [line.event.seq for line in lines]


def test_the_log_is_read_backwards_page_by_page(practice: Migration) -> None:
    """Every event once, the newest first; any stretch of it alone."""
    lines = whole_log(practice)
    head = practice.staging.one("event_head")
    assert seqs(lines) == list(range(head, 0, -1))
    events = practice.session.events(EventFilter())
    assert events.page(100, 140) == lines[100:140]
    assert events.page(head - 2, head + 9) == lines[-2:]
    assert events.page(head, head + 9) == events.page(7, 7) == []


def test_every_event_is_told_in_words(practice: Migration) -> None:
    """A sentence, never the bare kind; for every kind of the catalogue there is one."""
    for line in whole_log(practice):
        assert " " in line.words, line
        assert line.event.kind not in line.words
    detail: dict[str, object] = dict.fromkeys(
        {key for kind in EVENT_KINDS.values() for key in kind.detail}, 1
    )
    told = {
        kind: words_of(kind, {**detail, "code": "value.suspect", "refused": None}) for kind in EVENT_KINDS
    }
    assert all(words != kind for kind, words in told.items())
    assert set(EVENT_KINDS) >= DONE_BY_PEOPLE


def test_the_log_is_filtered_by_kind_and_actor(own_practice: Migration) -> None:
    """Exactly those of the kind, of the actor, of both; and those that only people did."""
    finding = own_practice.findings("value.unknown")[0]
    own_practice.session.assign([finding], "dr-lee", None, actor="reviewer")
    every = whole_log(own_practice)
    raised = [line for line in every if line.event.kind == "finding.raised"]
    assert whole_log(own_practice, kind="finding.raised") == raised
    assert [line.event.kind for line in whole_log(own_practice, actor="reviewer")] == ["finding.assigned"]
    assert whole_log(own_practice, kind="finding.raised", actor="reviewer") == []
    people = whole_log(own_practice, people=True)
    assert people == [line for line in every if line.event.kind in DONE_BY_PEOPLE]
    assert len(people) < 10 < len(every)


def test_the_log_of_one_row(own_practice: Migration) -> None:
    """As `stager history` tells it, and together with the rest of the filter."""
    finding = own_practice.findings("value.unknown", sheet="patients")[0]
    own_practice.decide(Decision.EXCLUDE, finding)
    place = f"{finding.source_id}:{finding.row_no}"
    told = own_practice.session.history("patients", place)
    assert seqs(whole_log(own_practice, place=place))[::-1] == [event.seq for event in told.events]
    kinds = {line.event.kind for line in whole_log(own_practice, place=place, people=True)}
    assert kinds == {"finding.decided"}


def test_a_rows_timeline_is_its_history(own_practice: Migration) -> None:
    """The first thing first, also what was decided and taken back."""
    finding = own_practice.findings("value.unknown", sheet="notes")[0]
    own_practice.undo(own_practice.decide(Decision.ACCEPT, finding))
    place = f"{finding.source_id}:{finding.row_no}"
    told = own_practice.session.history("notes", place)
    line = own_practice.session.timeline(place, "notes")
    assert seqs(line) == [event.seq for event in told.events]
    assert {"finding.decided", "decision.undone"} <= {each.event.kind for each in line}


def test_a_patients_timeline_has_their_rows_too(practice: Migration) -> None:
    """Everything that happened to the rows linked to them, in the order in which it happened."""
    place = next(place for place, _ in practice.links("notes").values() if place)
    mine = {("patients", int(place.split(":")[1]))} | {
        (sheet, row)
        for sheet in ("background", "notes", "medications")
        for row, (patient, _) in practice.links(sheet).items()
        if patient == place
    }
    files = {sheet: {each.source_id for each in practice.findings(sheet=sheet)} for sheet, _ in mine}
    expected = {
        event.seq
        for sheet, row in mine
        for event in practice.session.history(sheet, f"{min(files[sheet])}:{row}").events
    }
    line = practice.session.timeline(place, "patients")
    assert set(seqs(line)) == expected
    assert seqs(line) == sorted(expected)
    assert len(mine) > 2


def test_no_row_no_timeline(practice: Migration) -> None:
    """It is said that there is none."""
    with pytest.raises(UsageError):
        practice.session.timeline("1:9999", "patients")
    with pytest.raises(UsageError):
        practice.session.timeline("tenant:x", "notes")


def test_the_last_decision_is_the_one_to_take_back(own_practice: Migration) -> None:
    """Step by step backwards, however many; of one actor where one is named."""
    session = own_practice.session
    assert session.last_decision() is None
    first, second = [each for each in own_practice.findings("value.unknown") if each.standing][:2]
    one = own_practice.decide(Decision.ACCEPT, first)
    two = own_practice.exclude((second.sheet, str(second.row_no)))
    last = session.last_decision()
    assert last is not None
    assert (last.seq, last.decision, last.count, last.findings) == (two, "exclude", 1, ())
    assert last.words == "excluded: 1 row"
    own_practice.undo(last.seq)
    last = session.last_decision("reviewer")
    assert last is not None
    assert (last.seq, last.actor, last.findings) == (one, "reviewer", (first.finding_id,))
    assert session.last_decision("somebody else") is None
    own_practice.undo(last.seq)
    assert session.last_decision() is None


def test_a_bulk_decision_is_one_to_take_back(own_practice: Migration) -> None:
    """With all of its findings."""
    found = own_practice.findings("practitioner.unresolved")
    seq = own_practice.decide(Decision.RELEASE, *found)
    last = own_practice.session.last_decision()
    assert last is not None
    assert (last.seq, last.count) == (seq, len(found))
    assert last.findings == tuple(each.finding_id for each in found)


def test_asking_a_colleague_changes_nothing_but_the_log(own_practice: Migration) -> None:
    """One event about the set, with the note; findings, rows and approvals stay as they are."""
    own_practice.approve()
    before, state = len(own_practice.events()), own_practice.stand()
    found = own_practice.findings()[:3]
    seq = own_practice.session.assign(found, " dr-lee ", " which of the two? ", actor="reviewer")
    assert own_practice.stand() == state
    (event,) = own_practice.events()[before:]
    assert (event[0], event[1]) == (seq, "finding.assigned")
    assert '"to":"dr-lee"' in event[5]
    assert '"note":"which of the two?"' in event[5]
    story = own_practice.session.history(found[0].sheet, f"{found[0].source_id}:{found[0].row_no}")
    assert seq in {each.seq for each in story.events}
    assert own_practice.session.verify()


@pytest.mark.parametrize(
    ("to", "note", "told"),
    [("bell\a", None, "cannot be shown"), ("lee", "x" * 501, "500 characters"), ("lee", "a\nb", "on a line")],
)
def test_what_cannot_stand_in_the_log_is_not_asked(
    own_practice: Migration, to: str, note: str | None, told: str
) -> None:
    """A name or note that would act on a terminal, or is a letter."""
    with own_practice.nothing_changes(), pytest.raises(UsageError, match=told):
        own_practice.session.assign(own_practice.findings()[:1], to, note, actor="reviewer")


def test_only_open_findings_are_asked_about(own_practice: Migration) -> None:
    """None at all, and one that is decided, are refused."""
    finding = next(each for each in own_practice.findings("value.unknown") if each.standing)
    own_practice.decide(Decision.ACCEPT, finding)
    with own_practice.nothing_changes():
        with pytest.raises(UsageError, match="is decided"):
            own_practice.session.assign([finding], "lee", None, actor="reviewer")
        with pytest.raises(UsageError, match="no open finding"):
            own_practice.session.assign([], "lee", None, actor="reviewer")


def test_the_command_asks_as_the_screen_does(
    staged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`stager assign` writes the very event; an empty name takes it back."""
    copied(staged, monkeypatch, tmp_path / "m")
    stager: Stager = caller(capsys)
    said = stager("assign", "3", "5", "--to", "dr-lee", "--note", "ours?", "--json").done().document
    assert (said["to"], said["count"], said["findings"]) == ("dr-lee", 2, [3, 5])
    told = stager("assign", "3", "--to", "").done()
    assert "took back the question about 1 finding" in told.err + told.out
    assert stager("assign", "9999", "--to", "x").code == 2


def test_assigned_findings_are_known_after_opening_again(own_practice: Migration) -> None:
    """The log alone says whom each is assigned to: rebuilding changes nothing."""
    finding = own_practice.findings()[0]
    own_practice.session.assign([finding], "sam", "see letter", actor="reviewer")
    own_practice.session.close()
    before, after = own_practice.session.rebuild()
    assert before == after
    line = next(each for each in all_lines(own_practice) if each.finding.finding_id == finding.finding_id)
    assert (line.assigned_to, line.note) == ("sam", "see letter")
