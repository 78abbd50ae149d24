"""Five hundred damaged files of each family: none ends the process, none leaves a trace, and where the format has a
checksum no other value comes of one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import fuzz
import pytest

FILES = 500
CHECKED = ("netcdf4",)  # data and descriptions of HDF5 have checksums, if they are asked for


def fuzzed(family: str, raw: Path, folder: Path, number: int, seed: int) -> dict[str, int]:
    command = [sys.executable, fuzz.__file__, family, str(raw), str(folder), str(number), str(seed)]
    env = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=3000, check=False, env=env)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Traceback" not in done.stderr
    counts: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    assert sum(counts.values()) == number
    return counts


@pytest.mark.slow
@pytest.mark.parametrize("family", fuzz.FAMILIES)
def test_no_damaged_file_ends_a_run(family: str, tiny_raw: Path, tmp_path: Path) -> None:
    counts = fuzzed(family, tiny_raw, tmp_path, FILES, seed=20261127)
    assert counts["refused"] > 0
    if family in CHECKED:
        assert counts.get("otherwise", 0) == 0
