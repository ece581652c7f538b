"""Where the staging key comes from, and how keys are kept."""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stager.crypto import keystore, places
from stager.crypto.kek import LocalKek, key_encryption_key
from stager.crypto.keyset import new_keyset
from stager.crypto.staging_key import StagingKey, staging_key
from stager.errors import KeyUnavailable, UsageError

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


def key_file(path: Path, text: str, mode: int = 0o600) -> str:
    """A key file as a person would make it."""
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def modes(folder: Path) -> dict[str, int]:
    """The permission bits of everything below `folder`."""
    return {str(each.relative_to(folder)): stat.S_IMODE(each.stat().st_mode) for each in folder.rglob("*")}


def test_the_staging_key_is_made_on_first_use_and_found_again(environ: dict[str, str]) -> None:
    """The first call makes the key and says so; every later one gives the same key."""
    first, second = staging_key(environ), staging_key(environ)
    assert (first.created, second.created) == (True, False)
    assert first.secret == second.secret
    assert len(first.secret) == 32
    assert first.origin.endswith("stager/keys/staging.key")


def test_keys_are_for_their_owner_only_whatever_the_umask(
    environ: dict[str, str], folder: Path, kek: LocalKek
) -> None:
    """Folders that stager makes are 0700 and files 0600, under an open umask too."""
    before = os.umask(0)
    try:
        staging_key(environ)
        keystore.load_or_create(folder, "maple", kek)
    finally:
        os.umask(before)
    found = modes(Path(environ["XDG_CONFIG_HOME"]))
    assert {name: mode for name, mode in found.items() if mode not in (0o700, 0o600)} == {}
    assert found["stager/keys"] == found["stager/keys/tenants"] == 0o700
    assert found["stager/keys/staging.key"] == found["stager/keys/tenants/maple.json"] == 0o600


def test_a_folder_of_keys_that_is_open_to_others_is_closed(environ: dict[str, str], folder: Path) -> None:
    """Making a key closes the folder of keys to group and others."""
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    staging_key(environ)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "text",
    [
        base64.b64encode(SECRET).decode(),
        base64.urlsafe_b64encode(SECRET).decode() + "\n",
        SECRET.hex(),
        SECRET.hex().upper() + "\r\n",
    ],
)
def test_a_named_key_file_holds_base64_or_hexadecimal(
    environ: dict[str, str], tmp_path: Path, text: str
) -> None:
    """STAGER_KEY_FILE goes before everything else and may hold either form of the key."""
    environ["STAGER_KEY_FILE"] = key_file(tmp_path / "k", text)
    assert staging_key(environ) == StagingKey(SECRET, str(tmp_path / "k"), created=False)


def test_a_named_key_file_that_is_missing_is_not_made(environ: dict[str, str], tmp_path: Path) -> None:
    """A wrong path in STAGER_KEY_FILE is an error, not a new key."""
    environ["STAGER_KEY_FILE"] = str(tmp_path / "missing")
    with pytest.raises(KeyUnavailable, match="missing"):
        staging_key(environ)
    assert not (tmp_path / "missing").exists()


@pytest.mark.parametrize("text", ["", "c2hvcnQ=", "not-a-key-at-all-but-marked", "é" * 40, SECRET.hex()[:-1]])
def test_a_file_without_a_key_is_refused_without_showing_it(
    environ: dict[str, str], tmp_path: Path, text: str
) -> None:
    """The error names the file and shows nothing of what it holds."""
    environ["STAGER_KEY_FILE"] = key_file(tmp_path / "k", text)
    with pytest.raises(KeyUnavailable) as raised:
        staging_key(environ)
    assert str(tmp_path / "k") in str(raised.value)
    assert not text or text not in str(raised.value) + raised.value.hint


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_file_that_others_can_read_is_refused(
    environ: dict[str, str], tmp_path: Path, mode: int
) -> None:
    """A key file open to group or others is refused, with the command that closes it."""
    environ["STAGER_KEY_FILE"] = key_file(tmp_path / "k", SECRET.hex(), mode)
    with pytest.raises(KeyUnavailable) as raised:
        staging_key(environ)
    assert raised.value.hint == f"chmod 600 {tmp_path / 'k'}"


def test_a_folder_or_a_pipe_is_no_key_file(environ: dict[str, str], tmp_path: Path) -> None:
    """What is no regular file is refused at once; a pipe does not hang the command."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name in ("pipe", "."):
        environ["STAGER_KEY_FILE"] = str(tmp_path / name)
        with pytest.raises(KeyUnavailable):
            staging_key(environ)


def test_without_a_home_there_is_no_folder_of_keys() -> None:
    """A relative XDG_CONFIG_HOME is ignored; with no HOME either, no key lands in the working folder."""
    assert places.key_folder({"XDG_CONFIG_HOME": "rel", "HOME": "/h"}) == Path("/h/.config/stager/keys")
    with pytest.raises(KeyUnavailable):
        places.key_folder({"XDG_CONFIG_HOME": "rel"})


def test_two_processes_that_make_the_key_at_once_end_with_the_same(environ: dict[str, str]) -> None:
    """Of many first uses at once one makes the key and all get it."""
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda _: staging_key(environ), range(32)))
    assert len({key.secret for key in keys}) == 1
    assert sum(key.created for key in keys) == 1


def test_nothing_is_left_beside_a_key(environ: dict[str, str], folder: Path) -> None:
    """The file that a key is first written to is gone afterwards."""
    staging_key(environ)
    assert [each.name for each in folder.iterdir()] == ["staging.key"]


def test_derived_keys_differ_by_purpose_and_migration() -> None:
    """No two purposes and no two migrations share a key, and the same ones give the same key."""
    key = StagingKey(SECRET, "here")
    derived = [
        base64.b64decode(key.file_key()),
        *(key.fingerprint_key(migration) for migration in ("m1", "m2")),
        *(key.signing_seed(migration) for migration in ("m1", "m2")),
    ]
    assert len(set(derived)) == 5
    assert {len(each) for each in derived} == {32}
    assert SECRET not in derived
    assert StagingKey(SECRET, "elsewhere").signing_seed("m1") == key.signing_seed("m1")


def test_derived_keys_stay_as_they_are() -> None:
    """The derivations are pinned: a changed label would lock every staging file out."""
    key = StagingKey(SECRET, "here")
    assert key.file_key() == "axqtfelNi2vUKMIM8xJvhjDu+LP6x9h4PSqY1XxMYAE="
    assert (
        key.fingerprint_key("m1").hex() == "52401e0472b9361320ff02fa9a4c4b28039e59043ed47343e7144d1368d5bfc4"
    )
    assert key.signing_seed("m1").hex() == "94b8bed7159ef35cf0437b8801ef507e655fffcea511e55b376d3a3e871909f6"


def test_no_repr_shows_a_secret(kek: LocalKek) -> None:
    """Keys in a traceback or a log line show their origin and id and nothing more."""
    keyset = new_keyset("maple", NOW)
    shown = repr([StagingKey(SECRET, "here"), kek, keyset, keyset.describe()])
    secrets = [SECRET, keyset.index_key, keyset.primary.secret]
    assert all(repr(each)[2:-1] not in shown and each.hex() not in shown for each in secrets)


class TestKeyring:
    """The keyring, by a backend of its own that holds its entries in memory."""

    @pytest.fixture
    def entries(self) -> Iterator[dict[tuple[str, str], str]]:
        """A usable keyring for the length of a test."""
        keyring = pytest.importorskip("keyring")
        backend = pytest.importorskip("keyring.backend")
        kept: dict[tuple[str, str], str] = {}

        class Memory(backend.KeyringBackend):  # type: ignore[misc, name-defined]
            priority = 1

            def get_password(self, service: str, username: str) -> str | None:
                return kept.get((service, username))

            def set_password(self, service: str, username: str, password: str) -> None:
                if kept.get(("locked", "")):
                    raise keyring.errors.KeyringLocked
                kept[service, username] = password

        before = keyring.get_keyring()
        keyring.set_keyring(Memory())
        yield kept
        keyring.set_keyring(before)

    def test_an_entry_that_is_there_is_used(
        self, environ: dict[str, str], entries: dict[tuple[str, str], str]
    ) -> None:
        """An entry goes before the file in the folder of keys."""
        del environ["STAGER_KEYRING"]
        entries["stager", "staging-key"] = base64.b64encode(SECRET).decode()
        found = staging_key(environ)
        assert (found.secret, found.created) == (SECRET, False)

    def test_a_key_is_made_in_the_keyring_only_on_demand(
        self, environ: dict[str, str], entries: dict[tuple[str, str], str], folder: Path
    ) -> None:
        """Without STAGER_KEYRING=1 the key is made in a file; with it, in the keyring."""
        del environ["STAGER_KEYRING"]
        assert staging_key(environ).origin == str(folder / "staging.key")
        environ["STAGER_KEYRING"] = "1"
        made = staging_key(environ)
        assert made.created
        assert base64.b64decode(entries["stager", "staging-key"]) == made.secret
        assert not staging_key(environ).created

    def test_zero_leaves_the_keyring_alone(
        self, environ: dict[str, str], entries: dict[tuple[str, str], str]
    ) -> None:
        """STAGER_KEYRING=0 does not ask the keyring, even where it holds the key."""
        entries["stager", "staging-key"] = base64.b64encode(SECRET).decode()
        assert staging_key(environ).secret != SECRET

    def test_a_locked_keyring_is_no_reason_for_another_key(
        self, environ: dict[str, str], entries: dict[tuple[str, str], str], folder: Path
    ) -> None:
        """Where the keyring fails the command ends; it does not go on with a fresh key."""
        environ["STAGER_KEYRING"] = "1"
        entries["locked", ""] = "yes"
        with pytest.raises(KeyUnavailable, match="KeyringLocked"):
            staging_key(environ)
        assert not folder.exists()


def test_a_keyring_that_is_asked_for_must_be_there(environ: dict[str, str]) -> None:
    """STAGER_KEYRING=1 without a usable keyring is an error; another word than 0 and 1 too."""
    keyring = pytest.importorskip("keyring")
    fail = pytest.importorskip("keyring.backends.fail")
    before = keyring.get_keyring()
    keyring.set_keyring(fail.Keyring())
    try:
        with pytest.raises(KeyUnavailable):
            staging_key({**environ, "STAGER_KEYRING": "1"})
        with pytest.raises(UsageError):
            staging_key({**environ, "STAGER_KEYRING": "yes"})
    finally:
        keyring.set_keyring(before)
