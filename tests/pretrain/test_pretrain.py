"""Networks trained on the truth of worlds: one a group, made once, gone on with, on the devices that are there."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ssm_net.config import ModelConfig, PretrainConfig, TrainerConfig
from ssm_net.errors import ConfigError
from ssm_net.estimators.checkpoint import load_trained
from ssm_net.pretrain import run as pretrain_run
from ssm_net.pretrain.run import pretrain
from ssm_net.pretrain.samples import AHEAD, LOOKAHEADS, NEIGHBOURHOOD, THINNING, World
from ssm_net.pretrain.worlds import FEATURE_NAMES, places_of, samples_file

MODEL = ModelConfig(members=1, width=8, depth=1, coarse_width=8, coarse_depth=1, cells=True, lags=3)


def settings(folder: Path, **other: object) -> PretrainConfig:
    keys = {"families": ["AD", "BE"], "count": 2, "days": 10, "epochs": 2, "batch_size": 4, "model": MODEL,
            "trainer": TrainerConfig(precision="32-true")}  # fmt: skip
    return PretrainConfig(str(folder / "worlds"), str(folder / "run"), **(keys | other))  # type: ignore[arg-type]


def random_worlds(cfg: PretrainConfig) -> None:
    """Samples of all worlds that ``cfg`` names, of random numbers: nothing is left to simulate."""
    rng = np.random.default_rng(0)
    cells, days, side = cfg.cells, cfg.days, cfg.cells * 36 // THINNING
    ahead = (days, len(LOOKAHEADS), len(AHEAD))
    Path(cfg.worlds).mkdir(exist_ok=True)
    for place in (place for of_group in places_of(cfg).values() for place in of_group):
        np.savez(
            samples_file(place, Path(cfg.worlds)),
            x=rng.normal(size=(days, len(FEATURE_NAMES), side * NEIGHBOURHOOD, side * NEIGHBOURHOOD)).astype("float16"),
            truth=rng.uniform(0.1, 0.4, (days, side, side)).astype("float16"),
            offset=rng.integers(0, THINNING, (days, 2)),
            cells=rng.normal(size=(days, len(FEATURE_NAMES), cells, cells)).astype("float32"),
            ssm=rng.uniform(0.1, 0.4, (2 * days, cells, cells)).astype("float32"),
            at=np.arange(1, 2 * days, 2),
            rain=rng.uniform(0, 10, (2 * days, cells, cells)).astype("float32"),
            ahead_x=rng.normal(size=(*ahead, side * NEIGHBOURHOOD, side * NEIGHBOURHOOD)).astype("float16"),
            ahead_cells=rng.normal(size=(*ahead, cells, cells)).astype("float32"),
        )  # fmt: skip


def test_a_prior_is_a_network_a_group(tmp_path: Path) -> None:
    """Its members know different physics; whoever leaves a family out leaves the group's member out."""
    cfg = settings(tmp_path)
    random_worlds(cfg)
    prior = pretrain(cfg)
    assert prior is not None and prior.model == replace(MODEL, members=2) and len(list(prior.network)) == 2
    first, second = (m.stem.weight for m in prior.network)
    assert not torch.equal(first, second)
    for group in ("AD", "BE"):
        assert (tmp_path / "run" / "members" / group / "checkpoints" / "last.ckpt").exists()
    told = prior.provenance
    assert told["families"] == ["AD", "BE"] and told["worlds"] == 2 and f"seed={cfg.seed}" in told["command"]
    assert set(told["RMSE there, m3 m-3"]) == {"AD", "BE"} and min(told["RMSE there, m3 m-3"].values()) > 0
    names = [place.name for of_group in places_of(cfg).values() for place in of_group[:1]]
    assert told["withheld worlds"] == names and names[0].startswith("AD0") and names[1].startswith("BE0")
    assert prior.scaling.names == tuple(FEATURE_NAMES) and "elevation" not in FEATURE_NAMES
    assert all(low < mean < high for low, mean, high in zip(
        prior.scaling.low, prior.scaling.mean, prior.scaling.high, strict=True))  # fmt: skip
    assert pretrain(cfg).digest == prior.digest  # type: ignore[union-attr]


def test_a_member_learns_from_the_worlds_of_its_group_alone(tmp_path: Path) -> None:
    """Else a prior without the member of a family would still know that family."""
    cfg = settings(tmp_path)
    random_worlds(cfg)
    before = pretrain(cfg)
    for file in (samples_file(p, Path(cfg.worlds)) for p in places_of(cfg)["BE"]):
        with np.load(file) as stored:
            fields = dict(stored)
        np.savez(file, **(fields | {"truth": fields["truth"] / 2}))
    after = pretrain(replace(cfg, run=str(tmp_path / "again")))
    assert before is not None and after is not None
    same = [
        all(torch.equal(value, new.state_dict()[key]) for key, value in old.state_dict().items())
        for old, new in zip(before.network, after.network, strict=True)
    ]
    assert same == [True, False]


@pytest.mark.parametrize("group", ["AD", "BE"])
def test_pretraining_that_was_stopped_goes_on_with_the_group_it_was_at(
    group: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What took an hour is not trained again, and ends like an unbroken run."""
    cfg = settings(tmp_path)
    random_worlds(cfg)
    unbroken = pretrain(replace(cfg, run=str(tmp_path / "unbroken")))
    fit, fitted = pretrain_run.fit_or_resume, []

    def stopped(trainer, learner, data, run: Path) -> None:  # type: ignore[no-untyped-def]
        fitted.append(run.name)
        if run.name == group:
            trainer.fit_loop.max_epochs = 1
            fit(trainer, learner, data, run)
            raise KeyboardInterrupt
        fit(trainer, learner, data, run)

    with monkeypatch.context() as patch:
        patch.setattr(pretrain_run, "fit_or_resume", stopped)
        with pytest.raises(KeyboardInterrupt):
            pretrain(cfg)
    assert fitted[-1] == group and not (tmp_path / "run" / "model.json").exists()
    ended = pretrain(cfg)
    assert ended is not None and unbroken is not None and ended.digest == unbroken.digest
    assert ended.provenance["RMSE there, m3 m-3"] == unbroken.provenance["RMSE there, m3 m-3"]


@pytest.mark.slow
def test_pretraining_makes_its_worlds_and_is_done_once(tmp_path: Path) -> None:
    cfg = settings(tmp_path, families=["AD"], epochs=1)
    first = pretrain(cfg)
    files = sorted((tmp_path / "worlds").iterdir())
    assert first is not None and len(files) == 2
    for place, file in ((p, samples_file(p, tmp_path / "worlds")) for p in places_of(cfg)["AD"]):
        world, days = World.load(file), len(place.chosen)
        assert len(world.at) == len(world.x) == len(world.truth) == days and world.x.shape[1] == len(FEATURE_NAMES)
        # Observations of all days from shortly before the first sample to the last one.
        assert int(world.at[-1]) == (place.chosen[-1] - place.chosen[0]).days + int(world.at[0])
        assert len(world.rain) == len(world.ssm) == int(world.at[-1]) + 1 + max(LOOKAHEADS)
        assert [(d - place.chosen[0]).days for d in place.chosen] == (world.at - world.at[0]).tolist()
        assert float(torch.isfinite(world.truth.float()).float().mean()) > 0.3
        assert 0 < float(torch.nanmean(world.truth.float())) < 0.6
    written = [file.stat().st_mtime_ns for file in files]
    again = pretrain(cfg)
    assert again is not None and again.digest == first.digest
    assert [file.stat().st_mtime_ns for file in files] == written


def test_a_pretraining_plan_makes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cfg = settings(tmp_path, families=["AD", "BE", "CF"], count=44, plan=True)
    assert pretrain(cfg) is None and not list(tmp_path.iterdir())
    printed = capsys.readouterr().out.replace("\n", " ")
    assert "would make 132 of 132 worlds" in printed and "AD, BE, CF" in printed


def test_pretraining_runs_on_the_devices_of_its_trainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``trainer=ddp`` is not quietly one device, and the schedule counts the steps of all."""
    trainer = TrainerConfig(accelerator="cpu", devices=2, strategy="ddp", precision="bf16-mixed")
    cfg = settings(tmp_path, epochs=3, trainer=trainer)
    random_worlds(cfg)

    def stopped(trainer, learner, data, run):  # type: ignore[no-untyped-def]
        assert trainer.num_devices == 2 and type(trainer.strategy).__name__ == "DDPStrategy"
        assert learner.schedule.steps == 3 * 2 and learner.bf16  # 10 samples in batches of 2 x 4
        raise InterruptedError

    monkeypatch.setattr(pretrain_run, "fit_or_resume", stopped)
    with pytest.raises(InterruptedError):
        pretrain(cfg)


@pytest.mark.slow
def test_two_processes_pretrain_together(tmp_path: Path) -> None:
    """Group after group."""
    cfg = settings(tmp_path)
    random_worlds(cfg)
    keys = ["families=[AD,BE]", "count=2", "days=10", "epochs=2", "batch_size=4", "model.width=8",
            "model.coarse_width=8", "trainer.devices=2", "trainer.strategy=ddp"]  # fmt: skip
    script = str(Path(__file__).parents[2] / "pretrain.py")
    command = [sys.executable, script, f"worlds={cfg.worlds}", f"run={cfg.run}", *keys]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for group in ("AD", "BE"):
        last = tmp_path / "run" / "members" / group / "checkpoints" / "last.ckpt"
        assert torch.load(last, weights_only=True)["global_step"] == 2 * 2  # 10 samples in batches of 2 x 4
    prior = load_trained(cfg.run)
    assert prior.provenance["worlds"] == 2 and prior.model.members == 2


@pytest.mark.slow
def test_networks_that_train_beside_each_other_are_those_that_train_in_turn(tmp_path: Path) -> None:
    cfg = settings(tmp_path)
    random_worlds(cfg)
    beside, in_turn = pretrain(replace(cfg, workers=2)), pretrain(replace(cfg, run=str(tmp_path / "turn")))
    assert beside is not None and in_turn is not None and beside.digest == in_turn.digest


def test_a_precision_that_pretraining_does_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"16-mixed.*bf16-mixed"):
        pretrain(settings(tmp_path, trainer=TrainerConfig(precision="16-mixed")))
