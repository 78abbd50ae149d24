"""What the catalog's answers are taken for: names, days, sizes, versions, and nothing that a server could slip in."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from remote_granules import FIRST, FOLDER, HDF5, Asked, content, lst, names  # isort: skip
from loopback_archive import Granule, LoopbackArchive

import ssm_net
from ssm_net.config import DOWNLOADS
from ssm_net.download.archive_products import ARCHIVE_PRODUCTS, automatic_products
from ssm_net.download.search import _box, _checksum, _of_name, _size
from ssm_net.grid import Domain
from ssm_net.ingest.products import product

# Recorded answers of the catalog, in part: DataGranule of nsidc/earthaccess, tests/unit/fixtures/*_umm.json.
LAADS = {"ArchiveAndDistributionInformation": [
    {"Name": "Not provided", "Size": 65.8373498916626, "SizeInBytes": 69035465, "SizeUnit": "MB"}]}  # fmt: skip
GES_DISC = {"ArchiveAndDistributionInformation": [
    {"Name": "Not provided", "Size": 10.07326889038086, "SizeUnit": "MB"}]}  # fmt: skip
NSIDC = {"ArchiveAndDistributionInformation": [{"Name": "Not provided", "Size": 589.2875518799, "SizeUnit": "NA"}]}


def day(n: int) -> dt.datetime:
    return FIRST + dt.timedelta(days=n)


def rain(n: int, late: bool = False) -> Granule:
    short, letter = ("GPM_3IMERGDL", "-L") if late else ("GPM_3IMERGDF", "")
    name = f"3B-DAY{letter}.MS.MRG.3IMERG.{day(n):%Y%m%d}-S000000-E235959.V07B.nc4"
    return Granule((short, "07"), name, content(name, HDF5, 500), day(n), size=None, checksum=None, signed=False)


def test_every_product_of_the_settings_has_a_row_and_a_folder_that_prepare_reads() -> None:
    assert tuple(p.name for p in ARCHIVE_PRODUCTS) == DOWNLOADS
    folders = {c.folder for p in ARCHIVE_PRODUCTS for c in (*p.collections, *p.late) if not p.is_static}
    assert not {folder for folder in folders if product(folder) is None}, "prepare reads no such folder"


def test_auto_needs_one_login_and_follows_the_platforms() -> None:
    def auto(first: str, last: str) -> set[str]:
        return set(automatic_products(dt.date.fromisoformat(first), dt.date.fromisoformat(last)))

    always = {"LPRM", "IMERG", "MOD44W", "ASTGTM"}
    assert auto("2018-04-01", "2018-09-30") == always | {"MYD11A1", "MCD43A4"}
    assert auto("2025-04-01", "2025-09-30") == always | {"VNP21A1", "VNP43MA4"}
    assert auto("2022-10-01", "2023-03-31") == always | {"MYD11A1", "MCD43A4", "VNP21A1", "VNP43MA4"}


def test_pages_of_the_catalog_are_put_together(asked: Asked, archive: LoopbackArchive) -> None:
    """The library asks for pages of 2000; more of them are told by a header."""
    archive.granules[:] = [lst(0, processed=f"{n:013d}") for n in range(2100)]
    plan = ssm_net.download(asked(plan=True))
    assert [f.name for f in plan.wanted] == [lst(0, processed=f"{2099:013d}").name], "the newest is on the second page"


@pytest.mark.parametrize(
    ("stated", "size", "about"), [(LAADS, 69035465, 69035465), (GES_DISC, None, 10.07e6), (NSIDC, None, 589.3e6)]
)
def test_sizes_as_archives_state_them(stated: dict[str, Any], size: int | None, about: float) -> None:
    info = _of_name("x.hdf", stated["ArchiveAndDistributionInformation"], only=True)
    assert _size(info) == (size, pytest.approx(about, rel=1e-3)) and _checksum(info) is None


@pytest.mark.parametrize(
    "name",
    [
        "../../../../.bashrc", "..%2F..%2F.netrc", "/etc/passwd", "MYD11A1.A2018091.h19v04.061.2020001000000.hdf.sh",
        "MYD11A1.A2018999.h19v04.061.2020001000000.hdf", "MYD11A1.A2018091.h19v04.061.2020001000000.hdf%00.txt",
    ],
)  # fmt: skip
def test_a_name_that_is_not_the_products_is_left_out_and_said(
    archive: LoopbackArchive, asked: Asked, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server cannot have a file put where it likes."""
    archive.granules.append(replace(lst(0), name="x.hdf", url=f"{archive.base('data')}/data/{name}"))
    ssm_net.download(asked())
    assert "left out: MYD11A1: an entry without a file of a known name (1)" in capsys.readouterr().out
    assert names(tmp_path / "raw" / FOLDER) == sorted(g.name for g in archive.granules[:-1])
    assert {p.name for p in tmp_path.iterdir()} == {"raw", "home"}


@pytest.mark.parametrize("break_it", [
    lambda e: e.pop("umm"), lambda e: e.update(umm=[1]), lambda e: e["umm"].pop("RelatedUrls"),
    lambda e: e["umm"].update(RelatedUrls="x"), lambda e: e["umm"].update(DataGranule=None),
    lambda e: e["umm"].update(RelatedUrls=[{"URL": "https://[x/y.hdf", "Type": "GET DATA"}]),
])  # fmt: skip
def test_a_damaged_entry_costs_itself_only(
    archive: LoopbackArchive, asked: Asked, break_it: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Granule.umm

    def umm(self: Granule, base: str) -> dict[str, Any]:
        entry = whole(self, base)
        if self is archive.granules[1]:
            break_it(entry)
        return json.loads(json.dumps(entry))

    monkeypatch.setattr(Granule, "umm", umm)
    plan = ssm_net.download(asked(plan=True))
    assert len(plan.wanted) == 4 and sum(plan.unusable.values()) == 1


def test_rain_reaches_back_and_the_late_run_fills_the_end(archive: LoopbackArchive, asked: Asked) -> None:
    """Antecedent rain of the first day counts 60 days; the final run of IMERG is months behind."""
    archive.granules[:] = [rain(n) for n in range(-80, 1)] + [rain(n, late=True) for n in range(-5, 4)]
    plan = ssm_net.download(asked(products=["IMERG"], lead=2, plan=True))
    days = [f.day for f in plan.wanted]
    assert days == [(day(n)).date() for n in range(-64, 3)]
    assert [("DAY-L" in f.name) for f in plan.wanted][-4:] == [False, False, True, True]
    assert {f.folder for f in plan.wanted} == {"precip"}


def test_the_composite_is_searched_by_its_middle(archive: LoopbackArchive, asked: Asked) -> None:
    def composite(n: int) -> Granule:
        name = f"MCD43A4.A{day(n):%Y%j}.h19v04.061.2020001000000.hdf"
        begin = day(n - 8)
        return Granule(("MCD43A4", "061"), name, content(name), begin, begin + dt.timedelta(16), box=(20, 40, 31, 50))

    archive.granules[:] = [composite(n) for n in range(-20, 20)]
    plan = ssm_net.download(asked(products=["MCD43A4"], plan=True))
    assert [f.day for f in plan.wanted] == [day(n).date() for n in range(3)]


def test_static_maps_come_once_and_of_the_nearest_year(archive: LoopbackArchive, asked: Asked, tmp_path: Path) -> None:
    def water(year: int) -> Granule:
        name = f"MOD44W.A{year}001.h19v04.061.2024001000000.hdf"
        begin = dt.datetime(year, 1, 1)
        return Granule(("MOD44W", "061"), name, content(name), begin, box=(20, 40, 31, 50), size=None)

    def elevation(place: str, kind: str) -> Granule:
        name = f"ASTGTMV003_{place}_{kind}.tif"
        return Granule(("ASTGTM", "003"), name, content(name, b"II*\0"), box=(25, 45, 26, 46), checksum=None)

    archive.granules[:] = [water(y) for y in (2010, 2017, 2020)]
    archive.granules += [elevation("N45E025", "dem"), elevation("N45E025", "num")]
    ssm_net.download(asked(products=["MOD44W", "ASTGTM"]))
    static = tmp_path / "raw" / "static"
    assert names(static / "MOD44W.061") == ["MOD44W.A2017001.h19v04.061.2024001000000.hdf"]
    assert names(static / "ASTGTM.003") == ["ASTGTMV003_N45E025_dem.tif"]


def test_the_newest_version_where_none_is_asked_for(archive: LoopbackArchive, asked: Asked) -> None:
    def smap(version: str, crid: str) -> Granule:
        name = f"SMAP_L3_SM_P_20180402_{crid}_001.h5"
        return Granule(("SPL3SMP", version), name, content(name, HDF5), day(1))

    archive.granules[:] = [smap("009", "R19240"), smap("008", "R18290")]
    plan = ssm_net.download(asked(products=["SMAP"], plan=True))
    assert [f.name for f in plan.wanted] == ["SMAP_L3_SM_P_20180402_R19240_001.h5"]


def test_a_box_in_the_east_stays_in_the_range_of_the_catalog() -> None:
    west, south, east, north = _box(Domain.from_bbox("fiji", (177, -19, 179.9, -16)))
    assert -180 <= east <= 180 and -180 <= west <= 180 and -90 <= south < north <= 90
