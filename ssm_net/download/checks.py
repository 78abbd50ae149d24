"""Checks of a file that has come: its size, its checksum, and that it is what its ending says."""

from __future__ import annotations

import hashlib
import re
import zlib
from pathlib import Path

from ssm_net.download.errors import FileError
from ssm_net.ingest import signature

KINDS = {".hdf": signature.HDF4, ".h5": signature.HDF5, ".nc4": signature.HDF5}  # of .nc any
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
PIECE = 1 << 20
# As UMM-G spells them; SHA-2 does not say which of them it is.
HASHES = {"md5": "md5", "sha1": "sha1", "sha256": "sha256", "sha384": "sha384", "sha512": "sha512"}


def can_check(checksum: tuple[str, str] | None) -> bool:
    """Whether the algorithm of a checksum (its name and the value) is one that can be computed."""
    return checksum is not None and (_name(checksum[0]) in HASHES or _name(checksum[0]) in ("crc32", "adler32"))


def require_size(name: str, size: int, stated: int) -> None:
    """Raises ``FileError`` where a file has not the size that the archive states."""
    if size != stated:
        raise FileError(f"{name} has {size} bytes where the archive states {stated}: it will be fetched again",
                        again=True)  # fmt: skip


def require_checksum(path: Path, name: str, checksum: tuple[str, str]) -> None:
    """Raises ``FileError`` where the file at ``path`` has another checksum; one of an unknown algorithm passes."""
    algorithm, stated = checksum
    if can_check(checksum) and _digest(path, _name(algorithm)) != _plain(stated):
        raise FileError(f"{name} came damaged: its {algorithm} is not that of the archive; it will be fetched again",
                        again=True)  # fmt: skip


def require_kind(path: Path, name: str) -> None:
    """Raises ``FileError`` where a file is not what its ending says, and names what it is."""
    suffix = Path(name).suffix.lower()
    with open(path, "rb") as file:
        head = file.read(8)
    if suffix in (".tif", ".tiff"):
        right = head.startswith(TIFF)
    elif suffix in KINDS:
        right = signature.kind_of(path) == KINDS[suffix]
    else:
        right = signature.kind_of(path) != signature.OTHER
    if not right:
        what, _ = signature.other_kind(path) or ("of another kind than its name says", "")
        raise FileError(
            f"{name} came as {what}: log in to the archive with a browser, see what it says, and run the same command "
            "again", ends="product" if "web page" in what or "JSON" in what else "file",
        )  # fmt: skip


def _digest(path: Path, algorithm: str) -> str:
    total = {"crc32": 0, "adler32": 1}.get(algorithm)
    digest = None if total is not None else hashlib.new(HASHES[algorithm], usedforsecurity=False)
    with open(path, "rb") as file:
        while piece := file.read(PIECE):
            if digest is not None:
                digest.update(piece)
            elif total is not None:
                total = zlib.crc32(piece, total) if algorithm == "crc32" else zlib.adler32(piece, total)
    return digest.hexdigest() if digest is not None else f"{total:08x}"


def _name(algorithm: str) -> str:
    return re.sub(r"[^a-z0-9]", "", algorithm.lower())


def _plain(value: str) -> str:
    return value.strip().lower().removeprefix("0x")
