"""How maps in Zarr are best compressed: size, cost of writing and of a series, and whether a changed byte is noticed.

    python bench/map_codecs.py STORE... [--day 0]

Takes a day of each store of maps, cuts it into chunks and compresses these by each codec. Prints the bytes of a day
over those of zarr's default, the processor time of compressing a day, the time of decompressing 100 chunks of each of
the three variables (as a series at 100 points does; the least of 25 repetitions of each chunk, so that other work on
the machine counts little), and of 2000 chunks in which one bit was turned, how many were decompressed without an error.
The checksum that ``ssm_net`` adds to each chunk finds all of these; its time is the last line. Numbers go to
bench/results/map_codecs.json.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import zarr
from numcodecs.abc import Codec
from numcodecs.blosc import Blosc
from numcodecs.zstd import Zstd
from provenance import ROOT, commit_of, machine

from ssm_net.cube.json_files import write_json
from ssm_net.formats.product import DAILY_VARIABLES

RESULTS = ROOT / "bench" / "results" / "map_codecs.json"
DEFAULT = "Zstandard, zarr's default"
CODECS: dict[str, Codec] = {
    DEFAULT: Zstd(0),
    "Blosc zstd 1, bytes shuffled": Blosc("zstd", 1, Blosc.SHUFFLE),
    "Blosc zstd 3, bytes shuffled": Blosc("zstd", 3, Blosc.SHUFFLE),
    "Blosc zstd 1, bits shuffled": Blosc("zstd", 1, Blosc.BITSHUFFLE),
    "Blosc lz4 1, bytes shuffled": Blosc("lz4", 1, Blosc.SHUFFLE),
    "Blosc lz4 5, bits shuffled": Blosc("lz4", 5, Blosc.BITSHUFFLE),
    "Blosc lz4hc 1, bytes shuffled": Blosc("lz4hc", 1, Blosc.SHUFFLE),
    "Blosc lz4hc 3, bytes shuffled": Blosc("lz4hc", 3, Blosc.SHUFFLE),
    "Blosc lz4hc 5, bytes shuffled": Blosc("lz4hc", 5, Blosc.SHUFFLE),
}
SIDES = (144, 72)
POINTS, REPEATS, TURNED = 100, 25, 2000
TIMED = 24  # chunks of each variable


def chunks_of(field: np.ndarray, side: int) -> list[np.ndarray]:
    """Those that are not all of one value, which zarr does not store."""
    rows, cols = (range(0, n, side) for n in field.shape)
    cut = [np.ascontiguousarray(field[y : y + side, x : x + side]) for y in rows for x in cols]
    return [chunk for chunk in cut if (chunk != chunk.flat[0]).any()]


def least_seconds(call: Callable[[], object]) -> float:
    found = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        call()
        found.append(time.perf_counter() - begun)
    return min(found)


def measured(codec: Codec, fields: Sequence[np.ndarray], side: int) -> dict[str, float]:
    rng, size, writing, reading, missed = np.random.default_rng(1), 0, 0.0, 0.0, 0
    for field in fields:
        chunks = chunks_of(field, side)
        begun = time.process_time()
        packed = [bytes(codec.encode(chunk)) for chunk in chunks]
        writing += time.process_time() - begun
        size += sum(map(len, packed))
        some = [packed[i] for i in rng.permutation(len(packed))[:TIMED]]
        reading += POINTS * float(np.mean([least_seconds(lambda c=c: codec.decode(c)) for c in some]))
        missed += sum(missed_turn(codec, some[n % len(some)], rng) for n in range(TURNED // len(fields)))
    return {"bytes": size, "writing a day, s": round(writing, 2), "100 points a day, ms": round(1000 * reading, 1),
            "changed bytes missed": round(missed / (TURNED // len(fields) * len(fields)), 3)}  # fmt: skip


def missed_turn(codec: Codec, packed: bytes, rng: np.random.Generator) -> bool:
    """Whether a chunk with one bit turned is decompressed without an error; the header stays, which a decompressor
    trusts."""
    data = bytearray(packed)
    data[rng.integers(16, len(data))] ^= 1 << int(rng.integers(8))
    try:
        codec.decode(bytes(data))
    except (RuntimeError, ValueError):
        return False
    return True


def main(words: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stores", type=Path, nargs="+", metavar="STORE")
    parser.add_argument("--day", type=int, default=0, help="its place on the time axis")
    args = parser.parse_args(words)
    results: dict[str, Any] = {}
    for store in args.stores:
        fields = [np.asarray(zarr.open(store / name, mode="r")[args.day]) for name in DAILY_VARIABLES]
        table: dict[str, dict[str, float]] = {}
        for side in SIDES:
            for name, codec in CODECS.items():
                row = measured(codec, fields, side)
                table[f"{name}, {side} px"] = row
                row["bytes, of the default"] = round(row["bytes"] / table[f"{DEFAULT}, {SIDES[0]} px"]["bytes"], 3)
                print(f"{store.name} {name}, {side} px: {row}", flush=True)
        results[f"{store.stem}, {fields[0].size / 1e6:.2f} Mpx"] = table
    chunk = np.random.default_rng(2).bytes(13_000)
    checksum = least_seconds(lambda: google_crc32c.value(chunk))
    print(f"checksum of 13 kB: {1e6 * checksum:.1f} us")
    write_json(RESULTS, {
        "command": "python bench/map_codecs.py " + " ".join(["STORE"] * len(args.stores)), "commit": commit_of(ROOT),
        "machine": machine(), "checksum of 13 kB, us": round(1e6 * checksum, 1), "stores": results,
    })  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1:])
