"""Home: the migration at a glance, what is to be decided, what blocks publishing, what is next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from stager.errors import StagerError, StagingInUse
from stager.sheets import EXPLAINED, REJECTING, Code, State
from stager.wording import counted
from tui.screens.base import ReviewScreen
from tui.widgets.account_bars import AccountBars
from tui.widgets.pages import Fetch
from tui.widgets.virtual_table import Column, VirtualTable
from tui.words import code_words

if TYPE_CHECKING:
    from stager.session.views import Status

_AWAY = {
    "stager ingest": "no file has been taken in yet: leave with q, then type  stager ingest FILE…",
    "stager reconcile": "rows came or changed since rows were last linked: leave with q, then type  {step}",
}
"""What is next where it cannot be done here."""


class CodeLine(Struct, frozen=True):
    """The open findings of one code; None: of all of them."""

    code: str | None
    count: int

    @property
    def words(self) -> str:
        return code_words(self.code) if self.code else "all of them"

    @property
    def meaning(self) -> str:
        return EXPLAINED[Code(self.code)] if self.code else "in the order in which they were found"

    @property
    def effect(self) -> str:
        if self.code is None:
            return ""
        return "rejects the row" if Code(self.code) in REJECTING else "holds the row"


COLUMNS: Sequence[Column[CodeLine]] = (
    Column("open", lambda each: f"{each.count:,}", 9, right=True),
    Column("to decide", lambda each: each.words, 20),
    Column("", lambda each: each.effect, 15, from_width=100),
    Column("what it means", lambda each: each.meaning, 10, share=1),
    Column("code", lambda each: each.code or "", 24, from_width=120),
)


class HomeScreen(ReviewScreen):
    """The first screen. It shows counts only, so nothing on it has to be hidden."""

    TITLE_WORDS = "stager review"
    ABOUT = (
        "How far the migration is: for each sheet its records by state, and the findings that people must "
        "decide, by what they are about. Enter on a line opens those findings."
    )
    DEFAULT_CSS = """
    HomeScreen {
        #summary { padding: 0 1; height: auto; }
        AccountBars { margin-top: 1; }
        #next { padding: 1 1 1 1; height: auto; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,backspace", "back", "back", show=False),
        Binding("c", "resume", "continue", tooltip="Go on where you left off"),
        Binding("a", "approve", "approve", tooltip="See and approve the rows that are ready"),
        Binding("P", "publish", "publish", tooltip="Publish what is approved into the practice's database"),
        Binding("l", "log", "log", tooltip="See everything that happened"),
        Binding("q", "app.leave", "quit", tooltip="Leave; everything decided is kept"),
        Binding("u", "undo", "undo", show=False, tooltip="Take back your last decision"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._can_resume = False

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self._can_resume if action == "resume" else super().check_action(action, parameters)

    def body(self) -> ComposeResult:
        yield Static(Content("opening the staging file …"), id="summary")
        yield AccountBars()
        yield Static(id="next")
        yield VirtualTable(COLUMNS, empty="no finding is open", id="codes")

    def refresh_facts(self) -> None:
        # The frame is painted first: to open the file may take longer than a person should look at nothing.
        self.call_after_refresh(super().refresh_facts)

    async def load(self) -> None:
        try:
            status = await self.ask(lambda session: session.status())
        except StagingInUse as error:
            self.review.open_taken(error)
            return
        except StagerError as error:
            self.review.fail(error)
            return
        self.review.status_is(status)
        self.query_one("#summary", Static).update(_summary(status))
        self.query_one(AccountBars).show(status.sheets)
        self.query_one("#next", Static).update(self._next(status))
        lines = _lines(status)
        table = self.query_one(VirtualTable)
        await table.show(len(lines), _among(lines), cursor=table.cursor)
        await self.ask(lambda session: session.get_ready())

    @on(VirtualTable.Chosen)
    def open_code(self, event: VirtualTable.Chosen) -> None:
        """Show the findings of the code."""
        if isinstance(event.table.line, CodeLine):
            self.review.open_queue(code=event.table.line.code)

    def _next(self, status: Status) -> Content:
        lines = list(_blocked(status))
        left_off = self.review.memory.place(status.migration_id).finding
        self._can_resume = left_off is not None and bool(status.findings)
        if self._can_resume:
            lines.append(
                Content.assemble(("c", "bold"), f" goes on where you left off, at finding {left_off:,}")
            )
        self.refresh_bindings()
        return Content("\n").join(lines)

    def action_resume(self) -> None:
        """Show the queue as it was left, at the finding that was looked at last."""
        self.review.open_queue(resume=True)

    def action_approve(self) -> None:
        """Show what an approval would sign."""
        self.review.open_approve()

    def action_publish(self) -> None:
        """Show what would be published."""
        self.review.open_publish()

    def action_log(self) -> None:
        """Show the log."""
        self.review.open_log()


def _lines(status: Status) -> list[CodeLine]:
    by_count = sorted(status.findings.items(), key=lambda each: -each[1])
    lines = [CodeLine(code, count) for code, count in by_count]
    return [CodeLine(None, sum(status.findings.values())), *lines] if len(lines) > 1 else lines


def _among(lines: Sequence[CodeLine]) -> Fetch[CodeLine]:
    async def fetch(start: int, stop: int) -> Sequence[CodeLine]:
        return lines[start:stop]

    return fetch


def _summary(status: Status) -> Content:
    records = sum(sheet.records for sheet in status.sheets)
    told = f"{counted(records, 'record')} in {counted(len(status.sheets), 'sheet')}, "
    if status.balances:
        return Content.assemble((told, "bold"), "every one of them accounted for")
    return Content.assemble(
        (told, "bold"),
        ("✗ the account does not balance: nothing can be published until it does", "bold $error"),
    )


def _blocked(status: Status) -> Iterator[Content]:
    """What is next, and what keeps rows from being published; the most pressing first."""
    for command, words in _AWAY.items():
        if status.next_step.startswith(command):
            yield Content.assemble(("Next: ", "bold"), words.format(step=status.next_step))
            return
    count = {state: sum(sheet.states.get(state.value, 0) for sheet in status.sheets) for state in State}
    if open_findings := sum(status.findings.values()):
        kept = count[State.HELD] + count[State.REJECTED]
        yield Content.assemble(
            ("Next: ", "bold"),
            f"decide the {counted(open_findings, 'finding')} below; ",
            f"they keep {counted(kept, 'row')} from being published",
            *(
                [f", and {count[State.WAITING]:,} more wait for their patient"]
                if count[State.WAITING]
                else []
            ),
        )
    if ready := count[State.READY]:
        yield Content.assemble(
            ("a", "bold"), f" approves the {counted(ready, 'row that is', 'rows that are')} ready"
        )
    if approved := count[State.APPROVED]:
        where = status.tenant or "the practice's database"
        yield Content.assemble(("P", "bold"), f" publishes {counted(approved, 'approved row')} to {where}")
    if not (open_findings or ready or approved):
        yield Content.assemble(("Done: ", "bold"), "every row is published, excluded or waiting")
