"""What is around a command that cannot be used: disk, rights, keys, another process, the tenant, the order
of steps. Each by the real command: words that help, the right exit code, everything as it was.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from sample_data.generate import Practice, generate
from stager.session import Intake
from stager.tenant.registry import Tenant
from tests.cli_calls import Called
from tests.postgres import SLUG
from tests.running import Place, Running, require_clean, require_refused, state_of

SMALL = Practice(patients=20, background=30, notes=40, medications=30, seed=5, dirt=0.05)
LARGE = Practice(patients=300, background=900, notes=12_000, medications=1200, seed=6, dirt=0.01)
SHEETS = ("patients.csv", "background.csv", "notes.csv", "medications.csv")
ANOTHER_KEY = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=\n"


@pytest.fixture(scope="module")
def practices(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Place]:
    """A small practice as files (`new`), staged, linked, and approved; and a larger one's files (`large`)."""
    folder = tmp_path_factory.mktemp("practices")
    made = {name: Place(folder / name) for name in ("new", "large")}
    generate(made["new"].folder, SMALL)
    generate(made["large"].folder, LARGE)
    made["staged"] = made["new"].copied(folder / "staged")
    with made["staged"].session() as session:
        session.ingest([Path(name) for name in SHEETS], Intake(synthetic=True), actor="tester")
    made["linked"] = made["staged"].copied(folder / "linked")
    with made["linked"].session() as session:
        session.reconcile(actor="tester")
    made["approved"] = made["linked"].copied(folder / "approved")
    with made["approved"].session() as session:
        session.approve(actor="tester")
    return made


@pytest.fixture
def copy_of(practices: dict[str, Place], tmp_path: Path) -> Callable[[str], Place]:
    """One of the practices in a folder of its own."""
    return lambda name: practices[name].copied(tmp_path / "place")


@pytest.fixture
def copies_of(practices: dict[str, Place], tmp_path: Path) -> Callable[..., list[Place]]:
    """So many copies of one of the practices."""
    return lambda name, count: [
        practices[name].copied(tmp_path / f"place {number}") for number in range(count)
    ]


def without_rights() -> None:
    """In a child: rights count for root, too. 1 and 2 are the capabilities to read and write all the same."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        for capability in (1, 2):
            if libc.prctl(24, capability, 0, 0, 0) != 0:
                raise OSError(ctypes.get_errno(), "the capability could not be given up")


def files_of_at_most(size: int) -> Callable[[], None]:
    """In a child: no file may grow beyond so many bytes, which is what a full disk comes to."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def files_in(place: Place) -> list[str]:
    """What stands in its folder beside what it was made with."""
    kept = {*SHEETS, "manifest.json", "config", "state", "data", "tenants.toml"}
    return sorted(path.name for path in place.folder.iterdir() if path.name not in kept)


def ended(started: Iterable[Running]) -> list[Called]:
    """What commands gave that are started first, all of them, so that they run at once."""
    return [running.ended() for running in list(started)]


def test_a_full_disk_at_the_first_file(copies_of: Callable[..., list[Place]]) -> None:
    """Too little room for the staging file itself, or for what goes in: exit 5, and no file is left."""
    sizes = (64 << 10, 300 << 10, 1 << 20)
    places = copies_of("large", len(sizes))
    limits = map(files_of_at_most, sizes)
    command = ("ingest", *SHEETS, "--synthetic")
    full = ended(place.start(*command, preexec_fn=limit) for place, limit in zip(places, limits, strict=True))
    for place, called in zip(places, full, strict=True):
        require_refused(called, 5, "staging.duckdb", "make room on the disk")
        assert files_in(place) == []


def test_a_full_disk_beside_a_staging_file(
    practices: dict[str, Place], copies_of: Callable[..., list[Place]]
) -> None:
    """Where it is too full to commit nothing is changed; where it is too full only for the checkpoint the
    command is done, says so, and the next one goes on.
    """
    command = ("ingest", *(practices["large"].folder / name for name in SHEETS))
    before, places = state_of(practices["staged"]), copies_of("staged", 2)
    limits = (files_of_at_most(5 << 20), files_of_at_most(8 << 20))
    full = ended(place.start(*command, preexec_fn=limit) for place, limit in zip(places, limits, strict=True))
    for place, called, is_done in zip(places, full, (False, True), strict=True):
        says = "the command is done" if is_done else "nothing was changed"
        require_refused(called, 5, "make room on the disk", says)
        assert (state_of(place) != before) == is_done
    again = ended(place.start(*command) for place in places)
    assert ["already staged" in called.done().out for called in again] == [False, True]


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path | None]:
    """A disk of its own of that size, where one may be mounted here."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_really_full(practices: dict[str, Place], tmp_path: Path) -> None:
    """On a disk of 2 MB: exit 5, no staging file. Where none may be mounted the limits above must do."""
    files = [practices["large"].folder / name for name in SHEETS]
    with small_disk(tmp_path / "disk", "2m") as folder:
        if folder is not None:
            place = Place(folder)
            full = place.call("ingest", *files, "--synthetic")
            require_refused(full, 5, "No space left on device", "make room on the disk")
            assert files_in(place) == []


def test_interrupted_at_the_first_file(copy_of: Callable[[str], Place]) -> None:
    """Ctrl-C while the first files are staged: no staging file is left, and the new key is told of."""
    place = copy_of("large")
    stopped = place.start("ingest", *SHEETS, "--synthetic").when(place.staging.exists, signal.SIGINT)
    require_refused(stopped, 130, "run the same command again", "a new key was made", "back it up")
    assert files_in(place) == []


def test_a_folder_that_may_not_be_written(copy_of: Callable[[str], Place]) -> None:
    """No staging file can be made, or written: exit 5, and all is as it was."""
    place = copy_of("staged")
    before = place.staging.read_bytes()
    place.folder.chmod(0o555)
    for arguments in (("ingest", "notes.csv"), ("--staging", "new.duckdb", "ingest", "notes.csv")):
        refused = place.call(*arguments, preexec_fn=without_rights)
        require_refused(refused, 5, ".duckdb cannot be written", "mend the rights of its folder")
    place.folder.chmod(0o755)
    assert files_in(place) == ["staging.duckdb"]
    assert place.staging.read_bytes() == before


def test_a_file_that_may_not_be_read(copy_of: Callable[[str], Place]) -> None:
    """A CSV that the person has no right to read is refused, and nothing is staged."""
    place = copy_of("new")
    (place.folder / "notes.csv").chmod(0)
    refused = place.call("ingest", *SHEETS, preexec_fn=without_rights)
    require_refused(refused, 3, "may not be read (notes.csv)", "check its owner and its permissions")
    assert files_in(place) == []


def test_rejects_that_cannot_be_written(copy_of: Callable[[str], Place]) -> None:
    """A folder without the right to write, and a file in the folder's place: exit 5 names them."""
    place = copy_of("linked")
    (place.folder / "out").mkdir(mode=0o555)
    refused = place.call("rejects", "--out", "out", preexec_fn=without_rights)
    require_refused(refused, 5, "rejects.csv cannot be written: Permission denied", "--out")
    refused = place.call("rejects", "--out", "notes.csv")
    require_refused(refused, 5, "notes.csv cannot be written: File exists", "--out")
    assert list((place.folder / "out").iterdir()) == []


def test_a_seal_that_cannot_be_kept(copy_of: Callable[[str], Place]) -> None:
    """Where the folder of keys may not be written the command is done, says so, and the next one keeps it."""
    place = copy_of("linked")
    heads = place.keys / "heads"
    heads.chmod(0o500)
    told = place.call("approve", preexec_fn=without_rights)
    require_refused(told, 5, "the command is done, but its seal could not be kept", str(heads))
    heads.chmod(0o700)
    assert any(row.state == "approved" for row in state_of(place).rows)


def test_keys_that_do_not_fit(copies_of: Callable[..., list[Place]]) -> None:
    """Another key, one open to others, one that is not there, none at all: exit 5, and none is made."""
    places = copies_of("staged", 4)
    before = places[0].staging.read_bytes()
    for place, mode in zip(places, (0o600, 0o644, 0o600, 0o600), strict=True):
        (place.folder / "other.key").write_text(ANOTHER_KEY)
        (place.folder / "other.key").chmod(mode)
    named = ("other.key", "other.key", "none.key")
    told = [
        Place(place.folder, {"STAGER_KEY_FILE": str(place.folder / key)})
        for place, key in zip(places[:3], named, strict=True)
    ]
    kept = places[3].keys / "staging.key"
    kept.unlink()
    says = (
        ("the key does not open", "STAGER_KEY_FILE"),
        ("is open to other users (mode 0644)", "chmod 600"),
        ("none.key does not exist", "correct the path"),
        ("the key of the staging file is gone", "restore it from its backup"),
    )
    for called, words in zip(ended(place.start("status") for place in (*told, places[3])), says, strict=True):
        require_refused(called, 5, *words)
        require_clean(called, ANOTHER_KEY.strip())
    assert not kept.exists()
    assert all(place.staging.read_bytes() == before for place in places)


def test_no_staging_file(copy_of: Callable[[str], Place]) -> None:
    """A command that needs one and finds none makes neither a file nor a key."""
    place = copy_of("new")
    require_refused(place.call("status"), 5, "there is no staging file at", "stager ingest FILE")
    assert files_in(place) == []
    assert not place.keys.exists()


def test_a_staging_file_of_a_newer_stager(copy_of: Callable[[str], Place]) -> None:
    """It is named with both versions and left alone."""
    place = copy_of("staged")
    with place.session() as session:
        staging = session._open().staging
        staging.run("forget_migration_fact", name="schema_version")
        staging.set_fact("schema_version", "99")
    before = place.staging.read_bytes()
    require_refused(place.call("status"), 5, "schema version 99, newer than", "use the stager that made it")
    assert place.staging.read_bytes() == before


def test_a_second_process(copy_of: Callable[[str], Place]) -> None:
    """While one process has the staging file open, another one is told its number."""
    place = copy_of("staged")
    with place.session() as session:
        session.status()
        refused = place.call("approve")
    require_refused(
        refused, 5, f"staging.duckdb is in use by process {os.getpid()}", "wait until it has ended"
    )


def test_steps_out_of_order(copy_of: Callable[[str], Place], clinic_tenant: Tenant) -> None:
    """Approving before linking, publishing before approving, another plan than the approved one: exit 4."""
    place = copy_of("staged")
    place.register(SLUG, clinic_tenant.dsn)
    require_refused(place.call("approve"), 4, "since the last reconciliation", "stager reconcile")
    with place.session() as session:
        session.reconcile(actor="tester")
    require_refused(place.call("publish", "-t", SLUG), 4, "no row is approved", "stager approve")
    with place.session() as session:
        plan = session.approve(actor="tester").plan.hash
    before = state_of(place)
    other = place.call("publish", "-t", SLUG, "--plan", "0" * 64)
    require_refused(other, 4, "is not the plan expected", plan, "stager status")
    assert state_of(place) == before
    assert counted(clinic_tenant) == 0


def counted(tenant: Tenant) -> int:
    with psycopg.connect(tenant.dsn) as connection:
        return int(connection.execute("select count(*) from users_user").fetchall()[0][0])


def test_tenants_that_cannot_be_published_to(
    practices: dict[str, Place], copies_of: Callable[..., list[Place]], new_tenant: Callable[[str], Tenant]
) -> None:
    """Unknown, not there, not set up, another tenant's, of another schema: exit 5 before any change."""
    other, differing = new_tenant("clinic"), new_tenant("clinic")
    with psycopg.connect(other.dsn) as connection:
        connection.execute("update stager_tenant set slug = 'oak-practice'")
    with psycopg.connect(differing.dsn) as connection:
        connection.execute("alter table users_user drop column postcode")
    cases = (
        ("maple-surgeri", other.dsn, ("tenant maple-surgeri is not registered", SLUG)),
        (SLUG, "host=/nowhere dbname=none", ("database cannot be reached", "no server's socket is there")),
        (SLUG, new_tenant("blank").dsn, ("does not say which tenant it is", f"stager tenant init -t {SLUG}")),
        (SLUG, other.dsn, (f"belongs to the tenant oak-practice, not to {SLUG}", "tenants.toml")),
        (SLUG, differing.dsn, ("users_user.postcode: the column is missing", f"tenant check -t {SLUG}")),
    )
    places = copies_of("approved", len(cases))
    for place, (_, dsn, _) in zip(places, cases, strict=True):
        place.register(SLUG, dsn)
    refused = ended(
        place.start("publish", "-t", slug) for place, (slug, _, _) in zip(places, cases, strict=True)
    )
    before, states = state_of(practices["approved"]), [state_of(place) for place in places]
    for state, called, (_, _, says) in zip(states, refused, cases, strict=True):
        require_refused(called, 5, *says)
        assert state.rows == before.rows
    # The last database is the tenant's own, and the file may be bound to it.
    assert states[:-1] == [before] * (len(cases) - 1)
    assert counted(other) == counted(differing) == 0


def test_a_tenant_that_goes_down_midway(copy_of: Callable[[str], Place], clinic_tenant: Tenant) -> None:
    """Its server ends every connection and takes no other: exit 5; when it is back the command goes on."""
    place = Place(copy_of("approved").folder, {"STAGER_CHUNK_ROWS": "1"})
    place.register(SLUG, clinic_tenant.dsn)
    admin = psycopg.connect(clinic_tenant.dsn, autocommit=True, dbname="postgres")
    with closing(admin), closing(psycopg.connect(clinic_tenant.dsn, autocommit=True)) as seen:

        def reached() -> bool:
            return len(seen.execute("select from stager_ledger limit 5").fetchall()) == 5

        down = place.start("publish", "-t", SLUG).meanwhile(
            reached, lambda: take_down(admin, seen.info.dbname)
        )
        require_refused(down, 5, "chunks are known to be in", "run the same command again")
        require_refused(place.call("publish", "-t", SLUG), 5, "its database cannot be reached")
        allow_connections(admin, seen.info.dbname, True)
    place.call("publish", "-t", SLUG).done()
    states = [row.state for row in state_of(place).rows]
    assert "approved" not in states
    with psycopg.connect(clinic_tenant.dsn) as connection:
        [(rows,)] = connection.execute("select sum(rows) from stager_ledger").fetchall()
    assert states.count("published") == rows > 5


def take_down(admin: psycopg.Connection[tuple[object, ...]], database: str) -> None:
    allow_connections(admin, database, False)
    ending = "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s"
    admin.execute(ending, [database])


def allow_connections(admin: psycopg.Connection[tuple[object, ...]], database: str, allowed: bool) -> None:
    statement = sql.SQL("alter database {} allow_connections {}")
    admin.execute(statement.format(sql.Identifier(database), sql.Literal(allowed)))


def test_an_output_without_room_is_told_as_such(tmp_path: Path) -> None:
    """What is printed goes to a full disk: exit 1 says so, and it is no fault of stager's."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "stager.cli", "sheets"],
            stdout=full,
            stderr=subprocess.PIPE,
            env=Place(tmp_path).whole_environ,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert "standard output could not be written: No space left on device" in done.stderr
    assert "fault" not in done.stderr
    assert list(tmp_path.iterdir()) == []
