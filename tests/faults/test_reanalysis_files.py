"""Files of a reanalysis as they come: in pairs, of the hour before or since 00 UTC, six-hourly."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from ssm_net.grid import Domain
from ssm_net.ingest.catalog import Granule
from ssm_net.ingest.raster import GranuleError
from ssm_net.ingest.reanalysis import read_reanalysis

DOMAIN = Domain("part", (84, 88, 792, 796))
LAT, LON = np.arange(40.0, 29.0, -1.0), np.arange(110.0, 125.0)
DAY = dt.date(2016, 5, 3)
HOURS = np.arange(24)
AIR = 280.0 + HOURS
SUN = 3600.0 * np.maximum(0, 800 * np.cos((HOURS - 0.5 - 4) / 12 * np.pi))  # J m-2 of the hour before
SINCE = np.concatenate([[SUN.sum()], SUN[1:].cumsum()])  # since 00 UTC; 00:00 holds the day before
AT_SIX, WATTS = 286.0, SUN[6] / 3600


def write(path: Path, variables: dict[str, np.ndarray], hours: np.ndarray = HOURS, **attrs: str) -> Granule:
    dims = ("valid_time", "latitude", "longitude")
    units = {"t2m": "K", "ssrd": "J m**-2"}
    fields = {
        name: (dims, np.broadcast_to(v[:, None, None], (v.size, LAT.size, LON.size)), {"units": units[name]})
        for name, v in variables.items()
    }
    time = ("valid_time", np.asarray(hours), {"units": f"hours since {DAY}", "standard_name": "time"})
    xr.Dataset(fields, {"valid_time": time, "latitude": LAT, "longitude": LON}, attrs).to_netcdf(
        path, engine="h5netcdf"
    )
    return Granule("ERA5-Land", path, DAY, path.name)


def at_six(granules: list[Granule]) -> tuple[float, float, list[str]]:
    said: list[str] = []
    pair = read_reanalysis(granules, np.datetime64(f"{DAY}T06:10", "s"), DOMAIN, said.append)
    assert pair is not None
    return float(pair[0].mean()), float(pair[1].mean()), said


@pytest.mark.parametrize("first", ["instant", "accum"])
def test_E5_air_and_radiation_in_two_files(tmp_path, first):
    instant = write(tmp_path / "data_stream-oper_stepType-instant.nc", {"t2m": AIR})
    accum = write(tmp_path / "data_stream-oper_stepType-accum.nc", {"ssrd": SINCE})
    pair = [instant, accum] if first == "instant" else [accum, instant]
    assert at_six(pair) == (pytest.approx(AT_SIX), pytest.approx(WATTS, rel=1e-4), [])


@pytest.mark.parametrize(("sums", "name"), [(SINCE, "era5_land.nc"), (SUN, "era5.nc"), (SUN, "era5_land.nc"),
                                            (SINCE, "data.nc")])  # fmt: skip
def test_E9_the_values_tell_what_they_are_sums_of(tmp_path, sums, name):
    assert at_six([write(tmp_path / name, {"t2m": AIR, "ssrd": sums})]) == (
        pytest.approx(AT_SIX), pytest.approx(WATTS, rel=1e-4), []
    )  # fmt: skip


def test_E11_radiation_that_cannot_be_made_is_said(tmp_path):
    six = HOURS[::6]
    air, sun, said = at_six([write(tmp_path / "six.nc", {"t2m": AIR[six], "ssrd": SINCE[six]}, six)])
    assert air == pytest.approx(AT_SIX) and np.isnan(sun)
    assert len(said) == 1 and "radiation" in said[0] and "hourly" in said[0]
    air, sun, said = at_six([write(tmp_path / "era5_six.nc", {"t2m": AIR[six], "ssrd": SUN[six]}, six)])
    assert (air, sun, said) == (pytest.approx(AT_SIX), pytest.approx(WATTS, rel=1e-4), [])  # of the hour before


def test_an_hour_that_no_file_holds_is_said(tmp_path):
    said: list[str] = []
    granule = write(tmp_path / "six.nc", {"t2m": AIR[::6]}, HOURS[::6])
    assert read_reanalysis([granule], np.datetime64(f"{DAY}T09:00", "s"), DOMAIN, said.append) is None
    assert len(said) == 1 and "1.5 hours" in said[0]


def test_a_file_of_neither_is_refused_by_name(tmp_path):
    accum = write(tmp_path / "accum.nc", {"ssrd": SINCE})
    with pytest.raises(GranuleError, match=r"accum\.nc.*holds no air temperature"):
        at_six([accum])
