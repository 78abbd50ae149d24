"""Worlds all over the Earth down the road to the day's LST: it fits the truth of its own day best."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import viewfile
import xarray as xr
from rich.console import Console

from ssm_net.grid import Domain
from ssm_net.prepare.read_day import read_granules
from ssm_net.simulate.native_files import Content, write_world
from ssm_net.simulate.world.land import make_land
from ssm_net.simulate.world.laws import laws_of
from ssm_net.simulate.world.observe import Observer

DAY, ONE = dt.date(2016, 1, 11), dt.timedelta(1)
PLACES = {
    "10 E": (68, 72, 508, 512),
    "across 22.5 E": (68, 72, 540, 544),
    "100 W": (68, 72, 212, 216),
    "172 E": (336, 340, 940, 944),
    "beside the dateline": (336, 340, 960, 964),
    "across the dateline": (336, 340, 962, 966),
    "35 S": (320, 324, 872, 876),
}
ONE_DRIFT = {"hour": 0.8, "drift": -0.1}
SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("place", "thermal"),
    [
        pytest.param("across 22.5 E", {"hour": 1.0, "drift": 0.0}, id="across 22.5 E"),
        pytest.param("172 E", ONE_DRIFT, id="172 E, drifting", marks=SLOW),
        *(
            pytest.param(place, {"hour": 1.0, "drift": 0.0}, id=place, marks=SLOW)
            for place in PLACES
            if place[0] != "a" or "dateline" in place
        ),
    ],
)
def test_lst_fits_the_truth_of_its_own_day_best(tmp_path: Path, place: str, thermal: dict[str, float]) -> None:
    """Aqua's LST, and beside it that of VIIRS and of Terra, whose night is the evening before."""
    domain, raw = Domain("place", PLACES[place]), tmp_path / "raw"
    raw.mkdir()
    laws: Any = replace(laws_of("D", 3), cloud_cover=0.1, lst_error=0.3)
    traits = replace(laws.traits, thermal=replace(laws.traits.thermal, **thermal))
    laws = replace(laws, traits=traits)
    observer = Observer(make_land(domain, laws, 3), laws, 3)
    content = Content(DAY - ONE, DAY + ONE, record=False, auxiliary=True, sensors="both")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ssm_net.simulate.world.days.ROOT_SPIN_UP", 0)
        patch.setattr("ssm_net.simulate.native_files.SPIN_UP", 3)
        patch.setattr("ssm_net.simulate.world.days.SPIN_UP", 3)
        write_world(raw, observer, content, Console(quiet=True))
    read = read_granules(viewfile.planned(raw, domain, DAY))
    truth = xr.open_zarr(raw / "truth.zarr", consolidated=False, chunks=None).load()
    halves = np.array_split(np.arange(domain.fine_shape[1]), 2)  # either side of a line between two days
    for part in ("night", "day"):
        of_platforms = {"aqua": read.lst[part], **read.other_lst[part]}
        assert set(of_platforms) == {"aqua", "snpp", "noaa-20", "terra"}
        for platform, got in of_platforms.items():
            assert got is not None and np.isfinite(got[0]).mean() > 0.05, platform
            for half in halves:
                errors = {}
                for n in (-1, 0, 1):
                    error = got[0][:, half] - truth[f"lst_{part}"].sel(time=str(DAY + n * ONE)).values[:, half]
                    errors[n] = np.nanmedian(np.abs(error - np.nanmedian(error)))
                assert errors[0] < min(errors[-1], errors[1]), (place, part, platform)
