"""The figures as Markdown, and their place in docs/performance.md."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from statistics import median

from tests.bench.figures import FLOOR, MILLION, PIECES, WHOLE, Line
from tests.bench.pairs import Asked, Measured
from tests.bench.stager_side import WAY

BEGINS, ENDS = "<!-- bench: begin -->\n", "<!-- bench: end -->\n"

_NONE = "–"
_WIDTH = 48
"""Characters of the chart's longest bar."""

_HEADING = ("what", "seconds", "CPU s", "rows/s", "peak MiB", "beside", "measured", "budget", "met")


def tables(asked: Asked, measured: Measured, lines: Sequence[Line], about: Sequence[tuple[str, str]]) -> str:
    """What was measured where, the table, the chart."""
    parts = [
        _practice(asked, measured),
        _table(lines, measured.rows),
        _chart(lines),
        _machine(measured, about),
    ]
    return "\n".join(parts)


def with_tables(text: str, new: str) -> str:
    """The page with what stands between its marks replaced. ValueError where it has no marks."""
    before, begins, rest = text.partition(BEGINS)
    _, ends, after = rest.partition(ENDS)
    if not begins or not ends:
        raise ValueError(f"the page has no place for the tables: {BEGINS.strip()} … {ENDS.strip()}")
    return before + BEGINS + new + ENDS + after


def _practice(asked: Asked, measured: Measured) -> str:
    practice = asked.practice
    rows = ", ".join(f"{count:,} {sheet}" for sheet, count in practice.rows.items())
    dirt = f", {practice.dirt:.2%} of them spoilt" if practice.dirt else ""
    pairs = "1 pair" if asked.repeat == 1 else f"{asked.repeat} pairs"
    lines = [f"{measured.rows:,} rows ({rows}{dirt}), {measured.size:,} bytes of CSV, seed {practice.seed}."]
    lines.append(f"Medians of {pairs} of runs, the least and the most in brackets.")
    if measured.rows < MILLION:
        lines.append("The budgets are for a million rows; with fewer, starting the programs weighs more.")
    if measured.floor:
        lines.append(f"The floor: {measured.floor[-1].rows:,} rows sent.")
    if measured.stager:
        last = measured.stager[-1]
        lines.append(
            f"Stager: {last.published:,} rows published, {last.events:,} events, "
            f"a staging file of {last.file_size:,} bytes."
        )
    return "\n".join(lines) + "\n"


def _table(lines: Sequence[Line], rows: int) -> str:
    body = [_HEADING, tuple("---" for _ in _HEADING), *(_cells(line, rows) for line in lines)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in body)


def _cells(line: Line, rows: int) -> tuple[str, ...]:
    typical, held, budget = line.typical, line.held, line.budget
    spread = f" ({min(line.seconds):.2f}–{max(line.seconds):.2f})" if len(line.seconds) > 1 else ""
    return (
        line.what,
        _NONE if typical is None else f"{typical:.2f}{spread}",
        f"{median(line.cpu):.2f}" if line.cpu else _NONE,
        _NONE if not typical else f"{rows / typical:,.0f}",
        _NONE if line.peak is None else f"{line.peak / 2**20:,.0f}",
        line.against or _NONE,
        _NONE if held is None or budget is None else budget.form.format(held),
        _NONE if budget is None else str(budget),
        _NONE if held is None or budget is None else ("yes" if budget.met_by(held) else "**no**"),
    )


def _chart(lines: Sequence[Line]) -> str:
    """A bar for each part of the two wholes, seconds to scale."""
    shown = {line.what: line.typical for line in lines if line.what in (*PIECES.values(), FLOOR, *WAY, WHOLE)}
    known = {what: seconds for what, seconds in shown.items() if seconds is not None}
    longest = max(known.values())
    bars = [
        f"{what:<30} {'█' * max(1, round(seconds / longest * _WIDTH)):<{_WIDTH}} {seconds:8.2f} s"
        for what, seconds in known.items()
    ]
    return "\n".join(["```text", *bars, "```", ""])


def _machine(measured: Measured, about: Sequence[tuple[str, str]]) -> str:
    day = datetime.now(tz=UTC).strftime("%Y-%m-%d")
    known = [("measured", day), *about, ("PostgreSQL", measured.postgres)]
    return "".join(f"- {name}: {value}\n" for name, value in known)
