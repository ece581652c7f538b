"""`make bench` measures both sides and says what it found; how fast they are is not asked here."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from stager.sheets import SHEET
from stager.tenant.profile import Profile, Protect
from tests.bench import floor, page, run
from tests.bench.figures import Budget, lines_of
from tests.bench.pairs import FloorRun, Measured
from tests.bench.processes import Ran
from tests.bench.processes import run as run_program
from tests.bench.stager_side import WAY, StagerRun

TINY = ("--patients=200", "--background=200", "--notes=1200", "--medications=400", "--repeat=1")
LINES = (
    "floor: DuckDB reads the files",
    "floor: AES-GCM pass",
    "floor: text COPY",
    "floor, whole",
    "not counted: linking, fetching",
    "ingest",
    "reconcile",
    "approve",
    "publish",
    "stager, whole",
    "status",
    "verify",
    "peak memory",
    "staging file",
)


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """What a run on a tiny practice prints, and the page that it wrote."""
    out = tmp_path_factory.mktemp("bench") / "performance.md"
    shutil.copyfile(run.PAGE, out)
    command = [sys.executable, str(run.ROOT / "tests/bench/run.py"), *TINY, "--write", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, out.read_text(encoding="utf-8")


@pytest.mark.soak
def test_every_line_of_the_table_is_printed(printed: tuple[str, str]) -> None:
    """All parts of both sides are there, in their order, and each command has its time and memory."""
    rows = [line.strip("| ").split(" | ") for line in printed[0].splitlines() if line.startswith("| ")][2:]
    assert tuple(row[0] for row in rows) == LINES
    for row in rows:
        if row[0] in WAY or row[0] == "status":
            assert float(row[1]) > 0, row
            assert float(row[2]) > 0, row
            assert int(row[4]) > 10, row


@pytest.mark.soak
def test_both_sides_sent_every_row(printed: tuple[str, str]) -> None:
    """A practice without spoilt rows is in the tenant as a whole, by either way."""
    assert "The floor: 2,000 rows sent." in printed[0]
    assert "Stager: 2,000 rows published" in printed[0]


@pytest.mark.soak
def test_the_machine_is_described_and_not_named(printed: tuple[str, str]) -> None:
    """The figures say on what they were measured, and neither whose machine it is nor where on it."""
    assert all(f"- {name}: " in printed[0] for name in ("CPU", "RAM", "OS", "Python", "duckdb", "PostgreSQL"))
    assert socket.gethostname() not in printed[0]
    assert not re.search(r"(^|[\s`(])/\w", printed[0])


@pytest.mark.soak
def test_the_page_keeps_its_prose(printed: tuple[str, str]) -> None:
    """Only what stands between the marks is replaced, by what was printed."""
    text, written = printed
    prose = run.PAGE.read_text(encoding="utf-8")
    before, after = prose.split(page.BEGINS)[0], prose.split(page.ENDS)[1]
    assert written == before + page.BEGINS + text.rstrip("\n") + "\n" + page.ENDS + after


def test_a_page_without_marks_is_refused() -> None:
    """The tables are not written to a page that has no place for them."""
    with pytest.raises(ValueError, match="no place"):
        page.with_tables("# Performance\n", "| table |\n")


def test_the_page_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    """An option of the command line has its row in the page, and the other way round."""
    with pytest.raises(SystemExit):
        run.asked(["--help"])
    known = set(re.findall(r"--[a-z]+", capsys.readouterr().out)) - {"--help"}
    rows = [line for line in run.PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `--")]
    assert {option for line in rows for option in re.findall(r"--[a-z]+", line.split(" | ")[0])} == known


@pytest.mark.parametrize("wrong", [["--dirt=0.1"], ["--write", "--only=floor"], ["--repeat=0"]])
def test_what_cannot_be_measured_is_refused(wrong: list[str]) -> None:
    """Spoilt files beside the floor, a page with one side, no runs: wrong usage."""
    with pytest.raises(SystemExit) as ended:
        run.asked(wrong)
    assert ended.value.code == 2


def test_the_floor_fills_the_profiles_tables() -> None:
    """Its rows have the columns of `clinic` but for the blind index, and it seals what `clinic` protects."""
    with duckdb.connect() as duck:
        for sheet in SHEET.values():
            columns = ", ".join(f'"{column.name}" varchar' for column in sheet.columns)
            duck.execute(f"create table {sheet.name} ({columns})")
        for name, query in floor.queries().items():
            duck.execute(f"create table ready_{name} as {query}")
        for table in Profile.load("clinic").tables:
            made = [name for name, *_ in duck.execute(f"describe ready_{table.table}").fetchall()]
            wanted = [column.name for column in table.columns if column.index_of is None]
            assert sorted(made) == sorted([table.id_column, *wanted])
            sealed = tuple(column.name for column in table.columns if column.protect is not Protect.NONE)
            assert floor.PROTECTED.get(table.table, ()) == sealed


def test_the_floor_seals_each_cell_for_its_row() -> None:
    """Every cell opens with its own nonce, table and row, and an empty one stays empty."""
    key = AESGCM(bytes(32))
    rows = [("1", "text", "cough"), ("2", "text", None)]
    sealed = floor.seal("note", rows, [1, 2], key)
    cells = [cell for row in sealed for cell in row if cell]
    assert len({cell[:12] for cell in cells}) == 3
    for row, cell in (("1", sealed[0][0]), ("2", sealed[1][0])):
        assert cell is not None
        assert key.decrypt(cell[:12], cell[12:], f"note:{row}".encode()) == b"text"
    assert sealed[1][1] is None


def _measured(ingest: float, read: float) -> Measured:
    ran = {command: Ran(1.0, 1.5, 100, "") for command in (*WAY, "status", "verify")}
    ran["ingest"] = Ran(ingest, ingest, 3 << 30, "")
    seconds = {"read": read, "fetch": 50.0, "seal": 1.0, "copy": 4.0}
    stager = StagerRun(ran, published=10, events=600_000, file_size=500)
    return Measured(1_000_000, 200, "18", [FloorRun(seconds, seconds, 10)], [stager])


def test_lines_are_held_against_their_part_of_the_floor() -> None:
    """Ingest by the read, publish by sealing and COPY, the whole by all three; fetching does not count."""
    lines = {line.what: line for line in lines_of(_measured(ingest=6.0, read=2.0))}
    assert lines["ingest"].held == 3.0
    assert lines["publish"].held == pytest.approx(0.2)
    assert lines["stager, whole"].held == pytest.approx(9 / 7)
    assert (lines["peak memory"].held, lines["staging file"].held) == (3.0, 2.5)
    assert (lines["status"].held, lines["verify"].held) == (1.0, 600_000)


def test_a_budget_says_whether_it_is_met() -> None:
    """At most and at least, both including the limit itself."""
    at_most, at_least = Budget(3, "{:.2f} ×"), Budget(500_000, "{:,.0f} events/s", at_most=False)
    assert (at_most.met_by(3.0), at_most.met_by(3.01)) == (True, False)
    assert (at_least.met_by(500_000), at_least.met_by(499_999)) == (True, False)
    assert (str(at_most), str(at_least)) == ("≤ 3.00 ×", "≥ 500,000 events/s")


def test_ratios_are_taken_within_pairs() -> None:
    """A slow moment that took both sides of a pair does not show."""
    measured = _measured(ingest=4.0, read=2.0)
    for factor in (1, 5):
        other = _measured(ingest=4.0 * factor, read=2.0 * factor)
        measured.floor += other.floor
        measured.stager += other.stager
    (ingest,) = (line for line in lines_of(measured) if line.what == "ingest")
    assert (ingest.held, ingest.typical) == (2.0, 4.0)


def test_a_program_is_measured_with_its_children(tmp_path: Path) -> None:
    """Time and output are the program's, memory its own and that of the processes it began."""
    hold = "import time; held = b'x' * 60_000_000; time.sleep(0.6)"
    begin = f"import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', {hold!r}])"
    both = f"{begin}; {hold}; child.wait(); print('held')"
    ran = run_program([sys.executable, "-c", both], tmp_path, os.environ)
    assert ran.output == "held\n"
    assert ran.seconds > 0.6
    assert ran.cpu > 0
    assert ran.peak > 120_000_000


def test_a_program_that_fails_ends_the_measurement(tmp_path: Path) -> None:
    """What it said is shown, and no figure is made of it."""
    with pytest.raises(SystemExit, match="no such thing"):
        run_program([sys.executable, "-c", "raise SystemExit('no such thing')"], tmp_path, os.environ)
