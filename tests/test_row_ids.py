"""Ids of published rows: one row, one id, in the order of the rows."""

from __future__ import annotations

from itertools import pairwise
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stager.row_ids import FRAME_BEFORE, FRAME_BEHIND, LAST_ROW, row_id, row_id_column, row_id_frame

slugs = st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True)
sheets = st.sampled_from(["patients", "background", "notes", "medications"])
digests = st.binary(min_size=32, max_size=32).map(bytes.hex)
rows = st.integers(1, LAST_ROW)


@given(slugs, sheets, digests, st.lists(rows, max_size=20))
def test_all_forms_agree(tenant: str, sheet: str, sha256: str, numbers: list[int]) -> None:
    """The column holds, bit for bit, what the rows have one by one, in the frame that they share."""
    column = row_id_column(tenant, sheet, sha256, numbers).to_list()
    ids = [row_id(tenant, sheet, sha256, number) for number in numbers]
    assert column == [each.bytes for each in ids]
    frame = row_id_frame(tenant, sheet, sha256)
    assert all(str(each)[:FRAME_BEFORE] + str(each)[-FRAME_BEHIND:] == frame for each in ids)


@given(slugs, sheets, digests, rows)
def test_an_id_is_a_version_8_uuid(tenant: str, sheet: str, sha256: str, number: int) -> None:
    """Version and variant bits are those of RFC 9562."""
    made = row_id(tenant, sheet, sha256, number)
    assert (made.bytes[6] >> 4, made.variant) == (8, RFC_4122)


@given(slugs, sheets, digests, st.lists(rows, min_size=2, unique=True))
def test_ids_of_a_source_ascend_with_its_rows(
    tenant: str, sheet: str, sha256: str, numbers: list[int]
) -> None:
    """Rows in their order have ids in theirs, so a chunk's ids lie together."""
    ids = [row_id(tenant, sheet, sha256, number) for number in sorted(numbers)]
    assert all(before.bytes < after.bytes for before, after in pairwise(ids))


@given(st.lists(st.tuples(slugs, sheets, digests, rows), unique=True, max_size=30))
def test_no_two_rows_share_an_id(places: list[tuple[str, str, str, int]]) -> None:
    """Another tenant, sheet, file or row: another id."""
    assert len({row_id(*place) for place in places}) == len(places)


def test_an_id_never_changes() -> None:
    """The layout is a contract with every database published to: this value stands for ever."""
    made = row_id("maple-surgery", "notes", "ab" * 32, 0x0ABCDEF)
    assert made == UUID("d684fcb2-0abc-8def-a867-c808bae0ed50")


def test_a_text_cannot_run_into_its_neighbour() -> None:
    """Parts are framed by their lengths."""
    assert row_id("ab", "c", "00", 1) != row_id("a", "bc", "00", 1)


@pytest.mark.parametrize("number", [0, -1, LAST_ROW + 1])
def test_a_row_number_that_does_not_fit_is_refused(number: int) -> None:
    """Rather than share another row's id."""
    with pytest.raises(ValueError, match="row number"):
        row_id("a", "notes", "00", number)
    with pytest.raises(ValueError, match="row number"):
        row_id_column("a", "notes", "00", [1, number])
