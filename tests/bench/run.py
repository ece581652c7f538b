"""`make bench`: stager beside the naive floor, on one made-up practice and one PostgreSQL, in pairs.

Prints the tables of docs/performance.md; `--write` puts them there.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # run as a script, only this folder is on the path

from tests.bench import machine, page  # noqa: E402
from tests.bench.figures import lines_of  # noqa: E402
from tests.bench.pairs import ROWS, SIDES, Asked, Practice, measure  # noqa: E402

PAGE = ROOT / "docs" / "performance.md"
PRESETS = {"10k": 0.01, "100k": 0.1, "1m": 1, "10m": 10}
"""How many times the practice of a million rows."""


def asked(arguments: list[str] | None = None) -> tuple[Asked, Path | None]:
    """What the command line asks for, and the page to write to, if any."""
    parser = argparse.ArgumentParser(prog="tests/bench/run.py", description=__doc__)
    parser.add_argument("--rows", choices=PRESETS, default="1m", help="a practice of that size")
    for sheet in ROWS:
        parser.add_argument(f"--{sheet}", type=int, help="rows of the sheet, whatever --rows says")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="pairs of runs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dirt", type=float, default=0.0, help="share of spoilt rows; with --only stager")
    parser.add_argument("--only", choices=SIDES, help="measure one side")
    parser.add_argument("--write", action="store_true", help="put the tables into the page")
    parser.add_argument("--out", type=Path, default=PAGE, help="the page that --write changes")
    given = parser.parse_args(arguments)
    if given.repeat < 1:
        parser.error("--repeat is 1 or more")
    if given.dirt and given.only != "stager":
        parser.error(
            "DuckDB loses rows of spoilt files, so the floor has nothing to say of them: --only stager"
        )
    if given.write and given.only:
        parser.error("the page has both sides: --write without --only")
    practice = Practice({sheet: _rows(given, sheet) for sheet in ROWS}, given.seed, given.dirt)
    sides = (given.only,) if given.only else SIDES
    return Asked(practice, given.repeat, sides), given.out if given.write else None


def _rows(given: argparse.Namespace, sheet: str) -> int:
    told: int | None = getattr(given, sheet)
    if told is not None:
        return told
    return int(ROWS[sheet] * PRESETS[given.rows])


def main() -> None:
    """Measure, print, and write where that is asked."""
    wanted, out = asked()
    about = machine.described()
    measured = measure(wanted)
    text = page.tables(wanted, measured, lines_of(measured), about)
    print(text)
    if out:
        out.write_text(page.with_tables(out.read_text(encoding="utf-8"), text), encoding="utf-8")


if __name__ == "__main__":
    main()
