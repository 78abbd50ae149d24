"""Damaged copies of whole files, by family, and what the readers make of them: run in a process of its own."""

from __future__ import annotations

import hashlib
import json
import sys
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import rasterio
import xarray as xr
from rasterio.transform import from_origin

from ssm_net.grid import Domain
from ssm_net.ingest.catalog import Granule
from ssm_net.ingest.fine import read_lst
from ssm_net.ingest.holdings import by_content
from ssm_net.ingest.products import Product, product
from ssm_net.ingest.rain import rain_between
from ssm_net.ingest.raster import GranuleError, naming_damage
from ssm_net.ingest.static import read_static
from ssm_net.ingest.usable import read_those_that_can
from ssm_net.simulate.writers import viirs
from ssm_net.simulate.writers.sinusoidal import sinusoidal_tiles

DAY = date(2016, 5, 2)
DOMAIN = Domain("tiny", (70, 74, 774, 778))
NIGHT = np.datetime64("2016-05-01T18:00:00"), np.datetime64("2016-05-02T18:00:00")
FAMILIES = ("hdf4", "hdfeos5", "netcdf4", "netcdf3", "geotiff")


def rain_file(path: Path, kind: str) -> Path:
    """A day of rain on a grid around the domain: as NetCDF 3, or as HDF5 whose data and descriptions have checksums."""
    lat, lon = np.arange(33.05, 42, 0.1), np.arange(103.05, 116, 0.1)
    mm = np.random.default_rng(1).gamma(0.5, 4.0, (1, lat.size, lon.size)).astype("float32")
    units = {"units": "mm", "_FillValue": np.float32(-9999)}
    if kind == "netcdf3":
        days = xr.Variable("time", [20210.0], {"units": "days since 1961-01-01", "calendar": "standard"})
        bounds = xr.Variable(("time", "nv"), [[20209.0, 20211.0]])
        dataset = xr.Dataset({"rain": (("time", "lat", "lon"), mm, units), "time_bnds": bounds},
                             {"time": days.copy(), "lat": lat, "lon": lon})  # fmt: skip
        dataset.time.attrs["bounds"] = "time_bnds"
        dataset.to_netcdf(path, format="NETCDF3_64BIT", engine="scipy")
        return path
    with h5py.File(path, "w", libver="latest") as file:
        for name, values in {"time": [20210.0], "lat": lat, "lon": lon, "nv": [0.0, 1.0]}.items():
            file[name] = np.asarray(values)
            file[name].make_scale(name)
        file["time"].attrs.update({"units": "days since 1961-01-01", "bounds": "time_bnds"})
        file["time_bnds"] = [[20209.0, 20211.0]]
        rain = file.create_dataset("rain", data=mm, chunks=(1, 30, 43), compression="gzip", fletcher32=True)
        rain.attrs.update({"units": "mm", "_FillValue": np.float32(-9999)})
        for variable, dims in (("time_bnds", ("time", "nv")), ("rain", ("time", "lat", "lon"))):
            for n, dim in enumerate(dims):
                file[variable].dims[n].attach_scale(file[dim])
    return path


def viirs_file(folder: Path) -> Path:
    """A tile of VNP21A1D by the world's own writer, 280 to 300 K."""
    tile = sinusoidal_tiles(DOMAIN, 1200)[0]
    shape = tuple(s.stop - s.start for s in (tile.rows, tile.cols))
    kelvin = np.random.default_rng(1).uniform(280, 300, shape).astype("float32")
    path = folder / viirs.name("VNP21A1D", DAY, tile)
    viirs.write_lst(path, "VNP21A1D", DAY, tile, (kelvin, np.zeros(shape, np.uint8)), 13.5)
    return path


def whole(family: str, raw: Path, folder: Path) -> Path:
    """A file of the family, whole."""
    if family == "hdf4":
        source = next((raw / "MYD11A1.061").glob("*A2016123.h26v05*.hdf"))
        path = folder / source.name
        path.write_bytes(source.read_bytes())
        return path
    if family == "hdfeos5":
        return viirs_file(folder)
    if family == "geotiff":
        path = folder / "static" / "elevation.tif"
        path.parent.mkdir()
        z = np.random.default_rng(1).normal(900, 300, (300, 400)).astype("float32")
        how = {"driver": "GTiff", "height": 300, "width": 400, "count": 1, "dtype": "float32", "compress": "deflate"}
        with rasterio.open(path, "w", crs="EPSG:4326", transform=from_origin(103, 44, 0.04, 0.04), **how) as file:
            file.write(z, 1)
        return path
    return rain_file(folder / "rain_20160502.nc", family)


def reader(family: str, path: Path) -> tuple[Product | None, Callable[[], np.ndarray | None]]:
    """The product of the family, and what reads the file: None where it is left out by name."""
    if family == "geotiff":
        return None, lambda: read_static(path.parents[1], DOMAIN.fine)["elevation"]
    entry = product({"hdf4": "MYD11A1", "hdfeos5": "VNP21A1D"}.get(family, "precip"))
    assert entry is not None
    granule = Granule(entry.name, path, DAY, "h26v05")

    def read() -> np.ndarray | None:
        def field(granules: Any) -> np.ndarray:
            if family in ("hdf4", "hdfeos5"):
                return np.stack(read_lst(granules, "day", DOMAIN.fine))
            return rain_between(granules, *NIGHT, DOMAIN.fine)

        values, _, bad = read_those_that_can([granule], field)
        assert all(str(path) in str(err) for err in bad)
        return values

    return entry, read


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """A copy with flipped bits, other bytes, a hole of zeros, a cut, or bytes twice."""
    out = bytearray(data)
    at, length = int(rng.integers(len(out))), int(rng.integers(1, 64))
    match rng.integers(6):
        case 0:
            out[at] ^= 1 << int(rng.integers(8))
        case 1:
            head = int(rng.integers(min(len(out), 3000)))
            out[head] = int(rng.integers(256))
        case 2:
            out[at : at + length] = rng.bytes(len(out[at : at + length]))
        case 3:
            out[at : at + 20 * length] = bytes(len(out[at : at + 20 * length]))
        case 4:
            del out[at:]
        case _:
            out[at:at] = out[at : at + length]
    return bytes(out)


def run(family: str, raw: Path, folder: Path, number: int, seed: int) -> Counter[str]:
    """How many files were refused, read as before, and read otherwise; with a checksum beside them, too."""
    path = whole(family, raw, folder)
    data, (entry, read), rng = path.read_bytes(), reader(family, path), np.random.default_rng(seed)
    want, count = read(), Counter[str]()
    assert want is not None and np.isfinite(want).any()
    sums = path.with_name(f"{path.name}.md5")
    for n in range(number):
        path.unlink()
        path.write_bytes(damaged(data, rng))
        for checked in (False, True) if n % 10 == 0 and family != "geotiff" else (False,):
            sums.write_text(f"{hashlib.md5(data).hexdigest()}  {path.name}\n") if checked else sums.unlink(True)
            same = path.read_bytes() == data
            try:
                if entry is not None:
                    with naming_damage(path):
                        by_content(entry, path)
                values = read()
            except GranuleError as err:
                assert str(path) in str(err)
                values = None
            equal = values is not None and np.array_equal(values, want, equal_nan=True)
            lost = values is not None and bool(((values == want) | ~np.isfinite(values)).all())
            what = "refused" if values is None else "as before" if equal else "missing" if lost else "otherwise"
            assert not checked or same or what == "refused", "its checksum is another"
            count[what] += not checked
    return count


if __name__ == "__main__":
    family, raw, folder, number, seed = sys.argv[1:]
    print(json.dumps(run(family, Path(raw), Path(folder), int(number), int(seed))))
