"""`make bench`: stager beside the naive floor and dlt's bare load, one practice, one PostgreSQL.

Prints the tables of docs/performance.md; `--write` puts them there. With `--sizes`, stager alone, once for
each size, with pictures.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # run as a script, only this folder is on the path

from tests.bench import machine, page, plots, sizes  # noqa: E402
from tests.bench.figures import lines_of  # noqa: E402
from tests.bench.places import ROWS, Practice, say  # noqa: E402
from tests.bench.rounds import SIDES, Asked, measure, missing  # noqa: E402

PAGE = ROOT / "docs" / "performance.md"
PRESETS = {"10k": 0.01, "100k": 0.1, "1m": 1, "10m": 10}
"""How many times the practice of a million rows."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for: rounds of runs, or stager alone on several practices.

    out: the page to write to, if any.
    """

    rounds: Asked
    sizes: tuple[Practice, ...]
    out: Path | None


def asked(arguments: list[str] | None = None) -> Wanted:
    """What the command line asks for."""
    parser = _parser()
    given = parser.parse_args(arguments)
    told = {sheet: getattr(given, sheet) for sheet in ROWS if getattr(given, sheet) is not None}
    if given.repeat < 1:
        parser.error("--repeat is 1 or more")
    if given.dirt and given.only != "stager":
        parser.error(
            "DuckDB loses rows of spoilt files, so the floor has nothing to say of them: --only stager"
        )
    if given.write and given.only:
        parser.error("the page has all sides: --write without --only")
    if given.sizes and (given.only or told):
        parser.error("--sizes says which practices, and measures stager alone")
    if given.only and missing(given.only):
        parser.error(
            f"--only {given.only} needs what `make bench` installs: {', '.join(missing(given.only))}"
        )
    practice = Practice({**_rows(given.rows), **told}, given.seed, given.dirt)
    sides = (given.only,) if given.only else tuple(side for side in SIDES if not missing(side))
    practices = tuple(Practice(_rows(size), given.seed) for size in given.sizes)
    return Wanted(Asked(practice, given.repeat, sides), practices, given.out if given.write else None)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tests/bench/run.py", description=__doc__)
    parser.add_argument("--rows", choices=PRESETS, default="1m", help="a practice of that size")
    for sheet in ROWS:
        parser.add_argument(f"--{sheet}", type=int, help="rows of the sheet, whatever --rows says")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="rounds of runs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dirt", type=float, default=0.0, help="share of spoilt rows; with --only stager")
    parser.add_argument("--only", choices=SIDES, help="measure one side")
    parser.add_argument("--sizes", type=_sizes, default=(), help="stager alone on practices of these sizes")
    parser.add_argument("--write", action="store_true", help="put the tables into the page")
    parser.add_argument("--out", type=Path, default=PAGE, help="the page that --write changes")
    return parser


def _sizes(text: str) -> tuple[str, ...]:
    named = tuple(text.split(","))
    if unknown := [name for name in named if name not in PRESETS]:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(PRESETS)}")
    return tuple(sorted(set(named), key=PRESETS.__getitem__))


def _rows(size: str) -> dict[str, int]:
    return {sheet: int(count * PRESETS[size]) for sheet, count in ROWS.items()}


def main() -> None:
    """Measure, print, and write where that is asked."""
    wanted = asked()
    about = machine.described()
    if wanted.sizes:
        _measure_sizes(wanted, about)
    else:
        _measure_rounds(wanted, about)


def _measure_rounds(wanted: Wanted, about: list[tuple[str, str]]) -> None:
    if lacking := [side for side in SIDES if missing(side)]:
        say(f"{lacking[0]} is left out: {missing(lacking[0])[0]} is not installed; `make bench` installs it")
    measured = measure(wanted.rounds)
    _show(wanted, page.ROUNDS, page.tables(wanted.rounds, measured, lines_of(measured), about))


def _measure_sizes(wanted: Wanted, about: list[tuple[str, str]]) -> None:
    measured = sizes.measure(wanted.sizes)
    _show(wanted, page.SIZES, sizes.section(measured, about))
    if wanted.out:
        plots.write(measured.sized, wanted.out.parent / plots.FOLDER)


def _show(wanted: Wanted, marks: page.Marks, text: str) -> None:
    print(text)
    if wanted.out:
        old = wanted.out.read_text(encoding="utf-8")
        wanted.out.write_text(page.with_tables(old, text, marks), encoding="utf-8")


if __name__ == "__main__":
    main()
