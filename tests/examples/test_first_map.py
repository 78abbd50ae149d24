"""The example works as printed: the script runs from an empty folder, and the notebook is the script, executed."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPT, NOTEBOOK = EXAMPLES / "first_map.py", EXAMPLES / "first_map.ipynb"


@pytest.fixture(scope="module")
def make_notebook():
    """The module ``examples/make_notebook.py``."""
    spec = importlib.util.spec_from_file_location("make_notebook", EXAMPLES / "make_notebook.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_the_script_goes_from_an_empty_folder_to_maps_and_plots(tmp_path):
    done = subprocess.run(
        [sys.executable, str(SCRIPT)], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
        env=os.environ | {"MPLBACKEND": "agg", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    work = tmp_path / "first_map"
    assert len(list((work / "mosaics").glob("ssm_bend_*.nc"))) == 14
    assert min((work / name).stat().st_size for name in ("map.png", "pixel.png")) > 10_000
    scores = [line.split() for line in done.stdout.splitlines() if line.startswith(("ssm_net ", "bilinear "))]
    rmse = {name: float(value) for name, _, value, *_ in scores}
    assert rmse["ssm_net"] < 0.8 * rmse["bilinear"], "in this world the networks must show against interpolation"


def test_the_notebook_is_the_script(make_notebook):
    """A reader of the one must not meet other code in the other: run examples/make_notebook.py after a change."""
    stored, made = nbformat.read(NOTEBOOK, 4), make_notebook.notebook_of(SCRIPT.read_text(encoding="utf-8"))
    assert [(c.cell_type, c.source) for c in stored.cells] == [(c.cell_type, c.source) for c in made.cells]


def test_the_notebook_is_executed_small_and_names_no_machine():
    stored = nbformat.read(NOTEBOOK, 4)
    outputs = [output for cell in stored.cells if cell.cell_type == "code" for output in cell.outputs]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 2
    assert not any(output.output_type == "error" or output.get("name") == "stderr" for output in outputs)
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert len(text) < 300_000 and "site-packages" not in text and "Warning" not in text


@pytest.mark.slow
def test_the_notebook_runs(make_notebook):
    notebook = make_notebook.executed(make_notebook.notebook_of(SCRIPT.read_text(encoding="utf-8")))
    assert (
        sum("image/png" in o.get("data", {}) for c in notebook.cells if c.cell_type == "code" for o in c.outputs) == 2
    )
