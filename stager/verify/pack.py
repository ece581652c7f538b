"""The auditor's pack: the whole log without patients' values, its seals and signatures, and a verifier.

Everything in it can be checked offline by its own `verify.py`, which needs Python and nothing else, or
by `stager verify PACK.zip`, which runs the same.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path

from msgspec import Struct, to_builtins

from stager.account import account
from stager.crypto.signing import Signer
from stager.errors import IntegrityFailed, StagingUnavailable, UsageError, Where
from stager.event_log import Seal
from stager.staging import Staging
from stager.verify import standalone
from stager.verify.notes import NoteKey, sign_note
from stager.verify.proofs import Proofs

LOG, SEALS, CHECKPOINT, PUBLIC_KEY = "log.jsonl", "seals.json", "checkpoint.txt", "public_key.txt"
ACCOUNT, MANIFEST, SIGNED_MANIFEST = "account.json", "manifest.json", "manifest.txt"
VERIFIER, README = "verify.py", "README.txt"

_OWN = {LOG, SEALS, CHECKPOINT, PUBLIC_KEY, ACCOUNT, MANIFEST, SIGNED_MANIFEST, VERIFIER, README}


class PackChecked(Struct, frozen=True):
    """A pack that is in order. public_key: as it is handed on."""

    events: int
    seals: int
    public_key: str
    members: tuple[str, ...]


def build_pack(
    staging: Staging, signer: Signer, out: Path, extra: Mapping[str, bytes] | None = None
) -> tuple[str, ...]:
    """Write the pack to `out`, which must not be there yet, mode 0600; the names of its members.

    extra: further members by name, such as a report. UsageError: a name that is taken or no plain name,
    a file that is there, or nothing to prove yet. StagingUnavailable: it cannot be written.
    """
    named = dict(extra or {})
    for name in named:
        if name in _OWN or not _is_plain(name):
            raise UsageError(f"a pack cannot have a further member {name!r}", hint="name it otherwise")
    proofs = Proofs(staging, signer)
    spare = out.with_name(out.name + ".new")
    try:
        if out.exists():
            raise UsageError(f"{out} is there already", hint="name another file, or remove it")
        spare.unlink(missing_ok=True)
        spare.touch(mode=0o600)
        with zipfile.ZipFile(spare, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as pack:
            _fill(pack, staging, signer, proofs, named)
        spare.replace(out)
    except OSError as error:
        raise StagingUnavailable(
            f"{out} cannot be written: {error.strerror}", hint="name another place"
        ) from None
    finally:
        spare.unlink(missing_ok=True)
    return tuple(sorted({*_OWN, *named}))


def verify_pack(path: Path, *, key: str | None = None, checkpoint: str | None = None) -> PackChecked:
    """Check a pack offline. IntegrityFailed names the first thing in it that is wrong.

    key: the public key as it is known by another way. checkpoint: one kept from before, whose log must
    be the beginning of this one. StagingUnavailable: the file cannot be read.
    """
    try:
        events, seals, found = standalone.check(path, key, checkpoint)
        with zipfile.ZipFile(path) as pack:
            members = tuple(sorted(pack.namelist()))
    except OSError as error:
        raise StagingUnavailable(f"{path} cannot be read: {error.strerror}", hint="name a pack") from None
    except standalone.Wrong as wrong:
        raise _not_verified(path, str(wrong)) from None
    except Exception as error:  # a pack comes from outside, and may be anything
        raise _not_verified(path, f"it is not of a pack's form ({type(error).__name__})") from None
    return PackChecked(events, seals, found, members)


def is_pack(path: Path) -> bool:
    """Whether a file is a zip, and so a pack and no staging file."""
    return path.is_file() and zipfile.is_zipfile(path)


def _not_verified(path: Path, what: str) -> IntegrityFailed:
    return IntegrityFailed(
        f"the pack does not verify: {what}", where=Where(file=path.name), hint="ask for the pack again"
    )


def _fill(
    pack: zipfile.ZipFile, staging: Staging, signer: Signer, proofs: Proofs, extra: Mapping[str, bytes]
) -> None:
    key = proofs.key
    sums = {LOG: _write(pack, LOG, _log(staging, proofs.seal.size))}
    texts = {
        SEALS: _json(list(_seals(staging))),
        CHECKPOINT: proofs.checkpoint().encode(),
        PUBLIC_KEY: f"{key}\n".encode(),
        ACCOUNT: _json(to_builtins(account(staging))),
        VERIFIER: (files(__package__) / "standalone.py").read_bytes(),
        README: _readme(key).encode(),
        **extra,
    }
    sums |= {name: _write(pack, name, [text]) for name, text in texts.items()}
    manifest = _json(dict(sorted(sums.items())))
    _write(pack, MANIFEST, [manifest])
    told = f"{key.name}/pack\n{hashlib.sha256(manifest).hexdigest()}\n"
    _write(pack, SIGNED_MANIFEST, [sign_note(told, key.name, signer).encode()])


def _write(pack: zipfile.ZipFile, name: str, parts: Iterable[bytes]) -> str:
    """Write a member piece by piece; its SHA-256 in hex. Its time is fixed: one log gives one pack."""
    whole = hashlib.sha256()
    member = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    member.compress_type = zipfile.ZIP_DEFLATED
    member.external_attr = 0o600 << 16
    with pack.open(member, "w", force_zip64=True) as file:
        for part in parts:
            whole.update(part)
            file.write(part)
    return whole.hexdigest()


def _log(staging: Staging, size: int) -> Iterator[bytes]:
    for batch in staging.batches("log_lines", upto=size, batch_rows=50_000):
        yield "".join(f"{line}\n" for line in batch.column(0).to_pylist()).encode()


def _seals(staging: Staging) -> Iterator[dict[str, object]]:
    for row in staging.rows("seals_in_order"):
        seal = Seal(*row[:-1])
        parts = {name: getattr(seal, name) for name in Seal.__struct_fields__}
        yield {name: bytes(part).hex() if isinstance(part, bytes) else part for name, part in parts.items()}


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False, default=str) + "\n").encode()


def _is_plain(name: str) -> bool:
    parts = name.split("/")
    return name.isprintable() and "\\" not in name and all(part not in ("", ".", "..") for part in parts)


def _readme(key: NoteKey) -> str:
    return f"""An auditor's pack of stager, log {key.name}

What happened to every record that was taken in, as a log of events without patients' values, sealed
and signed. To check it, with Python 3.8 or later and nothing else:

    python3 verify.py PACK.zip --key KEY

KEY is the migration's public key. It is in {PUBLIC_KEY}, but the one to trust is the one that you
were given by another way: on paper, or read out. If you kept the {CHECKPOINT} of an earlier pack,
add --checkpoint FILE: the log must continue it.

    {LOG:<16}  every event, one line of JSON each, with its leaf hash
    {SEALS:<16}  one seal for each command: root over all events so far, seal before, signature
    {CHECKPOINT:<16}  the last root, signed (c2sp.org/tlog-checkpoint)
    {PUBLIC_KEY:<16}  the key that signed
    {ACCOUNT:<16}  records and bytes of each file, and the states of its rows
    {MANIFEST:<16}  SHA-256 of each member; {SIGNED_MANIFEST} is its signature
    {VERIFIER:<16}  the verifier: plain Python, to be read before it is run

Any further members are reports of the same migration. The log names files, actors, rows by number,
rules and keyed digests. It also holds what people wrote as reasons: treat it as confidential.
"""
