"""The account of raw/: every warning once, and a short table of what was taken and left out of each product."""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from archive import LST_NAME, daily, lst, surveyed, tif
from rich.logging import RichHandler

from ssm_net.cli.run import _log_to_terminal
from ssm_net.config import DomainConfig, PrepareConfig
from ssm_net.ingest.account import Account, Found, Remark, collecting, remark
from ssm_net.ingest.catalog import Granule, find_files
from ssm_net.ingest.ssm import CoarseSSM
from ssm_net.prepare.account import DayAccount, found_by, with_days
from ssm_net.prepare.plan import make_plan
from ssm_net.prepare.products import CubeProducts
from ssm_net.prepare.read_day import ObservedDay, read_granules
from ssm_net.prepare.run import prepare

DAY = dt.date(2016, 5, 4)
MONTHLY = "C3S-SOILMOISTURE-L3S-SSMV-PASSIVE-MONTHLY-2016{:02d}01000000-TCDR-v202312.0.0.nc"


def config(raw: Path, **other: object) -> PrepareConfig:
    domain = DomainConfig("x", window=[84, 88, 792, 796])
    return PrepareConfig(str(raw), str(raw.parent / "cube.zarr"), "2016-05-03", "2016-05-05", domain, **other)  # type: ignore[arg-type]


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A day of Aqua in two versions, monthly files of C3S, a product that is not used, and a map called rain."""
    raw = tmp_path / "raw"
    for name in (LST_NAME, LST_NAME.replace(".061.", ".006.")):
        lst(raw / "MYD11A1.061" / name.replace("2015213", "2016125"))
    for month in range(1, 6):
        daily(raw / "C3S" / MONTHLY.format(month), f"2016-{month:02d}-01", 1, "sm")
    lst(raw / "MYD21A1D.061" / LST_NAME.replace("MYD11A1", "MYD21A1D").replace("2015213", "2016125"))
    tif(raw / "static" / "rain.tif", 777.0)
    return raw


def test_each_warning_comes_once_though_the_archive_is_asked_often(raw: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        plan = make_plan(config(raw))
    texts = [record.getMessage() for record in caplog.records]
    assert len(texts) == len(set(texts))
    for words in ("5 files left out: a monthly mean", "a second file of", "'rain' is taken"):
        assert sum(words in text for text in texts) == 1, words
    assert "rain" not in plan.static
    assert "(C3S-" in caplog.text and "and 2 more)" in caplog.text  # examples, not all


def test_the_dry_run_shows_the_account(raw: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prepare(config(raw, plan=True))
    out = " ".join(capsys.readouterr().out.split())
    assert "MYD11A1: 2 files found, files on 2 of 3 days" in out  # its night is that of the next local day
    assert "5 files left out: a monthly mean" in out
    assert "MYD21A1D: 1 file found" in out and "1 product left out: the lst of this cube is MYD11A1" in out
    assert not (raw.parent / "cube.zarr").exists()


def observed(day: dt.date, files: tuple[str, ...], seen: float, remarks: tuple[Remark, ...] = ()) -> ObservedDay:
    ssm = np.full((4, 4), np.nan, np.float32)
    ssm.flat[: int(16 * seen)] = 0.2
    return ObservedDay(day, CoarseSSM(ssm, ssm, np.zeros((4, 4), np.uint8)), {"lst_day": None}, {}, {}, None, None, {},
                       files, (), {}, (), remarks=remarks)  # fmt: skip


def test_days_add_files_taken_cells_missing_and_remarks_of_readers(tmp_path: Path) -> None:
    names = [f"NNsm-AMSR2-2016{n}.nc" for n in (124, 125, 126)]
    for name in names:
        (tmp_path / "raw" / "NNsm").mkdir(parents=True, exist_ok=True)
        (tmp_path / "raw" / "NNsm" / name).touch()
    lst(tmp_path / "raw" / "MYD11A1" / LST_NAME.replace("2015213", "2016125"))
    plan = make_plan(config(tmp_path / "raw"))
    percent = Remark("NNsm", "values outside 0 .. 0.7 m3 m-3, missing", names[0], 7, "cells", left_out=False)
    days = [observed(day, (name,), seen, (percent,) * (name == names[0]))
            for day, name, seen in zip(plan.day_plans, names[:2], (1.0, 0.5), strict=False)]  # fmt: skip
    account = with_days(plan.account, plan.products, plan.day_plans, [DayAccount.of(d) for d in days])
    assert account.found["NNsm"] == Found(3, 3, 3, 2, {"cells without an observation": 0.25})
    lines = "\n".join(account.lines())
    assert "NNsm: 3 files found, files on 3 of 3 days, 2 taken; 25.0% of the cells without an observation" in lines
    assert f"7 cells: values outside 0 .. 0.7 m3 m-3, missing ({names[0]})" in lines


def test_remarks_of_one_kind_are_one_line() -> None:
    account = Account({}, tuple(Remark("C3S", "a monthly mean", f"{n}.nc", remedy="get daily files") for n in range(9)))
    assert account.warnings() == [
        "C3S: 9 files left out: a monthly mean (0.nc, 1.nc, 2.nc and 6 more); get daily files"
    ]
    assert account.with_remarks(account.remarks) == account
    expected = Account({}, (Remark("C3S", "beside the granules", "a.xml", expected=True),))
    assert expected.warnings() == [] and "1 file left out: beside the granules (a.xml)" in "\n".join(expected.lines())


def test_remarks_are_collected_where_asked() -> None:
    one = Remark("precip", "negative, missing", "a.nc", 3, "pixels")
    remark(one)  # nobody collects
    with collecting() as outer:
        with collecting() as inner:
            remark(one)
        assert inner == [one] and outer == []


def test_a_product_that_is_not_used_is_said(tmp_path: Path) -> None:
    lst(tmp_path / "raw" / "MOD11A1" / LST_NAME.replace("MYD11A1", "MOD11A1"))
    _, account = surveyed(tmp_path / "raw")
    products = CubeProducts((), (), (), ())
    assert "this cube has no lst" in "\n".join(found_by(account, products, {}).lines())


def test_Q7_the_older_whole_version_is_used_and_said(tmp_path: Path) -> None:
    newest = lst(tmp_path / "raw" / "MYD11A1" / LST_NAME.replace("2015213", "2016125"))
    older = lst(newest.with_name(newest.name.replace("2021348", "2020348")))
    newest.write_bytes(newest.read_bytes().replace(b"GCTP_SNSOID", b"GCTP_LAMAZ\n"))  # opens, and cannot be read
    plan = make_plan(config(tmp_path / "raw"))
    read = read_granules(plan.day_plans[DAY])
    assert read.files == (older.name,) and set(read.left_out) == {newest.name}
    assert f"{older}: this older version of {newest.name} is used in its place" in read.problems
    account = with_days(plan.account, plan.products, plan.day_plans, [DayAccount.of(read)])
    assert account.found["MYD11A1"].taken == 1
    assert f"GCTP_LAMAZ, not in the MODIS sinusoidal projection ({newest.name})" in "\n".join(account.lines())


def test_F5_a_file_that_went_away_is_a_problem_of_its_day(tmp_path: Path) -> None:
    path = lst(tmp_path / "raw" / "MYD11A1" / LST_NAME.replace("2015213", "2016125"))
    plan = make_plan(config(tmp_path / "raw"))
    path.unlink()
    path.symlink_to(tmp_path / "offline.hdf")
    read = read_granules(plan.day_plans[DAY])
    assert read.lst["day"] is None and "no such file" in read.problems[0] and read.left_out == {path.name: 0}
    assert find_files(tmp_path / "raw").files["MYD11A1"] == []


def test_the_command_line_says_each_message_once() -> None:
    root, own = logging.getLogger(), logging.getLogger("ssm_net")
    before, level = root.handlers[:], own.level
    try:
        _log_to_terminal()
        handler = next(h for h in root.handlers if isinstance(h, RichHandler))
        record = logging.LogRecord("ssm_net", logging.WARNING, "", 0, "%s is hidden", ("a",), None)
        assert [bool(handler.filter(r)) for r in (record, record)] == [True, False]
    finally:
        root.handlers[:] = before
        own.setLevel(level)


def test_versions_of_a_granule_travel_with_it() -> None:
    granule = Granule("MYD11A1", Path("a.hdf"), DAY, "h26v04", (Path("b.hdf"),))
    assert replace(granule, path=granule.older[0], older=()) == Granule("MYD11A1", Path("b.hdf"), DAY, "h26v04")
