"""The plan's lines and the pieces they are cut into: the same bytes by another way, however they are cut."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from stager.approvals import cut_plan
from stager.plan_lines import NO_PIECE, hash_lines
from stager.publish.chunks import Chunk, as_recorded, by_size, cut_run
from stager.publish.runs import neighbours, write_runs
from stager.staging import Staging
from tests import faults
from tests.migration import Migration
from tests.spine import FILE_KEY

LINES = """
select plan.source_id, plan.row_no,
    netstring(plan.sheet) || netstring(plan.source_id) || netstring(plan.row_no)
    || netstring((select detail from event where kind in ('row.accepted', 'row.rejected')
        and event.source_id = plan.source_id and event.row_no = plan.row_no))
    || netstring(plan.patient_source) || netstring(plan.patient_row) || netstring(plan.patient_person)
    || netstring(plan.practitioner_source) || netstring(plan.practitioner_row)
    || netstring(plan.practitioner_person) || '-'
from plan order by 1, 2
"""
"""Nothing was typed in for these rows."""

NUMBERS = (None, 0, 1, 9, 10, 99, 100, 999, 1000, 99_999, 100_000, 999_999, 1_000_000, 2**31 - 1, -1, -10)
TEXTS = (None, "", "a", "é", "12:x,", "-", "日本" * 40)


@pytest.fixture(scope="module")
def migration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Migration]:
    """The faulty practice with everything approved that is ready."""
    made = Migration(tmp_path_factory.mktemp("lines") / "m")
    faults.build(made)
    made.approve()
    yield made
    made.close()


def test_the_parts_of_a_netstring_make_it_whole(tmp_path: Path) -> None:
    """Around any number or text they are the netstring itself."""
    query = "select netstring($x), concat({head}($x), $x, net_end($x))"
    with Staging.open(tmp_path / "s.duckdb", FILE_KEY) as staging:
        for head, values in (("number_head", NUMBERS), ("text_head", TEXTS)):
            for value in values:
                text = query.format(head=head).replace(
                    "$x", "$x::varchar" if head == "text_head" else "$x::bigint"
                )
                [(whole, parts)] = staging._execute(text, {"x": value}).fetchall()
                assert whole == parts


def test_hash_and_digests_are_of_the_lines_one_by_one(migration: Migration) -> None:
    """Made line by line from the netstrings, in Python, they come out the same, wherever the plan is cut."""
    staging = migration.staging
    plan = cut_plan(staging, by_size(2))
    lines = staging._execute(LINES).fetchall()
    whole = hashlib.sha256(b"stager/plan/1\n")
    for (source,) in staging.rows("plan_sources"):
        whole.update(source.encode())
    for *_, line in lines:
        whole.update(line.encode())
    assert plan.hash == whole.hexdigest() == cut_plan(staging).hash
    by_source: dict[int, list[tuple[int, str]]] = {}
    for source_id, row_no, line in lines:
        by_source.setdefault(source_id, []).append((row_no, line))
    expected = [
        (
            source_id,
            [row_no for row_no, _ in part],
            hashlib.sha256("".join(t for _, t in part).encode()).digest(),
        )
        for source_id, rows in by_source.items()
        for part in (rows[at : at + 2] for at in range(0, len(rows), 2))
    ]
    found = [(each.source_id, each.row_nos.tolist(), each.lines.digest()) for each in plan.pieces.values()]
    assert found == expected
    assert plan.total == len(lines) > 5


def test_a_recorded_run_is_found_again(migration: Migration) -> None:
    """A plan cut as its chunks were gives those pieces; rows of no chunk are of none."""
    staging = migration.staging
    plan = cut_plan(staging, by_size(1))
    run = cut_run(staging, plan, "maple", "profile")
    assert [chunk.chunk for chunk in run.chunks] == list(range(1, len(plan.pieces) + 1))
    kept = run.chunks[1:]
    again = hash_lines(staging, as_recorded(kept))
    assert sorted(again) == [chunk.chunk for chunk in kept]
    for chunk in kept:
        assert again[chunk.chunk].row_nos.tolist() == chunk.row_nos().to_list()
        assert again[chunk.chunk].first_event == chunk.first_event
        assert again[chunk.chunk].last_event == chunk.last_event


@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_cut_by_size_however_the_rows_come(size: int) -> None:
    """In stretches of any length: pieces of that size within each source, numbered without a gap."""
    chance = random.Random(size)
    sources = {1: 23, 2: 1, 5: 100, 6: 14}
    cut, found = by_size(size), dict[int, list[int]]()
    for source_id, count in sources.items():
        at = 0
        while at < count:
            step = chance.randint(1, 9)
            rows = np.arange(at, min(at + step, count)) * 2 + 1
            found.setdefault(source_id, []).extend(cut(source_id, rows).tolist())
            at += step
    first = 1
    for source_id, count in sources.items():
        assert found[source_id] == [first + at // size for at in range(count)]
        first += -(-count // size)


def test_cut_as_recorded_by_looking_each_row_up() -> None:
    """Rows interleaved among chunks, with gaps: the same as a look at every chunk's rows."""
    chance = random.Random(4)
    of = {row: chance.randint(0, 3) for row in range(1, 200)}
    rows = {n: np.array([row for row, chunk in of.items() if chunk == n]) for n in (1, 2, 3)}
    chunks = [
        Chunk(n, "notes", write_runs((7, *run) for run in neighbours(row_nos)), len(row_nos), 1, 2, "")
        for n, row_nos in rows.items()
    ]
    cut, asked = as_recorded(chunks), np.arange(1, 260)
    assert cut(7, asked).tolist() == [of.get(row, NO_PIECE) for row in asked.tolist()]
    assert set(cut(8, asked).tolist()) == {NO_PIECE}
