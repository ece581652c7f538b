"""One finding with its evidence: the record, what the rules say, what can be decided, whom it may be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from stager import decisions
from stager.decisions import Choice, Decision, Finding
from stager.errors import UsageError
from stager.event_log import EventLog
from stager.ingest.grammar import Reason
from stager.session.meanings import rule_words
from stager.session.review_views import Candidate, FindingView, Likeness, QueueFilter
from stager.sheets import SHEET, Code
from stager.values import CHANGES, VERDICTS
from tests.migration import Migration, allergy, nhs, note, patient


class TakenBackError(Exception):
    """Ends a trial, so that nothing of it stands."""


@contextmanager
def trial(migration: Migration) -> Iterator[EventLog]:
    """What is decided inside is rolled back."""
    try:
        with migration.staging.transaction():
            yield EventLog(migration.staging, "trial", lambda: 0)
            raise TakenBackError
    except TakenBackError:
        pass


def refusal(migration: Migration, finding: Finding, choice: Choice) -> str | None:
    """Why deciding so is refused; None where it is not."""
    try:
        with trial(migration) as log:
            decisions.decide(migration.staging, log, [finding], choice, digest=lambda _: bytes(16))
    except UsageError as error:
        return error.message
    return None


_SEEN: dict[tuple[Path, int, int], FindingView] = {}


def view(migration: Migration, finding: Finding) -> FindingView:
    """The finding's view, made once for each state of each migration: making one takes a moment."""
    key = (migration.folder, migration.staging.one("event_head"), finding.finding_id)
    if key not in _SEEN:
        _SEEN[key] = migration.session.finding_view(finding.finding_id)
    return _SEEN[key]


def one_of_each(migration: Migration) -> list[Finding]:
    """A finding of each code, with and without a cell, with a value that may stand and one that may not."""
    found = {(each.code, each.field is None, each.standing): each for each in migration.findings()}
    return list(found.values())


def a_person(migration: Migration, found: FindingView, decision: Decision) -> str:
    """Somebody whom the decision could name."""
    chosen = [each.place for each in found.candidates if each.veto is None]
    if chosen:
        return chosen[0]
    staff = decision is Decision.LINK and found.line.finding.code == "practitioner.unresolved"
    role = "CLINICIAN" if staff else "PATIENT"
    rows = migration.values("patients")
    return next(
        f"1:{row}" for row, cells in rows.items() if cells["role"] == role and not cells["nhs_number"]
    )


def test_exactly_the_decisions_that_fit_are_offered(practice: Migration) -> None:
    """Each way that is offered is taken by the finding, and each that is not offered is refused by it."""
    for finding in one_of_each(practice):
        found = view(practice, finding)
        offered = {way.decision for way in found.ways}
        for decision in Decision:
            choice: dict[str, Any] = {}
            if decision in (Decision.LINK, Decision.MERGE):
                choice = {"target": a_person(practice, found, decision)}
            if decision is Decision.CORRECT and finding.field:
                choice = {"value": sound_value(finding)}
            told = refusal(practice, finding, Choice(decision, **choice))
            assert (told is None) == (decision in offered), (finding, decision, told)


def sound_value(finding: Finding) -> str:
    """A value that the finding's column takes."""
    column = SHEET[finding.sheet].column(finding.field or "")
    words = {"date": "2001-02-03", "NHS number": nhs(500), "number of units": "28"}
    kind = column.kind.value
    if column.vocabulary:
        return column.vocabulary[0]
    if kind.startswith("date"):
        return words["date"]
    sound = {
        "UK postcode": "SW1A 1AA",
        "email address": "someone@example.org",
        "phone number": "07700 900123",
        "SNOMED CT or ICD-10 code": "J45",
    }
    return words.get(kind) or sound.get(kind, "Something")


def test_what_a_way_needs_is_said(practice: Migration) -> None:
    """A person for a link and a merge, a value for a correction; each in words; a reason nowhere."""
    for finding in one_of_each(practice):
        for way in view(practice, finding).ways:
            needs = {Decision.LINK: "person", Decision.MERGE: "person", Decision.CORRECT: "value"}
            assert way.needs == needs.get(way.decision)
            assert way.words
            assert not way.reason_required


def test_a_veto_is_what_deciding_refuses_in_its_words(practice: Migration) -> None:
    """For every candidate of findings of each rule: named in a decision, it is refused so, or not at all."""
    asked = 0
    of_persons = [each for each in practice.findings() if each.code.startswith(("link", "patient"))]
    for finding in {(each.code, each.rule, each.sheet): each for each in of_persons}.values():
        found = view(practice, finding)
        naming = [way.decision for way in found.ways if way.needs == "person"]
        for each in found.candidates if naming else ():
            asked += 1
            assert refusal(practice, finding, Choice(naming[0], target=each.place)) == each.veto
    assert asked > 10


def test_the_record_stands_beside_what_was_made_of_it(practice: Migration) -> None:
    """The cells are those that `stager history --show-values` shows; what was changed is in words."""
    for finding in one_of_each(practice):
        record = view(practice, finding).record
        if record.raw is not None:
            continue
        shown = practice.session.history(finding.sheet, f"{finding.source_id}:{finding.row_no}")
        changed = {each.field: each.meaning for each in shown.changes}
        for pair in record.pairs:
            assert set(pair.rules) <= {change.about for change in CHANGES.values()}
            if pair.field in changed:
                assert pair.rules == (changed[pair.field],)
            assert pair.is_subject == (pair.field == finding.field)
    came = practice.staging._execute("select * from row_patients where row_no = 28").fetchall()[0]
    pairs = practice.session.record("1:28", "patients").pairs
    assert [pair.came for pair in pairs] == list(came[6:-1])


def test_a_corrected_cell_shows_all_three(own_practice: Migration) -> None:
    """What came, what a person typed in its place, and what is published of that."""
    finding = next(each for each in own_practice.findings("value.unknown") if each.field == "gender")
    own_practice.decide(Decision.CORRECT, finding, value=" f ")
    place = f"{finding.source_id}:{finding.row_no}"
    pairs = {pair.field: pair for pair in own_practice.session.record(place, "patients").pairs}
    gender = pairs["gender"]
    assert (gender.corrected, gender.is_corrected, gender.made) == (" f ", True, "FEMALE")
    assert gender.came not in (None, " f ")
    assert not pairs["city"].is_corrected
    assert pairs["nhs_number"].protected


def test_a_record_that_cannot_be_parsed_is_shown_raw(practice: Migration) -> None:
    """Its own text, undecodable bytes as escapes; no cells, and nothing to decide but to leave it out."""
    for finding in practice.findings("row.malformed"):
        found = view(practice, finding)
        assert found.record.raw
        assert "\n" not in found.record.raw[-1:]
        assert (found.record.pairs, found.look) == ((), None)
        assert [way.decision for way in found.ways] == [Decision.EXCLUDE]
    encoded = next(each for each in practice.findings("row.malformed") if each.rule == "encoding")
    assert "\\x" in str(view(practice, encoded).record.raw)


def test_every_rule_is_told_in_words(practice: Migration) -> None:
    """No rule's bare name: those of values, of malformed records, and of linking."""
    for finding in practice.findings():
        assert " " in rule_words(finding)
    assert {Reason(each.rule or "") for each in practice.findings("row.malformed")} <= set(Reason)
    blank = practice.findings()[0]
    for reason in Reason:
        told = rule_words(Finding(**{**as_dict(blank), "code": "row.malformed", "rule": reason.value}))
        assert " " in told
    for rule in VERDICTS:
        assert rule_words(Finding(**{**as_dict(blank), "rule": rule})) == VERDICTS[rule].about


def as_dict(finding: Finding) -> dict[str, Any]:
    return {name: getattr(finding, name) for name in Finding.__struct_fields__}


def test_the_number_alike_is_how_many_a_bulk_decision_would_settle(practice: Migration) -> None:
    """The same as `stager findings --same-as`."""
    for finding in one_of_each(practice):
        alike = practice.session.alike(finding.finding_id)
        assert view(practice, finding).alike == len(alike)
        assert finding.finding_id in {each.finding_id for each in alike}


def test_the_column_is_looked_at_whole(practice: Migration) -> None:
    """Its cells counted over the whole sheet, the most frequent first, with the words that it takes."""
    finding = next(each for each in practice.findings("value.unknown") if each.field == "gender")
    look = view(practice, finding).look
    cells = [
        cell for (cell,) in practice.staging._execute("select gender from row_patients").fetchall() if cell
    ]
    assert look is not None
    assert look.column == "Gender"
    assert look.filled == len(cells)
    assert look.distinct == len(set(cells))
    assert dict(look.values) == {cell: cells.count(cell) for cell in set(cells)}
    assert look.allowed == SHEET["patients"].column("gender").vocabulary
    rows = practice.staging._execute("select count(*) from row_patients").fetchall()[0][0]
    assert look.filled + look.blank == rows


def test_what_else_is_held_of_the_same_person_stands_beside(practice: Migration) -> None:
    """The other findings of the person's rows; of an unlinked row those of the row itself."""
    for finding in one_of_each(practice):
        held = {line.finding.finding_id for line in view(practice, finding).held}
        row = {each.finding_id for each in practice.findings() if each.place == finding.place}
        assert held >= row - {finding.finding_id}
        assert finding.finding_id not in held


def test_a_duplicate_is_shown_with_the_other_records(practice: Migration) -> None:
    """Everyone who shares the number, name or id, as records and as candidates to compare."""
    for code in ("patient.duplicate", "patient.id_shared", "patient.email_shared"):
        for finding in practice.findings(code):
            found = view(practice, finding)
            own = f"{finding.source_id}:{finding.row_no}"
            others = [place for place in str(finding.related).split() if place != own]
            assert [each.place for each in found.related] == others
            assert [each.place for each in found.candidates] == others
            assert [each.number for each in found.candidates] == list(range(1, len(others) + 1))


def test_no_finding_no_view(practice: Migration) -> None:
    """A number that is not known is an error that says how to find those that are."""
    with pytest.raises(UsageError, match="no finding 9999") as told:
        practice.session.finding_view(9999)
    assert "stager findings" in told.value.hint
    with pytest.raises(UsageError):
        practice.session.record("1:9999", "patients")
    with pytest.raises(UsageError):
        practice.session.record("1:1", "notes")
    with pytest.raises(UsageError):
        practice.session.record("tenant:nobody", "patients")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Migration]:
    """References of every kind that the rules make suggestions for, and people like each other."""

    def build(migration: Migration) -> None:
        at_home = {"street_address": "1 High Street", "postcode": "SW1A 1AA"}
        family = {"last_name": "Twin", "date_of_birth": "2001-05-06", **at_home}
        migration.take(
            patients=[
                patient("000123", nhs_number=nhs(1), date_of_birth="1990-05-06"),
                patient("ABC-7", email="abc@example.org"),
                patient("120000"),
                patient("T1", first_name="Ada", email="twin@example.org", **family),
                patient("T2", first_name="Bea", email="twin@example.org", **family),
                patient("S1", first_name="Sam", last_name="Smith", date_of_birth="1970-01-02"),
                patient("S2", first_name="Smith", last_name="Sam", date_of_birth="1970-01-02"),
            ],
            notes=[
                note("123", consulted_at="2020-01-01"),
                note("abc-7"),
                note("1.2E+05"),
                note("00123", consulted_at="1980-01-01"),
                note("000132"),
                note("nobody-at-all"),
            ],
            background=[allergy("000124", onset_date="1985-01-31")],
        )

    made = Migration(tmp_path_factory.mktemp("scene"))
    build(made)
    yield made
    made.close()


def candidate(migration: Migration, sheet: str, row: int, place: str) -> Candidate:
    finding = next(
        each for each in migration.findings(sheet=sheet, row=row) if each.code.startswith(("link", "patient"))
    )
    return next(each for each in view(migration, finding).candidates if each.place == place)


@pytest.mark.parametrize(
    ("row", "place", "why"),
    [
        (1, "1:1", "leading zeros"),
        (2, "1:2", "upper and lower case"),
        (3, "1:3", "as a spreadsheet writes it"),
        (5, "1:1", "one character away"),
    ],
)
def test_a_suggestion_says_why(scene: Migration, row: int, place: str, why: str) -> None:
    """The rule's reason in words, and the key that is near, marked where it differs."""
    found = candidate(scene, "notes", row, place)
    assert why in found.why[0]
    assert "LegacyPatientID" in found.why[0]
    (key,) = [each for each in found.compared if each.field == "legacy_id"]
    assert key.likeness is Likeness.NEAR
    assert key.marks
    assert all(0 <= start < stop <= len(key.theirs or "") for start, stop in key.marks)


def test_nobody_is_suggested_where_nobody_is_near(scene: Migration) -> None:
    """The row's reference is like none."""
    (finding,) = scene.findings("link.unresolved", sheet="notes", row=6)
    assert view(scene, finding).candidates == ()


def test_a_date_before_the_birth_speaks_against_a_candidate(scene: Migration) -> None:
    """It is told and shown as differing, and is no veto: a date may be mistyped."""
    found = candidate(scene, "notes", 4, "1:1")
    assert "Consultation Date 1980-01-01 is before their birth on 1990-05-06" in found.against
    assert found.veto is None
    (dates,) = [each for each in found.compared if each.column == "Consultation Date"]
    assert (dates.likeness, dates.ours, dates.theirs) == (Likeness.DIFFER, "1980-01-01", "born 1990-05-06")
    good = candidate(scene, "notes", 1, "1:1")
    assert good.against == ()


def test_twins_and_households_are_told_as_such(scene: Migration) -> None:
    """The same surname, birth date and address with another first name."""
    (finding,) = scene.findings("patient.email_shared")
    (found,) = view(scene, finding).candidates
    assert any("twins" in each for each in found.against)
    assert "the same Email Address" in found.why


def test_names_either_way_round_are_compared_as_they_stand(scene: Migration) -> None:
    """Found as lookalikes, the comparison shows that first and last name differ."""
    finding = scene.findings("patient.duplicate")[0]
    (found,) = view(scene, finding).candidates
    likeness = {each.field: each.likeness for each in found.compared}
    assert likeness["date_of_birth"] is Likeness.AGREE
    assert likeness["first_name"] is not Likeness.AGREE
    assert Code(finding.code) is Code.PATIENT_DUPLICATE


def test_what_is_linked_to_a_candidate_is_counted(practice: Migration) -> None:
    """By sheet, as the rows are linked now."""
    for finding in practice.findings("link.unresolved"):
        for each in view(practice, finding).candidates:
            told = {
                sheet: sum(patient == each.place for patient, _ in practice.links(sheet).values())
                for sheet in ("background", "notes", "medications")
            }
            assert each.rows == {sheet: count for sheet, count in told.items() if count}


@pytest.mark.parametrize("place", ["", "1", "1:", ":1", "a:b", "1:2:3", "-1:2", "1:99999999999999"])
def test_what_is_no_place_is_said_to_be_none(practice: Migration, place: str) -> None:
    """Wherever a row is named."""
    session = practice.session
    for ask in (session.record, session.timeline):
        with pytest.raises(UsageError, match="SOURCE:ROW"):
            ask(place, "patients")
    with pytest.raises(UsageError, match="SOURCE:ROW"):
        session.queue(QueueFilter(patient=place))


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("23505 users_user_username_key", "the database gave the code 23505, about users_user_username_key"),
        ("57014", "the database gave the code 57014"),
        ("unwritable quantity", "the database's column quantity cannot hold the value"),
    ],
)
def test_a_refusal_of_the_database_is_told(practice: Migration, rule: str, told: str) -> None:
    """With its code and what it is about, and no value."""
    finding = practice.findings()[0]
    assert rule_words(Finding(**{**as_dict(finding), "code": "publish.refused", "rule": rule})) == told


def test_a_column_is_looked_at_anew_when_a_file_has_come(tmp_path: Path) -> None:
    """What a screen shows of it is never of before."""
    migration = Migration(tmp_path / "m").take(patients=[patient("P1", gender="Q")])
    (finding,) = migration.findings("value.unknown")
    before = migration.session.finding_view(finding.finding_id).look
    migration.take(patients=[patient("P2", gender="Q"), patient("P3")])
    after = migration.session.finding_view(finding.finding_id).look
    migration.close()
    assert before is not None
    assert after is not None
    assert (before.values, before.blank) == ((("Q", 1),), 0)
    assert (after.values, after.blank) == ((("Q", 2),), 1)
