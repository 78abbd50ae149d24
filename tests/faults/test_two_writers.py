"""Two commands at once, in any pair: one waits or is refused, and nothing that is finished is lost or mixed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import road
from worlds import tiny_cube

from ssm_net.config import PretrainConfig
from ssm_net.core.locks import LockFileError, open_lock
from ssm_net.cube.layout import CubeLayout, create_cube
from ssm_net.cube.lock import write_lock
from ssm_net.cube.store import Cube, open_cube
from ssm_net.cube.writer import CubeWriter
from ssm_net.errors import ConfigError
from ssm_net.formats.mosaic_days import day_path, days_done, read_day
from ssm_net.infer import writer as infer_writer
from ssm_net.infer.plan import InferenceError
from ssm_net.infer.run import infer
from ssm_net.train.run_folder import held_run

TESTS = Path(__file__).parents[1]


@pytest.fixture
def cube(tmp_path: Path) -> Cube:
    return tiny_cube(tmp_path / "c.zarr", cells=(4, 4), days=3)


@pytest.mark.parametrize("target", ["file", "nothing", "itself"])
def test_a_lock_that_is_a_link_is_neither_followed_nor_emptied(target: str, tmp_path: Path) -> None:
    """P1."""
    (tmp_path / "thesis").write_text("years of work")
    name = {"file": "thesis", "nothing": "elsewhere", "itself": ".lock"}[target]
    (tmp_path / ".lock").symlink_to(tmp_path / name)
    with pytest.raises(LockFileError, match=r"\.lock is a link, not a lock file: remove it"):
        open_lock(tmp_path / ".lock")
    assert (tmp_path / "thesis").read_text() == "years of work" and not (tmp_path / "elsewhere").exists()


def test_every_lock_is_opened_so(cube: Cube, tmp_path: Path) -> None:
    (tmp_path / "thesis").write_text("years of work")
    for verb, name in (
        ("maps", ".infer.lock"),
        ("maps", ".made_by.lock"),
        ("store", ".ssm_tiny.zarr.lock"),
        ("run", ".lock"),
    ):
        folder = tmp_path / verb / name.strip(".")
        folder.mkdir(parents=True)
        (folder / name).symlink_to(tmp_path / "thesis")
        with pytest.raises(LockFileError, match="is a link, not a lock file"):
            if verb == "run":
                with held_run(road.training(cube.path, folder), None):
                    pass
            infer(road.inference(cube.path, folder, format="zarr" if verb == "store" else "netcdf"))
    assert (tmp_path / "thesis").read_text() == "years of work"


# ---- train and train -----


def test_of_two_trainings_of_one_folder_one_is_refused(tmp_path: Path) -> None:
    run, cube = tmp_path / "run", tmp_path / "c.zarr"
    with held_run(road.training(cube, run), None):
        (run / "checkpoints").mkdir()
        for restart in (False, True):
            with (
                pytest.raises(ConfigError, match="is being trained by another process: wait for it to end"),
                held_run(road.training(cube, run, restart=restart), None),
            ):
                pass
        assert (run / "settings.json").exists() and (run / "checkpoints").exists()
    with held_run(road.training(cube, run), None):
        pass
    with held_run(road.training(cube, run, restart=True), None):
        assert not (run / "checkpoints").exists()


def test_a_folder_of_something_else_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis").write_text("years of work")
    with (
        pytest.raises(ConfigError, match="holds no training"),
        held_run(road.training(tmp_path, tmp_path / "run"), None),
    ):
        pass
    assert [p.name for p in (tmp_path / "run").iterdir()] == ["thesis"]
    with pytest.raises(RuntimeError), held_run(road.training(tmp_path, tmp_path / "new" / "run"), None):
        raise RuntimeError
    assert (tmp_path / "new" / "run" / "settings.json").exists()


# ---- pretrain and pretrain -----


def test_of_two_pretrainings_of_one_folder_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one's members stay as they are; afterwards the same command goes on with them."""
    from ssm_net.pretrain import run as pretrain_run

    cfg = PretrainConfig(str(tmp_path / "worlds"), str(tmp_path / "run"))
    member = tmp_path / "run" / "members" / "ADE" / "checkpoints" / "last.ckpt"
    seen: list[str] = []

    def while_it_trains(*_: object) -> None:
        member.parent.mkdir(parents=True, exist_ok=True)
        member.write_text("half an hour of work")
        seen.append("trained")
        if len(seen) == 1:
            with pytest.raises(ConfigError, match="is being pretrained by another process: wait for it to end"):
                pretrain_run.pretrain(cfg)
            assert member.read_text() == "half an hour of work"

    monkeypatch.setattr(pretrain_run, "_train", while_it_trains)
    pretrain_run.pretrain(cfg)
    pretrain_run.pretrain(cfg)
    assert seen == ["trained", "trained"]


# ---- prepare and infer -----


def made_again(cube: Cube, first: int) -> None:
    """What ``prepare revise=true`` does to the days from ``first`` on: withdrawn, and written with other values."""
    with write_lock(cube.path) as lock:
        writer = CubeWriter(cube, lock)
        days = cube.days[first:]
        fields = {
            d: ({n: cube.read_packed(n, d) for n in cube.fine}, {n: cube.read_coarse(n, d) for n in cube.coarse})
            for d in days
        }
        writer.withdraw(days[0])
        for day in days:
            fine, coarse = fields[day]
            writer.write_day(day, fine.items(), coarse | {"ssm": coarse["ssm"] + np.float32(0.05)}, {"files": []})


@pytest.mark.parametrize("first", [1, 0], ids=["of-the-day", "of-a-day-before-it"])
def test_no_map_is_made_of_two_revisions(
    first: int, cube: Cube, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A day that is made again while its map is being computed gives no map; the same command makes it afterwards."""
    real, day = infer_writer.predict_background, cube.days[1]

    def meanwhile(estimator, of, at, *args, **kwargs):  # type: ignore[no-untyped-def]
        out = real(estimator, of, at, *args, **kwargs)
        if at == day and cube.revision(day) == 1:
            made_again(cube, first)
        return out

    monkeypatch.setattr(infer_writer, "predict_background", meanwhile)
    words = rf"prepare\.py makes {day} again, or days before it, while its map is being made"
    with pytest.raises(InferenceError, match=words):
        infer(road.inference(cube.path, tmp_path / "maps"))
    assert day not in days_done(tmp_path / "maps", "tiny")
    infer(road.inference(cube.path, tmp_path / "maps", revise=True))
    infer(road.inference(cube.path, tmp_path / "whole"))
    for each in cube.days:
        maps = [read_day(day_path(tmp_path / name, "tiny", each)) for name in ("maps", "whole")]
        assert maps[0].ssm.tobytes() == maps[1].ssm.tobytes()
        assert maps[0].attrs["revision"] == maps[1].attrs["revision"] == cube.revision(each)


def test_days_may_be_added_meanwhile(cube: Cube, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = infer_writer.predict_background

    def meanwhile(estimator, of, at, *args, **kwargs):  # type: ignore[no-untyped-def]
        later = cube.days[-1].replace(day=at.day + 5)
        with write_lock(cube.path) as lock:
            layout = CubeLayout(cube.domain, cube.fine, cube.coarse, cube.static, cube.attrs)
            create_cube(lock, layout, [*open_cube(cube.path).days, later])
        return real(estimator, of, at, *args, **kwargs)

    monkeypatch.setattr(infer_writer, "predict_background", meanwhile)
    assert infer(road.inference(cube.path, tmp_path / "maps")) == list(cube.days)


# ---- infer and infer -----

MAPPING = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
import road
from ssm_net.infer import infer
from ssm_net.errors import SsmNetError
print("ready", flush=True)
sys.stdin.readline()
try:
    infer(road.inference(Path({cube!r}), Path({maps!r}), method={method!r}, format={format!r}))
except SsmNetError as err:
    print("refused", err)
else:
    print("done")
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("methods", "format", "answers"),
    [
        (("bilinear", "bilinear"), "zarr", ["done", "done"]),
        (("bilinear", "dispatch"), "netcdf", ["done", "refused"]),
        (("bilinear", "bilinear"), "netcdf", ["done", "done"]),
    ],
    ids=["L4-zarr", "L4-models", "L4-netcdf"],
)
def test_two_infer_into_one_folder(
    methods: tuple[str, str], format: str, answers: list[str], cube: Cube, tmp_path: Path
) -> None:
    codes = [MAPPING.format(tests=str(TESTS), cube=str(cube.path), maps=str(tmp_path / "maps"), method=m, format=format)
             for m in methods]  # fmt: skip
    both = [
        subprocess.Popen([sys.executable, "-c", c], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for c in codes
    ]
    for process in both:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in both:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.communicate(timeout=200)[0].splitlines()[-1].split()[0] for process in both]
    assert sorted(said) == answers
    assert days_done(tmp_path / "maps", "tiny", format) == list(cube.days)
    method = methods[said.index("done")]
    infer(road.inference(cube.path, tmp_path / "whole", method=method, format=format))
    for day in cube.days:
        maps = [read_day(day_path(tmp_path / name, "tiny", day, format), day) for name in ("maps", "whole")]
        assert maps[0].ssm.tobytes() == maps[1].ssm.tobytes()
