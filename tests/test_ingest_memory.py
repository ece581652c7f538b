"""The memory that taking a file in needs, whatever its size."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from sample_data.generate import Practice, generate
from tests.running import Place

GIBIBYTE = 1 << 30


def write_large(path: Path, folder: Path) -> None:
    """A file of notes of a gigabyte: made-up ones, again and again."""
    generate(folder, Practice(patients=2_000, background=10, notes=100_000, medications=10))
    header, _, body = (folder / "notes.csv").read_bytes().partition(b"\n")
    with path.open("wb") as file:
        file.write(header + b"\n")
        while file.tell() < 10**9:
            file.write(body)


@pytest.mark.soak
def test_a_gigabyte_is_taken_in_within_a_gibibyte(tmp_path: Path) -> None:
    """The most memory that `stager ingest` ever held, as the kernel counts it."""
    place = Place(tmp_path / "place")
    place.folder.mkdir()
    write_large(place.folder / "notes.csv", tmp_path / "made")
    running = place.start("ingest", "--synthetic", "notes.csv")
    most = 0
    while running.process.poll() is None:
        most = max(most, peak_of(running.process.pid))
        time.sleep(0.1)
    assert running.process.returncode == 0
    assert 0 < most <= GIBIBYTE


def peak_of(pid: int) -> int:
    """The most bytes of memory that a process has held; 0 where it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    peaks = [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
    return 1024 * peaks[0] if peaks else 0
