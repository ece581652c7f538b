"""The lines, tables and pictures that `make bench` makes of what it measured."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tests.bench import plots
from tests.bench.figures import Budget, Line, lines_of
from tests.bench.processes import Ran
from tests.bench.rounds import DltRun, FloorRun, Measured
from tests.bench.sizes import Sized, Sizes, section
from tests.bench.stager_side import LATE, WAY, ImportRun, StagerRun


def _measured(ingest: float, read: float) -> Measured:
    ran = {command: Ran(1.0, 1.5, 100, "") for command in (*WAY, *LATE, "status")}
    ran["ingest"] = Ran(ingest, ingest, 3 << 30, "")
    ran["verify"] = Ran(4.0, 4.0, 100, '{"seconds": {"log": 1.25}, "events_per_second": 480000}')
    seconds = {"read": read, "fetch": 50.0, "seal": 1.0, "copy": 4.0}
    stager = StagerRun(ran, published=10, late=10, events=600_000, file_size=500)
    bare = DltRun(seconds=3.0, cpu=2.0, peak=100, rows=10)
    imported = ImportRun(Ran(7.0, 9.0, 100, ""), published=10)
    return Measured(1_000_000, 200, "18", [FloorRun(seconds, seconds, 10)], [bare], [stager], [imported])


def _lines(measured: Measured) -> dict[str, Line]:
    return {line.what: line for line in lines_of(measured)}


def test_lines_are_held_against_their_part_of_the_floor() -> None:
    """Ingest by the read, publish by sealing and COPY, the whole by all three; fetching does not count."""
    lines = _lines(_measured(ingest=6.0, read=2.0))
    assert lines["ingest"].held == 3.0
    assert lines["publish"].held == pytest.approx(0.2)
    assert lines["stager, the four commands"].held == pytest.approx(9 / 7)
    assert lines["stager import, all in one"].held == 1.0
    assert (lines["peak memory"].held, lines["staging file"].held) == (3.0, 2.5)
    assert lines["status"].held == 1.0


def test_what_follows_a_change_may_take_a_second() -> None:
    """`reconcile` after a decision and `publish` of ten rows have that budget; what is around them none."""
    lines = _lines(_measured(ingest=6.0, read=2.0))
    limited = {what: (lines[what].held, str(lines[what].budget)) for what in LATE if lines[what].budget}
    assert limited == dict.fromkeys(("reconcile after it", "publish of the ten"), (1.0, "≤ 1.00 s"))


def test_the_whole_is_held_against_dlt_as_an_aim() -> None:
    """The one command's ratio stands below the floor's, and binds nobody; without dlt there is none."""
    measured = _measured(ingest=6.0, read=2.0)
    line = _lines(measured)["the same, beside dlt"]
    assert (line.held, str(line.budget)) == (pytest.approx(7 / 3), "aim: ≤ 1.00 ×")
    measured.dlt.clear()
    assert _lines(measured)["the same, beside dlt"].held is None


def test_verify_is_measured_as_a_command_and_by_its_log() -> None:
    """The command's seconds are what a person waits; the speed is that of the log's part alone."""
    lines = _lines(_measured(ingest=6.0, read=2.0))
    assert (lines["verify"].typical, lines["verify"].budget) == (4.0, None)
    log = lines["verify: the log alone"]
    assert (log.typical, log.held, str(log.budget)) == (1.25, 480_000, "≥ 500,000 events/s")


def test_a_budget_says_whether_it_is_met() -> None:
    """At most and at least, both including the limit itself."""
    at_most, at_least = Budget(3, "{:.2f} ×"), Budget(500_000, "{:,.0f} events/s", at_most=False)
    assert (at_most.met_by(3.0), at_most.met_by(3.01)) == (True, False)
    assert (at_least.met_by(500_000), at_least.met_by(499_999)) == (True, False)
    assert (str(at_most), str(at_least)) == ("≤ 3.00 ×", "≥ 500,000 events/s")


def test_ratios_are_taken_within_rounds() -> None:
    """A slow moment that took both sides of a round does not show."""
    measured = _measured(ingest=4.0, read=2.0)
    for factor in (1, 5):
        other = _measured(ingest=4.0 * factor, read=2.0 * factor)
        measured.floor += other.floor
        measured.dlt += other.dlt
        measured.stager += other.stager
        measured.imported += other.imported
    ingest = _lines(measured)["ingest"]
    assert (ingest.held, ingest.typical) == (2.0, 4.0)


@pytest.fixture
def sized() -> list[Sized]:
    """Two sizes, of which the second takes twice as long."""
    runs = [_measured(ingest=ingest, read=1.0).stager[0] for ingest in (3.0, 9.0)]
    return [Sized(rows, rows * 150, each) for rows, each in zip((10_000, 1_000_000), runs, strict=True)]


@pytest.mark.parametrize("picture", plots.PICTURES, ids=lambda picture: picture.name)
def test_a_picture_is_the_same_for_the_same_figures(picture: plots.Picture, sized: list[Sized]) -> None:
    """It is SVG without scripts, which names what it shows; nothing in it is drawn by lot or by the day."""
    drawn = plots.drawn(picture, sized)
    elements = list(ElementTree.fromstring(drawn).iter())
    assert {element.text for element in elements if element.text} >= set(WAY)
    assert "script" not in {element.tag.rpartition("}")[2] for element in elements}
    assert drawn == plots.drawn(picture, sized)
    assert drawn != plots.drawn(picture, sized[:1])


def test_stages_are_drawn_with_their_seconds(sized: list[Sized]) -> None:
    """Each bar carries its seconds, and each size the whole way's."""
    drawn = plots.drawn(plots.PICTURES[0], sized)
    texts = [element.text for element in ElementTree.fromstring(drawn).iter() if element.text]
    assert {"10 k: 6.0 s", "1 M: 12.0 s", "3.0", "9.0"} <= set(texts)


def test_sizes_are_a_table_with_the_pictures(sized: list[Sized]) -> None:
    """A line for each size, and every picture by its file."""
    text = section(Sizes(sized, "18"), [("CPU", "one")])
    assert "| 1,000,000 | 9.00 | 1.00 | 1.00 | 1.00 | 12.00 | 83,333 | " in text
    assert all(f"({plots.FOLDER}/{picture.name})" in text for picture in plots.PICTURES)
