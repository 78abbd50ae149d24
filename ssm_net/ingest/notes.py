"""Notes of the readers: what is left out of a file, or taken on trust, without the file being refused.

A reader knows the file and not its product; who collects the notes makes remarks of them for the account.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from ssm_net.core.collector import Collector

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


_NOTES = Collector[Note]("notes of the files being read")
collected = _NOTES.collecting


def make_note(path: Path, layer: str, what: str, detail: str, expected: bool = False) -> None:
    """Hand a note to the caller who collects them, or log it as a warning where nobody does."""
    note = Note(Path(path), layer, what, detail, expected)
    if not _NOTES.add(note):
        log.warning("%s", note)
