"""The key-encryption key and the tenants' keysets: wrapped, rotated, exported, restored."""

from __future__ import annotations

import base64
import json
import pickle
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from stager.crypto import keystore, places
from stager.crypto.kek import LocalKek, key_encryption_key
from stager.crypto.keyset import Keyset, new_keyset, parse_keyset
from stager.errors import IntegrityFailed, KeyUnavailable, UsageError

SECRET = bytes(range(32))
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment of its own, without a keyring."""
    return {"XDG_CONFIG_HOME": str(tmp_path / "config"), "STAGER_KEYRING": "0"}


@pytest.fixture
def folder(environ: dict[str, str]) -> Path:
    """The folder of keys of that environment."""
    return places.key_folder(environ)


@pytest.fixture
def kek(environ: dict[str, str]) -> LocalKek:
    """A key-encryption key made on first use."""
    return key_encryption_key(environ)


def test_the_key_encryption_key_may_stand_in_the_environment(environ: dict[str, str], folder: Path) -> None:
    """STAGER_KEK goes before the file, and no file is made then."""
    key = key_encryption_key({**environ, "STAGER_KEK": SECRET.hex()})
    assert (key.origin, key.created) == ("STAGER_KEK", False)
    assert key.unwrap(key.wrap(b"k" * 32, b"here"), b"here") == b"k" * 32
    assert not folder.exists()


def test_a_wrapped_key_opens_only_under_its_context_and_key(kek: LocalKek, environ: dict[str, str]) -> None:
    """Another context, another key-encryption key and an altered byte are refused."""
    wrapped = kek.wrap(b"k" * 32, b"maple")
    other = key_encryption_key({**environ, "STAGER_KEK": SECRET.hex()})
    for key, text, context in (
        (kek, wrapped, b"oak"),
        (other, wrapped, b"maple"),
        (kek, wrapped[:-1] + bytes([wrapped[-1] ^ 1]), b"maple"),
        (kek, b"", b"maple"),
    ):
        with pytest.raises(IntegrityFailed):
            key.unwrap(text, context)


def test_a_lost_key_encryption_key_is_not_replaced(
    environ: dict[str, str], folder: Path, kek: LocalKek
) -> None:
    """Where keysets are stored, a missing kek.key is an error: a new one could open none of them."""
    keystore.load_or_create(folder, "maple", kek)
    (folder / "kek.key").unlink()
    with pytest.raises(KeyUnavailable, match="is gone"):
        key_encryption_key(environ)
    assert not (folder / "kek.key").exists()


def test_a_keyset_is_made_once_and_loaded_again(folder: Path, kek: LocalKek) -> None:
    """A tenant's keyset is made on first use, and is the same ever after."""
    assert keystore.load(folder, "maple", kek) is None
    made = keystore.load_or_create(folder, "maple", kek, now=NOW)
    assert keystore.load_or_create(folder, "maple", kek) == made == keystore.load(folder, "maple", kek)
    assert [(key.created, key.primary) for key in made.describe()] == [(NOW, True)]
    assert keystore.load_or_create(folder, "oak", kek).index_key != made.index_key


def test_rotation_adds_a_primary_and_keeps_the_rest(folder: Path, kek: LocalKek) -> None:
    """After a rotation the new key is primary, the old ones and the index key are as they were."""
    before = keystore.load_or_create(folder, "maple", kek)
    after = keystore.rotate(folder, "maple", kek)
    assert after == keystore.load(folder, "maple", kek)
    assert after.keys[:-1] == before.keys
    assert after.primary == after.keys[-1] != before.primary
    assert after.index_key == before.index_key
    assert after.holds(before)
    assert not before.holds(after)


def test_rotations_at_once_lose_no_key(folder: Path, kek: LocalKek) -> None:
    """Each of several rotations at once adds its key: none writes over another's."""
    keystore.load_or_create(folder, "maple", kek)
    with ThreadPoolExecutor(4) as pool:
        rotated = list(pool.map(lambda _: keystore.rotate(folder, "maple", kek), range(8)))
    kept = keystore.load(folder, "maple", kek)
    assert kept is not None
    assert len(kept.keys) == 9
    assert {each.primary_id for each in rotated} <= set(kept.by_id)


def test_a_tenant_without_a_keyset_cannot_rotate(folder: Path, kek: LocalKek) -> None:
    """Rotation makes no keyset."""
    with pytest.raises(KeyUnavailable):
        keystore.rotate(folder, "maple", kek)
    assert keystore.load(folder, "maple", kek) is None


def test_the_stored_keyset_shows_no_secret(folder: Path, kek: LocalKek) -> None:
    """The file tells a person ids and dates; no secret stands in it in any form."""
    keyset = keystore.load_or_create(folder, "maple", kek)
    text = (folder / "tenants" / "maple.json").read_text()
    assert keyset.primary_id.hex() in text
    for secret in (keyset.primary.secret, keyset.index_key):
        assert base64.b64encode(secret).decode() not in text
        assert secret.hex() not in text


def test_a_keyset_under_another_name_or_altered_is_refused(folder: Path, kek: LocalKek) -> None:
    """One tenant's file is of no use as another's, nor with a changed byte, nor cut."""
    keystore.load_or_create(folder, "maple", kek)
    path, oak = folder / "tenants" / "maple.json", folder / "tenants" / "oak.json"
    good = path.read_text()
    places.create(oak, good.encode())
    with pytest.raises(IntegrityFailed):
        keystore.load(folder, "oak", kek)
    document = json.loads(good)
    sealed = document["sealed"]
    flipped = "B" if sealed[40] == "A" else "A"
    for bad in (
        good[: len(good) // 2],
        json.dumps({**document, "sealed": sealed[:40] + flipped + sealed[41:]}),
        json.dumps({**document, "wrapped_key": sealed}),
        json.dumps({**document, "version": 2}),
        "[]",
    ):
        places.replace(path, bad.encode())
        with pytest.raises(IntegrityFailed):
            keystore.load(folder, "maple", kek)


def test_another_key_encryption_key_is_named_as_such(
    folder: Path, kek: LocalKek, environ: dict[str, str]
) -> None:
    """The wrong STAGER_KEK is told apart from a damaged file."""
    keystore.load_or_create(folder, "maple", kek)
    other = key_encryption_key({**environ, "STAGER_KEK": SECRET.hex()})
    with pytest.raises(KeyUnavailable, match=f"{kek.id}, not by {other.id}"):
        keystore.load(folder, "maple", other)


def test_an_export_restores_the_keyset(folder: Path, kek: LocalKek, tmp_path: Path) -> None:
    """An export is a backup: 0600, never over a file, and the whole keyset comes back from it."""
    keyset = keystore.rotate(folder, keystore.load_or_create(folder, "maple", kek).tenant, kek)
    path = tmp_path / "export.json"
    keystore.export(keyset, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(UsageError):
        keystore.export(keyset, path)
    (folder / "tenants" / "maple.json").unlink()
    keystore.restore(folder, keystore.read_export(path), kek)
    assert keystore.load(folder, "maple", kek) == keyset


def test_a_restore_never_loses_a_key(folder: Path, kek: LocalKek) -> None:
    """An older export is refused while the stored keyset holds a key that it lacks."""
    older = keystore.load_or_create(folder, "maple", kek)
    newer = keystore.rotate(folder, "maple", kek)
    with pytest.raises(UsageError):
        keystore.restore(folder, older, kek)
    assert keystore.load(folder, "maple", kek) == newer


@pytest.mark.parametrize("slug", ["", "../x", "a/b", "Maple", "-x", "x-", "a" * 64, "a.b", "maple\n"])
def test_a_slug_names_no_other_file(folder: Path, kek: LocalKek, slug: str) -> None:
    """Only a DNS label names a keyset's file."""
    with pytest.raises(UsageError):
        keystore.load(folder, slug, kek)


def test_a_keyset_reaches_a_worker_process_whole() -> None:
    """A keyset is the same value after pickling, and after its JSON form."""
    keyset = new_keyset("maple", NOW).rotated(NOW)
    assert pickle.loads(pickle.dumps(keyset)) == keyset
    assert parse_keyset(json.dumps(keyset.to_json()).encode(), "here") == keyset


def test_a_keyset_that_contradicts_itself_is_refused() -> None:
    """A primary that is not among the keys, a short secret and doubled ids are no keyset."""
    keyset = new_keyset("maple", NOW)
    key = keyset.primary
    broken: list[Keyset] = [
        replace(keyset, primary_id=b"none"),
        replace(keyset, keys=(replace(key, secret=b"short"),)),
        replace(keyset, keys=(key, key)),
        replace(keyset, index_key=b""),
        replace(keyset, tenant="../x"),
    ]
    for each in broken:
        with pytest.raises(IntegrityFailed):
            parse_keyset(json.dumps(each.to_json()).encode(), "here")
