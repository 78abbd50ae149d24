"""Reader of coarse soil moisture: one day on the coarse cells, from any product."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from ssm_net.core.clock import NIGHT_HOUR
from ssm_net.core.radiometers import BY_CODE, MERGED
from ssm_net.grid import Domain
from ssm_net.ingest import easegrid, latlon, ssm_flags
from ssm_net.ingest.catalog import Granule
from ssm_net.ingest.holdings import FENGYUN
from ssm_net.ingest.naming import SMAP_L3, is_fengyun
from ssm_net.ingest.other_kinds import require_kind
from ssm_net.ingest.products import product
from ssm_net.ingest.quantities import SOIL_MOISTURE, SOIL_MOISTURE_ERROR
from ssm_net.ingest.ranges import plausible
from ssm_net.ingest.raster import GranuleError
from ssm_net.ingest.volumetric import volumetric

MIN_COVER = 0.25  # fraction of a coarse cell that valid quarter-degree cells must cover
T0 = "t0"
CCI_AMSR2, CCI_SMOS = 32, 64  # bits of the CCI variable "sensor"


@dataclass(frozen=True)
class CoarseSSM:
    """A day on the coarse cells of a domain, each (R, C).

    ``ssm`` and its standard error ``sigma`` in m3 m-3, float32, NaN where nothing was observed; ``source`` a code
    of the table of radiometers, uint8.
    """

    ssm: np.ndarray
    sigma: np.ndarray
    source: np.ndarray


def read_ssm(
    granules: Sequence[Granule], domain: Domain, sigma_default: float, day: dt.date | None = None
) -> CoarseSSM:
    """The coarse soil moisture of one ``day`` (or else of the day of each granule) from granules of one product.

    Of files that state the time of each value (``t0`` of C3S and ESA CCI) those values count whose nearest night
    overpass is that of the day, so that granules of the days beside it may be given; any other file counts on its own
    day alone. Where several granules observe a cell, the one nearest in time to the night overpass (01:30 local solar
    time) is used: by the moment in the file, or else by the hour of its sensor (AMSR before FY-3B). ``sigma_default``
    (m3 m-3) is the error where the product gives none. Values outside (0, 0.7] are missing, and noted.

    Raises ``GranuleError`` where a file is damaged, not of the product of its folder or not volumetric soil moisture.
    """
    out = CoarseSSM(
        np.full(domain.coarse_shape, np.nan, np.float32),
        np.full(domain.coarse_shape, np.nan, np.float32),
        np.zeros(domain.coarse_shape, np.uint8),
    )
    nearest = np.full(domain.coarse_shape, np.inf, np.float32)
    for granule in sorted(granules, key=lambda g: (record_in(g) == 3, g.path.name)):
        ssm, sigma, source, hours = _read(granule, domain, day or granule.day)
        new = np.isfinite(ssm) & (np.abs(hours) < nearest)
        nearest[new] = np.abs(hours)[new]
        sigma = np.where(np.isfinite(sigma) & (sigma > 0), sigma, sigma_default)
        out.ssm[new], out.sigma[new], out.source[new] = ssm[new], sigma[new], source[new]
    return out


def record_in(granule: Granule) -> int:
    """The code of the record that a granule belongs to, under which it is intercalibrated."""
    entry = product(granule.product)
    if entry is not None and entry.family == "latlon_ssm":
        return MERGED[0]
    if entry is not None and entry.family == "smap":
        return 4
    if granule.tile == FENGYUN or is_fengyun(granule.path.name):
        return 3
    last = BY_CODE[1].last
    return 1 if last is not None and granule.day <= last else 2


def _read(granule: Granule, domain: Domain, day: dt.date) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Soil moisture, its error, its source and the hours from the night overpass to it, each (R, C)."""
    entry = product(granule.product)
    family = entry.family if entry is not None else None
    if family == "latlon_ssm":
        ssm, sigma, source, seen = _quarter_degree(granule, domain, day)
    elif family == "smap" and (granule.path.suffix.lower() == ".h5" or easegrid.has_groups(granule.path)):
        ssm, sigma, hours = easegrid.read_smap(granule.path, domain, granule.day)
        return ssm, sigma, np.full(domain.coarse_shape, 4, np.uint8), hours
    elif family in ("easegrid", "smap"):
        ssm = easegrid.read_map(granule.path, domain, granule.product)
        code = record_in(granule)
        sigma = np.full(ssm.shape, BY_CODE[code].sigma or np.nan, np.float32)
        source = np.full(ssm.shape, code, np.uint8)
        if family == "smap" and re.search(SMAP_L3, granule.path.name):
            hours = easegrid.hours_of_smap_map(granule.path, domain, granule.day)
            return np.where(np.abs(hours) < 12, ssm, np.nan), sigma, source, hours
    else:
        raise GranuleError(granule.path, f"{granule.product} is no product of soil moisture", day=granule.day)
    hours = np.full(ssm.shape, np.nan, np.float32)
    for code in np.unique(source):
        hours[source == code] = BY_CODE[int(code)].overpass - NIGHT_HOUR
    if family == "latlon_ssm":
        np.copyto(hours, seen, where=np.isfinite(seen))
    return ssm, sigma, source, hours


def _quarter_degree(
    granule: Granule, domain: Domain, day: dt.date
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """C3S or CCI: the area-weighted mean of the valid quarter-degree cells in each coarse cell, with its error, its
    source and, where the file states times, the hours from the night overpass of ``day``.

    Cells of a latitude/longitude grid and of the equal-area grid are both rectangles in EPSG:6933, so the weights are
    exactly the products of overlaps along the two axes. The error of a coarse cell is the mean of those errors: they
    share sensor, vegetation and overpass, so they are taken as fully correlated.
    """
    path = granule.path
    with latlon.open_netcdf(path) as dataset:
        if (entry := product(granule.product)) is not None:
            require_kind(entry, path, dataset.attrs)
        grid = latlon.axes(path, dataset)
        name = latlon.find_variable(path, dataset, ("sm", "ssm", "soil_moisture"), "soil moisture")
        sm = latlon.field(path, dataset, name, grid, granule.day)
        linear = volumetric(latlon.encoding_of(path, dataset[name]), percent_is_volumetric=False)
        extra = {
            key: latlon.field(path, dataset, key, grid, granule.day) if key in dataset.variables else None
            for key in ("sm_uncertainty", "sensor")
        }
        flags = ssm_flags.layers(
            granule.product, [str(n) for n in dataset.variables],
            lambda n: latlon.field(path, dataset, n, grid, granule.day),
        )  # fmt: skip
        seen = hours_of_t0(path, dataset, grid, granule.day, day, domain)
    down, across = latlon.overlaps(grid, domain)
    valid = np.isfinite(sm) & (np.abs(seen) < 12 if granule.day != day else ~(np.abs(seen) >= 12))
    inside = np.outer(down.any(0), across.any(0))
    valid &= ssm_flags.usable(path, granule.product, flags, valid & inside)
    sm = plausible(np.where(valid, sm, np.nan), SOIL_MOISTURE, path, name, granule.day, linear=linear)
    valid = np.isfinite(sm)
    cover = down @ valid.astype(np.float64) @ across.T
    enough = cover >= MIN_COVER

    def mean(values: np.ndarray, where: np.ndarray) -> np.ndarray:
        weight = down @ where.astype(np.float64) @ across.T
        total = down @ np.where(where, values, 0.0) @ across.T
        out = np.divide(total, weight, out=np.full(total.shape, np.nan), where=enough & (weight > 0))
        return out.astype(np.float32)

    ssm = mean(sm, valid)
    sigma = np.full(ssm.shape, np.nan, np.float32)
    if extra["sm_uncertainty"] is not None:
        error = plausible(np.where(valid, extra["sm_uncertainty"], np.nan), SOIL_MOISTURE_ERROR, path, "sm_uncertainty",
                          granule.day, linear=linear)  # fmt: skip
        with np.errstate(invalid="ignore"):
            sigma = mean(error, error > 0)
    source = np.full(ssm.shape, 6, np.uint8)
    if extra["sensor"] is not None:
        for code, bit in ((5, CCI_AMSR2), (7, CCI_SMOS)):
            fraction = down @ (valid & (extra["sensor"] == bit)).astype(np.float64) @ across.T
            source[fraction > 0.5 * cover] = code
    return ssm, sigma, source, mean(seen, valid & np.isfinite(seen))


def hours_of_t0(
    path: Path, dataset: xr.Dataset, grid: latlon.Axes, filed: dt.date, day: dt.date, domain: Domain
) -> np.ndarray:
    """Hours from the night overpass of ``day`` (01:30 local solar time) to each value of the file's day ``filed``,
    (lat, lon), NaN where the file does not say.

    ``t0`` is the time of the observation, days since 1970-01-01 (ESA CCI soil moisture, product user guide,
    "Observation Timestamp"; from memory); where it is one number for all values, the date of the file, it does not say.
    """
    unknown = np.full((grid.lat.size, grid.lon.size), np.nan)
    if T0 not in dataset.variables:
        return unknown
    seconds = latlon.seconds_since(path, dataset, T0, grid, filed, np.datetime64(day, "s"))
    known = seconds[np.isfinite(seconds)]
    if not known.size or np.ptp(known) == 0:
        return unknown
    wrapped = (grid.lon + 180) % 360 - 180
    return seconds / 3600 + domain.same_turn(wrapped) / 15 - NIGHT_HOUR
