"""On a CUDA device: a step of training and of pretraining, and a day's map, are those of the CPU within 1e-3.

    python -m pytest -m gpu

These tests need torch with CUDA, and neither granules nor stations; they skip, and say so, where there is no device.
"""

from __future__ import annotations

import copy
from pathlib import Path

import lightning as L
import numpy as np
import pytest
import torch
import xarray as xr
from worlds import tiny_cube

from ssm_net.config import InferConfig, ModelConfig, TrainConfig, TrainerConfig
from ssm_net.cube.store import Cube
from ssm_net.estimators.checkpoint import build
from ssm_net.formats.mosaic_days import read_day
from ssm_net.formats.product import Flag
from ssm_net.formats.truth import Truth
from ssm_net.infer import infer
from ssm_net.inputs.statistics import compute_scaling
from ssm_net.pretrain.samples import World, thin
from ssm_net.pretrain.supervised import SupervisedLearner
from ssm_net.pretrain.truth_samples import TruthSamples
from ssm_net.train import train
from ssm_net.train.aggregate_loss import AggregateLearner, Objective, SensorFootprint
from ssm_net.train.batches import TensorValue, collate
from ssm_net.train.data_module import EpochDataset
from ssm_net.train.optimiser import Schedule
from ssm_net.train.patches import Patches, PatchShape

pytestmark = pytest.mark.gpu
GPU = torch.device("cuda")
MODEL = ModelConfig(members=2, width=16, depth=2, coarse_width=16, coarse_depth=1, lags=3, dropout=0.0)
SAME = 1e-3  # m3 m-3 of maps; relative of losses
SCHEDULE = Schedule(lr=1e-3, weight_decay=0.0, steps=10, seed=0)


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Cube:
    return tiny_cube(tmp_path_factory.mktemp("w") / "c.zarr", cells=(8, 8), days=6)


@pytest.fixture(scope="module")
def adapted(cube: Cube, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped prior, adapted to the cube on the CPU."""
    run = tmp_path_factory.mktemp("m") / "run"
    train(TrainConfig(cube=str(cube.path), run=str(run), trainer=TrainerConfig(accelerator="cpu")))
    return run


def losses_of_two_steps(learner: L.LightningModule, data: EpochDataset, samples: list[TensorValue]) -> list[float]:
    """On the device of the learner: the loss, and that after one step down its gradient."""
    device = next(learner.parameters()).device
    batch = data.complete(collate(samples).to(device))
    optimiser, losses = torch.optim.SGD(learner.parameters(), lr=1e-2), []
    for _ in range(2):
        torch.manual_seed(0)  # the same pixels of a footprint
        loss = learner.training_step(batch, 0)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    return losses


def assert_steps_agree(learner: L.LightningModule, data: EpochDataset, samples: list[TensorValue]) -> None:
    on_gpu = losses_of_two_steps(copy.deepcopy(learner).to(GPU), data, samples)
    on_cpu = losses_of_two_steps(learner, data, samples)
    assert np.isfinite(on_gpu).all() and on_cpu[1] < on_cpu[0]
    np.testing.assert_allclose(on_gpu, on_cpu, rtol=SAME)


def test_a_training_step(cube: Cube) -> None:
    torch.manual_seed(0)
    scaling = compute_scaling(cube, cube.days)
    shape = PatchShape(side=8, halo=MODEL.kernel // 2, lags=MODEL.lags, cells=MODEL.cells)
    data = Patches(cube, cube.days, [np.ones((8, 8), bool)] * len(cube.days), scaling, shape, seed=1)
    learner = AggregateLearner(
        build(MODEL, scaling, 0.22), footprint=SensorFootprint("gaussian", 43.0, 36),
        objective=Objective(beta=0.5, subgrid=0.1, subgrid_std=0.05, physics=0.1, stride=3, hot=[0]),
        schedule=SCHEDULE, cells=64, observations=200,
    )  # fmt: skip
    assert_steps_agree(learner, data, [data[n] for n in range(3)])


def test_a_pretraining_step(cube: Cube, tmp_path: Path) -> None:
    """In float32: bfloat16 is a setting, tested on either device by itself."""
    ssm = np.stack([0.22 - cube.read("lst_day_memory", day) / 60 for day in cube.days])
    where = {d: np.asarray(cube.domain.fine.coordinates[d].values) for d in cube.domain.fine.dims}
    fields = {"ssm": (("time", "y", "x"), ssm), "water": (("y", "x"), cube.read_static("water_fraction"))}
    days = {"time": np.array(cube.days, "datetime64[ns]")}
    xr.Dataset(fields, days | where).to_zarr(tmp_path / "truth.zarr", zarr_format=3, consolidated=False)
    scaling = compute_scaling(cube, cube.days)
    thin(cube, Truth.open(tmp_path / "truth.zarr", cube.domain), scaling.names, tmp_path / "world.npz", seed=1)
    data = TruthSamples([World.load(tmp_path / "world.npz")], scaling, ratio=36, lags=MODEL.lags, seed=1)
    torch.manual_seed(0)
    learner = SupervisedLearner(build(MODEL, scaling, 0.22), ratio=36, schedule=SCHEDULE, bf16=False)
    assert_steps_agree(learner, data, [data[n] for n in range(3)])


def test_a_model_trained_on_the_gpu_is_a_model(cube: Cube, tmp_path: Path) -> None:
    """The whole of ``train``: Lightning's Trainer, the last layer's regression and the calibration."""
    cfg = TrainConfig(cube=str(cube.path), run=str(tmp_path / "run"), prior="none", model=MODEL, epochs=2, patch=4,
                      trainer=TrainerConfig(accelerator="gpu"))  # fmt: skip
    trained = train(cfg)
    assert trained is not None and np.isfinite(trained.provenance["validation"]["innovation_rmse"])
    assert all(torch.isfinite(p).all() and p.device.type == "cpu" for p in trained.network.parameters())


@pytest.mark.parametrize("update", ["gain", "none"])
def test_a_days_map(cube: Cube, adapted: Path, tmp_path: Path, update: str) -> None:
    """In the precision that each device is fastest in, which the map's attributes name."""
    day, maps = cube.days[4], {}
    for device in ("cpu", "cuda"):
        folder = tmp_path / device
        settings = {"start": str(day), "end": str(day), "device": device, "update": update}
        assert infer(InferConfig(str(cube.path), str(folder), run=str(adapted), **settings)) == [day]
        maps[device] = read_day(next(folder.glob("*.nc")))
        assert maps[device].attrs["compute_device"] == device
    on_cpu, on_gpu = maps["cpu"], maps["cuda"]
    assert float(np.nanstd(on_cpu.ssm)) > 0.01
    np.testing.assert_allclose(on_gpu.ssm, on_cpu.ssm, atol=SAME, rtol=0)
    np.testing.assert_allclose(on_gpu.sigma, on_cpu.sigma, atol=SAME, rtol=0)
    rounding = np.uint16(Flag.EXTRAPOLATED)  # a limit that a rounded feature may pass
    np.testing.assert_array_equal(on_gpu.flags & ~rounding, on_cpu.flags & ~rounding)
    assert ((on_gpu.flags ^ on_cpu.flags) != 0).mean() < 1e-3
