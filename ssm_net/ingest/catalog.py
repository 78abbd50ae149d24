"""The catalog of raw/: for each product and day, the granules (files) that hold it."""

from __future__ import annotations

import datetime as dt
import logging
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from ssm_net.core.days import ONE_DAY
from ssm_net.errors import SsmNetError
from ssm_net.ingest import latlon
from ssm_net.ingest.checksums import is_beside_a_granule
from ssm_net.ingest.eos_metadata import identity
from ssm_net.ingest.naming import day_in_name, is_fengyun
from ssm_net.ingest.products import Product, product
from ssm_net.ingest.raster import GranuleError, may_be_of_a_file

log = logging.getLogger(__name__)

OTHERS = ("static", "ismn")  # folders of raw/ with readers of their own and no days; Zarr stores are ignored, too
MONTH = dt.timedelta(days=40)  # a rain file may hold a month and be named after its first or last day
EOS_NAME = re.compile(r"(M\w{2}\d{2}\w{1,3})\.A(\d{4})([0-3]\d{2})(?:\.(h\d{2}v\d{2}))?", re.I)


class RawFolderError(SsmNetError):
    """The folder of raw granules cannot be used."""


@dataclass(frozen=True)
class Granule:
    """One file that holds one day of one product.

    ``product`` is a name in the table of products; ``tile`` distinguishes the files of one day: the MODIS tile, DAY or
    NIGHT of ESA CCI LST, the half orbit of SMAP L2, the satellite of NNsm.
    """

    product: str
    path: Path
    day: dt.date
    tile: str | None = None


Catalog = dict[str, dict[dt.date, tuple[Granule, ...]]]


def list_granules(
    raw: Path, days: tuple[dt.date, dt.date] | None = None, only: Collection[str] | None = None
) -> Catalog:
    """Product name (as in the table of products, without a version) -> day -> its granules, ordered by tile.

    MODIS files are dated by their metadata, which takes precedence over the name; only those within ``days`` (first and
    last, both included) are opened for it, all where None. A SMAP half orbit is listed under every day whose night it
    may hold. With ``only``, just these products are listed. Unknown folders and files, and all but the newest of
    several files of one tile and day, are skipped and logged by name.

    Raises ``RawFolderError`` where ``raw`` is not a folder.
    """
    raw = Path(raw)
    if not raw.is_dir():
        raise RawFolderError(f"raw={raw} is not a folder; give the folder that holds one folder for each product")
    best: dict[tuple[str, dt.date, str | None], Granule] = {}
    for folder in sorted(p for p in raw.iterdir() if p.is_dir() and not p.name.startswith(".")):
        entry = product(folder.name)
        if entry is None:
            if folder.name not in OTHERS and folder.suffix != ".zarr":
                log.warning("%s: no product of this name is known; the folder is skipped", folder)
            continue
        if only is not None and entry.name not in only:
            continue
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            for granule in granules_of(entry, path, days):
                if days is not None and not days[0] <= granule.day <= days[1]:
                    continue
                key = (granule.product, granule.day, granule.tile)
                best[key] = _newest(best[key], granule) if key in best else granule
    out: Catalog = {}
    for name, day, _tile in sorted(best, key=lambda k: (k[0], k[1], k[2] or "")):
        by_day = out.setdefault(name, {})
        by_day[day] = (*by_day.get(day, ()), best[name, day, _tile])
    return out


def granules_of(entry: Product, path: Path, days: tuple[dt.date, dt.date] | None = None) -> Iterator[Granule]:
    """A granule for each day that a file is listed under; none, with the reason logged, where it is not of the product.

    With ``days`` (first and last), files named after other days are not opened.
    """
    if is_beside_a_granule(path):
        return
    if path.suffix.lower() not in entry.suffixes or path.name.startswith("."):
        log.warning("%s: not a file of %s (%s); skipped", path, entry.name, " ".join(entry.suffixes))
        return
    try:
        if entry.family == "hdfeos":
            yield from _eos(entry, path, days)
        elif entry.family == "latlon_lst":  # the day in the name is the day of processing
            for day in latlon.days_in(path):
                yield Granule(entry.name, path, day, _cci_tile(path))
        elif entry.family in ("rain", "reanalysis"):
            named = day_in_name(path.name)
            if days is not None and named is not None and not days[0] - MONTH <= named <= days[1] + MONTH:
                return
            for day in latlon.days_in(path):
                yield Granule(entry.name, path, day, path.name)
        else:
            named = day_in_name(path.name)
            if named is None:
                log.warning("%s: no day in its name; name it with yyyymmdd or yyyyddd; skipped", path)
            elif re.search(r"_L2_", path.name):
                # A half orbit (about 50 minutes) may cross local midnight: its reader keeps the cells of the day.
                half = re.search(r"_(\d{5}_[AD])_", path.name)
                for near in (named - ONE_DAY, named, named + ONE_DAY):
                    yield Granule(entry.name, path, near, half.group(1) if half else path.name)
            else:
                yield Granule(entry.name, path, named, "FY-3B" if is_fengyun(path.name) else None)
    except GranuleError as err:
        log.error("%s", err)
    except Exception as err:
        if not may_be_of_a_file(err):
            raise
        log.error("%s", GranuleError(path, f"it cannot be read ({type(err).__name__}: {err})"))


def _eos(entry: Product, path: Path, days: tuple[dt.date, dt.date] | None) -> Iterator[Granule]:
    """The granule of a MODIS file, dated by its metadata. Raises ``GranuleError`` where that contradicts itself."""
    match = EOS_NAME.search(path.name)
    named = _eos_day(match)
    if match and match[1].upper() != entry.name:
        log.warning("%s: a file of %s among %s; skipped, move it to its own folder", path, match[1], entry.name)
        return
    if named is not None and days is not None and not days[0] - ONE_DAY <= named <= days[1] + ONE_DAY:
        return
    try:
        metadata = identity(path)
    except GranuleError as err:
        if named is None:
            raise
        # It stays listed under the day of its name, so that preparing that day reports it.
        log.error("%s", err)
        yield Granule(entry.name, path, named, match[4] if match else None)
        return
    own = EOS_NAME.search(metadata.name or "")
    if match is None:
        if metadata.short_name is not None and metadata.short_name != entry.name:
            raise GranuleError(
                path, f"holds {metadata.short_name}, not {entry.name}", remedy="move it to its own folder"
            )
        named = _eos_day(own)
        log.info("%s: renamed file, by its metadata %s", path, metadata.name or metadata.first)
    tile = (match and match[4]) or (own and own[4]) or metadata.tile or path.stem
    day = named if entry.centred and named is not None else metadata.first or named
    if day is None:
        raise GranuleError(path, "neither its name nor its metadata states its day")
    if named is not None and day != named:
        log.warning("%s: named after %s, by its metadata of %s; the metadata counts", path, named, day)
    if entry.centred and metadata.first and metadata.last and not metadata.first <= day <= metadata.last:
        raise GranuleError(path, f"its metadata covers {metadata.first} to {metadata.last} only", day=day)
    yield Granule(entry.name, path, day, tile.lower())


def _eos_day(match: re.Match[str] | None) -> dt.date | None:
    return dt.date(int(match[2]), 1, 1) + (int(match[3]) - 1) * ONE_DAY if match else None


def _newest(one: Granule, other: Granule) -> Granule:
    """The file of the later version and production time, by the numbers in the file names."""
    kept, dropped = sorted((one, other), key=lambda g: [int(n) for n in re.findall(r"\d+", g.path.name)], reverse=True)
    log.warning(
        "%s: a second file of %s, day %s, tile %s; %s is newer and counts; remove the older one",
        dropped.path, kept.product, kept.day, kept.tile, kept.path.name,
    )  # fmt: skip
    return kept


def _cci_tile(path: Path) -> str:
    match = re.search(r"-(MODIS[AT]|[A-Z0-9_]+?)-0\.\d+deg_.*?(DAY|NIGHT)-", path.name)
    return f"{match[2]} {match[1]}" if match else path.name
