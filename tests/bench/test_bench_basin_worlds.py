"""Means over basins of thinned worlds: the maps are those of ``infer``, and thinning is all that was done to them."""

import datetime as dt
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from ssm_net.formats.mosaic_days import Mosaic, write_day
from ssm_net.formats.product import Flag
from ssm_net.grid import M36, Domain

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))  # scripts, not a package
import basin_worlds
from family_worlds import DayMap

import extract as basins

DAY = dt.date(2016, 1, 1)
ATTRS = {"uncertainty_region": 0.01, "uncertainty_cell_observed": 0.25, "uncertainty_cell_gap": 0.6}


def test_a_map_of_a_world_states_the_parts_of_its_error() -> None:
    shape = basin_worlds.THINNED.fine_shape
    truth = torch.full(shape, 0.3)
    truth[:5] = torch.nan
    observed = torch.zeros(shape, dtype=torch.bool)
    observed[:, 24:] = True
    mean, shared, local = (torch.full(shape, v) for v in (0.25, 0.0004, 0.0012))
    made = basin_worlds.mosaic_of(DAY, DayMap(mean, shared, local, truth, mean, observed, observed, mean, mean))
    level = basin_worlds.LEVEL
    assert np.isnan(made.ssm[:5]).all() and np.isnan(made.sigma[:5]).all() and made.ssm[5, 0] == np.float32(0.25)
    assert made.sigma[5, 0] == pytest.approx((0.0016 + level**2) ** 0.5)
    assert (made.flags[:, 24:] == Flag.COARSE_OBSERVED).all() and (made.flags[:, :24] == Flag.ORBIT_GAP_FILLED).all()
    assert made.attrs == {
        "uncertainty_region": level, "uncertainty_cell_observed": 0.25, "uncertainty_cell_gap": 0.25,
    }  # fmt: skip


def test_thinned_maps_and_thinned_pixels_of_whole_maps_have_the_same_means(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    whole = Domain("whole", (60, 64, 764, 768))
    thinned = Domain("thinned", whole.window, basin_worlds.THINNED.grid)
    step = M36.ratio // thinned.ratio
    at = (slice(step // 2, None, step),) * 2
    ssm, sigma, truth = (rng.uniform(low, high, whole.fine_shape).astype("float32")
                         for low, high in ((0.2, 0.3), (0.03, 0.05), (0.2, 0.3)))  # fmt: skip
    flags = np.full(whole.fine_shape, Flag.COARSE_OBSERVED, np.uint16)
    z = []
    for domain, cut in ((whole, (slice(None),) * 2), (thinned, at)):
        home = tmp_path / domain.name
        write_day(Mosaic(DAY, domain, ssm[cut], sigma[cut], flags[cut], dict(ATTRS)), home / "mosaics", "netcdf")
        known = basin_worlds.ThinnedTruth({DAY: truth[cut]})
        z.append(basins.z_scores(home, known, 2, thinning=step))
    assert sum(len(values) for values in z[0].values()) >= 8
    for radius, values in z[0].items():
        np.testing.assert_allclose(values, z[1][radius], rtol=1e-3)


def test_a_range_is_chosen_without_the_family_that_it_is_judged_in() -> None:
    held = {"A0": (0.7, 0.9), "B0": (0.9, 0.95)}
    rows = [{"world": name, "by range": {"25 km": low, "50 km": high}} for name, (low, high) in held.items()]
    assert basin_worlds.chosen_by_others(rows) == {
        "A": {"range": "25 km", "all": 0.7}, "B": {"range": "50 km", "all": 0.95},
    }  # fmt: skip


def test_errors_that_neighbours_share_have_large_products() -> None:
    side = basin_worlds.CELLS
    by_pairs = np.repeat([1.0, 1.0, -1.0, -1.0] * (side // 4), 6)  # two cells alike, the next two the other way
    error = np.broadcast_to(0.02 * by_pairs, basin_worlds.THINNED.fine_shape)
    sigma = np.full(error.shape, np.hypot(0.04, basin_worlds.LEVEL))
    flags = np.full(error.shape, Flag.COARSE_OBSERVED, np.uint16)
    ssm, sigma = (field.astype("float32") for field in (0.2 + error, sigma))
    made = Mosaic(DAY, basin_worlds.THINNED, ssm, sigma, flags, ATTRS)
    at = basin_worlds.products(made, np.full(error.shape, 0.2))
    assert at[0] == pytest.approx(1, rel=1e-3)  # a quarter of the variance of 0.04 is that of 0.02
    assert at[2] < at[1] < at[0]
