"""The memory that taking a file in needs, whatever its size."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sample_data.generate import Practice, generate
from tests.bench.processes import run
from tests.running import Place

GIBIBYTE = 1 << 30


def write_large(path: Path, folder: Path, size: int) -> None:
    """A file of so many bytes, or a little more: made-up notes, again and again."""
    generate(folder, Practice(patients=2_000, background=10, notes=100_000, medications=10))
    header, _, body = (folder / "notes.csv").read_bytes().partition(b"\n")
    with path.open("wb") as file:
        file.write(header + b"\n")
        while file.tell() < size:
            file.write(body)


@pytest.mark.soak
def test_a_gigabyte_is_taken_in_within_a_gibibyte(tmp_path: Path) -> None:
    """The most memory that `stager ingest` and the process that reads for it were seen to hold together."""
    place = Place(tmp_path / "place")
    place.folder.mkdir()
    write_large(place.folder / "notes.csv", tmp_path / "made", 10**9)
    command = [sys.executable, "-m", "stager.cli", "ingest", "--synthetic", "notes.csv"]
    assert 0 < run(command, place.folder, place.whole_environ).peak <= GIBIBYTE
