"""Whole practices: the made-up one and generated ones, in every encoding and dialect, twice, and dry."""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from sample_data import practice_files
from sample_data.generate import Practice, generate
from sample_data.write_practice import SheetFile, practice
from stager.ingest.stage import SourceAccount
from stager.session import Intake
from tests.migration import Migration

EXPECTED: dict[str, Any] = json.loads(
    (next(iter(practice_files().values())).parent / "expected.json").read_text(encoding="utf-8")
)
SHEETS = ("patients", "background", "notes", "medications")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Migration]:
    """The made-up practice as it is shipped, ingested and reconciled. Only to be read."""
    made = Migration(tmp_path_factory.mktemp("practice") / "m")
    made.ingest(*practice_files().values())
    made.reconcile()
    yield made
    made.close()


def said(migration: Migration) -> dict[str, list[dict[str, Any]]]:
    """Every row as expected.json has them."""
    return {
        sheet: [
            {
                "row": line.row,
                "state": line.state,
                "codes": sorted(line.codes),
                "patient": line.patient,
                "via": line.via,
            }
            for line in migration.session.rows(sheet=sheet)
        ]
        for sheet in SHEETS
    }


def test_the_made_up_practice_is_what_is_expected_of_it(whole: Migration) -> None:
    """Every row's state, codes, patient and key; every sheet's account; and it balances."""
    assert said(whole) == {sheet: EXPECTED[sheet] for sheet in SHEETS}
    status = whole.session.status()
    assert status.balances
    for sheet in status.sheets:
        wanted = dict(EXPECTED["account"][sheet.sheet])
        wanted.pop("malformed")
        assert (sheet.records, sum(each.blank for each in sheet.files)) == (
            wanted.pop("records"),
            wanted.pop("blank"),
        )
        assert {state: count for state, count in sheet.states.items() if count} == {
            state: count for state, count in wanted.items() if count
        }
    folded, rebuilt = whole.session.rebuild()
    assert folded == rebuilt


DIALECTS = [
    ("utf-8", b"", ",", "\n"),
    ("utf-16-le", codecs.BOM_UTF16_LE, "|", "\r\n"),
    ("cp1252", b"", "\t", "\r\n"),
    ("utf-16-be", b"", ";", "\n"),
    ("utf-8", codecs.BOM_UTF8, ";", "\r"),
    ("utf-16-be", codecs.BOM_UTF16_BE, ",", "\r"),
    ("cp1252", b"", "|", "\n"),
    ("utf-16-le", b"", "\t", "\n"),
]
"""Encoding, byte order mark, delimiter, line end."""


def converted(file: SheetFile, dialect: tuple[str, bytes, str, str]) -> tuple[bytes, str, str]:
    """The file in another encoding and dialect, with both; in UTF-8 where the encoding lacks a character."""
    encoding, mark, delimiter, newline = dialect
    lines = [_line(file.header, delimiter)]
    for line in file.lines:
        if line is None or line.raw is None:
            lines.append(_line(line.cells, delimiter) if line else "")
        else:
            lines.append(_broken(line.raw, file).replace(file.delimiter, delimiter))
    text = newline.join([*lines, ""])
    try:
        return mark + text.encode(encoding), encoding, delimiter
    except UnicodeEncodeError:
        return text.encode(), "utf-8", delimiter


def _line(cells: Sequence[str], delimiter: str) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="", quoting=csv.QUOTE_ALL).writerow(cells)
    return text.getvalue()


def _broken(raw: bytes, file: SheetFile) -> str:
    """A record that cannot be parsed, as text; where it is none, another one that cannot be."""
    try:
        return raw.decode(file.encoding)
    except UnicodeDecodeError:
        return "short"


@pytest.mark.parametrize("turn", range(4))
def test_the_encoding_and_the_dialect_make_no_difference(whole: Migration, tmp_path: Path, turn: int) -> None:
    """Each file in another form at each turn: found out, and the same rows, states, links and values."""
    made = Migration(tmp_path / "m")
    paths, wanted = [], []
    for place, file in enumerate(practice()):
        data, *form = converted(file, DIALECTS[(place * 2 + turn * 3) % len(DIALECTS)])
        (made.folder / file.name).write_bytes(data)
        paths.append(made.folder / file.name)
        wanted.append(tuple(form))
    found = [(a.source.encoding.removesuffix("-sig"), a.source.delimiter) for a in made.ingest(*paths)]
    assert found == wanted
    made.reconcile()
    assert said(made) == {sheet: EXPECTED[sheet] for sheet in SHEETS}
    assert made.values("notes") == whole.values("notes")
    assert made.values("patients") == whole.values("patients")
    assert made.session.status().balances
    made.close()


def account_of(account: SourceAccount) -> tuple[Any, ...]:
    codes = dict(sorted(account.codes.items()))
    counts = (account.records, account.rows, account.malformed, account.rejected, account.held, account.blank)
    return (account.source.file_name, account.source.sha256, account.bytes, counts, codes)


def test_a_dry_run_gives_the_same_account_and_writes_nothing(whole: Migration, tmp_path: Path) -> None:
    """No staging file, no key, no folder; the accounts are those that staging gives, to the last count."""
    dry = Migration(tmp_path / "dry")
    files = list(practice_files().values())
    accounts = dry.session.ingest(files, Intake(synthetic=True), actor="engineer", dry_run=True)
    assert list(dry.folder.iterdir()) == []
    wet = dry.ingest(*files)
    assert [account_of(each) for each in accounts] == [account_of(each) for each in wet]
    assert [each.source_id for each in accounts] == [None] * 4
    for each in accounts:
        states = EXPECTED["account"][each.source.sheet.name]
        assert (each.records, each.malformed, each.blank) == (
            states["records"],
            states["malformed"],
            states["blank"],
        )
        assert each.rejected + each.malformed == states["rejected"]
    dry.close()


def test_the_same_bytes_again_change_nothing_and_say_so(tmp_path: Path) -> None:
    """Under another name, in another command, twice in one command: known as what it was taken in as."""
    made = Migration(tmp_path / "m")
    files = list(practice_files().values())
    made.ingest(*files)
    made.reconcile()
    copy = made.folder / "copy.csv"
    copy.write_bytes(files[2].read_bytes())
    with made.nothing_changes():
        seals = made.session.status().seals
        again = made.ingest(*files, copy)
        assert made.session.status().seals == seals
    assert [each.known_as for each in again] == [
        "patients.csv",
        "background.csv",
        "notes.csv",
        "notes.csv",
        "medications.csv",
    ]
    assert {each.records for each in again} == {0}
    made.close()
    other = Migration(tmp_path / "other")
    first, second = other.ingest(files[0], files[0])
    assert (first.known_as, second.known_as, second.source_id) == (None, "patients.csv", 1)
    other.close()


def test_a_refused_file_takes_the_others_with_it(tmp_path: Path) -> None:
    """Three files in order and one that is no sheet: nothing is staged."""
    made = Migration(tmp_path / "m")
    made.staging.rows("event_head")
    odd = made.folder / "odd.csv"
    odd.write_text("a,b\n1,2\n")
    with made.nothing_changes(), pytest.raises(Exception, match="sheet"):
        made.ingest(*list(practice_files().values())[:3], odd)
    made.close()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_generated_practice_ends_in_the_states_of_its_manifest(tmp_path: Path, seed: int) -> None:
    """One row in eight spoilt: every sheet's states and each spoilt row's code are as the generator says."""
    made = Migration(tmp_path / "m")
    spec = Practice(patients=400, background=500, notes=900, medications=600, seed=seed, dirt=0.125)
    manifest = generate(made.folder / "files", spec)
    made.ingest(*(made.folder / "files" / manifest.files[sheet].file for sheet in SHEETS))
    made.reconcile()
    for sheet in SHEETS:
        assert dict(sorted(Counter(made.states(sheet)).items())) == manifest.files[sheet].account, sheet
        rows = made.rows(sheet)
        for spoilt in manifest.spoilt:
            if spoilt.sheet == sheet:
                assert spoilt.code in rows[spoilt.row].codes, spoilt
    assert made.session.status().balances
    made.close()
