"""Checksums that the archives give with a file, beside it: nothing else finds a changed byte in HDF4 and NetCDF-3.

Known are: ECS metadata ``FILE.xml`` (NASA: ChecksumType, Checksum), the CMR's ``FILE.cmr.xml`` (ECHO 10) and
``FILE.cmr.json`` (UMM-G), ``FILE.met`` (ODL), ``FILE.md5``, ``FILE.sha256`` and ``FILE.sha512``. FILE is the name with
or without its suffix. A kind of checksum that is not known is no checksum.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ssm_net.core.files import stamp
from ssm_net.ingest.raster import GranuleError

BESIDE = (".xml", ".cmr.xml", ".cmr.json", ".json", ".met", ".md5", ".sha256", ".sha512")
SUMS = {".md5": "MD5", ".sha256": "SHA256", ".sha512": "SHA512"}  # what a file of sums alone holds
BLOCK = 1 << 20  # bytes
MIRRORED = bytes(int(f"{n:08b}"[::-1], 2) for n in range(256))  # each byte with its bits in the other order


class Stated(NamedTuple):
    """A checksum that a file should have: its kind (MD5, CKSUM ..), the sum in lower case, and the file of it."""

    kind: str
    value: str
    source: Path


def check_sums(path: Path) -> None:
    """Raise ``GranuleError`` where a file beside ``path`` states another checksum than it has."""
    at = stamp(path)
    for beside in _beside(path):
        _check(path, at, beside, stamp(beside))


def _beside(path: Path) -> list[Path]:
    names = dict.fromkeys(f"{stem}{suffix}" for stem in (path.name, path.stem) for suffix in BESIDE)
    return [path.with_name(name) for name in names if name != path.name and path.with_name(name).is_file()]


@functools.lru_cache(4096)
def _check(path: Path, at: tuple[int, int], beside: Path, beside_at: tuple[int, int]) -> None:
    """A file serves several days and layers, and is summed once."""
    for stated in stated_in(beside, path.name):
        own = checksums(path, stated.kind)
        if own and stated.value not in own:
            raise GranuleError(path, f"its {stated.kind} is {own[0]}, but {stated.source.name} beside it states "
                                     f"{stated.value}: it was changed or cut short", remedy="download both again, or "
                                     "remove them: the day is then prepared without it")  # fmt: skip


def checksums(path: Path, kind: str) -> tuple[str, ...]:
    """The sum of a file, in each way in which archives write it; none where the kind is not known."""
    name = re.sub(r"[^a-z0-9]", "", kind.lower())
    if name == "cksum":
        return (cksum(path),)
    if name in ("crc", "crc32"):
        with open(path, "rb") as file:
            crc = functools.reduce(lambda crc, block: zlib.crc32(block, crc), iter(lambda: file.read(BLOCK), b""), 0)
        return f"{crc:08x}", str(crc), cksum(path)
    if name not in ("md5", "sha1", "sha256", "sha384", "sha512"):
        return ()
    with open(path, "rb") as file:
        return (hashlib.file_digest(file, name).hexdigest(),)


def cksum(path: Path) -> str:
    """The sum of the POSIX command ``cksum``.

    It is a CRC-32 that takes the bits of a byte from the other end than ``zlib`` does, begins with zero, and ends with
    the length of the file (IEEE Std 1003.1, cksum).
    """
    crc, length = 0xFFFFFFFF, 0
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            crc, length = zlib.crc32(block.translate(MIRRORED), crc), length + len(block)
    size = length.to_bytes((length.bit_length() + 7) // 8, "little")
    return str(int(f"{zlib.crc32(size.translate(MIRRORED), crc):032b}"[::-1], 2))


def stated_in(beside: Path, name: str) -> list[Stated]:
    """The checksums that a file states for the file ``name``; none where it is damaged or states none."""
    try:
        text = beside.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    read = {".xml": _of_xml, ".json": _of_json, ".met": _of_odl}.get(beside.suffix.lower())
    pairs = _of_sums(text, SUMS[beside.suffix.lower()], name) if read is None else read(text, name)
    return [Stated(kind.upper(), value.lower(), beside) for kind, value in pairs if kind and value]


def _of_sums(text: str, kind: str, name: str) -> Iterator[tuple[str, str]]:
    """ "SUM  NAME" or "KIND (NAME) = SUM" a line, or the sum alone."""
    for line in text.splitlines():
        if match := re.fullmatch(r"\s*([0-9a-fA-F]{32,128})(?:\s+\*?(.+?))?\s*", line):
            value, of = match[1], match[2]
        elif match := re.fullmatch(r"\s*\S+\s*\((.+)\)\s*=\s*([0-9a-fA-F]{32,128})\s*", line):
            value, of = match[2], match[1]
        else:
            continue
        if of is None or re.split(r"[/\\]", of)[-1] == name:
            yield kind, value


def _of_xml(text: str, name: str) -> Iterator[tuple[str, str]]:
    """ECS: the container of the file's name; ECHO 10: the granule's checksum."""
    for block in re.findall(r"<DataFileContainer>(.*?)</DataFileContainer>", text, re.S):
        if _tag(block, "DistributedFileName") in (None, name):
            yield _tag(block, "ChecksumType") or "", _tag(block, "Checksum") or ""
    for block in re.findall(r"<DataGranule>(.*?)</DataGranule>", text, re.S):
        own = re.sub(r"<AdditionalFile>.*?</AdditionalFile>", "", block, flags=re.S)
        yield _tag(own, "Algorithm") or "", _tag(own, "Value") or ""


def _tag(text: str, tag: str) -> str | None:
    match = re.search(rf"<{tag}>\s*([^<]*?)\s*</{tag}>", text)
    return match[1] if match else None


def _of_json(text: str, name: str) -> Iterator[tuple[str, str]]:
    """UMM-G: ``DataGranule.ArchiveAndDistributionInformation`` of the file's name, or of those it is made of."""
    try:
        granule = json.loads(text)["DataGranule"]["ArchiveAndDistributionInformation"]
        yield from _of_files(granule, name)
    except (ValueError, KeyError, TypeError, AttributeError):
        return


def _of_files(files: list[dict[str, Any]], name: str) -> Iterator[tuple[str, str]]:
    for file in files:
        if file.get("Name") == name and "Checksum" in file:
            yield str(file["Checksum"].get("Algorithm", "")), str(file["Checksum"].get("Value", ""))
        yield from _of_files(file.get("Files", []), name)


def _of_odl(text: str, name: str) -> Iterator[tuple[str, str]]:
    """ODL: the values of the objects CHECKSUMTYPE and CHECKSUM."""
    found = {key: re.search(rf"OBJECT\s*=\s*{key}\b.*?VALUE\s*=\s*\"?([^\"\n]*?)\"?\s*\n.*?END_OBJECT", text, re.S)
             for key in ("CHECKSUMTYPE", "CHECKSUM")}  # fmt: skip
    kind, value = (match[1].strip() if match else "" for match in found.values())
    yield kind, value
