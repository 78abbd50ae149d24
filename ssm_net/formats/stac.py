"""STAC of GeoTIFFs: an item beside each day, and the collection of a folder, as plain JSON.

Source: STAC specification 1.1.0 (item-spec, collection-spec, commons/common-metadata). No extension is used, so that
both are valid without a network; what is ours alone begins with ``ssm_net:``. No clock: the same map has the same item.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ssm_net.config.shared import NOT_STATED
from ssm_net.core.files import write_if_changed
from ssm_net.formats.attributes import OF_ONE_DAY, boxes, ring
from ssm_net.formats.geotiff import GEOTIFF_BANDS, band_tags, geotiff_attributes, geotiff_tags
from ssm_net.formats.product import FILL, Mosaic, stem
from ssm_net.grid import Domain

STAC_VERSION = "1.1.0"

GEOTIFF = "image/tiff; application=geotiff; profile=cloud-optimized"
SPDX = re.compile(r"[\w.+-]+")  # what the specification takes for a licence; other words are "other"
OF_US = ("model", "checkpoint", "update", "mode", "status", "days_ahead", "revision", "coarse_sources", "inputs",
         "input_citations", "product_version", "processing_level")  # fmt: skip


def encode_item(mosaic: Mosaic, thumbnail: str | None = None) -> bytes:
    """The bytes of the item of a day; ``thumbnail`` is the place of its picture, as seen from the item."""
    domain, tags = mosaic.domain, geotiff_tags(mosaic)
    name = stem(domain.name, mosaic.day)
    properties: dict[str, Any] = {
        "datetime": f"{mosaic.day}T00:00:00Z",
        "title": tags["title"],
        "description": tags["summary"],
        "license": _license(tags),
        "gsd": round(domain.grid.pixel, 3),
    }
    properties |= {"providers": providers} if (providers := _providers(tags)) else {}
    if issued := tags.get("date_created"):
        properties |= {"created": f"{issued}T00:00:00Z", "updated": f"{issued}T00:00:00Z"}
    properties |= {f"ssm_net:{key}": tags[key] for key in OF_US if key in tags}
    assets: dict[str, Any] = {
        "map": {"href": f"./{name}.tif", "type": GEOTIFF, "title": tags["title"], "roles": ["data"],
                "data_type": "int16", "nodata": int(FILL), "bands": _bands()},
        "style": {"href": f"./{name}.qml", "type": "application/xml", "title": "QGIS style", "roles": ["metadata"]},
    }  # fmt: skip
    if thumbnail is not None:
        assets["thumbnail"] = {"href": f"./{thumbnail}", "type": "image/png", "roles": ["thumbnail"]}
    collection = {"href": f"./{collection_path(Path(), domain.name)}", "type": "application/json"}
    item = {
        "type": "Feature", "stac_version": STAC_VERSION, "stac_extensions": [], "id": name,
        "collection": _collection_id(domain.name), "geometry": _geometry(domain), "bbox": _bbox(domain),
        "properties": properties, "assets": assets,
        "links": [{"rel": rel, **collection} for rel in ("root", "parent", "collection")],
    }  # fmt: skip
    return _encoded(item)


def item_path(folder: Path, domain_name: str, day: dt.date) -> Path:
    """Where the item of a day is, or will be."""
    return folder / f"{stem(domain_name, day)}.json"


def collection_path(folder: Path, domain_name: str) -> Path:
    """Where the collection of a folder is, or will be."""
    return folder / f"ssm_{domain_name}_collection.json"


def write_collection(folder: Path, domain: Domain, days: Sequence[dt.date]) -> Path:
    """Write the collection of the GeoTIFFs of ``days`` (in order, at least one) in ``folder``. What it says of the
    product is what its last map says."""
    tags = geotiff_attributes(folder / f"{stem(domain.name, days[-1])}.tif")
    path = collection_path(folder, domain.name)
    links = [{"rel": "root", "href": f"./{path.name}", "type": "application/json"}]
    links += [{"rel": "item", "href": f"./{item_path(Path(), domain.name, day)}", "type": "application/geo+json"}
              for day in days]  # fmt: skip
    collection: dict[str, Any] = {
        "type": "Collection", "stac_version": STAC_VERSION, "stac_extensions": [], "id": _collection_id(domain.name),
        "title": f"Daily 1 km surface soil moisture, {domain.name}", "description": tags["summary"],
        "keywords": ["soil moisture", "remote sensing", "downscaling"], "license": _license(tags),
        "extent": {
            "spatial": {"bbox": [_bbox(domain)]},
            "temporal": {"interval": [[f"{days[0]}T00:00:00Z", f"{days[-1]}T00:00:00Z"]]},
        },
        "item_assets": {"map": {"type": GEOTIFF, "roles": ["data"], "data_type": "int16", "nodata": int(FILL),
                                "bands": _bands()}},
        "links": links,
    }  # fmt: skip
    collection |= {"providers": providers} if (providers := _providers(tags)) else {}
    collection |= {f"ssm_net:{key}": tags[key] for key in OF_US if key in tags and key not in OF_ONE_DAY}
    return write_if_changed(path, _encoded(collection))


def _bands() -> list[dict[str, Any]]:
    return [{"name": name, "description": band_tags(name)["long_name"], "unit": units,
             **({"ssm_net:scale": scale} if scale != 1 else {"ssm_net:flags": band_tags(name)["flags"]})}
            for name, (scale, units) in GEOTIFF_BANDS.items()]  # fmt: skip


def _geometry(domain: Domain) -> dict[str, Any]:
    """GeoJSON (RFC 7946): two polygons where the domain crosses the dateline."""
    rings = [[list(corner) for corner in ring(box)] for box in boxes(domain)]
    if len(rings) == 1:
        return {"type": "Polygon", "coordinates": rings}
    return {"type": "MultiPolygon", "coordinates": [[one] for one in rings]}


def _bbox(domain: Domain) -> list[float]:
    """West, south, east, north; across the dateline the west is the larger number (RFC 7946, 5.2)."""
    (west, south, _, north), *_ = parts = boxes(domain)
    return [west, south, parts[-1][2], north]


def _license(tags: Mapping[str, str]) -> str:
    given = tags.get("license", NOT_STATED)
    return given if SPDX.fullmatch(given) else "other"


def _providers(tags: Mapping[str, str]) -> list[dict[str, Any]]:
    name, url = tags.get("publisher_name", NOT_STATED), tags.get("publisher_url", NOT_STATED)
    if name == NOT_STATED:
        return []
    return [{"name": name, "roles": ["producer", "processor"], **({} if url == NOT_STATED else {"url": url})}]


def _collection_id(domain_name: str) -> str:
    return f"ssm_{domain_name}"


def _encoded(value: dict[str, Any]) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False).encode() + b"\n"
