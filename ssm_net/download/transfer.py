"""One file from an archive to its place: continued where it stopped, checked, and only then given its name."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path

import requests

from ssm_net.core.files import naming_full_disk, put_in_place
from ssm_net.download.archive_session import ArchiveSession, Patience
from ssm_net.download.checks import PIECE, require_checksum, require_kind, require_size
from ssm_net.download.errors import FileError
from ssm_net.download.search import RemoteFile


def fetch_file(
    file: RemoteFile, path: Path, session: ArchiveSession, patience: Patience, advance: Callable[[int], object]
) -> None:
    """Fetch ``file`` to ``path``, which appears only when it is whole and checked; ``advance`` is called with each
    number of bytes that came.

    What an earlier run has left in the unfinished file is kept where the server can go on from there (``Range``).
    Raises ``FileError`` where the file did not come, ``OSError`` where it cannot be written; the unfinished file stays
    for the next run unless it is wrong or the disk is full.
    """
    part = path.with_name(path.name + ".part")
    with naming_full_disk(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            patience.over(lambda: _one_try(file, part, session, patience, advance))
            put_in_place(part, path)
        except OSError as err:
            if err.errno in (errno.ENOSPC, errno.EDQUOT):
                part.unlink(missing_ok=True)
            raise


def _one_try(
    file: RemoteFile, part: Path, session: ArchiveSession, patience: Patience, advance: Callable[[int], object]
) -> None:
    have = part.stat().st_size if part.exists() else 0
    if file.size is not None and have > file.size:
        part.unlink()
        have = 0
    if file.size is None or have < file.size:
        with session.open(file.url, have) as answer:
            stated = _write(file, part, answer, have, patience, advance)
    else:
        stated = file.size
    try:
        if stated is not None:
            require_size(file.name, part.stat().st_size, stated)
        require_kind(part, file.name)
        if file.checksum is not None:
            require_checksum(part, file.name, file.checksum)
    except FileError as err:
        part.unlink()  # going on from it would not mend it
        err.again = err.again or have > 0  # its beginning was of an earlier run
        raise


def _write(
    file: RemoteFile, part: Path, answer: requests.Response, have: int, patience: Patience,
    advance: Callable[[int], object],
) -> int | None:  # fmt: skip
    """Write the body of ``answer``, behind the ``have`` bytes that are there if it continues them; returns the size
    that the whole file is stated to have, None where nobody states one. Raises ``FileError``."""
    if answer.status_code == 416:  # there is nothing from there on: what is there is of another file
        part.unlink()
        raise FileError(f"{file.name} is shorter in the archive than what is here of it; it will be fetched anew",
                        again=True)  # fmt: skip
    continued = have > 0 and answer.status_code == 206
    stated = _whole_size(answer, have if continued else 0)
    if continued and _begin(answer) != have:
        part.unlink()
        raise FileError(f"{file.name}: the archive went on at another place than asked; it will be fetched anew",
                        again=True)  # fmt: skip
    if file.size is not None and stated is not None and stated != file.size:
        raise FileError(f"{file.name}: the archive sends {stated} bytes, where its catalog states {file.size}; if it "
                        "does so again tomorrow, tell the archive", again=True)  # fmt: skip
    stated = file.size if file.size is not None else stated
    size = have if continued else 0
    with open(part, "ab" if continued else "wb") as out:
        try:
            for piece in answer.iter_content(PIECE):
                if patience.stopped.is_set():
                    raise FileError(f"{file.name}: not finished, since the run was ended")
                size += len(piece)
                if stated is not None and size > stated:
                    raise FileError(
                        f"{file.name}: the archive sends more than the {stated} bytes it states", again=True
                    )
                out.write(piece)
                advance(len(piece))
        except requests.RequestException as err:
            raise FileError(f"{file.name}: the connection was cut after {size} bytes ({type(err).__name__}); the next "
                            "try goes on from there", again=True) from err  # fmt: skip
        out.flush()
        os.fsync(out.fileno())
    return stated


def _whole_size(answer: requests.Response, have: int) -> int | None:
    """The size of the whole file as the answer states it; None where it does not, or packs what it sends."""
    if answer.headers.get("content-encoding", "identity") != "identity":
        return None
    total = re.fullmatch(r"bytes \d+-\d+/(\d+)", answer.headers.get("content-range", "").strip())
    if answer.status_code == 206 and total:
        return int(total[1])
    length = answer.headers.get("content-length", "")
    return have + int(length) if length.isdigit() else None


def _begin(answer: requests.Response) -> int | None:
    begin = re.match(r"bytes (\d+)-", answer.headers.get("content-range", ""))
    return int(begin[1]) if begin else None
