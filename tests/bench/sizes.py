"""Stager alone on practices of several sizes, once each: does it stay linear, and within its memory?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench import page, plots
from tests.bench.places import Practice, ground, say
from tests.bench.rounds import run_stager
from tests.bench.stager_side import WAY, StagerRun

_HEADING = ("rows", *WAY, "whole, s", "rows/s", "verify", "status", "publish of ten", "peak MiB", "file")


@dataclass(frozen=True, slots=True)
class Sized:
    """One size. rows: in the files. size: the files' bytes."""

    rows: int
    size: int
    run: StagerRun


@dataclass(frozen=True, slots=True)
class Sizes:
    """Every size, the least first. postgres: the server's version."""

    sized: list[Sized]
    postgres: str


def measure(practices: Sequence[Practice]) -> Sizes:
    """Generate each practice, and go the whole way with it; says on standard error what it does."""
    with ground() as shared:
        sized = []
        for practice in practices:
            with shared.files(practice) as files, shared.place(f"sized_{practice.total}", files) as at:
                size = sum(path.stat().st_size for path in files)
                sized.append(Sized(practice.total, size, run_stager(at)))
            say(f"{practice.total:,} rows: stager {sized[-1].run.seconds:.1f} s")
        return Sizes(sized, shared.postgres)


def section(measured: Sizes, about: Sequence[tuple[str, str]]) -> str:
    """What was measured as Markdown: pictures, table, machine."""
    pictures = "\n\n".join(f"![{picture.about}]({plots.FOLDER}/{picture.name})" for picture in plots.PICTURES)
    figures = page.table(_HEADING, [_cells(each) for each in measured.sized])
    note = "Seconds, of one run each. File: the staging file's bytes beside those of the CSV files.\n"
    return "\n".join([f"{pictures}\n", figures, note, page.machine(measured.postgres, about)])


def _cells(sized: Sized) -> tuple[str, ...]:
    run = sized.run
    asides = ("verify", "status", "publish of the ten")
    return (
        f"{sized.rows:,}",
        *(f"{run.ran[command].seconds:.2f}" for command in WAY),
        f"{run.seconds:.2f}",
        f"{sized.rows / run.seconds:,.0f}",
        *(f"{run.ran[what].seconds:.2f}" for what in asides),
        f"{run.peak / 2**20:,.0f}",
        f"{run.file_size / sized.size:.2f} ×",
    )
