"""The documentation keeps its word: its commands are run, its files are read, its tables are the code's."""

from __future__ import annotations

import ast
import csv
import hashlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from pages import FENCE, Terminal, blocks, run_page, table_under, terminal_in, text_of

from stager import __version__
from stager.crypto.places import key_folder
from stager.events import EVENT_KINDS
from stager.ingest.grammar import Reason
from stager.ingest.mapping import load_mapping
from stager.records import slices
from stager.session import Session, Settings
from stager.sheets import SHEET, State
from stager.tenant.registry import Registry, Tenant

ROOT = Path(__file__).parent.parent
README, CHANGELOG, DOCS = ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "docs"
MAPPING, STAGING, EVENTS = DOCS / "mapping.md", DOCS / "staging.md", DOCS / "events.md"
ARCHITECTURE, SAFETY = DOCS / "architecture.md", DOCS / "safety.md"
OURS = (README, CHANGELOG, MAPPING, STAGING, EVENTS, ARCHITECTURE, SAFETY)

_CODE = re.compile(r"`([^`\n]+)`")


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal in a folder of the test's own."""
    return terminal_in(tmp_path, monkeypatch)


def registered(tenant: Tenant, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Register the tenant under its slug, in a file that goes before the page's own."""
    path = folder / "registered.toml"
    path.write_text(f'[tenants.{tenant.slug}]\ndsn = "{tenant.dsn}"\n', encoding="utf-8")
    monkeypatch.setenv("STAGER_TENANTS", str(path))


def test_the_readmes_migration(terminal: Terminal, blank_tenant: Tenant, tmp_path: Path) -> None:
    """Every command of the README does what it shows, from an empty database to the published rows."""
    registered(blank_tenant, tmp_path, terminal.monkeypatch)
    run_page(README, terminal)


@pytest.mark.parametrize("page", [MAPPING, STAGING], ids=lambda page: page.stem)
def test_a_pages_commands(page: Path, terminal: Terminal) -> None:
    """Every command of the page does what it shows."""
    run_page(page, terminal)


def test_the_readmes_tenants_file_is_read(tmp_path: Path) -> None:
    """The README's tenants.toml registers the tenant that its commands name."""
    [text] = [text for _, text in blocks(README, "toml") if text.startswith("# tenants.toml")]
    path = tmp_path / "tenants.toml"
    path.write_text(text, encoding="utf-8")
    assert Registry.load(path, {}, tmp_path).tenant("maple-surgery").dsn


def test_the_readmes_make_targets_exist() -> None:
    """Every `make …` that a page names is a target of the Makefile."""
    targets = set(re.findall(r"^(\w+):", text_of(ROOT / "Makefile"), re.MULTILINE))
    shown = "".join(text for page in OURS for _, text in blocks(page, "sh"))
    assert {"demo", "test", "check"} <= set(re.findall(r"^make (\w+)", shown, re.MULTILINE)) <= targets


def test_mapping_profiles_are_read(tmp_path: Path) -> None:
    """Every profile on the mapping page is one that stager reads."""
    profiles = [text for _, text in blocks(MAPPING, "toml")]
    for number, text in enumerate(profiles):
        path = tmp_path / f"{number}.toml"
        path.write_text(text, encoding="utf-8")
        load_mapping(path)
    assert len(profiles) >= 2


def test_what_a_spreadsheet_would_run_comes_back_as_it_was(terminal: Terminal) -> None:
    """It stands behind an apostrophe in the reject file, and one that came back is read to the letter."""
    cells = ["=2+5", "+44 7700", "-", "@SUM(A1)", "'=quoted", "''-", "'plain", '=a"b,c', "plain"]
    header = ["PatientID", "Drug Name", "Frequency", "Date"]
    write_medications(Path("drugs.csv"), header, [["7", cell, "daily", "unreadable"] for cell in cells])
    terminal.run("stager --quiet ingest drugs.csv", "")
    terminal.run("stager --quiet rejects", "")
    rejected = Path("rejects/medications-rejects.csv")
    [header, *records] = csv.reader(rejected.read_text(encoding="utf-8-sig").splitlines())
    assert not any(record[1].startswith(tuple("=+-@\t\r")) for record in records)
    write_medications(rejected, header, [[*record[:3], "2024-02-05", *record[4:]] for record in records])
    terminal.run(f"stager --quiet ingest {rejected}", "")
    with Session(Settings(Path("staging.duckdb"), os.environ, Path.cwd())) as session:
        read = [
            part.cells["drug_name"].to_list()
            for part in slices(session._open().staging, SHEET["medications"])
        ]
    assert read == [cells, cells]


def write_medications(path: Path, header: Sequence[str], records: Sequence[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *records])


def test_every_reason_for_a_malformed_record_is_explained() -> None:
    """The mapping page's table has each reason once and no other."""
    named = [cells[0].strip("`") for cells in table_under(MAPPING, "## Malformed records")]
    assert named == [reason.value for reason in Reason]


def catalogue() -> list[list[str]]:
    """The rows of the events page's table."""
    return [
        [
            f"`{kind.name}`",
            str(kind.version),
            kind.about,
            ", ".join(f"`{key}`" for key in kind.detail),
            kind.meaning,
        ]
        for kind in EVENT_KINDS.values()
    ]


def test_the_table_of_events_is_the_catalogue() -> None:
    """In the catalogue's order; `python tests/test_docs.py` writes it anew."""
    assert table_under(EVENTS, "## The catalogue") == catalogue()


def write_catalogue() -> None:
    """Put the catalogue into the events page."""
    before, section = text_of(EVENTS).split("## The catalogue\n", 1)
    table = re.compile(r"(^\|.*\n^\|[-| ]+\n)(?:^\|.*\n)*", re.MULTILINE)
    lines = "".join(f"| {' | '.join(cells)} |\n" for cells in catalogue())
    told = table.sub(lambda found: found[1] + lines, section, count=1)
    EVENTS.write_text(f"{before}## The catalogue\n{told}", encoding="utf-8")


def test_every_state_of_a_row_is_explained() -> None:
    """The events page's table has each state once and no other."""
    named = [cells[0].strip("`") for cells in table_under(EVENTS, "## Row states")]
    assert named == [state.value for state in State]


@dataclass(frozen=True)
class Log:
    """A migration's log as the events page's code reads it, and the names which that code defines."""

    page: dict[str, Any]
    path: Path
    key: str
    events: list[tuple[Any, ...]]
    leaves: list[bytes]
    seals: list[tuple[Any, ...]]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Log:
    """The log of the events page's migration, read without stager."""
    names: dict[str, Any] = {}
    for _, text in blocks(EVENTS, "python"):
        exec(text, names)
    folder = tmp_path_factory.mktemp("events")
    with pytest.MonkeyPatch.context() as monkeypatch:
        run_page(EVENTS, terminal_in(folder, monkeypatch))
        key = (key_folder(os.environ) / "staging.key").read_text(encoding="ascii")
    path = folder / "staging.duckdb"
    return Log(names, path, key, *names["read_log"](path, key))


def test_the_events_pages_code_recomputes_the_log(log: Log) -> None:
    """Every leaf, every seal's root, the chain and the signatures come out by the page's code alone."""
    assert [log.page["leaf"](event) for event in log.events] == log.leaves
    assert {event[3] for event in log.events} >= {"row.accepted", "finding.decided", "approval.granted"}
    log.page["check_seals"](log.events, log.seals)
    assert len(log.seals) > 2


def test_the_events_pages_code_notices_what_was_altered(log: Log) -> None:
    """Another actor in one event, another time in one seal: the page's code refuses both."""
    forged = [(*event[:2], "mallory", *event[3:]) if event[0] == 3 else event for event in log.events]
    with pytest.raises(AssertionError):
        log.page["check_seals"](forged, log.seals)
    resealed = [(*log.seals[0][:1], log.seals[0][1] + 1, *log.seals[0][2:]), *log.seals[1:]]
    with pytest.raises((AssertionError, InvalidSignature)):
        log.page["check_seals"](log.events, resealed)


def test_the_plan_hash_is_made_as_the_page_says(log: Log) -> None:
    """What the page describes, put together by its own code, hashes to what the approval holds."""
    with log.page["opened"](log.path, log.key) as staging:
        sources = staging.execute(
            "select source_id, sha256, content_root, rules from source order by source_id"
        ).fetchall()
        rows = staging.execute(
            "select sheet, source_id, row_no, patient_source, patient_row, patient_person,"
            " practitioner_source, practitioner_row, practitioner_person"
            " from row_state where state = 'approved' order by source_id, row_no"
        ).fetchall()
    details = {event[6:8]: event[9] for event in log.events if event[3] in ("row.accepted", "row.rejected")}
    typed = {event[6:8]: json.loads(event[9]) for event in log.events if event[3] == "finding.decided"}
    netstring, whole = log.page["netstring"], hashlib.sha256(b"stager/plan/1\n")
    for source in sources:
        whole.update(b"".join(map(netstring, source)))
    for sheet, source_id, row_no, *links in rows:
        said = typed.get((source_id, row_no))
        cells = f"date_of_birth {said['value_digest']}" if said else None
        parts = (sheet, source_id, row_no, details[source_id, row_no], *links, cells)
        whole.update(b"".join(map(netstring, parts)))
    assert whole.hexdigest() in [
        json.loads(e[9])["plan_hash"] for e in log.events if e[3] == "approval.granted"
    ]


def test_the_events_pages_code_stands_alone() -> None:
    """It imports nothing of stager."""
    trees = [ast.parse(text) for _, text in blocks(EVENTS, "python")]
    imported = {
        (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name) or ""
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert imported
    assert not any(name.startswith("stager") for name in imported)


def test_every_variable_is_in_the_table() -> None:
    """The staging page's table of the environment has each variable that the code reads, and no other."""
    read = {"NO_COLOR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"}
    for source in (ROOT / "stager").rglob("*.py"):
        read |= set(re.findall(r"[\"'](STAGER_[A-Z_]+)[\"']", source.read_text(encoding="utf-8")))
    told = {cells[0].strip("`") for cells in table_under(STAGING, "## Environment variables")}
    assert told == read - {"STAGER_COMPLETE"}


def _named_tests() -> set[tuple[str, str]]:
    return {
        (file, name)
        for page in OURS
        for file, name in re.findall(r"`(test_\w+\.py)::(test_\w+)`", text_of(page))
    }


def test_the_tests_that_pages_name_exist() -> None:
    """A test that is named as a proof is there, under that name, in that file."""
    named = _named_tests()
    for file, name in named:
        source = ROOT / "tests" / file
        assert source.exists(), file
        assert re.search(rf"^def {name}\(", text_of(source), re.MULTILINE), f"{file}::{name}"
    assert len(named) > 40


def test_every_line_of_the_safety_list_is_answered() -> None:
    """Lines 1 to 31, each once and in order; each names a test, or says that there is none yet."""
    rows = re.findall(r"^\| (\d+) \|([^\n]*)\|$", text_of(SAFETY), re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 32))
    for number, cells in rows:
        assert "test_" in cells or "not yet" in cells.lower(), number


def test_every_page_can_be_reached() -> None:
    """Each page of docs/ is linked from the README or from another page."""
    pages = [README, CHANGELOG, *DOCS.glob("*.md")]
    linked = {
        (page.parent / link.partition("#")[0]).resolve()
        for page in pages
        for link in re.findall(r"\]\(([^)\s]+)\)", text_of(page))
        if (page.parent / link.partition("#")[0]).resolve() != page
    }
    assert {page for page in DOCS.glob("*.md") if page.resolve() not in linked} == set()


def test_the_files_that_pages_name_exist() -> None:
    """A path in code type that lies in the project leads to something."""
    for page in OURS:
        for named in _CODE.findall(FENCE.sub("", text_of(page))):
            if re.fullmatch(r"(?:stager|docs|tests|sample_data|tui)/[\w./-]*(?:\.\w+|/)", named):
                assert (ROOT / named).exists(), f"{page.name}: {named}"


def test_the_modules_that_the_architecture_names_are_all_there_are() -> None:
    """Every module and package directly below `stager` stands in the page's tables."""
    there = {
        path.stem
        for path in (ROOT / "stager").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    told = set(
        re.findall(r"`(\w+)`", "\n".join(" ".join(row) for row in table_under(ARCHITECTURE, "## Layers")))
    )
    assert there - {"__init__", "__main__"} <= told


def test_the_changelog_has_this_version() -> None:
    """Its first entry is the version that the package says it is."""
    [first, *_] = re.findall(r"^## (\S+)", text_of(CHANGELOG), re.MULTILINE)
    assert first == __version__


if __name__ == "__main__":
    write_catalogue()
