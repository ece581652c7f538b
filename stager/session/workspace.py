"""An open staging file with its keys: reading from it, and writing one command's events sealed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stager import __version__
from stager.approvals import void_changed
from stager.crypto import heads
from stager.crypto.fingerprint import Fingerprinter
from stager.crypto.places import key_folder
from stager.crypto.signing import Signer
from stager.crypto.staging_key import StagingKey, staging_key
from stager.errors import IntegrityFailed, KeyUnavailable, UsageError
from stager.event_log import EventLog, Seal, last_seal
from stager.projections import catch_up, fold, standing
from stager.session.looking import Copy, refuse_writing
from stager.session.looks import Looks
from stager.session.settings import Settings
from stager.staging import Staging, check_there, memory_for


def key_for(settings: Settings, *, create: bool) -> StagingKey:
    """The staging key, made where the staging file is to be made, too: a new key opens no file of before."""
    path = settings.cwd / settings.staging
    if not create:
        check_there(path)
    return staging_key(settings.environ, may_create=not path.exists())


class Workspace:
    """One open staging file, the keys that belong to it, and where the keys are kept."""

    def __init__(
        self,
        settings: Settings,
        staging: Staging,
        key: StagingKey,
        keys: Path,
        *,
        checked: bool = True,
        copy: Copy | None = None,
    ) -> None:
        self.settings = settings
        self._copy = copy
        self.looks = Looks()
        self.staging = staging
        self.keys = keys
        migration = staging.migration_id
        self.fingerprinter = Fingerprinter(key.fingerprint_key(migration))
        self.signer = Signer(key.signing_seed(migration))
        if checked:
            self._check_head()
            catch_up(staging)

    @classmethod
    def open(
        cls,
        settings: Settings,
        key: StagingKey,
        *,
        create: bool,
        checked: bool = True,
        coming: int = 0,
        beside: bool = False,
    ) -> Workspace:
        """Open the staging file, made where `create` says so; coming: bytes of CSV that are to go into it.

        beside: whether another process works meanwhile, and is left some memory.

        checked: held against the seal kept beside the keys, and its projections brought up to its log;
        not where the whole of it is to be verified as it is.
        """
        if not settings.read_only:
            path = settings.cwd / settings.staging
            return cls._opened(
                settings, key, path, create=create, checked=checked, coming=coming, beside=beside
            )
        copy = Copy(settings.cwd / settings.staging, settings.environ)
        try:
            return copy.opened(
                lambda path: cls._opened(settings, key, path, create=False, checked=checked, copy=copy)
            )
        except BaseException:
            copy.close()
            raise

    @classmethod
    def _opened(
        cls,
        settings: Settings,
        key: StagingKey,
        path: Path,
        *,
        create: bool,
        checked: bool,
        coming: int = 0,
        beside: bool = False,
        copy: Copy | None = None,
    ) -> Workspace:
        wanted = memory_for(path, coming, alone=not beside)
        memory = settings.environ.get("STAGER_MEMORY", wanted)
        staging = Staging.open(path, key.file_key(), create=create, memory=memory, coming=coming)
        try:
            return cls(settings, staging, key, key_folder(settings.environ), checked=checked, copy=copy)
        except BaseException:
            staging.close()
            raise

    def wants_other_memory(self) -> bool:
        """Whether the file would get another limit of memory by now than it was opened with."""
        asked = self.settings.environ.get("STAGER_MEMORY")
        return asked is None and memory_for(self.staging.path) != self.staging.memory

    def close(self) -> None:
        self.staging.close()
        if self._copy:
            self._copy.close()

    @contextmanager
    def writing(self, actor: str) -> Iterator[EventLog]:
        """One command: its facts, events, projections and seal, all or nothing."""
        if self.settings.read_only:
            raise refuse_writing(self.settings.staging)
        seal: Seal | None = None
        with self.staging.transaction(committed=lambda: self._keep_head(seal or last_seal(self.staging))):
            log = EventLog(self.staging, actor, self.settings.clock)
            before = log.head
            if before == 0:
                self._open_migration(log)
            yield log
            fold(self.staging)
            void_changed(self.staging, log, before)
            seal = log.seal(self.signer)

    def bind(self, log: EventLog, slug: str | None) -> None:
        """Bind the migration to a tenant the first time one is named; refuse another one later."""
        self.require_bound(slug)
        if slug is not None and standing(self.staging, "tenant") is None:
            log.append("migration.bound", {"tenant": slug})
            fold(self.staging)

    def require_bound(self, slug: str | None) -> None:
        """UsageError where a tenant is named and the migration is bound to another one."""
        bound = standing(self.staging, "tenant")
        if None not in (slug, bound) and slug != bound:
            raise UsageError(
                f"this staging file is bound to tenant {bound}, not {slug}",
                hint="one staging file is one migration for one tenant: name another with --staging",
            )

    def tenant_slug(self, named: str | None) -> str | None:
        """The tenant named, else the one that the file is bound to."""
        return named or standing(self.staging, "tenant")

    def _open_migration(self, log: EventLog) -> None:
        public_key = self.signer.public_key.hex()
        self.staging.set_fact("public_key", public_key)
        detail = {"migration_id": self.staging.migration_id, "public_key": public_key, "stager": __version__}
        log.append("migration.opened", detail)

    def _keep_head(self, seal: Seal | None) -> None:
        """Keep the last seal beside the keys, before the checkpoint: a log lost after a kill is noticed."""
        if seal:
            head = heads.Head(seal.size, seal.root, seal.digest(), self.signer.public_key)
            try:
                heads.write(self.keys, self.staging.migration_id, head)
            except KeyUnavailable as error:
                raise KeyUnavailable(
                    f"the command is done, but its seal could not be kept beside the keys: {error.message}",
                    hint="see the rights and the room of that folder, and go on with the next command",
                ) from None

    def _check_head(self) -> None:
        """A file older than the seal kept beside the keys was rolled back, or lost the end of its log."""
        kept = heads.read(self.keys, self.staging.migration_id)
        if kept is None:
            return
        found = self.staging.rows("seal_of_size", size=kept.size)
        if not found or found[0][0] != kept.root:
            last = last_seal(self.staging)
            raise IntegrityFailed(
                "the staging file is older than its last seal, or was altered: "
                f"{kept.size} events were sealed, {last.size if last else 0} are here",
                hint="bring back the latest copy of the staging file; where it is lost, move "
                f"{self.keys / heads.FOLDER / self.staging.migration_id}.json aside: what was published "
                "the tenant's ledger knows, what was decided since is to be decided again",
            )
