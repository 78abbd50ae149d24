"""Notes of the readers: what is left out of a file, or taken on trust, without the file being refused.

A reader knows the file and not its product; who collects the notes makes remarks of them for the account.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Note:
    """One thing about one layer of one file.

    ``what`` is the same for all files that have it, so that it is told once; ``detail`` holds this file's numbers. One
    that is ``expected`` in sound files, too, is no warning.
    """

    path: Path
    layer: str
    what: str
    detail: str
    expected: bool = False

    def __str__(self) -> str:
        return f"{self.path}, layer {self.layer!r}: {self.what}; {self.detail}"


_collected: ContextVar[list[Note] | None] = ContextVar("notes of the files being read", default=None)


@contextmanager
def collected() -> Iterator[list[Note]]:
    """The notes that are made inside it, for the caller to report."""
    notes: list[Note] = []
    token = _collected.set(notes)
    try:
        yield notes
    finally:
        _collected.reset(token)


def make_note(path: Path, layer: str, what: str, detail: str, expected: bool = False) -> None:
    """Hand a note to the caller who collects them, or log it as a warning where nobody does."""
    note, notes = Note(Path(path), layer, what, detail, expected), _collected.get()
    if notes is None:
        log.warning("%s", note)
    elif note not in notes:
        notes.append(note)
