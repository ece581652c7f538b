"""The queue of findings: filtered, sorted, counted, and read page by page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from stager.decisions import Decision
from stager.session.review_views import QueueFilter, QueueLine, QueueOrder
from stager.sheets import SHEET, SHEETS
from tests.migration import Migration
from tests.review_practice import all_lines

_PLACES = {sheet.name: n for n, sheet in enumerate(SHEETS)}


def row_of(line: QueueLine) -> tuple[int, int, int]:
    return (_PLACES[line.finding.sheet], *line.finding.place)


def numbers(lines: list[QueueLine]) -> list[int]:
    return [line.finding.finding_id for line in lines]


def test_a_queue_holds_every_open_finding_once(practice: Migration) -> None:
    """In the order of their numbers, as `stager findings` lists them; and says where each stands."""
    queue = practice.session.queue(QueueFilter())
    listed = [each.finding_id for each in practice.findings()]
    assert queue.numbers() == numbers(queue.page(0, queue.count)) == listed
    assert [queue.position(each) for each in listed] == list(range(queue.count))
    assert queue.position(0) is None


KEYS: dict[QueueOrder, Callable[[QueueLine], Any]] = {
    QueueOrder.NUMBER: lambda line: line.finding.finding_id,
    QueueOrder.CODE: lambda line: (line.finding.code, *row_of(line), line.finding.finding_id),
    QueueOrder.ROW: lambda line: (*row_of(line), line.finding.finding_id),
    QueueOrder.COLUMN: lambda line: (
        _PLACES[line.finding.sheet],
        line.finding.field is None,
        line.finding.field or "",
        line.finding.finding_id,
    ),
}


@pytest.mark.parametrize("order", KEYS)
def test_an_order_sorts_by_what_it_says(practice: Migration, order: QueueOrder) -> None:
    """By code, row, column or number; a finding's number breaks ties."""
    queue = practice.session.queue(QueueFilter(), order)
    lines = queue.page(0, queue.count)
    assert numbers(lines) == numbers(sorted(lines, key=KEYS[order]))


def test_findings_of_one_person_stand_together(practice: Migration) -> None:
    """By patient: those whose row has one come first, each person's in one stretch."""
    queue = practice.session.queue(QueueFilter(), QueueOrder.PATIENT)
    persons = []
    for number in queue.numbers():
        finding = practice.findings(ids=(number,))[0]
        own = f"{finding.source_id}:{finding.row_no}" if finding.sheet == "patients" else None
        persons.append(own or practice.links(finding.sheet)[finding.row_no][0])
    stretches = [each for n, each in enumerate(persons) if n == 0 or persons[n - 1] != each]
    assert len(stretches) == len(set(stretches))
    assert None in stretches
    assert stretches.index(None) == len(stretches) - 1


def test_the_most_frequent_problem_comes_first(practice: Migration) -> None:
    """By likeness: findings that are one problem stand together, the largest set first."""
    queue = practice.session.queue(QueueFilter(), QueueOrder.ALIKE)
    counts = [len(practice.session.alike(number)) for number in queue.numbers()]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > 1


def test_a_page_is_what_its_numbers_say(practice: Migration) -> None:
    """Any stretch of the queue, fewer lines at its end, none beyond it."""
    queue = practice.session.queue(QueueFilter(), QueueOrder.CODE)
    whole = queue.page(0, queue.count)
    assert queue.page(10, 25) == whole[10:25]
    assert queue.page(queue.count - 3, queue.count + 50) == whole[-3:]
    assert queue.page(queue.count, queue.count + 50) == queue.page(5, 5) == []


def test_a_page_costs_no_more_statements_than_it_has_sheets(
    practice: Migration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many lines are shown, the staging file is asked the same few things."""
    queue = practice.session.queue(QueueFilter(sheet="notes"))
    asked: list[str] = []
    real = practice.staging._execute

    def execute(text: str, parameters: Any = None) -> Any:
        asked.append(text)
        return real(text, parameters)

    monkeypatch.setattr(practice.staging, "_execute", execute)
    queue.page(0, 3)
    few = len(asked)
    queue.page(0, queue.count)
    assert few <= len(asked) - few <= few + 3 <= 10


def test_a_line_says_which_cell_and_whose_row(practice: Migration) -> None:
    """Its file and line, the column, the cell as it came, and the person by name and birth date."""
    lines = {line.cell: line for line in all_lines(practice, code="value.suspect", sheet="patients")}
    line = lines["9990387398"]
    assert (line.column, line.person) == ("NHS Number", "Magnus Wrongdigit, 1959-05-05")
    assert line.file == "patients.csv"
    assert practice.rows("patients")[line.finding.row_no].line == line.line


def test_a_line_of_an_unlinked_row_calls_the_person_as_the_row_does(practice: Migration) -> None:
    """By its reference; one that cannot be parsed calls nobody."""
    for line in all_lines(practice, code="link.unresolved"):
        assert line.person == line.cell
    assert {line.person for line in all_lines(practice, code="row.malformed", sheet="notes")} == {None}


def test_a_corrected_cell_is_shown_as_corrected(own_practice: Migration) -> None:
    """What a person typed in stands in the line of the next finding about the cell."""
    line = next(each for each in all_lines(own_practice, code="link.unresolved") if each.finding.field)
    own_practice.decide(Decision.CORRECT, line.finding, value="also nobody")
    again = [
        each
        for each in all_lines(own_practice, code="link.unresolved")
        if each.finding.place == line.finding.place
    ]
    assert [each.cell for each in again] == ["also nobody"]


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        ({"code": "value.suspect"}, lambda each: each.code == "value.suspect"),
        ({"sheet": "notes"}, lambda each: each.sheet == "notes"),
        ({"field": "patient_ref"}, lambda each: each.field == "patient_ref"),
        (
            {"sheet": "patients", "code": "value.suspect", "field": "nhs_number"},
            lambda each: (each.sheet, each.code, each.field) == ("patients", "value.suspect", "nhs_number"),
        ),
        ({"row": "1:45"}, lambda each: each.place == (1, 45)),
    ],
)
def test_a_filter_keeps_what_fits_and_nothing_else(
    practice: Migration, wanted: dict[str, str], fits: Callable[[Any], bool]
) -> None:
    """Every part that is given must hold."""
    kept = numbers(all_lines(practice, **wanted))
    assert kept == [each.finding_id for each in practice.findings() if fits(each)]
    assert kept


def test_a_patient_is_all_that_is_held_of_them(practice: Migration) -> None:
    """Findings of their own row, and of every row that is linked to them."""
    links = practice.links("notes")
    noted = [each.finding for each in all_lines(practice, sheet="notes")]
    finding = next(each for each in noted if links.get(each.row_no, (None,))[0])
    place = links[finding.row_no][0]
    own = set(numbers(all_lines(practice, patient=place)))
    told = {
        each.finding_id
        for each in practice.findings()
        if f"{each.source_id}:{each.row_no}" == place
        or (each.sheet != "patients" and practice.links(each.sheet).get(each.row_no, (None,))[0] == place)
    }
    assert own == told
    assert finding.finding_id in own


def cells_with(migration: Migration, text: str) -> set[tuple[str, int]]:
    """The rows of which a cell holds the text, found by reading all of them."""
    return {
        (sheet.name, row)
        for sheet in SHEETS
        for row, *cells in migration.staging._execute(
            f"select row_no, columns(* exclude (source_id, row_no, line, byte_start, byte_len, fingerprint)) "
            f"from {sheet.table}"
        ).fetchall()
        if any(text.lower() in (cell or "").lower() for cell in cells)
    }


@pytest.mark.parametrize("text", ["penicillin", "ZOË", "9990", "%", "' or 1=1", "no such text"])
def test_a_text_is_found_in_any_cell_in_any_case(practice: Migration, text: str) -> None:
    """To the letter: it is no pattern, and no part of a statement."""
    there = cells_with(practice, text)
    expected = [each.finding_id for each in practice.findings() if (each.sheet, each.row_no) in there]
    assert numbers(all_lines(practice, text=text)) == expected


def test_a_text_that_was_typed_in_is_found(own_practice: Migration) -> None:
    """In rows that still have a finding."""
    line = all_lines(own_practice, code="link.unresolved")[0]
    own_practice.decide(Decision.CORRECT, line.finding, value="Zebedee-99")
    assert {each.finding.place for each in all_lines(own_practice, text="zebedee")} == {line.finding.place}


def test_excluded_rows_are_not_in_the_queue(own_practice: Migration) -> None:
    """Their findings come back with them."""
    line = all_lines(own_practice, code="value.suspect")[0]
    row = (line.finding.sheet, str(line.finding.row_no))
    own_practice.exclude(row)
    assert line.finding.finding_id not in numbers(all_lines(own_practice))
    own_practice.put_back(row)
    assert line.finding.finding_id in numbers(all_lines(own_practice))


def test_a_page_shows_findings_as_they_stand_now(own_practice: Migration) -> None:
    """One decided since the queue was made keeps its place, and is shown as decided."""
    queue = own_practice.session.queue(QueueFilter(code="value.suspect"))
    line = next(each for each in queue.page(0, queue.count) if each.finding.standing)
    own_practice.decide(Decision.ACCEPT, line.finding)
    at = queue.position(line.finding.finding_id)
    assert at is not None
    (shown,) = queue.page(at, at + 1)
    assert (shown.finding.finding_id, shown.finding.state) == (line.finding.finding_id, "decided")
    assert numbers(all_lines(own_practice, state="decided")) == [line.finding.finding_id]


def test_facets_count_what_another_choice_would_give(practice: Migration) -> None:
    """Each under the other parts of the filter: the number beside a word is what choosing it shows."""
    queue = practice.session.queue(QueueFilter(code="value.suspect", sheet="patients"))
    facets = queue.facets()
    for code, count in facets["code"].items():
        assert count == practice.session.queue(QueueFilter(code=code, sheet="patients")).count
    for sheet, count in facets["sheet"].items():
        assert count == practice.session.queue(QueueFilter(code="value.suspect", sheet=sheet)).count
    for field, count in facets["column"].items():
        wanted = QueueFilter(code="value.suspect", sheet="patients", field=field)
        assert count == practice.session.queue(wanted).count
        assert SHEET["patients"].column(field)
    assert Counter(facets["column"]).total() == queue.count


def test_findings_can_be_sought_by_whom_they_are_assigned_to(own_practice: Migration) -> None:
    """A colleague's, those that nobody was asked about, and the newest assignment is what counts."""
    first, second, third = own_practice.findings()[:3]
    session = own_practice.session
    session.assign([first, second], "dr-lee", "ours?", actor="reviewer")
    session.assign([second], "sam", None, actor="reviewer")
    assert numbers(all_lines(own_practice, assigned_to="dr-lee")) == [first.finding_id]
    (line,) = all_lines(own_practice, assigned_to="sam")
    assert (line.finding.finding_id, line.assigned_to, line.note) == (second.finding_id, "sam", None)
    nobodys = numbers(all_lines(own_practice, assigned_to=""))
    assert third.finding_id in nobodys
    assert not {first.finding_id, second.finding_id} & set(nobodys)
    session.assign([first, second], "", None, actor="reviewer")
    assert len(all_lines(own_practice, assigned_to="")) == len(own_practice.findings())
