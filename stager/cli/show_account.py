"""The account as a statement: records by sheet and state, and the findings that hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import to_builtins

from stager.cli.screen import Cell, Screen
from stager.sheets import EXPLAINED, Code, State
from stager.wording import counted

if TYPE_CHECKING:
    from stager.account import SheetAccount
    from stager.session.views import Moment, RowLine, Status


def status(screen: Screen, found: Status) -> None:
    """The whole status: the account, the open findings, and what makes sense now."""
    synthetic = ", made-up patients" if found.synthetic else ""
    screen.say(f"migration {found.migration_id} for {found.tenant or 'no tenant yet'}{synthetic}")
    screen.say(
        f"{counted(found.events, 'event')} under {counted(found.seals, 'seal')}, root {found.root or 'none'}"
    )
    if found.moment:
        _moment(screen, found.moment)
    screen.say()
    account(screen, found)
    findings(screen, found)
    if not found.moment:
        next_step(screen, found)


def _moment(screen: Screen, moment: Moment) -> None:
    screen.say(f"as it stood after event {moment.seq:,} of {moment.at}")
    if moment.command_ends != moment.seq:
        screen.say(f"that is in the midst of a command, which ended with event {moment.command_ends:,}")


def account(screen: Screen, found: Status) -> None:
    """The statement: a column for each sheet, a line for each state, the sums, and whether they balance."""
    if not found.sheets:
        return
    lines: list[tuple[Cell, ...]] = [_line("records", found, lambda sheet: sheet.records)]
    lines += [
        _line(state.value, found, lambda sheet, state=state: sheet.states.get(state.value, 0))
        for state in State
    ]
    lines.append(_line("sum of states", found, lambda sheet: sum(sheet.states.values())))
    lines.append(_line("bytes", found, lambda sheet: sum(each.size for each in sheet.files)))
    lines.append(_line("bytes kept", found, lambda sheet: sum(each.bytes_kept for each in sheet.files)))
    if any(sheet.expected is not None for sheet in found.sheets):
        lines += _expected(found)
    balances = [("yes" if sheet.balances else "NO") for sheet in found.sheets]
    lines.append(("balances", *balances, "yes" if found.balances else "NO"))
    screen.table(("account", *(sheet.sheet for sheet in found.sheets), "total"), lines, last=True)
    if screen.verbose:
        screen.say()
        screen.table(
            ("source", "sheet", "file", "records", "blank", "bytes"),
            [
                (each.source_id, each.sheet, each.file, each.registered, each.blank, each.size)
                for sheet in found.sheets
                for each in sheet.files
            ],
        )
    screen.say()


def _expected(found: Status) -> list[tuple[Cell, ...]]:
    """The practice's own counts, and how far ours are from them."""
    told = [sheet.expected for sheet in found.sheets]
    apart = [sheet.difference for sheet in found.sheets]
    shown = ["" if each is None else "none" if each == 0 else f"{each:+,}" for each in apart]
    lines: list[tuple[Cell, ...]] = [("expected", *told, None), ("difference", *shown, None)]
    if replaced := [sheet.replaced for sheet in found.sheets if sheet.replaced]:
        lines.insert(0, ("replaced", *(sheet.replaced for sheet in found.sheets), sum(replaced)))
    return lines


def findings(screen: Screen, found: Status) -> None:
    """The open findings by code, with what each code means."""
    if not found.findings:
        return
    rows = [(code, count, EXPLAINED[Code(code)]) for code, count in found.findings.items()]
    screen.table(("open findings", "", "meaning"), rows)
    screen.say()


def next_step(screen: Screen, found: Status) -> None:
    """What to type next, and why."""
    screen.say(f"next: {found.next_step}", style="bold")
    screen.say(f"      {found.why_next}")


def status_document(found: Status) -> dict[str, Any]:
    """The status as JSON."""
    return {
        "migration_id": found.migration_id,
        "tenant": found.tenant,
        "synthetic": found.synthetic,
        "events": found.events,
        "seals": found.seals,
        "root": found.root,
        "balances": found.balances,
        "sheets": [_sheet(sheet) for sheet in found.sheets],
        "findings": {
            code: {"open": count, "meaning": EXPLAINED[Code(code)]} for code, count in found.findings.items()
        },
        "moment": to_builtins(found.moment) if found.moment else None,
        "next": {"command": found.next_step, "why": found.why_next},
    }


def row_document(row: RowLine) -> dict[str, Any]:
    """A row as a line of JSON Lines: these keys and no others."""
    return {
        "sheet": row.sheet,
        "file": row.file,
        "row": row.row,
        "line": row.line,
        "state": row.state,
        "codes": list(row.codes),
        "patient": row.patient,
        "via": row.via,
        "target_id": row.target_id,
    }


class Rows:
    """Rows one after the other, each under its sheet and file; nothing is held back for alignment."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._under: tuple[str, str] | None = None

    def show(self, row: RowLine) -> None:
        """Show a row, with the headings where another file begins."""
        if self._under != (row.sheet, row.file):
            if self._under:
                self._screen.say()
            self._under = (row.sheet, row.file)
            self._screen.say(f"{row.sheet}: {row.file}", style="bold")
            self._screen.say(self._laid_out("row", "line", "state", "patient", "via", "codes", "target id"))
        self._screen.say(
            self._laid_out(
                f"{row.row:,}",
                f"{row.line:,}",
                row.state,
                row.patient or "",
                row.via or "",
                " ".join(row.codes),
                row.target_id or "",
            )
        )

    def _laid_out(
        self, row: str, line: str, state: str, patient: str, via: str, codes: str, target: str
    ) -> str:
        text = f"{row:>9}  {line:>9}  {state:<9}  {patient:<12}  {via:<10}  {codes}"
        more = f"  {target}" if self._screen.verbose and target else ""
        return (text + more).rstrip()


def _line(name: str, found: Status, count: Any) -> tuple[Cell, ...]:
    counts = [count(sheet) for sheet in found.sheets]
    return (name, *counts, sum(counts))


def _sheet(sheet: SheetAccount) -> dict[str, Any]:
    return {
        "sheet": sheet.sheet,
        "records": sheet.records,
        "balances": sheet.balances,
        "states": sheet.states,
        "replaced": sheet.replaced,
        "expected": sheet.expected,
        "difference": sheet.difference,
        "files": [{**to_builtins(each), "balances": each.balances} for each in sheet.files],
    }
