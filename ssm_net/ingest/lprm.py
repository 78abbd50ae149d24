"""Reader of soil moisture by the Land Parameter Retrieval Model (LPRM): AMSR-E and AMSR2, level 3, a day and a pass.

A file (GES DISC: ``LPRM_AMSR2_D_SOILM3``, ``LPRM_AMSR2_DS_D_SOILM3`` and the like) is a map of a UTC day, 0.25 or 0.1
degree, dimensions longitude x latitude. What is known of its layers:

* *Bands.* AMSR2 retrieves at 6.9 GHz (``c1``), 7.3 GHz (``c2``) and 10.7 GHz (``x``). The lower the frequency, the less
  the canopy hides, but transmitters at 6.9 and 7.3 GHz spoil whole countries. ``frequency_map`` names for each cell the
  lowest frequency that LPRM found free of them (the method: de Nijs et al. 2015, IEEE Trans. Geosci. Remote Sens. 53,
  5148), and that one is taken. Without this map (AMSR-E) nothing tells where 6.9 GHz (``c``) is disturbed: ``x`` is
  taken.
* *Error.* Its attributes say percent and a scale of 0.01; the scaled number is m3 m-3. Native files hold 0.01 .. 0.49,
  and the readers of NASA-LIS take it so (``readLPRM_AMSREsmObs.F90``), as does the header of version 5 ("[m3 m-3]").
* *Mask.* What its bits mean is read off a native file, against the layers that they go with: 1, 2, 3 are optical depths
  near 0 or below at ``x``, ``c2``, ``c1``; 4, 5, 6 are those above about 0.8; 8 goes with ground below 273 K and 9 with
  water. The limits, and that errors above 0.2 m3 m-3 are no retrievals, are those of NASA-LIS; they stand in where a
  file has no mask. A value of exactly 0 has no error: nothing was found that fits the brightness temperatures.
* *Above 0.60 m3 m-3*, more than most soils can hold, is canopy, standing or melting water: the value keeps little
  weight. Above 0.70, which the retrieval reaches where the lower bands see wet or dense vegetation, it is missing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from ssm_net.core.clock import NIGHT_HOUR
from ssm_net.core.radiometers import DAY_PASS
from ssm_net.grid import Domain
from ssm_net.ingest import latlon, ssm_flags
from ssm_net.ingest.cell_means import CellWeights
from ssm_net.ingest.moments import hours_from_night, hours_of_utc_map, nowhere, of_another_day, of_day
from ssm_net.ingest.naming import amsr_in_name
from ssm_net.ingest.quantities import SOIL_MOISTURE, SOIL_MOISTURE_ERROR, Linear
from ssm_net.ingest.ranges import plausible
from ssm_net.ingest.raster import GranuleError
from ssm_net.ingest.ssm_products import LPRM_BITS, LPRM_MASK
from ssm_net.ingest.volumetric import volumetric

PRODUCT = "LPRM"
DENSE, FROZEN = 0.8, 273.15  # optical depth, K
LARGE_ERROR, LEAST_ERROR = 0.2, 0.005  # m3 m-3; stored as hundredths, so that 0 is less than 0.005
POROSITY = 0.6  # m3 m-3


@dataclass(frozen=True)
class Band:
    """A frequency (GHz) that soil moisture is retrieved at: its letters in the names of layers, and the bits of the
    mask for an optical depth near 0 and for one that is too large."""

    letters: str
    frequency: float
    bare: int
    dense: int

    def error_name(self, names: set[str]) -> str | None:
        wanted = (f"soil_moisture_{self.letters}_error", f"sm_{self.letters}_error")
        return next((name for name in wanted if name in names), None)


BANDS = (Band("x", 10.7, 1, 4), Band("c2", 7.3, 2, 5), Band("c1", 6.9, 3, 6), Band("c", 6.9, 3, 6))


@dataclass(frozen=True)
class _Part:
    """The part of an open file that touches the domain; ``lon`` (cols,) are the longitudes of its columns as
    the domain counts them, degrees."""

    path: Path
    dataset: xr.Dataset
    grid: latlon.Axes
    lon: np.ndarray
    weights: CellWeights
    day: dt.date

    @classmethod
    def of(cls, path: Path, dataset: xr.Dataset, domain: Domain, day: dt.date) -> _Part:
        grid = latlon.axes(path, dataset)
        weights = CellWeights.of_degrees(grid, domain)
        rows, cols = weights.spans()
        part = dataset.isel({grid.lat_dim: rows, grid.lon_dim: cols})
        cut = latlon.Axes(grid.lat_dim, grid.lon_dim, grid.lat[rows], grid.lon[cols])
        return cls(path, part, cut, domain.same_turn(cut.lon), weights.within(rows, cols), day)

    @property
    def names(self) -> set[str]:
        return {str(name) for name in self.dataset.variables}

    @property
    def shape(self) -> tuple[int, int]:
        return self.grid.lat.size, self.grid.lon.size

    def layer(self, name: str) -> np.ndarray:
        """A layer in its physical unit, (rows, cols), NaN where missing."""
        return latlon.field(self.path, self.dataset, name, self.grid)

    def unit_of(self, name: str) -> Linear:
        return volumetric(latlon.encoding_of(self.path, self.dataset[name]))


def read_lprm(path: Path, domain: Domain, day: dt.date) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Soil moisture and its standard error, m3 m-3, and the hours from the night overpass of ``day`` to its
    observation, each (R, C) float32, NaN where missing; of the cells that were seen on ``day``, in local solar time.

    A cell is the area-weighted mean of the valid values in it. Flags of the table of products take values away before
    their range is checked.

    Raises ``GranuleError`` where the file is damaged, not named as the archive names it, or holds no soil moisture.
    """
    named = amsr_in_name("lprm", path.name)
    if named is None:
        raise GranuleError(path, "not named as the archive names files of LPRM, which tells sensor and pass", day=day,
                           remedy="give it the name of the archive")  # fmt: skip
    with latlon.open_netcdf(path) as dataset:
        part = _Part.of(path, dataset, domain, day)
        used = _band_used(part)
        ssm, linear = _of_band(part, used, lambda band: f"soil_moisture_{band.letters}")
        depth, _ = _of_band(part, used, lambda band: f"opt_depth_{band.letters}")
        error, _ = _of_band(part, used, lambda band: band.error_name(part.names))
        ground = part.layer("ts") if "ts" in part.names else np.full(part.shape, np.nan)
        mask = part.layer("mask") if "mask" in part.names else None
        hours = _hours(part, by_day=named[1])
    if np.isfinite(error).any() and np.nanmax(error) > 1:  # a copy in percent
        error = error * 0.01
    bits = _bits(used, mask, depth, ground)
    bits |= LPRM_BITS["no error"] * np.isnan(error) | LPRM_BITS["large error"] * (error > LARGE_ERROR)
    volume = np.round(ssm * linear[0], 6)  # 70 percent is 0.7, and not above it
    above = volume > SOIL_MOISTURE.high
    bits |= LPRM_BITS["saturated"] * above | LPRM_BITS["above porosity"] * ((volume > POROSITY) & ~above)
    seen = of_day(hours, by_day=named[1])
    flags: ssm_flags.Layers = {LPRM_MASK: bits}
    known = np.isfinite(ssm) & part.weights.inside
    if of_another_day(known, seen):
        return nowhere(domain)
    there = known & seen
    good = seen & ssm_flags.usable(path, PRODUCT, flags, there)
    ssm = plausible(np.where(good, ssm, np.nan), SOIL_MOISTURE, path, "soil_moisture", day, linear=linear)
    error = plausible(np.where(good, error, np.nan), SOIL_MOISTURE_ERROR, path, "error", day)
    error = np.maximum(error, np.maximum(LEAST_ERROR, ssm_flags.least_error(PRODUCT, flags, ssm.shape)))
    value, sigma, off = part.weights.means(ssm, error, hours)
    return value, sigma, off


def _band_used(part: _Part) -> np.ndarray:
    """The index in ``BANDS`` of the band that is taken, (rows, cols)."""
    there = [n for n, band in enumerate(BANDS) if f"soil_moisture_{band.letters}" in part.names]
    if not there:
        raise GranuleError(part.path, f"holds no soil moisture of LPRM (found {', '.join(sorted(part.names))})",
                           day=part.day, remedy="get files of level 3")  # fmt: skip
    used = np.full(part.shape, there[0])
    if "frequency_map" in part.names:
        frequency = part.layer("frequency_map")
        for n in there:
            used[np.abs(frequency - BANDS[n].frequency) < 0.05] = n
    return used


def _of_band(
    part: _Part, used: np.ndarray, name_of: Callable[[Band], str | None]
) -> tuple[np.ndarray, Linear]:  # fmt: skip
    """A layer in the band that is used in each cell, as the file has it, and what brings it to m3 m-3; NaN where the
    file has no such layer."""
    out, linear = np.full(used.shape, np.nan), (1.0, 0.0)
    for n in np.unique(used):
        name = name_of(BANDS[n])
        if name is not None and name in part.names:
            out = np.where(used == n, part.layer(name), out)
            linear = part.unit_of(name) if name.startswith("soil_moisture") and "error" not in name else linear
    return out, linear


def _bits(used: np.ndarray, mask: np.ndarray | None, depth: np.ndarray, ground: np.ndarray) -> np.ndarray:
    """The flags of each value in its band, as ``LPRM_BITS`` has them, (rows, cols) int64: by the mask of the file, or
    by the limits where it has none."""
    if mask is None:
        frozen, water = ground < FROZEN, np.zeros(used.shape, bool)
        dense, bare = depth > DENSE, depth <= 0
    else:
        stored = np.nan_to_num(mask).astype(np.int64)
        shift = {kind: np.array([getattr(band, kind) for band in BANDS])[used] for kind in ("dense", "bare")}
        frozen, water = stored >> 8 & 1, stored >> 9 & 1
        dense, bare = stored >> shift["dense"] & 1, stored >> shift["bare"] & 1
    return (LPRM_BITS["frozen"] * frozen | LPRM_BITS["water"] * water | LPRM_BITS["dense"] * dense
            | LPRM_BITS["bare"] * bare).astype(np.int64)  # fmt: skip


def _hours(part: _Part, *, by_day: bool) -> np.ndarray:
    """Hours from the night overpass of the day to each observation, (rows, cols); by the hour of the pass where the
    file tells no times."""
    lon = np.broadcast_to(part.lon, part.shape)
    if "scantime" in part.names:
        midnight = np.datetime64(part.day, "s")
        seconds = latlon.seconds_since(part.path, part.dataset, "scantime", part.grid, part.day, midnight)
        return hours_from_night(seconds, midnight, lon, part.day)
    return hours_of_utc_map(part.path, lon, part.day, DAY_PASS if by_day else NIGHT_HOUR)
