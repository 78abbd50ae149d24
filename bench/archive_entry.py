"""A file of the loopback archive, and its entry in the catalog, in UMM-G.

The form is that of public recordings: nsidc/earthaccess, tests/unit/fixtures/*_umm.json, and the schema at
https://cdn.earthdata.nasa.gov/umm/granule.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote


@dataclass(frozen=True)
class Granule:
    """A file of the archive. ``size`` and ``checksum`` are what the catalog states: None states none, other values than
    the file's are a fault of the catalog. ``signed``: sent by another host, after a redirect."""

    collection: tuple[str, str]  # short name, version
    name: str
    content: bytes = field(repr=False)
    begin: dt.datetime | None = None
    end: dt.datetime | None = None
    box: tuple[float, float, float, float] = (-180.0, -90.0, 180.0, 90.0)  # west, south, east, north
    size: int | None = -1  # -1: the right one
    checksum: tuple[str, str] | None = ("SHA-256", "")  # an empty value: the right one
    signed: bool = True
    url: str | None = None  # another address than the archive's own

    def umm(self, base: str) -> dict[str, Any]:
        """Its entry in the catalog of an archive at ``base``."""
        info: dict[str, Any] = {"Name": self.name, "SizeUnit": "MB", "Size": len(self.content) / 1e6}
        if self.size is not None:
            info["SizeInBytes"] = len(self.content) if self.size < 0 else self.size
        if self.checksum is not None:
            value = self.checksum[1] or hashlib.sha256(self.content).hexdigest()
            info["Checksum"] = {"Value": value, "Algorithm": self.checksum[0]}
        west, south, east, north = self.box
        umm: dict[str, Any] = {
            "GranuleUR": self.name.rpartition(".")[0],
            "CollectionReference": {"ShortName": self.collection[0], "Version": self.collection[1]},
            "RelatedUrls": [
                {"URL": f"s3://lp-prod-protected/{self.name}", "Type": "GET DATA VIA DIRECT ACCESS"},
                {"URL": self.url or f"{base}/data/{quote(self.name)}", "Type": "GET DATA"},
                {"URL": f"{base}/browse/{quote(self.name)}.jpg", "Type": "GET RELATED VISUALIZATION"},
            ],
            "SpatialExtent": {"HorizontalSpatialDomain": {"Geometry": {"BoundingRectangles": [{
                "WestBoundingCoordinate": west, "SouthBoundingCoordinate": south,
                "EastBoundingCoordinate": east, "NorthBoundingCoordinate": north,
            }]}}},
            "DataGranule": {"DayNightFlag": "Unspecified", "ArchiveAndDistributionInformation": [info]},
            "MetadataSpecification": {"URL": "https://cdn.earthdata.nasa.gov/umm/granule/v1.6.5", "Name": "UMM-G",
                                      "Version": "1.6.5"},
        }  # fmt: skip
        if self.begin is not None:
            end = self.end or self.begin + dt.timedelta(days=1, seconds=-1)
            first, last = (f"{t:%Y-%m-%dT%H:%M:%S}.000Z" for t in (self.begin, end))
            umm["TemporalExtent"] = {"RangeDateTime": {"BeginningDateTime": first, "EndingDateTime": last}}
        meta = {"concept-type": "granule", "native-id": umm["GranuleUR"], "provider-id": "LPCLOUD"}
        return {"meta": meta, "umm": umm}

    def fits(self, query: Mapping[str, list[str]]) -> bool:
        """Whether a search finds it."""
        if query.get("short_name", [""])[0] != self.collection[0]:
            return False
        if "version" in query and query["version"][0] != self.collection[1]:
            return False
        if "temporal[]" in query and self.begin is not None:
            first, last = (dt.datetime.fromisoformat(t.rstrip("Z")) for t in query["temporal[]"][0].split(","))
            end = self.end or self.begin + dt.timedelta(days=1, seconds=-1)
            if end < first or self.begin > last:
                return False
        if "bounding_box" in query:
            west, south, east, north = (float(v) for v in query["bounding_box"][0].split(","))
            outside = self.box[2] < west, self.box[0] > east
            beside = all(outside) if west > east else any(outside)  # a box across the dateline has its west above
            return not (beside or self.box[3] < south or self.box[1] > north)
        return True
