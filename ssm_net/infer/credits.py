"""Who made a map, of what, and how its inputs are cited: global attributes that no clock changes (ACDD 1.3)."""

from __future__ import annotations

import datetime as dt

from ssm_net.config import PublisherConfig
from ssm_net.config.shared import NOT_STATED
from ssm_net.core.radiometers import BY_CODE
from ssm_net.cube.store import STATIC_SOURCES, Cube
from ssm_net.formats.citations import sources_of, static_sources
from ssm_net.formats.product import Attribute
from ssm_net.infer.quality_flags import sensor_codes

ROLES = (
    "ssm",
    "lst",
    "other_lst",
    "reflectance",
    "other_reflectance",
    "rain",
    "reanalysis",
)  # in the cube's attributes
SATELLITES = {
    "AMSR-E": "Aqua",
    "AMSR2": "GCOM-W1",
    "MWRI": "FY-3B",
}  # of radiometers that are not their satellite's name


def publisher_attributes(publisher: PublisherConfig) -> dict[str, Attribute]:
    """Who publishes the maps. A date is there only where the publisher gives one: a map that is made again is the same
    file."""
    attrs: dict[str, Attribute] = {
        "naming_authority": publisher.naming_authority,
        "institution": publisher.institution,
        "project": publisher.project,
        "program": publisher.project,
        "license": publisher.license,
        "contributor_name": "the providers of the inputs, named in input_citations",
        "contributor_role": "observations, reanalyses and maps that went into this map",
        "acknowledgement": "Please cite the inputs as input_citations names them, and ssm_net with its version.",
    }
    for who in ("creator", "publisher"):
        attrs |= {
            f"{who}_name": publisher.name,
            f"{who}_email": publisher.email,
            f"{who}_url": publisher.url,
            f"{who}_institution": publisher.institution,
            f"{who}_type": "group",
        }
    if publisher.url != NOT_STATED:
        attrs["metadata_link"] = publisher.url
    if publisher.issued is not None:
        attrs |= {f"date_{what}": publisher.issued for what in ("created", "issued", "modified", "metadata_modified")}
    return attrs


def input_attributes(cube: Cube, day: dt.date) -> dict[str, Attribute]:
    """The citations of what went into the map of ``day``, a line each, and the satellites behind it. Kind and version
    of a product are those that the names of the day's files tell."""
    products = list(dict.fromkeys(name for role in ROLES for name in str(cube.attrs.get(role, "")).split()))
    status = cube.status(day) or {}
    sources = sources_of(products, [str(name) for name in status.get("files", ())])
    recorded = cube.metadata(STATIC_SOURCES)
    maps = {name: "" for name in cube.static if name not in ("relief", "inside")} if recorded is None else recorded
    radiometers = [BY_CODE[code].instrument for code in sensor_codes(cube, day)]
    platforms = [SATELLITES.get(name, name) for name in radiometers] + [s.platform for s in sources]
    instruments = radiometers + [s.instrument for s in sources]
    return {
        "input_citations": "\n".join([*map(str, sources), *static_sources(maps)]),
        "platform": _each_once(platforms),
        "platform_vocabulary": "names of the satellites as their agencies use them",
        "instrument": _each_once(instruments),
        "instrument_vocabulary": "names of the instruments as their agencies use them",
    }


def _each_once(names: list[str]) -> str:
    return ", ".join(dict.fromkeys(", ".join(filter(None, names)).split(", "))) or "none"
