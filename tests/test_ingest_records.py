"""Reading legal and damaged files: every cell as written, every byte once, damage kept to its own line."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stager.ingest.reader import Block, ReadOptions, Source, open_source

NOTES = ["PatientID", "Consultation Date", "Clinical Note Text", "Diagnosis"]
FIELDS = ["patient_ref", "consulted_at", "note_text", "diagnosis"]
HEAD = ",".join(NOTES) + "\n"


def opened(
    folder: Path, data: bytes | str, *, block_bytes: int = 1 << 24, name: str = "notes.csv", **options: str
) -> Source:
    """A source over these bytes."""
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return open_source(path, ReadOptions(**options), block_bytes=block_bytes)  # type: ignore[arg-type]


def read(source: Source) -> tuple[pl.DataFrame, pl.DataFrame, bytes]:
    """All rows, all spans and the bytes of the blocks."""
    blocks: list[Block] = list(source.blocks())
    return (
        pl.concat([block.rows for block in blocks]),
        pl.concat([block.spans for block in blocks]),
        b"".join(block.data for block in blocks),
    )


def cells(rows: pl.DataFrame, fields: list[str] = FIELDS) -> list[list[str]]:
    return [list(row) for row in rows.select(fields).iter_rows()]


def account(rows: pl.DataFrame, spans: pl.DataFrame, data: bytes) -> None:
    """Counts the bytes without the reader's own check: a bytearray marked once for each row and span."""
    seen = bytearray(len(data))
    for frame in (rows, spans):
        for start, length in frame.select("byte_start", "byte_len").iter_rows():
            assert not any(seen[start : start + length])
            seen[start : start + length] = b"\1" * length
    assert all(seen)


def malformed(spans: pl.DataFrame) -> list[tuple[int, str]]:
    return spans.filter(pl.col("kind") == "malformed").select("line", "reason").rows()


def written(table: list[list[str]], delimiter: str, newline: str, quoting: int) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator=newline, quoting=quoting)
    writer.writerows(table)
    return out.getvalue()


TEXT = st.text(
    st.one_of(
        st.sampled_from(list("\",;\t|\n\r '#\\-=/.0189aZ\ufeff\u2028\u0085é€☃𝒳\u202e")),
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
    ),
    max_size=12,
)
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "iso-8859-15"]


def in_encoding(text: str, encoding: str) -> str:
    """The text without what the encoding cannot hold."""
    return text.encode(encoding, "ignore").decode(encoding) if encoding[:3] in ("cp1", "iso") else text


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    table=st.lists(st.lists(TEXT, min_size=4, max_size=4), min_size=0, max_size=12),
    delimiter=st.sampled_from(",;\t|"),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(ENCODINGS),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    block_bytes=st.sampled_from([1, 40, 300, 1 << 20]),
    ended=st.booleans(),
)
def test_any_legal_file_reads_as_the_standard_library_reads_it(
    tmp_path: Path,
    table: list[list[str]],
    delimiter: str,
    newline: str,
    encoding: str,
    quoting: int,
    block_bytes: int,
    ended: bool,
) -> None:
    """Whatever the cells, dialect, encoding and block size: csv.reader's cells, and every byte once."""
    table = [[in_encoding(cell, encoding) for cell in row] for row in table]
    if newline != "\r":  # within a file of CR lines the standard library would not end a line at LF alone
        table = [
            [cell if quoting == csv.QUOTE_ALL else cell.replace("\r", "") for cell in row] for row in table
        ]
    else:
        table = [[cell.replace("\n", "").replace("\r", "") for cell in row] for row in table]
    table = [["p" + row[0], "d" + row[1], row[2], row[3]] for row in table]
    text = written([NOTES, *table], delimiter, newline, quoting)
    text = text if ended else text.removesuffix(newline)
    source = opened(
        tmp_path, text.encode(encoding), block_bytes=block_bytes, encoding=encoding, delimiter=delimiter
    )
    rows, spans, data = read(source)
    expected = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))[1:]
    assert cells(rows) == expected
    assert malformed(spans) == []
    assert data == text.encode(encoding)
    account(rows, spans, data)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    lines=st.lists(
        st.one_of(
            st.sampled_from(
                [
                    b'p1,2020-01-01,"a\nb",x',
                    b'p2,2020-01-01,"open,x',
                    b'p3,2020-01-01,close",x',
                    b"p4,2020-01-01,ok,x",
                    b"p5,2020-01-01,few",
                    b"p6,2020-01-01,too,many,x",
                    b"",
                    b"\xff,\xfe",
                    b"a\0b,,,",
                    b'"',
                ]
            ),
            st.binary(max_size=20),
        ),
        max_size=15,
    ),
    block_bytes=st.sampled_from([1, 7, 60]),
)
def test_block_size_changes_nothing_whatever_the_damage(
    tmp_path: Path, lines: list[bytes], block_bytes: int
) -> None:
    """Any bytes below the header: accounted for once, with the same rows and spans in blocks of any size."""
    data = HEAD.encode() + b"\n".join(lines)
    whole_rows, whole_spans, whole_data = read(opened(tmp_path, data, encoding="utf-8"))
    account(whole_rows, whole_spans, data)
    assert whole_data == data
    rows, spans, pieces = read(opened(tmp_path, data, encoding="utf-8", block_bytes=block_bytes))
    assert pieces == data
    assert rows.equals(whole_rows)
    assert spans.equals(whole_spans)


GOOD = ["g1,2020-01-01,before,x", "g2,2020-01-02,after,x"]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ('p,2020-01-01,5" nail,x', "quote"),
        ('p,2020-01-01,"unclosed,x', "quote"),
        ('p,2020-01-01,unopened",x', "quote"),
        ('p,2020-01-01,"a"b,x', "quote"),
        ('p,2020-01-01, "spaced",x', "quote"),
        ("p,2020-01-01,few", "too_few_fields"),
        ("p", "too_few_fields"),
        ('p,2020-01-01,"a,b"', "too_few_fields"),
        ("p,2020-01-01,a,b,c", "too_many_fields"),
        ('p,2020-01-01,"a,b",c,d', "too_many_fields"),
        ("p,2020-01-01,a\rb,c", "bare_cr"),
        ("p,2020-01-01,a\0b,c", "nul"),
        (b"p,2020-01-01,\xff\xfe,c", "encoding"),
        (b"p,2020-01-01,\xed\xa0\x80,c", "encoding"),
        pytest.param("p,2020-01-01," + "a" * (1 << 20) + "b,c", "too_long", id="too_long"),
    ],
)
def test_damage_costs_its_own_line(tmp_path: Path, bad: str | bytes, reason: str) -> None:
    """A damaged record is malformed with its reason and its bytes; both neighbours are read."""
    line = bad if isinstance(bad, bytes) else bad.encode()
    data = HEAD.encode() + GOOD[0].encode() + b"\n" + line + b"\n" + GOOD[1].encode() + b"\n"
    rows, spans, _ = read(opened(tmp_path, data, encoding="utf-8"))
    assert cells(rows) == [row.split(",") for row in GOOD]
    assert rows["row_no"].to_list() == [1, 3]
    assert malformed(spans) == [(3, reason)]
    (start, length), *_ = spans.filter(pl.col("kind") == "malformed").select("byte_start", "byte_len").rows()
    assert data[start : start + length] == line + b"\n"


def test_missing_close_and_missing_open_swallow_no_row_between(tmp_path: Path) -> None:
    """A lost closing quote and a later lost opening quote cost those two rows and none between."""
    text = HEAD + 'p1,2020-01-01,x,"open\n' + "".join(f"m{i},2020-01-01,x,y\n" for i in range(3))
    text += 'p2,2020-01-01,x,close"\n' + GOOD[1] + "\n"
    rows, spans, _ = read(opened(tmp_path, text))
    assert rows["patient_ref"].to_list() == ["m0", "m1", "m2", "g2"]
    assert malformed(spans) == [(2, "quote"), (6, "quote")]


def test_missing_close_beside_missing_open_are_two_malformed_rows(tmp_path: Path) -> None:
    """The closing row is told by its own date, so its text is not read as the first row's note."""
    text = HEAD + 'p1,2020-01-01,x,"one\np2,01/02/2020,x,two"\n' + GOOD[0] + "\n"
    rows, spans, _ = read(opened(tmp_path, text))
    assert rows["patient_ref"].to_list() == ["g1"]
    assert malformed(spans) == [(2, "quote"), (3, "quote")]


def test_missing_close_before_the_date_column_is_told_by_the_opening_row(tmp_path: Path) -> None:
    """Where the date follows the open quote, the opening row's own date tells that the quote is stray."""
    head = "Clinical Note Text,PatientID,Consultation Date\n"
    text = head + '"one,p1,2020-01-01\ntwo",p2,2020-01-02\n"a\nb, c",p3,2020-01-03\n'
    rows, spans, _ = read(opened(tmp_path, text))
    assert cells(rows, ["note_text", "patient_ref"]) == [["a\nb, c", "p3"]]
    assert malformed(spans) == [(2, "quote"), (3, "quote")]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_note_of_several_lines_with_commas_is_one_record(tmp_path: Path, newline: str) -> None:
    """Lines of a note with a record's number of commas, quotes and blank lines stay one cell, to the byte."""
    note = newline.join(
        ['Seen with "Ann"', "a, b, c, d", "", "one, two, three, four", ", 2020, 2020-01-01,", "end"]
    )
    quoted = note.replace('"', '""')
    text = HEAD.replace("\n", newline) + f'p1,2020-01-01,"{quoted}",x{newline}' + GOOD[0] + newline
    rows, spans, _ = read(opened(tmp_path, text, block_bytes=20))
    assert rows["note_text"].to_list() == [note, "before"]
    assert rows["line"].to_list() == [2, 8]
    assert malformed(spans) == []


def test_a_long_run_of_open_quotes_is_bounded(tmp_path: Path) -> None:
    """A quote that closes beyond 2000 lines is stray: its line is malformed, the rows below are read."""
    text = HEAD + 'p1,2020-01-01,"open\n' + "few\n" * 2100 + 'close",x\n' + GOOD[0] + "\n"
    rows, spans, _ = read(opened(tmp_path, text, block_bytes=1000))
    assert rows["patient_ref"].to_list() == ["g1"]
    assert len(malformed(spans)) == 2102


def test_a_damaged_line_within_a_note_costs_that_record_alone(tmp_path: Path) -> None:
    """An undecodable line inside a quoted note makes the whole record malformed, not its lines one by one."""
    data = HEAD.encode() + b'p1,2020-01-01,"one\n\xff two\nthree",x\n' + GOOD[0].encode()
    rows, spans, _ = read(opened(tmp_path, data, encoding="utf-8"))
    assert rows["patient_ref"].to_list() == ["g1"]
    assert spans.filter(pl.col("kind") == "malformed").select("line", "line_count", "reason").rows() == [
        (2, 3, "encoding")
    ]


def test_a_file_cut_in_its_last_line_keeps_the_rows_before(tmp_path: Path) -> None:
    """A truncated last line is malformed, within quotes or not."""
    for tail in ("p9,2020-01-01", 'p9,2020-01-01,"half a no'):
        rows, spans, _ = read(opened(tmp_path, HEAD + GOOD[0] + "\n" + tail))
        assert rows["patient_ref"].to_list() == ["g1"]
        assert [line for line, _ in malformed(spans)] == [3]


def test_blank_lines_are_spans_and_take_no_row_number(tmp_path: Path) -> None:
    """Empty and whitespace-only lines are blank; a line of delimiters alone is a record of empty cells."""
    text = "\n \n" + HEAD + "\n  \t\n" + GOOD[0] + "\n,,,\n\n"
    rows, spans, _ = read(opened(tmp_path, text))
    assert rows.select("row_no", "line").rows() == [(1, 6), (2, 7)]
    assert cells(rows)[1] == ["", "", "", ""]
    kinds = spans.select("line", "kind", "row_no").rows()
    assert kinds == [(n, "header" if n == 3 else "blank", None) for n in (1, 2, 3, 4, 5, 8)]


def test_absent_columns_are_null_and_empty_cells_are_empty(tmp_path: Path) -> None:
    """NULL says that the file has no such column; an empty cell is an empty text, quoted or not."""
    rows, _, _ = read(opened(tmp_path, HEAD + 'p,2020-01-01,"",\n'))
    assert cells(rows, ["note_text", "diagnosis", "note_type"]) == [["", "", None]]  # type: ignore[list-item]
    assert rows["extra"].to_list() == [None]


def test_unknown_columns_are_kept_as_json(tmp_path: Path) -> None:
    """Unknown and unnamed columns go to `extra`, with stager's own round-trip columns among them."""
    text = "stager_row," + HEAD.strip() + ',"Odd ""x""",,\n7,p,2020-01-01,n,d,"a\n\u202e\\",y,z\n'
    rows, _, _ = read(opened(tmp_path, text))
    assert json.loads(rows["extra"][0]) == {
        "stager_row": "7",
        'Odd "x"': "a\n\u202e\\",
        "column 7": "y",
        "column 8": "z",
    }


NAUGHTY = [
    "NULL", "null", "\\N", "NaN", "true", "0", "00123", "1E5", "10939881000119104", "=1+1", "@SUM(A1)", "-1",
    "# not a comment", "\\", "\\.", "'", "`", "$HOME", "%s", "{0}", "[red]x[/red]", "\ufeff", "\ufeffx",
    "\u202e\u2066", "\u200b", "\x1b[31m", "\x07", "\x7f", "\u0085", "\u2028", "\ufffe", "\uffff", "ÅÍÎ",
    "田中さん",
    "👩‍👩‍👧", "Z͑ͫ̓ͪ", " leading", "trailing ", "\t", "\x1a", "<script>", "'; DROP TABLE notes; --",
]  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16-le", "utf-16"])
def test_naughty_strings_come_out_equal(tmp_path: Path, encoding: str) -> None:
    """Codes, markup, controls, bidi marks and byte order marks in cells survive to the character."""
    table = [["p", "2020-01-01", text, text] for text in NAUGHTY]
    table += [[text, "2020-01-01", "n", "d"] for text in NAUGHTY]
    text = written([NOTES, *table], ",", "\r\n", csv.QUOTE_MINIMAL)
    rows, spans, _ = read(opened(tmp_path, text.encode(encoding), encoding=encoding))
    assert cells(rows) == table
    assert malformed(spans) == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "mac-roman", "cp850"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_dialect_and_encoding_do_not_change_the_rows(
    tmp_path: Path, encoding: str, delimiter: str, newline: str
) -> None:
    """The same table in every encoding and dialect gives the same cells; the delimiter is found."""
    table = [
        ["p1", "2020-01-01", "Café £5, naïve; x|y", "a\tb"],
        ["p2", "2020-01-02", "10939881000119104", ""],
    ]
    text = written([NOTES, *table], delimiter, newline, csv.QUOTE_MINIMAL)
    override = {} if encoding.startswith("utf") else {"encoding": encoding}
    source = opened(tmp_path, text.encode(encoding), **override)
    rows, spans, data = read(source)
    assert cells(rows) == table
    assert (source.delimiter, source.newline) == (delimiter, newline)
    account(rows, spans, data)


def test_a_cell_of_fifty_megabytes_is_malformed_and_its_neighbours_are_read(tmp_path: Path) -> None:
    """A cell over 1 MiB is `too_long`; its bytes are kept in the blocks."""
    big = "a" * 50_000_000
    data = (HEAD + GOOD[0] + f"\np,2020-01-01,{big},x\n" + GOOD[1] + "\n").encode()
    source = opened(tmp_path, data)
    rows, spans, kept = read(source)
    assert rows["patient_ref"].to_list() == ["g1", "g2"]
    assert malformed(spans) == [(3, "too_long")]
    assert kept == data


def test_a_record_of_many_long_cells_is_read(tmp_path: Path) -> None:
    """The limit is on a cell, not on the record."""
    cell = "a" * 600_000
    rows, _, _ = read(opened(tmp_path, HEAD + f"p,2020-01-01,{cell},{cell}\n"))
    assert cells(rows) == [["p", "2020-01-01", cell, cell]]


def test_a_header_alone_is_a_file_of_no_rows(tmp_path: Path) -> None:
    """Zero rows, the header's span, and the columns of a full file."""
    rows, spans, _ = read(opened(tmp_path, HEAD.strip()))
    assert rows.height == 0
    assert rows.schema["note_text"] == pl.String
    assert spans["kind"].to_list() == ["header"]


def test_a_header_over_several_lines_is_read(tmp_path: Path) -> None:
    """A quoted header with a line break is one header; its span has both lines."""
    rows, spans, _ = read(
        opened(tmp_path, 'PatientID,"Consultation\nDate",Clinical Note Text\np,2020-01-01,n\n')
    )
    assert rows.select("line", "consulted_at").rows() == [(3, "2020-01-01")]
    assert spans.select("line", "line_count").rows() == [(1, 2)]


def test_line_feeds_within_quotes_of_a_cr_file_stay(tmp_path: Path) -> None:
    """In a file of CR lines a LF is content: kept in quotes, malformed outside them."""
    text = HEAD.replace("\n", "\r") + 'p1,2020-01-01,"a\nb",x\rp2,2020-01-01,a\nb,x\rp3,2020-01-01,n,x\r'
    rows, spans, _ = read(opened(tmp_path, text))
    assert rows["note_text"].to_list() == ["a\nb", "n"]
    assert malformed(spans) == [(3, "bare_lf")]


def test_an_odd_byte_at_the_end_of_utf_16_is_malformed(tmp_path: Path) -> None:
    """A UTF-16 file cut within a character loses its last record alone."""
    data = (HEAD + GOOD[0] + "\n" + GOOD[1]).encode("utf-16") + b"x"
    rows, spans, kept = read(opened(tmp_path, data))
    assert rows["patient_ref"].to_list() == ["g1"]
    assert malformed(spans) == [(3, "encoding")]
    assert kept == data


def test_a_lone_surrogate_in_utf_16_is_malformed(tmp_path: Path) -> None:
    """Half a surrogate pair is no text: its record alone is malformed."""
    bad = "p,2020-01-01,\ud83d,x\n".encode("utf-16-le", "surrogatepass")
    data = HEAD.encode("utf-16-le") + bad + GOOD[0].encode("utf-16-le")
    rows, spans, _ = read(opened(tmp_path, data, encoding="utf-16"))
    assert rows["patient_ref"].to_list() == ["g1"]
    assert malformed(spans) == [(2, "encoding")]
