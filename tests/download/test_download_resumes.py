"""A download that is killed, stopped or out of room goes on from where it was, within a file, too."""

from __future__ import annotations

import hashlib
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from small_disk import on_small_disk

from remote_granules import FOLDER, Asked, content, names  # isort: skip
from loopback_archive import Granule, LoopbackArchive

import ssm_net
from ssm_net.download.errors import DownloadError

TESTS = Path(__file__).parents[1]


def words(archive: LoopbackArchive, raw: Path) -> list[str]:
    return [sys.executable, str(TESTS.parent / "download.py"), f"raw={raw}", "domain.bbox=[25,45,26,46]",
            "start=2018-04-01", "end=2018-04-03", "lead=0", "products=[MYD11A1]", "pause=0.01",
            *archive.keys()]  # fmt: skip


@pytest.mark.parametrize(
    "ends", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow)], ids=["kill -9", "Ctrl-C"]
)
def test_a_killed_download_goes_on_within_the_file(
    archive: LoopbackArchive, asked: Asked, tmp_path: Path, ends: signal.Signals
) -> None:
    big = archive.granules[2]
    big = archive.granules[2] = replace(big, content=content(big.name, size=3_000_000))
    archive.faults[big.name] = ["stall"]
    child = subprocess.Popen(words(archive, tmp_path / "raw"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert archive.stalled.wait(120), child.communicate(timeout=5)
    part = tmp_path / "raw" / FOLDER / f"{big.name}.part"
    until = time.monotonic() + 20
    while not (part.exists() and part.stat().st_size > 1_000_000) and time.monotonic() < until:
        time.sleep(0.05)
    child.send_signal(ends)
    archive.go_on.set()
    child.communicate(timeout=60)
    assert child.returncode == (-ends if ends == signal.SIGKILL else 130)
    had = part.stat().st_size
    assert 1_000_000 < had < 3_000_000 and big.name not in names(part.parent)
    archive.requests.clear()
    ssm_net.download(asked())
    assert (part.parent / big.name).read_bytes() == big.content and not part.exists()
    assert {r.range for r in archive.requests if big.name in r.path} == {f"bytes={had}-"}


def test_a_server_that_cannot_go_on_begins_again(archive: LoopbackArchive, asked: Asked, tmp_path: Path) -> None:
    archive.ranges = False
    file = archive.granules[1]
    archive.faults[file.name] = ["cut"]
    ssm_net.download(asked())
    assert (tmp_path / "raw" / FOLDER / file.name).read_bytes() == file.content


@pytest.mark.parametrize("left", [b"other bytes than the file's", b"x" * 40_000], ids=["of another file", "too long"])
def test_a_wrong_beginning_is_not_gone_on_from(
    archive: LoopbackArchive, asked: Asked, tmp_path: Path, left: bytes
) -> None:
    file = archive.granules[1]
    folder = tmp_path / "raw" / FOLDER
    folder.mkdir(parents=True)
    (folder / f"{file.name}.part").write_bytes(left)
    ssm_net.download(asked())
    assert (folder / file.name).read_bytes() == file.content


def test_a_disk_that_runs_full(archive: LoopbackArchive, tmp_path: Path) -> None:
    """On a real file system: whole files stay, the unfinished one makes room, and the same command goes on."""
    disk = tmp_path / "disk"
    archive.granules[:] = [
        Granule(g.collection, g.name, content(g.name, size=200_000), g.begin, box=g.box, size=None)
        for g in archive.granules
    ]
    for g in archive.granules:  # the catalog states no size: that the disk is too small cannot be known before
        assert g.size is None
    keys = dict(raw=str(disk / "raw"), start="2018-04-01", end="2018-04-03", lead=0, products=["MYD11A1"], pause=0.01,
                domain={"bbox": [25, 45, 26, 46]}, earthdata=archive.settings(), connections=1)  # fmt: skip
    work = (
        "import ssm_net, shutil\nfrom ssm_net.config import load, DownloadConfig\n"
        "import ssm_net.download.plan as plan\nplan.require_room = lambda plan: None\n"
        f"ssm_net.download(load(DownloadConfig, {keys!r}))"
    )
    found = on_small_disk(work, disk, 500)
    assert re.search(r"no room left on the disk: make room and run the same command again.*MYD11A1", found["said"])
    empty = hashlib.sha256(b"").hexdigest()  # a file that was opened and took no room may stay
    cut, whole = ({k: v for k, v in found[key].items() if ".lock" not in k and v != empty} for key in ("cut", "whole"))
    assert 0 < len(cut) < 5 and not [k for k in cut if k.endswith(".part")]
    assert len(whole) == 5 and cut.items() <= whole.items()


def test_what_is_left_is_counted_over_runs(archive: LoopbackArchive, asked: Asked, tmp_path: Path) -> None:
    archive.faults["*"] = ["500"] * 2
    with pytest.raises(DownloadError, match="2 files are left"):
        ssm_net.download(asked(tries=1))
    plan = ssm_net.download(asked(tries=1))
    assert len(plan.missing) == 2 and len(names(tmp_path / "raw" / FOLDER)) == 5
