"""What a script says when something is wrong, and with what it exits."""

from collections.abc import Iterator

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from test_config import composed

from ssm_net.cli import run_verb
from ssm_net.config import InferConfig, TrainConfig


@pytest.fixture(autouse=True)
def fresh_hydra() -> Iterator[None]:
    yield
    HydraConfig.instance().cfg = None
    GlobalHydra.instance().clear()


def said(verb, schema: type, cfg: DictConfig, capsys: pytest.CaptureFixture[str], code: int = 1) -> str:
    with pytest.raises(SystemExit) as end:
        run_verb(verb, schema, cfg)
    assert end.value.code == code
    return capsys.readouterr().err


def test_an_error_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Brackets in a path are no markup."""

    def verb(_: InferConfig) -> None:
        raise OSError("maps[red]/[/]x.nc: cannot be read; make room")

    cfg = OmegaConf.create({"cube": "c", "mosaics": "m", "run": "r"})
    assert "error: maps[red]/[/]x.nc: cannot be read; make room" in said(verb, InferConfig, cfg, capsys)


def test_a_missing_key_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    err = said(print, TrainConfig, composed("train", "cube=c"), capsys)
    assert err.strip() == "error: nothing given for run: add run=..."


def test_ctrl_c_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    def verb(_: InferConfig) -> None:
        raise KeyboardInterrupt

    cfg = composed("infer", "cube=c", "mosaics=m", "run=r")
    assert "the same command goes on" in said(verb, InferConfig, cfg, capsys, 130)


def test_a_bug_keeps_its_trace() -> None:
    def verb(_: InferConfig) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_verb(verb, InferConfig, composed("infer", "cube=c", "mosaics=m", "run=r"))


@pytest.mark.parametrize(("mode", "trainer"), [("MULTIRUN", "ddp"), ("MULTIRUN", "cpu"), ("RUN", "ddp")])
def test_a_sweep_over_several_devices_is_refused(mode: str, trainer: str, capsys: pytest.CaptureFixture[str]) -> None:
    keys = (f"trainer={trainer}", "cube=c", "run=r")
    HydraConfig.instance().set_config(composed("train", *keys, f"hydra.mode={mode}", return_hydra_config=True))
    cfg, seen = composed("train", *keys), []
    if (mode, trainer) == ("MULTIRUN", "ddp"):
        assert "each device's process would start the sweep again" in said(seen.append, TrainConfig, cfg, capsys)
        assert not seen
    else:
        run_verb(seen.append, TrainConfig, cfg)
        assert seen[0].trainer.devices == {"cpu": 1, "ddp": 2}[trainer]
