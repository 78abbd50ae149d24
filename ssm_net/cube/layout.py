"""Layout of a cube on disk: made once, whole or not at all, and extended at its end."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from odc.geo.geobox import GeoBox
from zarr.codecs import BloscCodec, BloscShuffle, Crc32cCodec

from ssm_net.core.faults import FaultPoint, reached
from ssm_net.cube.json_files import WHOLE_AGAIN, CubeError, read_json, write_json
from ssm_net.cube.lock import LOCK_FILE, UNFINISHED, CubeLock
from ssm_net.cube.spacing import spacing, stored_shape
from ssm_net.cube.store import CHUNK, EPOCH, FORMAT, Cube, open_cube
from ssm_net.cube.variables import COARSE, FINE, STATIC_UNITS
from ssm_net.cube.writer import CubeWriter
from ssm_net.grid import Domain


@dataclass(frozen=True)
class CubeLayout:
    """What a cube holds: its domain, the names of its variables, and the settings that its days are made with."""

    domain: Domain
    fine: Sequence[str]
    coarse: Sequence[str]
    static: Sequence[str]
    attrs: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        layout = {
            "domain": self.domain.name, "window": list(self.domain.window), "grid": self.domain.grid.__dict__,
            "fine": list(self.fine), "coarse": list(self.coarse), "static": list(self.static),
            "attrs": dict(self.attrs), "format": FORMAT,
        }  # fmt: skip
        return dict(json.loads(json.dumps(layout)))


def create_cube(lock: CubeLock, layout: CubeLayout, days: Sequence[dt.date]) -> CubeWriter:
    """The cube that ``lock`` holds, with ``days`` in it: made where there is none, extended where it lacks some.

    Raises ``CubeError`` where it holds another domain, other variables or other settings, or where a new day lies
    before its last one (the memory runs forward, so days are added at the end).
    """
    assert lock.held
    path = lock.path
    if (path / "cube.json").exists():
        meta = _compatible(path, layout)
    else:
        meta = layout.to_json()
        _make_empty(path, layout, meta)
        reached(FaultPoint.CUBE_DESCRIBED_STILL_MARKED, path)
    (path / UNFINISHED).unlink(missing_ok=True)
    cube = open_cube(path)
    new = sorted(set(days) - set(cube.days))
    if new and cube.days and new[0] < cube.days[-1]:
        raise CubeError(
            f"{path} holds {cube.days[0]} .. {cube.days[-1]}; {new[0]} lies before its end and days are only "
            "added after it: give another cube=PATH for an earlier period"
        )
    if new:
        all_days = [*cube.days, *new]
        _require_whole_descriptions(cube)
        _resize(path, all_days, cube.fine, cube.coarse)
        reached(FaultPoint.CUBE_EXTENDED_DAYS_NOT_LISTED, path)
        # The list of days comes last: were it cut off before this line, the next run resizes again to the same size.
        write_json(path / "cube.json", meta | {"days": [(day - EPOCH).days for day in all_days]})
        cube = open_cube(path)
    writer = CubeWriter(cube, lock)
    writer.keep_last_revision()
    return writer


def _compatible(path: Path, layout: CubeLayout) -> dict[str, Any]:
    """The cube's own description, which ``layout`` agrees with. A cube made by an earlier version of the same format
    keeps the variables it was made with, and lacks settings that came later."""
    open_cube(path)  # refuses another format
    stored, wanted = read_json(path / "cube.json"), layout.to_json()
    names = {"fine": layout.fine, "coarse": layout.coarse}
    wanted |= {k: stored[k] for k, now in names.items() if set(stored[k]) <= set(now)}
    stored["attrs"] = {k: "" for k, v in layout.attrs.items() if v == ""} | stored["attrs"]
    for key, value in wanted.items():
        if stored[key] != value:
            raise CubeError(
                f"{path} was made with {_difference(key, stored[key], value)}: give another cube=PATH, "
                "or the same settings and the same product folders"
            )
    return wanted


def _make_empty(path: Path, layout: CubeLayout, meta: Mapping[str, Any]) -> None:
    """A cube without days. While it is being made a file says so, and what is cut off is started anew."""
    (path / UNFINISHED).touch()
    for item in path.iterdir():
        if item.name not in (LOCK_FILE, UNFINISHED):
            shutil.rmtree(item) if item.is_dir() else item.unlink()
    _make(path, layout)
    (path / "status").mkdir()
    reached(FaultPoint.CUBE_MADE_NOT_DESCRIBED, path)
    write_json(path / "cube.json", {**meta, "days": []})


def _difference(key: str, have: Any, want: Any) -> str:
    """ "x=1, not 2", of a mapping only the entries that differ."""
    if not isinstance(have, Mapping) or not isinstance(want, Mapping):
        return f"{key}={have}, not {want}"
    return "; ".join(
        f"{k}={have.get(k) or 'none'}, not {want.get(k) or 'none'}"
        for k in sorted({*have, *want})
        if have.get(k) != want.get(k)
    )


def _make(path: Path, layout: CubeLayout) -> None:
    """The groups and arrays, without days."""
    root = zarr.create_group(path)
    domain = layout.domain
    ny, nx = domain.fine_shape
    rows, cols = domain.coarse_shape
    chunk = (CHUNK if ny % CHUNK == 0 else domain.ratio, CHUNK if nx % CHUNK == 0 else domain.ratio)
    codecs = [BloscCodec(cname="zstd", clevel=2, shuffle=BloscShuffle.shuffle), Crc32cCodec()]
    for group, gbox in {"fine": domain.fine, "coarse": domain.coarse}.items():
        g = root.create_group(group)
        dims = ("y", "x") if group == "fine" else ("row", "col")
        _coordinates(g, gbox, dims, domain.grid.crs)
        time = g.create_array("time", shape=(0,), chunks=(4096,), dtype="int32", dimension_names=["time"])
        time.attrs.update({"units": f"days since {EPOCH}", "calendar": "standard", "standard_name": "time"})
    for name in layout.fine:
        v, step = FINE[name], spacing(name, domain.ratio)
        if step > 1 and f"y_{step}" not in root["fine"]:  # type: ignore[operator]
            _coordinates(root["fine"], domain.fine.zoom_out(step), (f"y_{step}", f"x_{step}"), domain.grid.crs)
        dims = ("y", "x") if step == 1 else (f"y_{step}", f"x_{step}")
        shape = stored_shape(name, domain)
        a = root["fine"].create_array(  # type: ignore[union-attr, call-arg]
            name, shape=(0, *shape), chunks=(1, *(n // step for n in chunk)), shards=(1, *shape), dtype=v.dtype,
            fill_value=v.fill, compressors=codecs, dimension_names=["time", *dims])  # fmt: skip
        a.attrs.update(v.attrs())
    for name in layout.coarse:
        v = COARSE[name]
        a = root["coarse"].create_array(  # type: ignore[union-attr, call-arg]
            name, shape=(0, rows, cols), chunks=(1, rows, cols), dtype=v.dtype, fill_value=v.fill, compressors=codecs,
            dimension_names=["time", "row", "col"])  # fmt: skip
        a.attrs.update(v.attrs())
    groups = {"static": root.create_group("static"), "static_cell": root.create_group("static_cell")}
    for name in layout.static:
        groups["static_cell"].create_array(
            name, shape=(rows, cols), chunks=(rows, cols), dtype="float32", fill_value=np.nan, compressors=codecs,
            dimension_names=["row", "col"])  # fmt: skip
        a = groups["static"].create_array(
            name, shape=(ny, nx), chunks=chunk, shards=(ny, nx), dtype="float32", fill_value=np.nan, compressors=codecs,
            dimension_names=["y", "x"])  # fmt: skip
        a.attrs["units"] = STATIC_UNITS.get(name, "")


def _coordinates(group: Any, gbox: GeoBox, dims: Sequence[str], crs: str) -> None:
    for dim, axis in zip(dims, gbox.dims, strict=True):
        a = group.create_array(dim, data=np.asarray(gbox.coordinates[axis].values), dimension_names=[dim])
        a.attrs.update({"units": "m", "standard_name": f"projection_{axis}_coordinate", "crs": crs})


def _require_whole_descriptions(cube: Cube) -> None:
    """Raise ``CubeError`` where the description of a group or of an array that has days is damaged."""
    for group, names in {"fine": cube.fine, "coarse": cube.coarse}.items():
        for folder in (cube.path, cube.path / group, cube.path / group / "time"):
            read_json(folder / "zarr.json", WHOLE_AGAIN, "node_type")
        for name in names:
            cube.shards(f"{group}/{name}")


def _resize(path: Path, days: Sequence[dt.date], fine: Sequence[str], coarse: Sequence[str]) -> None:
    root = zarr.open_group(path, mode="r+")
    for group, names in {"fine": fine, "coarse": coarse}.items():
        for name in names:
            a = root[f"{group}/{name}"]
            assert isinstance(a, zarr.Array)
            a.resize((len(days), *a.shape[1:]))
            reached(FaultPoint.CUBE_HALF_EXTENDED, f"{group}/{name}")
        time = root[f"{group}/time"]
        assert isinstance(time, zarr.Array)
        time.resize((len(days),))
        time[:] = np.array([(day - EPOCH).days for day in days], "int32")
