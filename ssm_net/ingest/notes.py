"""Notes of the readers: what is left out of a file, or taken on trust, without the file being refused."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Note:
    """One thing about one layer of one file.

    ``what`` is the same for all files that have it, so that it is told once; ``detail`` holds this file's numbers.
    """

    path: Path
    layer: str
    what: str
    detail: str

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


def make_note(path: Path, layer: str, what: str, detail: str) -> None:
    """Hand a note to the caller who collects them, or log it as a warning where nobody does."""
    note, notes = Note(Path(path), layer, what, detail), _collected.get()
    if notes is None:
        log.warning("%s", note)
    elif note not in notes:
        notes.append(note)


def summary(notes: Mapping[str, Iterable[Note]]) -> Iterator[str]:
    """A line for each thing noted of each product: in how many files, and the first of them with its numbers.

    ``notes`` are those of a run by product.
    """
    for product, of_product in sorted(notes.items()):
        alike: dict[tuple[str, str], dict[Path, Note]] = {}
        for note in of_product:
            alike.setdefault((note.layer, note.what), {}).setdefault(note.path, note)
        for (layer, what), by_file in alike.items():
            first, more = by_file[min(by_file)], len(by_file) - 1
            others = f", and the like in {more} more {'file' if more == 1 else 'files'}" if more else ""
            yield f"{product}, layer {layer!r}: {what}; {first.detail} in {first.path.name}{others}"
