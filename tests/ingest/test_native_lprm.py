"""A native file of LPRM: the right band, place, unit, error and night."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import h5py
import numpy as np
import pytest
from pyproj import Transformer

from ssm_net.grid import Domain
from ssm_net.ingest.lprm import read_lprm


@pytest.mark.real
def test_real_lprm(real_dir: Path) -> None:
    """A native file of AMSR2 at known cells: the right band, place, unit, error and night."""
    path = next((real_dir / "amsr2_lprm").glob("LPRM-AMSR2_L3_D_*.nc4"))
    china, april = Domain("china", (36, 144, 676, 848)), dt.date(2015, 4, 1)
    assert np.isnan(read_lprm(path, china, april)[0]).all()  # their nights of the 1st lie in the file before
    ssm, sigma, hours = read_lprm(path, china, april + dt.timedelta(1))
    seen = np.isfinite(ssm)
    assert 0.2 < seen.mean() < 0.35 and np.nanmax(ssm) <= 0.7 and np.nanmin(ssm) > 0
    assert np.nanmin(sigma) >= 0.004 and np.nanmax(sigma) <= 0.21 and (np.isfinite(sigma) == seen).all()
    assert np.abs(hours[seen]).max() < 2  # within two hours of 01:30
    with h5py.File(path) as file:
        layer = {n: file[n][:].T for n in ("soil_moisture_c1", "soil_moisture_c1_error", "mask", "frequency_map")}
    assert (layer["soil_moisture_c1"][187, 1168], layer["frequency_map"][187, 1168]) == (26, 69)  # 43.125 N, 112.125 E
    good = (layer["mask"] & 0b1101000000 == 0) & (layer["frequency_map"] == 69)
    good &= (layer["soil_moisture_c1"] > 0) & (layer["soil_moisture_c1"] <= 70)
    good &= (layer["soil_moisture_c1_error"] >= 0) & (layer["soil_moisture_c1_error"] <= 20)
    # The mean of a coarse cell from points in it, each looked up in the file by its latitude and longitude.
    to_deg = Transformer.from_crs(china.grid.crs, "EPSG:4326", always_xy=True)
    steps = (np.arange(360) + 0.5) / 360 * china.grid.cell
    checked = 0
    for row, col in np.argwhere(seen)[::37]:
        x = china.grid.left + (china.window[2] + col) * china.grid.cell + steps
        y = china.grid.top - (china.window[0] + row) * china.grid.cell - steps
        lon, lat = to_deg.transform(x, 0 * x)[0], to_deg.transform(0 * y, y)[1]
        at = np.ix_(np.floor((90 - lat) / 0.25).astype(int), np.floor((lon + 180) / 0.25).astype(int))
        if (layer["frequency_map"][at] == 69).all() and good[at].mean() > 0.3:
            assert ssm[row, col] == pytest.approx(layer["soil_moisture_c1"][at][good[at]].mean() / 100, abs=0.003)
            checked += 1
    assert checked > 50
