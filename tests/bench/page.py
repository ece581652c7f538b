"""The figures as Markdown, and their place in docs/performance.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median

from tests.bench.figures import DLT, FLOOR, IMPORT, MILLION, PIECES, WHOLE, Budget, Line
from tests.bench.rounds import Asked, Measured
from tests.bench.stager_side import WAY


@dataclass(frozen=True, slots=True)
class Marks:
    """The lines of the page between which something measured stands."""

    begins: str
    ends: str


ROUNDS = Marks("<!-- bench: begin -->\n", "<!-- bench: end -->\n")
SIZES = Marks("<!-- bench sizes: begin -->\n", "<!-- bench sizes: end -->\n")

_NONE = "–"
_WIDTH = 48
"""Characters of the chart's longest bar."""

_HEADING = ("what", "seconds", "CPU s", "rows/s", "peak MiB", "beside", "measured", "budget", "met")


def tables(asked: Asked, measured: Measured, lines: Sequence[Line], about: Sequence[tuple[str, str]]) -> str:
    """What was measured where, the table, the chart."""
    parts = [
        _practice(asked, measured),
        table(_HEADING, [_cells(line, measured.rows) for line in lines]),
        _chart(lines),
        machine(measured.postgres, about),
    ]
    return "\n".join(parts)


def with_tables(text: str, new: str, marks: Marks) -> str:
    """The page with what stands between the marks replaced. ValueError where it has no such marks."""
    before, begins, rest = text.partition(marks.begins)
    _, ends, after = rest.partition(marks.ends)
    if not begins or not ends:
        place = f"{marks.begins.strip()} … {marks.ends.strip()}"
        raise ValueError(f"the page has no place for the tables: {place}")
    return before + marks.begins + new + marks.ends + after


def table(heading: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [heading, ["---"] * len(heading), *body]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def machine(postgres: str, about: Sequence[tuple[str, str]]) -> str:
    """When and on what it was measured, as a list."""
    day = datetime.now(tz=UTC).strftime("%Y-%m-%d")
    known = [("measured", day), *about, ("PostgreSQL", postgres)]
    return "".join(f"- {name}: {value}\n" for name, value in known)


def _practice(asked: Asked, measured: Measured) -> str:
    practice = asked.practice
    rows = ", ".join(f"{count:,} {sheet}" for sheet, count in practice.rows.items())
    dirt = f", {practice.dirt:.2%} of them spoilt" if practice.dirt else ""
    rounds = "1 round" if asked.repeat == 1 else f"{asked.repeat} rounds"
    lines = [f"{measured.rows:,} rows ({rows}{dirt}), {measured.size:,} bytes of CSV, seed {practice.seed}."]
    lines.append(f"Medians of {rounds} of runs, the least and the most in brackets.")
    if measured.rows < MILLION:
        lines.append("The budgets are for a million rows; with fewer, starting the programs weighs more.")
    if measured.floor:
        lines.append(f"The floor: {measured.floor[-1].rows:,} rows sent.")
    if measured.dlt:
        lines.append(f"dlt: {measured.dlt[-1].rows:,} rows loaded.")
    if measured.stager:
        last = measured.stager[-1]
        lines.append(
            f"Stager: {last.published:,} rows published, {last.events:,} events, "
            f"a staging file of {last.file_size:,} bytes."
        )
    return "\n".join(lines) + "\n"


def _cells(line: Line, rows: int) -> tuple[str, ...]:
    typical, held, budget = line.typical, line.held, line.budget
    spread = f" ({min(line.seconds):.2f}–{max(line.seconds):.2f})" if len(line.seconds) > 1 else ""
    return (
        line.what,
        _NONE if typical is None else f"{typical:.2f}{spread}",
        f"{median(line.cpu):.2f}" if line.cpu else _NONE,
        f"{rows / typical:,.0f}" if typical and line.has_rate else _NONE,
        _NONE if line.peak is None else f"{line.peak / 2**20:,.0f}",
        line.against or _NONE,
        _NONE if held is None or budget is None else budget.form.format(held),
        _NONE if budget is None else str(budget),
        _NONE if held is None or budget is None else _met(budget, held),
    )


def _met(budget: Budget, held: float) -> str:
    if budget.met_by(held):
        return "yes"
    return "not yet" if budget.is_aim else "**no**"


def _chart(lines: Sequence[Line]) -> str:
    """A bar for each part of the wholes, seconds to scale."""
    drawn = (*PIECES.values(), FLOOR, DLT, *WAY, WHOLE, IMPORT)
    shown = {line.what: line.typical for line in lines if line.what in drawn}
    known = {what: seconds for what, seconds in shown.items() if seconds is not None}
    longest = max(known.values())
    bars = [
        f"{what:<30} {'█' * max(1, round(seconds / longest * _WIDTH)):<{_WIDTH}} {seconds:8.2f} s"
        for what, seconds in known.items()
    ]
    return "\n".join(["```text", *bars, "```", ""])
