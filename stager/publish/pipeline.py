"""Chunks on their way: read here, made ready in processes, sent by two threads; a few in flight at a time."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from queue import SimpleQueue
from typing import Any

from stager import slots
from stager.crypto.keyset import Keyset
from stager.errors import StagerError
from stager.publish.encoding import Encoded, Encoder, RowsToSend
from stager.publish.reading import ReadChunk
from stager.publish.sending import SENDERS, Destination, Sent, send
from stager.tenant.postgres import Connection
from stager.tenant.profile import Profile
from stager.tenant.schema import prove_tenant

FEW_ROWS = 5_000
"""Up to so many rows are sealed sooner in this process than another one starts."""

IN_FLIGHT = 2 * SENDERS
"""Chunks that are under way at once: each sender has one, and one that is made ready meanwhile."""

Encode = Callable[[RowsToSend], Future[Encoded]]
Deliver = Callable[[ReadChunk, "Future[Encoded]"], Future[Sent]]


class Pipeline:
    """Encodes and sends chunks. `sent` holds, by number, every chunk known to be in."""

    def __init__(self, encode: Encode, deliver: Deliver, in_flight: int) -> None:
        self._encode, self._deliver, self._most = encode, deliver, in_flight
        self.sent: dict[int, Sent] = {}

    def run(self, chunks: Iterable[ReadChunk], done: Callable[[Sent], None]) -> None:
        """Send all of the chunks; returns when each is in.

        On an error, or Ctrl-C, nothing further is begun, what is on its way is waited for, and the first
        error is raised.
        """
        under_way: deque[Future[Sent]] = deque()
        try:
            for read in chunks:
                under_way.append(self._deliver(read, self._encode(read.part)))
                while len(under_way) >= self._most:
                    self._take(under_way, done)
            while under_way:
                self._take(under_way, done)
        except BaseException:
            for each in under_way:
                each.cancel()
            for each in under_way:
                if not each.cancelled() and each.exception() is None:
                    self._keep(each.result())
            raise

    def _take(self, under_way: deque[Future[Sent]], done: Callable[[Sent], None]) -> None:
        # Left in the line until it has answered: a Ctrl-C while waiting must not lose it.
        sent = under_way[0].result()
        self._keep(sent)
        under_way.popleft()
        done(sent)

    def _keep(self, sent: Sent) -> None:
        self.sent[sent.chunk.chunk] = sent


@contextmanager
def encoding(
    keyset: Keyset, tenant: str, profile: Profile, *, rows: int, workers: int | None
) -> Iterator[Encode]:
    """What makes rows ready: processes for many rows, this one for few.

    rows: how many are to go, at most. workers: how many processes; None is one for each processor, and 1
    is this one.
    """
    count = workers if workers is not None else (os.cpu_count() or 1)
    if count <= 1 or rows <= FEW_ROWS or not slots.available():
        yield _inline(Encoder(keyset, tenant, profile).encode)
        return
    from stager.processes import processes  # and what begins them: a few rows need none of it
    from stager.publish.handing import Handing, start_worker

    with (
        slots.Slots(IN_FLIGHT) as places,
        processes(count, start_worker, places, keyset, tenant, profile) as pool,
    ):
        yield Handing(pool, places).encode


@contextmanager
def pipeline(
    encode: Encode, to: Destination, connect: Callable[[], Connection], *, chunks: int
) -> Iterator[Pipeline]:
    """A pipeline for so many chunks with its senders' threads and connections, all ended with it."""
    with ExitStack() as stack:
        yield Pipeline(encode, _sending(stack, to, connect, min(SENDERS, max(1, chunks))), IN_FLIGHT)


def rehearsal(encode: Encode, to: Destination, connection: Connection) -> Pipeline:
    """A pipeline that sends in turn on the one connection, whose transaction is rolled back."""

    def deliver(read: ReadChunk, ready: Future[Encoded]) -> Future[Sent]:
        return _done(lambda: send(connection, to, read, _result(ready), None))

    return Pipeline(encode, deliver, 1)


def _inline(encode: Callable[[RowsToSend], Encoded]) -> Encode:
    return lambda part: _done(lambda: encode(part))


def _sending(stack: ExitStack, to: Destination, connect: Callable[[], Connection], senders: int) -> Deliver:
    free: SimpleQueue[tuple[int, Connection]] = SimpleQueue()
    for slot in range(senders):
        connection = stack.enter_context(_closed(connect()))
        prove_tenant(connection, to.tenant)
        free.put((slot, connection))
    pool = ThreadPoolExecutor(senders, "stager-sender")
    stack.callback(pool.shutdown, wait=True, cancel_futures=True)

    def one(read: ReadChunk, ready: Future[Encoded]) -> Sent:
        encoded = _result(ready)
        slot, connection = free.get()
        try:
            return send(connection, to, read, encoded, slot)
        finally:
            free.put((slot, connection))

    return lambda read, ready: pool.submit(one, read, ready)


@contextmanager
def _closed(connection: Connection) -> Iterator[Connection]:
    """The connection, closed at the end without a word: what is not committed by then is not to be."""
    try:
        yield connection
    finally:
        connection.close()


def _result(ready: Future[Encoded]) -> Encoded:
    try:
        return ready.result()
    except BrokenExecutor:
        raise StagerError(
            "a process that makes rows ready ended before its time", hint="run the same command again"
        ) from None


def _done(make: Callable[[], Any]) -> Future[Any]:
    future: Future[Any] = Future()
    try:
        future.set_result(make())
    except Exception as error:
        future.set_exception(error)
    return future
