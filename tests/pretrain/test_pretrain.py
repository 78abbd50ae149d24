"""Worlds thinned to samples, networks trained on their truth, and the road from there to a target."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from worlds import tiny_cube

from ssm_net.config import ModelConfig, PretrainConfig, TrainConfig, TrainerConfig
from ssm_net.cube.store import Cube
from ssm_net.errors import ConfigError
from ssm_net.estimators.calibration import Calibration
from ssm_net.estimators.checkpoint import Trained, build, load_trained, save_trained
from ssm_net.estimators.network import NetworkEstimator
from ssm_net.formats.truth import Truth
from ssm_net.infer.day import background
from ssm_net.inputs import features
from ssm_net.inputs.reading import read_coarse
from ssm_net.inputs.statistics import compute_scaling
from ssm_net.pretrain.run import pretrain
from ssm_net.pretrain.samples import NEIGHBOURHOOD, THINNING, World, thin
from ssm_net.pretrain.supervised import SupervisedLearner
from ssm_net.pretrain.truth_samples import PART, TruthBatch, TruthSamples
from ssm_net.pretrain.worlds import EXCLUDED, Place, places_of, samples_file
from ssm_net.train.batches import collate
from ssm_net.train.optimiser import Schedule
from ssm_net.train.run import train

MODEL = ModelConfig(members=2, width=8, depth=1, coarse_width=8, coarse_depth=1, cells=True, lags=3)


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Cube:
    return tiny_cube(tmp_path_factory.mktemp("w") / "c.zarr", cells=(8, 8), days=6)


@pytest.fixture(scope="module")
def truth(cube: Cube) -> Truth:
    """What the remembered temperatures of the tiny cube were made of."""
    ssm = np.stack([0.22 - cube.read("lst_day_memory", day) / 60 for day in cube.days])
    ssm[:, cube.read_static("water_fraction") > 0.5] = np.nan
    where = {d: np.asarray(cube.domain.fine.coordinates[d].values) for d in cube.domain.fine.dims}
    data = {"ssm": (("time", "y", "x"), ssm), "water": (("y", "x"), cube.read_static("water_fraction"))}
    path = cube.path.with_name("truth.zarr")
    xr.Dataset(data, {"time": np.array(cube.days, "datetime64[ns]"), **where}).to_zarr(
        path, zarr_format=3, consolidated=False
    )
    return Truth.open(path, cube.domain)


@pytest.fixture(scope="module")
def world(cube: Cube, truth: Truth, tmp_path_factory: pytest.TempPathFactory) -> World:
    file = tmp_path_factory.mktemp("s") / "world.npz"
    thin(cube, truth, compute_scaling(cube, cube.days).names, file, seed=1)
    return World.load(file)


def samples(cube: Cube, world: World, seed: int | None, **other: object) -> TruthSamples:
    return TruthSamples([world], compute_scaling(cube, cube.days), ratio=36, lags=3, seed=seed, **other)  # type: ignore[arg-type]


def tensors(batch: TruthBatch) -> list[torch.Tensor]:
    """All tensors of a batch, in the order of its fields."""
    out: list[torch.Tensor] = []
    batch.mapped(lambda tensor: out.append(tensor) or tensor)  # type: ignore[func-returns-value]
    return out


def loud(cube: Cube) -> Trained:
    torch.manual_seed(0)
    scaling = compute_scaling(cube, cube.days)
    network = build(MODEL, scaling, 0.22).eval()
    with torch.no_grad():
        for member in network:
            member.head.weight.normal_(std=0.2)
    return Trained(network, scaling, MODEL, 36, "gaussian", 43.0, 0.22, Calibration(), {"worlds": 1})


def test_samples_are_the_pixels_of_the_world(cube: Cube, truth: Truth, world: World) -> None:
    t = 3
    field = truth.read(cube.days[t])
    assert field is not None
    dy, dx = world.offset[t].tolist()
    n = 288 // THINNING
    want = field[dy::THINNING, dx::THINNING][:n, :n]
    np.testing.assert_allclose(world.truth[t].float(), want, atol=2e-4)
    names = list(compute_scaling(cube, cube.days).names)
    sand = world.x[t, names.index("sand")].float()
    near = cube.read_static("sand")[dy - 1 if dy else dy : dy + 2, :]
    assert sand.shape == (n * NEIGHBOURHOOD, n * NEIGHBOURHOOD)
    middle = sand[1::NEIGHBOURHOOD, 1::NEIGHBOURHOOD]
    np.testing.assert_allclose(middle, cube.read_static("sand")[dy::THINNING, dx::THINNING][:n, :n], rtol=1e-3)
    assert near.shape[0] >= 2


def test_the_thinned_road_is_that_of_inference(cube: Cube, world: World) -> None:
    """Networks see in training on truth what they see when a mosaic is made."""
    trained = loud(cube)
    learner = SupervisedLearner(trained.network, ratio=36, schedule=Schedule(1e-3, 0.0, 1, 0), bf16=False)
    t = 3
    with torch.inference_mode():
        out = learner.pixels(collate([samples(cube, world, None)[t]]))
    mean = torch.stack([m for m, _, _ in out]).mean(0)[0]
    estimator = NetworkEstimator(trained, cube, torch.device("cpu"))
    coarse = read_coarse(cube, cube.days[t], estimator.lags, estimator.scaling)
    every = torch.ones(cube.domain.fine_shape, dtype=torch.bool)
    whole = background(estimator, cube, coarse, every, 4).mean
    dy, dx = world.offset[t].tolist()
    want = whole[dy::THINNING, dx::THINNING][: len(mean), : len(mean)]
    assert float((mean - want).abs().max()) < 3e-3  # the samples are float16


def test_a_turned_sample_is_the_same_world(cube: Cube, world: World) -> None:
    """Turning and mirroring changes places, not what belongs together: footprint, context and truth."""
    data = samples(cube, world, 7)
    first = data[0]
    assert first.truth.shape == (PART * 6, PART * 6) and first.x.shape[1:] == (
        PART * 6 * NEIGHBOURHOOD,
        PART * 6 * NEIGHBOURHOOD,
    )
    at = list(data.scaling.names).index("lst_day_memory")
    for key in range(60):
        one = data[key]
        memory = one.x[at, 1::NEIGHBOURHOOD, 1::NEIGHBOURHOOD] * data.scaling.std[at] + data.scaling.mean[at]
        if bool((one.x[at] == 0).all()):
            continue  # this sample lacks that group of features
        shrunk = memory * (2.0 + 0.3) / 2.0
        error = (0.22 - shrunk / 60 - one.truth)[one.known]
        assert float(error.abs().max()) < 4e-3


def test_samples_are_pure_functions_of_seed_epoch_index(cube: Cube, world: World) -> None:
    a, b = samples(cube, world, 5), samples(cube, world, 5)
    b[2], b[8]
    for key in (0, 7, 11):
        for x, y in zip(tensors(a[key]), tensors(b[key]), strict=True):
            assert torch.equal(torch.nan_to_num(x), torch.nan_to_num(y))


def test_pixels_of_cells_held_out_are_no_labels(cube: Cube, world: World) -> None:
    labels = torch.ones(6, 8, 8, dtype=torch.bool)
    labels[:, :, 3] = False
    labels[4] = False
    data = samples(cube, world, None, labels=[labels])
    assert len(data) == 5
    assert not bool(data[0].known[:, 18:24].any()) and bool(data[0].known[30:, 24:].all())


def test_worlds_are_decided_by_the_whole_name_of_their_family_and_the_seed() -> None:
    one = Place.draw("BC", 3, seed=1, cells=8, days=48)
    assert one == Place.draw("BC", 3, seed=1, cells=8, days=48)
    for family, seed in (("AC", 1), ("BC", 2), ("CB", 1)):
        other = Place.draw(family, 3, seed=seed, cells=8, days=48)
        assert (one.window, one.start) != (other.window, other.start) and one.seed != other.seed
    assert all(n % 4 == 0 for n in one.window) and (one.end - one.start).days == 47
    # Samples of a world of another size are not taken for this one's.
    sizes = ((8, 48), (12, 48), (8, 30))
    assert len({Place.draw("BC", 3, seed=1, cells=cells, days=days).name for cells, days in sizes}) == 3


def test_all_default_worlds_differ() -> None:
    """Worlds that share place, season or relief teach the same thing twice."""
    places = places_of(PretrainConfig("worlds", "run"))
    assert len(places) == 60
    assert len({(p.window, p.start) for p in places}) == 60
    assert len({p.seed for p in places}) == 60  # of relief, weather and soil
    assert len({p.name for p in places}) == 60
    assert not {p.seed for p in places} & {p.seed for p in places_of(PretrainConfig("worlds", "run", seed=2))}


def test_training_starts_from_a_prior_and_says_what_it_lacks(cube: Cube, tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    prior = loud(cube)
    names = (*prior.scaling.names, "rain")
    wider = replace(prior.scaling, names=names, mean=(*prior.scaling.mean, 1.0), std=(*prior.scaling.std, 1.0))
    torch.manual_seed(1)
    save_trained(tmp_path, replace(prior, scaling=wider, network=build(MODEL, wider, 0.22)))
    cfg = TrainConfig(str(cube.path), str(tmp_path / "run"), prior=str(tmp_path), exclude=["sand"])
    trained = train(cfg)
    assert trained is not None and set(trained.scaling.absent) == {"rain", "sand"}
    assert "without sand, rain" in capsys.readouterr().out.replace("\n", " ")
    # What was not used in training is not used for mosaics: sand may be anything.
    estimator = NetworkEstimator(trained, cube, torch.device("cpu"))
    assert "sand" not in estimator.needs and "rain" not in estimator.needs
    assert train(cfg).digest == trained.digest  # type: ignore[union-attr]
    with pytest.raises(ConfigError, match="exclude"):
        train(replace(cfg, exclude=["gravel"], run=str(tmp_path / "other")))


def test_a_prior_of_other_products_is_refused(cube: Cube, tmp_path: Path) -> None:
    prior = loud(cube)
    scaling = replace(prior.scaling, names=("rain",), mean=(0.0,), std=(1.0,))
    save_trained(tmp_path, replace(prior, scaling=scaling, network=build(MODEL, scaling, 0.2)))
    with pytest.raises(ConfigError, match="prior=none"):
        train(TrainConfig(str(cube.path), str(tmp_path / "run"), prior=str(tmp_path)))


@pytest.mark.slow
def test_pretraining_goes_on_and_is_done_once(tmp_path: Path) -> None:
    cfg = PretrainConfig(str(tmp_path / "worlds"), str(tmp_path / "run"), families=["AC"], count=2, days=10, epochs=2,
                         model=MODEL, batch_size=4)  # fmt: skip
    first = pretrain(cfg)
    assert first is not None and len(list((tmp_path / "worlds").iterdir())) == 2
    assert (tmp_path / "run" / "checkpoints" / "last.ckpt").exists()
    again = pretrain(cfg)
    assert again is not None and again.digest == first.digest


def test_a_pretraining_plan_makes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cfg = PretrainConfig(str(tmp_path / "worlds"), str(tmp_path / "run"), plan=True)
    assert pretrain(cfg) is None and not list(tmp_path.iterdir())
    assert "would make 60 of 60 worlds" in capsys.readouterr().out.replace("\n", " ")


def random_worlds(cfg: PretrainConfig) -> None:
    """Samples of all worlds that ``cfg`` names, of random numbers: nothing is left to simulate."""
    rng = np.random.default_rng(0)
    cells, days, side = cfg.cells, cfg.days, cfg.cells * 36 // THINNING
    names = [f.name for f in features.FEATURES if not f.classics_only and f.name not in EXCLUDED]
    Path(cfg.worlds).mkdir(exist_ok=True)
    for place in places_of(cfg):
        np.savez(
            samples_file(place, Path(cfg.worlds)),
            x=rng.normal(size=(days, len(names), side * NEIGHBOURHOOD, side * NEIGHBOURHOOD)).astype("float16"),
            truth=rng.uniform(0.1, 0.4, (days, side, side)).astype("float16"),
            offset=rng.integers(0, THINNING, (days, 2)),
            cells=rng.normal(size=(days, len(names), cells, cells)).astype("float32"),
            ssm=rng.uniform(0.1, 0.4, (days, cells, cells)).astype("float32"),
        )  # fmt: skip


def test_pretraining_runs_on_the_devices_of_its_trainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``trainer=ddp`` is not quietly one device, and the schedule counts the steps of all."""
    trainer = TrainerConfig(accelerator="cpu", devices=2, strategy="ddp", precision="bf16-mixed")
    cfg = PretrainConfig(str(tmp_path / "w"), str(tmp_path / "run"), families=["AC"], count=2, days=10, epochs=3,
                         model=MODEL, batch_size=4, trainer=trainer)  # fmt: skip
    random_worlds(cfg)

    def stopped(trainer, learner, data, run):  # type: ignore[no-untyped-def]
        assert trainer.num_devices == 2 and type(trainer.strategy).__name__ == "DDPStrategy"
        assert learner.schedule.steps == 3 * 2 and learner.bf16  # 10 samples in batches of 2 x 4
        raise InterruptedError

    monkeypatch.setattr("ssm_net.pretrain.run.fit_or_resume", stopped)
    with pytest.raises(InterruptedError):
        pretrain(cfg)


@pytest.mark.slow
def test_two_processes_pretrain_together(tmp_path: Path) -> None:
    cfg = PretrainConfig(str(tmp_path / "w"), str(tmp_path / "run"), families=["AC"], count=2, days=10)
    random_worlds(cfg)
    keys = ["families=[AC]", "count=2", "days=10", "epochs=2", "batch_size=4", "model.members=1", "model.width=8",
            "model.coarse_width=8", "trainer.devices=2", "trainer.strategy=ddp"]  # fmt: skip
    script = str(Path(__file__).parents[2] / "pretrain.py")
    command = [sys.executable, script, f"worlds={cfg.worlds}", f"run={cfg.run}", *keys]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    state = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert state["global_step"] == 2 * 2  # 10 samples in batches of 2 x 4
    assert load_trained(cfg.run).provenance["worlds"] == 1


def test_a_precision_that_pretraining_does_not_have_is_refused(tmp_path: Path) -> None:
    cfg = PretrainConfig(str(tmp_path / "w"), str(tmp_path / "run"), trainer=TrainerConfig(precision="16-mixed"))
    with pytest.raises(ConfigError, match=r"16-mixed.*bf16-mixed"):
        pretrain(cfg)
