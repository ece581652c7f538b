"""Everything that somebody with the file's key may alter in a staging file is found, and named."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stager import sql
from stager.crypto.merkle import Tree
from stager.crypto.signing import Signer
from stager.errors import IntegrityFailed
from stager.event_log import Seal
from tests.verify_migration import Built, Spoilable


def leaf_with(**said: str) -> str:
    """What gives an event's leaf in SQL, with something else said in some of its columns."""
    columns = [
        "seq",
        "at",
        "actor",
        "kind",
        "version",
        "sheet",
        "source_id",
        "row_no",
        "finding_id",
        "detail",
    ]
    parts = ", ".join(f"netstring({said.get(name, sql.identifier(name))})" for name in columns)
    return f"unhex(sha256(concat(chr(0), {parts})))"


LEAF_OF_NOBODY = leaf_with(actor="'nobody'")
ONE_MORE = "(select max(seq) + 1 from event)"


@pytest.fixture(scope="module")
def opened(built: Built) -> Iterator[Spoilable]:
    with built.opened() as found:
        yield found


EVENTS = {
    "a detail": ("update event set detail = '{}' where seq = 40", "event 40 was altered"),
    "an actor": ("update event set actor = 'nobody' where seq = 40", "event 40 was altered"),
    "a moment": ('update event set "at" = "at" + 1 where seq = 41', "event 41 was altered"),
    "a kind": ("update event set kind = 'row.rejected' where seq = 42", "event 42 was altered"),
    "a version": ("update event set version = 2 where seq = 43", "event 43 was altered"),
    "a row": ("update event set row_no = row_no + 1 where seq = 44", "event 44 was altered"),
    "a row taken away": ("update event set row_no = null where seq = 44", "event 44 was altered"),
    "a source": ("update event set source_id = 2 where seq = 44", "event 44 was altered"),
    "a finding": ("update event set finding_id = 7 where seq = 44", "event 44 was altered"),
    "a leaf": ("update event set leaf = sha256('x')::blob where seq = 45", "event 45 was altered"),
    "a leaf taken away": (
        "alter table event alter column leaf drop not null; update event set leaf = null where seq = 45",
        "event 45 was altered",
    ),
    "two events": ("update event set actor = 'x' where seq in (700, 46)", "event 46 was altered"),
    "removed": ("delete from event where seq = 47", "event 47 is missing"),
    "the first removed": ("delete from event where seq = 1", "event 1 is missing"),
    "the last removed": (
        "delete from event where seq = (select max(seq) from event)",
        "its end was cut off",
    ),
    "inserted twice": ("insert into event select * from event where seq = 48", "event 48 is there twice"),
    "inserted before the first": (
        "insert into event select * replace (0 as seq) from event where seq = 48",
        "the log holds",
    ),
    "renumbered": ("update event set seq = seq + 1 where seq > 50", "event 51 is missing"),
    "put in another order": (
        "update event set seq = case seq when 51 then 52 else 51 end where seq in (51, 52)",
        "event 51 was altered",
    ),
    "altered with its leaf": (
        f"update event set actor = 'nobody', leaf = {LEAF_OF_NOBODY} where seq = 53",
        "seal 1 does not fit its events",
    ),
    "added behind the last seal": (
        (
            f"insert into event select * replace ({ONE_MORE} as seq, {leaf_with(seq=ONE_MORE)} as leaf)"
            " from event where seq = 54"
        ),
        "is in no seal",
    ),
}

SEALS = {
    "a root": ("update seal set root = sha256('x')::blob where seal_no = 3", "seal 3 "),
    "a moment": ('update seal set "at" = "at" + 1 where seal_no = 3', "seal 3 is not signed"),
    "a stretch": (
        "update seal set first_seq = first_seq - 1 where seal_no = 3",
        "seal 3 says that it covers",
    ),
    "a size": ("update seal set size = size + 1 where seal_no = 3", "seal 3 says that it covers"),
    "a signature": ("update seal set signature = '\\x00'::blob where seal_no = 3", "seal 3 is not signed"),
    "the chain": ("update seal set previous = root where seal_no = 4", "seal 4 does not follow seal 3"),
    "the tree's state": (
        "update seal set tree = (select tree from seal where seal_no = 2) where seal_no = 3",
        "seal 3 keeps a state",
    ),
    "removed": ("delete from seal where seal_no = 3", "seal 3 is missing"),
    "the last removed": ("delete from seal where seal_no = (select max(seal_no) from seal)", "is in no seal"),
    "all removed": ("delete from seal", "event 1 is in no seal"),
    "there twice": ("insert into seal select * from seal where seal_no = 3", "seal 4 is missing: seal 3"),
    "the file's key": (
        "update migration set value = repeat('00', 32) where name = 'public_key'",
        "public key",
    ),
    "the migration": (
        "update migration set value = 'another' where name = 'migration_id'",
        "the file's migration id",
    ),
}

FACTS = {
    "a cell": (
        "update row_patients set first_name = first_name || 'x' where row_no = 5",
        "row 5 holds other",
    ),
    "a cell emptied": ("update row_notes set note_text = '' where row_no = 6", "row 6 holds other cells"),
    "an empty cell made absent": (
        "update row_notes set diagnosis = null where diagnosis = ''",
        "holds other cells",
    ),
    "a cell's edges": (
        "update row_patients set first_name = '', last_name = first_name || last_name where row_no = 5",
        "row 5 holds other cells",
    ),
    "two rows' cells": (
        (
            "update row_background set name ="
            " (select name from row_background as other where other.row_no = 8) where row_no = 7"
        ),
        "row 7 holds other cells",
    ),
    "an unknown column": (
        "update row_patients set extra = replace(extra, '42', '43') where extra like '%42%'",
        "row 1 holds other cells",
    ),
    "where a reject came from": (
        (
            'update row_notes set extra = replace(extra, \'"stager_row":"\', \'"stager_row":"1\')'
            " where extra like '%stager_row%'"
        ),
        "a line, byte range, span or unknown column is not as it came",
    ),
    "a fingerprint": (
        "update row_notes set fingerprint = '\\x00'::blob where row_no = 9",
        "row 9 is not the record",
    ),
    "a cell with its fingerprint": (
        "update row_notes set note_text = 'x', fingerprint = '\\x00'::blob where row_no = 9",
        "row 9 is not the record",
    ),
    "a row removed": ("delete from row_medications where row_no = 3", "row 3 is missing"),
    "a row added": (
        "insert into row_medications select * replace (9999 as row_no) from row_medications where row_no = 3",
        "row 9999 came by no event",
    ),
    "a row doubled": (
        "insert into row_notes select * from row_notes where row_no = 3 and source_id = 3",
        "row",
    ),
    "a row of no source": (
        "insert into row_notes select * replace (77 as source_id) from row_notes where row_no = 3",
        "source 77",
    ),
    "a row in another sheet": (
        "update row_notes set source_id = 1 where row_no = 3 and source_id = 3",
        "row_notes holds rows of source 1",
    ),
    "a line": ("update row_notes set line = line + 1 where row_no = 4", "a line, byte range"),
    "a range": ("update row_notes set byte_start = byte_start + 1 where row_no = 4", "row 4 does not begin"),
    "a range's end": (
        "update row_notes set byte_len = byte_len + 1 where row_no = 4",
        "row 5 does not begin",
    ),
    "two ranges": (
        (
            "update row_patients set byte_start = case row_no when 2 then 9 else byte_start end,"
            " byte_len = case row_no when 2 then 9 else byte_len end where row_no = 2"
        ),
        "does not begin where",
    ),
    "a span's reason": ("update span set reason = 'quiet' where kind = 'malformed'", "a line, byte range"),
    "a span's kind": (
        "update span set kind = 'blank' where kind = 'malformed'",
        "is missing from the staging",
    ),
    "a span removed": ("delete from span where kind = 'header' and source_id = 1", "does not begin where"),
    "a span of no source": (
        "insert into span select * replace (77 as source_id) from span limit 1",
        "source 77",
    ),
    "a block": (
        (
            "update source_block set data = (select data from source_block where source_id = 2)"
            " where source_id = 1"
        ),
        "source 1: ",
    ),
    "a block's bytes": (
        "update source_block set data = '\\x00'::blob where source_id = 1",
        "does not unpack",
    ),
    "a block's place": ("update source_block set byte_start = 1 where source_id = 2", "out of its place"),
    "a block's length": (
        "update source_block set byte_len = byte_len + 1 where source_id = 2",
        "source 2: block",
    ),
    "a block removed": ("delete from source_block where source_id = 2", "0 of its"),
    "a block doubled": (
        "insert into source_block select * replace (1 as block_no) from source_block where source_id = 2",
        "block 1 is missing or out",
    ),
    "a source removed": ("delete from source where source_id = 3", "source 3 is registered in the log"),
    "a source added": (
        "insert into source select * replace (9 as source_id) from source where source_id = 1",
        "source 9 is in the staging file",
    ),
    "a source doubled": (
        "insert into source select * from source where source_id = 2",
        "does not register it once",
    ),
    "a file's name": ("update source set file_name = 'x.csv' where source_id = 1", "its file_name is not"),
    "a file's hash": ("update source set sha256 = repeat('0', 64) where source_id = 1", "its sha256 is not"),
    "a file's size": ("update source set size = size + 1 where source_id = 1", "its size is not"),
    "a file's encoding": ("update source set encoding = 'cp1252' where source_id = 1", "its encoding is not"),
    "a file's root": (
        "update source set content_root = sha256 where source_id = 1",
        "its content_root is not",
    ),
    "a file's rules": (
        "update source set rules = replace(rules, 'Europe/London', 'Asia/Tokyo') where source_id = 1",
        "its rules is not",
    ),
    "a file's mapping": ("update source set mapping = '{}' where source_id = 1", "its mapping is not"),
    "a file's columns": (
        "update source set columns = replace(columns, 'first_name', 'last_name') where source_id = 1",
        "its columns is not",
    ),
    "a file's sheet": ("update source set sheet = 'notes' where source_id = 2", "source 2"),
    "a correction": (
        "update correction set value = 'LS9 9ZZ' where value = 'LS1 4AP'",
        "correction 1, decided by",
    ),
    "a correction's row": (
        "update correction set row_no = row_no + 1 where correction_id = 1",
        "correction 1,",
    ),
    "a correction's column": (
        "update correction set field = 'city' where correction_id = 1",
        "correction 1,",
    ),
    "a blank filled": (
        "update correction set value = '07700900123' where value is null",
        "correction 2, decided by",
    ),
    "a correction undone": ("delete from correction where correction_id = 3", "correction 3, decided by"),
    "a correction added": (
        "insert into correction values (99, 1, 1, 'first_name', 'Other')",
        "correction 99 was decided by no event",
    ),
    "a correction widened": (
        "insert into correction select * replace (1 as row_no) from correction where correction_id = 1",
        "correction 1, decided by",
    ),
    "the tenant's people": ("update tenant_person set email = 'x@example.org'", "the tenant's own people"),
    "the tenant's people gone": ("delete from tenant_person", "the tenant's own people"),
    "one more of the tenant's people": (
        "insert into tenant_person select * replace ('x' as target_id) from tenant_person",
        "the tenant's own people",
    ),
    "an id for a row": (
        "insert into target_row values (6, 1, 'users_user', '1')",
        "an id is kept for a row that no chunk published",
    ),
}

PROJECTIONS = {
    "a state": (
        "update row_state set state = 'published' where source_id = 2 and row_no = 79",
        "projection row_state: its row source_id 2, row_no 79 is not",
    ),
    "a link": (
        "update row_state set patient_row = patient_row + 1 where row_no = 11 and source_id = 3",
        "row_no 11",
    ),
    "a rule": ("update row_state set via = 'email' where row_no = 11 and source_id = 3", "row_no 11"),
    "an approval": (
        "update row_state set approval_seq = null where row_no = 11 and source_id = 3",
        "row_no 11",
    ),
    "a chunk": ("update row_state set chunk_seq = 1 where row_no = 11 and source_id = 3", "row_no 11"),
    "a row gone": ("delete from row_state where row_no = 11 and source_id = 3", "row_no 11 is missing"),
    "a row added": (
        "insert into row_state select * replace (999 as row_no) from row_state where row_no = 11",
        "row_no 999 is not",
    ),
    "a row doubled": (
        "insert into row_state select * from row_state where row_no = 11",
        "projection row_state: it",
    ),
    "a finding closed": ("update finding set state = 'closed' where finding_id = 10", "finding_id 10 is not"),
    "a finding's code": (
        "update finding set code = 'value.suspect' where finding_id = 10",
        "finding_id 10 is",
    ),
    "a finding gone": ("delete from finding where finding_id = 10", "finding_id 10 is missing"),
    "a decision's person": (
        "update decision set actor = 'nobody' where decision = 'accept'",
        "projection decision",
    ),
    "a decision undone": (
        "update decision set undone_seq = seq + 1 where decision = 'exclude'",
        "projection dec",
    ),
    "a decision gone": ("delete from decision where decision = 'accept'", "projection decision"),
    "the tenant": (
        "update standing set value = 'oak' where name = 'tenant'",
        "projection standing: its row name",
    ),
    "how far it is folded": ("update standing set value = '3' where name = 'folded'", "name folded is not"),
    "a mark": ("insert into standing values ('x', 'y')", "name x is not"),
}


@pytest.mark.parametrize(("statement", "named"), EVENTS.values(), ids=EVENTS)
def test_an_altered_log_is_named(opened: Spoilable, statement: str, named: str) -> None:
    """Events edited, removed, inserted, reordered or cut off."""
    _is_found(opened, statement, named)


@pytest.mark.parametrize(("statement", "named"), SEALS.values(), ids=SEALS)
def test_altered_seals_are_named(opened: Spoilable, statement: str, named: str) -> None:
    """Seals edited, removed, doubled, and the facts of the file that they hang on."""
    _is_found(opened, statement, named)


@pytest.mark.parametrize(("statement", "named"), FACTS.values(), ids=FACTS)
def test_altered_facts_are_named(opened: Spoilable, statement: str, named: str) -> None:
    """Cells, bytes, places, sources, what people typed in, the tenant's people."""
    _is_found(opened, statement, named)


@pytest.mark.parametrize(("statement", "named"), PROJECTIONS.values(), ids=PROJECTIONS)
def test_altered_projections_are_named(opened: Spoilable, statement: str, named: str) -> None:
    """What the log does not give is no state of a row, finding or decision."""
    _is_found(opened, statement, named)


def test_a_cut_off_end_is_named(opened: Spoilable) -> None:
    """Events and seals cut off together leave a file in order, but for the seal that is kept outside."""
    cut = "(select last_seq from seal where seal_no = 9)"
    statements = (f"delete from event where seq > {cut}", "delete from seal where seal_no > 9")
    with opened.spoilt(*statements), pytest.raises(IntegrityFailed, match="older than its last seal"):
        opened.session.verify()


def test_a_log_sealed_by_another_key_is_named(opened: Spoilable) -> None:
    """A whole chain of seals, made anew in every part, is refused at the first that another key signed."""
    other, previous = Signer(b"other" + bytes(27)), bytes(32)
    statements = []
    for row in opened.staging.rows("seals_in_order"):
        seal = Seal(*row[:6], previous)
        seal = Seal(*row[:6], previous, other.sign(seal.message()))
        previous = seal.digest()
        statements.append(
            f"update seal set previous = unhex('{seal.previous.hex()}'),"
            f" signature = unhex('{seal.signature.hex()}') where seal_no = {seal.seal_no}"
        )
    with opened.spoilt(*statements), pytest.raises(IntegrityFailed, match="seal 1 is not signed by"):
        opened.session.verify()


def test_a_rewritten_past_under_the_same_key_is_named(opened: Spoilable) -> None:
    """Whoever has the key and makes every seal anew is still held to the seal that was kept outside."""
    signer = opened.session._open_as_it_is().signer
    edit = f"update event set actor = 'nobody', leaf = {LEAF_OF_NOBODY} where seq = 60"
    with opened.spoilt(edit):
        tree, previous = Tree(), bytes(32)
        leaves = [row[0] for row in opened.staging._execute("select leaf from event order by seq").fetchall()]
        for row in opened.staging.rows("seals_in_order"):
            tree.extend(b"".join(leaves[row[2] - 1 : row[3]]))
            seal = Seal(*row[:5], tree.root(), previous)
            seal = Seal(*row[:5], tree.root(), previous, signer.sign(seal.message()))
            previous = seal.digest()
            opened.staging._execute(
                f"update seal set previous = unhex('{seal.previous.hex()}'),"
                f" root = unhex('{seal.root.hex()}'),"
                f" signature = unhex('{seal.signature.hex()}'), tree = unhex('{tree.to_bytes().hex()}')"
                f" where seal_no = {seal.seal_no}"
            )
        with pytest.raises(IntegrityFailed, match="is not the one whose seal"):
            opened.session.verify()


def test_what_was_spoilt_is_in_order_again(opened: Spoilable) -> None:
    """The file that all of this was done to, and taken back, verifies."""
    opened.session.verify()


def _is_found(opened: Spoilable, statement: str, named: str) -> None:
    with opened.spoilt(statement), pytest.raises(IntegrityFailed) as found:
        opened.session.verify()
    assert named in str(found.value)
    assert found.value.__context__ is None
