"""A staging file damaged in its bytes, and the command line's answers to all that verify finds."""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path

import pytest

from stager.errors import IntegrityFailed, StagingUnavailable
from tests.cli_calls import Stager, caller, own_place
from tests.postgres import SLUG
from tests.verify_migration import Built, Spoilable

HEADER = 3 * 4096
BLOCK = 262_144


def used_blocks(built: Built) -> set[int]:
    """The file's blocks that hold anything; the others are left from before, and no query reads them."""
    tables = [
        row[0] for row in built.ask("select table_name from duckdb_tables() where database_name = 'stg'")
    ]
    used = {0} | {row[0] for row in built.ask("select block_id from pragma_metadata_info()")}
    for table in tables:
        for first, more in built.ask(
            f"select block_id, additional_block_ids from pragma_storage_info('{table}')"
        ):
            used |= {first, *(more or [])}
    return used


def flip(built: Built, bits: random.Random) -> int:
    """Turn one bit of the staging file over; the block it was in, -1 for the header."""
    content = bytearray(built.settings.staging.read_bytes())
    at = bits.randrange(len(content))
    content[at] ^= 1 << bits.randrange(8)
    built.settings.staging.write_bytes(content)
    return (at - HEADER) // BLOCK if at >= HEADER else -1


def require_found(built: Built, whole: bytes, used: set[int], bits: random.Random) -> None:
    """A turned bit is damage or an unreadable file, never a fault, nor in order where it matters."""
    built.settings.staging.write_bytes(whole)
    block = flip(built, bits)
    try:
        built.verify()
    except (IntegrityFailed, StagingUnavailable):
        return
    assert block not in used


def test_turned_bits_are_found(copied: Built) -> None:
    """Wherever a block is used, one bit of it is enough."""
    used, whole, bits = used_blocks(copied), copied.settings.staging.read_bytes(), random.Random(23)
    for _ in range(2):
        require_found(copied, whole, used, bits)


@pytest.mark.soak
def test_many_turned_bits_are_found(copied: Built) -> None:
    """The same, some hundreds of times."""
    used, whole, bits = used_blocks(copied), copied.settings.staging.read_bytes(), random.Random(7)
    for _ in range(400):
        require_found(copied, whole, used, bits)


@pytest.mark.parametrize("keep", [0, 1, 4096, HEADER, HEADER + BLOCK, -BLOCK, -1])
def test_a_cut_file_is_found(copied: Built, keep: int) -> None:
    """A file cut off at any length does not verify."""
    content = copied.settings.staging.read_bytes()
    copied.settings.staging.write_bytes(content[:keep])
    with pytest.raises((IntegrityFailed, StagingUnavailable)):
        copied.verify()


@pytest.mark.parametrize(
    "statement",
    [
        "update migration set value = '../../x' where name = 'migration_id'",
        "update migration set value = '00000000-0000-4000-8000-000000000000' where name = 'migration_id'",
        "delete from migration where name = 'migration_id'",
        "delete from migration where name = 'schema_version'",
        "delete from migration where name = 'public_key'",
        "update migration set value = 'x' where name = 'schema_version'",
        "drop table seal",
        "drop table row_notes",
        "alter table event drop column actor",
        "update source set rules = 'x', columns = 'x'",
        "update source set columns = '{}'",
    ],
)
def test_what_makes_a_file_unreadable_is_found(copied: Built, statement: str) -> None:
    """Facts of the file, or whole tables, gone or of another form: an integrity failure, never a fault."""
    copied.spoil(statement)
    with pytest.raises((IntegrityFailed, StagingUnavailable)):
        copied.verify()


VALUES = {
    "VARCHAR": "'x'",
    "INTEGER": "7",
    "BIGINT": "7",
    "DOUBLE": "0.25",
    "BOOLEAN": "not coalesce({}, false)",
    "BLOB": "'\\x07'::blob",
}


@pytest.mark.soak
def test_any_cell_of_any_table_altered_is_found(built: Built) -> None:
    """Every column of every table: one cell of a random row set to another value, and to NULL."""
    bits = random.Random(11)
    with built.opened() as opened:
        tables = opened.staging._execute(
            "select table_name, column_name, data_type, is_nullable from duckdb_columns()"
            " where database_name = 'stg' and schema_name = 'main' order by 1, 2"
        ).fetchall()
        for table, column, kind, nullable in tables:
            [(rows,)] = opened.staging._execute(f"select count(*) from stg.main.{table}").fetchall()
            if not rows or (table, column) == ("migration", "value"):
                continue
            for value in (VALUES[kind].format(f'"{column}"'), *(["null"] if nullable else [])):
                _require_found(opened, table, column, value, bits.randrange(rows))


def _require_found(opened: Spoilable, table: str, column: str, value: str, place: int) -> None:
    chosen = f"rowid = (select rowid from {table} order by rowid limit 1 offset {place})"
    change = f'update {table} set "{column}" = {value} where {chosen}'
    opened.staging._execute("begin")
    try:
        before = opened.staging._execute(f'select "{column}" from {table} where {chosen}').fetchall()
        opened.staging._execute(change)
        if opened.staging._execute(f'select "{column}" from {table} where {chosen}').fetchall() == before:
            return
        with suppress(IntegrityFailed):
            opened.session.verify()
            pytest.fail(f"not found: {change}")
    finally:
        opened.staging._execute("rollback")


@pytest.fixture
def stager(copied: Built, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Stager:
    """The command line, in the folder of the copied migration."""
    own_place(monkeypatch, copied.folder)
    return caller(capsys)


def test_the_command_tells_what_is_in_order(copied: Built, stager: Stager) -> None:
    """Exit 0, the counts, the root and the key; the same as one JSON document."""
    said = stager("verify", "-t", SLUG, "--deep")
    assert said.code == 0
    assert "verified: migration" in said.out
    assert f"tenant {SLUG}:" in said.out
    told = stager("verify", "--json").document
    assert (told["verified"], told["head_kept"], told["tenant"]) == (True, True, None)
    assert told["root"] in said.out
    other = stager("verify", copied.settings.staging)
    assert other.done().out.startswith("verified:")


def test_the_command_names_the_first_wrong_thing(copied: Built, stager: Stager) -> None:
    """Exit 6, what is wrong on standard error, and no traceback."""
    copied.spoil("update event set actor = 'nobody' where seq = 9")
    said = stager("verify")
    assert (said.code, said.out) == (6, "")
    assert "event 9 was altered" in said.err


def test_the_command_takes_packs(copied: Built, stager: Stager, tmp_path: Path) -> None:
    """A pack is known by its content, verified offline, and held to a key and a checkpoint."""
    out = tmp_path / "evidence"
    with copied.session() as session:
        session.write_pack(out)
        key = str(session.prove().key)
        (tmp_path / "kept.txt").write_text(session.prove().checkpoint(), encoding="utf-8")
    said = stager("verify", out, "--key", key, "--checkpoint", tmp_path / "kept.txt")
    assert said.code == 0
    assert f"key  {key}" in said.out
    assert stager("verify", out, "--json").document["public_key"] == key
    assert stager("verify", out, "--key", key + "x").code == 6
    assert stager("verify", out, "-t", SLUG).code == 2
    assert stager("verify", out, "--checkpoint", tmp_path / "none").code == 2
    assert stager("verify", "--key", key).code == 2
    assert stager("verify", tmp_path / "nothing.duckdb").code == 5
