"""Proofs over the log, checkpoints, keys, and the auditor's pack with its stand-alone verifier."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from stager.crypto.merkle import root
from stager.crypto.merkle_proofs import verify_inclusion
from stager.crypto.signing import Signer
from stager.errors import IntegrityFailed, StagerError, StagingUnavailable, UsageError
from stager.session import Session
from stager.verify import build_pack, standalone, verify_pack
from stager.verify.notes import Checkpoint, NoteKey, open_note, sign_note
from tests.migration import Migration, patient
from tests.verify_migration import Built, Spoilable

SIGNER = Signer(bytes(range(32)))


@pytest.fixture(scope="module")
def opened(built: Built) -> Iterator[Spoilable]:
    with built.opened() as found:
        yield found


@pytest.fixture(scope="module")
def session(opened: Spoilable) -> Session:
    return opened.session


@pytest.fixture(scope="module")
def pack(session: Session, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("pack") / "pack.zip"
    session.write_pack(out, {"report.html": b"<html>", "person/L1.json": b"{}"})
    return out


def test_every_event_is_proved(session: Session) -> None:
    """An inclusion proof holds for its own event and not for another leaf, place or root."""
    proofs = session.prove()
    for seq in (1, 2, 47, proofs.seal.size):
        proof = proofs.inclusion(seq)
        assert proof.holds()
        assert proof.root == proofs.seal.root
        assert not replace(proof, leaf=bytes(32)).holds()
        assert not replace(proof, index=proof.index ^ 1).holds()
        assert not replace(proof, path=proof.path[:-1]).holds()
        assert not replace(proof, root=bytes(32)).holds()
    for seq in (0, proofs.seal.size + 1):
        with pytest.raises(UsageError, match="no sealed event"):
            proofs.inclusion(seq)


def test_the_evidence_pages_code_proves_an_event(session: Session) -> None:
    """What docs/evidence.md shows for checking by hand gives the root for every event, and for no other."""
    page = (Path(__file__).parents[1] / "docs" / "evidence.md").read_text(encoding="utf-8")
    scope: dict[str, Any] = {}
    exec(page.split("```python\n")[1].split("```")[0], scope)
    proofs = session.prove()
    for seq in (1, 2, 500, proofs.seal.size):
        proof = proofs.inclusion(seq)
        assert scope["root_of"](proof.leaf, proof.index, proof.size, proof.path) == proof.root
        assert scope["root_of"](bytes(32), proof.index, proof.size, proof.path) != proof.root


def test_every_seal_continues_every_earlier_one(session: Session) -> None:
    """A consistency proof holds between any two seals, and not against another root."""
    proofs = session.prove()
    last = proofs.seal.seal_no
    for first, second in ((1, 2), (1, last), (3, 7), (last - 1, last), (2, 2)):
        proof = proofs.consistency(first, second)
        assert proof.holds()
        assert not replace(proof, first=replace(proof.first, root=bytes(32))).holds()
        assert (proof.first.seal_no, proof.second.seal_no) == (first, second)
    with pytest.raises(UsageError, match="no seals"):
        proofs.consistency(2, 1)


def test_the_checkpoint_is_the_last_seals(session: Session) -> None:
    """Origin, size and root are the migration's, and its key opens the note."""
    proofs = session.prove()
    head = Checkpoint.parse(open_note(proofs.checkpoint(), proofs.key))
    assert head == Checkpoint(f"stager/{session.status().migration_id}", proofs.seal.size, proofs.seal.root)
    assert NoteKey.parse(str(proofs.key)) == proofs.key


def test_a_person_gets_what_befell_their_rows(session: Session, opened: Spoilable) -> None:
    """Every event of their row and of those linked to it, each with a proof that holds on its own."""
    [(legacy_id, source_id, row_no)] = opened.staging._execute(
        "select legacy_id, source_id, row_no from row_patients where row_no = 2 and source_id = 1"
    ).fetchall()
    found = session.prove().of_person(legacy_id)
    document = json.loads(json.dumps(found.document))
    head = Checkpoint.parse(open_note(document["checkpoint"], NoteKey.parse(document["public_key"])))
    kinds = {event["kind"] for event in document["events"]}
    assert {"source.registered", "row.accepted", "approval.granted", "publish.chunk_committed"} <= kinds
    assert {"sheet": "patients", "source_id": source_id, "row_no": row_no}.items() <= document["rows"][
        0
    ].items()
    linked = opened.staging._execute(
        "select count(*) from row_state where patient_source = 1 and patient_row = 2"
    ).fetchall()[0][0]
    assert found.rows == 1 + linked
    for event in document["events"]:
        assert standalone.leaf_of(event).hex() == event["leaf"]
        assert _proves(event, head)


def test_a_person_is_told_who_had_their_values_shown(tmp_path: Path) -> None:
    """Looking at a row's cells is an event, which stands in the evidence of whose row it is."""
    migration = Migration(tmp_path).take(patients=[patient("L1"), patient("L2")])
    with migration.session as session:
        session.show_values(session.history("patients", "1"), actor="inquisitive")
        shown = {
            person: [
                event["actor"]
                for event in session.prove().of_person(person).document["events"]
                if event["kind"] == "values.shown"
            ]
            for person in ("L1", "L2")
        }
    assert shown == {"L1": ["inquisitive"], "L2": []}


def _proves(event: dict[str, Any], head: Checkpoint) -> bool:
    path = [bytes.fromhex(each) for each in event["path"]]
    return verify_inclusion(bytes.fromhex(event["leaf"]), event["index"], head.size, path, head.root)


def test_nobodys_evidence_is_refused(session: Session) -> None:
    """A LegacyPatientID that no row has is wrong usage."""
    with pytest.raises(UsageError, match="no row has that"):
        session.prove().of_person("nobody")


def test_a_note_has_the_published_form() -> None:
    """The text, a blank line, an em dash, name and base64 of key id and signature; c2sp.org/signed-note."""
    note = sign_note("stager/x\n1\nAAAA\n", "stager/x", SIGNER)
    text, signature = note.split("\n\n")
    assert text == "stager/x\n1\nAAAA"
    dash, name, value = signature.rstrip("\n").split(" ")
    key = NoteKey("stager/x", SIGNER.public_key)
    assert (dash, name, base64.b64decode(value)[:4]) == ("—", "stager/x", key.id)
    assert len(base64.b64decode(value)) == 68
    assert open_note(note, key) == "stager/x\n1\nAAAA\n"


def test_a_known_key_opens_a_known_note() -> None:
    """The key and note that Go's sumdb/note prints as its example."""
    key = NoteKey.parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    note = (
        "If you think cryptography is the answer to your problem,\n"
        "then you don't know what your problem is.\n"
        "\n"
        "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2p"
        "ZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
    )
    assert open_note(note, key).startswith("If you think")
    with pytest.raises(IntegrityFailed):
        open_note(note.replace("problem is", "problem was"), key)


def _other_signature(note: str) -> str:
    head, _, last = note.rpartition(" ")
    value = bytearray(base64.b64decode(last))
    value[10] ^= 1
    return f"{head} {base64.b64encode(bytes(value)).decode()}\n"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda note: note.replace("\n1\n", "\n2\n"),
        lambda note: note.replace("—", "-"),
        lambda note: note.replace("\n\n", "\n"),
        lambda note: note[:-1],
        lambda note: note + "\n",
        lambda note: note.replace("— stager/x", "— stager/y"),
        lambda note: note.replace("— stager/x ", "—  stager/x "),
        lambda note: note.replace("stager/x\n1", "stager/x\r\n1"),
        lambda note: note.replace("=", ""),
        lambda note: note + "rest\n",
        _other_signature,
        lambda note: "",
        lambda note: "\n\n",
    ],
)
def test_a_note_of_another_form_is_refused(spoil: Callable[[str], str]) -> None:
    """Neither the text nor the signature line may differ in a byte."""
    note = sign_note("stager/x\n1\nAAAA\n", "stager/x", SIGNER)
    spoilt = spoil(note)
    assert spoilt != note
    with pytest.raises(IntegrityFailed):
        open_note(spoilt, NoteKey("stager/x", SIGNER.public_key))


def test_signatures_of_others_are_passed_over() -> None:
    """A witness's line beside the log's own changes nothing; a witness alone proves nothing."""
    note = sign_note("a\n1\nb\n", "log", SIGNER)
    witness = sign_note("a\n1\nb\n", "witness", Signer(bytes(32))).split("\n\n")[1]
    key = NoteKey("log", SIGNER.public_key)
    assert open_note(note + witness, key) == "a\n1\nb\n"
    with pytest.raises(IntegrityFailed, match="not signed by log"):
        open_note("a\n1\nb\n\n" + witness, key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a\n1\n",
        "a\n01\n{}\n",
        "a\n-1\n{}\n",
        "a\n1\n{}",
        "a b\n1\n{}\n",
        "\n1\n{}\n",
        "a\n1\n{}\nmore\n",
        "a\n1\nAAAA\n",
    ],
)
def test_a_checkpoint_is_three_plain_lines(text: str) -> None:
    """A size without leading zeroes, a root of 32 bytes, no extension."""
    root_text = base64.b64encode(bytes(32)).decode()
    with pytest.raises(IntegrityFailed):
        Checkpoint.parse(text.replace("{}", root_text))
    assert Checkpoint.parse(f"a\n0\n{root_text}\n").size == 0


@pytest.mark.parametrize(
    "text", ["", "a", "a+b", "a+00000000+AAAA", "a b+{id}+{key}", "a+{id}x+{key}", "a+{id}+{key}="]
)
def test_a_key_of_another_form_is_refused(text: str) -> None:
    """A key is name, its own id, and 33 bytes in base64."""
    name, id_, key = str(NoteKey("a", SIGNER.public_key)).split("+", 2)
    assert name == "a"
    with pytest.raises(IntegrityFailed):
        NoteKey.parse(text.replace("{id}", id_).replace("{key}", key))


@settings(deadline=None, max_examples=15)
@given(st.binary(max_size=80), st.binary(min_size=32, max_size=32))
def test_the_packs_own_ed25519_agrees(message: bytes, seed: bytes) -> None:
    """The readable one in the pack accepts what the library signs, and no other message or key."""
    signer = Signer(seed)
    signature = signer.sign(message)
    assert standalone.signed(signer.public_key, signature, message)
    assert not standalone.signed(signer.public_key, signature, message + b"x")
    assert not standalone.signed(signer.public_key, signature[:-1] + bytes([signature[-1] ^ 1]), message)
    assert not standalone.signed(signer.public_key, signature[:-1], message)
    longer = int.from_bytes(signature[32:], "little") + standalone.ORDER
    if longer < 2**256:
        assert not standalone.signed(
            signer.public_key, signature[:32] + longer.to_bytes(32, "little"), message
        )


@settings(deadline=None, max_examples=30)
@given(st.lists(st.binary(min_size=32, max_size=32), max_size=40))
def test_the_packs_own_tree_agrees(leaves: list[bytes]) -> None:
    """The readable tree in the pack has the library's root at every size."""
    peaks: list[tuple[int, bytes]] = []
    for size, leaf in enumerate(leaves, start=1):
        standalone.grow(peaks, leaf)
        assert standalone.root_of(peaks) == root(b"".join(leaves[:size]))


def test_a_pack_verifies(session: Session, pack: Path) -> None:
    """Offline: its events, seals, key and members; and with the key and an earlier checkpoint given."""
    status, key = session.status(), str(session.prove().key)
    found = verify_pack(pack, key=key, checkpoint=session.prove().checkpoint())
    assert (found.events, found.seals, found.public_key) == (status.events, status.seals, key)
    assert {"report.html", "person/L1.json", "verify.py", "README.txt"} <= set(found.members)
    assert pack.stat().st_mode & 0o777 == 0o600


def test_the_verifier_in_the_pack_needs_nothing_else(pack: Path, tmp_path: Path) -> None:
    """Taken out and run by a bare Python, it says verified, or names what is wrong and exits 6."""
    with zipfile.ZipFile(pack) as members:
        members.extract("verify.py", tmp_path)
    run = [sys.executable, "-I", "-S", str(tmp_path / "verify.py")]
    good = subprocess.run([*run, str(pack)], capture_output=True, text=True, check=False)
    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout.startswith("verified: ")
    spoilt = _spoilt(pack, tmp_path, "log.jsonl", lambda text: text.replace(b"reviewer", b"somebody"))
    bad = subprocess.run([*run, str(spoilt)], capture_output=True, text=True, check=False)
    assert bad.returncode == 6
    assert bad.stderr.startswith("NOT VERIFIED: log.jsonl was altered")


def test_a_pack_holds_no_patients_values(pack: Path, opened: Spoilable) -> None:
    """No name, note, address or number of the practice stands in any member."""
    cells: set[str] = set()
    for table, fields in (
        ("row_patients", "first_name, last_name, nhs_number, email, mobile_phone, street_address"),
        ("row_notes", "note_text, diagnosis"),
    ):
        for row in opened.staging._execute(f"select {fields} from {table}").fetchall():
            cells |= {cell.strip() for cell in row if cell and len(cell.strip()) > 7}
    assert len(cells) > 100
    with zipfile.ZipFile(pack) as members:
        texts = {name: members.read(name).decode() for name in members.namelist()}
    assert [(name, cell) for cell in cells for name, text in texts.items() if cell in text] == []


MEMBERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "an event's actor": ("log.jsonl", lambda text: text.replace(b'"actor":"lead"', b'"actor":"fred"')),
    "an event removed": ("log.jsonl", lambda text: text.replace(text.splitlines(keepends=True)[4], b"")),
    "the end cut off": ("log.jsonl", lambda text: b"".join(text.splitlines(keepends=True)[:-3])),
    "an event doubled": ("log.jsonl", lambda text: text + text.splitlines(keepends=True)[-1]),
    "a seal's root": ("seals.json", lambda text: text.replace(b'"root": "', b'"root": "0', 1)),
    "no seals": ("seals.json", lambda text: b"[]"),
    "a seal of no form": ("seals.json", lambda text: b"[{}]"),
    "not JSON": ("seals.json", lambda text: text[:-5]),
    "the checkpoint": ("checkpoint.txt", lambda text: text.replace(b"\n", b"0\n", 2)),
    "the account": ("account.json", lambda text: text.replace(b"1", b"2")),
    "the report": ("report.html", lambda text: b"<HTML>"),
    "the manifest": ("manifest.json", lambda text: text + b" "),
    "the verifier": ("verify.py", lambda text: b"print('verified')"),
}


@pytest.mark.parametrize(("member", "change"), MEMBERS.values(), ids=MEMBERS)
@pytest.mark.parametrize("resummed", [False, True], ids=["as it is", "with a new manifest"])
def test_a_spoilt_pack_is_named(
    pack: Path, tmp_path: Path, member: str, change: Callable[[bytes], bytes], resummed: bool
) -> None:
    """A member altered, with or without its sum set right, is found: the manifest is signed."""
    with pytest.raises(IntegrityFailed, match="does not verify"):
        verify_pack(_spoilt(pack, tmp_path, member, change, resummed=resummed))


def test_the_log_is_checked_beneath_the_manifest(session: Session, opened: Spoilable, tmp_path: Path) -> None:
    """Even under a manifest signed anew by the key, an altered event is found by its leaf, root and seal."""
    signer = opened.session._open_as_it_is().signer
    for statement, named in (
        ("update event set actor = 'nobody' where seq = 9", "event 9 was altered"),
        ("delete from event where seq = 9", "event 9 is missing"),
        ("update seal set previous = root where seal_no = 4", "seal 4 does not follow"),
        ("update seal set signature = previous || previous where seal_no = 4", "seal 4 is not signed"),
        ("update seal set root = previous where seal_no = 4", "seal 4 is not over these events"),
    ):
        out = tmp_path / f"{len(list(tmp_path.iterdir()))}.zip"
        with opened.spoilt(statement):
            build_pack(opened.staging, signer, out)
        with pytest.raises(IntegrityFailed, match=named):
            verify_pack(out)


def test_members_added_or_taken_away_are_named(pack: Path, tmp_path: Path) -> None:
    """The manifest names every member and no other."""
    more, fewer = tmp_path / "more.zip", tmp_path / "fewer.zip"
    more.write_bytes(pack.read_bytes())
    with zipfile.ZipFile(more, "a") as members:
        members.writestr("extra.txt", "x")
    with zipfile.ZipFile(pack) as old, zipfile.ZipFile(fewer, "w") as new:
        for name in set(old.namelist()) - {"report.html"}:
            new.writestr(name, old.read(name))
    for path in (more, fewer):
        with pytest.raises(IntegrityFailed, match="members are missing or added"):
            verify_pack(path)


def test_another_key_or_history_is_named(session: Session, pack: Path) -> None:
    """The key as it is known, and a kept checkpoint, hold a pack to one migration and one past."""
    proofs = session.prove()
    other = NoteKey(proofs.key.name, Signer(bytes(32)).public_key)
    with pytest.raises(IntegrityFailed, match="not the one that you were given"):
        verify_pack(pack, key=str(other))
    signer = session._open_as_it_is().signer
    for size, digest, named in (
        (5, bytes(32), "does not continue"),
        (proofs.seal.size + 1, bytes(32), "shorter than at the checkpoint"),
    ):
        kept = sign_note(Checkpoint(proofs.key.name, size, digest).text, proofs.key.name, signer)
        with pytest.raises(IntegrityFailed, match=named):
            verify_pack(pack, checkpoint=kept)


def test_what_is_no_pack_is_told(tmp_path: Path, session: Session, pack: Path) -> None:
    """No other file is taken for a pack; a pack is not written over, nor a member's name taken."""
    (tmp_path / "x.zip").write_bytes(b"not a zip")
    with pytest.raises(IntegrityFailed):
        verify_pack(tmp_path / "x.zip")
    with pytest.raises(StagingUnavailable):
        verify_pack(tmp_path / "none.zip")
    for out, extra in (
        (pack, {}),
        (tmp_path / "a.zip", {"log.jsonl": b""}),
        (tmp_path / "a.zip", {"../x": b""}),
    ):
        with pytest.raises(UsageError):
            session.write_pack(out, extra)
    with pytest.raises(StagerError):
        session.write_pack(tmp_path / "no folder" / "a.zip")


def _spoilt(
    pack: Path, folder: Path, member: str, change: Callable[[bytes], bytes], *, resummed: bool = False
) -> Path:
    out = folder / "spoilt.zip"
    with zipfile.ZipFile(pack) as old, zipfile.ZipFile(out, "w") as new:
        changed = change(old.read(member))
        assert changed != old.read(member)
        for name in old.namelist():
            content = changed if name == member else old.read(name)
            if name == "manifest.json" and resummed and member != name:
                sums = {**json.loads(content), member: hashlib.sha256(changed).hexdigest()}
                content = (json.dumps(sums, indent=1) + "\n").encode()
            new.writestr(name, content)
    return out
