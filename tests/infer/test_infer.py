"""From cube to mosaics: leave-own-out end to end, exact tiles, resume, flags, baselines."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from worlds import FIRST, loud_run, predict_day, tiny_cube

from ssm_net.config import InferConfig, ModelConfig
from ssm_net.cube.store import Cube, open_cube
from ssm_net.estimators import precision
from ssm_net.estimators.bilinear import Bilinear
from ssm_net.estimators.checkpoint import SHIPPED_PRIOR, ModelError, load_trained
from ssm_net.estimators.dispatch import Dispatch
from ssm_net.estimators.network import NetworkEstimator
from ssm_net.formats.mosaic_days import day_path, read_day
from ssm_net.formats.product import Flag
from ssm_net.grid import block_mean
from ssm_net.infer.day import background
from ssm_net.infer.plan import InferenceError, plan_inference
from ssm_net.infer.run import infer
from ssm_net.inputs.reading import CoarseDay, read_coarse

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Cube:
    return tiny_cube(tmp_path_factory.mktemp("w") / "c.zarr", cells=(4, 8), days=4)


@pytest.fixture(scope="module")
def run(cube: Cube, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Networks with loud random weights: what they are fed shows."""
    model = ModelConfig(members=2, width=16, coarse_width=16, cells=True)
    return loud_run(tmp_path_factory.mktemp("run"), cube, model)


@pytest.fixture
def estimator(cube: Cube, run: Path) -> NetworkEstimator:
    return NetworkEstimator(load_trained(run), cube, CPU)


def land_of(cube: Cube) -> torch.Tensor:
    return cube.land()


def coarse_of(cube: Cube, estimator: NetworkEstimator, day: dt.date = FIRST) -> CoarseDay:
    return read_coarse(cube, day, estimator.lags, estimator.scaling)


@pytest.mark.parametrize("cell", [(0, 0), (1, 3), (2, 6), (3, 7)])
def test_own_observation_does_not_reach_its_cell(
    cube: Cube, estimator: NetworkEstimator, cell: tuple[int, int]
) -> None:
    coarse, land = coarse_of(cube, estimator), land_of(cube)
    before, variance, *_ = background(estimator, cube, coarse, land, 8)
    ssm = coarse.ssm.clone()
    ssm[0, cell[0], cell[1]] += 0.1
    after, variance_after, *_ = background(estimator, cube, replace(coarse, ssm=ssm), land, 8)
    here = tuple(slice(36 * n, 36 * (n + 1)) for n in cell)
    assert torch.equal(before[here], after[here]) and torch.equal(variance[here], variance_after[here])
    assert not torch.equal(before, after)


@pytest.mark.parametrize("side", [1, 2, 3, 5])
def test_tiled_equals_untiled(cube: Cube, estimator: NetworkEstimator, side: int) -> None:
    coarse = coarse_of(cube, estimator)
    everywhere = torch.ones(cube.domain.fine_shape, dtype=torch.bool)
    whole = background(estimator, cube, coarse, everywhere, 8)
    tiled = background(estimator, cube, coarse, everywhere, side)
    for a, b in zip(whole[:3], tiled[:3], strict=True):
        assert float((a - b).abs().max()) <= 1e-5
    assert torch.equal(whole.far, tiled.far)


def test_tiles_without_land_are_skipped(cube: Cube, estimator: NetworkEstimator) -> None:
    land = torch.zeros(cube.domain.fine_shape, dtype=torch.bool)
    land[:36, :36] = True
    mean = background(estimator, cube, coarse_of(cube, estimator), land, 2).mean
    assert bool(torch.isfinite(mean[:72, :72]).all()) and bool(torch.isnan(mean[:, 72:]).all())


def test_exact_mosaic_conserves_the_coarse_value(cube: Cube, estimator: NetworkEstimator) -> None:
    land = land_of(cube)
    out = predict_day(estimator, cube, FIRST, land, how="exact", side=4, attrs={})
    y = torch.from_numpy(cube.read_coarse("ssm", FIRST))
    miss = (block_mean(torch.from_numpy(out.ssm).double(), 36) - y)[torch.isfinite(y)].abs()
    assert float(miss.max()) <= 1e-6


def test_the_update_draws_the_cells_towards_their_observations(cube: Cube, estimator: NetworkEstimator) -> None:
    land, y = land_of(cube), torch.from_numpy(cube.read_coarse("ssm", FIRST))

    def rms(how: str) -> float:
        out = predict_day(estimator, cube, FIRST, land, how=how, side=4, attrs={})
        return float(((block_mean(torch.from_numpy(out.ssm), 36) - y) ** 2).mean().sqrt())

    assert rms("exact") < 1e-5 < rms("gain") < rms("none")


def test_flags_tell_gap_water_and_sky(cube: Cube, estimator: NetworkEstimator) -> None:
    day = cube.days[2]
    out = predict_day(estimator, cube, day, land_of(cube), how="gain", side=4, attrs={})
    flags = out.flags
    gap = np.isnan(cube.read_coarse("ssm", day)).repeat(36, 0).repeat(36, 1)
    water = cube.read_static("water_fraction") >= 0.5
    seen = (cube.read_packed("lst_day_lineage", day) == 0) | (cube.read_packed("lst_night_lineage", day) == 0)
    np.testing.assert_array_equal((flags & Flag.ORBIT_GAP_FILLED) > 0, gap & ~water)
    np.testing.assert_array_equal((flags & Flag.COARSE_OBSERVED) > 0, ~gap)
    np.testing.assert_array_equal((flags & Flag.WATER) > 0, water)
    np.testing.assert_array_equal((flags & Flag.LST_SEEN) > 0, seen)
    np.testing.assert_array_equal(np.isnan(out.ssm), water)
    assert (out.sigma[gap & ~water].mean()) > out.sigma[~gap & ~water].mean()


def test_inference_goes_on_a_day_at_a_time(cube: Cube, run: Path, tmp_path: Path) -> None:
    cfg = InferConfig(cube=str(cube.path), run=str(run), mosaics=str(tmp_path), tile=4)
    first = infer(replace(cfg, end="2016-04-16"))
    stamps = {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in tmp_path.glob("*.nc")}
    assert len(first) == 2 and len(stamps) == 2
    rest = infer(cfg)
    assert rest == list(cube.days[2:])
    for name, (stamp, _) in stamps.items():
        assert (tmp_path / name).stat().st_mtime_ns == stamp
    assert infer(cfg) == []
    again = infer(replace(cfg, overwrite=True))
    assert len(again) == 4
    for name, (_, data) in stamps.items():
        assert (tmp_path / name).read_bytes() == data  # the same day is the same file


def test_two_models_do_not_share_a_folder(cube: Cube, run: Path, tmp_path: Path) -> None:
    cfg = InferConfig(cube=str(cube.path), run=str(run), mosaics=str(tmp_path), end="2016-04-15")
    infer(cfg)
    with pytest.raises(ValueError, match=r"made otherwise: model=bilinear \(there: ssm_net\).*overwrite=true"):
        infer(replace(cfg, method="bilinear"))
    with pytest.raises(ValueError, match=r"update=exact \(there: gain\)"):
        infer(replace(cfg, update="exact"))
    assert infer(replace(cfg, update="exact", overwrite=True)) == [FIRST]
    assert infer(replace(cfg, update="exact")) == []


def test_plan_does_nothing(cube: Cube, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert infer(InferConfig(cube=str(cube.path), run=str(run), mosaics=str(tmp_path / "m"), plan=True)) == []
    assert not (tmp_path / "m").exists() and "would make 4 of 4 days" in capsys.readouterr().out


def test_an_untrained_run_is_said(cube: Cube, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no finished model"):
        infer(InferConfig(cube=str(cube.path), run=str(tmp_path), mosaics=str(tmp_path / "m")))


def test_days_outside_the_cube_are_said(cube: Cube, run: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no whole day in 2020-01-01 .* prepare.py"):
        infer(
            InferConfig(cube=str(cube.path), run=str(run), mosaics=str(tmp_path), start="2020-01-01", end="2020-01-02")
        )


def test_a_cube_without_a_predictor_of_the_model_is_refused(cube: Cube, run: Path, tmp_path: Path) -> None:
    poorer = replace(open_cube(cube.path), static=("elevation", "water_fraction"))
    with pytest.raises(ValueError, match="lacks what the model was trained on: sand"):
        NetworkEstimator(load_trained(run), poorer, CPU)


@pytest.mark.parametrize(("attrs", "message"), [
    ({"fwhm_km": 36.0}, r"FWHM 36 km \(the model: 43 km\).*train\.py .*fwhm_km"),
    ({"footprint": "box"}, r"footprint box \(the model: gaussian\)"),
])  # fmt: skip
def test_a_cube_of_another_sensor_than_the_models_is_refused(cube: Cube, run: Path, attrs: dict, message: str) -> None:
    """Its stated error is that of footprints of another width; only training adapts to them."""
    other = replace(open_cube(cube.path), attrs={**cube.attrs, **attrs})
    with pytest.raises(ModelError, match=message):
        NetworkEstimator(load_trained(run), other, CPU)


def test_a_map_and_the_screen_say_on_what_it_was_computed(
    cube: Cube, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cfg = InferConfig(cube=str(cube.path), run=str(run), mosaics=str(tmp_path), end=str(FIRST), device="cpu")
    infer(replace(cfg, precision="bfloat16"))
    attrs = read_day(next(tmp_path.glob("*.nc"))).attrs
    assert (attrs["compute_precision"], attrs["compute_device"]) == ("bfloat16", "cpu")
    assert torch.__version__.startswith(str(attrs["torch_version"]))
    assert "computing in bfloat16 on cpu: as asked" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(("gain", "chosen"), [(0.7, "float32"), (1.5, "bfloat16")])
def test_rounded_products_are_used_where_a_trial_says_that_they_are_faster(
    gain: float, chosen: str, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A processor may have them and be slower with them."""
    network = load_trained(run).network
    assert precision.trial(network) > 0
    monkeypatch.setattr(precision, "trial", lambda network: gain)
    monkeypatch.setattr(precision, "_chosen", [])
    monkeypatch.setattr(precision, "NATIVE", ("processor",))  # in every /proc/cpuinfo
    assert precision.choose_precision("auto", network, CPU).name == chosen
    monkeypatch.setattr(precision, "NATIVE", ("none has this",))
    assert precision.choose_precision("auto", network, CPU).name == "float32"


def test_the_plan_is_a_value_that_prints_as_the_dry_run(cube: Cube, tmp_path: Path) -> None:
    cfg = InferConfig(cube=str(cube.path), mosaics=str(tmp_path), method="bilinear", start=str(cube.days[1]))
    infer(replace(cfg, end=str(cube.days[1])))
    plan = plan_inference(cfg, cube)
    assert (plan.days, plan.todo, plan.done) == (cube.days[1:], cube.days[2:], [cube.days[1]])
    assert "would make 2 of 3 days (2016-04-16 .. 2016-04-18) of domain tiny with bilinear" in str(plan)
    assert plan_inference(replace(cfg, overwrite=True), cube).todo == cube.days[1:]
    assert plan_inference(replace(cfg, parts=3, part=2), cube).days == (cube.days[2],)


@pytest.mark.parametrize("side", [1, 3, 8])
def test_baselines_run_behind_the_same_interface(cube: Cube, side: int) -> None:
    land = land_of(cube)
    for one in (Bilinear(36), Dispatch(36)):
        whole = predict_day(one, cube, FIRST, land, how="gain", side=8, attrs={})
        tiled = predict_day(one, cube, FIRST, land, how="gain", side=side, attrs={})
        np.testing.assert_allclose(whole.ssm, tiled.ssm, atol=1e-5)
        assert np.isfinite(whole.ssm[land.numpy()]).all()


def test_weights_that_are_not_the_described_ones_are_refused(run: Path, tmp_path: Path) -> None:
    for name in ("model.json", "model.pt"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    (tmp_path / "model.pt").write_bytes((run / "model.pt").read_bytes()[:-10])
    with pytest.raises(ValueError, match=r"not the file that model\.json describes"):
        load_trained(tmp_path)


def test_a_prior_that_no_cube_has_adapted_is_named_with_the_remedy(tiny_cube_path: Path, tmp_path: Path) -> None:
    cfg = InferConfig(cube=str(tiny_cube_path), run=str(SHIPPED_PRIOR), mosaics=str(tmp_path))
    with pytest.raises(InferenceError, match=r"train\.py cube=.* prior="):
        infer(cfg)


def test_a_baseline_has_an_empty_map_before_the_first_observation(
    cube: Cube, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A record that begins in an orbit gap, or lasts through months without a sensor, ended every baseline of it."""

    def first_day_unobserved(*args: object) -> CoarseDay:
        coarse = read_coarse(*args)  # type: ignore[arg-type]
        return replace(coarse, ssm=coarse.ssm * torch.nan) if coarse.day == FIRST else coarse

    monkeypatch.setattr("ssm_net.infer.day.read_coarse", first_day_unobserved)
    days = infer(InferConfig(str(cube.path), str(tmp_path), method="bilinear"))
    assert days == list(cube.days)
    empty, full = (read_day(day_path(tmp_path, "tiny", day), day) for day in days[:2])
    assert not np.isfinite(empty.ssm).any() and np.isfinite(full.ssm).any()
    (said,) = [r.getMessage() for r in caplog.records if "the map has no value" in r.getMessage()]
    assert said.startswith(f"{FIRST}: ") and "no coarse observation on this day" in said
