"""The session: one method for each thing a person may do; the front door of the command line and the TUI.

Every method that writes takes the actor, so that one process may serve several people. Nothing here
prints; long work reports through `progress`.

A stage is imported by the method that needs it: reading polars, pyarrow and psycopg takes longer than
`stager status` may, which needs none of them (tests/test_startup.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from msgspec.structs import replace

from stager import projections
from stager.account import require_balance, require_expected
from stager.approvals import Approval, Plan, approve, cut_plan
from stager.errors import KeyUnavailable, StagerError, StagingUnavailable, UsageError
from stager.late import begin_reading
from stager.session import expecting, reading
from stager.session.looking import refuse_writing
from stager.session.reviewing import Reviewing
from stager.session.settings import Progress, Settings, silent
from stager.session.workspace import Workspace, key_for

if TYPE_CHECKING:
    from stager.crypto.keyset import KeyDescription
    from stager.decisions import BlindIndex, Choice, Finding
    from stager.ingest.rejects import RejectFile
    from stager.ingest.stage import SourceAccount
    from stager.publish.publishing import Published
    from stager.publish.reencrypt import Reencrypted
    from stager.reconcile import Outcome
    from stager.report import Report
    from stager.session.reporting import Format
    from stager.session.tenants import Doors
    from stager.session.told import Intake
    from stager.session.views import RowLine, RowStory, RowValues, Status
    from stager.tenant.comparison import Difference
    from stager.tenant.registry import Registry
    from stager.verify import Proofs, Verified


class Session(Reviewing):
    """Work on one staging file, opened when first needed. Use it as a context manager."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.key_made: str | None = None
        self._workspace: Workspace | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @cached_property
    def doors(self) -> Doors:
        """The doors to the tenants."""
        from stager.session.tenants import Doors

        return Doors(self.settings)

    def close(self) -> None:
        """Let go of the staging file."""
        if self._workspace:
            self._workspace.close()
            self._workspace = None

    def ingest(
        self,
        files: Sequence[Path],
        told: Intake,
        *,
        actor: str,
        tenant: str | None = None,
        dry_run: bool = False,
        progress: Progress = silent,
    ) -> list[SourceAccount]:
        """Stage files, all or none; dry, only their accounts. InputRefused for a file that cannot."""
        if dry_run:
            from stager.session import intake

            sources, _ = intake.open_sources(files, told, self.settings.cwd)
            known, now = self.doors.known(tenant), self.settings.clock()
            return intake.dry_accounts(sources, known, now, progress, synthetic=told.synthetic)
        from stager.ingest.hands import hands

        made = not (self.settings.cwd / self.settings.staging).exists()
        try:
            with hands(self.settings.cwd / file for file in files) as by:
                from stager.session import intake  # only now: what it brings is read by both at once

                sources, _ = intake.open_sources(files, told, self.settings.cwd)
                coming = sum(source.size for source in sources)
                workspace = self._to_write(create=True, coming=coming, beside=by.beside)
                slug = workspace.tenant_slug(tenant)
                accounts = intake.stage_all(
                    workspace,
                    sources,
                    self.doors.known(slug),
                    slug,
                    progress,
                    by=by,
                    actor=actor,
                    synthetic=told.synthetic,
                )
        except BaseException:
            if made:
                self._remove_unused()
            raise
        if workspace.wants_other_memory():
            self.close()  # what comes next opens it again
        return accounts

    def reconcile(self, *, actor: str, tenant: str | None = None, progress: Progress = silent) -> Outcome:
        """Link rows and raise findings; with a tenant named, also against the tenant's own people."""
        begin_reading("stager.session.linking")
        workspace = self._to_write()
        if tenant is not None:
            self.doors.tenant(tenant)
        from stager.session import linking

        bound = workspace.tenant_slug(None)
        anew = tenant is not None or linking.can_look(self.doors, bound, self.settings.warn)
        return linking.link_all(workspace, self.doors, actor, tenant, progress, anew=anew)

    def status(self, *, at: int | None = None) -> Status:
        """The migration at a glance, now or as it stood after event `at`."""
        staging = self._open().staging
        return reading.status(staging) if at is None else reading.status_as_of(staging, at)

    def expect(self, told: str, *, actor: str) -> None:
        """State the practice's own counts: "patients=10231,…", or the name of a CSV with sheet and count."""
        counts = expecting.read_expectation(told, self.settings.cwd)
        workspace = self._to_write()
        with workspace.writing(actor) as log:
            expecting.state_expectation(workspace.staging, log, counts)

    def rows(
        self,
        *,
        sheet: str | None = None,
        state: str | None = None,
        code: str | None = None,
        at: int | None = None,
    ) -> Iterator[RowLine]:
        """Every row as it stands, or stood after event `at`."""
        staging = self._open().staging
        if at is None:
            return reading.rows(staging, sheet=sheet, state=state, code=code)
        return reading.rows_as_of(staging, at, sheet=sheet, state=state, code=code)

    def findings(self, wanted: reading.Filter, *, at: int | None = None) -> list[Finding]:
        """The findings that a filter means, as they stand or stood after event `at`."""
        staging = self._open().staging
        with projections.as_of(staging, at):
            return reading.findings(staging, wanted)

    def place_of(self, person: str) -> str:
        """A person named by LegacyPatientID, row:SOURCE:ROW, row:ROW or tenant:ID → their place."""
        return reading.place_of(self._open().staging, person)

    def decide(self, findings: Sequence[Finding], choice: Choice, *, actor: str) -> int:
        """Decide findings, all alike, as one event, and link and check anew what that changes; its seq."""
        from stager import decisions
        from stager.session import linking

        workspace = self._to_write()
        with workspace.writing(actor) as log:
            seq = decisions.decide(
                workspace.staging,
                log,
                findings,
                choice,
                digest=workspace.fingerprinter.one,
                index=self._index(workspace),
            )
            linking.link(workspace, self.doors, log)
        return seq

    def decide_rows(self, rows: Sequence[tuple[str, str]], choice: Choice, *, actor: str) -> int:
        """Exclude or put back rows (sheet, row) as such, as one event; its seq."""
        from stager import decisions
        from stager.session import linking

        workspace = self._to_write()
        named = [(sheet, *reading.find_row(workspace.staging, sheet, row)) for sheet, row in rows]
        with workspace.writing(actor) as log:
            seq = decisions.decide_rows(workspace.staging, log, named, choice)
            linking.link(workspace, self.doors, log)
        return seq

    def undo(self, seq: int, *, actor: str, reason: str | None = None) -> int:
        """Take back the decision of that event; the seq of the event that does."""
        from stager import decisions
        from stager.session import linking

        workspace = self._to_write()
        with workspace.writing(actor) as log:
            done = decisions.undo(workspace.staging, log, seq, reason=reason)
            linking.link(workspace, self.doors, log)
        return done

    def approve(self, *, actor: str, sheet: str | None = None, reason: str | None = None) -> Approval:
        """Approve the rows that are ready now. Raises ReviewNeeded where none is."""
        workspace = self._to_write()
        require_balance(workspace.staging)
        return approve(
            workspace.staging, writing=lambda: workspace.writing(actor), sheet=sheet, reason=reason
        )

    def publish(
        self,
        tenant: str,
        *,
        actor: str,
        dry_run: bool = False,
        expected_plan: str | None = None,
        strict: bool = False,
        progress: Progress = silent,
    ) -> Published:
        """Replay the approved rows into the tenant's database, exactly once.

        strict: IntegrityFailed where the records are not as many as the practice expects.
        """
        settings = self.doors.tenant(tenant)
        begin_reading("stager.publish.publishing")
        workspace = self._open() if dry_run else self._to_write()
        require_balance(workspace.staging)
        if strict:
            require_expected(workspace.staging)
        from stager.publish.publishing import publish
        from stager.session import linking
        from stager.tenant.postgres import connect

        profile = self.doors.profile(tenant)
        self._bind_proved(workspace, tenant, actor, dry_run=dry_run)
        self.doors.require_own_keys(tenant, profile)
        linking.require_compared(workspace, self.doors, tenant)
        return publish(
            workspace.staging,
            writing=lambda: workspace.writing(actor),
            tenant=settings,
            profile=profile,
            keyset=self.doors.keyset(tenant),
            connect=lambda: connect(settings),
            expected_plan=expected_plan,
            dry_run=dry_run,
            chunk_rows=_chunk_rows(self.settings.environ),
            progress=progress,
        )

    def _bind_proved(self, workspace: Workspace, tenant: str, actor: str, *, dry_run: bool) -> None:
        """Bind the migration to a tenant whose database proves to be its own; a rehearsal binds nothing."""
        from stager.tenant.schema import prove_tenant

        bound = workspace.tenant_slug(None)
        if bound == tenant:
            return
        with self.doors.connected(tenant) as connection:
            prove_tenant(connection, tenant)
        if bound is not None or not dry_run:
            with workspace.writing(actor) as log:
                workspace.bind(log, tenant)

    def plan(self) -> Plan:
        """What would be published now: its hash, and rows by sheet."""
        return cut_plan(self._open().staging)

    def plan_hash(self) -> str:
        """The hash of what would be published now."""
        return self.plan().hash

    def rejects(self) -> list[RejectFile]:
        """The rejected and held records of each file, to correct and take in again."""
        from stager.ingest.rejects import reject_files

        return reject_files(self._open().staging)

    def write_rejects(self, folder: Path) -> list[tuple[Path, RejectFile]]:
        """Write the reject files into a folder, readable for their owner only."""
        from stager.crypto import places

        files = self.rejects()
        target = self.settings.cwd / folder
        try:
            target.mkdir(parents=True, exist_ok=True, mode=0o700)
            for each in files:
                places.replace(target / each.name, each.content)
        except OSError as error:
            raise StagingUnavailable(
                f"{target} cannot be written: {error.strerror}", hint="name another folder with --out"
            ) from None
        except KeyUnavailable as error:  # what writes keys' files writes these, for they hold patients' data
            raise StagingUnavailable(error.message, hint="name another folder with --out") from None
        return [(target / each.name, each) for each in files]

    def history(self, sheet: str, row: str) -> RowStory:
        """Every event of a source row; row is its number, or SOURCE:NUMBER."""
        from stager.session import stories

        staging = self._open().staging
        return stories.story(staging, *reading.find_row(staging, sheet, row))

    def why(self, target_id: str, table: str | None = None) -> RowStory:
        """Where a published row came from. UsageError where that table does not take such rows."""
        from stager.session import stories

        staging = self._open().staging
        sheets = self.doors.sheet_of_tables(projections.standing(staging, "tenant")) if table else {}
        return stories.story(staging, *reading.find_target(staging, target_id, table, sheets))

    def show_values(self, found: RowStory, *, actor: str, field: str | None = None) -> RowValues:
        """The cells of a row, or one of them: patients' values, and an event says who had them shown."""
        from stager.session import stories

        workspace = self._to_write()
        with workspace.writing(actor) as log:
            return stories.values(workspace.staging, log, found.source_id, found.row, field)

    def report(self, *, at: int | None = None, patient: str | None = None) -> Report:
        """The report, now or as of event `at`; with one person's evidence where they are named."""
        from stager.session import reporting

        return reporting.make_report(self._open(), self.doors, at=at, patient=patient)

    def write_report(self, report: Report, form: Format, out: Path | None = None) -> list[Path]:
        """Write the report in one form, mode 0600: CSV into a folder, else one file; the paths."""
        from stager.session import reporting

        files = reporting.files_of(report, form)
        return reporting.write_report(files, form, out, self.settings.cwd)

    def write_report_pack(self, report: Report, out: Path) -> tuple[str, ...]:
        """Write the auditor's pack with the report in every form; the names of its members."""
        from stager.session import reporting

        return self.write_pack(out, reporting.members_of(report))

    def rebuild(self) -> tuple[str, str]:
        """Refold every projection from the log; the digests of the state before and after."""
        staging = self._to_write().staging
        before = projections.digest(staging)
        with staging.transaction():
            projections.rebuild(staging)
        return before, projections.digest(staging)

    def verify(
        self, tenant: str | None = None, *, deep: bool = False, progress: Progress = silent
    ) -> Verified:
        """Hold the staging file, and with a tenant its database, against the log; writes nothing.

        deep: open every protected field of the tenant. IntegrityFailed names the first wrong thing.
        """
        from stager.session import verification

        return verification.verify_all(self._open_as_it_is(), self.doors, tenant, progress, deep=deep)

    def prove(self) -> Proofs:
        """What makes proofs over the log: checkpoints, inclusion, consistency, one person's evidence."""
        from stager.verify import Proofs

        workspace = self._open()
        return Proofs(workspace.staging, workspace.signer)

    def write_pack(self, out: Path, extra: Mapping[str, bytes] | None = None) -> tuple[str, ...]:
        """Write the auditor's pack, with further members by name; the names of all of them."""
        from stager.verify import build_pack

        workspace = self._open()
        return build_pack(workspace.staging, workspace.signer, self.settings.cwd / out, extra)

    def registry(self) -> Registry:
        """The registered tenants."""
        return self.doors.registry

    def init_tenant(self, slug: str) -> tuple[str, ...]:
        """Make what is missing of the tenant's tables; the names of those made."""
        return self.doors.init(slug)

    def check_tenant(self, slug: str) -> list[Difference]:
        """What differs between the tenant's database and its target profile."""
        return self.doors.check(slug)

    def keys(self, slug: str) -> tuple[KeyDescription, ...]:
        """The tenant's data keys, without secrets."""
        return self.doors.keyset(slug).describe()

    def rotate_keys(self, slug: str) -> tuple[KeyDescription, ...]:
        """Add a primary data key; what is sealed under the old ones stays readable."""
        return self.doors.rotate(slug).describe()

    def export_keys(self, slug: str, path: Path) -> None:
        """Write the unwrapped keyset to a new file, mode 0600."""
        from stager.crypto import keystore

        keystore.export(self.doors.keyset(slug), self.settings.cwd / path)

    def reencrypt(self, slug: str, *, progress: Progress = silent) -> Reencrypted:
        """Move every protected field that is not under the primary key to it."""
        from stager.publish.reencrypt import reencrypt

        tenant, profile = self.doors.tenant(slug), self.doors.profile(slug)
        with self.doors.connected(slug) as connection:
            return reencrypt(connection, tenant, profile, self.doors.keyset(slug), progress)

    def _open(self, *, create: bool = False, coming: int = 0, beside: bool = False) -> Workspace:
        if self._workspace is None:
            key = key_for(self.settings, create=create)
            self.key_made = key.origin if key.created else self.key_made
            self._workspace = Workspace.open(self.settings, key, create=create, coming=coming, beside=beside)
        return self._workspace

    def read_only_copy(self) -> Session:
        """A session on a private copy of the staging file, as it is when it is opened; it changes nothing."""
        return Session(replace(self.settings, read_only=True))

    def _to_write(self, *, create: bool = False, coming: int = 0, beside: bool = False) -> Workspace:
        """The workspace of a method that writes. StagingUnavailable where this session only looks.

        coming: bytes of CSV that are to be taken in. beside: whether another process works on them meanwhile.
        """
        if self.settings.read_only:
            raise refuse_writing(self.settings.staging)
        return self._open(create=create, coming=coming, beside=beside)

    def _remove_unused(self) -> None:
        """Remove the staging file that was made for a command which failed, where nothing is in it."""
        with suppress(StagerError):
            self._open().staging.remove_unused()
            self.close()

    def _open_as_it_is(self) -> Workspace:
        """The workspace without a word against it yet: verifying finds what is wrong, and in what order."""
        from stager.verify import checking

        if self._workspace is None:
            key = key_for(self.settings, create=False)
            with checking("the staging file"):
                self._workspace = Workspace.open(self.settings, key, create=False, checked=False)
        return self._workspace

    def _index(self, workspace: Workspace) -> BlindIndex | None:
        from stager.session import linking

        slug = workspace.tenant_slug(None)
        if slug and linking.standing_snapshot(workspace.staging):
            return linking.indexer(self.doors, slug)
        return None


def _chunk_rows(environ: Mapping[str, str]) -> int:
    """How many rows go to the tenant in one transaction at most: STAGER_CHUNK_ROWS, where it is set."""
    from stager.publish.publishing import CHUNK_ROWS

    told = environ.get("STAGER_CHUNK_ROWS", "") or str(CHUNK_ROWS)
    if not (told.isascii() and told.isdecimal() and 1 <= len(told) <= 7 and int(told)):
        raise UsageError(
            f"STAGER_CHUNK_ROWS is {told!r}", hint=f"set it to a number of rows, or unset it for {CHUNK_ROWS}"
        )
    return int(told)
