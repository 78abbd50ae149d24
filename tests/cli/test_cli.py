"""What a command reports when something is wrong, with what it exits, and what it leaves in the working folder."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

import ssm_net
from ssm_net.cli import command, main, run_verb
from ssm_net.cli.composition import SCHEMAS, composed
from ssm_net.cli.sweep import PointFailed
from ssm_net.config import InferConfig, TrainConfig
from ssm_net.errors import ConfigError, SsmNetError

INFER = ["cube=c", "mosaics=m", "run=r"]


pytestmark = pytest.mark.usefixtures("fresh_hydra")


def raising(err: BaseException) -> Callable[[Any], None]:
    def verb(_: Any) -> None:
        raise err

    return verb


def reported(verb, schema: type, cfg: DictConfig, capsys: pytest.CaptureFixture[str], code: int = 1) -> str:
    with pytest.raises(SystemExit) as end:
        run_verb(verb, schema, cfg)
    assert end.value.code == code
    return capsys.readouterr().err


@pytest.mark.parametrize("kind", [OSError, SsmNetError, ConfigError])
def test_an_error_is_shown_as_it_is(kind: type[Exception], capsys: pytest.CaptureFixture[str]) -> None:
    """Brackets in a path are no markup, and what a user can mend has no trace."""
    cfg = OmegaConf.create({"cube": "c", "mosaics": "m", "run": "r"})
    err = reported(raising(kind("maps[red]/[/]x.nc: cannot be read; make room")), InferConfig, cfg, capsys)
    assert err.strip() == "error: maps[red]/[/]x.nc: cannot be read; make room"


def test_a_missing_key_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    err = reported(print, TrainConfig, composed("train", ["cube=c"]), capsys)
    assert err.strip() == "error: nothing given for run: add run=..."


def test_ctrl_c_tells_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert "the same command goes on" in reported(
        raising(KeyboardInterrupt()), InferConfig, composed("infer", INFER), capsys, 130
    )


@pytest.mark.parametrize("kind", [ZeroDivisionError, ValueError, KeyError])
def test_a_defect_keeps_its_trace(kind: type[Exception]) -> None:
    """A ValueError from a library was shown as if it were a message of ours."""
    with pytest.raises(kind):
        run_verb(raising(kind("axes do not match")), InferConfig, composed("infer", INFER))


@pytest.mark.parametrize(("mode", "trainer"), [("MULTIRUN", "ddp"), ("MULTIRUN", "cpu"), ("RUN", "ddp")])
def test_a_sweep_over_several_devices_is_refused(mode: str, trainer: str, tmp_path: Path) -> None:
    keys = [f"trainer={trainer}", "cube=c", "run=r"]
    where = [f"hydra.mode={mode}", f"hydra.sweep.dir={tmp_path}", f"hydra.runtime.output_dir={tmp_path}",
             "hydra.job.num=0"]  # fmt: skip
    HydraConfig.instance().set_config(composed("train", keys + where, return_hydra_config=True))
    cfg, trained = composed("train", keys), list[TrainConfig]()
    if (mode, trainer) == ("MULTIRUN", "ddp"):
        with pytest.raises(PointFailed, match="each device's process would start the sweep again"):
            run_verb(trained.append, TrainConfig, cfg)
        assert not trained
    else:
        run_verb(trained.append, TrainConfig, cfg)
        assert trained[0].trainer.devices == {"cpu": 1, "ddp": 2}[trainer]


def typed(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """``ssm-net WORDS`` in this process; returns its exit code."""
    monkeypatch.setattr(sys, "argv", ["ssm-net", *words])
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        assert sys.argv == ["ssm-net", *words]
    return 0


def test_the_command_lists_its_verbs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed(monkeypatch, "--help") == 0
    text = capsys.readouterr().out
    assert all(f"\n  {verb} " in text for verb in SCHEMAS)
    assert typed(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"ssm-net {ssm_net.__version__}\n"
    assert typed(monkeypatch, "train", "--help") == 0
    assert "experiment=scratch" in capsys.readouterr().out
    assert typed(monkeypatch, "prapare", "raw=r") == 2
    assert "Did you mean prepare?" in capsys.readouterr().err
    assert typed(monkeypatch, "train", "model=huge", "--help") == 1
    assert "model/huge" in capsys.readouterr().err


def test_a_misspelt_key_is_named_with_its_neighbour(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert typed(monkeypatch, "prepare", "raw=r", "cbe=c", "domain.windw=[0,4,0,4]") == 1
    err = capsys.readouterr().err
    assert "cbe is no key of prepare: did you mean cube=...?" in err
    assert "domain.windw is no key of prepare: did you mean domain.window=...?" in err
    assert "raw is no key" not in err


def test_a_script_is_the_command_of_its_verb(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A single run leaves nothing in the working folder; arguments and Hydra's flags reach the verb."""
    given, lines = list[InferConfig](), []

    def verb(cfg: InferConfig) -> None:
        given.append(cfg)
        lines.append(sys.argv)

    monkeypatch.setattr(ssm_net, "infer", verb, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["infer.py", *INFER, "tile=2"])
    command("infer")()
    assert given == [InferConfig("c", "m", "r", tile=2)]
    assert typed(monkeypatch, "infer", *INFER, "tile=2") == 0
    assert given[0] == given[1]
    # Training on several devices starts what was typed once more for each.
    assert lines == [["infer.py", *INFER, "tile=2"], ["ssm-net", "infer", *INFER, "tile=2"]]
    capsys.readouterr()
    assert typed(monkeypatch, "infer", *INFER, "--cfg", "job") == 0
    assert "mosaics: m" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


class Returned(Callback):
    """What a sweeper gets back from each point."""

    jobs: ClassVar[list[JobReturn]] = []

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        Returned.jobs.append(job_return)


def rmse_of(cfg: TrainConfig) -> SimpleNamespace:
    """A training whose innovation RMSE is its learning rate; some diverge."""
    if cfg.lr == 0.5:
        raise OSError("no room left on the disk")
    if cfg.lr == 0.6:
        raise ValueError("a defect")
    return SimpleNamespace(provenance={"validation": {"innovation_rmse": cfg.lr}})


def test_a_sweep_survives_bad_points_and_returns_the_objective(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Any sweeper minimises what ``train`` returns: the innovation RMSE on withheld observations."""
    Returned.jobs.clear()
    monkeypatch.setattr(ssm_net, "train", rmse_of, raising=False)
    monkeypatch.chdir(tmp_path)
    words = ["train", "-m", "cube=c", "run=runs/${lr}", "lr=0.5,0.01,0.6,0.02", "hydra.sweep.dir=sweep",
             f"+hydra.callbacks.returned._target_={__name__}.Returned"]  # fmt: skip
    assert typed(monkeypatch, *words) == 1
    jobs = {job.overrides[2]: job for job in Returned.jobs}
    assert (jobs["lr=0.01"].return_value, jobs["lr=0.02"].return_value) == (0.01, 0.02)
    with pytest.raises(PointFailed, match="no room left"):
        _ = jobs["lr=0.5"].return_value
    err = capsys.readouterr().err
    summary = err[err.index("2 points of the sweep failed:") :].splitlines()
    assert [line for line in summary if "lr=0.5: no room left on the disk" in line]
    assert [line for line in summary if "lr=0.6: ValueError: a defect" in line]
    for number, lr in enumerate((0.5, 0.01, 0.6, 0.02)):
        point = tmp_path / "sweep" / str(number)
        assert f"lr={lr}" in OmegaConf.load(point / ".hydra" / "overrides.yaml")
        log = (point / "train.log").read_text()
        assert f"lr={lr}" in log and ("Traceback" in log) == (lr >= 0.5)
        assert ("done: objective" in log) == (lr < 0.5)
    monkeypatch.setattr(ssm_net, "train", lambda cfg: None, raising=False)
    assert typed(monkeypatch, *words) == 0, "failures of an earlier sweep in this folder count no longer"


def test_ctrl_c_ends_a_sweep(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    begun = list[TrainConfig]()

    def verb(cfg: TrainConfig) -> None:
        begun.append(cfg)
        raise KeyboardInterrupt

    monkeypatch.setattr(ssm_net, "train", verb, raising=False)
    monkeypatch.chdir(tmp_path)
    assert typed(monkeypatch, "train", "-m", "cube=c", "run=r", "lr=0.1,0.2") == 130
    assert len(begun) == 1
