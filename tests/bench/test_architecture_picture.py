"""The picture of the architecture: it shows the imports as they are, below the packages that import them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("grimp")
pytest.importorskip("matplotlib")
sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))  # scripts, not a package
import architecture


def test_the_picture_is_up_to_date() -> None:
    """A newcomer learns the imports of today, not those of a year ago."""
    shown, now = architecture.stored(architecture.PICTURE), architecture.imports()
    assert shown == now, "run python bench/architecture.py"


def test_every_import_points_down() -> None:
    """The order of the contracts is the order on the page."""
    at = architecture.places(architecture.layers())
    pairs = [key.split(" > ") for key in architecture.imports()]
    assert len(pairs) > 50
    assert not [(a, b) for a, b in pairs if a in at and b in at and at[a][1] <= at[b][1]]


def test_boxes_stand_apart() -> None:
    at = list(architecture.places(architecture.layers()).values())
    assert all(
        abs(x - u) >= architecture.WIDTH or abs(y - v) >= architecture.HEIGHT
        for i, (x, y) in enumerate(at)
        for u, v in at[:i]
    )


def test_drawn_again_it_is_the_same_file(tmp_path: Path) -> None:
    """Nothing of the day or of chance is in the file, so that a difference in git is one of the imports."""
    one, two = tmp_path / "one.svg", tmp_path / "two.svg"
    assert architecture.main([str(one)]) == architecture.main([str(two)]) == 0
    assert one.read_bytes() == two.read_bytes()
