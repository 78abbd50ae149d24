"""What a file is, by its first bytes: names a file that is not what its ending says, and the remedy."""

from __future__ import annotations

from pathlib import Path

from ssm_net.ingest.raster import REMEDY, GranuleError

HDF4, HDF5, CLASSIC, CDF5, OTHER = "HDF4", "HDF5", "NetCDF-3", "CDF-5", "other"

_OURS = ((b"\x0e\x03\x13\x01", HDF4), (b"\x89HDF\r\n\x1a\n", HDF5), (b"CDF\x01", CLASSIC), (b"CDF\x02", CLASSIC),
         (b"CDF\x05", CDF5))  # fmt: skip
_OTHERS = (
    (b"PK\x03\x04", "a zip archive", "unzip it, and put the files that are in it in its place"),
    (b"PK\x05\x06", "an empty zip archive", REMEDY),
    (b"\x1f\x8b", "a gzip file", "unpack it with gunzip"),
    (b"BZh", "a bzip2 file", "unpack it with bunzip2"),
    (b"\xfd7zXZ", "an xz file", "unpack it with unxz"),
    (b"\x28\xb5\x2f\xfd", "a zstd file", "unpack it with unzstd"),
    (b"7z\xbc\xaf", "a 7-Zip archive", "unpack it"),
    (b"Rar!", "a RAR archive", "unpack it"),
    (b"GRIB", "a GRIB file", "download it as NetCDF, or convert it: cdo -f nc4 copy IN.grib OUT.nc"),
    (b"%PDF", "a PDF", "remove it"),
)
_TEXT = (
    (b"<", "a web page or an error message of the archive",
     "log in to the archive and download it again, or remove it"),
    (b"version https://git-lfs", "a pointer of Git LFS, not the file itself", "get the file with git lfs pull"),
    (b"{", "a message in JSON", "log in to the archive and download it again, or remove it"),
)  # fmt: skip


def kind_of(path: Path) -> str:
    """The family of a file: ``HDF4``, ``HDF5`` (NetCDF-4 among it), ``NetCDF-3``, ``CDF-5`` or ``other``.

    Raises ``GranuleError`` where there is no file.
    """
    head = _head(path)
    kind = next((kind for start, kind in _OURS if head.startswith(start)), OTHER)
    if kind == OTHER and any(head[at:].startswith(_OURS[1][0]) for at in (512, 1024, 2048)):
        return HDF5  # a user block stands before it
    return kind


def require(path: Path, wanted: str, *kinds: str) -> str:
    """The family of a file that has to be one of ``kinds``; ``wanted`` names them in words.

    Raises ``GranuleError``, which says what the file is, where it is of none of them, empty, or not there.
    """
    kind = kind_of(path)
    if kind in kinds:
        return kind
    if kind == CDF5:
        raise GranuleError(path, f"a CDF-5 file (64-bit data), not {wanted}", remedy=to_netcdf4(path))
    if kind != OTHER:
        raise GranuleError(path, f"a file of the format {kind}, not {wanted}",
                           remedy="put it into the folder of its product, or remove it")  # fmt: skip
    what, remedy = other_kind(path) or ("", REMEDY)
    raise GranuleError(path, f"{what}, not {wanted}" if what else f"not {wanted}", remedy=remedy)


def other_kind(path: Path) -> tuple[str, str] | None:
    """What a file is that is no file of data (an archive, a web page, a GRIB file), in words, and the remedy; None
    where its first bytes do not tell. Raises ``GranuleError`` where there is no file."""
    head = _head(path)
    if not head:
        return "an empty file (0 bytes)", REMEDY
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    found = [(what, remedy) for start, what, remedy in _OTHERS if head.startswith(start)]
    found += [(what, remedy) for start, what, remedy in _TEXT if text.startswith(start)]
    if head[257:262] == b"ustar":
        found.append(("a tar archive", "unpack it, and put the files that are in it in its place"))
    if not head.strip(b"\0"):
        found.append(("zeros from its beginning on: a download that stopped", REMEDY))
    return found[0] if found else None


def to_netcdf4(path: Path) -> str:
    """The command that makes a NetCDF-4 file of another NetCDF file."""
    return f"convert it: nccopy -k nc4 {path.name} {path.stem}_nc4.nc, and remove the first"


def _head(path: Path) -> bytes:
    if not path.is_file():
        raise GranuleError(path, "no such file")
    try:
        with open(path, "rb") as file:
            return file.read(2056)
    except OSError as err:
        raise GranuleError(path, f"cannot be opened ({err})") from err
