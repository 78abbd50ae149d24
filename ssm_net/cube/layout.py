"""The cube's layout on disk: made once, whole or not at all, and extended at its end."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.codecs import BloscCodec, BloscShuffle

from ssm_net.cube.store import CHUNK, EPOCH, FORMAT, Cube, CubeError, open_cube, write_json
from ssm_net.cube.variables import COARSE, FINE, STATIC_UNITS
from ssm_net.grid import Domain


def create_cube(
    path: str | Path,
    domain: Domain,
    days: Sequence[dt.date],
    fine: Sequence[str],
    coarse: Sequence[str],
    static: Sequence[str],
    attrs: Mapping[str, Any],
) -> Cube:
    """Open the cube at ``path`` with ``days`` in it, making or extending it as needed.

    Raises ``CubeError`` where it holds another domain, other variables or other settings, or where a new day lies
    before its last one (the memory runs forward, so days are added at the end).
    """
    path = Path(path)
    want = {"domain": domain.name, "window": list(domain.window), "grid": domain.grid.__dict__, "fine": list(fine),
            "coarse": list(coarse), "static": list(static), "attrs": dict(attrs), "format": FORMAT}  # fmt: skip
    if (path / "cube.json").exists():
        have = json.loads((path / "cube.json").read_text())
        # A cube of an earlier version keeps the variables it was made with, and lacks settings that came later.
        given = {"fine": fine, "coarse": coarse}
        want |= {k: have[k] for k, names in given.items() if set(have[k]) <= set(names)}
        have["attrs"] = {k: "" for k, v in attrs.items() if v == ""} | have["attrs"]
        for key, value in want.items():
            if have[key] != json.loads(json.dumps(value)):
                raise CubeError(
                    f"{path} was made with {_difference(key, have[key], value)}: give another cube=PATH, "
                    "the same settings and the same product folders, or delete it and prepare it again"
                )
        old = open_cube(path)
        new = [day for day in days if day not in set(old.days)]
        if new and old.days and new[0] < old.days[-1]:
            raise CubeError(
                f"{path} holds {old.days[0]} .. {old.days[-1]}; {new[0]} lies before its end and days are only "
                "added after it: give another cube=PATH for an earlier period"
            )
        if not new:
            return old
        all_days = [*old.days, *new]
    else:
        if path.exists() and any(path.iterdir()):
            raise CubeError(f"{path} exists and is not a cube: give another cube=PATH, or delete it")
        all_days = list(days)
        # Made beside and renamed, so that a cube whose making was cut off is never taken for one.
        part = path.with_name(path.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        _make(part, domain, fine, coarse, static)
        (part / "status").mkdir()
        # As a cube without days, so that one cut off before it has any is gone on with.
        write_json(part / "cube.json", want | {"days": []})
        part.rename(path)
    _resize(path, all_days, fine, coarse)
    # The list of days comes last: were it cut off before this line, the next run resizes again to the same size.
    write_json(path / "cube.json", want | {"days": [(day - EPOCH).days for day in all_days]})
    return open_cube(path)


def _difference(key: str, have: Any, want: Any) -> str:
    """ "x=1, not 2", of a mapping only the entries that differ."""
    if not isinstance(have, Mapping) or not isinstance(want, Mapping):
        return f"{key}={have}, not {want}"
    return "; ".join(
        f"{k}={have.get(k) or 'none'}, not {want.get(k) or 'none'}"
        for k in sorted({*have, *want})
        if have.get(k) != want.get(k)
    )


def _make(path: Path, domain: Domain, fine: Sequence[str], coarse: Sequence[str], static: Sequence[str]) -> None:
    root = zarr.create_group(path)
    ny, nx = domain.fine_shape
    rows, cols = domain.coarse_shape
    chunk = (CHUNK if ny % CHUNK == 0 else domain.ratio, CHUNK if nx % CHUNK == 0 else domain.ratio)
    codec = BloscCodec(cname="zstd", clevel=3, shuffle=BloscShuffle.shuffle)
    for group, gbox in {"fine": domain.fine, "coarse": domain.coarse}.items():
        g = root.create_group(group)
        dims = ("y", "x") if group == "fine" else ("row", "col")
        for dim, axis in zip(dims, gbox.dims, strict=True):
            values = np.asarray(gbox.coordinates[axis].values)
            a = g.create_array(dim, data=values, dimension_names=[dim])
            a.attrs.update({"units": "m", "standard_name": f"projection_{axis}_coordinate", "crs": domain.grid.crs})
        time = g.create_array("time", shape=(0,), chunks=(4096,), dtype="int32", dimension_names=["time"])
        time.attrs.update({"units": f"days since {EPOCH}", "calendar": "standard", "standard_name": "time"})
    for name in fine:
        v = FINE[name]
        a = root["fine"].create_array(  # type: ignore[union-attr, call-arg]
            name, shape=(0, ny, nx), chunks=(1, *chunk), shards=(1, ny, nx), dtype=v.dtype, fill_value=v.fill,
            compressors=codec, dimension_names=["time", "y", "x"])  # fmt: skip
        a.attrs.update(v.attrs())
    for name in coarse:
        v = COARSE[name]
        a = root["coarse"].create_array(  # type: ignore[union-attr, call-arg]
            name, shape=(0, rows, cols), chunks=(1, rows, cols), dtype=v.dtype, fill_value=v.fill, compressors=codec,
            dimension_names=["time", "row", "col"])  # fmt: skip
        a.attrs.update(v.attrs())
    groups = {"static": root.create_group("static"), "static_cell": root.create_group("static_cell")}
    for name in static:
        groups["static_cell"].create_array(
            name, shape=(rows, cols), chunks=(rows, cols), dtype="float32", fill_value=np.nan, compressors=codec,
            dimension_names=["row", "col"])  # fmt: skip
        a = groups["static"].create_array(
            name, shape=(ny, nx), chunks=chunk, shards=(ny, nx), dtype="float32", fill_value=np.nan, compressors=codec,
            dimension_names=["y", "x"])  # fmt: skip
        a.attrs["units"] = STATIC_UNITS.get(name, "")


def _resize(path: Path, days: Sequence[dt.date], fine: Sequence[str], coarse: Sequence[str]) -> None:
    root = zarr.open_group(path, mode="r+")
    for group, names in {"fine": fine, "coarse": coarse}.items():
        for name in names:
            a = root[f"{group}/{name}"]
            assert isinstance(a, zarr.Array)
            a.resize((len(days), *a.shape[1:]))
        time = root[f"{group}/time"]
        assert isinstance(time, zarr.Array)
        time.resize((len(days),))
        time[:] = np.array([(day - EPOCH).days for day in days], "int32")
