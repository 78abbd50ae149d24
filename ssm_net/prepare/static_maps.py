"""The maps that do not change, and what is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from ssm_net.cube.store import Cube
from ssm_net.grid import Domain
from ssm_net.ingest.static import read_static

RELIEF_PIXELS = 3.0  # sigma of the smooth elevation that relief is measured against


def static_fields(raw: Path, domain: Domain, boundary: str | None) -> dict[str, np.ndarray]:
    """The static maps there are, (y, x) float32, and what is made of them: relief (m), inside (0 or 1)."""
    out = read_static(raw, domain.fine)
    if "elevation" in out:
        z = out["elevation"]
        known = np.isfinite(z).astype("float32")
        smooth = gaussian_filter(np.nan_to_num(z), RELIEF_PIXELS) / np.maximum(
            gaussian_filter(known, RELIEF_PIXELS), 1e-3
        )
        out["relief"] = (z - smooth).astype("float32")
    if boundary is not None:
        from odc.geo.xr import rasterize

        from ssm_net.core.boundary import read_boundary

        inside = rasterize(read_boundary(boundary).to_crs(domain.grid.crs), domain.fine)
        out["inside"] = np.asarray(inside.values, "float32")
    return out


def store_static_maps(cube: Cube, static: Mapping[str, np.ndarray]) -> None:
    """Once; a cube whose static maps are there keeps them, so that stored days and new ones rest on the same."""
    if cube.static and cube.stats("static_written") is None:
        for name, values in static.items():
            cube.write_static(name, values)
        cube.write_stats("static_written", {"names": sorted(static)})
