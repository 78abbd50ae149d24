"""A record that is added to every morning: nothing is skipped or made twice, and the disk does not fill."""

from __future__ import annotations

import datetime as dt
import fcntl
import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path

import crash
import pytest
import road

from ssm_net.config import InferConfig, ProduceConfig, load
from ssm_net.core.faults import FaultPoint
from ssm_net.cube.json_files import CubeError
from ssm_net.cube.store import open_cube
from ssm_net.errors import ConfigError
from ssm_net.formats.mosaic_days import days_done
from ssm_net.infer.run import infer
from ssm_net.ingest.catalog import find_files
from ssm_net.produce import granules
from ssm_net.produce.ready import ready_days
from ssm_net.produce.record import RecordStatus
from ssm_net.produce.run import produce

FIRST, LAST = dt.date(2016, 5, 1), dt.date(2016, 5, 8)
DAYS = [FIRST + dt.timedelta(n) for n in range(8)]
KEEP = 5


def settings(raw: Path, folder: Path, **other: object) -> ProduceConfig:
    keys = {"raw": str(raw), "cube": str(folder / "c.zarr"), "run": str(folder / "run"), "start": road.START,
            "mosaics": str(folder / "maps"), "domain": road.DOMAIN, "keep": KEEP, "step": 3, "wait": 2}  # fmt: skip
    return load(ProduceConfig, keys | other)


def digests(folder: Path) -> dict[str, str]:
    return {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(folder.glob("*.nc"))}


@pytest.fixture(scope="module")
def made(tiny_raw: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[ProduceConfig, RecordStatus]:
    """The whole record, in one go."""
    cfg = settings(tiny_raw, tmp_path_factory.mktemp("record"))
    return cfg, produce(cfg, LAST)


def test_every_day_has_its_map_and_the_cube_is_a_window(made: tuple[ProduceConfig, RecordStatus]) -> None:
    cfg, status = made
    assert days_done(Path(cfg.mosaics), "tiny") == DAYS
    cube = open_cube(cfg.cube)
    with_pixels = {int(f.parents[1].name) for f in cube.path.glob("fine/lst_day/c/*/0/0")}
    assert with_pixels == {0, *range(4, 8)}, "the pixels of the last days, and one day before them to train on"
    assert [day.day for day in cube.days_with_pixels()] == [1, 5, 6, 7, 8]
    assert cube.read_coarse("ssm", DAYS[0]).shape == (4, 4), "what is coarse stays"
    assert not (cube.path / "fine" / "lst_day" / "c" / "1").exists(), "empty folders fill a disk, too"
    with pytest.raises(CubeError, match="pixels of 2016-05-02 were dropped"):
        cube.read("lst_day", DAYS[1])
    stored = json.loads((Path(cfg.mosaics) / "produce.json").read_text())
    assert stored == json.loads(json.dumps(asdict(status)))
    assert (status.state, status.first, status.last, status.last_final) == (
        "up to date", "2016-05-01", "2016-05-08", "2016-05-08")  # fmt: skip
    assert status.next == "2016-05-09" and status.kept_since == "2016-05-05"


def test_dropping_changes_no_map(
    made: tuple[ProduceConfig, RecordStatus], tiny_cube_path: Path, tmp_path: Path
) -> None:
    cfg, _ = made
    infer(InferConfig(cube=str(tiny_cube_path), run=cfg.run, mosaics=str(tmp_path / "maps")))
    assert digests(tmp_path / "maps") == digests(Path(cfg.mosaics))


def test_the_same_command_again_changes_nothing(made: tuple[ProduceConfig, RecordStatus]) -> None:
    cfg, status = made
    before = road.stamps(Path(cfg.mosaics)) | road.stamps(Path(cfg.cube))
    again = produce(cfg, LAST)
    after = road.stamps(Path(cfg.mosaics)) | road.stamps(Path(cfg.cube))
    assert {f for f in after if after[f] != before.get(f)} <= {"produce.json"}
    assert again.state == status.state and again.last == status.last


def test_a_day_waits_for_its_granules_and_not_for_ever(
    made: tuple[ProduceConfig, RecordStatus], tiny_raw: Path, tmp_path: Path
) -> None:
    """One made at once would be made without them, and stay so."""
    cfg, _ = made
    waits = produce(cfg, LAST + dt.timedelta(2))
    assert (waits.state, waits.waiting_for, waits.next) == ("waiting", ("ssm", "lst"), "2016-05-09")
    raw = road.linked(tiny_raw, tmp_path / "raw")
    for path in (raw / "MYD11A1.061").glob("*.A201612[6-9].*"):  # from the 5th of May on
        path.unlink()
    ready = ready_days(find_files(raw), DAYS[3], LAST, today=LAST, wait=2)
    assert ready.days == tuple(DAYS[3:5]) and ready.awaited == ("lst",), "one made after 2 days, one that still waits"
    silent = ready_days(find_files(tiny_raw), LAST, LAST + dt.timedelta(30), today=LAST + dt.timedelta(60), wait=2)
    assert silent.days[-1] < LAST + dt.timedelta(2), "where nothing comes at all, no day is made of nothing"


@pytest.mark.parametrize(
    ("point", "day"),
    [
        pytest.param(FaultPoint.DAY_WRITTEN_WITHOUT_STATUS, "2016-05-05", marks=pytest.mark.slow),
        pytest.param(FaultPoint.WEIGHTS_WITHOUT_DESCRIPTION, "", marks=pytest.mark.slow),
        *((point, "2016-05-02") for point in crash.OF_RECORDS),
    ],
)
def test_what_was_cut_off_goes_on(
    made: tuple[ProduceConfig, RecordStatus], tiny_raw: Path, tmp_path: Path, point: FaultPoint, day: str
) -> None:
    cfg = settings(tiny_raw, tmp_path)
    with crash.failing_at(point, crash.full_disk(), day), pytest.raises(OSError, match=r"No space|room"):
        produce(cfg, LAST)
    assert json.loads((tmp_path / "maps" / "produce.json").read_text())["state"] == "failed"
    assert produce(cfg, LAST).state == "up to date"
    assert digests(tmp_path / "maps") == digests(Path(made[0].mosaics))
    cube = open_cube(cfg.cube)
    assert {int(f.parents[1].name) for f in cube.path.glob("fine/lst_day/c/*/0/0")} == {0, *range(4, 8)}


def test_two_do_not_produce_into_one_folder(made: tuple[ProduceConfig, RecordStatus]) -> None:
    cfg, _ = made
    with open(Path(cfg.mosaics) / ".produce.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ConfigError, match="another process produces"):
            produce(cfg, LAST)


def test_granules_that_no_day_needs_are_deleted_if_asked(
    tiny_raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two decades of granules fill any disk; what a link leads to belongs to someone else."""
    monkeypatch.setattr(granules, "RAIN_BEFORE", 0)
    raw = tmp_path / "raw"
    for folder in ("MYD11A1.061", "NNsm", "static"):
        shutil.copytree(tiny_raw / folder, raw / folder)
    outside = next((raw / "NNsm").glob("*2016122*"))
    kept = shutil.move(outside, tmp_path / outside.name)
    outside.symlink_to(kept)
    before = {f.name for f in raw.rglob("*") if f.is_file()}
    produce(settings(raw, tmp_path, drop_granules=True), LAST)
    gone = before - {f.name for f in raw.rglob("*") if f.is_file()}
    assert gone and all("201612" in name for name in gone)
    assert Path(kept).exists() and outside.is_symlink() and (raw / "static").exists()
    since = open_cube(tmp_path / "c.zarr").pixels_since
    for name in gone:  # no day that is kept has used it
        for day in DAYS:
            if day >= since:
                assert name not in (open_cube(tmp_path / "c.zarr").status(day) or {})["files"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [({"keep": 1}, "at least 2 days"), ({"wait": -1}, "wait must be"), ({"until": "2016-04-01"}, "2016")],
)
def test_settings_that_cannot_be(tiny_raw: Path, tmp_path: Path, wrong: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        settings(tiny_raw, tmp_path, **wrong)
