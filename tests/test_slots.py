"""Slots: what is written into one is read from it, here and in another process, and nothing else is."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest

from stager.processes import processes
from stager.slots import Slots, frame_of

FRAME = pl.DataFrame(
    {
        "row_no": pl.Series([1, 2, 3], dtype=pl.Int32),
        "text": ["", None, 'a "note"\r\nwith é and \N{GRINNING FACE}' * 10],
        "id": pl.Series([b"\0" * 16, None, b"\xff" * 16], dtype=pl.Binary),
    }
)
_there: list[Slots] = []


def begin(slots: Slots) -> None:
    """Another process takes the slots that it inherits."""
    _there.append(slots)


def back_to_front(slot: int, lengths: list[int]) -> list[int]:
    """What stands in the slot, its parts in the other order, and each frame turned round."""
    first, second = _there[0].parts(slot, lengths)
    return _there[0].fill(slot, [second, frame_of(first).reverse()])


def test_another_process_reads_and_writes_the_same_memory() -> None:
    """A frame and bytes go there, come back otherwise, in two slots one after the other."""
    with Slots(2) as slots, processes(1, begin, slots) as pool:
        for slot in range(2):
            lengths = slots.fill(slot, [FRAME, b"tail"])
            changed = pool.submit(back_to_front, slot, lengths).result()
            tail, frame = slots.parts(slot, changed)
            assert tail == b"tail"
            assert frame_of(frame).equals(FRAME.reverse())


def test_what_was_in_a_slot_before_is_gone() -> None:
    """A shorter part over a longer one: its own bytes, and the memory of the rest is given back."""
    with Slots(1) as slots:
        slots.fill(0, [b"x" * 100_000])
        lengths = slots.fill(0, [b"short", b""])
        assert slots.parts(0, lengths) == [b"short", b""]
        assert os.fstat(slots._files[0]).st_size == 5
        with pytest.raises(EOFError):
            slots.parts(0, [6])


def test_a_slot_has_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody finds what is in it in a folder, be it one for temporary files."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with Slots(1) as slots:
        slots.fill(0, [FRAME])
        link = Path(f"/proc/self/fd/{slots._files[0]}").readlink()
        assert str(link).startswith("/memfd:")
        assert list(tmp_path.iterdir()) == []
