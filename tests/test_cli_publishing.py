"""Publishing, importing, tenants and keys on the command line, into a real PostgreSQL."""

from __future__ import annotations

import io
import json
import re
import stat
import sys
from pathlib import Path

import pytest
from cli_calls import Stager, caller, copied, own_place

import sample_data
from stager.cli.screen import Screen
from stager.tenant import postgres
from stager.tenant.registry import Tenant

SLUG = "maple-surgery"
FILES = list(sample_data.practice_files().values())


@pytest.fixture
def stager(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clinic_tenant: Tenant
) -> Stager:
    own_place(monkeypatch, tmp_path)
    _register(tmp_path, clinic_tenant)
    return caller(capsys)


@pytest.fixture
def practice(stager: Stager, staged: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Stager:
    copied(staged, monkeypatch, tmp_path)
    return stager


def _register(folder: Path, tenant: Tenant) -> None:
    entry = {"dsn": tenant.dsn, "profile": tenant.profile}
    lines = [f"{key} = {json.dumps(value)}" for key, value in entry.items()]
    (folder / "tenants.toml").write_text("\n".join([f"[tenants.{tenant.slug}]", *lines]) + "\n")


def _counted(tenant: Tenant, table: str) -> int:
    with postgres.connect(tenant) as connection:
        row = connection.execute(f"select count(*) from {table}".encode()).fetchone()
        assert row is not None
        return int(row[0])


def _state_of(practice: Stager, state: str) -> int:
    sheets = practice("status", "--json").done().document["sheets"]
    return sum(sheet["states"][state] for sheet in sheets)


def test_publish_needs_an_approval(practice: Stager) -> None:
    """Exit 4 where nothing is approved."""
    assert practice("publish", "-t", SLUG).code == 4


def test_publish_shows_rows_by_sheet_and_table_once(practice: Stager, clinic_tenant: Tenant) -> None:
    """What is said to be published is there; a second time there is nothing to publish, and that is said."""
    plan = practice("approve", "--json").done().document["plan"]
    dry = practice("publish", "-t", SLUG, "--dry-run").done().out
    assert "would be published" in dry
    assert "rolled back" in dry
    assert _counted(clinic_tenant, "users_user") == 0
    assert practice("publish", "-t", SLUG, "--plan", "0" * 64).code == 4
    done = practice("publish", "-t", SLUG, "--plan", plan["hash"], "--json").done().document
    assert done["sheets"] == plan["rows"]
    assert {table: _counted(clinic_tenant, table) for table in done["tables"]} == done["tables"]
    assert "nothing to publish" in practice("publish", "-t", SLUG).done().out


def test_publish_strict_holds_to_the_practices_own_counts(practice: Stager, clinic_tenant: Tenant) -> None:
    """Exit 6 and nothing written while the counts differ; with the right counts it publishes."""
    practice("approve").done()
    counts = {
        each["sheet"]: each["records"] for each in practice("status", "--json").done().document["sheets"]
    }
    practice("status", "--expect", f"patients={counts['patients'] + 1}").done()
    refused = practice("publish", "-t", SLUG, "--strict")
    assert refused.code == 6
    assert "patients" in refused.err
    assert f"{counts['patients'] + 1:,}" in refused.err
    assert _counted(clinic_tenant, "users_user") == 0
    practice("status", "--expect", ",".join(f"{sheet}={count}" for sheet, count in counts.items())).done()
    assert practice("publish", "-t", SLUG, "--strict", "--json").done().document["sheets"]
    assert _counted(clinic_tenant, "users_user") > 0


def test_why_finds_a_published_rows_source(practice: Stager) -> None:
    """Every published row's id leads back to its line; another id is a wrong usage."""
    practice("approve").done()
    practice("publish", "-t", SLUG).done()
    rows = [json.loads(line) for line in practice("rows", "--state", "published", "--json").out.splitlines()]
    note = next(row for row in rows if row["sheet"] == "notes")
    story = practice("why", "clinical_data_note", note["target_id"], "--json").done().document
    assert (story["sheet"], story["row"], story["line"]) == ("notes", note["row"], note["line"])
    assert practice("why", "users_user", "00000000-0000-8000-8000-000000000000").code == 2


def test_why_answers_for_the_table_that_is_named_and_no_other(practice: Stager, tmp_path: Path) -> None:
    """Another table, and one that there is not, are wrong usages; also where the tenant is not registered."""
    practice("approve").done()
    practice("publish", "-t", SLUG).done()
    rows = [json.loads(line) for line in practice("rows", "--state", "published", "--json").out.splitlines()]
    note = next(row["target_id"] for row in rows if row["sheet"] == "notes")
    for registered in (True, False):
        if not registered:
            (tmp_path / "tenants.toml").unlink()
        assert practice("why", "clinical_data_note", note, "--json").done().document["sheet"] == "notes"
        wrong = practice("why", "users_user", note)
        assert (wrong.code, "it is of clinical_data_note" in wrong.err) == (2, True)
        unknown = practice("why", "clinical_data_notes", note)
        assert unknown.code == 2
        assert "there is no table clinical_data_notes" in unknown.err
        assert "users_user, clinical_data_allergy" in unknown.err


@pytest.mark.parametrize("command", ["publish", "import", "reconcile"])
def test_an_unknown_tenant_is_unavailable_before_anything_changes(
    practice: Stager, tmp_path: Path, command: str
) -> None:
    """Exit 5, and the file is not bound to it."""
    files = ["--dry-run"] if command == "publish" else FILES[:1] if command == "import" else []
    assert practice(command, *files, "-t", "gone").code == 5
    assert practice("status", "--json").document["tenant"] is None


def test_an_unreachable_tenant_stops_an_import_before_it_begins(stager: Stager, tmp_path: Path) -> None:
    """Nothing is staged, and nothing of the connection string is said."""
    (tmp_path / "tenants.toml").write_text(
        f'[tenants.{SLUG}]\ndsn = "postgresql://u:hidden@127.0.0.1:1/x"\ntls = "disable"\n'
    )
    called = stager("import", *FILES, "-t", SLUG, "--yes")
    assert called.code == 5
    assert "hidden" not in called.err
    assert not (tmp_path / "staging.duckdb").exists()


def test_an_import_without_a_yes_stages_and_stops(stager: Stager, clinic_tenant: Tenant) -> None:
    """Exit 4, saying so; the files are staged and reconciled, nothing is approved or published."""
    called = stager("import", *FILES, "-t", SLUG, "--synthetic", "--json")
    assert called.code == 4
    assert "staged and reconciled" in called.err
    assert called.document["published"] is None
    assert called.document["approved"] is None
    assert _state_of(stager, "ready") > 0
    assert _counted(clinic_tenant, "users_user") == 0


def test_an_import_goes_the_whole_way_and_again_changes_nothing(
    stager: Stager, clinic_tenant: Tenant
) -> None:
    """It shows the account and what is held; the same command again publishes nothing."""
    called = stager("import", *FILES, "-t", SLUG, "--synthetic", "--yes").done()
    for said in ("account", "open findings", "link.unresolved", "published", "next: stager"):
        assert said in called.out
    published = _state_of(stager, "published")
    assert _counted(clinic_tenant, "stager_ledger") == 4
    again = stager("import", *FILES, "-t", SLUG, "--synthetic", "--yes").done()
    assert "already staged" in again.out
    assert "nothing to publish" in again.out
    assert _state_of(stager, "published") == published


def test_an_import_asks_on_a_terminal(stager: Stager, monkeypatch: pytest.MonkeyPatch) -> None:
    """A no ends with exit 4 and leaves the files staged; a yes publishes."""
    monkeypatch.setattr(Screen, "can_ask", lambda _self: True)
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\ny\n"))
    asked = stager("import", *FILES, "-t", SLUG, "--synthetic")
    assert re.search(rf"approve and publish \d+ rows to {SLUG}\? \[y/N\]", asked.err)
    assert asked.code == 4
    assert "published" in stager("import", *FILES, "-t", SLUG, "--synthetic").done().out


def test_an_import_rehearsed_writes_nothing(stager: Stager, tmp_path: Path) -> None:
    """--dry-run shows the files' accounts, and that the tenant could take them."""
    before = sorted(tmp_path.iterdir())
    called = stager("import", *FILES, "-t", SLUG, "--synthetic", "--dry-run", "--json").done()
    assert len(called.document["files"]) == 4
    assert sorted(tmp_path.iterdir()) == before


def test_an_import_refuses_a_database_that_is_not_set_up(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, blank_tenant: Tenant
) -> None:
    """Exit 5 with the way out; `tenant check` names what differs, `tenant init` makes it."""
    own_place(monkeypatch, tmp_path)
    _register(tmp_path, blank_tenant)
    stager = caller(capsys)
    called = stager("import", FILES[0], "-t", SLUG, "--yes")
    assert called.code == 5
    assert "stager tenant init" in called.err
    checked = stager("tenant", "check", "-t", SLUG, "--json")
    assert checked.code == 5
    assert {each["kind"] for each in checked.document["differences"]} >= {"missing_table"}
    assert "users_user" in stager("tenant", "init", "-t", SLUG, "--json").done().document["made"]
    stager("tenant", "check", "-t", SLUG).done()
    assert stager("tenant", "init", "-t", SLUG).done().out == "nothing was missing\n"


def test_tenants_are_listed_without_their_connection_strings(
    stager: Stager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry that cannot be used is listed with what is wrong, beside the others."""
    (tmp_path / "tenants.toml").write_text(
        '[tenants.one]\ndsn = "postgresql://u:hidden@db/x"\n[tenants.two]\ndsn = "service=${UNSET_HERE}"\n'
    )
    called = stager("tenant", "list")
    assert "one" in called.done().out
    assert "UNSET_HERE" in called.out
    assert "hidden" not in called.out
    [one, two] = stager("tenant", "list", "--json").document["tenants"]
    assert one["problem"] is None
    assert "UNSET_HERE" in two["problem"]
    (tmp_path / "tenants.toml").unlink()
    assert "no tenants.toml was found" in stager("tenant", "list").done().out
    assert stager("tenant", "stop", "-t", "one").code == 5


def test_a_server_that_is_not_stagers_is_not_stopped(stager: Stager) -> None:
    """`tenant stop` is for embedded databases."""
    called = stager("tenant", "stop", "-t", SLUG)
    assert called.code == 5
    assert "no embedded database" in called.err


def test_keys_are_rotated_exported_and_restored(practice: Stager, tmp_path: Path) -> None:
    """The old key stays, fields move to the new one, and an export brings a lost keyset back."""
    practice("approve").done()
    practice("publish", "-t", SLUG).done()
    [first] = practice("keys", "list", "-t", SLUG, "--json").done().document["keys"]
    rotated = practice("keys", "rotate", "-t", SLUG, "--json").done().document["keys"]
    assert [key["id"] for key in rotated if not key["primary"]] == [first["id"]]
    moved = practice("keys", "reencrypt", "-t", SLUG, "--json").done().document["moved"]
    assert moved["users_user.nhs_number"] > 0
    exported = practice("keys", "export", "keys.json", "-t", SLUG).done()
    assert "locked away" in exported.err
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600
    assert practice("keys", "export", "keys.json", "-t", SLUG).code == 2
    (tmp_path / "config" / "stager" / "keys" / "tenants" / f"{SLUG}.json").unlink()
    restored = practice("keys", "restore", "keys.json", "-t", SLUG, "--json").done().document["keys"]
    assert restored == rotated


def test_a_mistyped_slug_gets_no_keys(stager: Stager, tmp_path: Path) -> None:
    """Listing the keys of a tenant that is not registered makes none."""
    for arguments in (["list"], ["rotate"], ["export", "x.json"], ["restore", "x.json"], ["reencrypt"]):
        assert stager("keys", *arguments, "-t", "mapel-surgery").code == 5
    assert not list(tmp_path.glob("config/**/mapel-surgery.json"))
