"""The same decision for many findings: the exact set with its cells, the decision, and one question."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Footer, Static

from stager.session import Choice, Decision, Filter
from stager.session.review_views import QueueLine, Way
from stager.wording import counted
from tui.screens.ask.correct import AskValue
from tui.screens.ask.dialog import Dialog
from tui.screens.ask.look import Look
from tui.screens.ask.person import AskPerson
from tui.text import cell, line
from tui.widgets.finding_panes import KEYS, Ways, words_of
from tui.widgets.lines import BLANK, said
from tui.widgets.virtual_table import Column, VirtualTable
from tui.words import DECISION_WORDS, code_words

if TYPE_CHECKING:
    from stager.session import Finding, Session
    from tui.screens.base import ReviewScreen

_EXAMPLES = 5


class Set(Struct, frozen=True):
    """Findings to decide alike. ways: the decisions that each takes. rule, allowed: of their column."""

    findings: tuple[Finding, ...]
    ways: tuple[Way, ...]
    rule: str = ""
    allowed: tuple[str, ...] = ()

    @property
    def numbers(self) -> list[int]:
        return [finding.finding_id for finding in self.findings]

    @property
    def words(self) -> str:
        """What they are, without a value: "214 findings: 200 word not listed, 14 …"."""
        kinds = Counter((finding.code, finding.sheet) for finding in self.findings)
        told = ", ".join(
            f"{count:,} {code_words(code)} in {sheet}" for (code, sheet), count in kinds.most_common(4)
        )
        return f"{counted(len(self.findings), 'finding')}: {told}{' …' if len(kinds) > 4 else ''}"


class Given(Struct, frozen=True):
    """What is known before the question. person: the place of somebody chosen already."""

    person: str | None = None
    reason: str | None = None


NOTHING = Given()


class AskWay(Dialog[Way]):
    """Shows the whole set, line by line, and asks what to decide about all of them."""

    DEFAULT_CSS = """
    AskWay { align: center middle;
        & > Vertical { width: 140; max-width: 98%; height: 90%; border: round $primary;
            background: $surface; }
        VirtualTable { background: $surface; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key, f"way('{decision}')", decision.replace("_", " "), show=False)
        for decision, key in KEYS.items()
    ]

    def __init__(self, question: str, about: Set, screen: ReviewScreen) -> None:
        super().__init__(question)
        self._about = about
        self._asking = screen

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(Content(self._question), classes="question")
            yield Static(Content(self._about.words), classes="label")
            yield VirtualTable(SET_COLUMNS)
            yield Ways()
            yield Static(Content(), classes="wrong")
        yield Footer(compact=True)

    def on_mount(self) -> None:
        none = said("no decision fits all of them: mark fewer, or decide them one by one", "bold $warning")
        ways = self._about.ways
        shown = tuple(
            (KEYS[way.decision.value], words_of(way), f"way('{way.decision.value}')") for way in ways
        )
        self.query_one(Ways).show(shown, BLANK if shown else none)
        self.run_worker(self._show())

    async def _show(self) -> None:
        numbers = self._about.numbers

        async def fetch(start: int, stop: int) -> Sequence[QueueLine]:
            return await self._asking.ask(lambda session: session.finding_lines(numbers[start:stop]))

        await self.query_one(VirtualTable).show(len(numbers), fetch)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "way":
            return any(each.decision.value == parameters[0] for each in self._about.ways)
        return super().check_action(action, parameters)

    def action_way(self, decision: str) -> None:
        """Decide so about all of them."""
        self.dismiss(next(each for each in self._about.ways if each.decision.value == decision))


SET_COLUMNS: list[Column[QueueLine]] = [
    Column("Row", lambda each: f"{each.finding.sheet} {each.finding.source_id}:{each.finding.row_no}", 18),
    Column("Problem", lambda each: code_words(each.finding.code), 22, from_width=76),
    Column("Column", lambda each: each.column or "", 16),
    Column("Cell", lambda each: each.cell if each.column else "", 12, share=1, secret=True),
    Column("Person", lambda each: each.person or "", 12, share=1, secret=True),
]


async def decide_marked(screen: ReviewScreen, ids: list[int]) -> None:
    """Decide about the findings that were marked, all alike. Run it in a worker."""
    found = await screen.ask(lambda session: _set_of(session, session.findings(Filter(ids=tuple(ids)))))
    await decide_set(screen, found, f"The same for the {counted(len(found.findings), 'finding')} marked")


async def decide_alike(screen: ReviewScreen, finding_id: int, given: Given) -> bool:
    """Decide about every open finding that has the very same problem; whether it was done."""
    found = await screen.ask(lambda session: _set_of(session, session.alike(finding_id)))
    return await decide_set(screen, found, f"The same for all {len(found.findings):,} alike", given)


async def decide_set(screen: ReviewScreen, about: Set, question: str, given: Given = NOTHING) -> bool:
    """Show the set, ask what and then once whether, and decide it as one event; whether it was done."""
    if screen.review.read_only or not about.findings:
        screen.review.say("this is a read-only copy" if screen.review.read_only else "none of them is open")
        return False
    way = await screen.app.push_screen_wait(AskWay(question, about, screen))
    if way is None:
        return False
    if way.needs == "value":
        return await _correct(screen, about, way, question, given.reason)
    target = given.person
    if way.needs == "person" and target is None:
        person = await screen.app.push_screen_wait(AskPerson("Who is it?", screen.review.desk))
        if person is None:
            return False
        target = person.place
    target = target if way.needs == "person" else None
    words = f"{way.words[:1].upper()}{way.words[1:]}?"
    look = Look(words, await _examples(screen, about), reason=given.reason, required=way.reason_required)
    agreed = await screen.app.push_screen_wait(look)
    if agreed is None:
        return False
    await _decide(screen, about, Choice(way.decision, target=target, reason=agreed.reason))
    _tell(screen, about, way.decision)
    return True


async def _correct(screen: ReviewScreen, about: Set, way: Way, question: str, reason: str | None) -> bool:
    """A new value for all of them: the same question asks for it and agrees."""

    async def decide(value: str, why: str | None) -> None:
        await _decide(screen, about, Choice(way.decision, value=value, reason=why))

    asked = AskValue(
        f"{question}: one value for {counted(len(about.findings), 'cell')}",
        rule=about.rule,
        allowed=about.allowed,
        came=None,
        decide=decide,
        reason=reason,
        required=way.reason_required,
    )
    done = await screen.app.push_screen_wait(asked)
    if done is not None:
        _tell(screen, about, way.decision)
    return done is not None


async def _decide(screen: ReviewScreen, about: Set, choice: Choice) -> None:
    actor = screen.review.actor
    await screen.ask(lambda session: session.decide(about.findings, choice, actor=actor))


def _tell(screen: ReviewScreen, about: Set, decision: Decision) -> None:
    words = DECISION_WORDS.get(decision.value, decision.value)
    screen.review.facts_changed(
        f"{words}: {counted(len(about.findings), 'finding')}, as one; u takes it back"
    )


async def _examples(screen: ReviewScreen, about: Set) -> Content:
    """How many, and the first few of them."""
    lines = await screen.ask(lambda session: session.finding_lines(about.numbers[:_EXAMPLES]))
    masked = screen.review.masked
    shown = [
        Content.assemble(
            f"  {each.finding.sheet} {each.finding.source_id}:{each.finding.row_no}  {each.column or ''} ",
            cell(each.cell, masked=masked) if each.column else "",
            (f"  {line(each.person, masked=masked)}" if each.person else "", "dim"),
        )
        for each in lines
    ]
    rest = len(about.findings) - len(lines)
    more = [said(f"  … and {rest:,} more")] if rest else []
    last = said("One event, taken back as one.", "dim")
    return Content("\n").join([said(f"{about.words}.", "bold"), *shown, *more, last])


def _set_of(session: Session, findings: Sequence[Finding]) -> Set:
    """The set with what is common to it."""
    if not findings:
        return Set((), ())
    ways = session.ways(findings)
    rule, allowed = "", tuple[str, ...]()
    if len({(each.sheet, each.field) for each in findings}) == 1 and findings[0].field:
        rule = rule_of(findings[0])
        view = session.finding_view(findings[0].finding_id)
        allowed = view.look.allowed if view.look else ()
    elif any(way.needs == "value" for way in ways):
        ways = tuple(way for way in ways if way.needs != "value")
    return Set(tuple(findings), ways, rule, allowed)


def rule_of(finding: Finding) -> str:
    """What the finding's column says of its values."""
    from stager.sheets import SHEET

    return SHEET[finding.sheet].column(finding.field).about if finding.field else ""
