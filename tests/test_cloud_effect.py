"""What cloud does to LST: the climate's effect, that of a reanalysis, and where it is added."""

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from ssm_net import cloud_effect
from ssm_net.cloud_effect import Air, air_effect, clear_sky_radiation, climate_effect, excess_of
from ssm_net.grid import Domain
from ssm_net.ingest.catalog import Granule
from ssm_net.ingest.raster import GranuleError
from ssm_net.ingest.reanalysis import overpass, read_reanalysis

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
    region, air = whole(310.0), Air(whole(298.0), whole(0.4))
    effect, error = air_effect("day", air, region, whole(14.0), seen=whole(0.0))
    assert torch.allclose(region + effect, whole(298.0 + 0.4 * 14.0))
    assert bool((error > 0).all())
    half = air_effect("day", Air(whole(298.0), whole(0.7)), region, whole(14.0), seen=whole(0.5))[0]
    assert torch.allclose(half, effect)  # half of the cell is clear: the other half has 0.4 of the sun
    night = air_effect("night", Air(whole(285.0), None), whole(280.0), whole(-5.0), whole(0.0))[0]
    assert torch.allclose(night, whole(285.0 - 5.0 * cloud_effect.NIGHT_KEPT - 280.0))


def test_the_excess_over_the_air_is_learned_in_the_clear_and_kept_under_cloud():
    none = excess_of(None, 1, whole(310.0), whole(300.0), whole(0.0))
    assert bool(none.isnan().all())
    first = excess_of(none, 1, whole(310.0), whole(300.0), whole(1.0))
    assert torch.allclose(first, whole(10.0))
    kept = excess_of(first, 1, whole(310.0), whole(290.0), whole(0.0))
    assert torch.allclose(kept, whole(10.0))
    moved = excess_of(first, 1, whole(310.0), whole(290.0), whole(1.0))
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
    when = overpass(day, 13.5, 110.0)
    assert str(when) == "2016-05-02T06:10:00"
    air, sun = read_reanalysis([granule], when, domain)
    assert air.shape == domain.coarse_shape
    np.testing.assert_allclose(air, 286.0)
    np.testing.assert_allclose(sun, 600.0, rtol=1e-5)  # the sixth hour: 100 W m-2 an hour of the day
    assert read_reanalysis([granule], overpass(day, 1.5, 110.0), domain) is None  # of the UTC day before


def test_without_radiation_there_is_air_alone_and_degrees_celsius_are_refused(tmp_path):
    day, domain = dt.date(2016, 5, 2), Domain("tiny", (70, 74, 774, 778))
    granule = file(tmp_path / "a_20160502.nc", day, sun=False)
    air, sun = read_reanalysis([granule], overpass(day, 13.5, 110.0), domain)
    assert np.isfinite(air).all()
    assert np.isnan(sun).all()
    cold = file(tmp_path / "b_20160502.nc", day, units=-273.15)
    with pytest.raises(GranuleError, match="not kelvins"):
        read_reanalysis([cold], overpass(day, 13.5, 110.0), domain)
