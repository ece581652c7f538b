"""The lines of the table: what each part took, beside its part of the floor, and its budget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import median

from tests.bench.pairs import COUNTED, FloorRun, Measured
from tests.bench.stager_side import WAY

GIB = 2**30
MILLION = 1_000_000

PIECES = {"read": "floor: DuckDB reads the files", "seal": "floor: AES-GCM pass", "copy": "floor: text COPY"}
"""What the floor's pieces are called in the table, by the names of their clocks."""

FLOOR, NOT_COUNTED, WHOLE = "floor, whole", "not counted: linking, fetching", "stager, whole"


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit. form: how it and what it limits are shown; at_most: or else at least."""

    limit: float
    form: str
    at_most: bool = True

    def __str__(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {self.form.format(self.limit)}"

    def met_by(self, value: float) -> bool:
        return value <= self.limit if self.at_most else value >= self.limit


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table.

    seconds, cpu: of every run. peak: the most bytes of memory held. held: its measure beside `against`, or by
    itself; None where it was not measured, or nothing limits it.
    """

    what: str
    seconds: tuple[float, ...] = ()
    cpu: tuple[float, ...] = ()
    peak: int | None = None
    against: str = ""
    held: float | None = None
    budget: Budget | None = None

    @property
    def typical(self) -> float | None:
        """The median of the runs."""
        return median(self.seconds) if self.seconds else None


@dataclass(frozen=True, slots=True)
class _Part:
    """What a command is held against: seconds of the floor's run of the same pair."""

    against: str
    floor: Callable[[FloorRun], float]
    limit: float


_HELD = {
    "ingest": _Part("DuckDB's read", lambda run: run.seconds["read"], 3.0),
    "publish": _Part("AES-GCM pass + COPY", lambda run: run.seconds["seal"] + run.seconds["copy"], 0.8),
}
_ALL = _Part("the floor", lambda run: run.whole, 1.0)


def lines_of(measured: Measured) -> list[Line]:
    """Every line of the table, measured or not."""
    return [
        *_floor(measured),
        *(_stage(measured, command, _HELD.get(command)) for command in WAY),
        _whole(measured),
        _status(measured),
        _verify(measured),
        _memory(measured),
        _file(measured),
    ]


def _floor(measured: Measured) -> list[Line]:
    def line(what: str, *pieces: str) -> Line:
        seconds = tuple(sum(run.seconds[piece] for piece in pieces) for run in measured.floor)
        return Line(what, seconds, tuple(sum(run.cpu[piece] for piece in pieces) for run in measured.floor))

    pieces = [line(what, piece) for piece, what in PIECES.items()]
    return [*pieces, line(FLOOR, *COUNTED), line(NOT_COUNTED, "fetch")]


def _stage(measured: Measured, command: str, part: _Part | None) -> Line:
    ran = [run.ran[command] for run in measured.stager if command in run.ran]
    line = Line(
        command,
        tuple(each.seconds for each in ran),
        tuple(each.cpu for each in ran),
        max((each.peak for each in ran), default=None),
    )
    return line if part is None else _beside(measured, line, part)


def _whole(measured: Measured) -> Line:
    seconds = tuple(run.seconds for run in measured.stager)
    cpu = tuple(sum(run.ran[command].cpu for command in WAY) for run in measured.stager)
    return _beside(measured, Line(WHOLE, seconds, cpu), _ALL)


def _beside(measured: Measured, line: Line, part: _Part) -> Line:
    held = _ratio(measured, line.seconds, part)
    return replace(line, against=part.against, held=held, budget=Budget(part.limit, "{:.2f} ×"))


def _ratio(measured: Measured, seconds: tuple[float, ...], part: _Part) -> float | None:
    """The median of the pairs' ratios: what slowed the machine for a while slowed both of a pair."""
    if not measured.floor or not seconds:
        return None
    return median(mine / part.floor(run) for mine, run in zip(seconds, measured.floor, strict=True))


def _status(measured: Measured) -> Line:
    line = _stage(measured, "status", None)
    return replace(line, held=line.typical, budget=Budget(1, "{:.2f} s"))


def _verify(measured: Measured) -> Line:
    speeds = [run.events / run.ran["verify"].seconds for run in measured.stager if "verify" in run.ran]
    budget = Budget(500_000, "{:,.0f} events/s", at_most=False)
    return replace(_stage(measured, "verify", None), held=median(speeds) if speeds else None, budget=budget)


def _memory(measured: Measured) -> Line:
    peak = max((run.peak for run in measured.stager), default=None)
    held = None if peak is None else peak / GIB
    budget = Budget(2 if measured.rows <= MILLION else 3, "{:.2f} GiB")
    return Line("peak memory", peak=peak, held=held, budget=budget)


def _file(measured: Measured) -> Line:
    sizes = [run.file_size / measured.size for run in measured.stager]
    held = max(sizes, default=None)
    return Line("staging file", against="the CSV bytes", held=held, budget=Budget(2.5, "{:.2f} ×"))
