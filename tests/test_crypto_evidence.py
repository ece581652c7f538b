"""Signatures, fingerprints and kept heads: what evidence rests on."""

from __future__ import annotations

import stat
from hashlib import blake2b
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from stager.crypto import heads, places
from stager.crypto.fingerprint import Fingerprinter
from stager.crypto.heads import Head
from stager.crypto.signing import Signer, verify
from stager.errors import IntegrityFailed, KeyUnavailable, UsageError
from stager.ingest.making import fingerprints
from stager.sheets import SHEETS

NOTES = next(sheet for sheet in SHEETS if sheet.name == "notes")
HEAD = Head(size=7, root=b"r" * 32, seal=b"s" * 32, public_key=b"p" * 32)


def test_ed25519_gives_the_published_signatures() -> None:
    """RFC 8032, 7.1, tests 1 and 2: public key and signature come out as printed there."""
    empty = Signer(bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
    assert empty.public_key.hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert empty.sign(b"").hex() == (
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
        "d25bf5f0595bbe24655141438e7a100b"
    )
    one = Signer(bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"))
    assert one.public_key.hex() == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    assert verify(one.public_key, one.sign(b"\x72"), b"\x72")


def test_a_signature_holds_for_its_message_and_key_only() -> None:
    """Another message, key or signature, and what is none, are refused with False."""
    signer, other = Signer(b"a" * 32), Signer(b"b" * 32)
    signature = signer.sign(b"message")
    assert verify(signer.public_key, signature, b"message")
    for key, text, message in (
        (signer.public_key, signature, b"other"),
        (other.public_key, signature, b"message"),
        (signer.public_key, other.sign(b"message"), b"message"),
        (signer.public_key, signature[:-1], b"message"),
        (signer.public_key, b"", b"message"),
        (b"", signature, b"message"),
        (signer.public_key[:-1], signature, b"message"),
    ):
        assert not verify(key, text, message)
    assert (b"a" * 32).hex() not in repr(signer)


def test_fingerprints_are_keyed_and_the_same_in_bulk() -> None:
    """A fingerprint is keyed BLAKE2b of 16 bytes, alone, in a column and concatenated."""
    records = [b"", b"a", b"a", "é,ü".encode() * 100]
    printer = Fingerprinter(b"k" * 32)
    expected = [blake2b(each, key=b"k" * 32, digest_size=16).digest() for each in records]
    assert [printer.one(each) for each in records] == expected
    assert printer.column(iter(records)) == expected
    assert printer.concatenated(records) == b"".join(expected)
    assert printer.one(b"a") != Fingerprinter(b"l" * 32).one(b"a")


CELL = st.none() | st.text(max_size=12) | st.sampled_from(["", "1:a", "é" * 300, "x" * 70_000])


@given(records=st.lists(st.tuples(*[CELL] * len(NOTES.fields)), max_size=4))
def test_a_record_is_printed_cell_by_cell_behind_their_lengths(records: list[tuple[str | None, ...]]) -> None:
    """Lengths are in bytes of UTF-8, an absent cell is an empty one, and what no column takes comes last."""
    printer = Fingerprinter(b"k" * 32)
    cells = pl.DataFrame(records, schema=dict.fromkeys(NOTES.fields, pl.String), orient="row")
    with_extra = cells.with_columns(extra=pl.lit(None, pl.String))
    told = [b"".join(b"%d:%b" % (len(cell), cell) for cell in map(_utf_8, (*row, None))) for row in records]
    found = fingerprints(NOTES, with_extra, printer)
    assert found.to_list() == printer.column(told)


def _utf_8(cell: str | None) -> bytes:
    return (cell or "").encode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of keys."""
    return tmp_path / "keys"


def test_a_head_is_kept_and_read_back(folder: Path) -> None:
    """What was written is read; each migration has its own; the file is its owner's."""
    assert heads.read(folder, "m1") is None
    heads.write(folder, "m1", HEAD)
    heads.write(folder, "m2", replace(HEAD, size=1))
    assert heads.read(folder, "m1") == HEAD
    assert stat.S_IMODE((folder / "heads" / "m1.json").stat().st_mode) == 0o600
    heads.write(folder, "m1", replace(HEAD, size=9, root=b"x" * 32))
    assert heads.read(folder, "m1") == replace(HEAD, size=9, root=b"x" * 32)


def test_a_head_never_goes_back(folder: Path) -> None:
    """A smaller tree, or another of the same size, does not wipe out the trace of a rollback."""
    heads.write(folder, "m1", HEAD)
    heads.write(folder, "m1", HEAD)
    for bad in (replace(HEAD, size=6), replace(HEAD, root=b"x" * 32)):
        with pytest.raises(IntegrityFailed):
            heads.write(folder, "m1", bad)
    assert heads.read(folder, "m1") == HEAD


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"{}", b'{"size": "x", "root": "", "seal": "", "public_key": ""}', b"null"]
)
def test_a_damaged_head_is_named(folder: Path, text: bytes) -> None:
    """A head that cannot be read is an integrity failure and not a missing one."""
    heads.write(folder, "m1", HEAD)
    places.replace(folder / "heads" / "m1.json", text)
    with pytest.raises(IntegrityFailed, match=r"m1\.json"):
        heads.read(folder, "m1")


@pytest.mark.parametrize("migration", ["", "..", "../x", "a/b", ".hidden", "a" * 101, "a\n"])
def test_a_migration_id_names_no_other_file(folder: Path, migration: str) -> None:
    """Only a plain name makes a head's file."""
    with pytest.raises(UsageError):
        heads.read(folder, migration)


def test_a_file_that_cannot_be_replaced_stays_as_it_was(folder: Path) -> None:
    """Where the place is a folder, writing fails by name and leaves nothing beside it."""
    (folder / "heads" / "m1.json").mkdir(parents=True, mode=0o700)
    with pytest.raises(KeyUnavailable, match="m1"):
        heads.write(folder, "m1", HEAD)
    assert [each.name for each in (folder / "heads").iterdir() if each.name.endswith(".new")] == []
