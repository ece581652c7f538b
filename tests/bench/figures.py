"""The lines of the table: what each part took, beside its part of the floor, and its budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median

from tests.bench.processes import Ran
from tests.bench.rounds import COUNTED, Measured
from tests.bench.stager_side import LATE, WAY

GIB = 2**30
MILLION = 1_000_000

PIECES = {"read": "floor: DuckDB reads the files", "seal": "floor: AES-GCM pass", "copy": "floor: text COPY"}
"""What the floor's pieces are called in the table, by the names of their clocks."""

FLOOR, NOT_COUNTED = "floor, whole", "not counted: linking, fetching"
WHOLE, IMPORT = "stager, the four commands", "stager import, all in one"
DLT, BESIDE_DLT, LOG = "dlt's bare load", "the same, beside dlt", "verify: the log alone"


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit. form: how it and what it limits are shown; at_most: or else at least; an aim binds nobody."""

    limit: float
    form: str
    at_most: bool = True
    is_aim: bool = False

    def __str__(self) -> str:
        limit = f"{'≤' if self.at_most else '≥'} {self.form.format(self.limit)}"
        return f"aim: {limit}" if self.is_aim else limit

    def met_by(self, value: float) -> bool:
        return value <= self.limit if self.at_most else value >= self.limit


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table.

    seconds, cpu: of every run. peak: the most bytes of memory held. held: its measure beside `against`, or by
    itself; None where it was not measured, or nothing limits it. has_rate: whether it is about every row.
    """

    what: str
    seconds: tuple[float, ...] = ()
    cpu: tuple[float, ...] = ()
    peak: int | None = None
    against: str = ""
    held: float | None = None
    budget: Budget | None = None
    has_rate: bool = True

    @property
    def typical(self) -> float | None:
        """The median of the runs."""
        return median(self.seconds) if self.seconds else None


@dataclass(frozen=True, slots=True)
class _Part:
    """What something is held against: seconds of each round, and how many times them it may take."""

    against: str
    seconds: Callable[[Measured], list[float]]
    limit: float
    is_aim: bool = False


def _of_floor(*pieces: str) -> Callable[[Measured], list[float]]:
    return lambda measured: [sum(run.seconds[piece] for piece in pieces) for run in measured.floor]


_HELD = {
    "ingest": _Part("DuckDB's read", _of_floor("read"), 3.0),
    "publish": _Part("AES-GCM pass + COPY", _of_floor("seal", "copy"), 0.8),
}
_ALL = _Part("the floor", _of_floor(*COUNTED), 1.0)
_BARE = _Part(DLT, lambda measured: [run.seconds for run in measured.dlt], 1.0, is_aim=True)

_AT_ONCE = ("reconcile after it", "publish of the ten")
"""What of LATE may take a second, however many rows there are: it grows with the change."""


def lines_of(measured: Measured) -> list[Line]:
    """Every line of the table, measured or not."""
    imported = _imported(measured)
    return [
        *_floor(measured),
        _dlt(measured),
        *(_stage(measured, command, _HELD.get(command)) for command in WAY),
        _beside(measured, _whole(measured), _ALL),
        _beside(measured, imported, _ALL),
        replace(_beside(measured, imported, _BARE), what=BESIDE_DLT, seconds=(), cpu=(), peak=None),
        _within_a_second(_stage(measured, "status")),
        *(_late(measured, what) for what in LATE),
        _stage(measured, "verify"),
        _log(measured),
        _memory(measured),
        _file(measured),
    ]


def _floor(measured: Measured) -> list[Line]:
    def line(what: str, *pieces: str) -> Line:
        cpu = tuple(sum(run.cpu[piece] for piece in pieces) for run in measured.floor)
        return Line(what, tuple(_of_floor(*pieces)(measured)), cpu)

    pieces = [line(what, piece) for piece, what in PIECES.items()]
    return [*pieces, line(FLOOR, *COUNTED), line(NOT_COUNTED, "fetch")]


def _dlt(measured: Measured) -> Line:
    runs = measured.dlt
    peak = max((run.peak for run in runs), default=None)
    return Line(DLT, tuple(run.seconds for run in runs), tuple(run.cpu for run in runs), peak)


def _stage(measured: Measured, command: str, part: _Part | None = None) -> Line:
    line = _command(command, [run.ran[command] for run in measured.stager])
    return line if part is None else _beside(measured, line, part)


def _imported(measured: Measured) -> Line:
    return _command(IMPORT, [run.ran for run in measured.imported])


def _command(what: str, ran: Sequence[Ran]) -> Line:
    peak = max((each.peak for each in ran), default=None)
    return Line(what, tuple(each.seconds for each in ran), tuple(each.cpu for each in ran), peak)


def _whole(measured: Measured) -> Line:
    seconds = tuple(run.seconds for run in measured.stager)
    cpu = tuple(sum(run.ran[command].cpu for command in WAY) for run in measured.stager)
    return Line(WHOLE, seconds, cpu)


def _beside(measured: Measured, line: Line, part: _Part) -> Line:
    held = _ratio(line.seconds, part.seconds(measured))
    budget = Budget(part.limit, "{:.2f} ×", is_aim=part.is_aim)
    return replace(line, against=part.against, held=held, budget=budget)


def _ratio(mine: Sequence[float], theirs: Sequence[float]) -> float | None:
    """The median of the rounds' ratios: what slowed the machine for a while slowed both of a round."""
    if not mine or not theirs:
        return None
    return median(one / other for one, other in zip(mine, theirs, strict=True))


def _late(measured: Measured, what: str) -> Line:
    line = replace(_stage(measured, what), has_rate=False)
    return _within_a_second(line) if what in _AT_ONCE else line


def _within_a_second(line: Line) -> Line:
    return replace(line, has_rate=False, held=line.typical, budget=Budget(1, "{:.2f} s"))


def _log(measured: Measured) -> Line:
    said = [run.verified for run in measured.stager]
    speed = median(each.events_per_second for each in said) if said else None
    budget = Budget(500_000, "{:,.0f} events/s", at_most=False)
    seconds = tuple(each.log_seconds for each in said)
    return Line(LOG, seconds, has_rate=False, held=speed, budget=budget)


def _memory(measured: Measured) -> Line:
    peaks = [run.peak for run in measured.stager] + [run.ran.peak for run in measured.imported]
    peak = max(peaks, default=None)
    held = None if peak is None else peak / GIB
    budget = Budget(2 if measured.rows <= MILLION else 3, "{:.2f} GiB")
    return Line("peak memory", peak=peak, held=held, budget=budget)


def _file(measured: Measured) -> Line:
    sizes = [run.file_size / measured.size for run in measured.stager]
    held = max(sizes, default=None)
    return Line("staging file", against="the CSV bytes", held=held, budget=Budget(2.5, "{:.2f} ×"))
