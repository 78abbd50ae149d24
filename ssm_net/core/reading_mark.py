"""The mark of a reader: a file of ours that names the files which this process is reading.

A damaged file can end the process that reads it, in the libraries of HDF5 or GDAL. The mark stays then, and the next
run tries the files that it names in a process of their own: those that end it, too, are left out and named, and nobody
has to find out which of ten thousand files it was.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ssm_net.core.workers import those_that_kill

log = logging.getLogger(__name__)

MARKS = ".reading"  # how the names of marks begin
OF_LISTING, OF_STATIC, OF_SENSORS, OF_DAY = (f"{MARKS}-{what}" for what in ("raw", "static", "sensors", "day"))
ENDS = "the process that reads it ends"
REMEDY = "download it again, or remove it"


@dataclass(frozen=True)
class ReadingMark:
    """``file`` is the mark, None where nothing is to be written; ``fatal`` are the files that end who reads them."""

    file: Path | None = None
    fatal: frozenset[Path] = frozenset()

    @classmethod
    def at(cls, file: Path | None, read: Callable[[Path], object]) -> ReadingMark:
        """The mark at ``file``. What an earlier run left there is tried: ``read`` of each file, in a process of its
        own."""
        if file is None or not file.exists():
            return cls(file)
        left = [path for name in file.read_bytes().split(b"\0") if (path := Path(os.fsdecode(name))).is_file()]
        log.warning("an earlier run ended while it read %s: tried again in a process of its own",
                    " or ".join(str(path) for path in left) or "a file that is gone")  # fmt: skip
        fatal = frozenset(those_that_kill(read, left))
        for path in sorted(fatal):
            log.warning("%s: %s; %s", path, ENDS, REMEDY)
        mark = cls(file, fatal)
        mark._write(fatal)
        return mark

    @contextmanager
    def over(self, paths: Iterable[Path]) -> Iterator[None]:
        """While these files are being read in this process."""
        self._write({*self.fatal, *paths})
        try:
            yield
        finally:
            self._write(self.fatal)

    def clear(self) -> None:
        """Forget what ends a process: none of these files is read any more."""
        self._write(())

    def _write(self, paths: Iterable[Path]) -> None:
        if self.file is None:
            return
        names = sorted(os.fsencode(path) for path in paths)
        if names:
            self.file.write_bytes(b"\0".join(names))
        else:
            self.file.unlink(missing_ok=True)
