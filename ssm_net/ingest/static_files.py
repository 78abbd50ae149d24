"""Which files below raw/static are which map: capital letters, sub-folders and tiles of elevation models are
understood, names of other variables are refused, and what no feature uses is said."""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ssm_net.cube.variables import COARSE, FINE
from ssm_net.ingest.account import Remark
from ssm_net.ingest.files_below import FoundFile, files_below

STATIC = "static"  # the folder, and the name of its remarks
SUFFIXES = (".tif", ".tiff")
USED = ("elevation", "sand", "clay", "water_fraction", "urban")  # the maps that features and masks are made of
DERIVED = {"relief": "it is derived from elevation.tif", "inside": "it is derived from domain.boundary"}
AXES = ("x", "y", "row", "col", "time", "lat", "lon", "crs")
OTHER_NAMES = {
    "elevation": ("dem", "dtm", "dsm", "altitude", "height", "topography", "terrain", "srtm", "orography"),
    "water_fraction": ("water", "occurrence", "lakes", "mod44w"),
    "urban": ("built", "ghsl", "impervious", "town"),
    "sand": ("sand",),
    "clay": ("clay",),
}
_PLACE = r"[ns]\d{2,3}(?:_00)?_?[ew]\d{3}(?:_00)?"
# Tiles of elevation models by their names: Copernicus DEM, SRTM, NASADEM, ASTER, ALOS, MERIT, FABDEM, TanDEM-X.
_DEM = re.compile(
    rf"(?:copernicus_dsm(?:_cog)?_\d\d_{_PLACE}_dem|nasadem_hgt_{_PLACE}|astgtm\w*_{_PLACE}_dem|alpsml\w+_{_PLACE}_dsm"
    rf"|tdm1_dem__\d\d_{_PLACE}_dem|{_PLACE}(?:_elv|_dem|_fabdem_v[\d-]+)?|srtm_\d\d_\d\d|{_PLACE}\.srtmgl[13])$",
    re.I,
)
# Layers that come beside an elevation: water, errors, edits, counts.
_BESIDE_DEM = re.compile(r"_(?:wbm|hem|flm|edm|acm|num|stk|msk|slope|lsm|cov|wam|com|sh?d)$", re.I)


@dataclass(frozen=True)
class StaticFiles:
    """The files of each map, one or the tiles of it, and remarks on what was left out or is in no use."""

    maps: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    remarks: tuple[Remark, ...] = ()


def find_static(raw: Path | str) -> StaticFiles:
    """The static maps of ``raw``, by name. Empty without a folder ``static``, whatever its capitals."""
    folders = sorted(p for p in Path(raw).iterdir() if p.name.lower() == STATIC and p.is_dir())
    found: list[FoundFile] = []
    remarks: list[Remark] = []
    for folder in folders:
        below, left = files_below(folder, STATIC, SUFFIXES)
        found += sorted(below, key=lambda f: (len(f.path.relative_to(folder).parts), f.path.name))
        remarks += left
    named: dict[str, list[Path]] = defaultdict(list)
    tiles: list[Path] = []
    for path in (f.path for f in found):
        if path.suffix.lower() not in SUFFIXES:
            remarks.append(_other_file(path))
        elif _DEM.search(path.stem):
            tiles.append(path)
        else:
            named[re.sub(r"[\s-]+", "_", path.stem.lower())].append(path)
    maps: dict[str, tuple[Path, ...]] = {}
    for name, (first, *others) in sorted(named.items()):
        remarks += [_left(p, f"a second map of {name}", "remove it") for p in others]
        reason = _reserved(name)
        if reason:
            remarks.append(_left(first, f"the name {name!r} is taken: {reason}", "give the map another name"))
            continue
        key = name if name in USED else first.stem
        maps[key] = (first,)
        if name not in USED:
            remarks.append(_in_no_use(first, name))
    if tiles and "elevation" in maps:
        remarks += [_left(p, "a tile of elevation beside elevation.tif", "remove one of the two") for p in tiles]
    elif tiles:
        maps["elevation"] = tuple(tiles)
        remarks += [
            Remark(STATIC, "a tile of elevation, taken as a part of it", p.name, left_out=False, expected=True)
            for p in tiles
        ]
    return StaticFiles(maps, tuple(remarks))


def _reserved(name: str) -> str:
    """Why no map can have this name; empty where it can."""
    if name in FINE or name in COARSE:
        return "it is a variable of each day"
    if name in AXES:
        return "it is an axis of the grid"
    return DERIVED.get(name, "")


def _in_no_use(path: Path, name: str) -> Remark:
    parts = set(name.split("_")) | {name}
    likely = next((key for key, words in OTHER_NAMES.items() if parts & set(words)), None)
    likely = likely or next(iter(difflib.get_close_matches(name, USED, 1, 0.8)), None)
    if _BESIDE_DEM.search(path.stem):
        return Remark(STATIC, "stored, and used by no feature", path.name, left_out=False, expected=True)
    remedy = f"if it is the map of {likely}, name it {likely}.tif" if likely else f"maps in use are {', '.join(USED)}"
    return Remark(STATIC, "stored, and used by no feature", path.name, remedy=remedy, left_out=False)


def _left(path: Path, what: str, remedy: str) -> Remark:
    return Remark(STATIC, what, path.name, remedy=remedy)


def _other_file(path: Path) -> Remark:
    maps = (".nc", ".vrt", ".img", ".asc", ".hgt", ".bil", ".hdf", ".grd", ".jp2", ".zip", ".gz", ".tar", ".rar", ".7z")
    if path.suffix.lower() in maps:
        return _left(path, "no GeoTIFF", "make a GeoTIFF of it (gdal_translate)")
    return Remark(STATIC, "beside the maps", path.name, left_out=False, expected=True)
