"""Files of statistics: whole or absent, made once and again only when their maps change, and clean for CF."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from compliance import CF_FAULT, remarks
from years_of_maps import days, mosaic

import ssm_net
from ssm_net.cli import main
from ssm_net.climate import map_record, monthly, percentiles
from ssm_net.core.locks import held_alone
from ssm_net.errors import SsmNetError
from ssm_net.formats.mosaic_days import write_day

WINTER = {"start": "2020-02-01", "end": "2020-03-31", "window": 3, "min_years": 4}


def stamps(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.nc")}


@pytest.fixture(scope="module")
def made(maps: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    ssm_net.climate(ssm_net.ClimateConfig(str(maps), str(out), **WINTER))
    return out


def test_the_names_tell_product_and_month(made: Path) -> None:
    assert sorted(stamps(made)) == sorted(
        [f"ssm_test_{product}_2020{month}.nc" for product in ("monthly", "anomalies", "percentiles")
         for month in ("02", "03")] + ["ssm_test_climatology_month02.nc", "ssm_test_climatology_month03.nc"]
    )  # fmt: skip


def test_a_second_run_makes_nothing(maps: Path, made: Path) -> None:
    before = stamps(made)
    ssm_net.climate(ssm_net.ClimateConfig(str(maps), str(made), **WINTER))
    assert stamps(made) == before


def test_made_again_the_bytes_are_the_same(maps: Path, made: Path, tmp_path: Path) -> None:
    ssm_net.climate(ssm_net.ClimateConfig(str(maps), str(tmp_path), what=["monthly", "percentiles"], **WINTER))
    for path in tmp_path.glob("*.nc"):
        assert path.read_bytes() == (made / path.name).read_bytes(), path.name


def test_small_blocks_give_the_same_values(
    maps: Path, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory does not grow with the record: more days make smaller blocks, and nothing else."""
    monkeypatch.setattr(map_record, "HELD_BYTES", 8_000_000)
    monkeypatch.setattr(map_record, "BLOCK", 100)
    assert map_record.block_rows(144, 4000) < 20 < map_record.block_rows(144, 500)
    ssm_net.climate(ssm_net.ClimateConfig(str(maps), str(tmp_path), what=["anomalies", "percentiles"],
                                          **(WINTER | {"start": "2020-03-01"})))  # fmt: skip
    for path in tmp_path.glob("*.nc"):
        with xr.open_dataset(path) as small, xr.open_dataset(made / path.name) as large:
            xr.testing.assert_equal(small, large)


def test_a_map_that_is_made_again_changes_what_rests_on_it_alone(tmp_path: Path) -> None:
    folder, out = tmp_path / "maps", tmp_path / "out"
    some = [day for day in days() if day.year == 2020]
    for day in some:
        write_day(mosaic(day), folder)
    ssm_net.monthly_means(folder, out)
    before = stamps(out)
    again = mosaic(some[-1])
    write_day(replace(again, attrs=again.attrs | {"revision": 2}), folder)
    ssm_net.monthly_means(folder, out)
    changed = [name for name, stamp in stamps(out).items() if stamp != before[name]]
    assert changed == ["ssm_test_monthly_202003.nc"]


def test_a_run_that_fails_leaves_no_half_file(maps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk, say: files before it stay, the next run makes the others."""
    real, calls = monthly.DaySums.add, []

    def failing(*args: object) -> None:
        calls.append(1)
        if len(calls) > 8:
            raise OSError(28, "No space left on device")
        real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(monthly.DaySums, "add", failing)
    with pytest.raises(OSError, match="make room and run the same command again"):
        ssm_net.monthly_means(maps, tmp_path, **WINTER)
    assert list(stamps(tmp_path)) == ["ssm_test_monthly_202002.nc"]
    assert not list(tmp_path.glob("*.part"))
    monkeypatch.setattr(monthly.DaySums, "add", real)
    (tmp_path / "ssm_test_monthly_202003.nc.part").write_bytes(b"half a file of a killed run")
    before = stamps(tmp_path)
    ssm_net.monthly_means(maps, tmp_path, **WINTER)
    assert before.items() < stamps(tmp_path).items() and not list(tmp_path.glob("*.part"))


def test_a_damaged_file_is_named(maps: Path, tmp_path: Path) -> None:
    (tmp_path / "ssm_test_monthly_202002.nc").write_bytes(b"no file of ours")
    with pytest.raises(SsmNetError, match=r"monthly_202002\.nc is damaged .* remove it"):
        ssm_net.monthly_means(maps, tmp_path, **WINTER)


def test_one_run_at_a_time_writes_into_a_folder(maps: Path, tmp_path: Path) -> None:
    with held_alone(tmp_path / ".climate.lock", "busy"), pytest.raises(SsmNetError, match="another run of climate"):
        ssm_net.monthly_means(maps, tmp_path, **WINTER)


@pytest.mark.parametrize("product", ["monthly_202002", "climatology_month02", "anomalies_202002", "percentiles_202002"])
def test_files_follow_cf(made: Path, product: str) -> None:
    found = remarks(made / f"ssm_test_{product}.nc", "cf:1.11")
    assert {message for messages in found.values() for message in messages} <= CF_FAULT


def test_files_say_what_they_are_of(made: Path) -> None:
    with xr.open_dataset(made / "ssm_test_anomalies_202002.nc") as anomalies:
        attrs = anomalies.attrs
    assert (attrs["window"], attrs["reference_years"], attrs["id"]) == (
        "7 days", "2019 .. 2022", "ssm_test_anomalies_202002")  # fmt: skip
    assert attrs["checkpoint"] == "ab12" and "Anomalies" in attrs["title"] and attrs["geospatial_lat_min"] > 0


def test_counts_of_a_window_fit_their_type() -> None:
    days, years = percentiles.counted([np.zeros((1, 2), np.int16)] * 700, [2000 + n // 35 for n in range(700)], (1, 2))
    assert days.tolist() == [[700, 700]] and years.tolist() == [[20, 20]]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"what": ["weekly"]}, "give any of monthly, climatology, anomalies, percentiles"),
        ({"what": []}, "asks for nothing"),
        ({"out": "maps"}, "out=maps is the folder of the maps"),
        ({"window": 200}, "give 0 to 90 days"),
        ({"min_years": 0}, "give 1 or more"),
        ({"years": [2022]}, r"years=\[2003,2022\]"),
        ({"years": [2022, 2018]}, r"years=\[2003,2022\]"),
        ({"start": "2020"}, "write yyyy-mm-dd"),
    ],
)
def test_settings_that_do_not_fit_say_why(keys: dict, message: str) -> None:
    with pytest.raises(SsmNetError, match=message):
        ssm_net.ClimateConfig(**({"mosaics": "maps", "out": "climate"} | keys))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"exclude": ["clouds"]}, "no quality flag: give any of coarse_observed"),
        ({"start": "2030-01-01"}, r"no map in the months from 2030-01-01 .* change start= and end="),
        ({"years": [1990, 1999]}, r"no map in years=\[1990,1999\]"),
        ({"min_years": 6}, r"maps of 4 years in 2019 .. 2022, and anomalies and percentiles need 6: .* min_years=4"),
    ],
)
def test_what_cannot_be_made_says_why_and_leaves_nothing(maps: Path, tmp_path: Path, keys: dict, message: str) -> None:
    with pytest.raises(SsmNetError, match=message):
        ssm_net.climate(ssm_net.ClimateConfig(str(maps), str(tmp_path), **keys))
    assert not list(tmp_path.glob("*.nc"))


@pytest.mark.usefixtures("fresh_hydra")
def test_the_command_plans_and_makes(
    maps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*more: str) -> str:
        monkeypatch.setattr(
            sys, "argv", ["ssm-net", "climate", f"mosaics={maps}", f"out={tmp_path}", "what=[monthly]",
                          "start=2020-02-01", "end=2020-03-31", *more]
        )  # fmt: skip
        main()
        return " ".join(capsys.readouterr().out.split())

    planned = run("plan=true")
    assert "would make files in" in planned and "monthly: 2 of 2" in planned and "days without a map" in planned
    assert not os.listdir(tmp_path)
    assert "2 files made, 0 were up to date" in run()
    assert "0 files made, 2 were up to date" in run()
    changed = run("exclude=[provisional]", "plan=true")
    assert "2 of them again: their maps or settings have changed" in changed
