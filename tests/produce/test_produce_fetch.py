"""A record that downloads what its days lack: no file twice, no day of a part of its granules, no end at an outage."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import road
from omegaconf import OmegaConf

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))  # scripts, not a package
from archive_entry import Granule
from loopback_archive import USER, WORD, LoopbackArchive
from worlds import loud_run

from ssm_net.cli.run import run_verb
from ssm_net.config import ModelConfig, ProduceConfig, load
from ssm_net.download.errors import SetUpError
from ssm_net.formats.mosaic_days import days_done
from ssm_net.ingest.naming import day_in_name
from ssm_net.prepare import prepare
from ssm_net.produce import granules
from ssm_net.produce.fetch import FetchRecord, LeftFile
from ssm_net.produce.record import RecordStatus
from ssm_net.produce.run import produce

FIRST, LAST = dt.date(2016, 5, 1), dt.date(2016, 5, 8)
FETCHED = {"MYD11A1.061": "MYD11A1", "MCD43A4.061": "MCD43A4"}  # folders that the archive fills
LST_OF_5TH = "MYD11A1.A2016126"
MODEL = ModelConfig(members=1, width=8, depth=1, coarse_width=8, lags=3)


def day(number: int) -> dt.date:
    return dt.date(2016, 5, number)


@pytest.fixture(scope="module")
def run(tiny_raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Networks, so that none are trained here."""
    folder = tmp_path_factory.mktemp("trained")
    cube = prepare(road.preparation(tiny_raw, folder / "c.zarr", end="2016-05-02"))
    assert cube is not None
    return loud_run(folder / "run", cube, MODEL)


@pytest.fixture
def archive(tiny_raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackArchive]:
    """LST and reflectance of the tiny world, and a login."""
    for key in ("EARTHDATA_TOKEN", "NETRC"):
        monkeypatch.delenv(key, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("EARTHDATA_USERNAME", USER)
    monkeypatch.setenv("EARTHDATA_PASSWORD", WORD)
    files = [path for folder in FETCHED for path in sorted((tiny_raw / folder).glob("*.hdf"))]
    with LoopbackArchive([_served(path) for path in files]) as served:
        yield served


def _served(path: Path) -> Granule:
    of = day_in_name(path.name)
    assert of is not None
    return Granule((FETCHED[path.parent.name], "061"), path.name, path.read_bytes(), dt.datetime.combine(of, dt.time()))


def settings(archive: LoopbackArchive, tiny_raw: Path, folder: Path, run: Path, **other: Any) -> ProduceConfig:
    """A record with a raw/ of its own, which lacks what the archive has."""
    raw = folder / "raw"
    for name in ("NNsm", "precip", "static"):
        if not (raw / name).exists():
            shutil.copytree(tiny_raw / name, raw / name, copy_function=os.link)
    keys = {"raw": str(raw), "cube": str(folder / "c.zarr"), "run": str(run), "start": str(FIRST), "keep": 5,
            "mosaics": str(folder / "maps"), "domain": road.DOMAIN, "step": 3, "wait": 2, "until": str(LAST),
            "fetch": True, "products": list(FETCHED.values()), "tries": 1, "pause": 0.0,
            "earthdata": archive.settings()}  # fmt: skip
    return load(ProduceConfig, keys | other)


def sent(archive: LoopbackArchive) -> list[str]:
    return [r.path.partition("?")[0].rpartition("/")[2] for r in archive.requests if r.path.startswith("/signed/")]


def made(cfg: ProduceConfig) -> list[int]:
    return [of.day for of in days_done(Path(cfg.mosaics), "tiny")]


@pytest.mark.slow
def test_what_days_lack_is_fetched_once_though_granules_are_dropped(
    archive: LoopbackArchive, tiny_raw: Path, tmp_path: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(granules, "RAIN_BEFORE", 0)
    cfg = settings(archive, tiny_raw, tmp_path, run, drop_granules=True)
    status = produce(cfg, LAST)
    assert (status.state, status.exit_code, made(cfg)) == ("up to date", 0, [1, 2, 3, 4, 5, 6, 7, 8])
    here = {path.name for path in (tmp_path / "raw" / "MYD11A1.061").iterdir()}
    gone = set(sent(archive)) - here - {p.name for p in (tmp_path / "raw" / "MCD43A4.061").iterdir()}
    assert gone and all(".A201612" in name for name in gone), "granules of the first days were dropped"
    assert produce(cfg, LAST).state == "up to date"
    assert len(sent(archive)) == len(set(sent(archive))), "no file was fetched twice"


def test_an_archive_that_is_down_ends_nothing(
    archive: LoopbackArchive, tiny_raw: Path, tmp_path: Path, run: Path
) -> None:
    """What is there is mapped; the next run catches up."""
    cfg = settings(archive, tiny_raw, tmp_path, run)
    archive.search_faults = ["500"]
    assert produce(cfg, LAST).state == "outage" and not made(cfg), "a cube keeps the products that it begins with"
    produce(settings(archive, tiny_raw, tmp_path, run, until="2016-05-02"), LAST)
    for path in (tiny_raw / "MYD11A1.061").glob("*.A2016125.*"):  # of the 4th of May, by hand
        shutil.copy(path, tmp_path / "raw" / "MYD11A1.061")
    archive.search_faults = ["500"]
    long_after = LAST + dt.timedelta(30)
    status = produce(cfg, long_after)
    assert (status.state, status.exit_code, status.next) == ("outage", 75, "2016-05-05"), "no day goes without its LST"
    assert made(cfg) == [1, 2, 3, 4] and "search" in status.error
    status = produce(cfg, long_after)
    assert (status.state, status.exit_code, made(cfg)) == ("up to date", 0, [1, 2, 3, 4, 5, 6, 7, 8])


@pytest.mark.slow
def test_a_day_waits_for_a_file_that_did_not_come_and_not_for_ever(
    archive: LoopbackArchive, tiny_raw: Path, tmp_path: Path, run: Path
) -> None:
    cfg = settings(archive, tiny_raw, tmp_path, run)
    lost = next(g.name for g in archive.granules if g.name.startswith(LST_OF_5TH))
    archive.faults[lost] = ["404"] * 9
    status = produce(cfg, LAST)
    assert (status.state, status.next, made(cfg)) == ("outage", "2016-05-04", [1, 2, 3])
    assert lost in status.error
    later = LAST + dt.timedelta(cfg.wait)
    assert produce(cfg, later).state == "outage" and made(cfg) == [1, 2, 3], "it still waits"
    assert produce(cfg, later + dt.timedelta(1)).state == "up to date"
    assert made(cfg) == [1, 2, 3, 4, 5, 6, 7, 8], "given up: its day is made without it, and those after it with all"
    assert any("2016129" in name for name in sent(archive)), "the step after it was asked for"


def test_a_download_that_was_cut_off_is_not_taken_for_whole(
    archive: LoopbackArchive, tiny_raw: Path, tmp_path: Path, run: Path
) -> None:
    """A kill within a download, and an archive that is down on the next morning: files that came are a part only."""
    cfg = settings(archive, tiny_raw, tmp_path, run)
    produce(settings(archive, tiny_raw, tmp_path, run, until="2016-05-03"), LAST)
    Path(cfg.mosaics, "fetch.json").unlink(missing_ok=True)
    FetchRecord(begun=day(4)).write(Path(cfg.mosaics))
    shutil.copy(next((tiny_raw / "MYD11A1.061").glob("*.A2016129.*")), tmp_path / "raw" / "MYD11A1.061")
    archive.search_faults = ["500"]
    assert produce(cfg, LAST).state == "outage" and made(cfg) == [1, 2, 3]
    assert produce(cfg, LAST).state == "up to date" and not Path(cfg.mosaics, "fetch.json").exists()


def test_a_login_that_is_missing_is_no_outage(
    archive: LoopbackArchive, tiny_raw: Path, tmp_path: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EARTHDATA_PASSWORD")
    cfg = settings(archive, tiny_raw, tmp_path, run)
    with pytest.raises(SetUpError, match="no Earthdata login"):
        produce(cfg, LAST)
    assert '"failed"' in Path(cfg.mosaics, "produce.json").read_text()


def test_days_wait_for_what_is_left_of_a_fetch() -> None:
    today = day(20)
    left = {"LST/a": LeftFile(day(6), today), "LST/old": LeftFile(day(3), day(10)), "static/dem": LeftFile(None, today)}
    assert FetchRecord(None, left).whole_before(today, 5, begun=True) == day(5), "its views may be of the day before"
    assert FetchRecord(day(4), left).whole_before(today, 5, begun=True) == day(4)
    assert FetchRecord(None, left).whole_before(today, 5, begun=False) == dt.date.min, "a cube keeps its first maps"
    assert FetchRecord(None, left).given_up(today, 5) == ["LST/old"]


def test_exit_code_says_that_the_next_run_goes_on() -> None:
    keys = {k: "x" for k in ("raw", "cube", "run", "mosaics")} | {"start": "2016-05-01"}
    cfg = OmegaConf.create(keys)
    with pytest.raises(SystemExit) as end:
        run_verb(lambda cfg: RecordStatus("outage", error="down"), ProduceConfig, cfg)
    assert end.value.code == 75
    assert run_verb(lambda cfg: RecordStatus("waiting"), ProduceConfig, cfg) is None
