"""The readers get back what the world's writers put down: at the right place, on the right day."""

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from tinyworld import WINDOW, settings

from ssm_net.config import PrepareConfig, load
from ssm_net.grid import Domain
from ssm_net.ingest.catalog import list_granules
from ssm_net.ingest.static import read_static
from ssm_net.prepare.products import choose_sources
from ssm_net.prepare.read_day import read_day, task
from ssm_net.stations.ismn import read_stations

DOMAIN = Domain("tiny", WINDOW)
DAY = dt.date(2016, 5, 2)


@pytest.fixture(scope="module")
def days(world: Path) -> dict:
    """What the readers make of the second and the first day."""
    asked = settings(world)
    keys = {"raw": str(world), "cube": "unused", "start": asked.start, "end": asked.end}
    cfg = load(PrepareConfig, {**keys, "domain": {"name": "tiny", "window": list(WINDOW)}})
    one = dt.timedelta(1)
    found = list_granules(world, (dt.date.fromisoformat(asked.start) - one, dt.date.fromisoformat(asked.end) + one))
    sources = choose_sources(cfg, found)
    return {day: read_day(task(cfg, DOMAIN, found, sources, day)) for day in (DAY, DAY - one)}


@pytest.fixture(scope="module")
def truth(world: Path) -> xr.Dataset:
    return xr.open_zarr(world / "truth.zarr", consolidated=False, chunks=None).load()


def test_nothing_is_refused(days: dict) -> None:
    assert [day.problems for day in days.values()] == [(), ()]


@pytest.mark.parametrize("part", ["day", "night"])
def test_lst(days: dict, truth: xr.Dataset, part: str) -> None:
    """Closer to the truth of its own day and place than to the day after or to the pixels beside."""
    lst, sigma = days[DAY].lst[part]
    seen = np.isfinite(lst)
    assert (np.isfinite(sigma) == seen).all()
    clear = truth[f"clear_{part}"].sel(time=str(DAY)).values
    assert (seen == clear).mean() > 0.95
    true = truth[f"lst_{part}"].sel(time=str(DAY)).values
    good = seen & clear

    def spread(other: np.ndarray) -> float:
        error = (lst - other)[good]
        return float(np.median(np.abs(error - np.median(error))))

    here = spread(true)
    assert abs(np.median((lst - true)[good])) < 1.5 and here < 1.0
    after = truth[f"lst_{part}"].sel(time=str(DAY + dt.timedelta(1))).values
    assert here < spread(after)
    for axis in (0, 1):
        for step in (-2, 2):
            assert here < spread(np.roll(true, step, axis))


def test_reflectance(days: dict, truth: xr.Dataset) -> None:
    fields = days[DAY - dt.timedelta(1)].reflectance
    assert set(fields) == {"red", "nir", "swir1", "swir2", "quality"}
    red, nir = fields["red"], fields["nir"]
    seen = np.isfinite(red)
    assert seen.mean() > 0.5 and (red[seen] > 0).all() and (nir[seen] < 0.8).all()
    # Lakes are where they should be: dark in the near infrared.
    water = truth.water.values
    if (lake := seen & (water > 0.95)).sum() > 10:
        assert np.median(nir[lake]) < 0.5 * np.median(nir[seen & (water == 0)])


def test_coarse(days: dict, truth: xr.Dataset) -> None:
    seen = days[DAY - dt.timedelta(1)].ssm.ssm
    mean = np.nanmean(truth.ssm.values[0].reshape(4, 36, 4, 36), (1, 3))
    assert np.isfinite(seen).any(), "choose a day that is not a gap"
    assert np.sqrt(np.nanmean((seen - mean) ** 2)) < 0.08


def test_rain(days: dict, world: Path) -> None:
    """The rain of the whole interval is counted, no more and no less."""
    for day, got in days.items():
        ds = xr.open_dataset(world / "precip" / f"precip_{day:%Y%m%d}.nc")
        assert np.isfinite(got.rain).all()
        inside = ds.precipitation.isel(time=0)[1:-1, 1:-1]
        assert got.rain.mean() == pytest.approx(float(inside.mean()), rel=0.15, abs=0.02)


def test_static(world: Path, truth: xr.Dataset) -> None:
    fields = read_static(world, DOMAIN.fine)
    assert {"elevation", "sand", "clay", "water_fraction"} <= set(fields)
    error = fields["water_fraction"] - truth.water.values
    assert np.isfinite(error).all() and np.abs(error).mean() < 0.01
    assert np.corrcoef(fields["water_fraction"].ravel(), truth.water.values.ravel())[0, 1] > 0.9


def test_stations(world: Path) -> None:
    found = read_stations(world / "ismn")
    assert len(found) == 4 and {s.network for s in found} == {"SYNTH"}
    for station in found:
        assert station.depth_to <= 0.05 and station.time.size > 50
        assert station.time[0] < np.datetime64("2016-05-01") and station.time[-1] > np.datetime64("2016-05-04")
        assert 0 < station.value.min() and station.value.max() < 0.6
