"""docs/decrypt.md as a developer would use it: its code, run as written, reads what stager sealed."""

from __future__ import annotations

import ast
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography.exceptions import InvalidTag

from stager.crypto import keystore
from stager.crypto.blind_index import BlindIndex
from stager.crypto.fernet_fields import FernetSealer
from stager.crypto.fields import FieldSealer, row_id_bytes
from stager.crypto.keyset import Keyset, new_keyset

PAGE = (Path(__file__).parent.parent / "docs" / "decrypt.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
ROW = UUID("0190d3b2-7a51-8c3e-9f00-1234567890ab")
NOTE = "Zeile 1\r\nallergic to [penicillin] – £5 \U0001f9ea"


@pytest.fixture
def page() -> dict[str, Any]:
    """The names that the page's code defines, all blocks run in order."""
    names: dict[str, Any] = {}
    for block in BLOCKS:
        exec(block, names)
    return names


@pytest.fixture
def keyset() -> Keyset:
    """A tenant's keyset."""
    return new_keyset("maple-surgery", datetime(2026, 11, 22, tzinfo=UTC))


def exported(keyset: Keyset, folder: Path) -> dict[str, Any]:
    """The keyset as `stager keys export` writes it, read as the page says."""
    path = folder / f"{len(keyset.keys)}.json"
    keystore.export(keyset, path)
    document: dict[str, Any] = json.loads(path.read_text())
    return document


@pytest.mark.parametrize("row_id", [ROW, 1, -1, 2**63 - 1])
def test_the_code_opens_a_field(
    page: dict[str, Any], keyset: Keyset, tmp_path: Path, row_id: UUID | int
) -> None:
    """A note sealed by stager opens by the page's code, for uuid and for bigint rows, and NULL is None."""
    sealer = FieldSealer(keyset, "maple-surgery", "clinical_data_note", "note_text")
    [sealed, empty] = sealer.seal_column([NOTE.encode(), b""], [row_id_bytes(row_id)] * 2)
    place = (exported(keyset, tmp_path), "clinical_data_note", "note_text", row_id)
    assert page["open_field"](*place, sealed) == NOTE
    assert page["open_field"](*place, empty) == ""
    assert page["open_field"](*place, None) is None


def test_the_code_refuses_what_stager_refuses(page: dict[str, Any], keyset: Keyset, tmp_path: Path) -> None:
    """In another column the page's code raises, as it says."""
    sealer = FieldSealer(keyset, "maple-surgery", "clinical_data_note", "note_text")
    [sealed] = sealer.seal_column([NOTE.encode()], [ROW.bytes])
    with pytest.raises(InvalidTag):
        page["open_field"](exported(keyset, tmp_path), "clinical_data_note", "diagnosis", ROW, sealed)


def test_the_code_reads_old_fields_after_a_rotation(
    page: dict[str, Any], keyset: Keyset, tmp_path: Path
) -> None:
    """An export after a rotation opens fields of both keys."""
    rotated = keyset.rotated(datetime(2026, 12, 1, tzinfo=UTC))
    document = exported(rotated, tmp_path)
    for keys in (keyset, rotated):
        sealer = FieldSealer(keys, "maple-surgery", "clinical_data_note", "note_text")
        [sealed] = sealer.seal_column([NOTE.encode()], [ROW.bytes])
        assert page["open_field"](document, "clinical_data_note", "note_text", ROW, sealed) == NOTE


def test_the_code_finds_a_patient_by_number(page: dict[str, Any], keyset: Keyset, tmp_path: Path) -> None:
    """The page's blind index is the one that stager stores."""
    index = BlindIndex(keyset, "maple-surgery", "users_user", "nhs_number").one("9434765919")
    assert page["nhs_number_index"](exported(keyset, tmp_path), "9434765919") == index


def test_the_code_opens_a_token(page: dict[str, Any], keyset: Keyset, tmp_path: Path) -> None:
    """The page's Fernet code opens a token under the exported keys, also one from before a rotation."""
    fernet = FernetSealer(keyset, "maple-surgery", "clinical_data_note", "note_text")
    [token] = fernet.seal_column([NOTE.encode()], [ROW.bytes])
    rotated = keyset.rotated(datetime(2026, 12, 1, tzinfo=UTC))
    for each in (keyset, rotated):
        assert page["open_token"](exported(each, tmp_path), token) == NOTE


def test_the_code_is_short_and_needs_only_cryptography() -> None:
    """The page keeps its word: about twenty lines, and nothing imported but `cryptography`."""
    lines = [line for line in BLOCKS[0].splitlines() if line.strip()]
    assert len(lines) <= 22
    statements = [node for block in BLOCKS for node in ast.walk(ast.parse(block))]
    imported = {name.name for node in statements if isinstance(node, ast.Import) for name in node.names}
    imported |= {(node.module or "").split(".")[0] for node in statements if isinstance(node, ast.ImportFrom)}
    assert imported == {"base64", "uuid", "hmac", "cryptography"}


def test_the_documented_export_is_the_real_one(keyset: Keyset, tmp_path: Path) -> None:
    """The JSON on the page has the parts of a real export, and no others."""
    shown = json.loads(re.search(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[1])  # type: ignore[index]
    real = exported(keyset, tmp_path)
    assert shown.keys() == real.keys()
    assert shown["keys"][0].keys() == real["keys"][0].keys()
