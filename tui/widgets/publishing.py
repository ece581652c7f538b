"""Publishing as it goes: rows by sheet, how fast, how long still; and what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct, field
from textual.content import Content

from stager.sheets import SHEETS
from stager.visible import visible
from stager.wording import counted
from tui.widgets.lines import BLANK, heading, said, wrapped
from tui.widgets.signing import counts, plan_line

if TYPE_CHECKING:
    from stager.session import Published

_NAMED = 12
"""Refused rows that are named."""

_DOING = "publishing "


class Course(Struct):
    """How far a run is. planned, sent: rows by sheet. total: rows of this run; None while it is not known.

    Called as a progress in the thread that publishes; read by the screen.
    """

    planned: Mapping[str, int]
    tell: Callable[[str, int, int | None], None]
    clock: Callable[[], float] = time.monotonic
    what: str = "looking at the database"
    sent: dict[str, int] = field(default_factory=dict)
    done: int = 0
    total: int | None = None
    began: float | None = None

    def __call__(self, what: str, done: int, total: int | None) -> None:
        if what.startswith(_DOING):
            sheet = what.removeprefix(_DOING)
            self.sent = {**self.sent, sheet: self.sent.get(sheet, 0) + done - self.done}
            self.done, self.total = done, total
        self.began = self.began if self.began is not None else self.clock()
        self.what = what
        self.tell(what, done, total)

    @property
    def rate(self) -> float:
        """Rows a second so far; 0 while none is in."""
        spent = self.clock() - self.began if self.began is not None else 0.0
        return self.done / spent if spent > 0 else 0.0

    @property
    def left(self) -> float | None:
        """Seconds that are left at this rate; None while that is not known."""
        return (self.total - self.done) / self.rate if self.total is not None and self.rate else None


def course_lines(course: Course, width: int, *, dry_run: bool, stopping: bool) -> Iterator[Content]:
    """A bar for each sheet, then how fast and how long still."""
    what = "Rehearsing: it will all be rolled back" if dry_run else "Publishing"
    yield heading(f"{what} · {visible(course.what)}", width)
    room = max(min(width - 44, 60), 8)
    for sheet in SHEETS:
        planned, sent = course.planned.get(sheet.name, 0), course.sent.get(sheet.name, 0)
        if planned or sent:
            yield Content.assemble(
                f"  {sheet.name:<12} ", *_bar(sent, max(planned, sent), room), f" {sent:,} of {planned:,}"
            )
    yield BLANK
    left = f", about {_spoken(course.left)} left" if course.left is not None else ""
    rate = f"{course.rate:,.0f} rows/s" if course.rate else "beginning"
    yield said(f"  {rate}{left}", "bold")
    yield BLANK
    told = (
        "stopping after the rows that are on their way …"
        if stopping
        else "c stops it: what is in stays in, and publishing again goes on from there"
    )
    yield from wrapped(said(told, "bold $warning" if stopping else "dim"), width, 2)


def _bar(done: int, of: int, room: int) -> list[tuple[str, str]]:
    full = done * room // of if of else 0
    return [("█" * full, "$success"), ("░" * (room - full), "$secondary")]


def _spoken(seconds: float) -> str:
    if seconds < 90:
        return counted(max(round(seconds), 1), "second")
    return counted(round(seconds / 60), "minute")


class Outcome(Struct, frozen=True):
    """What came of a run. reports: where the report was written; trouble: why it was not."""

    done: Published
    dry_run: bool
    tenant: str
    reports: tuple[str, ...] = ()
    trouble: str = ""


def outcome_lines(outcome: Outcome, width: int) -> Iterator[Content]:
    """What is in the practice's database now, or would be."""
    done = outcome.done
    head = (
        "Rehearsed: it would go in so, and was rolled back"
        if outcome.dry_run
        else f"✓ Published to {visible(outcome.tenant)}"
    )
    yield heading(head, width)
    if not done.rows and not done.refused:
        yield said("  nothing was left to publish", "bold")
    else:
        yield from counts(("rows", done.sheets))
    rate = f", {done.rows / done.seconds:,.0f} rows/s" if done.seconds > 0 else ""
    yield said(f"  {counted(done.chunks, 'transaction')} in {done.seconds:.1f} s{rate}", "$secondary")
    yield from plan_line(done.plan_hash, width)
    if done.resumed:
        yield said("  it went on with a run that had been cut off", "$secondary")
    if done.already:
        yield said(f"  {counted(done.already, 'row')} of them were in already, by that run", "$secondary")
    if done.refused:
        more = f" and {len(done.refused) - _NAMED:,} more" if len(done.refused) > _NAMED else ""
        named = f"{counted(len(done.refused), 'row')}: {' '.join(done.refused[:_NAMED])}{more}"
        yield from wrapped(said(f"✗ the database refused {named}", "bold $error"), width, 2)
    for path in outcome.reports:
        yield from wrapped(Content.assemble(("  report  ", "dim"), (visible(path), "bold")), width)
    if outcome.trouble:
        yield from wrapped(said(f"the report was not written: {outcome.trouble}", "$warning"), width, 2)
