"""Atomic files: each is complete or absent, also after a crash or with several writers."""

from __future__ import annotations

import errno
import fcntl
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ssm_net.core.faults import FaultPoint, reached


def write_whole(path: Path, data: bytes | memoryview) -> Path:
    """Put ``data`` at ``path`` in one step: written to a file next to it, flushed to the disk, renamed into place.

    A reader sees the old file or the new one, never a mixture; of two writers, on one machine or two, the later one
    wins. Unfinished files of killed runs are removed first. Raises ``OSError`` with the file and the remedy where the
    disk is full; the unfinished file is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for leftover in path.parent.glob(f"{path.name}.*.part"):
        _remove_unless_locked(leftover)
    with naming_full_disk(path), _unfinished(path) as (file, part):
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            reached(FaultPoint.FILE_WRITTEN_NOT_RENAMED, path)
            os.replace(part, path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        reached(FaultPoint.FILE_RENAMED_NOT_SYNCED, path)
        _sync_folder(path.parent)
    return path


def write_if_changed(path: Path, data: bytes) -> Path:
    """``write_whole`` where ``path`` holds something else, or nothing: a file that stays the same keeps its time."""
    return path if path.is_file() and path.read_bytes() == data else write_whole(path, data)


def put_in_place(part: Path, path: Path) -> Path:
    """Give a file that is complete, and flushed to the disk, its name ``path`` in the same folder, in one step."""
    reached(FaultPoint.FILE_WRITTEN_NOT_RENAMED, path)
    os.replace(part, path)
    reached(FaultPoint.FILE_RENAMED_NOT_SYNCED, path)
    _sync_folder(path.parent)
    return path


def stamp(path: Path) -> tuple[int, int]:
    """The time of writing (ns) and the size (bytes) of a file: they change when another takes its place.

    Zeros where there is none, or it goes away.
    """
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size


@contextmanager
def _unfinished(path: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """A new file next to ``path``, locked while it is written; the system frees the lock of a process that dies."""
    while True:
        part = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
        with open(part, "xb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file.fileno()).st_nlink:  # else another writer took it for a leftover before it was locked
                yield file, part
                return


def _remove_unless_locked(part: Path) -> None:
    with suppress(FileNotFoundError), open(part, "rb") as file, suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        part.unlink()


@contextmanager
def naming_full_disk(path: Path) -> Iterator[None]:
    """Adds the file that was being written, and the remedy, to an ``OSError`` of a full disk."""
    try:
        yield
    except OSError as err:
        if err.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        remedy = "no room left on the disk: make room and run the same command again; it resumes where it stopped"
        raise OSError(err.errno, remedy, str(path)) from err


def _sync_folder(folder: Path) -> None:
    """A rename lasts through a power cut only once the folder itself is on the disk."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
