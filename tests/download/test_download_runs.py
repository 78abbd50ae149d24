"""A download without faults: it plans, fetches what is missing, each file once, and leaves the rest alone."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from remote_granules import FOLDER, Asked, lst, names, transfers  # isort: skip
from loopback_archive import LoopbackArchive

import ssm_net
from ssm_net.core.locks import held_alone
from ssm_net.download.errors import DownloadError
from ssm_net.download.run import LOCK
from ssm_net.errors import ConfigError


def test_files_come_once_and_are_those_of_the_archive(archive: LoopbackArchive, asked: Asked, tmp_path: Path) -> None:
    ssm_net.download(asked())
    folder = tmp_path / "raw" / FOLDER
    assert names(folder) == sorted(g.name for g in archive.granules)
    assert all((folder / g.name).read_bytes() == g.content for g in archive.granules)
    before = {p.name: p.stat().st_mtime_ns for p in folder.iterdir()}
    archive.requests.clear()
    ssm_net.download(asked())
    assert not transfers(archive.requests)
    assert {p.name: p.stat().st_mtime_ns for p in folder.iterdir()} == before


def test_a_plan_says_how_much_and_writes_nothing(
    archive: LoopbackArchive, asked: Asked, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """It needs no login either."""
    monkeypatch.delenv("EARTHDATA_PASSWORD")
    archive.granules.pop(2)
    plan = ssm_net.download(asked(plan=True, lead=1))
    assert not (tmp_path / "raw").exists()
    said = capsys.readouterr().out
    assert "4 files on 4 days, 0 there; to fetch 4, 120 kB; 2018-03-30 .. 2018-04-04" in said
    assert "none on 2018-03-30, 2018-04-02" in said
    assert "start=2018-03-31 end=2018-04-03" in said, "the days that prepare is to begin with"
    assert len(plan.missing) == 4


def test_files_that_were_put_there_by_hand_are_known(archive: LoopbackArchive, asked: Asked, tmp_path: Path) -> None:
    """In a folder without the version, and in one for each year; one of them cut short by another tool."""
    other = tmp_path / "raw" / "MYD11A1" / "2018"
    other.mkdir(parents=True)
    whole, cut = archive.granules[0], archive.granules[1]
    (other / whole.name).write_bytes(whole.content)
    (other / cut.name).write_bytes(cut.content[:1000])
    plan = ssm_net.download(asked())
    assert list(plan.damaged) == [cut.name]
    assert whole.name not in transfers(archive.requests) and cut.name in transfers(archive.requests)


def test_few_connections_at_a_time(archive: LoopbackArchive, asked: Asked) -> None:
    archive.granules[:] = [lst(n % 5 - 1, processed=f"20200010{n:05d}") for n in range(5)]
    ssm_net.download(asked(connections=2))
    assert 1 <= archive.most_at_once <= 2


def test_only_tiles_of_the_domain_and_days_of_the_window_come(
    archive: LoopbackArchive, asked: Asked, tmp_path: Path
) -> None:
    archive.granules += [lst(0, "h20v04"), lst(9), lst(-9)]
    ssm_net.download(asked())
    assert names(tmp_path / "raw" / FOLDER) == sorted(g.name for g in archive.granules[:5])


def test_the_newest_processing_of_a_day_comes(archive: LoopbackArchive, asked: Asked, tmp_path: Path) -> None:
    newer = lst(0, processed="2024001000000")
    archive.granules.insert(0, newer)
    ssm_net.download(asked())
    day = [name for name in names(tmp_path / "raw" / FOLDER) if "A2018091" in name]
    assert day == [newer.name]


def test_two_downloads_do_not_fill_one_folder(archive: LoopbackArchive, asked: Asked, tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    with (
        held_alone(tmp_path / "raw" / LOCK, ""),
        pytest.raises(ConfigError, match="another download fills this folder"),
    ):
        ssm_net.download(asked())


def test_without_the_extra_it_says_how_to_install_it(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "earthaccess" else found(name))
    with pytest.raises(DownloadError, match=r"pip install 'ssm_net\[download\]'"):
        ssm_net.download(asked())


def test_the_disk_must_have_room(
    archive: LoopbackArchive, asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.granules[0] = replace(archive.granules[0], size=10**18)
    with pytest.raises(OSError, match=r"are to come and .* are free on this disk: make room"):
        ssm_net.download(asked())
    assert not transfers(archive.requests)


@pytest.mark.usefixtures("fresh_hydra")
def test_the_command_ends_with_an_error_where_something_is_left(
    archive: LoopbackArchive, asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    from ssm_net.cli import main

    words = ["ssm-net", "download", f"raw={tmp_path / 'raw'}", "domain.bbox=[25,45,26,46]", "start=2018-04-01",
             "end=2018-04-03", "lead=0", "products=[MYD11A1]", "pause=0", "tries=1", *archive.keys()]  # fmt: skip
    monkeypatch.setattr(sys, "argv", words)
    lost = archive.granules[2].name
    archive.faults[lost] = ["500"]
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 1
    err = capsys.readouterr().err
    assert "1 file is left; the same command goes on from here" in err and f"{FOLDER}/{lost}" in err
    main()
    assert lost in names(tmp_path / "raw" / FOLDER)


def test_a_product_without_files_is_said(
    archive: LoopbackArchive, asked: Asked, capsys: pytest.CaptureFixture[str]
) -> None:
    """An archive moves on to a newer version of a product, and lists no file of the old one any more."""
    ssm_net.download(asked(products=["MYD11A1", "MCD43A4"], plan=True))
    said = " ".join(capsys.readouterr().out.split())
    assert "MCD43A4: none in the archive for 2018-04-01 .. 2018-04-03: no such days, or a newer version" in said
