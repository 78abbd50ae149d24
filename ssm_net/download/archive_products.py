"""The table of products that can be fetched: collections of the archives, folders of raw/, and the period of each.

Short names, versions and file names: the catalog of Earthdata (LP DAAC, GES DISC, NSIDC DAAC); the forms of names as in
``ssm_net.ingest``. From memory, since no archive could be asked: that ASTGTM delivers ``_dem.tif`` beside ``_num.tif``.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["ssm", "lst", "reflectance", "rain", "reanalysis", "water", "elevation"]

AQUA_UNTIL = dt.date(2022, 12, 31)  # its overpass has moved to 13:45 by then (ssm_net/core/platforms.py), and moves on
_TILE = r"\.A(?P<yj>\d{7})\.(?P<tile>h\d\dv\d\d)\.\d{3}\.\d{13}\."


@dataclass(frozen=True)
class Collection:
    """A collection of Earthdata, and the folder of raw/ for its files.

    ``name`` is the form of its file names: ``ymd`` or ``yj`` is their day, ``tile`` their MODIS tile; what else is in a
    group tells files of one day apart. ``version`` empty: the newest. ``whole_earth``: each file covers the Earth.
    """

    short_name: str
    version: str
    folder: str
    name: re.Pattern[str]
    first: dt.date | None = None
    last: dt.date | None = None
    whole_earth: bool = False


@dataclass(frozen=True)
class ArchiveProduct:
    """What ``products=`` names: collections that belong together, such as day and night. A collection of ``late`` gives
    the days that the others do not have yet."""

    name: str
    kind: Kind
    collections: tuple[Collection, ...] = ()
    late: tuple[Collection, ...] = ()
    cds: bool = False  # of the Climate Data Store, whose table is in ``climate_store``

    @property
    def is_static(self) -> bool:
        return self.kind in ("water", "elevation")


def _tiled(short: str, version: str, suffix: str, first: dt.date, folder: str = "") -> Collection:
    name = re.compile(rf"{short}{_TILE}{suffix}")
    return Collection(short, version, folder or f"{short}.{version}", name, first)


def _global(
    short: str, version: str, folder: str, name: str, first: dt.date, last: dt.date | None = None
) -> Collection:
    return Collection(short, version, folder, re.compile(name), first, last, whole_earth=True)


TERRA, AQUA = dt.date(2000, 2, 24), dt.date(2002, 7, 4)
SNPP, NOAA20, NOAA21 = dt.date(2012, 1, 19), dt.date(2018, 1, 5), dt.date(2023, 2, 10)


def _day_and_night(name: str, version: str, suffix: str, first: dt.date) -> ArchiveProduct:
    return ArchiveProduct(name, "lst", tuple(_tiled(f"{name}{part}", version, suffix, first) for part in "DN"))


ARCHIVE_PRODUCTS = (
    ArchiveProduct("MYD11A1", "lst", (_tiled("MYD11A1", "061", "hdf", AQUA),)),
    ArchiveProduct("MOD11A1", "lst", (_tiled("MOD11A1", "061", "hdf", TERRA),)),
    _day_and_night("MYD21A1", "061", "hdf", AQUA),
    _day_and_night("MOD21A1", "061", "hdf", TERRA),
    _day_and_night("VNP21A1", "002", "h5", SNPP),
    _day_and_night("VJ121A1", "002", "h5", NOAA20),
    _day_and_night("VJ221A1", "002", "h5", NOAA21),
    ArchiveProduct("MCD43A4", "reflectance", (_tiled("MCD43A4", "061", "hdf", TERRA),)),
    ArchiveProduct("VNP43IA4", "reflectance", (_tiled("VNP43IA4", "002", "h5", SNPP),)),
    ArchiveProduct("VNP43MA4", "reflectance", (_tiled("VNP43MA4", "002", "h5", SNPP),)),
    ArchiveProduct("LPRM", "ssm", (
        _global("LPRM_AMSRE_D_SOILM3", "002", "LPRM", r"LPRM-AMSR_?E_L3_D_SOILM3_V\d{3}_(?P<ymd>\d{8})\d{6}\.nc4?",
                dt.date(2002, 6, 19), dt.date(2011, 10, 4)),
        _global("LPRM_AMSR2_D_SOILM3", "001", "LPRM", r"LPRM-AMSR2_L3_D_SOILM3_V\d{3}_(?P<ymd>\d{8})\d{6}\.nc4?",
                dt.date(2012, 7, 2)),
    )),
    ArchiveProduct("SMAP", "ssm", (
        _global("SPL3SMP", "", "SMAP", r"SMAP_L3_SM_P_(?P<ymd>\d{8})_R\d{5}_\d{3}\.h5", dt.date(2015, 3, 31)),
    )),
    ArchiveProduct("IMERG", "rain", (
        _global("GPM_3IMERGDF", "07", "precip", r"3B-DAY\.MS\.MRG\.3IMERG\.(?P<ymd>\d{8})-S000000-E235959\.V\w+\.nc4",
                dt.date(2000, 6, 1)),
    ), late=(
        _global("GPM_3IMERGDL", "07", "precip", r"3B-DAY-L\.MS\.MRG\.3IMERG\.(?P<ymd>\d{8})-S000000-E235959\.V\w+\.nc4",
                dt.date(2000, 6, 1)),
    )),
    ArchiveProduct("MOD44W", "water", (_tiled("MOD44W", "061", "hdf", TERRA, "static/MOD44W.061"),)),
    ArchiveProduct("ASTGTM", "elevation", (
        Collection("ASTGTM", "003", "static/ASTGTM.003",
                   re.compile(r"ASTGTMV003_(?P<place>[NS]\d\d[EW]\d{3})_dem\.tif")),
    )),
    ArchiveProduct("C3S", "ssm", cds=True),
    ArchiveProduct("ERA5-Land", "reanalysis", cds=True),
)  # fmt: skip
_BY_NAME = {p.name: p for p in ARCHIVE_PRODUCTS}


def chosen_products(names: list[str], first: dt.date, last: dt.date) -> tuple[ArchiveProduct, ...]:
    """The products that ``products=`` names, ``auto`` replaced by what an Earthdata login alone gives for the days from
    ``first`` to ``last``; each once."""
    out: dict[str, ArchiveProduct] = {}
    for name in names:
        for each in automatic_products(first, last) if name == "auto" else (name,):
            out[each] = _BY_NAME[each]
    return tuple(out.values())


def automatic_products(first: dt.date, last: dt.date) -> tuple[str, ...]:
    """The names that ``auto`` stands for: Aqua to ``AQUA_UNTIL``, VIIRS after it, and both where the days are of both,
    so that one can be matched to the other."""
    aqua, viirs = first <= AQUA_UNTIL, last > AQUA_UNTIL
    imagers = (("MYD11A1", "MCD43A4") if aqua else ()) + (("VNP21A1", "VNP43MA4") if viirs else ())
    return ("LPRM", *imagers, "IMERG", "MOD44W", "ASTGTM")
