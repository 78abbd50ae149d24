"""No file of raw/ is opened more often than needed."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import pytest
from archive import C3S, MAY, daily, surveyed

from ssm_net.ingest.catalog import find_files
from ssm_net.ingest.holdings import Holding, by_name
from ssm_net.ingest.products import product

ONE = dt.timedelta(days=1)


def test_C1_a_file_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = daily(tmp_path / "precip" / "china.nc", "2016-05-01", 8)
    first = find_files(tmp_path)
    assert len(first.catalog()[0]["precip"]) == 8
    stored = {k: (s, t, Holding.from_json(h.to_json())) for k, (s, t, h) in first.known.items()}
    opened: list[Path] = []
    monkeypatch.setattr("ssm_net.ingest.catalog.by_content", lambda entry, p: opened.append(p) or Holding())
    assert find_files(tmp_path, stored).catalog()[0] == first.catalog()[0] and not opened
    daily(path, "2016-06-01", 9)  # another file in its place
    find_files(tmp_path, stored).catalog()
    assert opened == [path]


def test_C1_files_of_other_years_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "precip"
    folder.mkdir()
    for n in range(730):
        (folder / f"rain_{dt.date(2015, 1, 1) + n * ONE:%Y%m%d}.nc").touch()
    opened: list[Path] = []
    monkeypatch.setattr("ssm_net.ingest.catalog.by_content", lambda entry, p: opened.append(p) or Holding())
    surveyed(tmp_path, MAY)
    assert len(opened) < 100


def test_clean_names_of_the_archives_are_believed() -> None:
    for folder, name in (("C3S", C3S.format("PASSIVE", "DAILY", "201912.0.0")), ("NNsm", "NNsm-AMSR2-2016122.nc")):
        entry = product(folder)
        assert entry is not None and by_name(entry, Path(name)) is not None


def test_two_links_to_one_file_are_one(tmp_path: Path) -> None:
    path = daily(tmp_path / "precip" / "a" / "rain_20160501.nc", "2016-05-01", 1)
    (tmp_path / "precip" / "b").symlink_to("a")
    (tmp_path / "precip" / "c").mkdir()
    (tmp_path / "precip" / "c" / path.name).symlink_to(path)
    assert len(surveyed(tmp_path, MAY)[0]["precip"][dt.date(2016, 5, 1)]) == 1
    shutil.copyfile(path, tmp_path / "precip" / "rain_20160501 (1).nc")  # a browser's second download
    assert len(surveyed(tmp_path, MAY)[0]["precip"][dt.date(2016, 5, 1)]) == 1
