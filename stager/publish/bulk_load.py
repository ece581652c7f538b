"""A first bulk load: foreign keys and indexes put off while many rows go into empty tables, and put back.

Only where the profile allows it, and only where it can be shown that no row will break a key meanwhile: the
persons that rows refer to are among the rows that go, or in the database as the keys are taken away. Where
anything stands against it, publishing just goes on with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from uuid import UUID

from stager.errors import IntegrityFailed, StagerError, TenantUnavailable
from stager.publish.people_ids import PeopleIds
from stager.publish.sending import take_slot
from stager.staging import Staging
from stager.tenant import putting_off
from stager.tenant.copying import existing_ids
from stager.tenant.postgres import Connection, transaction
from stager.tenant.profile import Profile

_SLOT = 0
"""The sender's lock that is held: whoever publishes next begins only after such a transaction has ended."""


def put_off(
    staging: Staging, people: PeopleIds, connect: Callable[[], Connection], tenant: str, profile: Profile
) -> bool:
    """Put off what may be for the plan in its temporary table; whether anything was."""
    with closing(connect()) as connection:
        tables = putting_off.may_put_off(connection, profile)
        if not tables:
            return False
        named = _persons_before(staging, people)
        try:
            with transaction(connection):
                take_slot(connection, tenant, _SLOT)
                found = putting_off.put_off(connection, profile, tables)
                _require_there(connection, profile, named)
        except StagerError:  # whatever it is, the rows can go in with everything in place
            return False
        return bool(found)


def put_back(connection: Connection, tenant: str) -> None:
    """Put back whatever is put off. Where one thing cannot be, all else is, and the first error is raised."""
    failed: list[IntegrityFailed] = []
    waiting = putting_off.standing(connection)
    for each in waiting:
        try:
            with transaction(connection):
                take_slot(connection, tenant, _SLOT)
                putting_off.put_back(connection, each)
        except IntegrityFailed as error:
            failed.append(error)
    if failed:
        raise failed[0]
    if waiting:
        # Whoever looks at it just now leaves an empty table behind, which says as much.
        with suppress(TenantUnavailable), transaction(connection):
            putting_off.end(connection)


@contextmanager
def put_back_meanwhile(connect: Callable[[], Connection], tenant: str) -> Iterator[None]:
    """What is put off is put back by a thread of its own, while the inside is done; both have ended then."""
    with closing(connect()) as connection, ThreadPoolExecutor(1, "stager-put-back") as pool:
        done = pool.submit(put_back, connection, tenant)
        yield
        done.result()


@contextmanager
def put_back_if_stopped(connect: Callable[[], Connection], tenant: str) -> Iterator[None]:
    """Where the inside ends in an error what is put off is put back, if the database can be reached."""
    try:
        yield
    except BaseException:
        with suppress(StagerError), closing(connect()) as connection:
            put_back(connection, tenant)
        raise


def _require_there(connection: Connection, profile: Profile, persons: list[str]) -> None:
    """No row goes in without its person unnoticed: with the keys in place that is a finding of the row."""
    if len(existing_ids(connection, profile.people, persons)) != len(persons):
        raise TenantUnavailable("a person that rows refer to is not in the database")


def _persons_before(staging: Staging, people: PeopleIds) -> list[str]:
    """The ids of the persons that planned rows refer to and that do not go with them."""
    rows = staging.frame("persons_before_plan")
    ids = people.column(rows["source_id"], rows["row_no"], rows["person"])
    return sorted({str(UUID(bytes=id_)) if isinstance(id_, bytes) else str(id_) for id_ in ids})
