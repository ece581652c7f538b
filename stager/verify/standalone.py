#!/usr/bin/env python3
"""Verify an auditor's pack of stager with nothing but Python's standard library.

    python3 verify.py PACK.zip [--key KEY] [--checkpoint FILE]

It recomputes every event's leaf, the Merkle root at every seal (RFC 9162), the chain of seals, every
signature (Ed25519, RFC 8032) and the manifest. KEY is the public key as you were given it by another way;
FILE is a checkpoint that you kept from before, whose log must be the beginning of this one.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sys
import zipfile
from pathlib import Path
from typing import IO, Any

Point = tuple[int, int, int, int]

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)


class Wrong(Exception):
    """Something in the pack is not what it must be."""


def need(condition: object, what: str) -> None:
    if not condition:
        raise Wrong(what)


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


# Ed25519: points as (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z.
def point(data: bytes) -> Point:
    y = int.from_bytes(data, "little") & (1 << 255) - 1
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if x * x % P == square else x * ROOT_OF_MINUS_ONE % P
    need(y < P and x * x % P == square, "a signature's point is not on the curve")
    x = x if x & 1 == data[31] >> 7 else -x % P
    return x, y, 1, x * y % P


def add(p: Point, q: Point) -> Point:
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(scalar: int, p: Point) -> Point:
    total = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            total = add(total, p)
        p, scalar = add(p, p), scalar >> 1
    return total


BASE = point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def signed(key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the key's holder signed the message."""
    if len(key) != 32 or len(signature) != 64:
        return False
    s = int.from_bytes(signature[32:], "little")
    digest = hashlib.sha512(signature[:32] + key + message).digest()
    k = int.from_bytes(digest, "little") % ORDER
    try:
        left, right = times(s, BASE), add(point(signature[:32]), times(k, point(key)))
    except Wrong:
        return False
    same = (left[0] * right[2] - right[0] * left[2]) % P == (left[1] * right[2] - right[1] * left[2]) % P == 0
    return s < ORDER and same


def open_note(note: str, name: str, key: bytes) -> str:
    """The text of a signed note (c2sp.org/signed-note) that the key signed under the name."""
    text, gap, lines = note.rpartition("\n\n")
    key_id = sha256(name.encode() + b"\n\x01" + key)[:4]
    for line in lines.splitlines() if gap else ():
        dash, who, encoded = [*line.split(" "), "", ""][:3]
        value = base64.b64decode(encoded, validate=True)
        if dash == "—" and who == name and value[:4] == key_id:
            need(signed(key, value[4:], text.encode() + b"\n"), f"the signature of {name} is wrong")
            return text + "\n"
    raise Wrong(f"a note is not signed by {name}")


def leaf_of(event: dict[str, Any]) -> bytes:
    """The leaf hash of an event: SHA-256 over a zero byte and each column behind its length, - for none."""
    names = ("seq", "at", "actor", "kind", "version", "sheet", "source_id", "row_no", "finding_id", "detail")
    data = b"\0"
    for name in names:
        part = None if event[name] is None else str(event[name]).encode()
        data += b"-" if part is None else b"%d:%s," % (len(part), part)
    return sha256(data)


def grow(peaks: list[tuple[int, bytes]], leaf: bytes) -> None:
    """Add a leaf to a tree that is kept as its full subtrees: (height, hash), the largest first."""
    peaks.append((0, leaf))
    while len(peaks) > 1 and peaks[-1][0] == peaks[-2][0]:
        (height, left), (_, right) = peaks[-2:]
        peaks[-2:] = [(height + 1, sha256(b"\1" + left + right))]


def root_of(peaks: list[tuple[int, bytes]]) -> bytes:
    root = peaks[-1][1] if peaks else sha256(b"")
    for _, left in reversed(peaks[:-1]):
        root = sha256(b"\1" + left + root)
    return root


def check_manifest(pack: zipfile.ZipFile, name: str, key: bytes) -> None:
    """Every member is the one that the signed manifest names, and there is no other."""
    text = pack.read("manifest.json")
    told = open_note(pack.read("manifest.txt").decode(), name, key).splitlines()
    need(told == [f"{name}/pack", hashlib.sha256(text).hexdigest()], "manifest.json is not the signed one")
    members = json.loads(text)
    there = sorted(set(pack.namelist()) - {"manifest.json", "manifest.txt"})
    need(there == sorted(members) and len(there) + 2 == len(pack.namelist()), "members are missing or added")
    for member, digest in members.items():
        with pack.open(member) as file:
            need(digest == sum_of(file), f"{member} was altered")


def sum_of(file: IO[bytes]) -> str:
    whole = hashlib.sha256()
    while part := file.read(1 << 20):
        whole.update(part)
    return whole.hexdigest()


def check_log(
    pack: zipfile.ZipFile, name: str, key: bytes, earlier: tuple[int, bytes] | None
) -> tuple[int, int]:
    """Every event, seal and checkpoint; how many events and seals there are."""
    seals = json.loads(pack.read("seals.json"))
    peaks: list[tuple[int, bytes]] = []
    size, previous = 0, bytes(32)
    parts = ("seal_no", "at", "first_seq", "last_seq", "size", "root", "previous")
    heads = {seal["size"]: seal for seal in seals}
    with pack.open("log.jsonl") as log:
        for line in log:
            event, size = json.loads(line), size + 1
            need(event["seq"] == size, f"event {size} is missing or out of its place")
            leaf = leaf_of(event)
            need(leaf.hex() == event["leaf"], f"event {size} was altered")
            if size == 1:
                need(json.loads(event["detail"])["public_key"] == key.hex(), "event 1 names another key")
            grow(peaks, leaf)
            if earlier and earlier[0] == size:
                need(earlier[1] == root_of(peaks), "the log does not continue the kept checkpoint")
            if size not in heads:
                continue
            seal = heads.pop(size)
            number = seal["seal_no"]
            message = "stager/seal/1\n" + "".join(f"{seal[part]}\n" for part in parts)
            signature = bytes.fromhex(seal["signature"])
            need(seal["root"] == root_of(peaks).hex(), f"seal {number} is not over these events")
            need(seal["previous"] == previous.hex(), f"seal {number} does not follow the one before it")
            need(signed(key, signature, message.encode()), f"seal {number} is not signed by the key")
            need(seals[number - 1] is seal and seal["last_seq"] == size, f"seal {number} is out of its place")
            previous = sha256(message.encode() + signature)
    need(not heads and seals and seals[-1]["size"] == size, "the log does not end where its last seal does")
    need(not earlier or earlier[0] <= size, "the log is shorter than at the checkpoint kept from before")
    head = open_note(pack.read("checkpoint.txt").decode(), name, key).splitlines()
    wanted = [name, str(size), base64.b64encode(root_of(peaks)).decode()]
    need(head == wanted, "the checkpoint is not that of the log")
    return size, len(seals)


def check(
    path: Path | str, known_key: str | None = None, checkpoint: str | None = None
) -> tuple[int, int, str]:
    """How many events and seals the pack holds, and its key. Wrong: the first thing that is not right."""
    with zipfile.ZipFile(path) as pack:
        written = pack.read("public_key.txt").decode().strip()
        need(known_key in (None, written), "the pack's public key is not the one that you were given")
        name, _, rest = written.partition("+")
        key = base64.b64decode(rest.partition("+")[2], validate=True)[1:]
        earlier = None
        if checkpoint is not None:
            head = open_note(checkpoint, name, key).splitlines()
            earlier = int(head[1]), base64.b64decode(head[2])
        check_manifest(pack, name, key)
        events, seals = check_log(pack, name, key, earlier)
    return events, seals, written


def main() -> int:
    parser = argparse.ArgumentParser(description="Verify an auditor's pack of stager.")
    parser.add_argument("pack")
    parser.add_argument("--key", help="the public key as you were given it by another way")
    parser.add_argument("--checkpoint", help="a checkpoint that you kept from before")
    given = parser.parse_args()
    try:
        kept = Path(given.checkpoint).read_text(encoding="utf-8") if given.checkpoint else None
        events, seals, key = check(given.pack, given.key, kept)
    except (Wrong, zipfile.BadZipFile, KeyError, ValueError, TypeError, OSError) as error:
        sys.stderr.write(f"NOT VERIFIED: {error}\n")
        return 6
    sys.stdout.write(f"verified: {events} events under {seals} seals, every signature by {key}\n")
    if given.key is None:
        sys.stdout.write("compare that key with the one you were given by another way\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
