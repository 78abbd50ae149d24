"""The benchmark of worlds: a real value counts only where drawn worlds lie on both sides of it."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))  # scripts, not a package
import wide_worlds

from ssm_net.simulate.point_table import REAL


def test_a_real_value_is_inside_only_where_worlds_lie_on_both_sides() -> None:
    name = "SM e-folding, days"
    drawn = [{"rows": dict.fromkeys(REAL, value) | {name: other}} for value, other in ((-9.0, 5.0), (-8.0, 60.0))]
    rows = {row["row"]: row for row in wide_worlds.compare(drawn)}
    assert rows[name]["inside"] and (rows[name]["low"], rows[name]["high"]) == (5.0, 60.0)
    assert sum(row["inside"] for row in rows.values()) == 1


def test_worlds_without_a_value_are_not_counted() -> None:
    drawn = [{"rows": dict.fromkeys(REAL, None)}, {"rows": dict.fromkeys(REAL, 0.1)}]
    assert all(row["worlds"] == 1 for row in wide_worlds.compare(drawn))
    assert not any(row["inside"] for row in wide_worlds.compare(drawn[:1]))


def test_a_world_has_every_row_and_says_where_it_is() -> None:
    world = wide_worlds.make_row("D", 1, 4, 20)
    assert set(world["rows"]) == set(REAL) and world["seconds"] > 0
    assert -50 < world["lat"] < 66 and -180 < world["lon"] < 180
