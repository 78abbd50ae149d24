"""Work ahead of its consumer, in threads: an iterator's next item, or a few jobs whose results keep their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def prefetched(items: Iterable[T]) -> Iterator[T]:
    """The same items, the next one being made in a thread while the caller works on this one; its error is raised in
    its place."""
    rest: Iterator[Any] = iter(items)
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, rest, None)
        while (item := coming.result()) is not None:
            coming = reader.submit(next, rest, None)
            yield item


def results_in_order(pool: ThreadPoolExecutor, jobs: Iterable[Callable[[], T]], most: int) -> Iterator[T]:
    """The results of ``jobs`` in their order; at most ``most`` are under way or done before theirs is taken. An error
    of a job is raised in its place."""
    waiting: deque[Future[T]] = deque()
    for job in jobs:
        waiting.append(pool.submit(job))
        if len(waiting) > most:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
