"""Working ahead: the next item is made in a thread while the caller is busy with this one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Given = TypeVar("Given")


def ahead(items: Iterator[Item], most: int = 1) -> Iterator[Item]:
    """The items in their order, so many of them made ahead. An error comes out where its item would have."""
    with _worker() as worker:
        coming = deque(worker.submit(next, items, None) for _ in range(most))
        while (item := coming.popleft().result()) is not None:
            coming.append(worker.submit(next, items, None))
            yield item


def made_ahead(make: Callable[[Given], Item], given: Iterable[Given]) -> Iterator[Item]:
    """What is made of each, in order, one ahead. Only `make` runs in the thread, not what is given."""
    with _worker() as worker:
        coming: Future[Item] | None = None
        for each in given:
            before, coming = coming, worker.submit(make, each)
            if before is not None:
                yield before.result()
        if coming is not None:
            yield coming.result()


def _worker() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="stager-ahead")
