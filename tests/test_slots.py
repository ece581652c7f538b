"""Slots: what is written into one is read from it, here and in another process, and nothing else is."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from stager import slots as memory
from stager.crypto.keyset import new_keyset
from stager.errors import StagerError
from stager.ingest import hands
from stager.processes import processes
from stager.publish import pipeline
from stager.publish.encoding import RowsToSend
from stager.publish.handing import Handing
from stager.slots import Part, Slots, available, frame_of
from stager.tenant.profile import Profile

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


def _refusing(error: int, *, from_call: int = 1, flags: int = ~0) -> Callable[[str, int], int]:
    """A system that refuses such memory from a call on, or with one of these flags."""
    create, calls = os.memfd_create, iter(range(1, 100))

    def refuse(name: str, given: int) -> int:
        if next(calls) >= from_call and given & flags:
            raise OSError(error, os.strerror(error))
        return create(name, given)

    return refuse


def test_where_such_memory_is_refused_one_process_does_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of ingest as of publish, however much there is to do."""
    file = tmp_path / "large.csv"
    file.write_bytes(b"x")
    monkeypatch.setattr(hands, "MUCH_BYTES", 1)
    monkeypatch.setattr(pipeline, "FEW_ROWS", 1)
    keyset = new_keyset("t", datetime(2026, 11, 28, tzinfo=UTC))
    for refused in (False, True):
        if refused:
            monkeypatch.setattr(os, "memfd_create", _refusing(errno.EACCES))
        with (
            hands.hands([file]) as by,
            pipeline.encoding(keyset, "t", Profile.load("clinic"), rows=2, workers=2) as encode,
        ):
            assert by.beside is not refused
            assert isinstance(getattr(encode, "__self__", None), Handing) is not refused


def test_a_system_that_knows_no_seal_against_programs_gives_memory_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "memfd_create", _refusing(errno.EINVAL, flags=memory._NO_PROGRAM))
    assert available()
    with Slots(1) as slots:
        assert slots.parts(0, slots.fill(0, [b"bytes"])) == [b"bytes"]


def test_slots_that_cannot_all_be_had_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    before = sorted(Path("/proc/self/fd").iterdir())
    monkeypatch.setattr(os, "memfd_create", _refusing(errno.EMFILE, from_call=3))
    with pytest.raises(OSError, match="Too many open files"):
        Slots(4)
    assert sorted(Path("/proc/self/fd").iterdir()) == before


@pytest.mark.parametrize("part", [b"x" * 200_000, pl.DataFrame({"text": ["a secret" * 20] * 5000})])
def test_too_little_memory_is_told_without_a_value(part: Part) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Slots(1) as slots:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
        try:
            with pytest.raises(StagerError, match="no memory could be had") as caught:
                slots.fill(0, [part])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert "secret" not in str(caught.value)
        assert slots.parts(0, slots.fill(0, [b"bytes"])) == [b"bytes"]


def test_after_the_end_of_a_process_every_chunk_is_told_of_it() -> None:
    """None waits for a slot that nobody gives back."""
    part = RowsToSend(1, "notes", "{}", FRAME)
    with Slots(1) as slots, processes(1, begin, slots) as pool:
        with pytest.raises(BrokenProcessPool):
            pool.submit(os._exit, 1).result()
        handing = Handing(pool, slots)
        for _ in range(3):
            assert isinstance(handing.encode(part).exception(timeout=30), BrokenProcessPool)
