"""Review without the TUI: `status`, `rows`, `findings`, `decide`, `undo`, `approve`."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec import to_builtins

from stager.cli import options, show_account, show_findings
from stager.cli.invocation import Invocation, invocation
from stager.cli.verdict import Verdict
from stager.errors import UsageError
from stager.sheets import Code, State
from stager.wording import counted

if TYPE_CHECKING:
    from stager.approvals import Approval
    from stager.session import Choice, Filter, Finding, Session

_TOWARDS = {"merge": "into"}


class Standing(Enum):
    """Which findings are meant by how they stand."""

    OPEN = "open"
    DECIDED = "decided"
    CLOSED = "closed"
    ALL = "all"


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command(
        epilog=options.examples(
            "stager status", "stager status --expect patients=10231,notes=720000", "stager status --at 1200"
        )
    )(status)
    app.command(
        epilog=options.examples("stager rows --state held", "stager rows --sheet notes --json > rows.jsonl")
    )(rows)
    app.command(
        epilog=options.examples(
            "stager findings --code link.unresolved", "stager findings --same-as 12 --json"
        )
    )(findings)
    app.command(
        epilog=options.examples(
            "stager decide 12 --suggestion 1",
            'stager decide --code practitioner.unresolved --release --reason "left in 2019"',
            "stager decide --row notes:17 --exclude",
        )
    )(decide)
    app.command(epilog=options.examples("stager undo 345", 'stager undo 345 --reason "wrong patient"'))(undo)
    app.command(epilog=options.examples("stager approve", "stager approve --sheet patients --actor dr-lee"))(
        approve
    )


def status(context: typer.Context, expect: options.Expect = None, at: options.AtEvent = None) -> None:
    """Show the account, the open findings, and what to do next."""
    call = invocation(context)
    if expect and at:
        raise UsageError("what is expected is said now, not in the past", hint="leave out --at or --expect")
    with call.session() as session:
        if expect:
            session.expect(expect, actor=call.actor)
        found = session.status(at=at)
    show_account.status(call.screen, found)
    call.screen.document(show_account.status_document(found))


def rows(
    context: typer.Context,
    sheet: options.OfSheet = None,
    state: Annotated[
        State | None, typer.Option("--state", metavar="STATE", help="In this state only.")
    ] = None,
    code: options.OfCode = None,
    at: options.AtEvent = None,
) -> None:
    """List every row as it stands; with --json as JSON Lines."""
    call = invocation(context)
    shown = show_account.Rows(call.screen)
    with call.session() as session, call.screen.list_for_readers():
        for row in session.rows(
            sheet=sheet, state=state.value if state else None, code=code.value if code else None, at=at
        ):
            if call.screen.as_json:
                call.screen.line(show_account.row_document(row))
            else:
                shown.show(row)


def findings(
    context: typer.Context,
    code: options.OfCode = None,
    sheet: options.OfSheet = None,
    column: options.OfColumn = None,
    rule: options.OfRule = None,
    row: Annotated[int | None, typer.Option("--row", metavar="ROW", help="Of this row only.")] = None,
    state: Annotated[
        Standing, typer.Option("--state", metavar="STATE", help="open, decided, closed or all.")
    ] = Standing.OPEN,
    same_as: options.SameAs = None,
    at: options.AtEvent = None,
) -> None:
    """List findings with their suggestions, and no patient's values."""
    call = invocation(context)
    wanted = _filter(code, sheet, column, rule, same_as, row=row, state=state)
    with call.session() as session:
        found = session.findings(wanted, at=at)
    with call.screen.list_for_readers():
        show_findings.listed(call.screen, found)
        call.screen.document(show_findings.document(found))


def decide(
    context: typer.Context,
    ids: Annotated[
        list[int] | None, typer.Argument(metavar="ID...", help="Findings by their numbers.")
    ] = None,
    code: options.OfCode = None,
    sheet: options.OfSheet = None,
    column: options.OfColumn = None,
    rule: options.OfRule = None,
    same_as: options.SameAs = None,
    row: Annotated[
        list[str] | None,
        typer.Option("--row", metavar="SHEET:ROW", help="A row, for --exclude and --put-back."),
    ] = None,
    link: Annotated[
        str | None,
        typer.Option(metavar="PERSON", help="Link to a LegacyPatientID, row:SOURCE:ROW or tenant:ID."),
    ] = None,
    suggestion: Annotated[int | None, typer.Option(metavar="N", help="Link to the Nth suggestion.")] = None,
    accept: Annotated[bool, typer.Option("--accept", help="Accept the value as it stands.")] = False,
    correct: Annotated[
        str | None, typer.Option(metavar="VALUE", help="Correct the value; `-` reads it from standard input.")
    ] = None,
    blank: Annotated[bool, typer.Option("--blank", help="Leave the value out.")] = False,
    release: Annotated[bool, typer.Option("--release", help="Release without a practitioner.")] = False,
    keep_both: Annotated[bool, typer.Option("--keep-both", help="Keep both records.")] = False,
    merge: Annotated[str | None, typer.Option(metavar="PERSON", help="Merge into that person.")] = None,
    exclude: Annotated[bool, typer.Option("--exclude", help="Exclude the rows.")] = False,
    put_back: Annotated[bool, typer.Option("--put-back", help="Put excluded rows back.")] = False,
    reason: options.Reason = None,
    yes: options.Yes = False,
) -> None:
    """Decide findings or rows, all alike, as one undoable event.

    Findings are named by their numbers, or by filters; then the set is shown and asked about first.
    """
    call = invocation(context)
    verdict = Verdict(link, suggestion, accept, correct, blank, release, keep_both, merge, exclude, put_back)
    filters = {"--code": code, "--sheet": sheet, "--column": column, "--rule": rule, "--same-as": same_as}
    _refuse_mixture(verdict, ids, row, [name for name, given in filters.items() if given is not None])
    with call.session() as session:
        if row:
            _decide_rows(call, session, row, verdict, reason)
            return
        wanted = _filter(code, sheet, column, rule, same_as, ids=tuple(ids or ()))
        found = session.findings(wanted)
        if ids or not found or _agreed(call, found, verdict, yes=yes):
            _decide(call, session, found, verdict, reason)


def _refuse_mixture(
    verdict: Verdict, ids: list[int] | None, row: list[str] | None, filters: list[str]
) -> None:
    """UsageError unless exactly one way of naming what is meant is used, and it fits the decision."""
    ways = [
        *(["numbers"] if ids else []),
        *(["--row"] if row else []),
        *([" ".join(filters)] if filters else []),
    ]
    name = verdict.name.replace("_", "-")
    if row and not verdict.is_about_rows:
        raise UsageError(
            f"--{name} is about findings, not rows", hint="stager findings --row ROW shows their numbers"
        )
    if verdict.put_back and not row:
        raise UsageError("--put-back is about rows", hint="name them: --row SHEET:ROW")
    if len(ways) > 1:
        raise UsageError(
            f"the decision is about {' and '.join(ways)} at once", hint="name what is meant in one way"
        )
    if not ways:
        raise UsageError(
            "nothing is named to decide", hint="name findings by number or filter; stager findings lists them"
        )


def _agreed(call: Invocation, found: Sequence[Finding], verdict: Verdict, *, yes: bool) -> bool:
    """Show the set that is meant; whether the person agrees to it."""
    if not yes and (verdict.reads_input or not call.screen.can_ask()):
        raise UsageError(
            f"{counted(len(found), 'finding is', 'findings are')} meant, and nobody can be asked",
            hint="add --yes to decide what is meant",
        )
    show_findings.examples(call.screen, found)
    if yes:
        return True
    if call.screen.ask(f"decide all of them: {verdict.name.replace('_', ' ')}?"):
        return True
    call.screen.note("nothing was decided")
    return False


def _decide(
    call: Invocation, session: Session, found: Sequence[Finding], verdict: Verdict, reason: str | None
) -> None:
    choice = verdict.choice(session, found, reason)
    seq = session.decide(found, choice, actor=call.actor)
    _decided(call, seq, choice, counted(len(found), "finding"))
    numbers = [each.finding_id for each in found]
    call.screen.document({"seq": seq, "decision": verdict.name, "count": len(found), "findings": numbers})


def _decide_rows(
    call: Invocation, session: Session, named: Sequence[str], verdict: Verdict, reason: str | None
) -> None:
    parts = [each.partition(":") for each in named]
    pairs = [(sheet, row) for sheet, _, row in parts]
    choice = verdict.choice(session, (), reason)
    seq = session.decide_rows(pairs, choice, actor=call.actor)
    _decided(call, seq, choice, counted(len(pairs), "row"))
    call.screen.document({"seq": seq, "decision": verdict.name, "count": len(pairs), "rows": list(named)})


def _decided(call: Invocation, seq: int, choice: Choice, what: str) -> None:
    """Confirm a decision, and the person that it named by their place."""
    decision = choice.decision.value
    whom = f" {_TOWARDS.get(decision, 'to')} {show_findings.person(choice.target)}" if choice.target else ""
    call.screen.tell(f"decided {what} as event {seq}: {decision.replace('_', ' ')}{whom}")
    call.screen.tell(f"  to take it back: stager undo {seq}")


def undo(
    context: typer.Context,
    seq: Annotated[int, typer.Argument(metavar="SEQ", help="The number of the decision's event.")],
    reason: options.Reason = None,
) -> None:
    """Take a decision back, by a further event."""
    call = invocation(context)
    with call.session() as session:
        done = session.undo(seq, actor=call.actor, reason=reason)
    call.screen.tell(f"took decision {seq} back as event {done}")
    call.screen.document({"seq": done, "undoes": seq})


def approve(context: typer.Context, sheet: options.OfSheet = None, reason: options.Reason = None) -> None:
    """Approve the rows that are ready, and print the plan hash."""
    call = invocation(context)
    with call.session() as session:
        granted = session.approve(actor=call.actor, sheet=sheet, reason=reason)
    approved(call, granted)
    call.screen.document(to_builtins(granted))


def approved(call: Invocation, granted: Approval) -> None:
    """Show an approval: what was approved, and the hash that it binds."""
    if not call.screen.quiet:
        planned = granted.plan.rows
        rows = [(name, granted.rows.get(name, 0), count) for name, count in planned.items()]
        total = ("total", sum(granted.rows.values()), granted.plan.total)
        call.screen.table(("approved", "now", "to publish"), [*rows, total], last=True)
    call.screen.say(f"plan {granted.plan.hash}")


def _filter(
    code: Code | None,
    sheet: str | None,
    column: str | None,
    rule: str | None,
    same_as: int | None,
    *,
    ids: tuple[int, ...] = (),
    row: int | None = None,
    state: Standing = Standing.OPEN,
) -> Filter:
    from stager.session import Filter

    return Filter(
        ids=ids,
        code=code.value if code else None,
        sheet=sheet,
        field=options.field_of(column, sheet),
        rule=rule,
        row=row,
        same_as=same_as,
        state=None if state is Standing.ALL else state.value,
    )
