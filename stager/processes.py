"""Work in processes of its own: Python's threads share one processor, and keep DuckDB waiting for it."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from typing import Any


@contextmanager
def processes(count: int, begin: Callable[..., object], *given: Any) -> Iterator[ProcessPoolExecutor]:
    """A pool of so many processes, each of which first calls `begin` with what is given.

    They are on their way when this returns, so that starting them costs no wait; at the end what has not
    begun is dropped. They are never interrupted, and end with this process, however it ends.
    """
    # Begun afresh, not forked: a copy of this process would hold its connections and its locks.
    pool = ProcessPoolExecutor(count, get_context("spawn"), _begin, (begin, given))
    try:
        with _interrupts_held():
            for _ in range(count):
                pool.submit(os.getpid)
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Processes begun inside are never interrupted, not even at their first line: Ctrl-C is answered here.

    It reaches every process of the terminal, and one that is about to start would end in a traceback.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(begin: Callable[..., object], given: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    atexit.register(os._exit, 0)  # at once: who began it waits for its end
    begin(*given)
    gc.freeze()  # what was imported is never garbage: looking through it again and again takes time


def _end_with_parent() -> None:
    # A parent that was killed closes nothing that a pool's worker waits on; it would hold the keys for ever.
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
