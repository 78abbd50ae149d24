"""What a file of raw/ holds: the days and the tile it is listed under, by its name where that is the archive's own and
says all, else by its content.

Opening takes long, so what was found by content is kept (``to_json``) with the size and the time of change of the file.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ssm_net.core.days import ONE_DAY, stretches
from ssm_net.core.radiometers import AMSR_RECORDS, BY_CODE
from ssm_net.ingest import eos_crop, latlon, time_axis
from ssm_net.ingest.eos_file import identity, is_crop, open_eos
from ssm_net.ingest.naming import (
    AU_LAND,
    LPRM,
    SMAP_L3,
    SMOS_IC,
    amsr_in_name,
    day_in_name,
    is_enhanced,
    period_in_name,
    radiometer_in_name,
    version_in_name,
)
from ssm_net.ingest.other_kinds import Refusal, other_kind
from ssm_net.ingest.products import Product
from ssm_net.ingest.raster import GranuleError

EOS_NAME = re.compile(r"([MV]\w{2}\d{2}\w{1,3})\.A(\d{4})([0-3]\d{2})(?:\.(h\d{2}v\d{2}))?", re.I)
CROP_NAME = re.compile(r"^([MV]\w{2}\d{2}\w{1,3})\.\d{3}_", re.I)  # as AppEEARS names them
FENGYUN = "FY-3B"  # the tile of its files: it may have observed on a day of AMSR, too


@dataclass(frozen=True)
class Holding:
    """``days`` (UTC, as the product counts them) and ``tile`` of a file, ``name`` the one that its archive gave it.

    ``refusal``: why it is left out, and the remedy; ``note``: what a user should know of it although it is used.
    """

    days: tuple[dt.date, ...] = ()
    tile: str | None = None
    name: str = ""
    refusal: Refusal | None = None
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        spans = [[str(first), str(last)] for first, last in stretches(self.days)]
        refusal = None if self.refusal is None else list(self.refusal)
        full = {"days": spans, "tile": self.tile, "name": self.name, "refusal": refusal, "note": self.note}
        return {key: value for key, value in full.items() if value}

    @classmethod
    def from_json(cls, stored: Any) -> Holding:
        """Raises ``KeyError``, ``TypeError`` or ``ValueError`` where ``stored`` is nothing of this kind."""
        spans = [(dt.date.fromisoformat(a), dt.date.fromisoformat(b)) for a, b in stored.get("days", ())]
        days = tuple(first + n * ONE_DAY for first, last in spans for n in range((last - first).days + 1))
        refusal = tuple(map(str, stored["refusal"])) if "refusal" in stored else None
        if refusal is not None and len(refusal) != 2:
            raise ValueError(f"a refusal of {len(refusal)} words")
        return cls(days, stored.get("tile"), stored.get("name", ""), refusal, stored.get("note", ""))  # type: ignore[arg-type]


def by_name(entry: Product, path: Path) -> Holding | None:
    """What a file holds as far as its name says it beyond doubt; None where it has to be opened."""
    name = path.name
    refused = other_kind(entry, name)
    if refused is not None and entry.role != "rain":  # a monthly sum of rain is better than none
        return Holding(refusal=refused)
    match = EOS_NAME.search(name) or CROP_NAME.search(name)
    if entry.family == "hdfeos":
        if match and match[1].upper() != entry.name:
            return Holding(refusal=_foreign(match[1].upper(), entry))
        return None
    day, period = day_in_name(name), period_in_name(name)
    if day is None or period != (day, day):
        return None
    if entry.family == "easegrid":
        return _nnsm(path, day)
    if entry.family == "smap":
        return _smap(path, day)
    if entry.family in ("lprm", "au_land"):
        return _amsr(entry, path, day)
    if entry.family == "smos" and SMOS_IC.search(name):
        return Holding((day, day + ONE_DAY), f"UTC {day}", name)
    if entry.family == "latlon_ssm" and "PASSIVE" in name.upper():
        return Holding((day,), None, name)
    return None


def by_content(entry: Product, path: Path) -> Holding:
    """What a file holds by its content. Raises ``GranuleError`` where it cannot be opened as a file of ``entry``."""
    if entry.family == "hdfeos":
        return _crop(entry, path) if is_crop(path) else _eos(entry, path)
    if entry.family == "smap" and path.suffix.lower() == ".h5":
        return _smap(path, _day_of_smap(path))
    if entry.family in ("lprm", "au_land", "smos"):
        what = "not named as its archive names it, so that its sensor, pass and day are not known"
        return Holding(refusal=(what, "give it the name of the archive"))
    if entry.family in ("rain", "reanalysis"):
        # Where a file of rain does not state its intervals, they may end or begin on the time stamps.
        days = latlon.days_in(path, around=1 if entry.family == "rain" else 0)
        return Holding(days, version_in_name(path.name)[0], path.name)
    with latlon.open_netcdf(path) as dataset:
        refused = other_kind(entry, path.name, dataset.attrs)
        text = f"{dataset.attrs.get('id', '')} {dataset.attrs.get('title', '')}"
        has_time = time_axis.times(path, dataset).size > 0
    if refused is not None:
        return Holding(refusal=refused)
    if not has_time:
        return _without_time(entry, path)
    days = latlon.days_in(path)
    if entry.family == "latlon_lst":
        return _cci_lst(path, days, text)
    if entry.family in ("easegrid", "smap"):
        if len(days) > 1:
            what = "many days in one file, where a file a day is read"
            return Holding(refusal=(what, "split it into files of one day, with yyyymmdd in their names"))
        return _nnsm(path, days[0]) if entry.family == "easegrid" else _smap(path, days[0])
    return Holding(days, None, path.name)


def by_broken(entry: Product, path: Path) -> Holding | None:
    """The day of a file that cannot be opened, by its name, so that preparing that day reports it; None without."""
    match = EOS_NAME.search(path.name)
    day = _eos_day(match) if entry.family == "hdfeos" else day_in_name(path.name)
    if day is None:
        return None
    tile = {"hdfeos": match and match[4] and match[4].lower(), "latlon_ssm": None}.get(entry.family, path.name)
    return Holding((day,), tile, path.name)


def _without_time(entry: Product, path: Path) -> Holding:
    day, period = day_in_name(path.name), period_in_name(path.name)
    if day is None or period != (day, day):
        what = "no single day in its name, and no time axis"
        return Holding(refusal=(what, "name it with the day that it holds, yyyymmdd or yyyyddd"))
    if entry.family == "latlon_lst":
        return _cci_lst(path, (day,), "")
    return Holding((day,), None, path.name)


def _eos(entry: Product, path: Path) -> Holding:
    """A granule of MODIS, dated by its metadata, which takes precedence over its name; or of VIIRS, whose metadata
    states other days than the archive does, so that its name counts."""
    metadata = identity(path)
    match, own = EOS_NAME.search(path.name), EOS_NAME.search(metadata.name or "")
    if metadata.short_name is not None and metadata.short_name.upper() != entry.name:
        return Holding(refusal=_foreign(metadata.short_name, entry))
    named = _eos_day(match or own)
    tile = (match and match[4]) or (own and own[4]) or metadata.tile or path.stem
    of_viirs = entry.name.startswith("V")
    day = named if (entry.centred or of_viirs) and named is not None else metadata.first or named
    if day is None:
        return Holding(refusal=("neither its name nor its metadata states its day", "give it the name of the archive"))
    if of_viirs and (lacking := _lacks_all(entry, path)) is not None:
        return Holding(refusal=lacking)
    covered = metadata.first is None or metadata.last is None or metadata.first <= day <= metadata.last
    if entry.centred and not of_viirs and not covered:
        what = "named after a day that its metadata does not cover"
        return Holding(refusal=(what, "give it the name of the archive, or download it again"))
    note = ""
    if match and named is not None and day != named:
        note = f"named after {named}, by its metadata of {day}; the metadata counts"
    elif match is None:
        note = "not named as the archive names it; known by its metadata"
    return Holding((day,), tile.lower(), path.name if match else metadata.name or path.name, note=note)


def _crop(entry: Product, path: Path) -> Holding:
    """A crop by AppEEARS or OPeNDAP, of one day or many; crops of different areas stand side by side."""
    lacking = _lacks_all(entry, path)
    if lacking is not None:
        return Holding(refusal=lacking)
    days = eos_crop.days_of(path)
    match = EOS_NAME.search(path.name)
    if not days and match is not None and (day := _eos_day(match)) is not None:
        days = (day,)
    if not days:
        what = "a crop without a time axis, and without the day in its name"
        return Holding(refusal=(what, "request it with its time axis"))
    return Holding(days, eos_crop.area_of(path), path.name)


def _lacks_all(entry: Product, path: Path) -> Refusal | None:
    """Why a file is left out that holds no layer of its product, quality layers apart; None where it holds one."""
    wanted = [layer.names for layer in entry.layers]
    with open_eos(path) as file:
        if any(file.find(names) for names in wanted) or file.find(_quality_names(entry)):
            return None
    listed = ", ".join(dict.fromkeys(names[0] for names in wanted))
    return f"holds none of {listed}", f"use collections of {entry.name} with these layers, or request them"


def _quality_names(entry: Product) -> tuple[str, ...]:
    """Of quality layers: AppEEARS delivers those of another resolution in a file of their own."""
    return tuple(name for layer in entry.layers for flag in layer.flags for name in flag.bits.layer)


def _foreign(found: str, entry: Product) -> Refusal:
    return f"a file of {found}, not of {entry.name}", f"move it to the folder {found}, if it is to be used"


def _eos_day(match: re.Match[str] | None) -> dt.date | None:
    if match is None or not 1 <= int(match[3]) <= 366:
        return None
    return dt.date(int(match[2]), 1, 1) + (int(match[3]) - 1) * ONE_DAY


def _nnsm(path: Path, day: dt.date) -> Holding:
    """A day of NNsm, of the radiometer that its name or its folder states, else of the one that flew."""
    code = radiometer_in_name(path.name) or radiometer_in_name(path.parent.name)
    flew = [n for n in (1, 2, 3) if BY_CODE[n].first <= day <= (BY_CODE[n].last or dt.date.max)]
    if code is not None and code not in flew:
        radiometer = BY_CODE[code]
        until = f"to {radiometer.last}" if radiometer.last else "on"
        what = f"named after {radiometer.name} and a day without it: it observed from {radiometer.first} {until}"
        return Holding(refusal=(what, "check the day and the sensor in its name"))
    if not flew:
        return Holding(refusal=("of a day when none of AMSR-E, AMSR2 and FY-3B flew", "check the day in its name"))
    note = "" if code or 3 != flew[0] else "no sensor in its name; FY-3B was the only one that flew"
    return Holding((day,), FENGYUN if (code or flew[0]) == 3 else None, path.name, note=note)


def _amsr(entry: Product, path: Path, day: dt.date) -> Holding | None:
    """A map of a UTC day (LPRM), or a half orbit (AU_Land, about 50 minutes), of the pass that its name states."""
    named = amsr_in_name(entry.family, path.name)
    if named is None:
        return None
    sensor, by_day = named
    radiometer = BY_CODE[AMSR_RECORDS[entry.family, sensor, by_day]]
    if not radiometer.first - ONE_DAY <= day <= (radiometer.last or dt.date.max):
        what = f"named after {sensor} and a day without it: it observed from {radiometer.first}"
        until = f" to {radiometer.last}" if radiometer.last else " on"
        return Holding(refusal=(what + until, "check the day and the sensor in its name"))
    if entry.family == "au_land":
        half = AU_LAND.search(path.name)
        days = (day - ONE_DAY, day, day + ONE_DAY)
        return Holding(days, f"{sensor} {half['start']} {half['way']}" if half else None, path.name)
    # West of 157.5 W the 13:30 of a day lies in the file of the next UTC day, east of 22.5 E the 01:30 in that before.
    match = LPRM.search(path.name)
    finer = "10 km " if match and match["fine"] else ""
    way = "by day" if by_day else "by night"
    return Holding((day - ONE_DAY, day) if by_day else (day, day + ONE_DAY), f"UTC {day} {finer}{way}", path.name)


def _smap(path: Path, day: dt.date) -> Holding:
    if re.search(SMAP_L3, path.name):  # a map of a UTC day holds the 06:00 of two local days
        return Holding((day, day + ONE_DAY), f"UTC {day}" + " 9 km" * is_enhanced(path.name), path.name)
    if not re.search(r"_L2_", path.name):
        return Holding((day,), None, path.name)
    # A half orbit (about 50 minutes) may cross local midnight: its reader keeps the cells of the day.
    half = re.search(r"_(\d{5}_[AD])_", path.name)
    tile = half.group(1) + " 9 km" * is_enhanced(path.name) if half else path.name
    return Holding((day - ONE_DAY, day, day + ONE_DAY), tile, path.name)


def _day_of_smap(path: Path) -> dt.date:
    """The day on which a SMAP HDF5 file says that its data begin."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            text = file["Metadata/Extent"].attrs["rangeBeginningDateTime"]
    except (OSError, KeyError, RuntimeError) as err:
        raise GranuleError(
            path, "no day in its name, nor in the metadata of a whole SMAP file", remedy="name it with yyyymmdd"
        ) from err
    stated = text.decode() if isinstance(text, bytes) else str(np.ravel(text)[0])
    return dt.date.fromisoformat(stated[:10])


def _cci_lst(path: Path, days: tuple[dt.date, ...], text: str) -> Holding:
    match = re.search(r"-(MODIS[AT]|[A-Z0-9_]+?)-0\.\d+deg_.*?(DAY|NIGHT)-", path.name)
    if match:
        return Holding(days, f"{match[2]} {match[1]}", path.name)
    for words in (path.name, text):
        if view := re.search(r"(?<![A-Za-z])(day|night)(?![A-Za-z])", words, re.I):
            return Holding(days, f"{view[1].upper()} {version_in_name(path.name)[0]}", path.name)
    what = "neither its name nor its content says whether it is of day or night"
    return Holding(refusal=(what, "give it the name of the archive"))
