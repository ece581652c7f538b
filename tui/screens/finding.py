"""The finding: the evidence, and the decisions about it by one or two keys."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content

from stager.errors import StagerError
from stager.session import Choice, Decision
from stager.session.review_views import Candidate, FindingView, Way
from tui.screens.ask.assign import ask_colleague
from tui.screens.ask.bulk import Given, decide_alike
from tui.screens.ask.reason import AskReason
from tui.screens.base import ReviewScreen
from tui.screens.deciding import settle
from tui.screens.looking_up import next_open, view_with_rows
from tui.widgets.finding_panes import KEYS, Evidence, Head, Scroll, Ways, way_lines
from tui.widgets.lines import BLANK, said
from tui.widgets.top_bar import TopBar
from tui.words import DECISION_WORDS

if TYPE_CHECKING:
    from stager.session import Finding, Session
    from stager.session.queue import Queue

_WAYS: list[BindingType] = [
    Binding(key, f"decide('{decision}')", decision.replace("_", " "), show=False, tooltip=words)
    for (decision, key), words in zip(
        KEYS.items(),
        (
            "Find the person whose row it is",
            "Let the value stand",
            "Correct the value",
            "Leave the cell blank",
            "Go on without a practitioner",
            "Keep both",
            "Make two records one person",
            "Exclude the row",
            "Put the row back",
        ),
        strict=True,
    )
]


class FindingScreen(ReviewScreen):
    """A finding of a list, with its evidence; decided, the next open one follows by itself."""

    TITLE_WORDS = "Finding"
    ABOUT = (
        "The evidence is above, what can be decided below. A decision is made by its key and the next open "
        "finding follows; u takes it back. Digits choose a candidate, enter takes the one chosen. What takes "
        "a row away or touches many asks first."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "step(1)", "next", tooltip="The next finding of the list"),
        Binding("N", "step(-1)", "before", show=False, tooltip="The finding before"),
        Binding("s", "skip", "skip", tooltip="Leave it for later: on to the next open one"),
        Binding("at", "ask_colleague", "ask", key_display="@", tooltip="Ask a colleague about it"),
        Binding("equals_sign", "alike", "alike", key_display="=", tooltip="The same for all alike"),
        Binding("w", "reason", "why", tooltip="Give a reason for the next decision"),
        Binding("h", "timeline", "history", tooltip="What happened to this row"),
        Binding("o", "held", "theirs", tooltip="All that is held of the same person"),
        Binding("left", "candidates(-1)", "candidates before", show=False),
        Binding("right", "candidates(1)", "candidates after", show=False),
        Binding("enter", "take", "take the chosen candidate", show=False),
        *(
            Binding(str(digit), f"choose({digit})", f"candidate {digit}", show=False)
            for digit in range(1, 10)
        ),
        *_WAYS,
    ]
    DEFAULT_CSS = """
    FindingScreen Head { max-height: 7; }
    FindingScreen Ways { max-height: 40%; }
    """

    def __init__(self, found: Queue | Sequence[int], row: int = 0) -> None:
        super().__init__()
        self._numbers = list(found if isinstance(found, Sequence) else found.numbers())
        self.row = row
        self.view: FindingView | None = None
        self._reason: str | None = None
        self._status = BLANK
        self._busy = False

    def body(self) -> ComposeResult:
        yield Head()
        with Scroll():
            yield Evidence()
        yield Ways()

    async def load(self) -> None:
        if not self._numbers:
            self.app.pop_screen()
            return
        number = self._numbers[self.row]
        view, rows = await self.ask(lambda session: view_with_rows(session, number))
        self.view = view
        self.review.last_finding = number
        self.query_one(TopBar).retitle(f"Finding {self.row + 1:,} of {len(self._numbers):,}")
        self.query_one(Head).show(view)
        self.query_one(Evidence).show(view, rows)
        self.query_one(Scroll).scroll_home(animate=False)
        self._show_ways()

    def redraw(self) -> None:
        for pane in (self.query_one(Head), self.query_one(Evidence)):
            pane.changed()

    @property
    def shown(self) -> FindingView | None:
        """The finding that the person sees and may decide: none while another one is being looked up."""
        view = self.view
        if view is None or self._busy or view.line.finding.finding_id != self._numbers[self.row]:
            return None
        return view

    def _show_ways(self) -> None:
        view = self.view
        if view is None:
            return
        pane = self.query_one(Ways)
        ways = () if self.review.read_only else view.ways
        status = [self._status] if self._status else []
        if self._reason:
            status.append(Content.assemble(("reason for the next decision: ", "dim"), self._reason))
        if self.review.read_only:
            status.append(said("a read-only copy: nothing can be decided here", "bold"))
        elif not ways:
            status.append(
                said(f"{_why_none(view)}; u takes your last decision back, h shows what happened", "bold")
            )
        pane.show(
            way_lines(ways, len(view.candidates), self.query_one(Evidence).chosen), Content("\n").join(status)
        )
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        view = self.view
        if action in ("decide", "take", "choose", "ask_colleague", "alike", "reason"):
            return view is not None and not self.review.read_only and self._fits(view, action, parameters)
        if action == "held":
            return view is not None and bool(view.held)
        return super().check_action(action, parameters)

    def _fits(self, view: FindingView, action: str, parameters: tuple[object, ...]) -> bool:
        if action == "decide":
            return _way(view, str(parameters[0])) is not None
        if action == "choose":
            return isinstance(parameters[0], int) and parameters[0] <= len(view.candidates)
        if action == "take":
            return _person_way(view) is not None
        if action == "alike":
            return view.alike > 1
        return view.line.finding.state == "open"

    def action_step(self, by: int) -> None:
        """Go to the next finding of the list, or to the one before."""
        row = self.row + by
        if 0 <= row < len(self._numbers):
            self._go(row)
        else:
            self.review.say("that was the last of this list" if by > 0 else "this is the first of this list")

    def _go(self, row: int) -> None:
        self.row, self._reason = row, None
        self.do(self.load(), group="load", exclusive=True)

    def action_skip(self) -> None:
        """Leave it for later and go on to the next open one; those skipped come round again at the end."""
        self._status = BLANK
        self.do(self._on(), group="skip")

    async def _on(self) -> None:
        row = await self.ask(lambda session: next_open(session, self._numbers, self.row))
        if row is None or row == self.row:
            self.review.say("no other finding of this list is open")
        else:
            self._go(row)

    def action_choose(self, number: int) -> None:
        """Choose a candidate; the same digit again lets go of them."""
        evidence = self.query_one(Evidence)
        evidence.choose(None if evidence.chosen == number else number)
        self._show_ways()

    def action_candidates(self, by: int) -> None:
        """Show the candidates further to the left or right."""
        self.query_one(Evidence).move(by)

    def action_take(self) -> None:
        """Take the candidate who is chosen."""
        view = self.shown
        if view is None or (way := _person_way(view)) is None:
            return
        if (candidate := self._chosen(view)) is None:
            self.review.say("choose a candidate by their digit first, or l for somebody else")
        elif candidate.veto:
            self.review.say(f"✗ veto: {candidate.veto}", severity="error")
        else:
            self._settle(view, way, candidate.place)

    def action_decide(self, decision: str) -> None:
        """Decide; what takes a row away, or needs a person or a value, asks."""
        view = self.shown
        if view is None or (way := _way(view, decision)) is None:
            return
        candidate = self._chosen(view) if way.decision is Decision.MERGE else None
        self._settle(view, way, candidate.place if candidate and not candidate.veto else None)

    def _settle(self, view: FindingView, way: Way, person: str | None) -> None:
        given = Given(person, self._reason)
        self._alone(settle(self, view, way, given, lambda choice: self._decide(view, choice)))

    def action_reason(self) -> None:
        """Give a reason for the next decision."""
        if self.shown is not None:
            self._alone(self._ask_reason())

    def action_ask_colleague(self) -> None:
        """Ask a colleague about this finding, and go on to the next."""
        if (view := self.shown) is not None:
            self._alone(self._assign(view))

    def action_alike(self) -> None:
        """Decide about all that have the very same problem, after a look at them."""
        if (view := self.shown) is not None:
            self._alone(self._alike(view))

    def action_held(self) -> None:
        """Walk through all that is held of the same person."""
        if (view := self.shown) is not None and view.held:
            numbers = [view.line.finding.finding_id, *(each.finding.finding_id for each in view.held)]
            self.app.push_screen(FindingScreen(numbers))

    def action_timeline(self) -> None:
        """Show what happened to this row."""
        from tui.screens.timeline import TimelineScreen

        if (view := self.view) is not None:
            self.app.push_screen(TimelineScreen(view.record.place, view.record.sheet))

    def _chosen(self, view: FindingView) -> Candidate | None:
        number = self.query_one(Evidence).chosen
        return next((each for each in view.candidates if each.number == number), None)

    def _alone(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it, and hear no further decision until it is done or left."""

        async def alone() -> None:
            try:
                await work
            finally:
                self._busy = False

        self._busy = True
        self.do(alone(), group="decide")

    async def _alike(self, view: FindingView) -> None:
        candidate = self._chosen(view)
        given = Given(candidate.place if candidate and not candidate.veto else None, self._reason)
        if await decide_alike(self, view.line.finding.finding_id, given):
            self._status = BLANK
            await self._advance()

    async def _assign(self, view: FindingView) -> None:
        finding = view.line.finding
        if await ask_colleague(self, [finding.finding_id], to=view.assigned_to, note=view.note):
            await self._advance()

    async def _ask_reason(self) -> None:
        asked = AskReason("The reason for the next decision", reason=self._reason)
        if (agreed := await self.app.push_screen_wait(asked)) is not None:
            self._reason = agreed.reason
            self._show_ways()

    async def _decide(self, view: FindingView, choice: Choice) -> None:
        """Decide, say so below the evidence, and go on to the next open finding."""
        finding = view.line.finding
        self._tell(said("… a moment: it is being kept, and rows are linked anew", "dim"))
        try:
            await self.ask(partial(_decided, finding=finding, choice=choice, actor=self.review.actor))
        except StagerError:
            self._tell(BLANK)
            raise
        row_words = f"{finding.sheet} row {finding.source_id}:{finding.row_no}"
        words = f"✓ {DECISION_WORDS[choice.decision.value]}: {row_words}"
        self._status = Content.assemble((words, "bold $success"), ("  u takes it back", "dim"))
        await self._advance()

    def _tell(self, status: Content) -> None:
        self._status = status
        self._show_ways()

    async def _advance(self) -> None:
        """Go to the next open finding of the list; stay where there is none."""
        self._reason = None
        row = await self.ask(lambda session: next_open(session, self._numbers, self.row))
        if row is None:
            self.review.say("no finding of this list is open any more; esc goes back")
        else:
            self.row = row
        self.review.facts_changed()

    async def _undo(self) -> None:
        """Take the last decision back, and show the finding that it was about."""
        actor = self.review.actor
        before = await self.ask(lambda session: session.last_decision(actor))
        await super()._undo()
        after = await self.ask(lambda session: session.last_decision(actor))
        if before is None or (after is not None and after.seq == before.seq):
            return
        self._status = said(f"↶ taken back: {before.words}", "bold")
        about = next((each for each in before.findings if each in self._numbers), None)
        self._go(self._numbers.index(about) if about is not None else self.row)


def _decided(session: Session, *, finding: Finding, choice: Choice, actor: str) -> int:
    """Make the decision; putting back is about the row."""
    if choice.decision is Decision.PUT_BACK:
        row = (finding.sheet, f"{finding.source_id}:{finding.row_no}")
        return session.decide_rows([row], choice, actor=actor)
    return session.decide([finding], choice, actor=actor)


def _way(view: FindingView, decision: str) -> Way | None:
    return next((way for way in view.ways if way.decision.value == decision), None)


def _person_way(view: FindingView) -> Way | None:
    return next((way for way in view.ways if way.needs == "person"), None)


def _why_none(view: FindingView) -> str:
    state = view.line.finding.state
    if state != "open":
        return f"this finding is {state}"
    return (
        f"the row is {view.record.state}"
        if view.record.state in ("excluded", "published")
        else "nothing to decide"
    )
