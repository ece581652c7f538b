"""What a person decides on the command line: exactly one decision, with what it needs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from stager.cli import show_findings
from stager.errors import UsageError
from stager.wording import counted

if TYPE_CHECKING:
    from stager.session import Choice, Finding, Session

STANDARD_INPUT = "-"


class Verdict(Struct, frozen=True):
    """The decision options as they were given; the names are those of the options."""

    link: str | None = None
    suggestion: int | None = None
    accept: bool = False
    correct: str | None = None
    blank: bool = False
    release: bool = False
    keep_both: bool = False
    merge: str | None = None
    exclude: bool = False
    put_back: bool = False

    @property
    def name(self) -> str:
        """The one decision; UsageError where there is none or several."""
        every = (
            "link",
            "suggestion",
            "accept",
            "correct",
            "blank",
            "release",
            "keep_both",
            "merge",
            "exclude",
        )
        given = [each for each in (*every, "put_back") if getattr(self, each) not in (None, False)]
        if len(given) != 1:
            raise UsageError(
                f"{len(given)} decisions are named" if given else "no decision is named",
                hint="name one of "
                + ", ".join(f"--{each.replace('_', '-')}" for each in (*every, "put_back")),
            )
        return given[0]

    @property
    def is_about_rows(self) -> bool:
        """Whether it may be about rows as such."""
        return self.name in ("exclude", "put_back")

    @property
    def reads_input(self) -> bool:
        """Whether the new value comes from standard input, where it stays out of the shell's history."""
        return self.correct == STANDARD_INPUT

    def choice(self, session: Session, findings: Sequence[Finding], reason: str | None) -> Choice:
        """The decision as the session takes it."""
        from stager.session import Choice, Decision

        if self.name == "suggestion":
            return Choice(Decision.LINK, target=_suggested(findings, self.suggestion or 0), reason=reason)
        person = self.link or self.merge
        return Choice(
            Decision(self.name),
            target=session.place_of(person) if person else None,
            value=_typed() if self.reads_input else self.correct,
            reason=reason,
        )


def _typed() -> str:
    if sys.stdin.isatty():
        sys.stderr.write("new value: ")
        sys.stderr.flush()
    return sys.stdin.readline().rstrip("\r\n")


def _suggested(findings: Sequence[Finding], number: int) -> str:
    """The person that this suggestion names for every one of the findings alike."""
    named = set()
    for finding in findings:
        offers = show_findings.suggestions(finding)
        if not 1 <= number <= len(offers):
            raise UsageError(
                f"finding {finding.finding_id} has {counted(len(offers), 'suggestion')}, "
                f"so none is number {number}",
                where=finding.where,
                hint="stager findings shows them; --link names any person",
            )
        named.add(offers[number - 1]["patient"])
    if len(named) > 1:
        raise UsageError(
            f"suggestion {number} names {len(named)} different persons for these findings",
            hint="decide them one by one, or together those that --same-as ID gathers",
        )
    return named.pop() if named else ""
