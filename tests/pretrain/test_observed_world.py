"""Worlds seen without files: what networks are trained on is what the files of the same world would have given."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import road
import torch

from ssm_net.cube.store import Cube
from ssm_net.formats.truth import Truth
from ssm_net.grid import Domain
from ssm_net.inputs import features
from ssm_net.inputs.reading import read_cells, read_coarse, read_stored, usable
from ssm_net.inputs.scaling import NO_FEATURES
from ssm_net.lst.gap_filling import SEEN
from ssm_net.prepare.run import prepare
from ssm_net.pretrain.observed_world import ObservedWorldDay, observed_days
from ssm_net.pretrain.worlds import FEATURE_NAMES
from ssm_net.simulate import simulate
from ssm_net.simulate.world.laws import laws_of
from ssm_net.simulate.world.traits import hour_on

FIRST, LAST = dt.date(2016, 5, 1), dt.date(2016, 5, 25)
SETTLED = 15  # days after which memories of the two, which begin under other noise, can be compared
WORLDS = [("DE", 3), ("AD", 1), ("CF", 2)]
# Of these each pixel has an error of its own, which the two roads to the 1 km grid smooth differently.
NOISY = [n for n in FEATURE_NAMES if n.startswith("lst_") and not n.endswith(("seen", "confidence"))]
# Where a cloud's edge, or the edge of a composite, falls within a pixel.
EDGES = [n for n in FEATURE_NAMES if n.endswith(("seen", "confidence"))]
FIELDS = [n for n in FEATURE_NAMES if n not in (*NOISY, *EDGES, "reflectance_age")]


@dataclass
class Agreement:
    """Of one world, with a value a day: correlations of features by pixels and by cells, the spread of the light road's
    pixels over that of the files, and the error of LST (K) by the files and by the light road."""

    pixels: dict[str, list[float]] = field(default_factory=dict)
    cells: dict[str, list[float]] = field(default_factory=dict)
    spread: dict[str, list[float]] = field(default_factory=dict)
    error: list[tuple[float, float]] = field(default_factory=list)

    def add_features(self, name: str, of_pixels: tuple[np.ndarray, ...], of_cells: tuple[np.ndarray, ...]) -> None:
        files, light = of_pixels
        assert np.mean(np.isfinite(files) != np.isfinite(light)) < 0.02, f"{name} is missing elsewhere"
        if files.std() > 1e-4:
            self.pixels.setdefault(name, []).append(correlation(files, light))
            self.spread.setdefault(name, []).append(float(np.nanstd(light) / np.nanstd(files)))
        if of_cells[0].std() > 1e-4:
            self.cells.setdefault(name, []).append(correlation(*of_cells))


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    known = np.isfinite(a) & np.isfinite(b)
    return float(np.corrcoef(a[known], b[known])[0, 1])


def light_days(family: str, seed: int) -> Iterator[ObservedWorldDay]:
    row, last_row, col, last_col = road.WINDOW
    domain = Domain("tiny", (row, last_row, col, last_col))
    return observed_days(family, seed, domain, FIRST, FIRST + dt.timedelta(SETTLED), LAST)


def agreement_of(family: str, seed: int, folder: Path) -> Agreement:
    """Both roads of a world; what has no noise of its own must be the same on either."""
    period = {"start": str(FIRST), "end": str(LAST)}
    raw = simulate(road.simulation(folder / "raw", **period, family=family, seed=seed))
    cube = prepare(road.preparation(raw, folder / "cube.zarr", **period))
    assert cube is not None
    truth, land, out = Truth.open(raw / "truth.zarr", cube.domain), cube.land().numpy(), Agreement()
    height, width = cube.domain.fine_shape
    for day in light_days(family, seed):
        coarse = read_coarse(cube, day.date, 1, NO_FEATURES)
        needs = usable(cube, FEATURE_NAMES)
        stored = read_stored(cube, day.date, (0, height, 0, width), needs, coarse.background).variables()
        pixels = [features.stack(FEATURE_NAMES, v).numpy() for v in (stored, day.fine)]
        cells = [read_cells(cube, day.date, FEATURE_NAMES).numpy(), features.stack(FEATURE_NAMES, day.cells).numpy()]
        for i, name in enumerate(FEATURE_NAMES):
            out.add_features(name, tuple(v[i][land] for v in pixels), tuple(v[i].ravel() for v in cells))
        torch.testing.assert_close(day.ssm, coarse.ssm[0], atol=2e-3, rtol=0, equal_nan=True)
        known = truth.read(day.date)
        assert (
            known is not None and float((day.truth - torch.from_numpy(known))[day.truth.isfinite()].abs().max()) < 0.01
        )
        out.error += errors_of_lst(cube, day, raw, family, seed, land)
    return out


def errors_of_lst(
    cube: Cube, day: ObservedWorldDay, raw: Path, family: str, seed: int, land: np.ndarray
) -> list[tuple[float, float]]:
    """Standard deviation of the error of clear-sky LST by the files and by the light road, K, thin clouds cut off."""
    import xarray as xr

    with xr.open_zarr(raw / "truth.zarr", consolidated=False) as stored:
        night, noon = (stored[f"lst_{k}"].sel(time=str(day.date)).values for k in ("night", "day"))
    traits = laws_of(family, seed).traits
    assert traits is not None
    true = night + hour_on(traits.thermal, day.date.toordinal()) * (noon - night)
    seen = (cube.read_packed("lst_day_lineage", day.date) == SEEN) & (day.fine["lst_day_seen"].numpy() > 0) & land
    if seen.sum() < 500:
        return []
    errors = ((lst - true)[seen] for lst in (cube.read("lst_day", day.date), day.fine["lst_day"].numpy()))
    files, light = (float(np.clip(e - np.median(e), -4, 4).std()) for e in errors)
    return [(files, light)]


@pytest.mark.slow
def test_worlds_without_files_show_what_their_files_give(tmp_path: Path) -> None:
    """Each feature, for pixels and cells. Printed: the means over the days, world by world."""
    ratios = []
    for family, seed in WORLDS:
        found = agreement_of(family, seed, tmp_path / f"{family}{seed}")
        pixels, cells, spread = (
            {n: float(np.mean(r)) for n, r in of.items()} for of in (found.pixels, found.cells, found.spread)
        )
        print(f"{family}{seed}: feature, r of pixels, r of cells, spread of pixels over that of files")
        for name in pixels:
            print(f"  {name:24s} {pixels[name]:6.3f} {cells.get(name, np.nan):6.3f} {spread[name]:6.3f}")
        files, light = np.mean(found.error, 0)
        print(f"  error of clear-sky LST by day: {files:.2f} K by files, {light:.2f} K without")
        ratios.append(light / files)
        assert all(pixels[n] > 0.85 for n in FIELDS if n in pixels), pixels
        assert all(pixels[n] > 0.8 for n in EDGES if n in pixels), pixels
        assert all(pixels[n] > 0.7 for n in NOISY if n in pixels), pixels
        assert all(cells[n] > 0.85 for n in FEATURE_NAMES if n in cells and n != "reflectance_age"), cells
        assert all(0.8 < s < 1.25 for n, s in spread.items() if n != "reflectance_age"), spread
    # A world's grid of LST is drawn; over worlds its error is that of files, neither smaller nor larger.
    assert 0.9 < np.mean(ratios) < 1.12 and all(0.8 < r < 1.25 for r in ratios), ratios
