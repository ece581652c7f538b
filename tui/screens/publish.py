"""Publishing: what would go into the practice's database, a rehearsal, the run, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content

from stager.errors import Cancelled, StagerError
from stager.session import Format
from stager.visible import visible
from stager.wording import counted
from tui.screens.base import ReviewScreen
from tui.screens.choose import Choose, Option
from tui.screens.confirm import Confirm
from tui.widgets.finding_panes import Scroll
from tui.widgets.lines import BLANK, Lines, heading, said, wrapped
from tui.widgets.publishing import Course, Outcome, course_lines, outcome_lines
from tui.widgets.signing import counts, plan_line

if TYPE_CHECKING:
    from stager.session import Plan, Session


class PublishScreen(ReviewScreen):
    """The approved rows on their way into the practice's database, each exactly once."""

    TITLE_WORDS = "Publish"
    ABOUT = (
        "What is approved and goes into the practice's database. d rehearses it there and rolls everything "
        "back; P publishes, after a question; c stops a run, and publishing again goes on from there."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "rehearse", "dry run", tooltip="Send it all and roll it back"),
        Binding("P", "publish", "publish", tooltip="Publish, after a question"),
        Binding("c", "stop", "stop", tooltip="Stop after the rows that are on their way"),
        Binding("T", "tenant", "tenant", tooltip="Choose the practice's database"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._tenant: str | None = None
        self._slugs: tuple[str, ...] = ()
        self._plan: Plan | None = None

    def body(self) -> ComposeResult:
        with Scroll():
            yield PublishPane()

    async def load(self) -> None:
        bound, self._slugs, self._plan = await self.ask(_look)
        if bound is not None or self._tenant is None:
            self._tenant = bound or (self._slugs[0] if len(self._slugs) == 1 else None)
        self._show()

    def _show(self) -> None:
        pane = self.query_one(PublishPane)
        pane.tenant, pane.plan = self._tenant, self._plan
        pane.changed()
        self.refresh_bindings()

    @property
    def _is_running(self) -> bool:
        return self.query_one(PublishPane).course is not None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if not self.is_mounted or action not in ("rehearse", "publish", "stop", "tenant", "undo"):
            return super().check_action(action, parameters)
        if action == "stop" or self._is_running:
            return action == "stop" and self._is_running
        if action == "tenant":
            return (
                self.review.status is not None and self.review.status.tenant is None and len(self._slugs) > 1
            )
        if action == "undo":
            return True
        allowed = self._plan is not None and self._plan.total > 0 and self._tenant is not None
        return allowed and (action == "rehearse" or not self.review.read_only)

    def action_back(self) -> None:
        """Go back, unless rows are on their way."""
        if self._is_running:
            self.review.say("rows are on their way: c stops it first")
        else:
            super().action_back()

    def action_tenant(self) -> None:
        """Choose the practice's database."""
        self.do(self._choose(), group="choose")

    async def _choose(self) -> None:
        options = [Option(slug, "", slug, chosen=slug == self._tenant) for slug in self._slugs]
        chosen = await self.app.push_screen_wait(Choose("Publish to which practice?", options))
        if chosen is not None:
            self._tenant = chosen.thing
            self._show()

    def action_rehearse(self) -> None:
        """Send it all and roll it back."""
        if self._plan is not None and self._tenant is not None:
            self.do(self._run(self._plan, self._tenant, dry_run=True), group="publish", exclusive=True)

    def action_publish(self) -> None:
        """Publish, after a question."""
        if self._plan is not None and self._tenant is not None:
            self.do(self._agree(self._plan, self._tenant), group="publish", exclusive=True)

    def action_stop(self) -> None:
        """Stop after the rows that are on their way."""
        self.review.desk.stop()
        pane = self.query_one(PublishPane)
        pane.stopping = True
        pane.changed()

    async def _agree(self, plan: Plan, tenant: str) -> None:
        by_sheet = ", ".join(f"{count:,} {sheet}" for sheet, count in plan.rows.items())
        words = f"{by_sheet}\nplan {plan.hash}\nWhat is published is not taken back from here."
        question = f"Publish {counted(plan.total, 'row')} to {tenant}?"
        if await self.app.push_screen_wait(Confirm(question, words)):
            await self._run(plan, tenant, dry_run=False)

    async def _run(self, plan: Plan, tenant: str, *, dry_run: bool) -> None:
        """Publish in the desk's thread, showing how far it is; then what came of it, and the report."""
        pane, actor = self.query_one(PublishPane), self.review.actor
        course = Course(plan.rows, self.review.desk.progress(lambda what, done, total: pane.changed()))
        before = await self.ask(_published)
        pane.begin(course, dry_run=dry_run)
        self.refresh_bindings()
        ticking = self.set_interval(0.5, pane.changed)
        try:
            done = await self.ask(
                lambda session: session.publish(
                    tenant, actor=actor, dry_run=dry_run, expected_plan=plan.hash, progress=course
                )
            )
            reports, trouble = ((), "") if dry_run else await self.ask(_report)
            pane.end(Outcome(done, dry_run, tenant, reports, trouble))
        except Cancelled:
            # What was on its way went in after the last word about it: only the log knows how much.
            went = counted(await self.ask(_published) - before, "row")
            rehearsed = "stopped: all of the rehearsal is rolled back"
            pane.end(None, rehearsed if dry_run else f"stopped: {went} went; P goes on from there")
        except StagerError as error:
            pane.end(None, f"{error}{f' → {error.hint}' if error.hint else ''}")
        finally:
            ticking.stop()
            self.review.facts_changed()
            self.refresh_bindings()


def _look(session: Session) -> tuple[str | None, tuple[str, ...], Plan]:
    """The tenant that the migration is bound to, those registered, and what is approved."""
    return session.status().tenant, session.registry().slugs(), session.plan()


def _published(session: Session) -> int:
    """Rows that are in the practice's database."""
    return sum(sheet.states.get("published", 0) for sheet in session.status().sheets)


def _report(session: Session) -> tuple[tuple[str, ...], str]:
    """Write the report; its paths, or why it was not written."""
    try:
        return tuple(str(path) for path in session.write_report(session.report(), Format.HTML)), ""
    except StagerError as error:
        return (), f"{error} → {error.hint}"


class PublishPane(Lines):
    """What would be published, how far it is, or what came of it."""

    tenant: str | None = None
    plan: Plan | None = None
    course: Course | None = None
    outcome: Outcome | None = None
    trouble = ""
    dry_run = stopping = False

    def begin(self, course: Course, *, dry_run: bool) -> None:
        """A run begins."""
        self.course, self.outcome, self.trouble, self.stopping, self.dry_run = (
            course,
            None,
            "",
            False,
            dry_run,
        )
        self.changed()

    def end(self, outcome: Outcome | None, trouble: str = "") -> None:
        """The run is over."""
        self.course, self.outcome, self.trouble = None, outcome, trouble
        self.changed()

    def lines(self, width: int) -> Iterator[Content]:
        if self.course is not None:
            yield from course_lines(self.course, width, dry_run=self.dry_run, stopping=self.stopping)
            return
        if self.outcome is not None:
            yield from outcome_lines(self.outcome, width)
            yield BLANK
        if self.trouble:
            yield from wrapped(said(f"✗ {visible(self.trouble)}", "bold $error"), width)
            yield BLANK
        yield from self._planned(width)

    def _planned(self, width: int) -> Iterator[Content]:
        if self.plan is None:
            yield said("counting …", "dim")
            return
        to = visible(self.tenant) if self.tenant else "no practice chosen (T chooses one)"
        yield heading(f"Approved and to be published to {to}", width)
        if not self.plan.total:
            words = (
                "nothing: no approved row waits. The approval (a on the first screen) signs what is ready."
            )
            yield from wrapped(said(words), width, 2)
            return
        yield from counts(("rows", self.plan.rows))
        yield from plan_line(self.plan.hash, width)
        yield BLANK
        words = "d rehearses it in that database and rolls everything back. P publishes, after a question."
        yield from wrapped(said(words, "dim"), width, 2)
