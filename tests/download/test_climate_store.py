"""Files of the Climate Data Store: asked for by month, unpacked into the folders of prepare, refusals said."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from climate_server import KEY, ClimateServer

from remote_granules import Asked, content, names  # isort: skip

import ssm_net
from ssm_net.download.errors import DownloadError

HDF5 = b"\x89HDF\r\n\x1a\n"
C3S, ERA5 = "satellite-soil-moisture", "reanalysis-era5-land"


def packed(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def daily(day: str) -> str:
    return f"C3S-SOILMOISTURE-L3S-SSMV-PASSIVE-DAILY-{day}000000-TCDR-v202505.0.0.nc"


MEMBERS = {daily(f"201804{n:02d}"): content(str(n), HDF5, 400) for n in range(1, 5)}
MEMBERS |= {daily("20180331"): content("31", HDF5, 400)}


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, login: None) -> Iterator[ClimateServer]:
    files = {
        C3S: packed(MEMBERS),
        ERA5: packed({"data_stream-oper_stepType-instant.nc": content("a", HDF5, 400),
                      "data_stream-oper_stepType-accum.nc": content("b", HDF5, 400)}),
    }  # fmt: skip
    with ClimateServer(files) as served:
        monkeypatch.setenv("CDSAPI_URL", served.base)
        monkeypatch.setenv("CDSAPI_KEY", KEY)
        yield served


def test_months_are_asked_for_once(store: ClimateServer, asked: Asked, tmp_path: Path) -> None:
    ssm_net.download(asked(products=["C3S", "ERA5-Land"], tries=1))
    assert names(tmp_path / "raw" / "C3S") == sorted(MEMBERS)
    assert (tmp_path / "raw" / "C3S" / daily("20180402")).read_bytes() == MEMBERS[daily("20180402")]
    era5 = names(tmp_path / "raw" / "ERA5-Land")
    assert "era5_land_20180401_20180404-instant.nc" in era5 and "era5_land_20180401_20180404-accum.nc" in era5
    months = [(r["month"], r["day"]) for r in store.requests if "type_of_sensor" in r]
    assert months == [(["03"], ["31"]), (["04"], ["01", "02", "03", "04"])]
    area = next(r["area"] for r in store.requests if "area" in r)
    assert area[0] > 46 and area[1] < 25 and area[2] < 45 and area[3] > 26, "north, west, south, east"
    store.requests.clear()
    ssm_net.download(asked(products=["C3S", "ERA5-Land"], tries=1))
    assert not store.requests


def test_an_archive_puts_nothing_outside_its_folder(store: ClimateServer, asked: Asked, tmp_path: Path) -> None:
    store.files[C3S] = packed(
        {f"../../{daily('20180401')}": MEMBERS[daily("20180401")], "../evil.nc": b"x", "a.sh": b"x"}
    )
    ssm_net.download(asked(products=["C3S"], tries=1))
    assert names(tmp_path / "raw" / "C3S") == [daily("20180401")]
    assert {p.name for p in tmp_path.iterdir()} == {"raw", "home"}


@pytest.mark.parametrize(
    ("fault", "says"),
    [("licence", "required licences not accepted.*accept it on the download page of satellite-soil-moisture"),
     ("fails", "the Climate Data Store says"), ("key", "the Climate Data Store says: 401"),
     ("page", "C3S .*(?:web page|without a file of a known name)")],
)  # fmt: skip
def test_refusals_are_said_and_leave_nothing(
    store: ClimateServer, asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, says: str
) -> None:
    store.refuse, store.fails = fault == "licence", fault == "fails"
    if fault == "key":
        monkeypatch.setenv("CDSAPI_KEY", "another")
    if fault == "page":
        store.files[C3S] = packed({"index.html": b"<html>"})
    with pytest.raises(DownloadError, match=f"(?s){says}"):
        ssm_net.download(asked(products=["C3S"], tries=1))
    assert names(tmp_path / "raw" / "C3S") == []


def test_two_files_for_one_place_are_refused(store: ClimateServer, asked: Asked, tmp_path: Path) -> None:
    """One would be lost, and the next run would take the month for whole."""
    store.files[ERA5] = packed({f"data_{n}.nc": content(str(n), HDF5, 400) for n in range(2)})
    with pytest.raises(DownloadError, match="several files of one name"):
        ssm_net.download(asked(products=["ERA5-Land"], tries=1))
    assert names(tmp_path / "raw" / "ERA5-Land") == []


@pytest.mark.parametrize("lacking", ["CDSAPI_KEY", "CDSAPI_URL"])
def test_without_a_key_it_says_where_to_get_one(
    store: ClimateServer, asked: Asked, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    monkeypatch.delenv(lacking)
    with pytest.raises(DownloadError, match=r"need a key of the Climate Data Store: https://cds\.climate"):
        ssm_net.download(asked(products=["C3S"]))
