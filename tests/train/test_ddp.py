"""Training on two devices: two gloo processes see what one process sees in batches of twice the size."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from worlds import tiny_cube

ROOT = Path(__file__).parents[2]
KEYS = ["prior=none", "epochs=2", "patch=4", "lr=0.003", "model.members=1", "model.width=8", "model.depth=1",
        "model.coarse_width=8", "model.coarse_depth=1", "model.lags=3", "model.dropout=0"]  # fmt: skip


def trained(cube: Path, run: Path, *keys: str) -> dict:
    command = [sys.executable, str(ROOT / "train.py"), f"cube={cube}", f"run={run}", *KEYS, *keys]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=run.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((run / "model.json").read_text())


@pytest.mark.slow
def test_two_processes_learn_what_one_does_with_the_same_global_batch(tmp_path):
    cube = tiny_cube(tmp_path / "cube.zarr", cells=(4, 8), days=9).path
    two = trained(cube, tmp_path / "two", "batch_size=2", "trainer.devices=2", "trainer.strategy=ddp")
    one = trained(cube, tmp_path / "one", "batch_size=4")
    weights = [torch.load(tmp_path / name / "model.pt", weights_only=True) for name in ("two", "one")]
    states = [w["state"] if "state" in w else w for w in weights]
    for name, a in states[0].items():
        b = states[1][name]
        # The scored cells of a batch are weighed a process each, so the two differ by a little of what they learned.
        torch.testing.assert_close(a, b, atol=0.02, rtol=0.05)
    assert two["provenance"]["validation"].keys() == one["provenance"]["validation"].keys()
    for key, value in one["provenance"]["validation"].items():
        if isinstance(value, float):
            assert two["provenance"]["validation"][key] == pytest.approx(value, rel=0.05, abs=1e-3), key
