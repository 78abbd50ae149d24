"""Composites: a pixel counts from the day on which it was seen, never before."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import viewfile

from ssm_net.config import PrepareConfig, load
from ssm_net.cube.store import Cube
from ssm_net.grid import Domain
from ssm_net.ingest.modis_tiles import tile_names
from ssm_net.prepare.run import prepare

ONE = dt.timedelta(1)
DOMAIN = Domain.from_bbox("place", (105, 25, 106, 26))
INDEX: dict[str, Any] = {"scale_factor": 10000.0, "valid_range": [-2000, 10000], "_FillValue": -3000}
SWIR: dict[str, Any] = {"scale_factor": 10000.0, "valid_range": [0, 10000], "_FillValue": -1000}


def mod13(raw: Path, start: dt.date, of_year: np.ndarray | int | None, red: float) -> None:
    """MOD13A2 of sixteen days from ``start`` on, seen on day ``of_year`` (by column, or everywhere)."""
    shape = (1200, 1200)

    def full(value: float) -> np.ndarray:
        return np.full(shape, round(value * 10000), np.int16)

    for tile in tile_names(DOMAIN):
        layers: dict[str, tuple[np.ndarray, dict[str, Any]]] = {
            "1 km 16 days NDVI": (full(0.5), INDEX), "1 km 16 days red reflectance": (full(red), SWIR),
            "1 km 16 days NIR reflectance": (full(0.3), SWIR), "1 km 16 days MIR reflectance": (full(0.2), SWIR),
            "1 km 16 days pixel reliability": (np.zeros(shape, np.uint8), {"valid_range": [0, 3]}),
        }  # fmt: skip
        if of_year is not None:
            days = np.broadcast_to(np.asarray(of_year, np.int16), shape).copy()
            layers["1 km 16 days composite day of the year"] = (days, {"valid_range": [1, 366], "_FillValue": -1})
        viewfile.write_tile(raw, "MOD13A2", start, tile, layers)


def made(raw: Path, cube: Path, start: dt.date, end: dt.date) -> Cube:
    keys = {"raw": str(raw), "cube": str(cube), "start": str(start), "end": str(end)}
    done = prepare(load(PrepareConfig, {**keys, "domain": {"name": "d", "window": list(DOMAIN.window)}}))
    assert done is not None
    return done


def test_M21_a_pixel_of_day_140_is_not_used_on_day_128(tmp_path: Path) -> None:
    start = dt.date(2016, 5, 7)  # day 128
    mod13(tmp_path / "raw", start, 140, 0.1)
    cube = made(tmp_path / "raw", tmp_path / "c.zarr", start, start + 14 * ONE)
    seen = start + 12 * ONE
    assert all(np.isnan(cube.read("red", start + n * ONE)).all() for n in range(12))
    for n in range(3):
        np.testing.assert_allclose(cube.read("red", seen + n * ONE), 0.1, atol=1e-3)
        assert (cube.read("reflectance_age", seen + n * ONE) == n).all()


def test_M21_each_pixel_has_the_day_on_which_it_was_seen(tmp_path: Path) -> None:
    """Days that were made at once and one after the other are the same; a composite that comes late, as all do in near
    real time, is used with its age."""
    start = dt.date(2016, 12, 18)  # the last sixteen days of a year end in the next
    columns = np.where(np.arange(1200) // 40 % 2, 364, 2)  # 29 December and 2 January
    mod13(tmp_path / "raw", start - 16 * ONE, 340, 0.05)  # 5 December, before the record begins
    mod13(tmp_path / "raw", start, columns, 0.1)
    first, last = dt.date(2016, 12, 28), dt.date(2017, 1, 4)
    at_once = made(tmp_path / "raw", tmp_path / "a.zarr", first, last)
    for n in range(3):
        by_parts = made(tmp_path / "raw", tmp_path / "b.zarr", first, first + (2, 5, 7)[n] * ONE)
    for day in at_once.days:
        red, age = at_once.read("red", day), at_once.read("reflectance_age", day)
        np.testing.assert_array_equal(by_parts.read("red", day), red)
        np.testing.assert_array_equal(by_parts.read("reflectance_age", day), age)
        late, early = (day - dt.date(2017, 1, 2)).days, (day - dt.date(2016, 12, 29)).days
        new = np.abs(red - 0.1) < 1e-3
        assert new.any() == (early >= 0) and new.all() == (late >= 0)
        assert set(np.unique(age[new])) <= {max(late, 0), early}
        assert set(np.unique(age[~new])) <= {(day - dt.date(2016, 12, 5)).days}


@pytest.mark.parametrize("layer", [True, False], ids=["with its days", "without"])
def test_near_real_time_uses_a_composite_when_it_comes(
    tmp_path: Path, layer: bool, caplog: pytest.LogCaptureFixture
) -> None:
    start = dt.date(2016, 5, 7)
    mod13(tmp_path / "raw", start - 16 * ONE, 120, 0.05)  # 29 April
    day = start + 20 * ONE
    made(tmp_path / "raw", tmp_path / "c.zarr", day, day)
    mod13(tmp_path / "raw", start, 140 if layer else None, 0.1)
    cube = made(tmp_path / "raw", tmp_path / "c.zarr", day, day + 2 * ONE)
    assert (cube.read("reflectance_age", day) == 28).all()
    np.testing.assert_allclose(cube.read("red", day + ONE), 0.1, atol=1e-3)
    seen = dt.date(2016, 5, 19) if layer else start + 15 * ONE
    assert (cube.read("reflectance_age", day + ONE) == (day + ONE - seen).days).all()
    assert (cube.read("reflectance_age", day + 2 * ONE) == (day + 2 * ONE - seen).days).all()
    assert ("from the last day of the composite" in caplog.text) == (not layer)
