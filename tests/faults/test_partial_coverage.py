"""Files that end inside the domain: what lies beyond is missing, not 0 and not sea level, and is counted and named."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
import road
import torch
import xarray as xr

from ssm_net.config import MemoryConfig
from ssm_net.cube.layout import CubeLayout, create_cube
from ssm_net.cube.lock import CubeLock, write_lock
from ssm_net.cube.masks import production_mask
from ssm_net.cube.spacing import spacing, stored_shape
from ssm_net.cube.store import Cube, open_cube
from ssm_net.cube.variables import API_DAYS
from ssm_net.grid import Domain
from ssm_net.inputs import features
from ssm_net.lst.cloud_effect import minus_air_of
from ssm_net.lst.gap_filling import ClearLST, Terrain, fill_gaps
from ssm_net.prepare import prepare
from ssm_net.prepare.antecedent_rain import RainSum
from ssm_net.prepare.coverage import lines, percent
from ssm_net.prepare.intercalibration import Intercalibration
from ssm_net.prepare.read_day import ObservedDay, sum_rain
from ssm_net.prepare.store_day import LandSurface, store_day

DOMAIN = Domain("t", (64, 68, 772, 776))
FIRST = dt.date(2016, 5, 1)
NORTH, SOUTH = np.s_[:72], np.s_[72:]
RAIN = ("rain", *API_DAYS)


# ---- the whole road ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory, tiny_raw: Path) -> Path:
    """The granules of two days, with rain that ends north of the middle of the domain, a DEM and a map of water of its
    western half."""
    raw = road.linked(tiny_raw, tmp_path_factory.mktemp("cut") / "raw")
    west, south, east, north = Domain("tiny", tuple(road.WINDOW)).bounds_lonlat()  # type: ignore[arg-type]
    for path in (raw / "precip").glob("*.nc"):
        source = path.resolve()
        path.unlink()
        if path.name > "precip_20160425":  # fewer days before the record: they count as dry
            with xr.open_dataset(source, decode_cf=False) as file:
                file.isel(lat=file["lat"].values < (south + north) / 2).to_netcdf(path, engine="h5netcdf")
    for name in ("elevation", "water_fraction"):
        path = road.owned(raw / "static" / f"{name}.tif")
        with rasterio.open(path) as file:
            columns = int(((west + east) / 2 - file.bounds.left) / file.res[0])
            values, profile = file.read(1, window=((0, file.height), (0, columns))), file.profile | {"width": columns}
        with rasterio.open(path, "w", **profile) as file:
            file.write(values, 1)
    return raw


def test_rain_and_maps_that_end_inside_the_domain(
    tmp_path: Path, cut: Path, tiny_cube_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """R33 and T3. What is known stays what it is with whole files."""
    prepare(road.preparation(cut, tmp_path / "c.zarr", end="2016-05-02"))
    part, whole = open_cube(tmp_path / "c.zarr"), open_cube(tiny_cube_path)
    for day in part.days:
        fields = {name: part.read(name, day) for name in RAIN}
        known = np.isfinite(fields["rain"])
        assert not known[:60].any() and known[84:].all()
        for name, values in fields.items():
            np.testing.assert_array_equal(np.isfinite(values), known, err_msg=name)
        np.testing.assert_array_equal(fields["rain"][84:], whole.read("rain", day)[84:])
        share = (part.status(day) or {})["covered"]["rain"]
        assert share == pytest.approx(known[part.land().numpy()].mean(), abs=1e-6)
        for k in ("day", "night"):
            regional = [c.read_coarse(f"lst_{k}_background", day) for c in (part, whole)]
            assert np.abs(regional[0] - regional[1]).max() < 1.2  # 7 K at sea level
            assert (part.read(f"lst_{k}_weight", day)[:, 80:] == 0).all()
    said = caplog.text
    assert f"rain covers {percent(share)} of the domain's land on 2016-05-01 .. 2016-05-02" in said and "not 0" in said
    assert "static map elevation covers 5" in said and "sea level" in said
    assert "static map water_fraction covers 5" in said and "no pixel of the rest is masked as water" in said


# ---- antecedent rain -----------------------------------------------------------------------------------------------


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[CubeLock]:
    with write_lock(tmp_path / "c.zarr") as lock:
        yield lock


def field(south: float, north: float | None = None) -> np.ndarray:
    """Rain in its own spacing, that falls everywhere, or in the south alone, the north missing (NaN)."""
    out = np.full(stored_shape("rain", DOMAIN), south, "float32")
    out[: NORTH.stop // spacing("rain", DOMAIN.ratio)] = south if north is None else north
    return out


def rained(lock: CubeLock, *days: np.ndarray | None, first: list[np.ndarray | None] | None = None) -> Cube:
    """A record of these days of rain; before the first come those of ``first``, the latest first."""
    names = list(RAIN)
    dates = [FIRST + dt.timedelta(n) for n in range(len(days))]
    writer = create_cube(lock, CubeLayout(DOMAIN, names, names, [], {}), dates)
    none = {"day": None, "night": None}
    for n, (day, mm) in enumerate(zip(dates, days, strict=True)):
        rain, since = sum_rain([mm, *(first or [])] if n == 0 else [mm])
        observed = ObservedDay(day, None, none, none, none, None, rain, since, (), (), {}, ())
        store_day(writer, observed, LandSurface.of(writer.cube), Intercalibration())
    return writer.cube


def at(cube: Cube, name: str, where: slice = NORTH) -> list[float | None]:
    """The variable at a pixel of the north, by day; None where it is missing."""
    values = [float(cube.read(name, day)[where][5, 5]) for day in cube.days]
    return [None if np.isnan(v) else v for v in values]


def test_one_missing_day_costs_that_day_only(lock: CubeLock) -> None:
    """R21. The longer indices stay what they were, as if the mean of their days had fallen."""
    wet = [field(4)] * 8
    cube = rained(lock, *wet, None, *wet[:3])
    assert [v is None for v in at(cube, "rain")] == [False] * 8 + [True] + [False] * 3
    assert [v is None for v in at(cube, "api_2")] == [False] * 8 + [True] + [False] * 3
    for name in ("api_10", "api_30"):
        values = at(cube, name)
        assert None not in values and values[8] == pytest.approx(values[7], abs=0.02)
        assert all(a < b for a, b in itertools.pairwise(values[8:]))  # type: ignore[operator]


def test_many_missing_days_make_an_index_unknown_and_known_days_make_it_known_again(lock: CubeLock) -> None:
    """Known where known days hold two thirds of its weight; 3 mm a day give 3 / (1 - exp(-1 / days)), however many
    days are missing."""
    cube = rained(lock, *[field(3)] * 4, *[field(3, np.nan)] * 6, *[field(3)] * 12)
    missing = {name: [n for n, v in enumerate(at(cube, name)) if v is None] for name in RAIN}
    assert missing["rain"] == list(range(4, 10))
    assert missing["api_2"] == list(range(4, 12))  # two known days hold 63 % of it, three 78 %
    assert missing["api_10"][0] == 8  # exp(-5 / 10) is less than two thirds
    assert missing["api_10"][-1] < 21 and missing["api_30"] == []
    for name, days in API_DAYS.items():
        level = 3 / (1 - np.exp(-1 / days))
        again = [v for n, v in enumerate(at(cube, name)) if n > missing[name][-1]] if missing[name] else []
        if name != "api_30":
            assert again and again[0] == pytest.approx(level, rel=0.15)
        assert at(cube, name, SOUTH)[-1] == pytest.approx(level * (1 - np.exp(-22 / days)), rel=0.01)


def test_rain_that_was_never_known_is_missing_and_becomes_known(lock: CubeLock) -> None:
    cube = rained(lock, *[field(3, np.nan)] * 3, *[field(3)] * 4, first=[field(1, np.nan)] * 20)
    assert at(cube, "api_30") == [None] * 7
    assert [v is None for v in at(cube, "api_2")] == [True] * 5 + [False] * 2
    assert at(cube, "api_2")[5] == pytest.approx(3 / (1 - np.exp(-0.5)), rel=0.01)


def test_days_before_a_record_without_any_file_count_as_dry(lock: CubeLock) -> None:
    cube = rained(lock, field(3), field(3), first=[field(2), None, None, field(np.nan)])
    for name, days in API_DAYS.items():
        assert at(cube, name)[0] == pytest.approx(3 + 2 * np.exp(-1 / days), abs=0.011)


def test_a_record_that_begins_without_rain_knows_none(lock: CubeLock) -> None:
    cube = rained(lock, None, field(3))
    assert all(at(cube, name)[0] is None for name in RAIN)
    assert at(cube, "rain")[1] == pytest.approx(3)


def test_complete_rain_gives_plain_sums() -> None:
    days = [field(n) for n in (3.0, 2.0, 5.0)]
    rain, since = sum_rain([d.copy() for d in days])
    assert rain is not None and since.known is True and set(since.unknown.values()) == {0.0}
    for name, e_folding in API_DAYS.items():
        plain = days[0] + np.float32(np.exp(-1 / e_folding)) * days[1] + np.float32(np.exp(-2 / e_folding)) * days[2]
        np.testing.assert_array_equal(since.total[name], plain)
    assert isinstance(since, RainSum)


# ---- elevation, air and water --------------------------------------------------------------------------------------


def test_a_missing_elevation_tells_nothing_of_the_surroundings() -> None:
    """The region's LST is that of the known half; the other half stands as observed, and has no memory."""
    shape, ratio = (144, 288), 36
    elevation = torch.full(shape, 2000.0)
    unknown = elevation.clone()
    unknown[:, 144:] = torch.nan
    lst = torch.full(shape, 298.0) - 0.006 * elevation + torch.randn(shape, generator=torch.manual_seed(0))
    lst[50:90, 200:260] = torch.nan
    latitude = torch.full((4, 8), 35.0)
    filled = {name: fill_gaps(FIRST, ClearLST(lst, torch.where(torch.isnan(lst), torch.nan, 1.0)),
                              Terrain(z, latitude, ratio), None, MemoryConfig(), sun=torch.ones(4, 8))
              for name, z in (("known", elevation), ("half", unknown))}  # fmt: skip
    half, known = filled["half"], filled["known"]
    assert (half.state.background.lst - known.state.background.lst).abs().max() < 0.5
    gap = torch.isnan(lst)
    torch.testing.assert_close(half.lst[~gap], lst[~gap])
    assert (half.lst[gap] - 298).abs().max() < 1  # the region's, at sea level, and so it is said:
    assert half.sigma[gap].min() > 6
    assert half.state.slow is not None
    for memory in (half.state.memory, half.state.slow):
        assert (memory.weight[:, 144:] == 0).all() and (memory.weight[:, :144] > 0).all()
    torch.testing.assert_close(half.state.memory.mean[:, :100], known.state.memory.mean[:, :100], atol=0.5, rtol=0)
    assert np.isfinite(half.state.error).all()


def test_networks_are_not_told_an_anomaly_of_unknown_height() -> None:
    shape = (2, 4)
    given = {"lst_day": torch.full(shape, 290.0), "lst_day_seen": torch.tensor([[1.0, 1, 0, 0]] * 2),
             "lst_day_background": torch.full(shape, 295.0),
             "elevation": torch.tensor([[500.0, torch.nan, 500.0, torch.nan]] * 2)}  # fmt: skip
    today = features.stack(["lst_day_today"], given)[0, 0]
    assert torch.equal(torch.isnan(today), torch.tensor([False, True, False, False]))
    assert today[0] == pytest.approx(-2) and (today[2:] == 0).all()


def test_a_reanalysis_that_ends_inside_the_domain_keeps_what_was_known() -> None:
    """Clear-sky LST less air temperature of a cell without air is not 0."""
    before, background = torch.full((1, 2), 6.0), torch.full((1, 2), 300.0)
    air = torch.tensor([[294.0, torch.nan]])
    torch.testing.assert_close(minus_air_of(before, 1, background, air, torch.ones(1, 2)), before)


def test_a_missing_map_of_water_masks_nothing_and_is_said() -> None:
    water = np.zeros((4, 4), np.float32)
    water[:, 2:] = np.nan
    land = production_mask({"water_fraction": water}, (4, 4))
    assert land.all()
    clay = np.where(np.eye(4) > 0, np.nan, 20).astype(np.float32)
    said = list(lines({}, {"water_fraction": water, "clay": clay, "sand": np.zeros((4, 4), np.float32)}, land))
    assert said[0].startswith("static map clay covers 75 % of the domain's land: the rest is missing")
    assert said[1].startswith("static map water_fraction covers 50 % of the domain's land: no pixel of the rest")
    assert len(said) == 2


def test_what_a_reanalysis_and_tiles_do_not_cover_is_said() -> None:
    status = {"covered": {"reanalysis": 0.5}, "missing_tiles": ["MYD11A1 h26v05 (lst_day)"]}
    said = list(lines({FIRST: status, FIRST + dt.timedelta(1): status}, {}, np.ones((4, 4), bool)))
    assert said[0].startswith("reanalysis covers 50 % of the domain's land on 2016-05-01 .. 2016-05-02: beyond it")
    assert said[1].startswith("no file of MYD11A1 h26v05 (lst_day) on 2016-05-01 .. 2016-05-02")


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.62, "62 %"), (0.9999, "99.9 %"), (0.995, "99.5 %"), (0.004, "0.4 %"), (1e-5, "less than 0.1 %"),
     (0.0, "0.0 %")],
)  # fmt: skip
def test_shares_are_not_rounded_to_all_or_nothing(share: float, words: str) -> None:
    assert percent(share) == words
