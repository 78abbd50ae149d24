"""A collector: what is found on the way, deep in a call, is handed to the caller that asks for it, past all between."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Generic, TypeVar

T = TypeVar("T")


class Collector(Generic[T]):
    """Things of one kind; of callers within each other the innermost gets them, and each thread has its own."""

    def __init__(self, name: str) -> None:
        self._into: ContextVar[list[T] | None] = ContextVar(name, default=None)

    @contextmanager
    def collecting(self) -> Iterator[list[T]]:
        """The things that are added within."""
        into: list[T] = []
        token = self._into.set(into)
        try:
            yield into
        finally:
            self._into.reset(token)

    def add(self, thing: T) -> bool:
        """Hand it to the caller who collects, once if it is the same; returns whether there is one."""
        into = self._into.get()
        if into is None:
            return False
        if thing not in into:
            into.append(thing)
        return True
