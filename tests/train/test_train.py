"""Training: pure samples, the label's footprint, resume after a kill, refusal of mixed settings."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import crash
import numpy as np
import pytest
import torch
from worlds import tiny_cube

from ssm_net.config import ModelConfig, TrainConfig
from ssm_net.core.faults import FaultPoint
from ssm_net.cube.store import Cube
from ssm_net.errors import ConfigError
from ssm_net.estimators.calibration import Calibration
from ssm_net.estimators.checkpoint import ModelError, Trained, build, load_trained, save_trained
from ssm_net.estimators.network import NetworkEstimator
from ssm_net.footprint import Footprint
from ssm_net.grid import upsample
from ssm_net.infer.day import background
from ssm_net.inputs.channels import channels
from ssm_net.inputs.phases import PHASES, phase_of_cells
from ssm_net.inputs.reading import padded, read_coarse, read_stored, usable
from ssm_net.inputs.split import split
from ssm_net.inputs.statistics import compute_scaling
from ssm_net.train.aggregate_loss import AggregateLearner, Objective, SensorFootprint
from ssm_net.train.batches import PatchBatch, collate
from ssm_net.train.data_module import EpochSampler, TrainingData
from ssm_net.train.optimiser import Schedule
from ssm_net.train.patches import Patches, PatchShape, patch_data
from ssm_net.train.run import train

SMALL = ModelConfig(members=2, width=8, depth=1, coarse_width=8, coarse_depth=1, lags=3)


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Cube:
    return tiny_cube(tmp_path_factory.mktemp("w") / "c.zarr", cells=(4, 8), days=7)


def patches(cube: Cube, **kwargs: object) -> Patches:
    every = [np.ones(cube.domain.coarse_shape, bool)] * len(cube.days)
    settings: dict = {"patch": 4, "seed": 5} | kwargs
    shape = PatchShape(side=settings["patch"], halo=1, lags=3, cells=True)
    return Patches(cube, cube.days, every, compute_scaling(cube, cube.days), shape, seed=settings["seed"])


def batch_of(data: Patches, *keys: int) -> PatchBatch:
    """Samples as a batch, with their channels."""
    return data.complete(collate([data[key] for key in keys]))


def tensors(batch: PatchBatch) -> list[torch.Tensor]:
    """All tensors of a batch, in the order of its fields."""
    out: list[torch.Tensor] = []
    batch.mapped(lambda tensor: out.append(tensor) or tensor)  # type: ignore[func-returns-value]
    return out


@pytest.mark.parametrize("window", [(0, 0), (1, 2)])
def test_channels_of_a_batch_are_those_of_inference(cube: Cube, window: tuple[int, int]) -> None:
    """Made of packed integers on the device, or window by window: the same numbers, nothing beyond the domain."""
    data = patches(cube, patch=2)
    none = torch.zeros(cube.domain.coarse_shape, dtype=torch.bool)
    batch = data.complete(collate([data.sample(which, *window, none) for which in (0, 3)]))
    pixels = tuple(36 * n for n in (window[0], window[0] + 2, window[1], window[1] + 2))
    inside, pad = padded(pixels, 1, cube.domain.fine_shape)
    for i, which in enumerate((0, 3)):
        coarse = read_coarse(cube, cube.days[which], 3, data.cells)
        stored = read_stored(cube, cube.days[which], inside, usable(cube, data.scaling.present), coarse.background)
        want = torch.nn.functional.pad(channels(stored, data.scaling), pad)
        torch.testing.assert_close(batch.x[i], want, atol=2e-5, rtol=1e-5)
        up = batch.coarse.up_y[i] @ torch.nan_to_num(batch.coarse.ssm[i, 0]) @ batch.coarse.up_x[i].T
        torch.testing.assert_close(up, upsample(torch.nan_to_num(coarse.ssm[0]), 36, pixels))
    assert batch.gate.any() and not batch.gate.all()


def test_a_sample_is_a_pure_function_of_seed_epoch_index(cube: Cube) -> None:
    a, b = patches(cube), patches(cube)
    b[3], b[9]
    for key in (0, 8, 13):
        for x, y in zip(tensors(batch_of(a, key)), tensors(batch_of(b, key)), strict=True):
            assert torch.equal(torch.nan_to_num(x), torch.nan_to_num(y))
    assert any(not torch.equal(a[i].target.value, a[len(a) + i].target.value) for i in (0, 1))
    other = patches(cube, seed=6)
    assert any(not torch.equal(a[i].target.value, other[i].target.value) for i in range(len(a)))


@pytest.mark.slow
def test_batches_do_not_depend_on_the_number_of_workers(cube: Cube) -> None:
    data = patches(cube, patch=4)

    def epoch(workers: int) -> list[PatchBatch]:
        sampler = EpochSampler(len(data))
        sampler.set_epoch(2)
        return [data.complete(batch) for batch in TrainingData(data, data, 3, workers).loader(data, sampler)]

    alone = epoch(0)
    assert len(alone) == -(-len(data) // 3)
    for a, b in zip(alone, epoch(2), strict=True):
        for x, y in zip(tensors(a), tensors(b), strict=True):
            torch.testing.assert_close(x, y, rtol=0, atol=0, equal_nan=True)


def test_each_epoch_draws_each_day_once(cube: Cube) -> None:
    data = patches(cube, patch=8)
    seen = {float(batch_of(data, len(data) * 3 + i).x.sum()) for i in range(len(data))}
    assert len(seen) == len(cube.days)


def test_a_footprint_that_leaves_the_patch_is_scored_at_the_domains_edge_only(cube: Cube) -> None:
    data = patches(cube)
    score = data.sample(0, 0, 2, torch.zeros(4, 8, dtype=torch.bool)).target.score
    assert bool(score[:, 1:3].all()) and not bool(score[:, [0, 3]].any())
    assert bool(data.sample(0, 0, 4, torch.zeros(4, 8, dtype=torch.bool)).target.score[:, 3].all())


def test_held_out_cells_and_days_are_no_labels(cube: Cube) -> None:
    parts = split(cube.days, cube.domain.coarse_shape, 0.2, 0.3, seed=3)
    assert parts.held_cells.any() and max(parts.train_days) < min(parts.held_days)
    shape = PatchShape(side=8, halo=1, lags=3, cells=False)
    data = patch_data(
        cube, parts, compute_scaling(cube, parts.train_days), shape, batch_size=2, workers=0, seed=1
    )  # fmt: skip
    for i in range(len(data.train)):
        assert not bool(data.train[i].target.score[torch.from_numpy(parts.held_cells)].any())
    assert set(data.train.days) == set(parts.train_days)
    assert set(parts.held_days) <= set(data.held.days)


def test_statistics_come_from_the_training_days(cube: Cube) -> None:
    early, late = compute_scaling(cube, cube.days[:3]), compute_scaling(cube, cube.days[3:])
    assert early.first == str(cube.days[0]) and early.last == str(cube.days[2]) and early.mean != late.mean
    assert "lst_day_memory" in early.names and "rain" not in early.names  # the products there are make the model
    day = read_coarse(cube, cube.days[0], 1, early)
    assert bool(torch.isfinite(day.features).all()) and float(day.features.abs().max()) < 6


def learner(cube: Cube) -> AggregateLearner:
    torch.manual_seed(0)
    scaling = compute_scaling(cube, cube.days)
    net = build(SMALL, scaling, 0.22)
    with torch.no_grad():
        for member in net:
            for p in member.head.parameters():
                p.normal_(std=0.2)
    objective = Objective(beta=0.5, subgrid=0.1, subgrid_std=0.05, physics=0.1, stride=1, hot=[0])
    return AggregateLearner(net, footprint=SensorFootprint("gaussian", 43.0, 36), objective=objective,
                            schedule=Schedule(lr=1e-3, weight_decay=0.0, steps=10, seed=1), cells=32,
                            observations=100)  # fmt: skip


def batch_of_day(cube: Cube, day: int) -> PatchBatch:
    data = patches(cube, patch=8, seed=None)
    return data.complete(collate([data.sample(day, 0, 0, torch.zeros(4, 8, dtype=torch.bool))]))


def test_training_and_inference_see_the_same_field(cube: Cube) -> None:
    """The background of a phase's cells, made by the training step's path and by inference, agrees through H."""
    one = learner(cube).eval()
    with torch.no_grad():
        mean = one.background(batch_of_day(cube, 1), (0, 0), 1).mean.mean(0)
    trained = _trained(cube, one)
    estimator = NetworkEstimator(trained, cube, torch.device("cpu"))
    land = cube.land()
    coarse = read_coarse(cube, cube.days[1], 3, estimator.scaling)
    phase, h = phase_of_cells(4, 8), Footprint.gaussian((4, 8), 36, 43.0)
    for p in range(PHASES):
        # With one phase hidden once and for all, every pixel has that phase's context.
        mu = background(_AllPhases(estimator, p), cube, coarse, torch.ones_like(land), 8).mean
        want = h.forward(mu, land.float())[phase == p]
        assert torch.allclose(mean[0][phase == p], want, atol=1e-5)


class _AllPhases:
    """The estimator with the context of one phase for all pixels."""

    def __init__(self, inner: NetworkEstimator, phase: int) -> None:
        self.inner, self.phase, self.halo, self.needs = inner, phase, inner.halo, inner.needs

    def context(self, coarse):  # type: ignore[no-untyped-def]
        context = self.inner.context(coarse)
        one = (c[self.phase : self.phase + 1].expand(PHASES, -1, -1, -1) for c in context.by_phase)
        return replace(context, by_phase=tuple(one))

    def estimate(self, context, fine, window):  # type: ignore[no-untyped-def]
        return self.inner.estimate(context, fine, window)


def _trained(cube: Cube, one: AggregateLearner) -> Trained:
    return Trained(one.network, compute_scaling(cube, cube.days), SMALL, 36, "gaussian", 43.0, 0.22, Calibration(), {})


def test_the_loss_of_a_cell_does_not_see_its_own_value(cube: Cube) -> None:
    """Also not through the pixels of its neighbours that its footprint reaches."""
    one = learner(cube).eval()
    batch = batch_of_day(cube, 0)
    with torch.no_grad():
        before = one.background(batch, (0, 0), 1).mean[:, 0]
        batch.coarse.ssm[0, 0, 2, 3] += 0.2
        after = one.background(batch, (0, 0), 1).mean[:, 0]
    assert torch.equal(before[:, 2, 3], after[:, 2, 3]) and not torch.equal(before, after)


def test_missing_observations_reach_neither_loss_nor_gradient(cube: Cube) -> None:
    one = learner(cube)
    batch = batch_of_day(cube, 2)  # half of this day is an orbit gap
    assert not bool(batch.target.score[0, :, :4].any())
    one.log_dict = lambda *a, **k: None  # type: ignore[method-assign]
    loss = one.training_step(batch, 0)
    loss.backward()
    assert bool(torch.isfinite(loss)) and all(
        p.grad is None or bool(torch.isfinite(p.grad).all()) for p in one.parameters()
    )


def config(cube: Cube, run: Path, **kwargs: object) -> TrainConfig:
    settings: dict = {"prior": "none", "model": SMALL, "epochs": 3, "batch_size": 2, "patch": 4} | kwargs
    return TrainConfig(cube=str(cube.path), run=str(run), **settings)


def test_a_finished_training_is_not_done_again_and_mixed_settings_are_refused(cube: Cube, tmp_path: Path) -> None:
    cfg = config(cube, tmp_path / "run", epochs=1)
    first = train(cfg)
    stamp = (tmp_path / "run" / "model.pt").stat().st_mtime_ns
    second = train(cfg)
    assert first is not None and second is not None and first.digest == second.digest
    assert (tmp_path / "run" / "model.pt").stat().st_mtime_ns == stamp
    with pytest.raises(ConfigError, match=r"lr=0.1 \(was 0.012\).*restart=true"):
        train(replace(cfg, lr=0.1))
    assert first.scaling.last == first.provenance["train_days"][1]


def test_a_foreign_folder_is_not_taken_for_a_run(cube: Cube, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ConfigError, match="holds no training"):
        train(config(cube, tmp_path))


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Sums in the order in which a process of ``crash`` adds them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
def test_killed_training_goes_on_and_ends_like_an_unbroken_one(cube: Cube, tmp_path: Path) -> None:
    """kill -9 while the checkpoint of the third epoch is half written; the rest gives the same weights, bit for bit."""
    run, whole = tmp_path / "killed", tmp_path / "whole"
    work = (
        "from ssm_net.cube.store import open_cube\nfrom test_train import config\nfrom ssm_net.train import train\n"
        f"train(config(open_cube({str(cube.path)!r}), Path({str(run)!r}), epochs=4, patience=99))\n"
    )
    crash.killed_at(FaultPoint.FILE_WRITTEN_NOT_RENAMED, work, "checkpoints/last.ckpt", n=3)
    last = run / "checkpoints" / "last.ckpt"
    assert last.exists() and not (run / "model.json").exists()
    assert list(last.parent.glob("last.ckpt.*.part"))
    assert torch.load(last, map_location="cpu", weights_only=True)["epoch"] == 1
    for folder in (run, whole):
        train(config(cube, folder, epochs=4, patience=99))
    a, b = load_trained(run), load_trained(whole)
    for x, y in zip(a.network.state_dict().values(), b.network.state_dict().values(), strict=True):
        assert torch.equal(x, y)
    assert not list(run.rglob("*.part"))


@pytest.mark.parametrize("point", crash.OF_MODELS, ids=crash.name_of)
def test_a_model_cut_off_while_it_is_saved_is_no_model(cube: Cube, tmp_path: Path, point: FaultPoint) -> None:
    """Neither a new one nor one that takes the place of another; saving again makes it whole."""
    first, other = (_trained(cube, learner(cube)) for _ in range(2))
    with torch.no_grad():
        for p in other.network.parameters():
            p.add_(0.1)
    for model, there in ((first, False), (other, True)):
        with crash.failing_at(point, KeyboardInterrupt()), pytest.raises(KeyboardInterrupt):
            save_trained(tmp_path, model)
        if there and point is FaultPoint.WEIGHTS_WRITTEN_NOT_RENAMED:
            assert same_weights(load_trained(tmp_path), first)
        else:
            with pytest.raises(ModelError):
                load_trained(tmp_path)
        save_trained(tmp_path, model)
        assert same_weights(load_trained(tmp_path), model)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.json", "model.pt"]


def same_weights(a: Trained, b: Trained) -> bool:
    pairs = zip(a.network.state_dict().values(), b.network.state_dict().values(), strict=True)
    return all(torch.equal(x, y) for x, y in pairs)
