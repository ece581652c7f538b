"""The whole review by keys alone, from the first finding to published; approving, rehearsing, stopping."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from stager.decisions import Choice, Decision
from stager.session import Filter, Published, Session, Settings
from stager.session.review_views import EventFilter
from stager.sheets import Code
from stager.tenant.registry import Tenant
from tests.cli_calls import Stager, caller, copied
from tests.review_keys import NARROW, Keys, at_keys
from tui.screens.finding import FindingScreen
from tui.widgets.publishing import Course, Outcome, course_lines, outcome_lines
from tui.widgets.virtual_table import VirtualTable

SLUG = "maple-surgery"


@pytest.fixture
def stager(capsys: pytest.CaptureFixture[str]) -> Stager:
    return caller(capsys)


@pytest.fixture
def place(staged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Tenant], Path]:
    """Make a folder with the staged practice and a database of its own, and work in it."""

    def make(name: str, tenant: Tenant) -> Path:
        folder = tmp_path / name
        copied(staged, monkeypatch, folder)
        (folder / "tenants.toml").write_text(f"[tenants.{SLUG}]\ndsn = '{tenant.dsn}'\n", encoding="utf-8")
        return folder

    return make


def settings_at(folder: Path) -> Settings:
    """What a command that is called in that folder works with."""
    environ = {
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_STATE_HOME": str(folder / "state"),
    }
    return Settings(Path("staging.duckdb"), environ, folder)


Calls = list[tuple[str, ...]]

ONE_KEY = {"a": "--accept", "b": "--blank", "r": "--release", "K": "--keep-both"}


BULK = {
    "row.malformed": "x",
    "value.missing": "x",
    "value.invalid": "x",
    "link.conflict": "x",
    "row.repeated": "a",
    "practitioner.unresolved": "r",
    "link.unresolved": "x",
    "value.suspect": "x",
}
"""Codes that are decided for all their findings at once, and the key for it."""


async def decide_bulk(keys: Keys, code: str, key: str) -> tuple[str, ...]:
    """Decide all findings with that code as one, from the queue, with a reason."""
    await keys.press("g")
    for _ in Code:
        if code_at(keys) != code:
            await keys.press("j")
    await keys.press("enter", "A", "d", key, "w")
    await keys.type("old")
    await keys.press("enter", "y", "escape")
    decision = "--exclude" if key == "x" else ONE_KEY[key]
    return ("decide", "--code", code, decision, "--reason", "old", "--yes")


def code_at(keys: Keys) -> str | None:
    """The code of the line under the cursor of the home screen; None on that of all findings."""
    found: str | None = keys.app.screen.query_one(VirtualTable).line.code
    return found


async def decide_all(keys: Keys, calls: Calls) -> None:
    """Decide every finding of the list; what the command line would have been called with."""
    while isinstance(keys.app.screen, FindingScreen) and keys.view.line.finding.state == "open":
        before = keys.number
        calls.append(await decide(keys))
        if keys.number == before:
            return


async def decide(keys: Keys) -> tuple[str, ...]:
    """Decide the finding that is shown, by the keys that the screen offers."""
    view, number = keys.view, str(keys.number)
    offered = {way.decision.value for way in view.ways}
    for key, decision in (("a", "accept"), ("r", "release"), ("K", "keep_both"), ("b", "blank")):
        if decision in offered:
            await keys.press(key)
            return ("decide", number, ONE_KEY[key])
    fitting = [each for each in view.candidates if not each.veto]
    if "link" in offered and fitting:
        await keys.press(str(fitting[0].number), "enter")
        return ("decide", number, "--link", named(fitting[0].place))
    await keys.press("x", "y")
    return ("decide", number, "--exclude")


def named(place: str) -> str:
    """A person as a command names them."""
    return place if place.startswith("tenant:") else f"row:{place}"


SHORT = ("row.repeated", "practitioner.unresolved", "link.unresolved")
"""Of these codes one for each key; in a short review the others are decided by a command beforehand."""


async def review_and_publish(keys: Keys, calls: Calls, bulk: Mapping[str, str]) -> str:
    """The whole way by keys; what the last screen says."""
    for code, key in bulk.items():
        calls.append(await decide_bulk(keys, code, key))
    await keys.press("g", "enter", "enter")
    first = keys.number
    calls.append(await decide(keys))
    await keys.press("u")
    assert keys.number == first
    calls.append(("undo",))
    await keys.press("at")
    await keys.type("lee")
    await keys.press("enter")
    await keys.type("is this one of ours")
    await keys.press("enter")
    calls.append(("assign", str(first), "--to", "lee", "--note", "is this one of ours"))
    await decide_all(keys, calls)
    await keys.press("escape", "escape", "a", "a")
    await keys.type("looked at all")
    await keys.press("enter")
    calls.append(("approve", "--reason", "looked at all"))
    await keys.press("P", "d")
    assert "rolled back" in keys.words
    await keys.press("P", "y")
    calls.append(("publish", "-t", SLUG))
    return keys.words


def events_of(folder: Path) -> list[tuple[Any, ...]]:
    """Every event but its moment, and what an event says of time or chance."""
    with Session(settings_at(folder)) as session:
        log = session.events(EventFilter())
        lines = log.page(0, log.count)[::-1]
    return [
        (
            each.event.kind,
            each.event.actor,
            each.sheet,
            each.place,
            each.finding_id,
            settled(each.event.detail),
        )
        for each in lines
    ]


def settled(detail: dict[str, object]) -> str:
    """A detail without what two runs never share: which database it is, digests under its key, the time."""
    ours = {key: value for key, value in detail.items() if key not in ("control", "digest", "seconds")}
    return json.dumps(ours, sort_keys=True)


def begin(stager: Stager, folder: Path, bulk: Mapping[str, str]) -> None:
    """Reconcile; decide by command what is left out, and all unknown values but one."""
    stager("reconcile", "--quiet", "-t", SLUG).done()
    if bulk == BULK:
        return
    with Session(settings_at(folder)) as session:
        done = [each for code in BULK if code not in bulk for each in session.findings(Filter(code=code))]
        session.decide(done, Choice(Decision.EXCLUDE, reason="old"), actor="tester")
        unknown = session.findings(Filter(code="value.unknown"))
        session.decide(unknown[1:], Choice(Decision.EXCLUDE), actor="tester")


@pytest.mark.parametrize(
    "bulk",
    [
        pytest.param({code: BULK[code] for code in SHORT}, id="each key once"),
        pytest.param(BULK, marks=pytest.mark.soak, id="everything"),
    ],
)
def test_a_review_by_keys_stands_in_the_log_as_the_commands_write_it(
    place: Callable[[str, Tenant], Path],
    new_tenant: Callable[[str], Tenant],
    stager: Stager,
    bulk: Mapping[str, str],
) -> None:
    """From the first finding to published, by keys alone: the same events, states and plan as by commands."""
    by_keys = place("keys", new_tenant("clinic"))
    begin(stager, by_keys, bulk)
    calls: Calls = []

    async def script(keys: Keys) -> str:
        return await review_and_publish(keys, calls, bulk)

    words = at_keys(settings_at(by_keys), script, size=NARROW)
    assert {*ONE_KEY.values(), "--link", "--exclude"} <= {part for call in calls for part in call}
    assert "Published to maple-surgery" in words
    assert str(by_keys / "report.html") in words.replace(" ", "")
    assert (by_keys / "report.html").exists()

    by_commands = place("commands", new_tenant("clinic"))
    begin(stager, by_commands, bulk)
    for call in calls:
        if call == ("undo",):
            call = ("undo", str(last_decision(by_commands)))
        stager(*call, "--quiet").done()

    assert events_of(by_keys) == events_of(by_commands)
    assert states_of(by_keys) == states_of(by_commands)


def last_decision(folder: Path) -> int:
    with Session(settings_at(folder)) as session:
        last = session.last_decision("tester")
    assert last is not None
    return last.seq


def states_of(folder: Path) -> list[Any]:
    """Every row as it stands, and the plan's hash."""
    with Session(settings_at(folder)) as session:
        return [*session.rows(), session.plan_hash()]


def test_the_course_of_a_run_counts_each_sheet_and_what_is_left() -> None:
    """Rows go to the sheet that is being published; the rate and the time left follow from them."""
    seconds = iter([0.0, *[10.0] * 20])
    course = Course(
        {"patients": 40, "notes": 60}, lambda what, done, total: None, clock=lambda: next(seconds)
    )
    course("cutting chunks", 0, 100)
    course("publishing patients", 40, 100)
    course("publishing notes", 50, 100)
    assert course.sent == {"patients": 40, "notes": 10}
    assert (course.rate, course.left) == (5.0, 10.0)
    shown = "\n".join(line.plain for line in course_lines(course, 80, dry_run=False, stopping=False))
    assert "10 of 60" in shown
    assert "5 rows/s, about 10 seconds left" in shown


def test_what_a_run_left_is_told_with_the_rows_refused_and_the_report() -> None:
    """Rows refused are named by their address, and where the report is, or why it is not."""
    done = Published(1, "ab" * 32, {"notes": 2}, {"t": 2}, ("3:7",), resumed=True, chunks=1, seconds=0.5)
    lines = outcome_lines(Outcome(done, False, SLUG, ("/r/report.html",), "no room"), 80)
    shown = "\n".join(line.plain for line in lines)
    for words in ("Published to maple-surgery", "refused 1 row: 3:7", "/r/report.html", "no room", "cut off"):
        assert words in shown
