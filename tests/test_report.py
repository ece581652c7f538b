"""The migration report: complete, under its schema, without scripts, and without a patient's value."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from msgspec.structs import fields

from stager.decisions import Choice, Decision
from stager.errors import IntegrityFailed, UsageError
from stager.report import as_html, as_json, as_tables, schema
from stager.report.model import Report
from stager.session import Filter, Format
from stager.session.expecting import read_expectation
from stager.verify import verify_pack
from tests.migration import Migration, allergy, cloned, drug, note, patient, prepared

MARK = "zzmarker"
REASON = "Zzreason Smith"
SECTIONS = (
    "account",
    "files",
    "links",
    "findings",
    "decisions",
    "values",
    "incomplete",
    "approvals",
    "publishing",
    "seals",
)


def _marked(**cells: str) -> dict[str, str]:
    """A patient whose every free cell carries the marker."""
    return patient(
        f"{MARK}1",
        **{
            "last_name": f"{MARK}Last",
            "email": f"{MARK}@example.com",
            "mobile_phone": f"07700 {MARK}",
            "street_address": f"1 {MARK} Road",
            "postcode": f"{MARK}",
            "nhs_number": f"999 {MARK}",
            "gender": f"{MARK}gender",
            **cells,
        },
    )


def _build(migration: Migration) -> None:
    """A practice with everything that a report tells of, but for what a tenant's database brings."""
    migration.take(
        patients=[
            _marked(),
            *(patient(f"{MARK}A{n}", gender="f", postcode="ls1 4ap") for n in range(12)),
            patient(f"{MARK}B1", date_of_birth=f"{MARK}day"),
        ],
        background=[
            *(
                allergy(f"{MARK}A{n}", f"{MARK} nuts", onset_date="" if n < 2 else "2001-01-31")
                for n in range(8)
            ),
            allergy(f"{MARK}A3", f"{MARK} asthma", type="condition", severity=f"{MARK}"),
        ],
        notes=[
            *(note(f"{MARK}A{n}", f"{MARK} was seen", practitioner_ref=f"{MARK}doc") for n in range(6)),
            note(f"{MARK}nobody", f"{MARK} was not known"),
        ],
        medications=[drug(f"{MARK}A1", f"{MARK}cillin", quantity=f"{MARK} units")],
    )
    session = migration.session
    released = session.findings(Filter(code="practitioner.unresolved"))
    session.decide(released, Choice(Decision.RELEASE, reason=REASON), actor="dr-lee")
    suspect = session.findings(Filter(code="value.suspect", field="quantity"))
    session.decide(suspect, Choice(Decision.CORRECT, value="28", reason=f"{MARK}"), actor="dr-lee")
    migration.exclude(("background", "9"))
    session.expect("patients=14,notes=9", actor="engineer")
    migration.approve(reason=REASON)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("report") / "m", _build)


@pytest.fixture
def migration(home: Path, tmp_path: Path) -> Iterator[Migration]:
    migration = cloned(home, tmp_path / "m")
    yield migration
    migration.close()


@pytest.fixture(scope="module")
def made(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    migration = cloned(home, tmp_path_factory.mktemp("made") / "m")
    report = migration.session.report()
    migration.close()
    return report


class _Page(HTMLParser):
    """What a page consists of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.open: list[str] = []
        self.ids: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(name, value or "") for name, value in attrs]
        self.ids |= {value or "" for name, value in attrs if name == "id"}
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1

    def handle_endtag(self, tag: str) -> None:
        assert self.open, tag
        assert self.open.pop() == tag


def _every_form(report: Report) -> dict[str, bytes]:
    return {"html": as_html(report), "json": as_json(report), **as_tables(report)}


def test_no_value_of_a_patient_is_in_any_form(made: Report) -> None:
    """Cells, typed corrections, reasons: not in the page, the document or the tables."""
    for name, content in _every_form(made).items():
        assert MARK.encode() not in content.lower(), name
        assert REASON.encode() not in content, name


def test_no_value_of_a_patient_is_in_the_pack(migration: Migration, tmp_path: Path) -> None:
    """Nor in the auditor's pack, which verifies; its log keeps reasons, and says so."""
    session = migration.session
    session.undo(migration.events("finding.decided")[1][0], actor="dr-lee")
    session.findings(Filter())
    members = session.write_report_pack(session.report(), tmp_path / "pack.zip")
    assert {"report/report.html", "report/report.json", "report/account.csv"} <= set(members)
    assert verify_pack(tmp_path / "pack.zip").events == session.status().events
    with zipfile.ZipFile(tmp_path / "pack.zip") as pack:
        for name in pack.namelist():
            lines = pack.read(name).decode().splitlines()
            kept = [line for line in lines if not (name == "log.jsonl" and '\\"reason\\":' in line)]
            assert MARK not in "\n".join(kept).lower(), name


def test_each_number_of_the_account_leads_to_its_rows(migration: Migration) -> None:
    """The rows listed for a state are those that are in it, and the page links the number to them."""
    report = migration.session.report()
    listed = {
        (sheet.sheet, state): sorted(row for run in rows.runs.split() for row in _rows_of(run))
        for sheet in report.account
        for state, rows in sheet.rows.items()
    }
    standing: dict[tuple[str, str], list[int]] = {}
    for line in migration.session.rows():
        standing.setdefault((line.sheet, line.state), []).append(line.row)
    assert listed == {place: sorted(rows) for place, rows in standing.items()}
    page = as_html(report).decode()
    for sheet, state in listed:
        assert f'<a href="#rows-{sheet}-{state}">{len(listed[sheet, state])}</a>' in page
        assert f'id="rows-{sheet}-{state}"' in page


def _rows_of(run: str) -> range:
    first, _, last = run.partition(":")[2].partition("-")
    return range(int(first), int(last or first) + 1)


def test_the_document_keeps_to_its_schema(made: Report) -> None:
    """The report is valid, the schema itself is, and it lets nothing through that it does not name."""
    jsonschema.Draft202012Validator.check_schema(schema())
    document = json.loads(as_json(made))
    jsonschema.validate(document, schema())
    assert set(schema()["properties"]) == {each.name for each in fields(Report)}
    for broken in ({**document, "names": []}, {**document, "format": "stager/report/2"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(broken, schema())
    document["links"][0]["rows"] = "3"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema())


def test_the_page_is_whole_and_fetches_nothing(made: Report) -> None:
    """Well-formed, with every section and chart; no script, no handler, nothing from elsewhere."""
    text = as_html(made).decode()
    page = _Page(text)
    assert page.open == []
    assert set(SECTIONS) <= page.ids
    assert page.tags["svg"] == page.tags["figure"] == 4
    assert not page.tags.keys() & {"script", "iframe", "img", "link", "object", "embed", "form", "base"}
    assert not re.search(r"https?:|@import|url\(|//\w", text)
    assert not [name for name, _ in page.attributes if name.startswith("on") or name == "src"]
    assert all(value.startswith("#") for name, value in page.attributes if "href" in name)


def test_names_from_outside_do_not_act_on_the_page(tmp_path: Path) -> None:
    """A file's name, a header, an actor are shown, whatever is in them."""
    migration = Migration(tmp_path / "m")
    path = migration.folder / "<script>x[b].csv"
    path.write_text(
        "LegacyPatientID,First Name,Last Name,Date of Birth,<b>\u202eodd</b>\nA1,Ann,Lee,1980-01-02,x\n"
    )
    migration.ingest(path)
    migration.session.expect("patients=1", actor="=cmd()")
    text = as_html(migration.session.report()).decode()
    migration.close()
    assert "&lt;script&gt;x[b].csv" in text
    assert r"&lt;b&gt;\u202eodd&lt;/b&gt;" in text
    assert "\u202e" not in text
    assert _Page(text).tags["script"] == 0


def test_the_account_is_exact_and_stands_beside_the_practices_count(made: Report) -> None:
    """Records, states and the difference to what the practice counts."""
    sheets = {each.sheet: each for each in made.account}
    assert [(name, each.records, each.expected, each.difference) for name, each in sheets.items()] == [
        ("patients", 14, 14, 0),
        ("background", 9, None, None),
        ("notes", 7, 9, -2),
        ("medications", 1, None, None),
    ]
    assert made.balances
    assert all(sum(each.states.values()) == each.records for each in made.account)
    page = as_html(made).decode()
    assert "The practice&#39;s own count" in page or "The practice's own count" in page
    assert "<strong>-2</strong>" in page


def test_decisions_are_told_by_kind_person_and_whether_there_is_a_reason(made: Report) -> None:
    """Small numbers hidden; the bulk decision with its exact set."""
    told = {(each.sheet, each.code, each.decision, each.actor): each for each in made.decisions}
    released = told["notes", "practitioner.unresolved", "release", "dr-lee"]
    assert (released.rows, released.with_reason) == ("≥5", True)
    assert told["medications", "value.suspect", "correct", "dr-lee"].rows == "<5"
    assert told["background", None, "exclude", "reviewer"].with_reason is False
    (bulk,) = made.bulk_decisions
    assert (bulk.decision, bulk.count, bulk.with_reason, bulk.undone_by) == ("release", 6, True, None)
    assert re.fullmatch(r"\d+-\d+|\d+(?:[ -]\d+)*", bulk.findings or "")


def test_patients_who_lack_an_allergy_come_first(made: Report) -> None:
    """By address, rejected rows too, which no rule links; an excluded row is a person's own choice."""
    first = made.incomplete_patients[0]
    assert (first.patient, first.allergies) == ("1:2", 1)
    assert [(row.row, row.what, row.state) for row in first.rows] == [("2:1", "allergy", "rejected")]
    lacking = [each.allergies for each in made.incomplete_patients]
    assert lacking == sorted(lacking, reverse=True)
    assert "2:9" not in {row.row for each in made.incomplete_patients for row in each.rows}


def test_a_practice_of_three_tells_no_count_but_the_account(tmp_path: Path) -> None:
    """Every breakdown of three patients is hidden; no number from one to four is left in any."""
    migration = Migration(tmp_path / "m").take(
        patients=[patient("A1", gender="f"), patient("A2", nhs_number="1"), patient("A3")],
        notes=[note("A1"), note("A1"), note("Q9")],
    )
    report = migration.session.report()
    migration.close()
    document = json.loads(as_json(report))
    small: set[Any] = {1, 2, 3, 4}
    for part, names in {
        "links": ("rows",),
        "findings": ("open", "decided", "closed"),
        "decisions": ("rows",),
        "changes": ("cells",),
    }.items():
        for each in document[part]:
            assert not small & {each[name] for name in names}, (part, each)
    assert not small & {each["open"] for each in document["open_findings"]["bands"]}
    assert {each["rows"] for each in document["links"]} == {"<5"}
    charts = re.findall(r"<svg.*?</svg>", as_html(report).decode().split('id="files"')[1], re.DOTALL)
    values = re.findall(r'class="value">([^<]*)<', "".join(charts))
    assert values
    assert set(values) <= {"&lt;5", "≥5"}


def test_the_tables_open_in_a_spreadsheet(made: Report) -> None:
    """UTF-8 with a mark, the account a line for each sheet, and no cell that would run."""
    tables = as_tables(made)
    rows = list(csv.DictReader(io.StringIO(tables["account.csv"].decode("utf-8-sig"))))
    assert [(row["sheet"], row["records"], row["difference"]) for row in rows] == [
        ("patients", "14", "0"),
        ("background", "9", ""),
        ("notes", "7", "-2"),
        ("medications", "1", ""),
    ]
    codes = list(csv.DictReader(io.StringIO(tables["findings.csv"].decode("utf-8-sig"))))
    assert {row["code"] for row in codes} >= {"practitioner.unresolved", "link.unresolved", "value.suspect"}


def test_a_report_of_the_past_is_as_it_was(migration: Migration, made: Report) -> None:
    """At the last event it says what it says now; at an earlier one nothing that came later."""
    session = migration.session
    now = session.report(at=session.status().events)
    assert (now.account, now.links, now.findings) == (made.account, made.links, made.findings)
    before = migration.events("finding.decided")[0][0] - 1
    past = session.report(at=before)
    assert past.migration.past
    assert past.migration.events == before
    assert past.decisions == past.approvals == ()
    assert all(each.expected is None for each in past.account)


def test_one_persons_report_proves_what_befell_them(migration: Migration, tmp_path: Path) -> None:
    """Their rows, events with proofs, and a word of warning; only where they are asked for."""
    report = migration.session.report(patient=f"{MARK}A1")
    assert report.person is not None
    jsonschema.validate(json.loads(as_json(report)), schema())
    assert {(row["sheet"], row["row_no"]) for row in report.person["rows"]} >= {
        ("patients", 3),
        ("medications", 1),
    }
    assert all(event["path"] for event in report.person["events"])
    page = _Page(as_html(report).decode())
    assert "person" in page.ids
    with pytest.raises(UsageError):
        migration.session.report(patient="nobody of that name")
    with pytest.raises(UsageError):
        migration.session.report(patient=f"{MARK}A1", at=5)


def test_a_report_is_written_for_its_owner_and_over_nothing_else(migration: Migration) -> None:
    """Mode 0600; an earlier report is replaced, any other file is left as it is."""
    session = migration.session
    report = session.report()
    for form, name in ((Format.HTML, "report.html"), (Format.JSON, "report.json")):
        for _ in range(2):
            (path,) = session.write_report(report, form)
            assert path == migration.folder / name
            assert path.stat().st_mode & 0o777 == 0o600
    paths = session.write_report(report, Format.CSV, Path("tables"))
    session.write_report(report, Format.CSV, Path("tables"))
    assert {path.name for path in paths} >= {"account.csv", "findings.csv"}
    theirs = migration.folder / "patients1.csv"
    before = theirs.read_bytes()
    with pytest.raises(UsageError):
        session.write_report(report, Format.HTML, theirs)
    assert theirs.read_bytes() == before


def test_what_is_expected_stops_a_strict_publish(migration: Migration) -> None:
    """A count that differs ends with exit code 6; once it is right, all is well."""
    from stager.account import require_expected

    session = migration.session
    with pytest.raises(IntegrityFailed, match="9 records, 7 came") as stopped:
        require_expected(migration.staging)
    assert stopped.value.exit_code == 6
    session.expect("notes=7", actor="engineer")
    stated = len(migration.events("expectation.stated"))
    session.expect("notes=7,patients=14", actor="engineer")
    assert len(migration.events("expectation.stated")) == stated
    require_expected(migration.staging)


def test_a_sheet_that_never_came_is_missed(tmp_path: Path) -> None:
    """What was expected of a sheet without a file stands in the account with nothing against it."""
    migration = Migration(tmp_path / "m").take(patients=[patient("A1")])
    migration.session.expect("patients=1,notes=5", actor="engineer")
    differences = {each.sheet: each.difference for each in migration.session.status().sheets}
    assert differences == {"patients": 0, "notes": -5}
    assert "<h1>" in as_html(migration.session.report()).decode()
    migration.close()


def test_a_corrected_record_is_counted_once(migration: Migration) -> None:
    """The practice's count is of records, not of how often each was handed over."""
    (path, *_) = [
        path for path, file in migration.session.write_rejects(Path("out")) if file.sheet == "patients"
    ]
    (row,) = [row for row, line in migration.rows("patients").items() if line.state == "rejected"]
    path.write_text(path.read_text().replace(f"{MARK}day", "1980-01-02"))
    migration.ingest(path)
    sheet = next(each for each in migration.session.status().sheets if each.sheet == "patients")
    assert row == 14
    assert sheet.replaced >= 1
    assert (sheet.records - sheet.replaced, sheet.difference) == (14, 0)


@pytest.mark.parametrize(
    "told",
    [
        "patients",
        "patients=",
        "patients=-1",
        "patients=1,patients=2",
        "people=3",
        "nowhere.csv",
        "=",
        "patients=1e3",
    ],
)
def test_an_expectation_that_cannot_be_read_is_refused(tmp_path: Path, told: str) -> None:
    """Neither a count nor a sheet is guessed."""
    with pytest.raises(UsageError):
        read_expectation(told, tmp_path)


def test_an_expectation_may_be_a_small_table(tmp_path: Path) -> None:
    """A CSV as a spreadsheet writes it."""
    (tmp_path / "counts.csv").write_bytes("\ufeffSheet,Count\r\npatients,10231\r\nnotes, 720000\r\n".encode())
    assert read_expectation("counts.csv", tmp_path) == {"patients": 10231, "notes": 720000}
