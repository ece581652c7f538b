"""The encoding of a file: decided over the whole of it, with evidence, never by replacing a character."""

from __future__ import annotations

from pathlib import Path

import pytest

from stager.errors import InputRefused
from stager.ingest.reader import ReadOptions, Source, open_source

HEAD = "PatientID,Consultation Date,Clinical Note Text\n"
PHRASES = [
    "Café au lait spot on arm",
    "Paid £5 for dressing",
    "naïve to opiates",
    "“Well”, said daughter – Zoë",
]


def source_of(folder: Path, data: bytes, encoding: str | None = None) -> Source:
    path = folder / "notes.csv"
    path.write_bytes(data)
    return open_source(path, ReadOptions(encoding=encoding))


def notes_of(source: Source) -> list[str]:
    return [note for block in source.blocks() for note in block.rows["note_text"]]


def lines_of(phrases: list[str], count: int) -> str:
    return HEAD + "".join(f'p{i},2020-01-01,"{phrases[i % len(phrases)]}"\n' for i in range(count))


@pytest.mark.parametrize(
    ("codec", "name"),
    [
        ("utf-8-sig", "utf-8-sig"),
        ("utf-8", "utf-8"),
        ("utf-16", "utf-16-le"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("utf-32", "utf-32-le"),
        ("cp1252", "cp1252"),
    ],
)
def test_the_encoding_is_found(tmp_path: Path, codec: str, name: str) -> None:
    """By mark, by NULs, by strict UTF-8, by chardet; the cells come out equal."""
    source = source_of(tmp_path, lines_of(PHRASES, 40).encode(codec))
    assert source.encoding == name
    assert source.evidence
    assert 0 <= source.confidence <= 1
    assert notes_of(source) == [PHRASES[i % 4] for i in range(40)]


def test_a_late_pound_sign_is_not_called_ascii(tmp_path: Path) -> None:
    """One cp1252 £ after 300 kB of ASCII is read as £."""
    text = lines_of(["plain"], 12_000) + "p,2020-01-01,Paid £5\n"
    source = source_of(tmp_path, text.encode("cp1252"))
    assert notes_of(source)[-1] == "Paid £5"


def test_a_mostly_utf_8_file_keeps_its_accents(tmp_path: Path) -> None:
    """Damaged lines in a UTF-8 file are malformed; the others are not turned into cp1252."""
    data = lines_of(PHRASES, 8).encode() + b"bad,2020-01-01,caf\xe9\n" + HEAD.encode()
    source = source_of(tmp_path, data)
    assert source.encoding == "utf-8"
    assert source.confidence == pytest.approx(8 / 9, abs=0.001)
    assert "8 of 9" in source.evidence
    assert notes_of(source)[:8] == [PHRASES[i % 4] for i in range(8)]
    assert [r for block in source.blocks() for r in block.spans["reason"].drop_nulls()] == ["encoding"]


def test_a_few_double_encoded_names_do_not_make_a_cp1252_file_utf_8(tmp_path: Path) -> None:
    """A cp1252 file with an export's old "JosÃ©" in it is read as cp1252, to the letter."""
    phrases = [*PHRASES * 5, "JosÃ©"]
    source = source_of(tmp_path, lines_of(phrases, 210).encode("cp1252"))
    assert source.encoding == "cp1252"
    assert notes_of(source)[20] == "JosÃ©"


def test_two_encodings_in_one_file_are_refused_and_can_be_decided(tmp_path: Path) -> None:
    """A third UTF-8 and two thirds cp1252: refused with the counts; `--encoding` decides."""
    data = lines_of(PHRASES, 40).encode("cp1252") + lines_of(PHRASES, 20).encode()
    with pytest.raises(InputRefused, match="20 of 60 lines"):
        source_of(tmp_path, data)
    assert source_of(tmp_path, data, "cp1252").evidence == "--encoding"


def test_bytes_that_cp1252_does_not_know_are_malformed(tmp_path: Path) -> None:
    """An undefined byte costs its record; nothing is replaced."""
    data = lines_of(PHRASES, 30).encode("cp1252") + b"x,2020-01-01,\x81\n"
    source = source_of(tmp_path, data, "cp1252")
    notes = notes_of(source)
    assert len(notes) == 30
    assert "\ufffd" not in "".join(notes)


def test_an_override_wins(tmp_path: Path) -> None:
    """`--encoding` is recorded as the evidence, with or without a mark before the text."""
    source = source_of(tmp_path, lines_of(["é"], 2).encode("mac-roman"), "mac_roman")
    assert (source.encoding, source.evidence, source.confidence) == ("mac-roman", "--encoding", 1.0)
    assert notes_of(source) == ["é", "é"]
    marked = source_of(tmp_path, lines_of(["é"], 2).encode("utf-8-sig"), "utf-8")
    assert notes_of(marked) == ["é", "é"]


def test_a_multi_byte_encoding_is_split_by_its_own_lines(tmp_path: Path) -> None:
    """An override outside the short list works where ASCII means itself."""
    source = source_of(tmp_path, lines_of(["診察", "良好|\\"], 4).encode("shift_jis"), "shift_jis")
    assert notes_of(source) == ["診察", "良好|\\"] * 2


def test_stray_bytes_in_an_ascii_file_are_damage_and_no_encoding(tmp_path: Path) -> None:
    """Bytes that are no English text in any encoding make their record malformed, not "ÿþ"."""
    data = lines_of(["plain"], 5).encode() + b"x,2020-01-01,bad \xff\xfe\x80 here\n"
    source = source_of(tmp_path, data)
    assert source.encoding == "utf-8"
    assert notes_of(source) == ["plain"] * 5


@pytest.mark.parametrize("text", ["MÜLLER", "Siân", "£5", "37.5°C", "didn’t", "• review"])
def test_one_word_is_enough_for_cp1252(tmp_path: Path, text: str) -> None:
    """A single word of an otherwise ASCII file is read as Windows wrote it."""
    source = source_of(tmp_path, (lines_of(["plain"], 3) + f"x,2020-01-01,{text}\n").encode("cp1252"))
    assert notes_of(source)[-1] == text
