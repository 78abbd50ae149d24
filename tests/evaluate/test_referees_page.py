"""The page on other products works as typed: its command and its Python, and what it says of the scores."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from test_peers import of

import ssm_net
from ssm_net.cli.composition import settings
from ssm_net.cli.typed_values import quoted
from ssm_net.peers.products import PEER_PRODUCTS

pytestmark = pytest.mark.usefixtures("plain_pictures")

PAGE = (Path(__file__).parents[2] / "docs" / "referees.md").read_text()


def test_its_command_and_its_python_work(world, baselines, dense, theirs, monkeypatch):
    monkeypatch.chdir(theirs)
    for name in ("mosaics", "cube.zarr"):
        (theirs / name).symlink_to(world.folder / name)
    (theirs / "l4").rename(theirs / "SPL4SMGP")
    (theirs / "ismn").mkdir()
    (command,) = re.findall(r"^ssm-net .*$", PAGE, re.M)
    cfg = settings("evaluate", quoted(shlex.split(command)[2:]))
    (python,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    scope: dict = {}
    exec(python, scope)
    assert scope["scores"]["command"].split()[-1] == "peers=[Song:china,L4:SPL4SMGP]"
    assert [row["maps"] for row in scope["inside"]] == ["ssm_net", "bilinear"]
    keys = set(re.findall(r"`([^`]+)`", " ".join(line for line in PAGE.split("\n") if line.startswith("| `"))))
    rows = [of(scope["scores"]["peers"], name="Song", **{"days of": "Song"}), scope["inside"][0]]
    assert not [key for row in rows for key in row if key not in keys]
    again = ssm_net.evaluate(cfg)  # reused, as it is the same evaluation
    assert again["peers"] == scope["scores"]["peers"] and again["inside cells"] == scope["scores"]["inside cells"]


def test_every_product_is_on_the_page():
    table = PAGE[: PAGE.index("## What you get")]
    assert not [p.name for p in PEER_PRODUCTS if p.name.split(",")[0].split(" (")[0] not in table]
