"""The event log: dense, hashed to the letter however it was appended, sealed, and not to be rolled back."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from stager import event_log
from stager.crypto.signing import Signer
from stager.errors import IntegrityFailed
from stager.event_log import EventLog, Seal, last_seal
from stager.events import EVENT_KINDS
from stager.ready_events import leaves_of
from stager.staging import Staging
from tests.log_by_hand import Event, assert_sealed, encoding, events_of, leaf_of, seals_of
from tests.spine import FILE_KEY

AT = 1_790_000_000_000_000
SIGNER = Signer(bytes(range(32)))


# ---------------------------------------------------------------- fixtures

ODD_TEXTS = (
    "",
    "-",
    "0:,",
    "1:1,",
    "5:hello,",
    ",,::--",
    "12",
    "é",
    "e\N{COMBINING ACUTE ACCENT}",
    "\N{FAMILY}\N{ZERO WIDTH JOINER}\N{RIGHT-TO-LEFT OVERRIDE}",
    "quote ' and \" and ; --",
    "a\nb\r\tc",
    "NULL",
    "$at {table} %s",
    "a\0b",
)


def odd_text(rng: random.Random) -> str:
    """Text that would move a field's end, were its length not told, in bytes."""
    parts = [rng.choice(ODD_TEXTS) for _ in range(rng.randint(0, 3))]
    return "".join(parts) or rng.choice("0123456789:,-é")


def odd_rows(seed: int, count: int) -> list[dict[str, Any]]:
    """Rows to make events of, in the order in which a table of them is appended."""
    rng = random.Random(seed)
    rows = [
        {
            "sheet": rng.choice([None, odd_text(rng)]),
            "source_id": rng.choice([1, 2, 11, 2**31 - 1]),
            "row_no": number,
            "finding_id": rng.choice([None, 0, 1, 12, 2**40]),
            "detail": odd_text(rng),
        }
        for number in range(1, count + 1)
    ]
    return sorted(rows, key=lambda row: (row["source_id"], row["row_no"]))


def frame_of(rows: list[dict[str, Any]]) -> pl.DataFrame:
    schema = {
        "sheet": pl.String,
        "source_id": pl.Int32,
        "row_no": pl.Int32,
        "finding_id": pl.Int64,
        "detail": pl.String,
    }
    return pl.DataFrame(rows, schema=schema)


@pytest.fixture
def staging(tmp_path: Path) -> Iterator[Staging]:
    with Staging.open(tmp_path / "one.duckdb", FILE_KEY) as opened:
        yield opened


@pytest.fixture
def another(tmp_path: Path) -> Iterator[Staging]:
    with Staging.open(tmp_path / "two.duckdb", FILE_KEY) as opened:
        yield opened


def log_in(staging: Staging, actor: str = "o'eng:3,é") -> EventLog:
    return EventLog(staging, actor, lambda: AT)


# ---------------------------------------------------------------- leaves


def test_a_leaf_is_what_the_format_says(staging: Staging) -> None:
    """One event's leaf, written out: the format does not change under the logs that exist."""
    with staging.transaction():
        log_in(staging, "eng").append("link.withdrawn", sheet="notes", source_id=3, row_no=7)
    ((event, leaf),) = events_of(staging)
    assert encoding(event) == b"1:1,16:1790000000000000,3:eng,14:link.withdrawn,1:1,5:notes,1:3,1:7,-2:{},"
    assert bytes(leaf).hex() == "515dd183ff68f307b85fd59ad639d108b53527c173965127a04e3e40ee21581e"


def test_set_wise_and_one_by_one_give_the_same_leaves(
    staging: Staging, another: Staging, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events appended by a query equal those appended singly, and an independent encoding of both."""
    rows = odd_rows(seed=6962, count=60)
    with staging.transaction(), staging.lent(odd=frame_of(rows)):
        log = log_in(staging)
        assert log.append_rows("row.accepted", "odd") == len(rows)
        assert log.head == len(rows)
    monkeypatch.setattr(event_log, "compact", lambda detail: detail["text"])
    with another.transaction():
        log = log_in(another)
        for row in rows:
            about = {name: row[name] for name in ("sheet", "source_id", "row_no", "finding_id")}
            log.append("row.accepted", {"text": row["detail"]}, **about)
    set_wise, one_by_one = events_of(staging), events_of(another)
    assert set_wise == one_by_one
    assert [bytes(leaf) for _, leaf in set_wise] == [leaf_of(event) for event, _ in set_wise]
    expected = [
        (number, AT, "o'eng:3,é", "row.accepted", EVENT_KINDS["row.accepted"].version, *row.values())
        for number, row in enumerate(rows, 1)
    ]
    assert [event for event, _ in set_wise] == expected


def test_a_row_that_stands_nowhere_is_never_left_out_in_silence(staging: Staging) -> None:
    """A row without a source has no place in the order: the command fails, and nothing is appended."""
    rows = odd_rows(seed=7, count=3)
    rows[1]["source_id"] = None
    with (
        pytest.raises(IntegrityFailed, match="does not hold each of its events"),
        staging.transaction(),
        staging.lent(odd=frame_of(rows)),
    ):
        log_in(staging).append_rows("row.accepted", "odd")
    assert events_of(staging) == []


def test_of_no_rows_no_events_are_made(staging: Staging) -> None:
    """A stretch of a file in which every row was rejected has no accepted one, and takes no number."""
    ready = log_in(staging).stamp.ready("row.accepted", frame_of(odd_rows(seed=7, count=3)).clear(), 1)
    assert (ready.rows.height, ready.subtrees) == (0, [])


TEXT = st.text(alphabet="01:,-é\N{GRINNING FACE}", max_size=4)
COLUMNS = {
    "seq": pl.Int64,
    "at": pl.Int64,
    "actor": pl.String,
    "kind": pl.String,
    "version": pl.Int32,
    "sheet": pl.String,
    "source_id": pl.Int32,
    "row_no": pl.Int32,
    "finding_id": pl.Int64,
    "detail": pl.String,
}
ONE_EVENT = st.tuples(
    st.integers(1, 12),
    st.integers(0, 120),
    TEXT,
    TEXT,
    st.integers(1, 3),
    st.none() | TEXT,
    st.none() | st.integers(0, 12),
    st.none() | st.integers(0, 12),
    st.none() | st.integers(0, 12),
    TEXT,
)


@given(one=ONE_EVENT, other=ONE_EVENT)
def test_the_encoding_tells_any_two_events_apart(one: Event, other: Event) -> None:
    """No value, whatever digits, colons and commas it has, makes two events one leaf."""
    assert (encoding(one) == encoding(other)) is (one == other)


@given(events=st.lists(ONE_EVENT, min_size=1, max_size=4), alike=st.sets(st.integers(0, 9)))
def test_columns_give_each_event_its_own_leaf(events: list[Event], alike: set[int]) -> None:
    """Whether a column has the same in all rows, in some, or nothing in some of them or in all."""
    rows = [
        tuple(events[0][at] if at in alike else value for at, value in enumerate(event)) for event in events
    ]
    leaves = leaves_of(pl.DataFrame(rows, schema=COLUMNS, orient="row"))
    assert [leaves[at : at + 32] for at in range(0, len(leaves), 32)] == [leaf_of(row) for row in rows]


def test_text_cannot_be_moved_between_columns(staging: Staging) -> None:
    """An actor or a detail that imitates the encoding of its neighbours gets a leaf of its own."""
    imitations = [
        ("a", None, '{"x":"b"}'),
        ("a,1:b", None, "{}"),
        ("a", "-", "{}"),
        ("a", "-1:1,-", "{}"),
        ("a-", None, "{}"),
        ("1:a,", None, "{}"),
    ]
    with staging.transaction():
        for actor, sheet, detail in imitations:
            log_in(staging, actor).append("row.accepted", json.loads(detail), sheet=sheet)
    leaves = [bytes(leaf) for _, leaf in events_of(staging)]
    assert leaves == [leaf_of(event) for event, _ in events_of(staging)]
    assert len({encoding(event[2:]) for event, _ in events_of(staging)}) == len(imitations)


def test_seq_is_dense_from_1(staging: Staging) -> None:
    """Single and set-wise events share one numbering; an empty set takes no number."""
    with staging.transaction(), staging.lent(many=frame_of(odd_rows(1, 5)), none=frame_of([])):
        log = log_in(staging)
        assert log.append("reconcile.finished") == 1
        assert log.append_rows("finding.raised", "many") == 5
        assert log.append_rows("finding.raised", "none") == 0
        assert log.append("reconcile.finished") == 7
    with staging.transaction():
        assert log_in(staging).append("reconcile.finished") == 8
    assert [event[0] for event, _ in events_of(staging)] == list(range(1, 9))


def test_a_set_is_appended_in_the_order_of_its_rows(staging: Staging) -> None:
    """However a table of rows is ordered, its events follow source, row and finding."""
    rows = [
        {"sheet": "notes", "source_id": source, "row_no": row, "finding_id": finding, "detail": "{}"}
        for source in (1, 2)
        for row in (2, 10)
        for finding in (3, 20)
    ]
    with staging.transaction(), staging.lent(mixed=frame_of(rows[::-1])):
        log_in(staging).append_rows("finding.raised", "mixed")
    told = [(event[6], event[7], event[8]) for event, _ in events_of(staging)]
    assert told == sorted(told)


def test_a_log_with_a_gap_is_not_sealed(staging: Staging) -> None:
    """Where the log does not hold what its numbers say, a command ends with exit code 6."""
    with staging.transaction():
        log = log_in(staging)
        for _ in range(3):
            log.append("reconcile.finished")
        log.seal(SIGNER)
    staging._execute("delete from event where seq = 2")

    def append() -> None:
        with staging.transaction(), staging.lent(many=frame_of(odd_rows(1, 2))):
            log = log_in(staging)
            log.append_rows("row.accepted", "many")
            log.seal(SIGNER)

    with pytest.raises(IntegrityFailed) as caught:
        append()
    assert caught.value.exit_code == 6
    assert len(events_of(staging)) == 2


@pytest.mark.parametrize(
    "harm", ["delete from event where seq = 3", "update event set seq = 2 where seq = 3"]
)
def test_a_stretch_that_lost_an_event_is_not_sealed(staging: Staging, harm: str) -> None:
    """An event that got lost, or got another's number, on its way into the file stops the command."""

    def append() -> None:
        with staging.transaction(), staging.lent(many=frame_of(odd_rows(1, 5))):
            log = log_in(staging)
            log.append_rows("row.accepted", "many")
            staging._execute(harm)
            log.seal(SIGNER)

    with pytest.raises(IntegrityFailed):
        append()
    assert events_of(staging) == []


def test_a_reserved_number_is_kept_for_its_event(staging: Staging) -> None:
    """Events made ready before those that stand above them in the log; without these it is not sealed."""
    rows = frame_of(odd_rows(1, 4)).select("sheet", "source_id", "row_no", "finding_id", "detail")
    with staging.transaction():
        log = log_in(staging)
        first = log.reserve(2)
        log.append_ready(log.keep(log.stamp.ready("row.accepted", rows, log.reserve(rows.height))))
        with pytest.raises(IntegrityFailed):
            log.seal(SIGNER)
        for seq in (first, first + 1):
            assert log.append("reconcile.finished", seq=seq) == seq
        assert log.append("reconcile.finished") == 7
        log.seal(SIGNER)
    told = events_of(staging)
    assert [(event[0], event[3]) for event, _ in told] == [
        (seq, "row.accepted" if 3 <= seq <= 6 else "reconcile.finished") for seq in range(1, 8)
    ]
    assert [bytes(leaf) for _, leaf in told] == [leaf_of(event) for event, _ in told]
    assert_sealed(staging, SIGNER.public_key)


def test_a_detail_is_compact_sorted_and_without_blanks() -> None:
    """One detail has one text: keys sorted, no spaces, nothing that is None, letters as they are."""
    assert event_log.compact({"b": 1, "a": "é", "c": None}) == '{"a":"é","b":1}'


# ---------------------------------------------------------------- seals


def test_a_seal_signs_what_the_format_says() -> None:
    """The text under a signature, written out."""
    seal = Seal(2, AT, 4, 9, 9, bytes(32), bytes([255]) * 32)
    lines = ["stager/seal/1", "2", str(AT), "4", "9", "9", "00" * 32, "ff" * 32, ""]
    assert seal.message() == "\n".join(lines).encode()
    assert replace(seal, signature=b"s").digest() == hashlib.sha256(seal.message() + b"s").digest()


def test_seals_chain_over_the_whole_log(staging: Staging) -> None:
    """Stretches of any length, sealed one after the other, have the roots of the definition."""

    sizes = [1, 1, 2, 7, 1, 30, 3]
    for size in sizes:
        with staging.transaction(), staging.lent(stretch=frame_of(odd_rows(size, size))):
            log = log_in(staging)
            log.append_rows("row.accepted", "stretch")
            sealed = log.seal(SIGNER)
        assert sealed == last_seal(staging)
    assert [seal.last_seq - seal.first_seq + 1 for seal in assert_sealed(staging, SIGNER.public_key)] == sizes


def test_nothing_appended_nothing_sealed(staging: Staging) -> None:
    """A log without events, or without new ones, gets no seal."""
    with staging.transaction():
        log = log_in(staging)
        assert log.seal(SIGNER) is None
        log.append("reconcile.finished")
        assert log.seal(SIGNER) is not None
        assert log.seal(SIGNER) is None
    assert len(seals_of(staging)) == 1
