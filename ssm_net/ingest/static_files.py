"""Which files below raw/static are which map: single maps by their names, tiles by the product whose names they bear or
by the folder of a map that they lie in. Names of other variables are refused, and what no feature uses is said."""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ssm_net.cube.variables import COARSE, FINE
from ssm_net.ingest.account import Remark
from ssm_net.ingest.files_below import FoundFile, files_below
from ssm_net.ingest.raster import GranuleError
from ssm_net.ingest.static_products import (
    PLAIN,
    STATIC_PRODUCTS,
    Known,
    is_beside,
    known_by_folder,
    known_by_name,
    map_of_folder,
)
from ssm_net.ingest.static_tiles import StaticTile, members_of

STATIC = "static"  # the folder, and the name of its remarks
SUFFIXES = (".tif", ".tiff")
TILES = (*SUFFIXES, ".hgt")  # what a tile may be, also inside a zip archive
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
OWN = "tiles"  # the source of a map whose folder tells no product


@dataclass(frozen=True)
class StaticMap:
    """The files of one map: one map of its name (``source`` empty), or the tiles of ``source``, those that go before
    others first."""

    tiles: tuple[StaticTile, ...]
    source: str = ""


@dataclass(frozen=True)
class StaticFiles:
    """The files of each map, one or the tiles of it, and remarks on what was left out or is in no use."""

    maps: Mapping[str, StaticMap] = field(default_factory=dict)
    remarks: tuple[Remark, ...] = ()


def find_static(raw: Path | str) -> StaticFiles:
    """The static maps of ``raw``, by name. Empty without a folder ``static``, whatever its capitals.

    A damaged zip archive is no reason to fail here: it is a tile that cannot be read.
    """
    folders = sorted(p for p in Path(raw).iterdir() if p.name.lower() == STATIC and p.is_dir())
    remarks: list[Remark] = []
    single: dict[str, list[Path]] = defaultdict(list)
    tiles: dict[str, dict[str, list[_Candidate]]] = defaultdict(lambda: defaultdict(list))
    for folder in folders:
        below, left = files_below(folder, STATIC, TILES)
        remarks += left
        for found in sorted(below, key=lambda f: (len(f.path.relative_to(folder).parts), f.path.name)):
            for one in _kinds(found, folder):
                if isinstance(one, Remark):
                    remarks.append(one)
                elif isinstance(one, str):
                    single[one].append(found.path)
                else:
                    tiles[one.map][one.source].append(one)
    maps, of_single = _single_maps(single)
    remarks += of_single
    for name, sources in sorted(tiles.items()):
        chosen, of_tiles = _chosen(name, sources, name in maps)
        remarks += of_tiles
        if chosen is not None:
            maps[name] = chosen
    return StaticFiles(maps, tuple(remarks))


@dataclass(frozen=True)
class _Candidate:
    """A tile of a map of a ``source``: a product, or ``OWN``; ``depth`` in cm where the product has several."""

    map: str
    source: str
    tile: StaticTile
    depth: float = 0.0
    shared: bool = False  # the file gives another map as well


def _kinds(found: FoundFile, top: Path) -> Iterator[_Candidate | Remark | str]:
    """What a file is: the tiles of maps, the name of a single map, or the reason why it is none."""
    path, suffix = found.path, found.path.suffix.lower()
    folders = path.relative_to(top).parts[:-1][::-1]
    if suffix == ".zip" and (yielded := list(_in_archive(path, folders))):
        yield from yielded
    elif suffix in SUFFIXES or (suffix in (".hdf", ".hgt") and known_by_name(path.stem)):
        yield from _tile_or_map(path, path.stem, "", folders)
    else:
        yield _other_file(path)


def _in_archive(path: Path, folders: Sequence[str]) -> Iterator[_Candidate | Remark]:
    """The tiles in a zip archive; that itself where it is damaged and bears the name of one."""
    try:
        names = members_of(path)
    except GranuleError:
        names = [path.stem + TILES[0]]
    for name in names:
        inside = Path(name)
        if inside.suffix.lower() not in TILES or is_beside(inside.stem):
            continue
        outer = known_by_name(path.name.lower().removesuffix(".zip").removesuffix(".hgt"))
        if outer is None and known_by_name(inside.stem) is None and not any(map(map_of_folder, folders)):
            continue
        yield from (one for one in _tile_or_map(path, inside.stem, name, folders, outer) if not isinstance(one, str))


def _tile_or_map(
    path: Path, stem: str, member: str, folders: Sequence[str], known: Known | None = None
) -> Iterator[_Candidate | Remark | str]:
    plain = re.sub(r"[\s-]+", "_", stem.lower())
    if is_beside(stem):
        yield Remark(STATIC, "beside the tiles of a map, and no map of it", path.name, left_out=False, expected=True)
        return
    known = known or known_by_name(stem) or next(filter(None, map(known_by_folder, folders)), None)
    if known is not None:
        for name, meaning in known.gives.items():
            tile = StaticTile(path, meaning, member, known.edition)
            yield _Candidate(name, known.product.name, tile, known.depth, len(known.gives) > 1)
    elif plain not in USED and (name := next(filter(None, map(map_of_folder, folders)), "")):
        yield _Candidate(name, OWN, StaticTile(path, PLAIN, member))
    else:
        yield plain


def _single_maps(named: Mapping[str, Sequence[Path]]) -> tuple[dict[str, StaticMap], list[Remark]]:
    """The maps that are one file each, by name, and remarks on those left out or in no use."""
    maps: dict[str, StaticMap] = {}
    remarks = []
    for name, (first, *others) in sorted(named.items()):
        remarks += [_left(p, f"a second map of {name}", "remove it") for p in others]
        if reason := _reserved(name):
            remarks.append(_left(first, f"the name {name!r} is taken: {reason}", "give the map another name"))
            continue
        maps[name if name in USED else first.stem] = StaticMap((StaticTile(first),))
        if name not in USED:
            remarks.append(_in_no_use(first, name))
    return maps, remarks


def _chosen(
    name: str, sources: Mapping[str, Sequence[_Candidate]], single: bool
) -> tuple[StaticMap | None, list[Remark]]:
    """The tiles that a map is made of, of one source and depth, and remarks on the others; None where a ``single``
    file is the map."""
    order = [OWN, *(product.name for product in STATIC_PRODUCTS)]
    first, *others = sorted(sources, key=order.index)
    if single:
        words = f"a tile of {name} beside {name}.tif", "remove one of the two"
        return None, [_left_tile(one, *words) for source in (first, *others) for one in sources[source]]
    words = f"another source of {name}, which is made of {first}", "remove the one that you do not want"
    remarks = [_left_tile(one, *words) for source in others for one in sources[source]]
    candidates = sources[first]
    depth = min(one.depth for one in candidates)
    remarks += [Remark(STATIC, f"{name} of a greater depth than {depth:g} cm", one.tile.path.name, expected=True)
                for one in candidates if one.depth > depth]  # fmt: skip
    taken = [one.tile for one in candidates if one.depth == depth]
    return StaticMap(tuple(sorted(taken, key=lambda tile: -tile.edition)), first), remarks


def _left_tile(one: _Candidate, what: str, remedy: str) -> Remark:
    return Remark(STATIC, what, one.tile.path.name, remedy=remedy, left_out=not one.shared, expected=one.shared)


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
    remedy = f"if it is the map of {likely}, name it {likely}.tif" if likely else f"maps in use are {', '.join(USED)}"
    return Remark(STATIC, "stored, and used by no feature", path.name, remedy=remedy, left_out=False)


def _left(path: Path, what: str, remedy: str) -> Remark:
    return Remark(STATIC, what, path.name, remedy=remedy)


def _other_file(path: Path) -> Remark:
    suffix = path.suffix.lower()
    if suffix == ".hgt":
        return _left(path, "its name does not tell its corner", "give it its archive's name (N30E100.hgt)")
    if suffix == ".vrt":  # it may name any file, and any address
        return _left(path, "a list of files, which is not followed", "put the tiles there that it lists")
    if suffix in (".zip", ".gz", ".tar", ".tgz", ".rar", ".7z", ".bz2", ".xz"):
        return _left(path, "an archive without tiles of a known product", "unpack it")
    if suffix in (".nc", ".img", ".asc", ".bil", ".hdf", ".h5", ".grd", ".jp2"):
        return _left(path, "no GeoTIFF", "make a GeoTIFF of it (gdal_translate)")
    return Remark(STATIC, "beside the maps", path.name, left_out=False, expected=True)
