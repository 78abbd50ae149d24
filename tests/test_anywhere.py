"""The whole road where maps are awkward: across the dateline, in the far north and south, on an island."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import road
import xarray as xr

from ssm_net.config import TrainConfig, load
from ssm_net.evaluate.run import evaluate
from ssm_net.formats.mosaic_days import read_day
from ssm_net.grid import Domain
from ssm_net.infer.run import infer
from ssm_net.prepare.run import prepare
from ssm_net.simulate import simulate
from ssm_net.train.run import train

PLACES = {
    "across the dateline": ([336, 340, 962, 966], "2016-05-01", "2016-05-08"),
    "70 N in summer": ([8, 12, 548, 552], "2016-06-12", "2016-06-19"),
    "54 S": ([364, 368, 292, 296], "2016-12-20", "2016-12-27"),
}
ISLAND_KM = 15.0


def island(raw: Path, domain: Domain) -> None:
    """Sea everywhere but for a disk in one cell, which alone is observed."""
    lon, lat = domain.lonlat()
    middle = lon[90], lat[54]

    def distance(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.hypot((x[None] - middle[0]) * 111 * np.cos(np.radians(middle[1])), (y[:, None] - middle[1]) * 111)

    with rasterio.open(raw / "static" / "water_fraction.tif", "r+") as file:
        a, (height, width) = file.transform, file.shape
        x, y = a.c + a.a * (np.arange(width) + 0.5), a.f + a.e * (np.arange(height) + 0.5)
        file.write((distance(x, y) >= ISLAND_KM).astype(np.float32), 1)
    r0, r1, c0, c1 = domain.window
    cols = np.arange(c0, c1) % domain.grid.cols
    seen = distance(*domain.lonlat(coarse=True)) < ISLAND_KM + 10
    for path in (raw / "NNsm").glob("*.nc"):
        with xr.open_dataset(path, engine="h5netcdf") as file:
            whole = file.load()
        own = whole.soil_moisture.values[r0:r1, cols]
        whole.soil_moisture.values[r0:r1, cols] = np.where(seen, own, np.nan)
        path.unlink()
        whole.to_netcdf(path, engine="h5netcdf")


@pytest.mark.slow
@pytest.mark.parametrize("place", [*sorted(PLACES), "island"])
def test_maps_of_awkward_places(tmp_path: Path, place: str) -> None:
    window, start, end = PLACES["across the dateline" if place == "island" else place]
    where, raw, cube = {"name": "place", "window": window}, tmp_path / "raw", tmp_path / "cube.zarr"
    simulate(road.simulation(raw, domain=where, start=start, end=end))
    domain = Domain("place", tuple(window))  # type: ignore[arg-type]
    if place == "island":
        island(raw, domain)
    prepare(road.preparation(raw, cube, start, end, domain=where))
    train(load(TrainConfig, {"cube": str(cube), "run": str(tmp_path / "run")}))
    made = infer(road.inference(cube, tmp_path / "m", tmp_path / "run"))
    assert len(made) == 8
    ssm = read_day(tmp_path / "m" / f"ssm_place_{made[-1]:%Y%m%d}.nc").ssm
    truth = xr.open_zarr(raw / "truth.zarr", consolidated=False, chunks=None)
    if place == "island":
        assert np.isfinite(ssm).sum() == pytest.approx(np.pi * ISLAND_KM**2, rel=0.03)
    else:
        assert np.isfinite(ssm[truth.water.values < 0.5]).mean() > 0.99
    scores = evaluate(
        road.evaluation(tmp_path / "m", cube, tmp_path / "r", truth=str(raw / "truth.zarr"),
                        stations=str(raw / "ismn"), baselines=["bilinear"])
    )  # fmt: skip
    rmse = {row["method"]: row["RMSE"] for row in scores["truth"] if row["stratum"] == "all"}
    assert 0.01 < rmse["ssm_net"] < 0.8 * rmse["bilinear"]
