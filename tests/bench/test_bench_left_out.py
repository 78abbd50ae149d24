"""A prior without the members that have met a family, and where the judged worlds lie."""

from __future__ import annotations

import datetime as dt
import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from untrained import GROUPS, untrained_prior

from ssm_net.estimators.checkpoint import ModelError, Trained, load_trained, save_trained
from ssm_net.pretrain.observed_world import ObservedWorldDay
from ssm_net.simulate.world.laws import FAMILIES, WIDE

BENCH = Path(__file__).parents[2] / "bench"
sys.path.insert(0, str(BENCH))  # scripts, not a package
import judged_places  # noqa: E402
import left_out  # noqa: E402

SMOKE = judged_places.SIZES["smoke"]


@pytest.fixture(scope="module")
def prior(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained_prior(tmp_path_factory.mktemp("p") / "prior")


def same(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))


@pytest.mark.parametrize("family", FAMILIES)
def test_members_that_have_met_a_family_are_left_out_and_no_others(prior: Path, family: str) -> None:
    """A network judged in a family that it was trained on would be judged by what it knows by heart."""
    whole = load_trained(prior)
    found = left_out.without_family(whole, family)
    kept = [i for i, group in enumerate(GROUPS) if family not in group]
    assert found.provenance["families"] == [GROUPS[i] for i in kept] and len(kept) == 2
    assert found.model == replace(whole.model, members=2) and found.scaling == whole.scaling
    for member, i in zip(found.network, kept, strict=True):
        assert same(member, list(whole.network)[i])
    assert found.provenance["worlds"] == 80 and set(found.provenance["RMSE there, m3 m-3"]) == {GROUPS[i] for i in kept}
    assert found.provenance["left out"] == family and not found.network.training


def test_adapting_what_is_left_does_not_change_the_whole(prior: Path) -> None:
    whole = load_trained(prior)
    left = left_out.without_family(whole, "A")
    with torch.no_grad():
        next(iter(left.network)).slopes.fill_(1.0)
    assert not any(bool(member.slopes.any()) for member in whole.network)


def test_a_prior_that_has_met_the_family_with_every_member_is_refused(prior: Path) -> None:
    whole = load_trained(prior)

    def met(families: object) -> Trained:
        return replace(whole, provenance={"families": families})

    with pytest.raises(ModelError, match=r"family B.*AB, BC, BD"):
        left_out.without_family(met(["AB", "BC", "BD"]), "B")
    for unknown in (["ABC"], None, "ABC"):  # one group for three members says nothing of each
        with pytest.raises(ModelError, match="one group a network"):
            left_out.without_family(met(unknown), "B")


def test_what_is_left_is_saved_once_and_is_that_of_the_prior(prior: Path, tmp_path: Path) -> None:
    folder = left_out.saved_without(prior, "E", tmp_path / "prior")
    stamp = (folder / "model.pt").stat().st_mtime_ns
    assert left_out.saved_without(prior, "E", folder) == folder
    assert (folder / "model.pt").stat().st_mtime_ns == stamp
    assert load_trained(folder).provenance["families"] == ["AD", "CF"]
    assert left_out.comes_from(folder, prior)
    other = untrained_prior(tmp_path / "other")
    assert not left_out.comes_from(tmp_path / "none", prior)
    whole = load_trained(other)
    with torch.no_grad():
        next(iter(whole.network)).head.weight.add_(1.0)
    save_trained(other, whole)
    assert not left_out.comes_from(folder, other)
    left_out.saved_without(other, "E", folder)  # another prior is not judged by the members of the first
    assert left_out.comes_from(folder, other)


def test_one_member_of_what_is_left(prior: Path) -> None:
    one = left_out.one_member(left_out.without_family(load_trained(prior), "A"))
    assert one.model.members == len(list(one.network)) == 1 and one.provenance["families"] == ["BE"]


@pytest.mark.parametrize("family", [f for f in FAMILIES if f not in WIDE])
def test_narrow_families_have_the_window_and_the_period_of_the_size(family: str, tmp_path: Path) -> None:
    place = judged_places.place_of(tmp_path, SMOKE, family, 31)
    assert (place.seed, tuple(place.window), place.start, place.end) == (31, SMOKE.window, SMOKE.start, SMOKE.end)
    assert not place.passed_over and not judged_places.passed_over_note(family, place)


def test_wide_families_lie_elsewhere_and_frozen_places_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is skipped silently: the place file and a line say what was passed over."""
    parts = iter([(0.1, 0.9), (0.8, 0.0), (0.31, 0.3)])
    drawn: list[tuple[object, ...]] = []

    def judged_parts(*of: object) -> tuple[float, float]:
        drawn.append(of)
        return next(parts)

    monkeypatch.setattr(judged_places, "judged_parts", judged_parts)
    place = judged_places.place_of(tmp_path, SMOKE, "F", 31)
    assert place.window != list(SMOKE.window) and len({of[1] for of in drawn}) == 3
    assert place.seed == drawn[-1][1] and [p["number"] for p in place.passed_over] == [0, 1]
    rows, cols = place.window[1] - place.window[0], place.window[3] - place.window[2]
    assert rows == cols == 4
    note = judged_places.passed_over_note("F", place)
    assert "2 drawn places passed over" in note and "10% of pixel-days, 0% observed" in note
    assert judged_places.place_of(tmp_path, SMOKE, "F", 31) == place and len(drawn) == 3  # drawn once


def observed_day(truth: list[float], ssm: list[float]) -> ObservedWorldDay:
    """A day of one row: a lake, then land."""
    water = {"water_fraction": torch.tensor([[1.0, 0.0, 0.0, 0.0]])}
    return ObservedWorldDay(dt.date.min, water, {}, torch.tensor([ssm]), torch.tensor([[math.nan, *truth]]), {})


def test_what_can_be_judged_is_a_part_of_the_land_and_of_the_observations(monkeypatch: pytest.MonkeyPatch) -> None:
    nan = math.nan
    days = [observed_day([0.2, 0.2, 0.2], [0.2, nan]), observed_day([nan, nan, 0.2], [nan, nan])]
    monkeypatch.setattr(judged_places, "observed_days", lambda *of: days)
    found = judged_places.judged_parts("F", 1, (0, 4, 0, 4), dt.date.min, dt.date.min)
    assert found == (pytest.approx(4 / 6), pytest.approx(1 / 4))


@pytest.mark.slow
def test_a_frozen_world_leaves_nothing_to_judge_and_a_warm_one_enough() -> None:
    """The same window and weather of family F in January and in July."""
    window = (48, 52, 700, 704)  # 53 degrees north
    for month, enough in ((1, False), (7, True)):
        first = dt.date(2015, month, 10)
        known, observed = judged_places.judged_parts("F", 5, window, first, first + dt.timedelta(3))
        assert (min(known, observed) >= judged_places.LEAST_SCORED) == enough
