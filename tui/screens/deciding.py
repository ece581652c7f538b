"""From a way to a choice: asks what a decision needs, looks where it must be looked first, then decides."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from stager.session import Choice, Decision
from stager.session.review_views import FindingView, Record, Way
from stager.sheets import PATIENTS, SHEET
from tui.screens.ask.bulk import Given
from tui.screens.ask.correct import AskValue
from tui.screens.ask.looks import look_at_row, look_at_two
from tui.screens.ask.person import AskPerson
from tui.screens.ask.reason import AskReason

if TYPE_CHECKING:
    from tui.screens.base import ReviewScreen

Decide = Callable[[Choice], Awaitable[None]]
"""Makes the decision about the finding that is shown; raises StagerError where it is refused."""


async def settle(screen: ReviewScreen, view: FindingView, way: Way, given: Given, decide: Decide) -> None:
    """Ask for the person, the value, the reason or the agreement that this way needs, and decide."""
    if way.needs == "person":
        await _person(screen, view, way, given, decide)
    elif way.needs == "value":
        await _value(screen, view, way, given, decide)
    elif way.decision is Decision.EXCLUDE:
        look = look_at_row(view, way, given.reason, masked=screen.review.masked)
        if (agreed := await screen.app.push_screen_wait(look)) is not None:
            await decide(Choice(way.decision, reason=agreed.reason))
    elif way.reason_required and given.reason is None:
        asked = AskReason("This decision needs a reason", required=True)
        if (agreed := await screen.app.push_screen_wait(asked)) is not None:
            await decide(Choice(way.decision, reason=agreed.reason))
    else:
        await decide(Choice(way.decision, reason=given.reason))


async def _person(screen: ReviewScreen, view: FindingView, way: Way, given: Given, decide: Decide) -> None:
    """Link to the candidate chosen; merging, and somebody whom no rule named, are looked at first."""
    if given.person is None:
        question = (
            "Whose row is it?" if way.decision is Decision.LINK else "Which record is the same person's?"
        )
        found = await screen.app.push_screen_wait(AskPerson(question, screen.review.desk))
        if found is not None:
            await _agreed(screen, view, way, found, given.reason, decide)
    elif way.decision is Decision.MERGE or way.reason_required:
        place = given.person
        other = await screen.ask(lambda session: session.record(place, PATIENTS.name))
        await _agreed(screen, view, way, other, given.reason, decide)
    else:
        await decide(Choice(way.decision, target=given.person, reason=given.reason))


async def _agreed(
    screen: ReviewScreen, view: FindingView, way: Way, other: Record, reason: str | None, decide: Decide
) -> None:
    look = look_at_two(view, way, other, reason, masked=screen.review.masked)
    if (agreed := await screen.app.push_screen_wait(look)) is not None:
        await decide(Choice(way.decision, target=other.place, reason=agreed.reason))


async def _value(screen: ReviewScreen, view: FindingView, way: Way, given: Given, decide: Decide) -> None:
    finding = view.line.finding
    column = SHEET[finding.sheet].column(finding.field or "")
    asked = AskValue(
        f"{column.name}: what should it be?",
        rule=column.about,
        allowed=view.look.allowed if view.look else column.vocabulary,
        came=view.line.cell,
        decide=lambda value, reason: decide(Choice(way.decision, value=value, reason=reason)),
        reason=given.reason,
        required=way.reason_required,
    )
    await screen.app.push_screen_wait(asked)
