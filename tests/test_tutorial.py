"""The tutorial works as typed: its commands are understood, and make the maps and the plot of its basin."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from test_readme import ROOT

from ssm_net.cli.composition import SCHEMAS, settings
from ssm_net.core.boundary import domain_of

TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text()
COMMANDS = re.findall(r"^ssm-net .*$", TUTORIAL, re.M)
PYTHON = re.findall(r"```python\n(.*?)```", TUTORIAL, re.S)
REMEDHUS = (-5.4, 41.3)  # longitude and latitude of the middle of the network


def test_the_steps_follow_each_other_on_one_basin() -> None:
    """What one command writes the next reads, and all are of one box and one season."""
    verbs = [shlex.split(command)[1] for command in COMMANDS]
    assert list(dict.fromkeys(verbs)) == ["download", "prepare", "train", "infer", "evaluate"]
    keys = {
        key
        for command in COMMANDS
        for key in shlex.split(command)[2:]
        if key.startswith(("domain.bbox", "start", "end"))
    }
    assert len(keys) == 3
    domain = domain_of(settings("prepare", shlex.split(COMMANDS[2])[2:]).domain)
    west, south, east, north = domain.bounds_lonlat()
    assert west < REMEDHUS[0] < east and south < REMEDHUS[1] < north
    assert domain.coarse_shape == (4, 4)


@pytest.mark.slow
def test_the_tutorial_makes_maps_and_a_plot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All commands in an empty folder, with simulated granules of eight days in the place of the download."""
    import matplotlib

    import ssm_net

    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)
    shown = next(key for key in shlex.split(COMMANDS[0]) if key.startswith("domain.bbox"))
    days = {"start": "start=2018-04-01", "end": "end=2018-04-08"}
    world = ["raw=raw", "domain=custom", "domain.name=duero", shown, *days.values(), "static_tiles=true"]
    ssm_net.simulate(settings("simulate", world))
    for command in COMMANDS:
        verb, *keys = shlex.split(command)[1:]
        if verb != "download":
            assert verb in SCHEMAS
            keys = [days.get(key.partition("=")[0], key) for key in keys]
            getattr(ssm_net, verb)(settings(verb, keys))
    scope: dict[str, object] = {}
    for block in PYTHON:
        exec(block, scope)
    maps = ssm_net.open_mosaics("mosaics")
    assert maps.sizes["time"] == 8 and np.isfinite(maps.ssm.values).any()
    assert Path("first_map.png").stat().st_size > 10_000 and Path("report/index.html").is_file()
