"""The count of levels and arrows of imports: what a reader has to keep in mind to understand one module."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "bench"))  # scripts, not a package
nx = pytest.importorskip("networkx")
imports = pytest.importorskip("imports")


def test_circles_share_a_level() -> None:
    graph = nx.DiGraph([("a", "b"), ("b", "c"), ("c", "b"), ("c", "d"), ("a", "d")])
    assert imports.shape_of(graph) == imports.Shape(nodes=4, arrows=5, levels=3, circles=[["b", "c"]])


def test_packages_stand_for_their_modules() -> None:
    graph = nx.DiGraph([("ssm_net.train.run", "ssm_net.cube.store"), ("ssm_net.train.run", "ssm_net.train.patches"),
                        ("ssm_net.train.patches", "ssm_net.cube.store")])  # fmt: skip
    assert list(imports.packages_of(graph).edges) == [("ssm_net.train", "ssm_net.cube")]


def test_packages_import_each_other_one_way() -> None:
    packages = imports.shape_of(imports.packages_of(imports.imports_of(ROOT)))
    assert packages.circles == [] and packages.levels <= 10


def test_a_revision_is_counted_too() -> None:
    if subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, check=False).returncode:
        pytest.skip("not a git checkout")
    done = subprocess.run([sys.executable, str(ROOT / "bench" / "imports.py"), "--rev", "HEAD"], capture_output=True,
                          text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "HEAD" in done.stdout and "working tree" in done.stdout
