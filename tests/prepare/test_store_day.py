"""One day into the cube: ages, rain indices and memories that a gap in the record must not falsify, and observations
that are not there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ssm_net.cube.layout import CubeLayout, create_cube
from ssm_net.cube.lock import CubeLock, write_lock
from ssm_net.cube.spacing import stored_shape
from ssm_net.cube.store import Cube
from ssm_net.cube.variables import API_DAYS
from ssm_net.grid import Domain
from ssm_net.ingest.ssm import CoarseSSM
from ssm_net.prepare.antecedent_rain import RainSum, fading
from ssm_net.prepare.intercalibration import Intercalibration
from ssm_net.prepare.products import CubeProducts
from ssm_net.prepare.read_day import ObservedDay
from ssm_net.prepare.store_day import OLDEST, LandSurface, store_day

DOMAIN = Domain("t", (64, 68, 772, 776))
FIRST = dt.date(2016, 5, 1)
PRODUCTS = CubeProducts(("NNsm",), ("MYD11A1",), ("MCD43A4",), ("precip",))
ATTRS = {"memory_days": 4.0, "memory_background": 2.0, "footprint": "gaussian", "fwhm_km": 43.0}
LEFT, RIGHT = np.s_[:, :72], np.s_[:, 72:]


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[CubeLock]:
    with write_lock(tmp_path / "c.zarr") as lock:
        yield lock


def field(value: float) -> np.ndarray:
    return np.full(DOMAIN.fine_shape, value, "float32")


def rain_of(mm: float) -> np.ndarray:
    """A day's rain in its own spacing."""
    return np.full(stored_shape("rain", DOMAIN), mm, "float32")


def fell(mm: float, days: int = 1, known: bool = True) -> RainSum:
    """Rain since the last stored day, ``days`` before: ``mm`` everywhere, or of the last of them nothing is known."""
    unknown = {name: 0.0 if known else 1 - fading(name) for name in API_DAYS}
    return RainSum(dict.fromkeys(API_DAYS, rain_of(mm)) if known else {}, unknown, known, days)


def nothing(n: int) -> ObservedDay:
    """Day ``n`` of the record, without any observation."""
    unseen = {"day": None, "night": None}
    return ObservedDay(
        day=FIRST + dt.timedelta(n), ssm=None, lst=unseen, other_lst={}, air=unseen, reflectance=None, rain=None,
        antecedent=fell(0, known=False), files=(), problems=(), left_out={}, missing_tiles=(),
    )  # fmt: skip


def reflectance(value: float, quality: float = 0) -> dict[str, np.ndarray]:
    return {band: field(value) for band in ("red", "nir", "swir1", "swir2")} | {"quality": field(quality)}


def stored(lock: CubeLock, *days: ObservedDay, sensors: Intercalibration | None = None) -> Cube:
    layout = CubeLayout(DOMAIN, PRODUCTS.fine(), PRODUCTS.coarse(), [], ATTRS)
    writer = create_cube(lock, layout, [day.day for day in days])
    for day in days:
        store_day(writer, day, LandSurface.of(writer.cube), sensors or Intercalibration())
    return writer.cube


def stored_later(lock: CubeLock, day: ObservedDay) -> Cube:
    """``day`` added to a cube that is there, by this version."""
    writer = create_cube(lock, CubeLayout(DOMAIN, PRODUCTS.fine(), PRODUCTS.coarse(), [], ATTRS), [day.day])
    store_day(writer, day, LandSurface.of(writer.cube), Intercalibration())
    return writer.cube


def test_reflectance_stays_with_its_age_until_all_bands_are_observed(lock: CubeLock) -> None:
    first, partly = reflectance(0.2), reflectance(0.4, quality=1)
    partly["swir1"][LEFT] = np.nan  # under cloud in one band
    cube = stored(
        lock, replace(nothing(0), reflectance=first), nothing(1), replace(nothing(6), reflectance=partly), nothing(9)
    )
    age = [np.unique(cube.read("reflectance_age", day)).tolist() for day in cube.days]
    assert age[:2] == [[0], [1]]
    third = cube.days[2]  # the days of the gap count
    assert (cube.read("reflectance_age", third)[LEFT] == 6).all()
    assert (cube.read("reflectance_age", third)[RIGHT] == 0).all()
    for band in ("red", "nir", "swir1", "swir2"):
        np.testing.assert_allclose(cube.read(band, third)[LEFT], 0.2, atol=1e-4)
        np.testing.assert_allclose(cube.read(band, third)[RIGHT], 0.4, atol=1e-4)
    assert (cube.read("reflectance_quality", third)[LEFT] == 0).all()
    assert (cube.read("reflectance_quality", third)[RIGHT] == 1).all()
    assert age[3] == [3, 9]


def test_an_old_reflectance_is_kept_and_its_age_does_not_wrap(lock: CubeLock) -> None:
    cube = stored(lock, replace(nothing(0), reflectance=reflectance(0.2)), nothing(250), nothing(260))
    ages = [np.unique(cube.read("reflectance_age", day)).tolist() for day in cube.days]
    assert ages == [[0], [250], [OLDEST]]
    assert np.isfinite(cube.read("red", cube.days[2])).all()


def test_a_reflectance_that_was_never_observed_has_no_age(lock: CubeLock) -> None:
    cube = stored(lock, nothing(0))
    assert np.isnan(cube.read("reflectance_age", FIRST)).all() and np.isnan(cube.read("red", FIRST)).all()
    assert all(np.isnan(cube.read(name, FIRST)).all() for name in ("rain", *API_DAYS))  # missing is not 0


def test_antecedent_rain_fades_over_a_gap_by_the_days_of_the_gap(lock: CubeLock) -> None:
    wet = replace(nothing(0), rain=rain_of(10), antecedent=fell(10))
    dry = replace(nothing(1), rain=rain_of(0), antecedent=fell(0))
    after = replace(nothing(5), rain=rain_of(2), antecedent=fell(3, days=4))  # 2 mm today, 1 before
    cube = stored(lock, wet, dry, after)
    for name, days in API_DAYS.items():
        np.testing.assert_allclose(cube.read(name, cube.days[1]), 10 * np.exp(-1 / days), atol=0.011)
        np.testing.assert_allclose(cube.read(name, cube.days[2]), 10 * np.exp(-5 / days) + 3, atol=0.03)
    assert [float(cube.read("rain", day).mean()) for day in cube.days] == pytest.approx([10, 0, 2], abs=1e-3)


def test_thermal_memory_is_carried_over_a_gap_and_fades_by_its_days(lock: CubeLock) -> None:
    rng = np.random.default_rng(0)
    warm = field(290) + rng.normal(0, 2, DOMAIN.fine_shape).astype("float32")
    seen = {"day": (warm, field(1)), "night": (warm - 15, field(1))}
    cube = stored(lock, replace(nothing(0), lst=seen), nothing(1), nothing(9))
    weight = [float(np.nanmean(cube.read("lst_day_weight", day))) for day in cube.days]
    assert weight[1] / weight[0] == pytest.approx(np.exp(-1 / 4), rel=0.01)
    assert weight[2] / weight[1] == pytest.approx(np.exp(-8 / 4), rel=0.01)
    memory = [cube.read("lst_day_memory", day) for day in cube.days]
    np.testing.assert_allclose(memory[2], memory[0], atol=0.05)  # fades in weight, not in value
    slow = [float(np.nanmean(cube.read("lst_day_slow_weight", day))) for day in cube.days]
    assert slow[2] / slow[0] == pytest.approx(np.exp(-9 / 365), rel=0.02) and slow[0] > 0.5
    np.testing.assert_allclose(cube.read("lst_day_slow", cube.days[2]), cube.read("lst_day_slow", cube.days[0]))
    assert (cube.read_packed("lst_day_lineage", cube.days[0]) == 0).all()
    assert (cube.read_packed("lst_day_lineage", cube.days[2]) > 0).all()
    assert np.isfinite(cube.read("lst_day", cube.days[2])).all()
    sigma = [float(cube.read("lst_day_sigma", day).mean()) for day in cube.days]
    assert sigma[0] < sigma[1] <= sigma[2]
    assert [float(cube.read_coarse("lst_day_seen", day).mean()) for day in cube.days] == [1, 0, 0]


def test_a_cube_made_before_there_was_a_slow_memory_goes_on_without_one(lock: CubeLock) -> None:
    """A cube keeps the variables it was made with; what else it stores is the same."""
    rng = np.random.default_rng(0)
    warm = field(290) + rng.normal(0, 2, DOMAIN.fine_shape).astype("float32")

    def days() -> list[ObservedDay]:
        """Anew each time: storing takes LST out of a day."""
        return [replace(nothing(n), lst={"day": (warm, field(1)), "night": (warm - 15, field(1))}) for n in range(2)]

    first, second = days()
    without = [[n for n in names if "_slow" not in n] for names in (PRODUCTS.fine(), PRODUCTS.coarse())]
    assert len(without[0]) == len(PRODUCTS.fine()) - 2 and len(without[1]) == len(PRODUCTS.coarse()) - 2
    old = create_cube(lock, CubeLayout(DOMAIN, *without, [], ATTRS), [first.day])
    store_day(old, first, LandSurface.of(old.cube), Intercalibration())
    cube = stored_later(lock, second)
    assert cube.fine == tuple(without[0]) and cube.done_days() == list(cube.days)
    with write_lock(lock.path.parent / "new.zarr") as other:
        new = stored(other, *days())
    for name in cube.fine:
        np.testing.assert_array_equal(cube.read_packed(name, second.day), new.read_packed(name, second.day))
    assert float(np.nanmean(new.read("lst_day_slow_weight", second.day))) > 0.5
    assert "lst_night_slow" not in new.fine


def test_what_a_day_was_made_without_stands_in_its_status(lock: CubeLock) -> None:
    rain = replace(
        nothing(1), rain=rain_of(1), antecedent=fell(1), reflectance=reflectance(0.1),
        files=("a.nc",), problems=("b.hdf: broken",), left_out={"b.hdf": 7}, missing_tiles=("t",),
    )  # fmt: skip
    cube = stored(lock, nothing(0), rain)
    first, second = (cube.status(day) or {} for day in cube.days)
    assert sorted(first["missing"]) == ["lst_day", "lst_night", "rain", "reflectance", "ssm"]
    assert sorted(second["missing"]) == ["lst_day", "lst_night", "ssm"]
    assert first["observed"] == second["observed"] == 0 and first["revision"] == 1
    assert (second["files"], second["problems"]) == (["a.nc"], ["b.hdf: broken"])
    assert (second["left_out"], second["missing_tiles"]) == ({"b.hdf": 7}, ["t"])
    for name in ("ssm", "ssm_sigma", "source"):
        assert np.isnan(cube.read_coarse(name, FIRST)).all()


def test_coarse_cells_without_observation_have_no_source(lock: CubeLock) -> None:
    ssm = np.full((4, 4), 0.25, "float32")
    ssm[0] = np.nan
    observed = CoarseSSM(ssm, np.where(np.isfinite(ssm), 0.04, np.nan).astype("float32"),
                         np.where(np.isfinite(ssm), 2, 0).astype("uint8"))  # fmt: skip
    cube = stored(lock, replace(nothing(0), ssm=observed))
    np.testing.assert_array_equal(cube.read_coarse("ssm", FIRST), ssm)
    source = cube.read_coarse("source", FIRST)
    assert np.isnan(source[0]).all() and (source[1:] == 2).all()
    assert (cube.status(FIRST) or {})["observed"] == 12
