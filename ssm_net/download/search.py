"""The search in the catalog of Earthdata (CMR): which files of a product the archives hold for a domain and days."""

from __future__ import annotations

import datetime as dt
import math
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from ssm_net.core.days import ONE_DAY
from ssm_net.download.archive_products import ArchiveProduct, Collection
from ssm_net.download.archive_session import ArchiveSession, Patience
from ssm_net.download.errors import DownloadError, FileError
from ssm_net.grid import Domain
from ssm_net.ingest.modis_tiles import tile_names

UNITS = {"B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}
WIDEST = 8  # days from the middle of a composite to its end: the catalog lists MCD43 by its 16 days
MOST = 1_000_000  # files of one search


@dataclass(frozen=True)
class RemoteFile:
    """A file of an archive: its ``name`` and ``day`` (None of a static map), the folder of raw/ for it, its address.

    ``size`` in bytes and ``checksum`` (algorithm and value) are None where the catalog does not state them; ``about``
    is its size as far as is known, bytes. ``version`` is that of its collection, ``key`` tells files of one day apart.
    """

    product: str
    folder: str
    name: str
    day: dt.date | None
    url: str
    size: int | None = None
    about: float = 0.0
    checksum: tuple[str, str] | None = None
    version: str = ""
    key: str = ""


class Catalogue:
    """The search service, asked with patience; ``unusable`` counts the entries it gave that cannot be used, by why."""

    def __init__(self, session: ArchiveSession, patience: Patience) -> None:
        self.session, self.patience = session, patience
        self.unusable: dict[str, int] = {}

    def get(self, url: str, headers: Any = None, params: Any = None) -> Any:
        """An answer of the service, for earthaccess."""
        return self.patience.over(lambda: self.session.get(url, headers=headers, params=params))

    def files(self, product: ArchiveProduct, days: tuple[dt.date, dt.date], domain: Domain) -> list[RemoteFile]:
        """The files of ``product`` that hold a day of ``days`` (first and last) in ``domain``, ordered by day; each
        once, in its newest version. Days of static maps do not count, but for the year of the water map.

        Raises ``DownloadError`` where the service does not answer as it should.
        """
        found = [file for collection in product.collections for file in self._of(product, collection, days, domain)]
        have = {file.day for file in found}
        for collection in product.late:
            found += [file for file in self._of(product, collection, days, domain) if file.day not in have]
        if product.is_static:
            found = _nearest_year(found, days[0])
        return sorted(_newest(found), key=lambda file: (file.day or dt.date.min, file.folder, file.name))

    def _of(
        self, product: ArchiveProduct, collection: Collection, days: tuple[dt.date, dt.date], domain: Domain
    ) -> Iterator[RemoteFile]:
        first = days[0] if collection.first is None else max(days[0], collection.first)
        last = days[1] if collection.last is None else min(days[1], collection.last)
        if first > last and not product.is_static:
            return
        tiles = tile_names(domain) if "tile" in collection.name.groupindex else None
        span = None if product.is_static else (first - WIDEST * ONE_DAY, last + WIDEST * ONE_DAY)
        for entry in self._entries(collection, span, domain):
            file = self._file(product, collection, entry)
            if file is None or (tiles is not None and file.key not in tiles):
                continue
            if product.is_static or (file.day is not None and first <= file.day <= last):
                yield file

    def _entries(self, collection: Collection, span: tuple[dt.date, dt.date] | None, domain: Domain) -> Sequence[Any]:
        """Entries of the catalog in UMM-G (https://cdn.earthdata.nasa.gov/umm/granule)."""
        from earthaccess.search import DataGranules

        query: Any = DataGranules()
        query.mode(self.session.cfg.cmr.rstrip("/") + "/")
        query.session = self
        query.short_name(collection.short_name)
        if collection.version:
            query.version(collection.version)
        if span is not None:
            query.temporal(*span)
        if not collection.whole_earth:
            query.bounding_box(*_box(domain))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # earthaccess warns of its own methods
                return query.get(MOST)
        except FileError as err:
            raise DownloadError(f"the search for {collection.short_name} failed: {err}") from err
        except (ValueError, KeyError, TypeError) as err:
            raise DownloadError(
                f"the search service {self.session.cfg.cmr} does not answer as a catalog does ({type(err).__name__}): "
                "see https://status.earthdata.nasa.gov, or mend earthdata.cmr="
            ) from err

    def _file(self, product: ArchiveProduct, collection: Collection, entry: Any) -> RemoteFile | None:
        """The file of an entry; None, and counted, where it gives no name of the product's form or no address."""
        try:
            umm = entry["umm"]
            links = [str(link["URL"]) for link in umm.get("RelatedUrls", ()) if link.get("Type") == "GET DATA"]
            addresses = [urlsplit(url) for url in links]
            stated = list(_stated(umm.get("DataGranule", {}).get("ArchiveAndDistributionInformation", ())))
            version = str(umm.get("CollectionReference", {}).get("Version", ""))
        except (KeyError, TypeError, AttributeError, ValueError):  # ValueError: a link that is no address
            self._unusable(f"{product.name}: an entry that is not of the form UMM-G")
            return None
        for url, address in zip(links, addresses, strict=True):
            name = unquote(address.path).rpartition("/")[2]
            match = collection.name.fullmatch(name)
            if match is None or address.scheme not in ("https", "http"):
                continue
            info = _of_name(name, stated, only=len(links) == 1)
            size, about = _size(info)
            groups = match.groupdict()
            key, day = groups.get("tile") or groups.get("place") or "", _day(groups)
            if day is None and not product.is_static:
                break
            return RemoteFile(
                product.name, collection.folder, name, day, url, size, about, _checksum(info), version, key
            )
        self._unusable(f"{product.name}: an entry without a file of a known name")
        return None

    def _unusable(self, why: str) -> None:
        self.unusable[why] = self.unusable.get(why, 0) + 1


def _box(domain: Domain) -> tuple[float, float, float, float]:
    """West, south, east, north as the catalog takes them: longitudes in -180..180, west of a box across the dateline
    above its east."""
    west, south, east, north = domain.bounds_lonlat()
    if east - west >= 360:
        return -180.0, south, 180.0, north
    turned = [lon if -180 <= lon <= 180 else (lon + 180) % 360 - 180 for lon in (west, east)]
    return turned[0], max(south, -90.0), turned[1], min(north, 90.0)


def _day(groups: Mapping[str, str | None]) -> dt.date | None:
    """The day in a file name, as ``yyyymmdd`` or ``yyyyddd``; None where it has none."""
    try:
        if ymd := groups.get("ymd"):
            return dt.datetime.strptime(ymd, "%Y%m%d").date()
        if yj := groups.get("yj"):
            return dt.datetime.strptime(yj, "%Y%j").date()
    except ValueError:  # digits that are no date
        pass
    return None


def _stated(entries: Iterable[Any]) -> Iterator[Mapping[str, Any]]:
    """What an entry states of its files, those inside packages among them."""
    for entry in entries:
        yield entry
        yield from entry.get("Files", ())


def _of_name(name: str, stated: Sequence[Mapping[str, Any]], *, only: bool) -> Mapping[str, Any]:
    """What is stated of the file ``name``; of an ``only`` file a single statement counts whatever name it gives."""
    named = next((info for info in stated if info.get("Name") == name), None)
    return named if named is not None else stated[0] if only and len(stated) == 1 else {}


def _size(info: Mapping[str, Any]) -> tuple[int | None, float]:
    """Bytes of a file where the catalog states them, and about how many: ``Size`` is rounded."""
    try:
        if info.get("SizeInBytes"):
            size = int(info["SizeInBytes"])
            return (size, float(size)) if size > 0 else (None, 0.0)
        about = float(info.get("Size", 0)) * UNITS.get(str(info.get("SizeUnit", "MB")).upper(), 1e6)  # NA is MB
        return None, about if math.isfinite(about) and about > 0 else 0.0
    except (TypeError, ValueError):
        return None, 0.0


def _checksum(info: Mapping[str, Any]) -> tuple[str, str] | None:
    stated = info.get("Checksum")
    if not isinstance(stated, Mapping) or not stated.get("Value") or not stated.get("Algorithm"):
        return None
    return str(stated["Algorithm"]), str(stated["Value"])


def _newest(files: Iterable[RemoteFile]) -> Iterator[RemoteFile]:
    """Of files of the same folder, day and place the newest: by the version of the collection, then by the time of
    processing at the end of the name."""
    newest: dict[tuple[str, dt.date | None, str], RemoteFile] = {}
    for file in files:
        at = file.folder, file.day, file.key
        if at not in newest or (file.version, file.name) > (newest[at].version, newest[at].name):
            newest[at] = file
    yield from newest.values()


def _nearest_year(files: Sequence[RemoteFile], day: dt.date) -> list[RemoteFile]:
    """Of each tile of a yearly map the year nearest to ``day``; maps without years as they are."""
    years: dict[str, int] = {}
    for file in files:
        if file.day is not None:
            best = years.get(file.key)
            if best is None or abs(file.day.year - day.year) < abs(best - day.year):
                years[file.key] = file.day.year
    return [file for file in files if file.day is None or file.day.year == years[file.key]]
