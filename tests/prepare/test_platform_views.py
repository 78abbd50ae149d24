"""Several platforms in one record: which goes first, how the others are fitted to it, and that the record goes on."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from ssm_net.config import MemoryConfig, PrepareConfig
from ssm_net.core.platforms import PLATFORMS
from ssm_net.lst.gap_filling import OTHER_OVERPASS, SEEN, ClearLST, Terrain, ThermalState, fill_gaps
from ssm_net.prepare.platform_views import PlatformViews, in_order, offset_names, views_of
from ssm_net.prepare.products import CubeProducts, choose_products

DAY = dt.date(2016, 6, 7)
SHAPE = (144, 144)
TERRAIN = Terrain(torch.zeros(SHAPE), torch.full((4, 4), 35.0), 36)
FIELD = 300 + 3 * torch.randn(SHAPE, generator=torch.Generator().manual_seed(1))
ONE = torch.ones(SHAPE)
NOTHING = ClearLST(torch.full(SHAPE, torch.nan), torch.full(SHAPE, torch.nan))
SEEN_BY_ALL = (np.zeros(1), np.zeros(1))


def chosen(raw: Path, start: str, end: str, *names: str, **settings: str) -> CubeProducts:
    cfg = PrepareConfig(raw=str(raw), cube="unused", start=start, end=end, **settings)
    return choose_products(cfg, {name: {dt.date.fromisoformat(start): ()} for name in names}, present=names)


VIIRS = ("VNP21A1D", "VNP21A1N")


def test_the_platform_nearest_to_the_hour_is_the_target_and_the_others_follow(tmp_path: Path) -> None:
    all_of = ("MYD11A1", "MOD11A1", *VIIRS, "VJ121A1D", "VJ121A1N")
    early = chosen(tmp_path, "2016-06-01", "2016-06-30", *all_of)
    assert early.lst == ("MYD11A1",) and early.other_lst == (*VIIRS, "VJ121A1D", "VJ121A1N", "MOD11A1")
    late = chosen(tmp_path, "2026-06-01", "2026-06-30", *all_of)
    assert late.lst == VIIRS and late.other_lst == ("VJ121A1D", "VJ121A1N", "MYD11A1", "MOD11A1")
    assert chosen(tmp_path, "2016-06-01", "2016-06-30", "MOD11A1", *VIIRS).lst == VIIRS
    # As before, without VIIRS: Aqua, and Terra by the same algorithm.
    modis = chosen(tmp_path, "2026-06-01", "2026-06-30", "MYD11A1", "MOD11A1", "MOD21A1D")
    assert modis.lst == ("MYD11A1",) and modis.other_lst == ("MOD11A1",)
    assert "lst_day_target_offset" not in modis.coarse() and "lst_day_platform_offset" in modis.coarse()
    assert {"lst_day_target_offset", "lst_day_platform_offset_3", "lst_night_other_2"} <= set(early.coarse())


def test_reflectance_of_its_line_stands_in(tmp_path: Path) -> None:
    products = chosen(tmp_path, "2016-06-01", "2016-06-30", "MCD43A4", "VNP43IA4", "VNP43MA4", "VJ143MA4", "VNP09GA")
    assert products.reflectance == ("MCD43A4",)
    assert products.reflectance_in_order() == [("MCD43A4",), ("VNP43IA4", "VNP43MA4"), ("VJ143MA4",)]
    assert chosen(tmp_path, "2016-06-01", "2016-06-30", "VNP43MA4", "VNP43IA4").reflectance == ("VNP43IA4", "VNP43MA4")


def views(*names: str, without: str = "") -> list[PlatformViews]:
    return [PlatformViews(PLATFORMS[n], None if n == without else SEEN_BY_ALL) for n in names]


def test_a_platform_that_drifted_or_ended_is_no_longer_the_first() -> None:
    three = "aqua", "snpp", "terra"
    assert in_order(views(*three), "day", DAY) == [0, 1, 2]
    assert in_order(views(*three), "day", dt.date(2026, 8, 1)) == [1, 0, 2]
    assert in_order(views(*three, without="aqua"), "day", DAY) == [1, 2, 0]
    assert in_order(views("aqua", "terra", without="aqua"), "day", dt.date(2026, 8, 1), fixed=True) == [0, 1]


def test_a_cube_knows_its_platforms_in_order() -> None:
    cube: Any = SimpleNamespace(attrs={"lst": "MYD11A1", "other_lst": "VNP21A1D VNP21A1N MOD11A1"}, coarse=())
    observed: Any = SimpleNamespace(lst={"day": None}, other_lst={"day": {"terra": SEEN_BY_ALL}})
    assert [(v.platform.name, v.observed) for v in views_of(cube, observed, "day") if v.platform] == [
        ("aqua", None), ("snpp", None), ("terra", SEEN_BY_ALL)]  # fmt: skip
    assert offset_names(cube, "day")[1:] == ["lst_day_platform_offset", "lst_day_platform_offset_2"]


def fill(day: int, before: ThermalState | None, *of: ClearLST, order: tuple[int, ...] | None = None) -> Any:
    return fill_gaps(DAY + dt.timedelta(day), of[0], TERRAIN, before, MemoryConfig(), others=of[1:], order=order)


def test_gaps_are_filled_by_one_platform_after_the_other_each_with_its_offset() -> None:
    part = torch.arange(144).expand(SHAPE)
    own = ClearLST(torch.where(part < 60, FIELD, torch.nan), ONE)
    second = ClearLST(torch.where(part < 100, FIELD + 2, torch.nan), ONE)
    third = ClearLST(torch.where(part < 140, FIELD - 3, torch.nan), ONE)
    out = fill(0, None, own, second, third)
    assert out.state.platform_offsets[0] is None
    assert [float(o.mean().round()) for o in out.state.platform_offsets[1:] if o is not None] == [-2.0, 3.0]
    assert (out.lst - FIELD)[:, :140].abs().max() < 0.1
    assert (out.lineage[:, :60] == SEEN).all() and (out.lineage[:, 60:140] == OTHER_OVERPASS).all()


@pytest.mark.parametrize("returns", [False, True])
def test_the_record_goes_on_where_its_platform_ends(returns: bool) -> None:
    """VIIRS is warmer by 1.5 K; when Aqua has ended it goes first, as it was fitted to Aqua until then."""
    aqua, viirs = ClearLST(FIELD, ONE), ClearLST(FIELD + 1.5, ONE)
    state = None
    for day in range(3):
        state = fill(day, state, aqua, viirs).state
    out = fill(3, state, NOTHING, viirs, order=(1, 0))
    assert (out.lst - FIELD).abs().max() < 0.05 and (out.lineage == SEEN).all()
    assert (out.sigma == 1).all()
    if returns:  # drifted by then, and 4 K cooler: it is fitted to VIIRS in turn
        late = fill(4, out.state, ClearLST(FIELD - 4, ONE), viirs, order=(1, 0))
        assert (late.lst - FIELD).abs().max() < 0.05
        assert float(late.state.platform_offsets[0].mean()) == pytest.approx(4, abs=0.05)
