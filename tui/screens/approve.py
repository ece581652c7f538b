"""Approving: what would be signed, what would not and why, and the signature."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content

from stager.errors import ReviewNeeded
from stager.sheets import SHEETS
from stager.wording import counted
from tui.screens.ask.sign import Sign, Signed
from tui.screens.base import ReviewScreen
from tui.widgets.finding_panes import Scroll
from tui.widgets.lines import Lines, said
from tui.widgets.signing import signing_lines

if TYPE_CHECKING:
    from stager.session import Approval, Session
    from stager.session.review_views import Signing


class ApproveScreen(ReviewScreen):
    """What an approval covers now. The plan hash binds it to exactly these rows, values and links."""

    TITLE_WORDS = "Approve"
    ABOUT = (
        "What an approval would sign now, and what it would leave and why. a signs, with a name and a "
        "reason; the plan hash then stands for exactly these rows, values and links."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "sign", "sign", tooltip="Approve these rows, with your name"),
        Binding("s", "sheet", "one sheet", tooltip="Only the next sheet, or all again"),
        Binding("P", "publish", "publish", tooltip="On to publishing"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._sheet: str | None = None
        self._signing: Signing | None = None

    def body(self) -> ComposeResult:
        with Scroll():
            yield SigningPane()

    async def load(self) -> None:
        sheet = self._sheet
        self._signing = await self.ask(lambda session: session.signing(sheet))
        self.query_one(SigningPane).show(self._signing, sheet)
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "sign":
            found = self._signing
            return found is not None and found.blocked is None and not self.review.read_only
        return super().check_action(action, parameters)

    def action_sheet(self) -> None:
        """Go on to the next sheet alone, and after the last to all of them."""
        names = [None, *(sheet.name for sheet in SHEETS)]
        self._sheet = names[(names.index(self._sheet) + 1) % len(names)]
        self.do(self.load(), group="load", exclusive=True)

    def action_publish(self) -> None:
        """Go on to publishing."""
        self.review.open_publish()

    def action_sign(self) -> None:
        """Approve what is shown."""
        if self._signing is not None:
            self.do(self._sign(self._signing, self._sheet), group="sign")

    async def _sign(self, shown: Signing, sheet: str | None) -> None:
        rows = counted(sum(shown.rows.values()), "row")
        by_sheet = ", ".join(f"{count:,} {name}" for name, count in shown.rows.items())
        words = Content.assemble((f"{rows}: {by_sheet}", "bold"), ("\nplan ", "dim"), shown.plan)
        asked = Sign(f"Approve {rows} for publishing?", words, name=self.review.actor)
        signed = await self.app.push_screen_wait(asked)
        if signed is not None:
            granted = await self.ask(lambda session: _approve(session, shown, sheet, signed))
            now = counted(sum(granted.rows.values()), "row")
            self.query_one(SigningPane).granted = f"✓ {now} approved as event {granted.seq:,}; P publishes"
            self.review.facts_changed()


def _approve(session: Session, shown: Signing, sheet: str | None, signed: Signed) -> Approval:
    """Approve exactly what was shown. ReviewNeeded where that is no longer what would be signed."""
    if session.signing(sheet).plan != shown.plan:
        raise ReviewNeeded("what would be signed has changed since it was shown", hint="look at it again")
    return session.approve(actor=signed.name, sheet=sheet, reason=signed.reason)


class SigningPane(Lines):
    """What an approval would sign."""

    signing: Signing | None = None
    sheet: str | None = None
    granted = ""

    def show(self, signing: Signing, sheet: str | None) -> None:
        """Show this prospect."""
        self.signing, self.sheet = signing, sheet
        self.changed()

    def lines(self, width: int) -> Iterator[Content]:
        if self.granted:
            yield said(self.granted, "bold $success")
        if self.signing is None:
            yield said("counting …", "dim")
        else:
            yield from signing_lines(self.signing, width, sheet=self.sheet)
