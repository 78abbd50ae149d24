"""Static maps: elevation, relief, texture, water, and the inside of a boundary."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from ssm_net.core.boundary import pixels_inside, read_boundary
from ssm_net.cube.store import STATIC_SOURCES, Cube
from ssm_net.cube.writer import CubeWriter
from ssm_net.grid import Domain
from ssm_net.ingest.static import read_static
from ssm_net.ingest.static_files import OWN, StaticFiles
from ssm_net.prepare.errors import PrepareError

RELIEF_PIXELS = 3.0  # sigma of the smooth elevation that relief is measured against
STATIC_MAPS = "static_maps"  # their digests among the cube's metadata


def static_fields(raw: Path, domain: Domain, boundary: str | None, mark: Path | None = None) -> dict[str, np.ndarray]:
    """The static maps there are, (y, x) float32, and those derived from them: relief (m), inside (0 or 1); ``mark`` as
    ``read_static`` has it."""
    out = read_static(raw, domain.fine, mark)
    if "elevation" in out:
        z = out["elevation"]
        known = np.isfinite(z).astype("float32")
        smooth = gaussian_filter(np.nan_to_num(z), RELIEF_PIXELS) / np.maximum(
            gaussian_filter(known, RELIEF_PIXELS), 1e-3
        )
        out["relief"] = (z - smooth).astype("float32")
    if boundary is not None:
        out["inside"] = pixels_inside(read_boundary(boundary), domain).astype("float32")
    return out


def kept_maps(cube: Cube | None, found: StaticFiles, boundary: str | None) -> dict[str, np.ndarray] | None:
    """The static maps of a cube, which keeps those that it was made with, (y, x) float32: tiles of a country need not
    be read again for each day that is added. None without a cube, or where it has others than are ``found`` now."""
    if cube is None or cube.metadata(STATIC_MAPS) is None:
        return None
    names = {*found.maps} | ({"relief"} if "elevation" in found.maps else set()) | ({"inside"} if boundary else set())
    return {name: cube.read_static(name) for name in cube.static} if names == {*cube.static} else None


def sources_by_map(found: StaticFiles) -> dict[str, str]:
    """The product that each map is made of; empty where its files do not tell."""
    return {name: "" if files.source == OWN else files.source for name, files in found.maps.items()}


def store_static_maps(
    writer: CubeWriter, static: Mapping[str, np.ndarray], sources: Mapping[str, str], damaged: Collection[str] = ()
) -> None:
    """Write the maps, and the ``sources`` that maps of the domain cite, once: a cube keeps those it was made with, so
    that stored days and new ones rest on the same. Those in ``damaged`` are written again.

    Raises ``PrepareError`` where a damaged map is not in ``static`` as the cube had it.
    """
    stored = writer.cube.metadata(STATIC_MAPS)
    if stored is None:
        for name, values in static.items():
            writer.write_static(name, values)
        writer.write_metadata(STATIC_SOURCES, dict(sources))
        writer.write_metadata(STATIC_MAPS, {name: _digest(values) for name, values in static.items()})
        return
    for name in damaged:
        if _digest(static[name]) != stored.get(name):
            raise PrepareError(
                f"{writer.cube.path}: the static map {name} is damaged, and raw/static holds another one now: put the "
                "file back that the cube was made with, or prepare a new cube"
            )
        writer.write_static(name, static[name])


def _digest(values: np.ndarray) -> str:
    return hashlib.blake2b(np.ascontiguousarray(values, "float32").tobytes(), digest_size=16).hexdigest()
