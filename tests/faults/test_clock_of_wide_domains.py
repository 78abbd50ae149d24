"""Domains of several hours of local solar time: rain and air of each place are those of its own night and noon."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
import viewfile
import xarray as xr

from ssm_net.core.clock import HOURS, NIGHT_HOUR, hour_bands
from ssm_net.cube.spacing import spacing, stored_shape
from ssm_net.grid import Domain
from ssm_net.prepare.read_day import read_granules

DAY, ONE = viewfile.DAY, dt.timedelta(1)
HERE = {"one hour": (60, 64, 740, 776), "China": (60, 64, 676, 848), "across the dateline": (60, 64, 900, 1020)}


def curve(hours: np.ndarray) -> np.ndarray:
    """The rain of all places since some moment, mm: it grows faster and faster."""
    return 0.01 * (hours + 100) ** 2


def hourly(raw: Path, day: dt.date) -> None:
    """Rain and air temperature around the globe, hour by hour of a UTC day, the same everywhere at a moment."""
    since = 24 * (day - DAY).days + np.arange(24)
    lat, lon = np.arange(55, 35, -2.5), np.arange(-178.75, 180, 2.5)
    midnight = 24 * (DAY - dt.date(1970, 1, 1)).days
    units = {"units": "hours since 1970-01-01 00:00:00"}

    def everywhere(values: np.ndarray) -> np.ndarray:
        return np.broadcast_to(values.astype(np.float32)[:, None, None], (24, lat.size, lon.size))

    bounds = np.stack([since, since + 1], 1) + midnight
    for folder, name, values, of in (
        ("precip", "precipitation", curve(since + 1.0) - curve(since + 0.0), {"units": "mm"}),
        ("ERA5-Land", "t2m", 280 + 0.1 * since, {"units": "K"}),
    ):
        (raw / folder).mkdir(parents=True, exist_ok=True)
        data = {name: (("time", "lat", "lon"), everywhere(values), of), "time_bnds": (("time", "nv"), bounds)}
        time = ("time", since + midnight, units | {"bounds": "time_bnds"})
        dataset = xr.Dataset(data, {"time": time, "lat": lat, "lon": lon})
        dataset.to_netcdf(raw / folder / f"{name}_{day:%Y%m%d}.nc", engine="h5netcdf")


@pytest.mark.parametrize("place", sorted(HERE))
def test_rain_and_air_are_of_the_local_night(tmp_path: Path, place: str) -> None:
    domain = Domain("d", HERE[place])  # type: ignore[arg-type]
    for n in (-2, -1, 0, 1):
        hourly(tmp_path, DAY + n * ONE)
    viewfile.write_views(tmp_path, "MYD11A1", DAY, Domain("other", (60, 64, 676, 680)), 280.0, 1.5)
    plan = viewfile.planned(tmp_path, domain)
    got = read_granules(plan)
    lon = domain.lonlat()[0].reshape(-1, spacing("rain", domain.ratio)).mean(1)
    night = NIGHT_HOUR - lon / 15
    wanted = curve(night) - curve(night - 24)
    assert got.rain is not None and got.rain.shape == stored_shape("rain", domain)
    hour = np.ptp(curve(np.array([0.0, 1.0]))) - np.ptp(curve(np.array([-24.0, -23.0])))  # more rain an hour later
    assert np.abs(got.rain - wanted).max() < 0.6 * hour
    if place != "one hour":  # every column on its own clock, but for the mesh of the file
        assert np.abs(got.rain - wanted).max() < 0.1 * hour
    at = domain.lonlat(coarse=True)[0]
    for overpass, local in HOURS.items():
        air = got.air[overpass]
        assert air is not None
        hours_off = (air[0] - 280) / 0.1 - (local - at / 15)
        assert np.abs(hours_off).max() < 1.01, "half an hour of the band, half of the steps"


def test_bands_are_at_most_an_hour_wide() -> None:
    lon = np.linspace(73, 136, 172)
    bands = hour_bands(lon)
    assert [s.start for s, _ in bands] == [0, *(s.stop for s, _ in bands[:-1])] and bands[-1][0].stop == 172
    assert all(np.abs(lon[s] - middle).max() <= 7.6 for s, middle in bands) and len(bands) == 5
