"""SHA-256 over columns against hashlib, message by message."""

from __future__ import annotations

from hashlib import sha256

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stager.binary import column_of
from stager.crypto.sha256 import digests


def by_hashlib(messages: list[bytes]) -> bytes:
    """The digests as Python's own library gives them."""
    return b"".join(sha256(message).digest() for message in messages)


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_binary_messages_are_hashed_each_by_itself(messages: list[bytes]) -> None:
    """Whatever bytes there are, and empty ones, in order; of none nothing comes."""
    assert digests(pl.Series(messages, dtype=pl.Binary)) == by_hashlib(messages)


@given(st.lists(st.text(max_size=80), max_size=20))
def test_texts_are_hashed_as_utf_8(messages: list[str]) -> None:
    """Texts with NULs, accents and signs beyond the first plane."""
    assert digests(pl.Series(messages, dtype=pl.String)) == by_hashlib([each.encode() for each in messages])


@pytest.mark.parametrize("length", [0, 55, 56, 63, 64, 65, 119, 120, 1 << 20])
def test_lengths_at_the_edges_of_a_block(length: int) -> None:
    """Where the padding needs a block of its own, and a cell as long as one may be."""
    message = bytes(range(256)) * (length // 256) + bytes(length % 256)
    assert digests(pl.Series([message, b""], dtype=pl.Binary)) == by_hashlib([message, b""])


def test_a_part_of_a_column_is_hashed_alone() -> None:
    """A slice, and a column in several pieces, give their own messages and no others."""
    whole = pl.Series([bytes([number]) * number for number in range(50)], dtype=pl.Binary)
    assert digests(whole[10:20]) == by_hashlib(whole.to_list()[10:20])
    pieces = pl.concat([whole[:7], whole[30:]], rechunk=False)
    assert digests(pieces) == by_hashlib(pieces.to_list())


def test_null_is_no_message() -> None:
    """A value that is not there is never hashed as though it were empty."""
    with pytest.raises(ValueError, match="NULL"):
        digests(pl.Series([b"a", None], dtype=pl.Binary))


def test_a_column_of_one_width_is_its_bytes_cut() -> None:
    """Bytes that are no whole values are refused."""
    assert column_of(b"abcdef", 2).to_list() == [b"ab", b"cd", b"ef"]
    assert column_of(b"", 32).to_list() == []
    with pytest.raises(ValueError, match="whole values"):
        column_of(b"abc", 2)
