"""The most memory that the processes started by this one held together."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

EVERY = 0.05  # seconds


@contextmanager
def held_by_children() -> Iterator[list[float]]:
    """The GiB that were held, look after look, of all processes below this one together."""
    held, done = [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(EVERY):
            held.append(sum(map(_resident, psutil.Process().children(recursive=True))) / 2**30)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield held
    finally:
        done.set()
        watching.join()


def _resident(process: psutil.Process) -> int:
    """Bytes; 0 of one that has ended."""
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
