"""What samples of pretraining lack: a feature, a product, observations, maps that are right. Networks that never
practised it fail where a user's archive lacks it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ssm_net.inputs.reading import older_mean
from ssm_net.inputs.scaling import Scaling
from ssm_net.pretrain.samples import AHEAD, LOOKAHEADS, NEIGHBOURHOOD, THINNING, World
from ssm_net.pretrain.truth_samples import OUTAGE, PRODUCTS, SLOPES_UNKNOWN, TruthBatch, TruthSamples

NAMES = ("lst_day_today", "lst_day_memory", "ndvi", "rain", "relief", "sand", "clay")
MAPS = ("relief", "sand", "clay")
CELLS, DAYS, LAGS = 8, 16, 5
KEYS = range(400)


def level(number: int, name: str) -> float:
    """Of a map in world ``number``: the worlds' maps are told apart by it."""
    return 3.0 * (number + 1) + 0.5 * MAPS.index(name)


def world_of(number: int) -> World:
    """A world whose heat tells of its moisture, with maps that vary a little around a level of its own; its truth is
    around 0.05 m3 m-3 in world 0, 0.1 in world 1 and so on. Every day is observed everywhere."""
    random = torch.Generator().manual_seed(number)
    side = CELLS * 36 // THINNING

    def noise(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random)

    pixels, cells = noise(DAYS, len(NAMES), side, side), noise(DAYS, len(NAMES), CELLS, CELLS)
    for name in MAPS:
        at = NAMES.index(name)
        cells[:, at] = level(number, name) + 0.1 * cells[:1, at]
        pixels[:, at] = cells[:, at].repeat_interleave(6, -1).repeat_interleave(6, -2)
    x = pixels.repeat_interleave(NEIGHBOURHOOD, -1).repeat_interleave(NEIGHBOURHOOD, -2).half()
    truth = (0.05 * (number + 1) + 0.005 * noise(DAYS, side, side)).half()
    ssm = 0.2 - 0.01 * cells[:, 0] + 0.002 * noise(DAYS, CELLS, CELLS)
    return World.looking_back(x, truth, torch.zeros(DAYS, 2, dtype=torch.int64), cells, ssm, torch.arange(DAYS))


def data_of(worlds: int, seed: int | None) -> TruthSamples:
    n, limit = len(NAMES), (100.0,) * len(NAMES)
    scaling = Scaling(NAMES, (0.0,) * n, (1.0,) * n, tuple(-v for v in limit), limit, "2016-01-01", "2016-12-31")
    return TruthSamples([world_of(i) for i in range(worlds)], scaling, ratio=36, lags=LAGS, seed=seed)


@pytest.fixture(scope="module")
def drawn() -> list[TruthBatch]:
    """Samples of one world."""
    data = data_of(1, 5)
    return [data[key] for key in KEYS]


def missing_of_pixels(sample: TruthBatch) -> set[str]:
    gone = (sample.x == 0).flatten(1).all(1)
    return {name for name, lost in zip(NAMES, gone.tolist(), strict=True) if lost}


def missing_of_cells(sample: TruthBatch) -> set[str]:
    gone = torch.isnan(sample.coarse.cells).flatten(1)
    assert torch.equal(gone.any(1), gone.all(1))
    return {name for name, lost in zip(NAMES, gone.all(1).tolist(), strict=True) if lost}


def test_a_feature_is_missing_for_pixels_and_cells_together(drawn: list[TruthBatch]) -> None:
    """The coarse branch would otherwise be given means of what the pixels lack, which no cube does."""
    lost = [missing_of_pixels(s) for s in drawn]
    assert lost == [missing_of_cells(s) for s in drawn]
    assert {name for one in lost for name in one} == set(NAMES) and set() in lost


@pytest.mark.parametrize("name", NAMES)
def test_every_feature_is_missing_by_itself(name: str, drawn: list[TruthBatch]) -> None:
    """Also where no product consists of it alone: a value out of range is dropped feature by feature."""
    assert {name} in [missing_of_pixels(s) for s in drawn]


def test_a_feature_that_is_missing_has_no_slope(drawn: list[TruthBatch]) -> None:
    for sample in drawn:
        slopes = dict(zip(NAMES, sample.slopes.tolist(), strict=True))
        assert all(slopes[name] == 0 for name in missing_of_pixels(sample))
    # The heat that moisture was made of has one, but where the record tells none.
    heat = [float(s.slopes[0]) for s in drawn if NAMES[0] not in missing_of_pixels(s)]
    unknown = sum(b == 0 for b in heat) / len(heat)
    assert SLOPES_UNKNOWN - 0.07 < unknown < SLOPES_UNKNOWN + 0.07
    assert all(b < -0.003 for b in heat if b)


def test_what_is_made_of_a_product_is_missing_together() -> None:
    """A user without rain has neither its day nor its memories."""
    products = [{n for n in NAMES if n.startswith(product)} for product in PRODUCTS]
    assert {"rain"} in products and {"sand", "clay"} in products and {"lst_day_today", "lst_day_memory"} in products
    data = data_of(1, 6)
    lost = [missing_of_pixels(data[key]) for key in KEYS]
    assert {"sand", "clay"} in lost and {"lst_day_today", "lst_day_memory"} in lost


def test_an_outage_hides_several_days_and_an_orbit_gap_one(drawn: list[TruthBatch]) -> None:
    """And nothing of the days before: a network that knows no outage loses its level with the first one."""
    lagged = [s.coarse.ssm[:LAGS] for s in drawn]
    seen_before = [ssm for ssm in lagged if bool(torch.isfinite(ssm[-1]).any())]
    hidden = [torch.isnan(ssm).flatten(1).all(1).tolist() for ssm in seen_before]
    days = [h.index(False) for h in hidden]
    assert all(not any(h[n:]) for h, n in zip(hidden, days, strict=True))
    assert 1 in days and 0.25 * OUTAGE < sum(n > 1 for n in days) / len(days) < 2 * OUTAGE
    assert {2, 3, 4} <= set(days)
    assert any(0 < float(torch.isnan(ssm[0]).float().mean()) < 1 for ssm in seen_before), "no cell is hidden by itself"


def worlds_of_maps(sample: TruthBatch) -> dict[str, tuple[int, int]]:
    """The numbers of the worlds that a sample's maps are of, for its pixels and for its cells, where they are there."""
    out = {}
    for name in set(MAPS) - missing_of_pixels(sample):
        at = NAMES.index(name)
        of_pixels, of_cells = (float(v[at].mean()) - level(0, name) for v in (sample.x, sample.coarse.cells))
        out[name] = (round(of_pixels / 3), round(of_cells / 3))
    return out


def test_some_samples_carry_the_maps_of_another_world() -> None:
    """A soil map that is wrong must not be trusted for being a map; pixels and cells are wrong alike."""
    data = data_of(6, 5)
    exchanged: dict[str, list[bool]] = {name: [] for name in MAPS}
    for sample in (data[key] for key in KEYS):
        own = round(float(sample.truth[sample.known].mean()) / 0.05) - 1
        maps = worlds_of_maps(sample)
        assert all(pixels == cells for pixels, cells in maps.values()), "pixels and cells are given different maps"
        # They come from one survey: no archive has the sand of here and the clay of there.
        assert not {"sand", "clay"} <= maps.keys() or maps["sand"] == maps["clay"]
        for name, (whose, _) in maps.items():
            exchanged[name].append(whose != own)
    for name, other in exchanged.items():
        assert 0.05 < sum(other) / len(other) < 0.4, f"{name}: {sum(other)} of {len(other)} are another world's"


def test_slopes_are_those_of_the_maps_that_a_sample_carries() -> None:
    """Slopes of the right map next to the wrong one would tell that it is right."""
    worlds = [world_of(0), world_of(1)]
    at = NAMES.index("clay")
    pattern = 0.5 * torch.randn(CELLS, CELLS, generator=torch.Generator().manual_seed(9))
    cells, ssm = worlds[0].cells.clone(), worlds[0].ssm
    cells[:, at] = level(0, "clay") + pattern
    told = World.looking_back(worlds[0].x, worlds[0].truth, worlds[0].offset, cells, ssm + 0.04 * pattern, worlds[0].at)
    scaling = data_of(1, None).scaling
    data = TruthSamples([told, worlds[1]], scaling, ratio=36, lags=LAGS, seed=3)
    right, wrong = [], []
    for sample in (data[key] for key in KEYS):
        own = round(float(sample.truth[sample.known].mean()) / 0.05) - 1
        slope = float(sample.slopes[at])
        if own == 0 and slope:
            of_here = worlds_of_maps(sample)["clay"] == (0, 0)
            (right if of_here else wrong).append(slope)
    assert min(right) > 0.005 and wrong and max(abs(b) for b in wrong) < 0.5 * min(right)


def test_without_a_seed_nothing_is_dropped_or_exchanged() -> None:
    """The error that is reported is that of whole days with their own maps."""
    data = data_of(3, None)
    assert len(data) == 3 * DAYS
    for key, sample in ((key, data[key]) for key in range(len(data))):
        number, day = divmod(key, DAYS)
        of_world = world_of(number)
        assert torch.equal(sample.x, of_world.x[day].float()) and torch.equal(sample.coarse.cells, of_world.cells[day])
        assert torch.isfinite(sample.coarse.ssm[: min(day + 1, LAGS)]).all()
        assert torch.isfinite(sample.coarse.ssm[-1]).all() == (day >= LAGS)
        assert torch.equal(sample.coarse.ssm[0], of_world.ssm[day])
        assert float(sample.slopes[0]) < -0.003
        assert sample.known.all() and torch.equal(sample.truth, of_world.truth[day].float())


def test_samples_are_pure_functions_of_seed_epoch_and_index() -> None:
    """Whichever loader makes them, in whatever order: a resumed pretraining repeats an unbroken one."""
    a, b = data_of(3, 5), data_of(3, 5)
    b[2], b[8]
    for key in (0, 7, 11, len(a) + 7, 5 * len(a)):
        for x, y in zip(tensors(a[key]), tensors(b[key]), strict=True):
            assert torch.equal(torch.nan_to_num(x), torch.nan_to_num(y))
    assert not torch.equal(a[7].x, a[len(a) + 7].x) and not torch.equal(a[7].x, data_of(3, 6)[7].x)


def tensors(batch: TruthBatch) -> list[Tensor]:
    """All tensors of a batch, in the order of its fields."""
    out: list[Tensor] = []
    batch.mapped(lambda tensor: out.append(tensor) or tensor)  # type: ignore[func-returns-value]
    return out


def test_observations_between_the_samples_of_a_world_are_its_context() -> None:
    """Samples of days apart are given the observations of the days before, not those of the samples before."""
    whole = world_of(0)
    days = torch.tensor([2, 12])
    some = World.looking_back(whole.x[days], whole.truth[days], whole.offset[days], whole.cells[days], whole.ssm, days)
    data = TruthSamples([some], data_of(1, None).scaling, ratio=36, lags=LAGS, seed=None)
    assert len(data) == 2
    first, second = data[0].coarse.ssm, data[1].coarse.ssm
    assert first.shape == second.shape == (LAGS + 1, CELLS, CELLS)
    assert torch.equal(second[:LAGS], whole.ssm[8:13].flip(0))
    torch.testing.assert_close(second[-1], older_mean(whole.ssm[:8].flip(0)))
    assert torch.equal(first[:3], whole.ssm[:3].flip(0)) and torch.isnan(first[3:]).all()


def test_some_samples_know_nothing_older(drawn: list[TruthBatch]) -> None:
    """As on the first days of a record; an outage of the last days leaves what was before it."""
    older = [bool(torch.isfinite(s.coarse.ssm[-1]).any()) for s in drawn]
    lagged = [bool(torch.isfinite(s.coarse.ssm[:LAGS]).any()) for s in drawn]
    assert 0.2 < sum(older) / len(older) < 0.95
    assert (True, False) in zip(older, lagged, strict=True)


def world_ahead() -> World:
    """World 0 with memories of LST that tell how many days they look ahead, and observations that tell their day."""
    world = world_of(0)
    looks = torch.tensor(LOOKAHEADS)[None, :, None, None, None].float()
    ahead_x = looks.expand(DAYS, -1, len(AHEAD), *world.x.shape[-2:]).clone()
    ahead_cells = looks.expand(DAYS, -1, len(AHEAD), CELLS, CELLS).clone()
    ssm = (0.1 + 0.01 * torch.arange(DAYS))[:, None, None].expand(DAYS, CELLS, CELLS).clone()
    rain = torch.expm1(torch.arange(DAYS).float())[:, None, None].expand(DAYS, CELLS, CELLS).clone()
    return replace(world, ssm=ssm, rain=rain, ahead_x=ahead_x, ahead_cells=ahead_cells)


def ahead_data(**other: Any) -> TruthSamples:
    keys = {"ratio": 36, "lags": LAGS, "lookahead": 6, "seed": 5}
    return TruthSamples([world_ahead()], data_of(1, None).scaling, **(keys | other))


@pytest.mark.parametrize("looks", [1, 3, 6])
def test_a_sample_that_looks_ahead_knows_these_days_and_no_more(looks: int) -> None:
    """A map of yesterday must not be trained on what will be known in a week."""
    t = 2
    sample = ahead_data(seed=None, looks=looks)[t]
    later = sample.coarse.ssm[LAGS + 1 :, 0, 0]
    there = min(looks, DAYS - 1 - t)
    np.testing.assert_allclose(later[:there], 0.1 + 0.01 * (t + 1 + torch.arange(there)), atol=1e-6)
    assert bool(torch.isnan(later[there:]).all())
    rain = sample.coarse.cells[len(NAMES) :, 0, 0]
    np.testing.assert_allclose(rain[:there], t + 1 + torch.arange(there), atol=1e-5)
    assert bool(torch.isnan(rain[there:]).all()) and sample.lookahead == 6
    for name in set(AHEAD) & set(NAMES):
        at = NAMES.index(name)
        assert set(sample.x[at].unique().tolist()) == set(sample.coarse.cells[at].unique().tolist()) == {float(looks)}


def test_half_of_the_samples_look_ahead() -> None:
    data = ahead_data()
    known = [int(torch.isfinite(data[key].coarse.ssm[LAGS + 1 :]).flatten(1).any(1).sum()) for key in range(300)]
    assert 0.3 < np.mean([n > 0 for n in known]) < 0.6
