"""Settings of training are honoured or refused by name, and training only reads the cube."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from worlds import tiny_cube

from ssm_net.config import InferConfig, ModelConfig, TrainConfig, TrainerConfig
from ssm_net.cube.store import Cube
from ssm_net.errors import ConfigError
from ssm_net.estimators.checkpoint import SHIPPED_PRIOR, load_trained, save_trained
from ssm_net.estimators.versions import VERSIONS
from ssm_net.infer.run import infer
from ssm_net.train import last_layer
from ssm_net.train.devices import device_of
from ssm_net.train.run import train
from ssm_net.train.trainer import make_trainer

SMALL = ModelConfig(members=2, width=8, depth=1, coarse_width=8, lags=3)


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Cube:
    return tiny_cube(tmp_path_factory.mktemp("w") / "c.zarr", cells=(4, 8), days=7)


def files_of(folder: Path) -> dict[str, tuple[int, str]]:
    """When each file was written, and the hash of its bytes."""
    return {
        str(p.relative_to(folder)): (p.stat().st_mtime_ns, hashlib.sha256(p.read_bytes()).hexdigest())
        for p in folder.rglob("*")
        if p.is_file()
    }


def test_training_and_inference_write_nothing_into_the_cube(cube: Cube, tmp_path: Path) -> None:
    """A cube on a read-only disk, or one that several users share, is enough."""
    before, folders = files_of(cube.path), sorted(p for p in cube.path.rglob("*") if p.is_dir())
    scratch = TrainConfig(str(cube.path), str(tmp_path / "run"), prior="none", model=SMALL, epochs=1, patch=4)
    train(scratch)
    train(TrainConfig(str(cube.path), str(tmp_path / "adapted")))
    infer(InferConfig(str(cube.path), str(tmp_path / "maps"), run=str(tmp_path / "run"), end=str(cube.days[0])))
    assert files_of(cube.path) == before
    assert sorted(p for p in cube.path.rglob("*") if p.is_dir()) == folders


def test_statistics_are_kept_in_the_run(cube: Cube, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = TrainConfig(str(cube.path), str(tmp_path / "run"), prior="none", model=SMALL, epochs=1, patch=4)
    first = train(cfg)
    assert first is not None
    (tmp_path / "run" / "model.json").unlink()  # as if it had been cut off before the end
    monkeypatch.setattr("ssm_net.train.from_scratch.compute_scaling", None)  # read, not computed again
    again = train(cfg)
    assert again is not None and again.scaling == first.scaling and again.digest == first.digest


def test_settings_without_effect_on_a_prior_are_named(
    cube: Cube, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cfg = TrainConfig(str(cube.path), str(tmp_path / "run"), plan=True)
    with caplog.at_level(logging.WARNING, "ssm_net"):
        train(cfg)
        assert not caplog.records
        train(replace(cfg, epochs=99, model=SMALL))
    (record,) = caplog.records
    assert "model.*, epochs=99" in record.getMessage() and "prior=none" in record.getMessage()
    caplog.clear()
    train(replace(cfg, epochs=99, model=SMALL, prior="none"))
    assert not caplog.records


def test_the_processing_a_prior_was_trained_on_is_compared_with_this(
    cube: Cube, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shipped = load_trained(SHIPPED_PRIOR)
    older = {**VERSIONS, "gap filling of LST": 1, "resampling": 1}
    (tmp_path / "older").mkdir()
    save_trained(tmp_path / "older", replace(shipped, provenance=shipped.provenance | {"versions": older}))
    trained = train(TrainConfig(str(cube.path), str(tmp_path / "run"), prior=str(tmp_path / "older")))
    printed = " ".join(capsys.readouterr().out.split())
    for name in ("gap filling of LST", "resampling"):
        assert f"{name} 1 (now {VERSIONS[name]})" in printed
    assert "features" not in printed.split("other versions")[1]
    assert trained is not None and trained.provenance["versions"] == VERSIONS
    train(TrainConfig(str(cube.path), str(tmp_path / "next"), prior=str(tmp_path / "run")))
    assert "versions" not in capsys.readouterr().out


@pytest.mark.parametrize("prior", ["shipped", "none"])
def test_a_device_that_is_not_there_is_refused(
    cube: Cube, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prior: str
) -> None:
    """With a prior, too: its networks must not stay on the CPU without a word."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    trainer = TrainerConfig(accelerator="gpu")
    with pytest.raises(ConfigError, match=r"trainer\.accelerator=gpu.*trainer=cpu"):
        train(TrainConfig(str(cube.path), str(tmp_path / "run"), prior=prior, trainer=trainer))
    assert not (tmp_path / "run").exists()
    assert device_of(TrainerConfig(accelerator="auto")).type == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device_of(trainer).type == device_of(TrainerConfig(accelerator="auto")).type == "cuda"
    assert device_of(TrainerConfig(accelerator="cpu")).type == "cpu"


def test_several_devices_are_refused_with_a_prior(cube: Cube, tmp_path: Path) -> None:
    trainer = TrainerConfig(accelerator="cpu", devices=2, strategy="ddp")
    with pytest.raises(ConfigError, match=r"trainer\.devices=2.*prior=none"):
        train(TrainConfig(str(cube.path), str(tmp_path / "run"), trainer=trainer))


def test_the_trainer_gets_its_devices_and_strategy(tmp_path: Path) -> None:
    cfg = TrainerConfig(accelerator="cpu", devices=2, strategy="ddp", precision="bf16-mixed")
    trainer = make_trainer(cfg, tmp_path, 3, [])
    assert trainer.num_devices == 2 and type(trainer.strategy).__name__ == "DDPStrategy"
    assert trainer.precision == "bf16-mixed" and trainer.max_epochs == 3


@pytest.mark.gpu
def test_a_prior_is_fitted_on_the_gpu_as_on_the_cpu(
    cube: Cube, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices: set[str] = set()
    linearised = last_layer._linearised

    def watched(member, fine, context):  # type: ignore[no-untyped-def]
        devices.add(fine.device.type)
        return linearised(member, fine, context)

    monkeypatch.setattr(last_layer, "_linearised", watched)
    for accelerator in ("cpu", "gpu"):
        trainer = TrainerConfig(accelerator=accelerator)
        train(TrainConfig(str(cube.path), str(tmp_path / accelerator), trainer=trainer))
    assert devices == {"cpu", "cuda"}
    on_cpu, on_gpu = load_trained(tmp_path / "cpu"), load_trained(tmp_path / "gpu")
    for a, b in zip(on_cpu.network.parameters(), on_gpu.network.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-3, rtol=1e-3)
    assert on_gpu.provenance["validation"]["innovation_rmse"] == pytest.approx(
        on_cpu.provenance["validation"]["innovation_rmse"], abs=1e-4
    )
