"""The catalog of raw/: for each product and day, the granules (files) that hold it, and what is left out and why."""

from __future__ import annotations

import datetime as dt
import difflib
import logging
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from ssm_net.core.reading_mark import ENDS, REMEDY, ReadingMark
from ssm_net.errors import SsmNetError
from ssm_net.ingest.account import Account, Found, Remark
from ssm_net.ingest.files_below import FoundFile, files_below
from ssm_net.ingest.holdings import EOS_NAME, Holding, by_broken, by_content, by_name
from ssm_net.ingest.naming import version_in_name
from ssm_net.ingest.other_kinds import other_kind
from ssm_net.ingest.products import PRODUCTS, Product, product
from ssm_net.ingest.raster import GranuleError, naming_damage
from ssm_net.ingest.reach import Days, may_hold

log = logging.getLogger(__name__)

OTHERS = ("static", "ismn")  # folders of raw/ with readers of their own and no days; Zarr stores are ignored, too
BESIDE = (".xml", ".met", ".cmr", ".md5", ".sha256", ".sha512", ".txt", ".csv", ".json", ".html", ".pdf", ".jpg",
          ".jpeg", ".png", ".prm", ".dmrpp", ".idx", ".ncml")  # put beside granules  # fmt: skip
PACKED = (".gz", ".zip", ".bz2", ".xz", ".zst", ".7z", ".tar", ".tgz")
UNFINISHED = (".part", ".tmp", ".crdownload", ".download", ".filepart", ".aria2", ".partial")


class RawFolderError(SsmNetError):
    """The folder of raw granules cannot be used."""


@dataclass(frozen=True)
class Granule:
    """One file that holds one day of one product.

    ``product`` is a name in the table of products; ``tile`` distinguishes the files of one day: the MODIS tile, DAY or
    NIGHT of ESA CCI LST, the half orbit of SMAP L2, the satellite of NNsm. ``older``: earlier versions of the file,
    the newest first, for the case that it cannot be read.
    """

    product: str
    path: Path
    day: dt.date
    tile: str | None = None
    older: tuple[Path, ...] = ()


Catalog = dict[str, dict[dt.date, tuple[Granule, ...]]]
Known = dict[str, tuple[int, int, Holding]]  # path below raw/ -> size, time of change, and what the file holds


@dataclass(frozen=True)
class RawFiles:
    """The files of ``raw``, by product, as its folders were once walked through.

    ``known`` is what files held when they were opened: it is used where size and time of change are the same, and
    added to whenever a file is opened. The ``mark`` names the file that is being opened.
    """

    raw: Path
    files: Mapping[str, Sequence[FoundFile]]
    remarks: tuple[Remark, ...]
    known: Known = field(default_factory=dict)
    mark: ReadingMark = field(default_factory=ReadingMark)

    def catalog(self, days: Days | None = None, only: Collection[str] | None = None) -> tuple[Catalog, Account]:
        """Product name (as in the table of products, without a version) -> day -> its granules, ordered by tile; and
        the account of what was found and left out.

        MODIS files are dated by their metadata, which takes precedence over the name, files of rain, reanalysis and
        ESA CCI LST by their time axis. Only files that may hold days within ``days`` (first and last, both included)
        are opened for it, all where None. A SMAP half orbit is listed under every day whose night it may hold. With
        ``only``, just these products are listed. Of several versions of a file the newest that can be opened counts.
        """
        catalog: Catalog = {}
        found, remarks = {}, [*self.remarks]
        for name, files in self.files.items():
            if only is not None and name not in only:
                continue
            listed = list(self._listed(_known_product(name), files, days, remarks))
            by_day = dict(sorted(_newest(name, listed, remarks).items()))
            if by_day:
                catalog[name] = by_day
            used = {g.path for granules in by_day.values() for g in granules}
            found[name] = Found(len({*used, *(p for gs in by_day.values() for g in gs for p in g.older)}), len(by_day))
        return catalog, Account(found).with_remarks(remarks)

    def near(self, days: Days) -> RawFiles:
        """Those that may hold days within ``days`` (first and last), by what their names say; no file is opened."""
        near = {name: list(may_hold(_known_product(name), files, days)) for name, files in self.files.items()}
        return replace(self, files={name: files for name, files in near.items() if files})

    def without(self, gone: Collection[Path]) -> RawFiles:
        """Those that are left when the files at the paths ``gone`` are deleted."""
        left = {name: [f for f in files if f.path not in gone] for name, files in self.files.items()}
        return replace(self, files={name: files for name, files in left.items() if files})

    def open(self, entry: Product, file: FoundFile) -> Holding:
        """What a file holds, by its name or from ``known`` where possible. Raises ``GranuleError``."""
        named = by_name(entry, file.path)
        if named is not None:
            return named
        key = str(file.path.relative_to(self.raw))
        size, changed, holding = self.known.get(key, (-1, -1, Holding()))
        if (size, changed) != (file.size, file.changed):
            if file.path in self.mark.fatal:
                return Holding(refusal=(ENDS, REMEDY))
            with naming_damage(file.path), self.mark.over([file.path]):
                holding = by_content(entry, file.path)
            self.known[key] = file.size, file.changed, holding
        return holding

    def _listed(
        self, entry: Product, files: Sequence[FoundFile], days: Days | None, remarks: list[Remark]
    ) -> Iterator[tuple[Granule, _Age]]:
        """A granule for each day within ``days`` that a file is listed under, with its age."""
        for file in may_hold(entry, files, days):
            whole = True
            try:
                holding = self.open(entry, file)
            except GranuleError as err:
                broken = by_broken(entry, file.path)
                if broken is None:
                    remarks.append(Remark(entry.name, err.what, file.path.name, remedy=err.remedy))
                    continue
                # It stays listed under the day of its name, so that preparing that day reports it.
                remarks.append(Remark(entry.name, err.what, file.path.name, remedy=err.remedy, expected=True))
                holding, whole = broken, False
            if holding.refusal is not None:
                what, remedy = holding.refusal
                remarks.append(Remark(entry.name, what, file.path.name, remedy=remedy))
                continue
            if holding.note:
                remarks.append(Remark(entry.name, holding.note, file.path.name, left_out=False))
            age = _age(holding.name, whole, file)
            for day in holding.days:
                if days is None or days[0] <= day <= days[1]:
                    yield Granule(entry.name, file.path, day, holding.tile), age


def find_files(raw: Path | str, known: Known | None = None, mark: Path | None = None) -> RawFiles:
    """The files of ``raw``, all folders walked through once, links followed; ``known`` as ``RawFiles`` has it, its
    mark at the path ``mark``.

    Raises ``RawFolderError`` where ``raw`` is not a folder.
    """
    raw = Path(raw)
    if not raw.is_dir():
        raise RawFolderError(f"raw={raw} is not a folder; give the folder that holds one folder for each product")
    files: dict[str, list[FoundFile]] = {}
    remarks: list[Remark] = []
    loose: list[Path] = []
    for path in sorted(p for p in raw.iterdir() if not p.name.startswith(".")):
        if not path.is_dir():
            loose.append(path)
            continue
        entry = product(path.name)
        if entry is None:
            if path.name.lower() not in OTHERS and path.suffix != ".zarr":
                remarks.append(_unknown_folder(path.name))
            continue
        below, left = files_below(path, entry.name, entry.suffixes)
        remarks += left
        files.setdefault(entry.name, []).extend(_of_product(entry, below, remarks))
    remarks += [_loose(path) for path in loose]
    if known:
        there = {str(f.path.relative_to(raw)) for of_product in files.values() for f in of_product}
        known = {key: value for key, value in known.items() if key in there}
    by_product = {p.name: files[p.name] for p in PRODUCTS if p.name in files}
    return RawFiles(raw, by_product, tuple(remarks), known or {}, ReadingMark.at(mark, partial(_open, raw)))


def _open(raw: Path, path: Path) -> None:
    """Open a file as that of the product in whose folder it lies."""
    by_content(_known_product(path.relative_to(raw).parts[0]), path)


def list_granules(raw: Path, days: Days | None = None, only: Collection[str] | None = None) -> Catalog:
    """The catalog of ``raw`` as ``RawFiles.catalog`` gives it, its account logged. Raises ``RawFolderError``."""
    catalog, account = find_files(raw).catalog(days, only)
    for warning in account.warnings():
        log.warning("%s", warning)
    for line in account.lines():
        log.info("%s", line)
    return catalog


_Age = tuple[bool, tuple[tuple[int, ...], str], tuple[int, ...], int]


def _age(name: str, whole: bool, file: FoundFile) -> _Age:
    """A key that sorts versions of a file: whole ones after broken ones, then by version, by the other numbers in the
    name (the time of production) and by the time of change."""
    match = EOS_NAME.search(name)
    version = ((), "") if match else version_in_name(name)[1]
    numbers = tuple(int(n) for n in re.findall(r"\d+", name[match.start() if match else 0 :]))
    final = int("TCDR" in name)  # C3S: a climate record replaces the interim one
    return whole, version, (final, *numbers), file.changed


def _newest(
    name: str, listed: Sequence[tuple[Granule, _Age]], remarks: list[Remark]
) -> dict[dt.date, tuple[Granule, ...]]:
    """Of each day and tile the newest version, with the older ones behind it; monthly sums only where a day has
    nothing else."""
    versions: dict[tuple[dt.date, str], list[tuple[_Age, Granule]]] = defaultdict(list)
    entry = _known_product(name)
    for granule, age in listed:
        versions[granule.day, granule.tile or ""].append((age, granule))
    out: dict[dt.date, list[Granule]] = defaultdict(list)
    for (day, _tile), candidates in sorted(versions.items(), key=lambda item: item[0]):
        (age, newest), *others = sorted(candidates, key=lambda c: c[0], reverse=True)
        for (whole, *_), other in others:
            remarks.append(_second(name, other, newest, usable=whole or not age[0]))
        older_whole = tuple(g.path for older_age, g in others if older_age[0])
        out[day].append(replace(newest, older=older_whole) if older_whole else newest)
    for day, granules in out.items():
        monthly = [g for g in granules if other_kind(entry, g.path.name) is not None]
        if monthly and len(monthly) < len(granules):
            out[day] = [g for g in granules if g not in monthly]
            what = "a sum of a month or of ten days among files of days or hours"
            remarks += [Remark(name, what, g.path.name, remedy="take these out of the folder") for g in monthly]
    return {day: tuple(granules) for day, granules in out.items()}


def _second(name: str, other: Granule, counts: Granule, usable: bool) -> Remark:
    both = f"{other.path.name} beside {counts.path.name}"
    if not usable:
        what = "newer than the one that counts, and cannot be opened"
        return Remark(name, what, both, remedy="download it again, or remove it")
    what = "a second file of one tile and day, where another one is newer and counts"
    return Remark(name, what, both, remedy="remove the older one")


def _of_product(entry: Product, below: Sequence[FoundFile], remarks: list[Remark]) -> Iterator[FoundFile]:
    """The files with a suffix of the product."""
    for file in below:
        suffix = file.path.suffix.lower()
        if suffix in entry.suffixes:
            yield file
            continue
        wanted = " ".join(entry.suffixes)
        if suffix in BESIDE:
            remarks.append(Remark(entry.name, "beside the granules", file.path.name, left_out=False, expected=True))
        elif suffix in PACKED:
            remarks.append(Remark(entry.name, f"packed ({suffix})", file.path.name, remedy="unpack it here"))
        elif suffix in UNFINISHED:
            what = f"an unfinished download ({suffix})"
            remarks.append(Remark(entry.name, what, file.path.name, remedy="finish the download, or remove it"))
        else:
            what = f"no file of this product ({wanted})"
            remarks.append(Remark(entry.name, what, file.path.name, remedy="take it out of the folder"))


def _unknown_folder(name: str) -> Remark:
    names = {n.lower(): n for p in PRODUCTS for n in (p.name, *p.aliases)} | {n: n for n in OTHERS}
    names |= dict.fromkeys(("rain", "rainfall", "imerg", "gpm", "chirps", "cmfd"), "precip")
    names["modis"] = ""  # the folder of no one product, and not SMOS
    near = difflib.get_close_matches(re.sub(r"[._-]v?\d{3}$", "", name.lower()), names, 1, 0.6)
    hint = f"did you mean {names[near[0]]}?" if near and names[near[0]] else "docs/formats.md lists the folders"
    return Remark(name, "no product of this name is known", name, things="folders", remedy=hint)


def _loose(path: Path) -> Remark:
    """Of a file that lies in raw/ itself, or a link there that leads nowhere."""
    if path.is_symlink() and not path.exists():
        entry = product(path.name)
        what = "a link to a folder that is not there, or in a circle"
        remedy = "mount the disk or archive that it leads to, or remove it"
        return Remark(entry.name if entry else "raw", what, path.name, things="links", remedy=remedy)
    if path.suffix.lower() in BESIDE:
        return Remark("raw", "beside the folders", path.name, left_out=False, expected=True)
    return Remark("raw", "in no folder of a product", path.name, remedy="move it into the folder of its product")


def _known_product(name: str) -> Product:
    entry = product(name)
    assert entry is not None
    return entry
