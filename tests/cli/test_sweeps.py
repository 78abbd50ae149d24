"""The README's sweeps: each job in a process of its own, started by Hydra's launchers."""

import subprocess
import sys
from pathlib import Path

import pytest
import road
from worlds import tiny_cube

from ssm_net.cube.store import open_cube
from ssm_net.formats.mosaic_days import days_done
from ssm_net.infer.run import infer

ROOT = Path(__file__).parents[2]


def run(script: str, folder: Path, *keys: str) -> subprocess.CompletedProcess[str]:
    where = [f"hydra.sweep.dir={folder / 'multirun'}"]
    command = [sys.executable, str(ROOT / script), "-m", *keys, *where]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.slow
def test_jobs_of_a_queue_make_a_stretch_of_the_days_each(tiny_cube_path: Path, tmp_path: Path) -> None:
    """A bad point in the queue is reported by its overrides, and costs no other its maps."""
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher", reason="the extra 'sweep' is not installed")
    done = run("infer.py", tmp_path, "hydra/launcher=submitit_local", "parts=2", "part=1,3",
               f"cube={tiny_cube_path}", "method=bilinear", f"mosaics={tmp_path / 'maps'}")  # fmt: skip
    assert done.returncode == 1, done.stderr
    summary = done.stderr[done.stderr.index("1 point of the sweep failed:") :]
    assert "parts=2 part=3" in summary and "part=3, parts=2: a part is one of 1 .. parts" in summary
    infer(road.inference(tiny_cube_path, tmp_path / "maps", parts=2, part=2))
    assert days_done(tmp_path / "maps", "tiny") == open_cube(tiny_cube_path).done_days()
    assert not list((tmp_path / "maps").glob("*.part"))
    for number in range(2):
        assert (tmp_path / "multirun" / str(number) / "infer.log").is_file()


@pytest.mark.slow
def test_trainings_run_beside_each_other(tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="the extra 'sweep' is not installed")
    cube = tiny_cube(tmp_path / "c.zarr")
    done = run("train.py", tmp_path, "hydra/launcher=joblib", f"cube={cube.path}", "run=runs/${model.dropout}",
               "prior=none", "epochs=2", "model.members=1", "patch=4", "model.dropout=0.1,0.3")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert all((tmp_path / "runs" / d / "model.pt").is_file() for d in ("0.1", "0.3"))
    assert all("done: objective 0." in (tmp_path / "multirun" / n / "train.log").read_text() for n in "01")
