"""What cloud does to LST: the climate's effect, that of a reanalysis, and where it is added."""

import datetime as dt
import shutil
from pathlib import Path

import numpy as np
import pytest
import road
import torch
import xarray as xr

from ssm_net.core.clock import overpass_utc
from ssm_net.cube.store import open_cube
from ssm_net.grid import Domain
from ssm_net.ingest.catalog import Granule
from ssm_net.ingest.raster import GranuleError
from ssm_net.ingest.reanalysis import read_reanalysis
from ssm_net.inputs.reading import all_weather
from ssm_net.lst import cloud_effect
from ssm_net.lst.cloud_effect import (
    CONTRAST,
    Air,
    air_effect,
    clear_sky_radiation,
    climate_effect,
    contrast_under_cloud,
    minus_air_of,
)
from ssm_net.prepare.run import prepare

CELLS = (2, 3)


def whole(value: float) -> torch.Tensor:
    return torch.full(CELLS, value)


def test_cloud_cools_the_day_most_in_summer_and_warms_the_night():
    june, january = dt.date(2016, 6, 10), dt.date(2016, 1, 10)
    north, south = whole(38.0), whole(-38.0)
    day = [float(climate_effect("day", d, north)[0].mean()) for d in (june, january)]
    assert day[0] < -8 < day[1] < 0
    assert float(climate_effect("day", june, south)[0].mean()) > float(climate_effect("day", january, south)[0].mean())
    assert float(climate_effect("night", june, north)[0].mean()) > 0


def test_the_ground_under_cloud_lies_between_the_air_and_clear_ground():
    background, air = whole(310.0), Air(whole(298.0), whole(0.4))
    effect, error = air_effect("day", air, background, whole(14.0), seen=whole(0.0))
    assert torch.allclose(background + effect, whole(298.0 + 0.4 * 14.0))
    assert bool((error > 0).all())
    half = air_effect("day", Air(whole(298.0), whole(0.7)), background, whole(14.0), seen=whole(0.5))[0]
    assert torch.allclose(half, effect)  # half of the cell is clear: the other half has 0.4 of the sun
    night = air_effect("night", Air(whole(285.0), None), whole(280.0), whole(-5.0), whole(0.0))[0]
    assert torch.allclose(night, whole(285.0 - 5.0 * cloud_effect.NIGHT_KEPT - 280.0))


def test_lst_minus_air_is_learned_under_a_clear_sky_and_kept_under_cloud():
    none = minus_air_of(None, 1, whole(310.0), whole(300.0), whole(0.0))
    assert bool(none.isnan().all())
    first = minus_air_of(none, 1, whole(310.0), whole(300.0), whole(1.0))
    assert torch.allclose(first, whole(10.0))
    kept = minus_air_of(first, 1, whole(310.0), whole(290.0), whole(0.0))
    assert torch.allclose(kept, whole(10.0))
    moved = minus_air_of(first, 1, whole(310.0), whole(290.0), whole(1.0))
    assert 10 < float(moved.mean()) < 20


def test_the_sun_of_a_clear_noon():
    noon = clear_sky_radiation(torch.tensor([40.0]), dt.date(2016, 6, 21), 12.0)
    assert float(noon) == pytest.approx(950, abs=60)
    assert float(clear_sky_radiation(torch.tensor([40.0]), dt.date(2016, 6, 21), 1.0)) == 0


def file(path: Path, day: dt.date, units: float = 0.0, hours: int = 24, sun: bool = True) -> Granule:
    domain = Domain("tiny", (70, 74, 774, 778))
    west, south, east, north = domain.bounds_lonlat()
    lat, lon = np.arange(north + 0.3, south - 0.3, -0.1), np.arange(west - 0.3, east + 0.3, 0.1)
    time = np.datetime64(day, "ns") + np.arange(hours) * np.timedelta64(3600, "s")
    hour = np.arange(hours)[:, None, None] * np.ones((1, lat.size, lon.size))
    data = {"t2m": (("valid_time", "latitude", "longitude"), (280 + hour + units).astype("float32"))}
    if sun:
        data["ssrd"] = (("valid_time", "latitude", "longitude"), (3600 * 100 * hour * (hour + 1) / 2).astype("float32"))
    xr.Dataset(data, {"valid_time": time, "latitude": lat, "longitude": lon}).to_netcdf(path, engine="h5netcdf")
    return Granule("ERA5-Land", path, day, path.name)


def test_the_hour_of_the_overpass_is_read_and_radiation_is_taken_apart(tmp_path):
    day, domain = dt.date(2016, 5, 2), Domain("tiny", (70, 74, 774, 778))
    granule = file(tmp_path / "era5_land_20160502.nc", day)
    when = overpass_utc(day, 110.0, 13.5)
    assert str(when) == "2016-05-02T06:10:00"
    air, sun = read_reanalysis([granule], when, domain)
    assert air.shape == domain.coarse_shape
    np.testing.assert_allclose(air, 286.0)
    np.testing.assert_allclose(sun, 600.0, rtol=1e-5)  # the sixth hour: 100 W m-2 an hour of the day
    assert read_reanalysis([granule], overpass_utc(day, 110.0), domain) is None  # of the UTC day before


def test_without_radiation_there_is_air_alone_and_degrees_celsius_are_refused(tmp_path):
    day, domain = dt.date(2016, 5, 2), Domain("tiny", (70, 74, 774, 778))
    granule = file(tmp_path / "a_20160502.nc", day, sun=False)
    air, sun = read_reanalysis([granule], overpass_utc(day, 110.0, 13.5), domain)
    assert np.isfinite(air).all()
    assert np.isnan(sun).all()
    cold = file(tmp_path / "b_20160502.nc", day, units=-273.15)
    with pytest.raises(GranuleError, match="likely degrees C"):
        read_reanalysis([cold], overpass_utc(day, 110.0, 13.5), domain)


def test_cloud_leaves_the_surroundings_and_a_part_of_the_contrasts():
    clear, around = torch.tensor([300.0, 310.0]), torch.tensor([305.0, 305.0])
    day, night = (contrast_under_cloud(k, clear, around) for k in ("day", "night"))
    assert torch.allclose(day, 305 + CONTRAST["day"] * torch.tensor([-5.0, 5.0]))
    assert bool(((day - 305).abs() < (night - 305).abs()).all()) and bool(((night - 305).abs() < 5.0).all())


@pytest.mark.parametrize("k", ["day", "night"])
def test_lst_under_cloud_comes_near_to_the_truth_and_its_error_is_stated(tiny_raw: Path, tiny_cube_path: Path, k: str):
    """What was seen stays as it is; under cloud neither the day's warm bias nor the night's cold one is left."""
    cube = open_cube(tiny_cube_path)
    truth = xr.open_zarr(tiny_raw / "truth.zarr", consolidated=False, chunks=None)
    land = cube.land().numpy()
    whole_domain = (0, land.shape[0], 0, land.shape[1])
    clear, made, stated = [], [], []
    for day in cube.days[2:]:
        lst, sigma, lineage = all_weather(cube, day, k, whole_domain)
        hidden = (lineage > 1) & land
        np.testing.assert_array_equal(lst[lineage == 0], cube.read(f"lst_{k}", day)[lineage == 0])
        true = truth[f"lst_{k}"].sel(time=str(day)).values
        clear.append((cube.read(f"lst_{k}", day) - true)[hidden])
        made.append((lst - true)[hidden])
        stated.append(sigma[hidden])
    before, after, sigma = (np.concatenate(x) for x in (clear, made, stated))
    assert np.sqrt((after**2).mean()) < 0.8 * np.sqrt((before**2).mean())
    # The climate's effect is off by a factor that is one world's: all lies within sigma, or little more than half.
    assert (np.abs(after) <= sigma).mean() > 0.4
    assert np.sqrt((sigma**2).mean()) < 4 * np.sqrt((after**2).mean())


def test_soil_moisture_never_enters(tiny_raw: Path, tiny_cube_path: Path, tmp_path: Path):
    """Without any observation of it the LST of a cube is the same, bit for bit; so it is from two days alone."""
    raw = road.linked(tiny_raw, tmp_path / "raw")
    shutil.rmtree(raw / "NNsm")
    cube = prepare(road.preparation(raw, tmp_path / "cube.zarr", end="2016-05-02"))
    assert cube is not None and "ssm" not in cube.coarse
    whole_cube = open_cube(tiny_cube_path)
    for day in cube.days:
        for name in (v for v in cube.fine if v.startswith("lst_")):
            np.testing.assert_array_equal(cube.read_packed(name, day), whole_cube.read_packed(name, day))
