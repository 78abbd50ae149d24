"""Global attributes of a map that follow from its day and domain (CF 1.11, ACDD 1.3); who made it, and of what, comes
with the mosaic.

Source of names and meanings: Attribute Convention for Data Discovery 1.3 (wiki.esipfed.org). Two readings of it:
``geospatial_lat_min`` .. ``geospatial_lon_max`` are the outermost pixel centres, as the coordinates have them, and
``geospatial_bounds`` the edges of the domain; ``time_coverage_start`` and ``_end`` are the label of the day, as
``time`` has it.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict

import numpy as np

from ssm_net.dateline import wrapped
from ssm_net.formats.product import Attribute, Mosaic, stem
from ssm_net.grid import Domain

# Attributes of the mosaics that may differ from day to day, and so are none of a store of all days.
OF_ONE_DAY = ("revision", "coarse_sources", "instrument", "platform", "input_citations", "days_ahead", "status")
SOIL_DEPTH = 0.05  # m: what the radiometer sees, and what the stations of the evaluation measure
SUMMARY = (
    "Surface soil moisture (top 5 cm) on the 1 km EASE-Grid 2.0 nested in the 36 km grid of the passive microwave "
    "observations, in all weather, with the standard error and the quality flags of each pixel. The day is that of the "
    "night overpass, about 01:30 local solar time."
)
COMMENT = (
    "The time is a label: the day at 00:00. ssm_uncertainty is one standard error; that of a mean over many pixels is "
    "larger than if errors were independent. flags are sums of flag_masks; read them before use."
)
CONSTANT: dict[str, Attribute] = {
    "Conventions": "CF-1.11, ACDD-1.3",
    "summary": SUMMARY,
    "keywords": "EARTH SCIENCE > LAND SURFACE > SOILS > SOIL MOISTURE/WATER CONTENT",
    "keywords_vocabulary": "GCMD Science Keywords",
    "source": "passive microwave soil moisture downscaled with optical and thermal imagery by ssm_net",
    "references": "Song et al. (2022), Earth Syst. Sci. Data, 14, 2613-2637, doi:10.5194/essd-14-2613-2022",
    "comment": COMMENT,
    "processing_level": "Level 4",  # NASA: model output or results from analyses of lower-level data
    "cdm_data_type": "Grid",
    "standard_name_vocabulary": "CF Standard Name Table v93",
    "geospatial_bounds_crs": "EPSG:4326",
    "geospatial_bounds_vertical_crs": "none: the bounds have no vertical axis",
    "geospatial_lat_units": "degrees_north",
    "geospatial_lon_units": "degrees_east",
    "geospatial_vertical_min": 0.0,
    "geospatial_vertical_max": SOIL_DEPTH,
    "geospatial_vertical_units": "m",
    "geospatial_vertical_resolution": f"{SOIL_DEPTH:g} m",
    "geospatial_vertical_positive": "down",
    "time_coverage_resolution": "P1D",
}


def global_attributes(mosaic: Mosaic) -> dict[str, Attribute | list[int]]:
    """What the product is, where and when it is, and the attributes of the mosaic, which come last and win."""
    described: dict[str, Attribute | list[int]] = {**CONSTANT, **domain_attributes(mosaic.domain)}
    described |= title_and_time(mosaic.domain.name, mosaic.day, mosaic.day)
    described["id"] = stem(mosaic.domain.name, mosaic.day)
    return described | mosaic.attrs


def title_and_time(domain_name: str, first: dt.date, last: dt.date) -> dict[str, Attribute]:
    """Title and ``time_coverage`` of the maps of ``first`` .. ``last``."""
    days = f"{first}" if first == last else f"{first} .. {last}"
    return {
        "title": f"Daily 1 km surface soil moisture, {domain_name}, {days}",
        "time_coverage_start": f"{first}T00:00:00Z",
        "time_coverage_end": f"{last}T00:00:00Z",
        "time_coverage_duration": f"P{(last - first).days + 1}D",
    }


def domain_attributes(domain: Domain) -> dict[str, Attribute | list[int]]:
    """Where ``domain`` is, in degrees and on its grid. Across the dateline the lowest longitude is above the highest
    (ACDD 1.3)."""
    lon, lat = domain.lonlat()
    west, east = wrapped(lon)[[0, -1]] if domain.crosses_dateline else (lon.min(), lon.max())
    pixel = f"{domain.grid.pixel:.3f} m"
    return {
        "geospatial_lat_min": float(lat.min()),
        "geospatial_lat_max": float(lat.max()),
        "geospatial_lon_min": float(west),
        "geospatial_lon_max": float(east),
        "geospatial_lat_resolution": f"{pixel} on the equal-area grid",
        "geospatial_lon_resolution": f"{pixel} on the equal-area grid",
        "geospatial_bounds": _as_wkt(boxes(domain)),
        "grid_name": f"EASE-Grid 2.0, {domain.grid.crs}, {pixel}, {domain.ratio} x {domain.ratio} in a coarse cell",
        "domain": domain.name,
        "domain_window": list(domain.window),
        "coarse_grid": json.dumps(asdict(domain.grid)),
    }


def boxes(domain: Domain) -> list[tuple[float, float, float, float]]:
    """West, south, east, north of the domain, degrees in -180..180: two boxes where it crosses the dateline."""
    west, south, east, north = (float(v) for v in domain.bounds_lonlat())
    if not domain.crosses_dateline:
        return [(west, south, east, north)]
    return [(west, south, 180.0, north), (-180.0, south, float(wrapped(np.asarray(east))), north)]


def ring(box: tuple[float, float, float, float]) -> list[tuple[float, float]]:
    """The corners (lon, lat) of a box, counter-clockwise, the first one again at the end."""
    west, south, east, north = box
    return [(west, south), (east, south), (east, north), (west, north), (west, south)]


def _as_wkt(parts: list[tuple[float, float, float, float]]) -> str:
    """In the order of axes of EPSG:4326: latitude, longitude."""
    rings = ["((" + ", ".join(f"{lat:.6f} {lon:.6f}" for lon, lat in ring(part)) + "))" for part in parts]
    return f"POLYGON {rings[0]}" if len(rings) == 1 else f"MULTIPOLYGON ({', '.join(rings)})"
