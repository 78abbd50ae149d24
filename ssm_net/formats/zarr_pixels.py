"""Chosen pixels of the days of a Zarr store of maps: only the chunks that hold one are read, each once.

zarr-python takes about 0.3 ms a chunk, most of it not for decoding. A series of two decades at a hundred points reads
two million chunks, so shards are read here as they lie on the disk: an index of offset and size of each chunk at the
end, with its CRC-32C, and chunks of little-endian numbers. ``zarr_store`` compresses them by Blosc and ends each with
its CRC-32C; up to version 0.2.0 it compressed them by Zstandard, without a checksum.
Source: Zarr v3 core specification, "sharding_indexed" (ZEP 2), "blosc", "crc32c".
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import google_crc32c
import numpy as np
from numcodecs.blosc import Blosc
from numcodecs.zstd import Zstd

from ssm_net.formats.zarr_store import damaged_day

ENTRY, CHECKSUM = 16, 4  # bytes of the index a chunk, and after it
ABSENT = 2**64 - 1  # offset and size of a chunk that holds nothing but the fill value


def _checked(data: bytes) -> bytes:
    """Without the checksum at its end. Raises ``ValueError`` where it is not that of the rest."""
    rest, checksum = data[:-CHECKSUM], data[-CHECKSUM:]
    if int(google_crc32c.value(rest)).to_bytes(CHECKSUM, "little") != checksum:
        raise ValueError("a part of it was cut short or changed")
    return rest


BLOSC, ZSTD = Blosc(), Zstd()  # decompress whatever they were given to compress with
Decode = Callable[[bytes], bytes]
DECODE: dict[tuple[str, ...], Decode] = {  # by the names of a chunk's codecs
    ("bytes", "blosc", "crc32c"): lambda data: BLOSC.decode(_checked(data)),
    ("bytes", "zstd"): ZSTD.decode,
}


@dataclass(frozen=True)
class ChunkPixels:
    """The chosen pixels of one chunk: where in it they lie (flat), and which of the chosen pixels they are."""

    inside: np.ndarray
    chosen: np.ndarray


@dataclass(frozen=True)
class ZarrPixels:
    """The pixels (n,) that ``chunks`` choose of a variable (time, y, x) of a store; a day is one shard."""

    path: Path
    name: str
    pixels: int
    chunks: Sequence[ChunkPixels]
    places: np.ndarray  # of the chunks in the shard's index
    chunks_in_shard: int
    dtype: np.dtype
    fill: int
    decode: Decode

    @classmethod
    def choose(cls, path: Path, name: str, rows: np.ndarray, cols: np.ndarray) -> ZarrPixels | None:
        """Of the pixels at ``rows`` and ``cols``, each (n,); None where the store is laid out in another way."""
        try:
            meta = json.loads((path / name / "zarr.json").read_bytes())
            (sharding,) = meta["codecs"]
            inner = sharding["configuration"]
            (_, height, width), shard = inner["chunk_shape"], meta["chunk_grid"]["configuration"]["chunk_shape"]
            decode = DECODE.get(tuple(codec["name"] for codec in inner["codecs"]))
            as_written = (
                inner["codecs"][0]["configuration"]["endian"] == "little"
                and [codec["name"] for codec in inner["index_codecs"]] == ["bytes", "crc32c"]
                and inner["index_location"] == "end" and shard == [1, *meta["shape"][1:]]
                and shard[1] % height == 0 and shard[2] % width == 0
            )  # fmt: skip
        except (ValueError, LookupError, TypeError):
            return None
        if decode is None or not as_written:
            return None
        across = shard[2] // width
        place = rows // height * across + cols // width
        inside = rows % height * width + cols % width
        order = np.argsort(place, kind="stable")
        places, first = np.unique(place[order], return_index=True)
        chunks = [ChunkPixels(inside[chosen], chosen) for chosen in np.split(order, first[1:])]
        dtype = np.dtype(meta["data_type"]).newbyteorder("<")
        in_shard, fill = shard[1] // height * across, int(meta["fill_value"])
        return cls(path, name, len(rows), chunks, places, in_shard, dtype, fill, decode)

    def read(self, day: int) -> np.ndarray:
        """Packed values (n,) of the day at this place on the time axis. Raises ``MosaicError`` where it is damaged."""
        out = np.empty(self.pixels, self.dtype)
        try:
            shard = os.open(self.path / self.name / "c" / str(day) / "0" / "0", os.O_RDONLY)
            try:
                for chunk, (offset, size) in zip(self.chunks, self._index(shard), strict=True):
                    if offset == ABSENT:
                        out[chunk.chosen] = self.fill
                        continue
                    pixels = np.frombuffer(self.decode(os.pread(shard, size, offset)), self.dtype)
                    out[chunk.chosen] = pixels[chunk.inside]
            finally:
                os.close(shard)
        except (OSError, ValueError, IndexError, RuntimeError) as err:  # RuntimeError: of the decompressor
            raise damaged_day(self.path, day, self.name, err) from err
        return out

    def _index(self, shard: int) -> list[list[int]]:
        """Offset and size of each chosen chunk. Raises ``ValueError`` where they do not have their checksum."""
        length = self.chunks_in_shard * ENTRY
        start = os.fstat(shard).st_size - length - CHECKSUM
        index = _checked(os.pread(shard, length + CHECKSUM, start) if start >= 0 else b"")
        return np.frombuffer(index, "<u8", 2 * self.chunks_in_shard).reshape(-1, 2)[self.places].tolist()
