"""Protected fields: what is sealed opens in its own place under its own key, and nowhere else."""

from __future__ import annotations

import hmac
import json
import pickle
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import pytest
from cryptography.fernet import Fernet
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from stager.crypto import aead
from stager.crypto.aead import Aead, NotAuthentic
from stager.crypto.blind_index import BlindIndex
from stager.crypto.derivation import BLIND_INDEX, derive, framed
from stager.crypto.fernet_fields import FernetSealer, fernet_keys
from stager.crypto.fields import FieldSealer, row_id_bytes
from stager.crypto.keyset import Keyset, new_keyset
from stager.errors import IntegrityFailed, StagerError

VECTORS = json.loads((Path(__file__).parent / "vectors" / "aes_gcm_wycheproof.json").read_text())["tests"]
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
KEYS = new_keyset("maple", NOW)
# Other secrets under the same key id, so that only the cipher can tell them apart.
OTHER_KEYS = replace(
    KEYS,
    keys=(replace(new_keyset("maple", NOW).primary, id=KEYS.primary_id),),
)
ROW = row_id_bytes(UUID(int=7))
PLACE = ("maple", "clinical_data_note", "note_text")


def sealer(keyset: Keyset = KEYS, table: str = PLACE[1], column: str = PLACE[2]) -> FieldSealer:
    """A sealer of the keyset's own tenant."""
    return FieldSealer(keyset, keyset.tenant, table, column)


def sealed_one(value: bytes, keyset: Keyset = KEYS) -> bytes:
    """One value sealed in the place that the tests start from."""
    [sealed] = sealer(keyset).seal_column([value], [ROW])
    assert sealed is not None
    return sealed


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["tcId"]))
def test_wycheproof(vector: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every valid published vector opens, and is what sealing gives; every invalid one is refused."""
    key, nonce, bound, message, text, tag = (
        bytes.fromhex(vector[part]) for part in ("key", "iv", "aad", "msg", "ct", "tag")
    )
    cipher, sealed = Aead(key), nonce + text + tag
    monkeypatch.setattr(aead, "urandom", lambda count: nonce[:count])
    if vector["result"] == "valid":
        assert cipher.open(sealed, bound) == message
        assert cipher.seal(message, bound) == sealed
        assert cipher.seal_many(b"head", [message], bound[:4], [bound[4:]]) == [b"head" + sealed]
    else:
        with pytest.raises(NotAuthentic):
            cipher.open(sealed, bound)
        assert cipher.seal(message, bound) != sealed


def test_the_vectors_are_all_there() -> None:
    """The transcribed group has its 29 valid and its 27 invalid vectors."""
    results = [vector["result"] for vector in VECTORS]
    assert (results.count("valid"), results.count("invalid")) == (29, 27)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.none(), st.binary(max_size=200)), max_size=20))
def test_what_was_sealed_opens_as_it_was(values: list[bytes | None]) -> None:
    """Any column of values comes back to the byte, NULL as NULL."""
    ids = [row_id_bytes(number) for number in range(len(values))]
    sealed = sealer().seal_column(values, ids)
    assert sealer().open_column(sealed, ids) == values


def test_empty_null_and_zero_survive_as_themselves() -> None:
    """The empty text and `0` are sealed values, NULL stays NULL."""
    values = [b"", None, b"0", b" ", b"\0"]
    sealed = sealer().seal_column(values, [ROW] * 5)
    assert sealer().open_column(sealed, [ROW] * 5) == values
    assert [each is None for each in sealed] == [False, True, False, False, False]


def test_the_layout_is_the_documented_one() -> None:
    """0x01, key id, nonce, ciphertext of the value's length, tag."""
    sealed = sealed_one(b"abc")
    assert sealed[:5] == b"\x01" + KEYS.primary_id
    assert len(sealed) == 1 + 4 + 12 + 3 + 16


def test_equal_values_are_sealed_differently() -> None:
    """Each value has a nonce of its own: equal notes do not show as equal."""
    sealed = sealer().seal_column([b"same"] * 1000, [ROW] * 1000)
    assert len({each[5:17] for each in sealed if each}) == 1000


@pytest.mark.parametrize(
    ("keyset", "table", "column", "row"),
    [
        (KEYS, "clinical_data_note", "note_text", row_id_bytes(UUID(int=8))),
        (KEYS, "clinical_data_note", "note_text", row_id_bytes(7)),
        (KEYS, "clinical_data_note", "diagnosis", ROW),
        (KEYS, "users_user", "note_text", ROW),
        (KEYS, "clinical_data_notenote", "_text", ROW),
        (replace(KEYS, tenant="oak"), "clinical_data_note", "note_text", ROW),
        (OTHER_KEYS, "clinical_data_note", "note_text", ROW),
    ],
    ids=["row", "row of another kind", "column", "table", "table and column", "tenant", "keyset"],
)
def test_a_moved_ciphertext_does_not_open(keyset: Keyset, table: str, column: str, row: bytes) -> None:
    """In another row, column, table or tenant, or under another keyset, the value does not open."""
    sealed = sealed_one(b"moved")
    assert sealer().open(sealed, ROW) == b"moved"
    with pytest.raises(IntegrityFailed):
        sealer(keyset, table, column).open(sealed, row)


def test_the_place_is_bound_and_not_only_the_key() -> None:
    """Under the very same field key, other associated data do not open: the key alone is not the bond."""
    field_key = derive(KEYS.primary.secret, b"stager/field/aes-256-gcm/1", *(part.encode() for part in PLACE))
    body = sealed_one(b"bound")[5:]
    own = [part.encode() for part in PLACE]
    assert Aead(field_key).open(body, framed(*own, ROW)) == b"bound"
    for part in range(3):
        with pytest.raises(NotAuthentic):
            Aead(field_key).open(body, framed(*own[:part], b"other", *own[part + 1 :], ROW))


def test_every_altered_byte_is_noticed() -> None:
    """No byte of a sealed value can be changed, dropped or added."""
    sealed = sealed_one(b"0123456789")
    altered = [sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :] for at in range(len(sealed))]
    for bad in [*altered, *(sealed[:length] for length in range(len(sealed))), sealed + b"\0"]:
        with pytest.raises(IntegrityFailed):
            sealer().open(bad, ROW)


def test_a_failure_names_the_place_and_shows_no_value() -> None:
    """The error names table, column and row id; neither the value nor the ciphertext stands in it."""
    sealed = sealed_one(b"MARKED-VALUE")
    with pytest.raises(IntegrityFailed) as raised:
        sealer(column="diagnosis").open(sealed, ROW)
    told = f"{raised.value} {raised.value.hint} {raised.value!r}"
    assert "clinical_data_note.diagnosis" in told
    assert str(UUID(int=7)) in told
    assert "MARKED-VALUE" not in told
    assert sealed.hex() not in told
    with pytest.raises(IntegrityFailed, match="row -3 "):
        sealer().open(sealed, row_id_bytes(-3))


def test_after_a_rotation_old_fields_open_and_new_ones_are_under_the_new_key() -> None:
    """A rotated keyset reads what the former one wrote and says what is to be reencrypted."""
    rotated = KEYS.rotated(NOW)
    old, new = sealed_one(b"old"), sealed_one(b"new", rotated)
    assert sealer(rotated).open_column([old, new], [ROW, ROW]) == [b"old", b"new"]
    assert (sealer(rotated).is_current(old), sealer(rotated).is_current(new)) == (False, True)
    with pytest.raises(IntegrityFailed, match=rotated.primary_id.hex()):
        sealer(KEYS).open(new, ROW)


def test_another_tenants_keyset_is_refused() -> None:
    """A keyset seals for its own tenant and no other."""
    for kind in (FieldSealer, FernetSealer, BlindIndex):
        with pytest.raises(StagerError):
            kind(KEYS, "oak", "users_user", "nhs_number")


def test_a_column_needs_as_many_row_ids_of_the_right_length() -> None:
    """Values and row ids that do not match are an error, never a shorter column."""
    with pytest.raises(ValueError, match="zip"):
        sealer().seal_column([b"a", b"b"], [ROW])
    with pytest.raises(ValueError, match="zip"):
        sealer().seal_column([b"a"], [ROW, ROW])
    for ids in ([b"short", b"short"], [ROW, row_id_bytes(7)]):
        with pytest.raises(ValueError, match="8 bytes each, or 16"):
            sealer().seal_column([b"a", b"b"], ids)
    assert sealer().seal_column([], []) == []


def test_a_worker_process_seals_the_same_way() -> None:
    """A keyset handed to another process gives a sealer that opens and is opened here."""
    there = sealer(pickle.loads(pickle.dumps(KEYS)))
    assert there.open(sealed_one(b"x"), ROW) == b"x"


def test_fernet_tokens_open_with_the_exported_keys_and_after_rotation() -> None:
    """Tokens are plain Fernet under the exported primary key, as text; NULL and empty survive."""
    place = ("maple", "users_user", "nhs_number")
    rotated = KEYS.rotated(NOW).rotated(NOW)
    old, new = FernetSealer(KEYS, *place), FernetSealer(rotated, *place)
    tokens = old.seal_column([b"", None, b"0"], [ROW] * 3)
    assert new.open_column(tokens, [ROW] * 3) == [b"", None, b"0"]
    [token] = new.seal_column([b"new"], [ROW])
    assert token is not None
    assert Fernet(fernet_keys(rotated)[0]).decrypt(token) == b"new"
    assert fernet_keys(rotated)[-1] == fernet_keys(KEYS)[0]
    assert (new.is_current(token), new.is_current(tokens[0] or "")) == (True, False)
    with pytest.raises(ValueError, match="zip"):
        new.seal_column([b"a"], [])


@pytest.mark.parametrize("token", ["", "no token", "gAAAAA", "é"])
def test_what_is_no_token_of_ours_raises(token: str) -> None:
    """A token that does not open raises; neither the token nor an empty text comes back."""
    fernet = FernetSealer(KEYS, "maple", "users_user", "nhs_number")
    [other] = FernetSealer(new_keyset("maple", NOW), "maple", "users_user", "nhs_number").seal_column(
        [b"x"], [ROW]
    )
    for bad in (token, other or ""):
        with pytest.raises(IntegrityFailed, match=r"users_user\.nhs_number") as raised:
            fernet.open(bad, ROW)
        assert not bad or bad not in str(raised.value)


def test_the_blind_index_is_hmac_under_its_own_key() -> None:
    """The index is HMAC-SHA-256 of the ten digits, cut to 16 bytes, in bulk as for one."""
    index = BlindIndex(KEYS, "maple", "users_user", "nhs_number")
    key = derive(KEYS.index_key, BLIND_INDEX, b"maple", b"users_user", b"nhs_number")
    expected = hmac.new(key, b"9434765919", sha256).digest()[:16]
    assert index.one("9434765919") == expected
    assert index.column_of([None, b"9434765919", b"9434765870"]) == [
        None,
        expected,
        index.one("9434765870"),
    ]


def test_the_blind_index_outlives_rotation_and_differs_by_tenant_and_column() -> None:
    """A rotated keyset finds what was indexed before; other tenants and columns share no index."""
    own = BlindIndex(KEYS, "maple", "users_user", "nhs_number").one("9434765919")
    assert BlindIndex(KEYS.rotated(NOW), "maple", "users_user", "nhs_number").one("9434765919") == own
    others = [
        BlindIndex(KEYS, "maple", "users_user", "former_nhs_number"),
        BlindIndex(KEYS, "maple", "users_patient", "nhs_number"),
        BlindIndex(replace(KEYS, tenant="oak"), "oak", "users_user", "nhs_number"),
        BlindIndex(new_keyset("maple", NOW), "maple", "users_user", "nhs_number"),
    ]
    assert len({own, *(each.one("9434765919") for each in others)}) == 5


@pytest.mark.parametrize(
    "value", ["", "943476591", "94347659190", "943 476 5919", "943476591X", "٩٤٣٤٧٦٥٩١٩"]
)
def test_only_the_canonical_form_is_indexed(value: str) -> None:
    """Another form than ten ASCII digits is an error that shows no value."""
    index = BlindIndex(KEYS, "maple", "users_user", "nhs_number")
    with pytest.raises(StagerError) as one:
        index.one(value)
    with pytest.raises(StagerError) as many:
        index.column_of([b"9434765919", value.encode()])
    assert not value or value not in f"{one.value}{many.value}"
