"""Reader and writer of the cube's Zarr shards: a seventh of zarr-python's time a chunk, in any thread.

Only one layout is known: a field (y, x) or a day of one is either a Zarr v3 shard of little-endian chunks compressed by
Blosc, the index at the end with its CRC-32C, or such a chunk by itself. Each chunk ends with its own CRC-32C: Blosc
itself misses most changes of a single byte. Source: Zarr v3 core specification, "sharding_indexed"
(ZEP 2): 16 bytes a chunk, offset and length, all ones where the chunk is all fill.
"""

from __future__ import annotations

import errno
import json
import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
from numcodecs.blosc import Blosc

from ssm_net.core.faults import FaultPoint, reached
from ssm_net.errors import SsmNetError
from ssm_net.grid import Window

ABSENT = np.uint64(2**64 - 1)
ENTRY = 16  # bytes of the index a chunk
CHECKSUM = 4  # bytes after it, and after a chunk
CODECS = ["bytes", "blosc"], ["bytes", "blosc", "crc32c"]  # of a chunk, without and with its checksum
# Of os.link, where a file cannot have another name: its disk knows none, or it has as many as it may have.
ONE_NAME_ONLY = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
BLOSC_HEADER = 16  # bytes before a chunk's data
SHUFFLES = {"noshuffle": Blosc.NOSHUFFLE, "shuffle": Blosc.SHUFFLE, "bitshuffle": Blosc.BITSHUFFLE}


class ShardError(SsmNetError):
    """The content of a shard, or of the description of its array, is not what was written; the message names the
    file."""


@dataclass(frozen=True)
class Shards:
    """An array whose shards hold a field of ``shape`` (y, x) each, in chunks of ``chunk`` pixels."""

    path: Path
    shape: tuple[int, int]
    chunk: tuple[int, int]
    dtype: np.dtype
    fill: float
    indexed: bool  # a shard of chunks, not a chunk by itself
    compressor: Blosc
    checked: bool = True  # a chunk ends with its checksum

    @classmethod
    def open(cls, path: Path) -> Shards:
        """Raises ``ShardError`` where the array is laid out otherwise or its description is damaged, ``OSError`` where
        there is none."""
        description = (path / "zarr.json").read_bytes()
        try:
            return cls._from_metadata(path, json.loads(description))
        except (ValueError, KeyError, IndexError, TypeError) as err:
            raise ShardError(f"{path / 'zarr.json'} does not describe an array of this cube: {err}") from err

    @classmethod
    def _from_metadata(cls, path: Path, meta: dict[str, Any]) -> Shards:
        shape = meta["shape"][-2:]
        dtype, fill = np.dtype(meta["data_type"]).newbyteorder("<"), float(meta["fill_value"])
        one_shard = meta["chunk_grid"]["configuration"]["chunk_shape"][-2:] == shape
        names = [c["name"] for c in meta["codecs"]]
        if names in CODECS and one_shard:
            whole = (shape[0], shape[1])
            return cls(path, whole, whole, dtype, fill, False, _blosc(meta["codecs"][1]), names == CODECS[1])
        (sharding,) = meta["codecs"]
        inner = sharding["configuration"]
        names, index_names = ([c["name"] for c in inner.get(key, ())] for key in ("codecs", "index_codecs"))
        chunk = inner["chunk_shape"][-2:]
        endian = inner["codecs"][0].get("configuration", {}).get("endian", "little")
        known = names in CODECS and index_names == ["bytes", "crc32c"]
        if not known or inner["index_location"] != "end" or endian != "little":
            raise ValueError(f"its codecs are {names} and {index_names}, not those that prepare.py writes")
        if not one_shard or shape[0] % chunk[0] or shape[1] % chunk[1]:
            raise ValueError(f"a shard is not a field of whole chunks: {shape} in {chunk}")
        compressor = _blosc(inner["codecs"][1])
        sizes = (shape[0], shape[1]), (chunk[0], chunk[1])
        return cls(path, *sizes, dtype, fill, True, compressor, names == CODECS[1])

    def read(self, window: Window, *day: int, all_fill: Callable[[], bool] = lambda: True) -> np.ndarray:
        """``window`` = (y0, y1, x0, x1) of the field with index ``day``, (y, x) as stored; a shard that is not there is
        all fill, if ``all_fill`` says so. Raises ``ShardError`` where it is damaged or gone, ``OSError`` where it
        cannot be opened."""
        y0, y1, x0, x1 = window
        height, width = self.chunk
        file = self.file(*day)
        out = np.empty((y1 - y0, x1 - x0), self.dtype)
        if not file.exists():
            if not all_fill():
                raise ShardError(f"{file}: it was stored, and is gone")
            out[:] = self.fill
            return out
        with open(file, "rb") as shard:
            index = self._index(shard.fileno(), file)
            for r in range(y0 // height, -(-y1 // height)):
                for c in range(x0 // width, -(-x1 // width)):
                    top, left = r * height, c * width
                    a, b, e, f = max(y0, top), min(y1, top + height), max(x0, left), min(x1, left + width)
                    target = out[a - y0 : b - y0, e - x0 : f - x0]
                    offset, size = index[r, c]
                    if offset == ABSENT:
                        target[:] = self.fill
                        continue
                    pixels = self._decode(file, os.pread(shard.fileno(), int(size), int(offset)))
                    target[:] = pixels[a - top : b - top, e - left : f - left]
        return out

    def verified_file(self, *day: int, all_fill: Callable[[], bool] = lambda: True) -> Path | None:
        """The shard with index ``day``, its checksums verified; None where it is all fill. Raises as ``read``."""
        file = self.file(*day)
        if not file.exists():
            if not all_fill():
                raise ShardError(f"{file}: it was stored, and is gone")
            return None
        with open(file, "rb") as shard:
            data, index = shard.read(), self._index(shard.fileno(), file)
        for offset, size in index.reshape(-1, 2):
            if offset != ABSENT:
                self._verified(file, data[int(offset) : int(offset) + int(size)])
        return file

    def _verified(self, file: Path, data: bytes) -> bytes:
        """A chunk without its checksum."""
        if len(data) < BLOSC_HEADER + CHECKSUM:
            raise ShardError(f"{file}: it was cut short")
        if not self.checked:
            return data
        data, checksum = data[:-CHECKSUM], data[-CHECKSUM:]
        if _checksum(data) != checksum:
            raise ShardError(f"{file}: a chunk does not have its checksum: it was changed")
        return data

    def _decode(self, file: Path, data: bytes) -> np.ndarray:
        """The pixels of a chunk, (y, x)."""
        data = self._verified(file, data)
        # Blosc trusts its header: sizes that were changed would have it read or allocate what is not there.
        _, size, _, compressed = np.frombuffer(data, "<u4", 4)
        if size != math.prod(self.chunk) * self.dtype.itemsize or compressed != len(data):
            raise ShardError(f"{file}: the header of a chunk states other sizes than the chunk has")
        try:
            return np.frombuffer(self.compressor.decode(data), self.dtype).reshape(self.chunk)
        except (RuntimeError, ValueError) as err:
            raise ShardError(f"{file}: {err}") from err

    def write(self, field: np.ndarray, *day: int) -> bool:
        """Put ``field`` (y, x), as it is stored, in place of what is there with index ``day``, and onto the disk; False
        where it is all fill, and so no file.

        Not in one step: a day is done when its status is there. Raises ``OSError`` where the disk is full.
        """
        assert field.shape == self.shape, f"{self.path} holds fields of {self.shape}, not of {field.shape}"
        field, (height, width) = np.asarray(field, self.dtype), self.chunk

        def packed(top: int) -> list[bytes]:
            """Chunks from row ``top`` on; nothing for those that are all fill."""
            row = [np.ascontiguousarray(field[top : top + height, left : left + width])
                   for left in range(0, self.shape[1], width)]  # fmt: skip
            return [b"" if self._all_fill(chunk) else self._encode(chunk) for chunk in row]

        rows = range(0, self.shape[0], height)
        if len(rows) == 1:
            chunks = packed(0)
        else:
            with ThreadPoolExecutor(os.cpu_count()) as pool:  # Blosc lets others run meanwhile
                chunks = list(chain.from_iterable(pool.map(packed, rows)))
        if self.indexed and any(chunks):
            sizes = np.array([len(chunk) for chunk in chunks], np.uint64)
            index = np.stack([np.cumsum(sizes) - sizes, sizes], 1)
            index[sizes == 0] = ABSENT
            data = index.astype("<u8").tobytes()
            chunks.append(data + _checksum(data))
        return self._put(chunks, *day)

    def write_same(self, file: Path | None, *day: int) -> bool:
        """As ``write``, with the field of another day, whose file ``verified_file`` gave: the day has another name of
        it, or a copy on a disk whose files have one name only."""
        if file is None:
            return self._put((), *day)
        new = self._new(*day)
        try:
            os.link(file, new)
        except OSError as err:
            if err.errno not in ONE_NAME_ONLY:
                raise
            return self._put([file.read_bytes()], *day)
        return True

    def _new(self, *day: int) -> Path:
        """The file of the field with index ``day``, which is not there yet: a name of the file of another day is taken
        away, that file is not written to."""
        file = self.file(*day)
        file.unlink(missing_ok=True)
        file.parent.mkdir(parents=True, exist_ok=True)
        return file

    def _put(self, parts: Sequence[bytes], *day: int) -> bool:
        if not any(parts):
            self.file(*day).unlink(missing_ok=True)
            return False
        file = self._new(*day)
        with open(file, "xb") as shard:
            shard.writelines(parts)
            shard.flush()
            reached(FaultPoint.SHARD_WRITTEN_NOT_SYNCED, file)
            os.fsync(shard.fileno())
        return True

    def _encode(self, chunk: np.ndarray) -> bytes:
        data = bytes(self.compressor.encode(chunk))
        return data + _checksum(data) if self.checked else data

    def _all_fill(self, chunk: np.ndarray) -> bool:
        """Of most chunks the first row tells."""
        return all(
            bool((np.isnan(part) if np.isnan(self.fill) else part == self.fill).all()) for part in (chunk[:1], chunk)
        )

    def file(self, *day: int) -> Path:
        """The shard with index ``day``; it need not be there."""
        return self.path.joinpath("c", *map(str, day), "0", "0")

    def _index(self, shard: int, file: Path | None = None) -> np.ndarray:
        """Offset and size of each chunk, (rows, columns, 2)."""
        if not self.indexed:
            return np.array([[[0, os.fstat(shard).st_size]]], np.uint64)
        rows, columns = (n // c for n, c in zip(self.shape, self.chunk, strict=True))
        length = rows * columns * ENTRY
        start = os.fstat(shard).st_size - length - CHECKSUM
        data = os.pread(shard, length + CHECKSUM, start) if start >= 0 else b""
        if not data or _checksum(data[:length]) != data[length:]:
            raise ShardError(
                f"{file or self.path}: the index at its end does not have its checksum: it was cut short or changed"
            )
        return np.frombuffer(data, "<u8", rows * columns * 2).reshape(rows, columns, 2)


def _checksum(data: bytes) -> bytes:
    return int(google_crc32c.value(data)).to_bytes(CHECKSUM, "little")


def _blosc(codec: dict[str, Any]) -> Blosc:
    """As zarr's metadata describe it."""
    how = codec["configuration"]
    return Blosc(how["cname"], how["clevel"], SHUFFLES[how["shuffle"]], how["blocksize"])
