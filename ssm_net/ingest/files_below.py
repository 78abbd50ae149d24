"""The files below a folder of raw/, with links followed, and what is no file there."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ssm_net.ingest.account import Remark

NO_FILE_THERE = "a link to a file or folder that is not there"
IN_A_CIRCLE = "a link that leads back to itself or to a folder around it"


@dataclass(frozen=True)
class FoundFile:
    """A file, with its size (bytes) and the time of its last change (ns): another one in its place differs in them."""

    path: Path
    size: int
    changed: int


def files_below(folder: Path, product: str, suffixes: Sequence[str] = ()) -> tuple[list[FoundFile], list[Remark]]:
    """All files below ``folder``, ordered by name, and remarks on what is left out: dangling links, links in circles,
    pipes, folders that are named like a file (with one of ``suffixes``) and hold none, folders that may not be read.

    Links to folders and files are followed; a file that is reached twice by one name counts once. Hidden files are
    left out.
    """
    walk = _Walk(product, tuple(suffixes), {_identity(os.stat(folder))}, set(), [])
    return list(walk.below(folder, folder)), walk.remarks


@dataclass
class _Walk:
    product: str
    suffixes: tuple[str, ...]
    folders: set[tuple[int, int]]  # those that were entered
    files: set[tuple[int, int, str]]
    remarks: list[Remark]

    def below(self, folder: Path, top: Path) -> Iterator[FoundFile]:
        try:
            names = sorted(os.listdir(folder))
        except OSError as err:
            self._leave(folder, top, f"a folder that cannot be read ({err.strerror})", "check its permissions")
            return
        for name in names:
            path = folder / name
            if name.startswith("."):
                self._leave(path, top, "hidden", expected=True)
                continue
            try:
                status = os.stat(path)
            except OSError as err:
                self._explain(path, top, err)
                continue
            if stat.S_ISDIR(status.st_mode):
                yield from self._folder(path, top, status)
            elif not stat.S_ISREG(status.st_mode):
                self._leave(path, top, "a pipe, socket or device, not a file", "remove it")
            elif (*_identity(status), name) not in self.files:
                self.files.add((*_identity(status), name))
                yield FoundFile(path, status.st_size, status.st_mtime_ns)

    def _folder(self, path: Path, top: Path, status: os.stat_result) -> Iterator[FoundFile]:
        if _identity(status) in self.folders:
            around = path.resolve() == path.parent.resolve() or path.resolve() in path.parent.resolve().parents
            if around:
                self._leave(path, top, IN_A_CIRCLE, "remove the link")
            return
        self.folders.add(_identity(status))
        inside = list(self.below(path, top))
        if not inside and path.suffix.lower() in self.suffixes:
            self._leave(path, top, "a folder in the place of a file", "put the file itself there")
        yield from inside

    def _explain(self, path: Path, top: Path, err: OSError) -> None:
        if err.errno == errno.ELOOP:
            self._leave(path, top, IN_A_CIRCLE, "remove the link")
        elif err.errno == errno.ENOENT and path.is_symlink():
            self._leave(path, top, NO_FILE_THERE, "mount the disk or archive that it leads to, or remove it")
        elif err.errno != errno.ENOENT:  # else it went away since the folder was listed
            self._leave(path, top, f"cannot be read ({err.strerror})", "check its permissions")

    def _leave(self, path: Path, top: Path, what: str, remedy: str = "", expected: bool = False) -> None:
        name = str(path.relative_to(top)) if path != top else path.name
        self.remarks.append(Remark(self.product, what, name, remedy=remedy, expected=expected))


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
