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
from ssm_net.core.radiometers import AMSR_RECORDS, BY_CODE, MERGED
from ssm_net.grid import Domain
from ssm_net.ingest import au_land, easegrid, latlon, lprm, smap, smos, ssm_flags
from ssm_net.ingest.catalog import Granule
from ssm_net.ingest.cell_means import MIN_COVER, CellWeights
from ssm_net.ingest.holdings import FENGYUN
from ssm_net.ingest.moments import of_day
from ssm_net.ingest.naming import SMAP_L3, amsr_in_name, is_fengyun
from ssm_net.ingest.other_kinds import require_kind
from ssm_net.ingest.products import product
from ssm_net.ingest.quantities import SOIL_MOISTURE, SOIL_MOISTURE_ERROR
from ssm_net.ingest.ranges import plausible
from ssm_net.ingest.raster import GranuleError
from ssm_net.ingest.volumetric import volumetric

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
    family = entry.family if entry is not None else None
    if family == "latlon_ssm":
        return MERGED[0]
    if family == "smap":
        return 4
    if family == "smos":
        return 16
    if family in ("lprm", "au_land") and (named := amsr_in_name(family, granule.path.name)) is not None:
        return AMSR_RECORDS[family, *named]
    if granule.tile == FENGYUN or is_fengyun(granule.path.name):
        return 3
    last = BY_CODE[1].last
    return 1 if last is not None and granule.day <= last else 2


def by_record(granules: Sequence[Granule]) -> list[tuple[Granule, ...]]:
    """Granules by the record that they belong to, in the order of the table of radiometers."""
    codes = [record_in(g) for g in granules]
    return [tuple(g for g, c in zip(granules, codes, strict=True) if c == code) for code in sorted(set(codes))]


def _read(granule: Granule, domain: Domain, day: dt.date) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Soil moisture, its error, its source and the hours from the night overpass to it, each (R, C)."""
    entry = product(granule.product)
    family = entry.family if entry is not None else None
    path, filed, code = granule.path, granule.day, record_in(granule)
    if family == "latlon_ssm":
        ssm, sigma, source, seen = _quarter_degree(granule, domain, day)
        hours = _usual_hours(source)
        np.copyto(hours, seen, where=np.isfinite(seen))
        return ssm, sigma, source, hours
    source = np.full(domain.coarse_shape, code, np.uint8)
    unknown = np.full(domain.coarse_shape, BY_CODE[code].sigma or np.nan, np.float32)
    if family == "smap" and (path.suffix.lower() == ".h5" or smap.has_groups(path)):
        ssm, sigma, hours = smap.read_smap(path, domain, filed)
        return ssm, sigma, source, hours
    if family in ("lprm", "smos"):
        ssm, sigma, hours = (lprm.read_lprm if family == "lprm" else smos.read_smos)(path, domain, filed)
        return ssm, sigma, source, hours
    if family == "au_land":
        ssm, hours = au_land.read_half_orbit(path, domain, filed)
        return ssm, unknown, source, hours
    if family not in ("easegrid", "smap"):
        raise GranuleError(path, f"{granule.product} is no product of soil moisture", day=filed)
    ssm = easegrid.read_map(path, domain, granule.product)
    if family == "smap" and re.search(SMAP_L3, path.name):
        hours = smap.hours_of_map(path, domain, filed)
        return np.where(of_day(hours), ssm, np.nan), unknown, source, hours
    return ssm, unknown, source, _usual_hours(source)


def _usual_hours(source: np.ndarray) -> np.ndarray:
    """Hours from the night overpass to that of each sensor, of the shape of ``source``."""
    hours = np.full(source.shape, np.nan, np.float32)
    for code in np.unique(source):
        hours[source == code] = BY_CODE[int(code)].overpass - NIGHT_HOUR
    return hours


def _quarter_degree(
    granule: Granule, domain: Domain, day: dt.date
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """C3S or CCI: the area-weighted mean of the valid quarter-degree cells in each coarse cell, with its error, its
    source and, where the file states times, the hours from the night overpass of ``day``."""
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
    weights = CellWeights.of_degrees(grid, domain)
    valid = np.isfinite(sm) & (np.abs(seen) < 12 if granule.day != day else ~(np.abs(seen) >= 12))
    valid &= ssm_flags.usable(path, granule.product, flags, valid & weights.inside)
    sm = plausible(np.where(valid, sm, np.nan), SOIL_MOISTURE, path, name, granule.day, linear=linear)
    valid = np.isfinite(sm)
    cover = weights.cover(valid)
    enough = cover >= MIN_COVER
    ssm = weights.mean(sm, valid, enough)
    sigma = np.full(ssm.shape, np.nan, np.float32)
    if extra["sm_uncertainty"] is not None:
        error = plausible(np.where(valid, extra["sm_uncertainty"], np.nan), SOIL_MOISTURE_ERROR, path, "sm_uncertainty",
                          granule.day, linear=linear)  # fmt: skip
        with np.errstate(invalid="ignore"):
            sigma = weights.mean(error, error > 0, enough)
    source = np.full(ssm.shape, 6, np.uint8)
    if extra["sensor"] is not None:
        for code, bit in ((5, CCI_AMSR2), (7, CCI_SMOS)):
            fraction = weights.cover(valid & (extra["sensor"] == bit))
            source[fraction > 0.5 * cover] = code
    return ssm, sigma, source, weights.mean(seen, valid & np.isfinite(seen), enough)


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
    return seconds / 3600 + domain.same_turn(grid.lon) / 15 - NIGHT_HOUR
