"""The road on files of the agencies: prepare, train a few steps, infer, and compare the maps with the files.

    python tests/real_road.py          (make real)

Coarse soil moisture of 2016-06-07 (ESA CCI) and 2017-07-01 (C3S), both from AMSR2 for the most part, and one field of
1 km land surface temperature of August 2015 (ESA CCI). The dates do not match: the temperature is given the days of
the soil moisture, in copies under ./real. So this shows that files as the archives make them come through whole and to
the right place, and nothing about skill.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import rasterio
import xarray as xr
from pyproj import Transformer
from rich.console import Console
from rich.table import Table

from ssm_net.config import DomainConfig, InferConfig, ModelConfig, PrepareConfig, TrainConfig
from ssm_net.cube.store import Cube, open_cube
from ssm_net.formats.mosaic_days import day_path
from ssm_net.infer.run import infer
from ssm_net.prepare.run import prepare
from ssm_net.train.run import train

BBOX = [117.0, 40.0, 122.0, 45.0]  # of the LST file: Inner Mongolia, Hebei and Liaoning
SSM = {dt.date(2016, 6, 7): ("CCI", "ESACCI-SOILMOISTURE-*.nc"), dt.date(2017, 7, 1): ("C3S", "C3S-SOILMOISTURE-*.nc")}
PLACES = [(118.505, 41.505), (119.605, 42.405), (120.505, 43.505)]  # lon, lat
TINY = ModelConfig(width=8, depth=1, coarse_width=8, coarse_depth=1, lags=2)
NAME = "real"


@dataclass(frozen=True)
class Check:
    """``got`` and the ``source`` it was held against, in words; ``where`` is a day or the grid."""

    where: str
    what: str
    source: str
    got: str
    ok: bool


def stage(real: Path, raw: Path) -> None:
    """The folders of ``raw``: soil moisture as links, the monthly temperature as a copy for
    each day that says it is of that day."""
    (lst,) = (real / "lst_china").glob("*.nc")
    for day, (folder, pattern) in SSM.items():
        (ssm,) = (real / "ssm").glob(pattern)
        (raw / folder).mkdir(parents=True, exist_ok=True)
        (raw / folder / ssm.name).symlink_to(ssm.resolve())
        copy = raw / "ESACCI-LST" / f"{day:%Y%m%d}" / lst.name.replace("1MONTHLY", "1DAILY")
        copy.parent.mkdir(parents=True)
        shutil.copyfile(lst, copy)
        with h5py.File(copy, "r+") as file:
            assert file["time"].attrs["units"] in ("seconds since 1981-01-01", b"seconds since 1981-01-01")
            file["time"][:] = (day - dt.date(1981, 1, 1)).total_seconds()
            for name in {"dtime"} & set(file):  # the times of a month's views
                del file[name]
            file.attrs["id"], file.attrs["time_coverage_resolution"] = copy.name, "P1D"


def travel(work: Path) -> Cube:
    """Prepare both days, train two epochs and infer in three ways, all below ``work``; returns the cube."""
    cube = str(work / "cube.zarr")
    for day in SSM:  # days of a cube need not be neighbours, nor be made at once
        prepare(
            PrepareConfig(
                raw=str(work / "raw"), cube=cube, start=str(day), end=str(day), domain=DomainConfig(NAME, bbox=BBOX)
            )
        )
    train(TrainConfig(cube=cube, run=str(work / "run"), model=TINY, epochs=2, batch_size=1))
    for update, kind in (("gain", "netcdf"), ("exact", "netcdf"), ("gain", "cog")):
        infer(InferConfig(cube=cube, run=str(work / "run"), mosaics=str(work / update), update=update, format=kind))
    return open_cube(cube)


def checks(real: Path, work: Path, cube: Cube) -> list[Check]:
    """The cube and the mosaics against the files they were made from."""
    out = place(real, work, cube)
    for day in SSM:
        out += [*coarse(work, cube, day), *temperature(real, cube, day), *same_in_all_formats(work, cube, day)]
    return out


def place(real: Path, work: Path, cube: Cube) -> list[Check]:
    """Where the mosaic says its pixels are, by PROJ and by the archive's own map of the grid."""
    path = day_path(work / "gain", NAME, next(iter(SSM)))
    with xr.open_dataset(path) as file, rasterio.open(f"netcdf:{path}:ssm") as layer:
        lat, lon = file.lat.values, file.lon.values
        to_degrees = Transformer.from_crs(layer.crs, "EPSG:4326", always_xy=True)
        x = [layer.xy(0, col)[0] for col in range(layer.width)]
        y = [layer.xy(row, 0)[1] for row in range(layer.height)]
        off = max(
            np.abs(to_degrees.transform(x, [y[0]] * len(x))[0] - lon).max(),
            np.abs(to_degrees.transform([x[0]] * len(y), y)[1] - lat).max(),
        )
        crs = str(layer.crs)
    (grid_file,) = (real / "ssm").glob("NSIDC0772*.nc")
    r0, r1, c0, c1 = cube.domain.window
    with xr.open_dataset(grid_file) as grid:
        # The middle of an even number of pixels lies between two of them.
        middle = lat.reshape(-1, 36)[:, 17:19].mean(1), lon.reshape(-1, 36).mean(1)
        apart = max(
            np.abs(grid.latitude.values[r0:r1, 0] - middle[0]).max(),
            np.abs(grid.longitude.values[0, c0:c1] - middle[1]).max(),
        )
    west, south, east, north = BBOX
    inside = lon[0] < west and lon[-1] > east and lat[-1] < south and lat[0] > north
    return [
        Check("grid", "projection in rasterio", "EPSG:6933", crs, crs == "EPSG:6933"),
        Check("grid", "the box asked for lies inside", str(BBOX), _box(lon, lat), inside),
        Check("grid", "lat, lon of xarray from x, y of rasterio", "PROJ", f"{off:.1e} degrees apart", off < 1e-9),
        Check(
            "grid",
            "cell centres from the archive's grid file",
            grid_file.name[:9],
            f"{apart:.1e} degrees apart",
            apart < 1e-4,
        ),
    ]


def coarse(work: Path, cube: Cube, day: dt.date) -> list[Check]:
    """Cell means of the ``exact`` mosaic against the 0.25 degree cells that the pixels of a cell fall into."""
    folder, pattern = SSM[day]
    (path,) = (work / "raw" / folder).glob(pattern)
    with xr.open_dataset(path) as file:
        lon, lat = (xr.DataArray(v, dims=d) for v, d in zip(cube.domain.lonlat(), ("x", "y"), strict=True))
        # Loaded whole first: picking points out of a compressed file takes a minute.
        here = file[["sm", "flag"]].isel(time=0).load().sel(lat=lat, lon=lon, method="nearest")
        sm = here.sm.where((here.flag == 0) & (here.sm > 0) & (here.sm <= 0.7)).values
    cells = sm.reshape(sm.shape[0] // 36, 36, -1, 36)
    cover = np.isfinite(cells).mean((1, 3))
    with np.errstate(invalid="ignore"):
        want = np.nansum(cells, (1, 3)) / np.isfinite(cells).sum((1, 3))
    with xr.open_dataset(day_path(work / "exact", NAME, day)) as file:
        mosaic = file.ssm.values[0]
        observed = (file["flags"].values[0].astype(int) & 1).astype(bool)
        stamp = str(file.time.values[0])[:10]
    got = np.where(observed, mosaic, np.nan).reshape(cells.shape).mean((1, 3))
    both = np.isfinite(got) & (cover > 0)
    off = np.abs(got - want)[both]
    have = np.isfinite(mosaic)
    strange = int((np.isfinite(got) != (cover >= 0.25))[np.abs(cover - 0.25) > 0.05].sum())
    rows = [
        Check(str(day), "day of the mosaic", str(day), stamp, stamp == str(day)),
        Check(str(day), "pixels with a value", "all", f"{have.mean():.1%}", bool(have.all())),
        Check(str(day), "cells observed", f"{(cover >= 0.25).sum()} in {folder}", str(np.isfinite(got).sum()),
              strange == 0),
        Check(str(day), "cell means, exact", f"{both.sum()} means of {folder}", f"<= {off.max():.4f} m3 m-3 apart",
              both.sum() > 100 and off.max() < 0.005),
    ]  # fmt: skip
    for lon0, lat0 in PLACES:
        r, c = (n // 36 for n in _pixel(cube, lon0, lat0))
        if both[r, c]:
            ok = bool(abs(got[r, c] - want[r, c]) < 0.005)
            rows.append(
                Check(str(day), f"cell at {_at(lon0, lat0)}", f"{want[r, c]:.3f}", f"{got[r, c]:.3f} m3 m-3", ok)
            )
    return rows


def temperature(real: Path, cube: Cube, day: dt.date) -> list[Check]:
    """LST of the cube against the pixels of the file it came from (with its own date)."""
    (path,) = (real / "lst_china").glob("*.nc")
    with xr.open_dataset(path) as file:
        source, lat, lon = file.lst[0].values, file.lat.values, file.lon.values
    lons, lats = cube.domain.lonlat()
    row, col = np.abs(lat[:, None] - lats).argmin(0), np.abs(lon[:, None] - lons).argmin(0)
    inner = (lats > 40.1) & (lats < 44.9), (lons > 117.1) & (lons < 121.9)
    seen = cube.read_packed("lst_day_lineage", day) == 0
    got = np.where(seen, cube.read("lst_day", day), np.nan)[np.ix_(*inner)]
    moved = {(i, j): source[np.ix_(row[inner[0]] + i, col[inner[1]] + j)] for i in range(-2, 3) for j in range(-2, 3)}
    near = np.stack([field for (i, j), field in moved.items() if max(abs(i), abs(j)) <= 1])
    with np.errstate(invalid="ignore"):
        low, high = np.fmin.reduce(near), np.fmax.reduce(near)
    known = np.isfinite(got)
    among = ((got >= low - 0.02) & (got <= high + 0.02))[known].mean()
    error = {shift: np.sqrt(np.nanmean((got - field) ** 2)) for shift, field in moved.items()}
    best = min(error, key=error.__getitem__)
    rows = [
        Check(str(day), "LST among its 3 x 3 source pixels", f"{known.sum()} pixels", f"{among:.2%}", among == 1),
        Check(str(day), "LST fits best at a shift of", "0, 0 pixels", f"{best[0]}, {best[1]} ({error[best]:.2f} K)",
              best == (0, 0)),
    ]  # fmt: skip
    for lon0, lat0 in PLACES:
        r, c = _pixel(cube, lon0, lat0)
        around = source[row[r] - 1 : row[r] + 2, col[c] - 1 : col[c] + 2]
        here, low0, high0 = float(cube.read("lst_day", day)[r, c]), float(np.nanmin(around)), float(np.nanmax(around))
        want = f"{source[row[r], col[c]]:.2f} ({low0:.2f} .. {high0:.2f})"
        rows.append(
            Check(str(day), f"LST at {_at(lon0, lat0)}", want, f"{here:.2f} K", low0 - 0.02 <= here <= high0 + 0.02)
        )
    return rows


def same_in_all_formats(work: Path, cube: Cube, day: dt.date) -> list[Check]:
    """What xarray and rasterio read of a place, in the NetCDF file and in the GeoTIFF."""
    path, rows = day_path(work / "gain", NAME, day), []
    tif = day_path(work / "gain", NAME, day, "cog")
    with xr.open_dataset(path) as file, rasterio.open(f"netcdf:{path}:ssm") as layer, rasterio.open(tif) as cog:
        to_metres = Transformer.from_crs("EPSG:4326", layer.crs, always_xy=True)
        for lon, lat in PLACES:
            by_degrees = file.ssm[0].isel(
                y=np.abs(file.lat.values - lat).argmin(), x=np.abs(file.lon.values - lon).argmin()
            )
            by_metres = next(layer.sample([to_metres.transform(lon, lat)]))[0] * layer.scales[0]
            by_tif = next(cog.sample([(lon, lat)]))[0] * cog.scales[0]
            r, c = _pixel(cube, lon, lat)
            near = file.ssm.values[0, r - 1 : r + 2, c - 1 : c + 2]
            ok = abs(by_metres - float(by_degrees)) < 1e-6 and near.min() - 1e-4 <= by_tif <= near.max() + 1e-4
            rows.append(Check(str(day), f"mosaic at {_at(lon, lat)}", f"xarray {float(by_degrees):.4f}",
                              f"rasterio {by_metres:.4f}, GeoTIFF {by_tif:.4f}", bool(ok)))  # fmt: skip
    return rows


def _pixel(cube: Cube, lon: float, lat: float) -> tuple[int, int]:
    lons, lats = cube.domain.lonlat()
    return int(np.abs(lats - lat).argmin()), int(np.abs(lons - lon).argmin())


def _at(lon: float, lat: float) -> str:
    return f"{lat:.3f}N {lon:.3f}E"


def _box(lon: np.ndarray, lat: np.ndarray) -> str:
    return f"[{lon[0]:.2f}, {lat[-1]:.2f}, {lon[-1]:.2f}, {lat[0]:.2f}]"


def main() -> int:
    root = Path(__file__).parents[1]
    real, work = Path(os.environ.get("SSM_NET_REAL", root.parent / "shared" / "real")), root / "real"
    console = Console(width=None if sys.stdout.isatty() else 118)
    if not real.is_dir():
        console.print(f"no real files at {real}; set SSM_NET_REAL to the folder that holds them")
        return 1
    shutil.rmtree(work, ignore_errors=True)
    console.print(
        f"Files from {real}, staged in {work}/raw.\n"
        "[yellow]The LST (monthly mean of August 2015) is re-dated to the days of the soil moisture, and training is\n"
        "a few steps: this shows that the road carries real files to the right place. It says nothing about skill.[/]"
    )
    stage(real, work / "raw")
    found = checks(real, work, travel(work))
    table = Table("", "check", "source file", "made", "", title="Maps against the files they were made from")
    for before, row in zip([None, *found], found, strict=False):
        if before is not None and before.where != row.where:
            table.add_section()
        table.add_row(
            row.where if before is None or before.where != row.where else "",
            row.what,
            row.source,
            row.got,
            "[green]ok[/]" if row.ok else "[red]NO[/]",
        )
    console.print(table)
    wrong = sum(not row.ok for row in found)
    console.print(f"{len(found) - wrong} of {len(found)} checks hold; the mosaics are in {work}/gain and {work}/exact")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
