"""A report with two products of others and a dense network, of the world of ``make demo``: to look at.

    python bench/report_peers.py demo build/report_peers

Needs what ``make demo`` leaves in its folder. The products of others are the truth with errors that were made up, a
fine one in the layout of the China 1 km product and a coarse one in that of SMAP L4; 24 stations stand in one cell, 8
in another, and some alone. What the report says of them is no result. Pictures of it: bench/report_picture.py.
"""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

import ssm_net
from ssm_net.core.clock import overpass_utc
from ssm_net.cube.store import open_cube
from ssm_net.formats.mosaic_days import days_done
from ssm_net.formats.truth import Truth
from ssm_net.grid import Domain
from ssm_net.simulate.writers.peers import write_china_1km, write_smap_l4
from ssm_net.simulate.writers.stations import StationSites, write_stations

DENSE = ((3, 3, 24), (4, 5, 8))  # row and column of a cell, stations in it
ALONE = 10
FINE_ERROR, COARSE_ERROR = 0.03, 0.05  # m3 m-3
SEED = 7


def write_products(folder: Path, domain: Domain, days: list[dt.date], fields: np.ndarray) -> None:
    """Soil moisture ``fields`` (D, Ny, Nx) with made-up errors, a file of each product a day."""
    rng = np.random.default_rng(SEED)
    for name in ("china", "l4"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for day, field in zip(days, fields, strict=True):
        smooth = gaussian_filter(rng.normal(size=field.shape), 6)
        fine = field + FINE_ERROR * smooth / smooth.std()
        write_china_1km(folder / "china" / f"SM_{day:%Y%j}.h5", domain, fine.clip(0.02, 0.6).astype("float32"))
        coarse = field + COARSE_ERROR * rng.normal() + 0.02
        moment = overpass_utc(day, float(domain.lonlat()[0].mean())).astype("datetime64[s]").item()
        name = f"SMAP_L4_SM_gph_{moment:%Y%m%dT%H%M%S}_Vv7032_001.h5"
        write_smap_l4(folder / "l4" / name, domain, coarse.clip(0.02, 0.6).astype("float32"))


def sites(domain: Domain, land: np.ndarray) -> StationSites:
    """Places on land (Ny, Nx bool), most of them in two cells."""
    rng, ratio = np.random.default_rng(SEED), domain.ratio
    chosen = []
    for row, col, number in (*DENSE, (None, None, ALONE)):
        where = land.copy()
        if row is not None:
            where[:] = False
            cell = np.s_[row * ratio : (row + 1) * ratio, col * ratio : (col + 1) * ratio]
            where[cell] = land[cell]
        chosen.append(rng.choice(np.flatnonzero(where), number, replace=False))
    rows, cols = np.unravel_index(np.concatenate(chosen), land.shape)
    lon, lat = domain.lonlat()
    flat = np.full(rows.size, 30, "float32")  # of texture and height nothing is read
    return StationSites(rows, cols, lon[cols], lat[rows], 10 * flat, flat, flat)


def main(demo: Path, to: Path) -> None:
    cube = open_cube(demo / "cube.zarr")
    truth = Truth.open(demo / "raw" / "truth.zarr", cube.domain)
    days = [day for day in days_done(demo / "mosaics", cube.domain.name, "netcdf") if day in truth.days]
    fields = np.stack([field for day in days if (field := truth.read(day)) is not None])
    if not (to / "l4").exists():
        write_products(to, cube.domain, days, np.nan_to_num(fields, nan=0.3))
        network = sites(cube.domain, cube.land().numpy() & np.isfinite(fields).all(0))
        at = fields[:, network.row, network.col]
        write_stations(to / "ismn", network, days, at, at, SEED)
    ssm_net.evaluate(
        ssm_net.EvaluateConfig(
            str(demo / "mosaics"), str(demo / "cube.zarr"), str(to / "report"), str(demo / "raw" / "truth.zarr"),
            str(to / "ismn"), baselines=["bilinear"], peers=[f"Song:{to / 'china'}", f"L4:{to / 'l4'}"],
        )
    )  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
