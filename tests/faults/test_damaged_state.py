"""What we wrote ourselves and is damaged, empty or gone: named with what to do, and nothing is made of it."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import road
import torch
from worlds import FIRST, tiny_cube

from ssm_net.config import ModelConfig
from ssm_net.cube.json_files import CubeError, DamagedError
from ssm_net.cube.layout import create_cube
from ssm_net.cube.lock import write_lock
from ssm_net.cube.record import INTERCALIBRATION, sensors_of
from ssm_net.cube.store import Cube, open_cube
from ssm_net.errors import ConfigError, SsmNetError
from ssm_net.estimators.calibration import Calibration
from ssm_net.estimators.checkpoint import ModelError, Trained, build, load_trained, save_trained
from ssm_net.evaluate.up_to_date import is_up_to_date
from ssm_net.formats.mosaic_days import days_done
from ssm_net.formats.product import MosaicError
from ssm_net.infer.day import EmptyMapError
from ssm_net.infer.run import infer
from ssm_net.inputs.scaling import Scaling
from ssm_net.prepare.remake import damage_of_day
from ssm_net.prepare.run import prepare
from ssm_net.prepare.thermal_state import thermal_state
from ssm_net.train.errors import TrainingError
from ssm_net.train.from_scratch import run_scaling
from ssm_net.train.run import split_of
from ssm_net.train.run_folder import held_run
from ssm_net.train.trainer import fit_or_resume

DAMAGE = {"empty": "", "no_keys": "{}", "cut": '{"format": 3, "da', "list": "[1]", "binary": "\0\0\0"}
damaged_by = pytest.mark.parametrize("content", DAMAGE.values(), ids=[f"F8-{how}" for how in DAMAGE])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_cube(tmp_path_factory.mktemp("w") / "c.zarr", cells=(4, 4), days=3).path


@pytest.fixture
def cube(whole: Path, tmp_path: Path) -> Cube:
    return open_cube(shutil.copytree(whole, tmp_path / "c.zarr"))


def test_the_first_cube(cube: Cube) -> None:
    assert len(cube.done_days()) == 3


@damaged_by
def test_a_damaged_description_of_a_cube(cube: Cube, content: str, tiny_raw: Path) -> None:
    (cube.path / "cube.json").write_text(content)
    for opens in (open_cube, lambda path: prepare(road.preparation(tiny_raw, path))):
        with pytest.raises(CubeError, match=r"cube\.json is damaged.*copy the cube again .*or prepare a new one"):
            opens(cube.path)


@damaged_by
def test_a_damaged_status(cube: Cube, content: str) -> None:
    cube.status_file(cube.days[1]).write_text(content)
    day = cube.days[1]
    if content == DAMAGE["cut"]:
        cube.status_file(day).write_text('{"revision": 1, "fi')
    with pytest.raises(DamagedError, match=rf"{day:%Y%m%d}\.json.*damaged.*start={day} end={day} revise=true"):
        cube.status(day)
    assert cube.revision(day) == 1
    with pytest.raises(DamagedError, match="revise=true"):
        split_of(road.training(cube.path, cube.path.parent / "run"), cube)


@damaged_by
def test_a_damaged_state(cube: Cube, content: str) -> None:
    day = cube.days[1]
    cube.state_file(day).write_text(content)
    with pytest.raises(DamagedError, match=rf"{day:%Y%m%d}\.json.*start={day} end={day} revise=true"):
        thermal_state(cube, day, "night")
    assert "revise=true" in damage_of_day(cube, day)


@damaged_by
def test_a_damaged_revision(cube: Cube, content: str) -> None:
    """The status of a day that is done states it, too; where both are lost, the user has to say it."""
    day = cube.days[1]
    cube.revision_file(day).write_text(content)
    assert cube.revision(day) == 1
    cube.status_file(day).unlink()
    with pytest.raises(CubeError, match=rf"revision/{day:%Y%m%d}\.json is damaged.*write ..revision.: N. into it"):
        cube.revision(day)


@damaged_by
def test_damaged_facts_about_a_cube(cube: Cube, content: str) -> None:
    cube.metadata_file(INTERCALIBRATION).parent.mkdir(exist_ok=True)
    cube.metadata_file(INTERCALIBRATION).write_text(content)
    with pytest.raises(CubeError, match=r"intercalibration\.json is damaged.*copy the cube again"):
        sensors_of(cube)


@damaged_by
@pytest.mark.parametrize("array", ["", "fine", "fine/time", "fine/lst_day", "coarse/ssm"])
def test_a_damaged_description_of_an_array(cube: Cube, content: str, array: str) -> None:
    file = cube.path / array / "zarr.json"
    file.write_text(content)
    from ssm_net.cube.layout import CubeLayout

    layout = CubeLayout(cube.domain, cube.fine, cube.coarse, cube.static, cube.attrs)
    with write_lock(cube.path) as lock, pytest.raises(CubeError, match=rf"{file}.*copy the cube again"):
        create_cube(lock, layout, [cube.days[-1].replace(month=6)])
    assert open_cube(cube.path).days == cube.days


def test_a_field_that_was_deleted_is_missed(cube: Cube) -> None:
    """It read as missing data; the status says which fields have no file since they hold no value."""
    day = cube.days[1]
    for key in ("fine/lst_day", "coarse/ssm"):
        cube.shards(key).file(cube.index(day)).unlink()
        read = cube.read if key.startswith("fine") else cube.read_coarse
        with pytest.raises(DamagedError, match=rf"{key} of {day} is damaged .*is gone.*revise=true"):
            read(key.split("/")[1], day)
    assert "is gone" in damage_of_day(cube, day)
    assert "is gone" not in damage_of_day(cube, cube.days[0])


def test_a_field_without_a_value_has_no_file_and_is_not_missed(tmp_path: Path) -> None:
    from ssm_net.cube.writer import CubeWriter

    cube = tiny_cube(tmp_path / "c.zarr", cells=(4, 4), days=1)
    with write_lock(cube.path) as lock:
        writer = CubeWriter(cube, lock)
        fine = {name: cube.read_packed(name, FIRST) for name in cube.fine}
        coarse = {name: cube.read_coarse(name, FIRST) for name in cube.coarse}
        writer.withdraw(FIRST)
        writer.write_day(FIRST, fine.items(), coarse | {"ssm": np.full_like(coarse["ssm"], np.nan)}, {"files": []})
    assert (cube.status(FIRST) or {})["all_fill"] == ["coarse/ssm"]
    assert np.isnan(cube.read_coarse("ssm", FIRST)).all()


# ---- models -----

MODEL = ModelConfig(members=2, width=8, depth=1, coarse_width=8, coarse_depth=1, lags=3)
SCALING = Scaling(("ndvi", "sand"), (0.3, 40.0), (0.2, 10.0), (-0.1, 5.0), (0.9, 90.0), "2016-04-01", "2016-04-30")


def saved(run: Path, spoil: float | None = None) -> Path:
    network = build(MODEL, SCALING, 0.2).eval()
    if spoil is not None:
        next(network.parameters()).data.view(-1)[0] = spoil
    run.mkdir(exist_ok=True)
    save_trained(run, Trained(network, SCALING, MODEL, 36, "gaussian", 43.0, 0.2, Calibration(), {"ssm_net": "0.2.0"}))
    return run


@damaged_by
def test_a_damaged_model_description(content: str, tmp_path: Path) -> None:
    run = saved(tmp_path / "run")
    (run / "model.json").write_text(content)
    with pytest.raises(ModelError, match=r"model\.json is damaged .*restart=true"):
        load_trained(run)


@pytest.mark.parametrize("key", ["digest", "scaling", "model", "calibration", "ratio", "mean_ssm", "provenance"])
def test_a_model_description_without_a_key(key: str, tmp_path: Path) -> None:
    run = saved(tmp_path / "run")
    meta = json.loads((run / "model.json").read_text())
    del meta[key]
    (run / "model.json").write_text(json.dumps(meta))
    with pytest.raises(ModelError, match=rf"model\.json is damaged .it states no {key}"):
        load_trained(run)


def test_lost_or_damaged_weights(tmp_path: Path) -> None:
    run = saved(tmp_path / "run")
    data = (run / "model.pt").read_bytes()
    for spoilt in (None, b"", data[:100], data[:-1], bytes(len(data))):
        (run / "model.pt").unlink() if spoilt is None else (run / "model.pt").write_bytes(spoilt)
        with pytest.raises(ModelError, match=r"model\.pt is not the file that model\.json describes.*restart=true"):
            load_trained(run)


class Code:
    def __reduce__(self):  # type: ignore[no-untyped-def]
        return Path.touch, (Path("ran"),)


def described(run: Path) -> None:
    """model.json states the digest of the weights that are there."""
    from ssm_net.estimators import checkpoint

    meta = json.loads((run / "model.json").read_text())
    (run / "model.json").write_text(json.dumps(meta | {"digest": checkpoint._digest(run / "model.pt")}))


@pytest.mark.parametrize("kind", ["pickle", "torch", "tensor", "text"])
def test_code_in_place_of_weights_is_not_run(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P3."""
    monkeypatch.chdir(tmp_path)
    run = saved(tmp_path / "run")
    weights = {"pickle": pickle.dumps(Code()), "text": b"weights"}
    if kind in weights:
        (run / "model.pt").write_bytes(weights[kind])
    else:
        torch.save(Code() if kind == "torch" else torch.zeros(3), run / "model.pt")
    described(run)
    with pytest.raises(ModelError, match=r"model\.pt is damaged.*restart=true"):
        load_trained(run)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers(value: float, tmp_path: Path) -> None:
    """Q11."""
    with pytest.raises(ModelError, match=r"1 of \d+ tensors of weights hold NaN or infinity .*restart=true"):
        load_trained(saved(tmp_path / "run", value))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"x" * 5000, pickle.dumps(Code())])
def test_a_damaged_checkpoint(content: bytes, tmp_path: Path) -> None:
    """F9: EOFError at every run."""
    (tmp_path / "checkpoints").mkdir()
    last = tmp_path / "checkpoints" / "last.ckpt"
    torch.save({"state_dict": {"a": torch.zeros(1000)}}, last)
    for data in (content, last.read_bytes()[:2000]):
        last.write_bytes(data)
        with pytest.raises(ModelError, match=r"last\.ckpt is damaged.*remove .*checkpoints, and training begins"):
            fit_or_resume(None, None, None, tmp_path)  # type: ignore[arg-type]


@damaged_by
def test_damaged_settings_of_a_run(content: str, cube: Cube, tmp_path: Path) -> None:
    cfg = road.training(cube.path, tmp_path / "run")
    with held_run(cfg, None) as run:
        (run / "settings.json").write_text(content)
    with pytest.raises(ConfigError, match=r"settings\.json is damaged.*restart=true"), held_run(cfg, None):
        pass
    with held_run(road.training(cube.path, tmp_path / "run", restart=True), None):
        pass


@damaged_by
def test_damaged_statistics_of_a_run(content: str, cube: Cube, tmp_path: Path) -> None:
    parts = split_of(road.training(cube.path, tmp_path), cube)
    (tmp_path / f"scaling_{parts.name}.json").write_text(content)
    with pytest.raises(TrainingError, match=r"scaling_\w+\.json is damaged .*remove it"):
        run_scaling(tmp_path, cube, parts, ())


# ---- maps -----


@damaged_by
@pytest.mark.parametrize("name", ["status/20160416.json", "zarr.json", "ssm/zarr.json"])
def test_a_damaged_store_of_maps(content: str, name: str, cube: Cube, tmp_path: Path) -> None:
    maps = tmp_path / "maps"
    infer(road.inference(cube.path, maps, format="zarr", end=str(cube.days[1])))
    (maps / "ssm_tiny.zarr" / name).write_text(content)
    with pytest.raises(MosaicError, match=rf"{name} is damaged .*(mosaics=FOLDER|overwrite=true)"):
        if name.startswith("status"):
            from ssm_net.formats.mosaic_days import revision_of

            revision_of(maps, "tiny", cube.days[1], "zarr")
        infer(road.inference(cube.path, maps, format="zarr"))


def test_scores_that_are_damaged_are_made_again(tmp_path: Path) -> None:
    for content in DAMAGE.values():
        (tmp_path / "scores.json").write_text(content)
        assert not is_up_to_date(tmp_path, "x", "scores.json")


def test_an_empty_map_does_not_count_as_made(cube: Cube, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Q11: maps of an estimate that is NaN everywhere."""
    from ssm_net.estimators.bilinear import Bilinear

    real = Bilinear.estimate
    monkeypatch.setattr(Bilinear, "estimate", lambda *args: (e := real(*args))._replace(mean=e.mean * np.nan))
    with pytest.raises(
        EmptyMapError, match=rf"{FIRST}: none of the [\d,]+ pixels of .*has a value.*the estimate is NaN everywhere"
    ):
        infer(road.inference(cube.path, tmp_path / "maps"))
    assert days_done(tmp_path / "maps", "tiny") == []


def test_a_cube_without_coarse_observations(tmp_path: Path) -> None:
    """Q12: bilinear said that a shard was damaged."""
    cube = tiny_cube(tmp_path / "c.zarr", cells=(4, 4), days=1)
    meta = json.loads((cube.path / "cube.json").read_text())
    meta["coarse"] = [name for name in meta["coarse"] if not name.startswith(("ssm", "source"))]
    (cube.path / "cube.json").write_text(json.dumps(meta))
    with pytest.raises(SsmNetError, match=r"no coarse soil moisture.*prepare a cube with one"):
        infer(road.inference(cube.path, tmp_path / "maps"))
    assert days_done(tmp_path / "maps", "tiny") == []
    with pytest.raises(SsmNetError, match=r"no day with a coarse observation|no coarse soil moisture"):
        split_of(road.training(cube.path, tmp_path / "run"), open_cube(cube.path))


def test_a_cube_that_is_all_water(tmp_path: Path) -> None:
    """Q12: training asked for a lower validation_fraction."""
    cube = tiny_cube(tmp_path / "c.zarr", cells=(4, 4), days=2, static={"urban": (slice(None), slice(None))})
    with pytest.raises(TrainingError, match="no pixel is land"):
        split_of(road.training(cube.path, tmp_path / "run"), cube)
