"""The fine grid's predictors of one day: LST and reflectance, from any family of files."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from odc.geo.geobox import GeoBox

from ssm_net.ingest import hdfeos, latlon
from ssm_net.ingest.catalog import Granule
from ssm_net.ingest.products import Layer, product
from ssm_net.ingest.raster import GranuleError, Unread
from ssm_net.ingest.resample import onto_each

log = logging.getLogger(__name__)

LST_ERROR = 2.0  # K, where a product states no error


def read_lst(granules: Sequence[Granule], overpass: str, geobox: GeoBox) -> tuple[np.ndarray, np.ndarray]:
    """LST of one overpass (``day`` or ``night``) from one day's granules: (LST, its standard error), (y, x) K float32.

    NaN where cloud, bad quality or no data; all NaN where no granule holds that overpass. The two are NaN together.

    Raises ``GranuleError`` where a file is broken or on another grid.
    """
    if overpass not in ("day", "night"):
        raise ValueError(f"overpass {overpass!r}: choose day or night")
    files: list[Unread] = []
    resampling = "bilinear"
    for granule in granules:
        layer = _layer(granule, f"lst_{overpass}")
        if layer is not None:
            resampling = layer.resampling
            files += _find_lst(granule, layer, overpass, geobox)
    # The error is a class of its pixel: the nearest says it, at a tenth of the cost of a second interpolation.
    lst, sigma = onto_each(files, geobox, [resampling, "nearest"])
    np.copyto(sigma, LST_ERROR, where=np.isnan(sigma))
    np.copyto(sigma, np.nan, where=np.isnan(lst))
    return lst, sigma


def read_reflectance(granules: Sequence[Granule], geobox: GeoBox) -> dict[str, np.ndarray]:
    """Reflectance (0..1) and NDVI of one day's granules of one product: variable -> (y, x) float32, NaN where missing;
    ``quality`` is that of the red band, 0 the best and 1 the second.

    The variables are those of the product's table that at least one file holds; others are logged.

    Raises ``GranuleError`` where a file is broken, on another grid, or no file holds any variable of its product.
    """
    out: dict[str, np.ndarray] = {}
    if not granules:
        return out
    entry = product(granules[0].product)
    if entry is None or entry.role != "reflectance":
        raise GranuleError(granules[0].path, f"{granules[0].product} is no product of reflectance", day=granules[0].day)
    for layer in entry.layers:
        if not any(hdfeos.holds(granule.path, layer.names) for granule in granules):
            log.info("%s: no layer %s on %s", entry.name, layer.names[0], granules[0].day)
            continue
        files = [f for granule in granules if (f := hdfeos.find_layer(granule.path, layer, geobox)) is not None]
        told = layer.variable == "red" and layer.sigma_bits is not None
        made = onto_each(files, geobox, [layer.resampling, *["nearest"] * told])
        out[layer.variable] = made[0]
        if layer.variable == "red":
            best = np.where(np.isfinite(out["red"]), np.float32(0), np.float32(np.nan))
            out["quality"] = np.where(np.isfinite(made[1]), made[1], best) if told else best
    if not out:
        wanted = ", ".join(layer.names[0] for layer in entry.layers)
        raise GranuleError(granules[0].path, f"holds none of {wanted}", day=granules[0].day)
    return out


def _layer(granule: Granule, variable: str) -> Layer | None:
    entry = product(granule.product)
    if entry is None or entry.role != "lst":
        raise GranuleError(granule.path, f"{granule.product} is no product of LST", day=granule.day)
    return entry.layer(variable)


def _find_lst(granule: Granule, layer: Layer, overpass: str, geobox: GeoBox) -> list[Unread]:
    """LST and its error, of what the file holds near ``geobox``."""
    entry = product(granule.product)
    if entry is not None and entry.family == "latlon_lst":
        if overpass.upper() not in (granule.tile or ""):
            return []
        return _read_cci(granule)
    found = hdfeos.find_layer(granule.path, layer, geobox)
    if found is None:
        return []
    return [found if layer.sigma_bits is not None else Unread(found.geobox, lambda: _with_error(*found.read()))]


def _with_error(lst: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return lst, np.where(np.isnan(lst), np.float32(np.nan), np.float32(LST_ERROR))


def _read_cci(granule: Granule) -> list[Unread]:
    path = granule.path
    with latlon.opened(path) as dataset:
        grid = latlon.axes(path, dataset)
        name = latlon.find(path, dataset, ("lst",), "LST")
        lst = latlon.field(path, dataset, name, grid, granule.day)
        if "lst_uncertainty" in dataset.variables:
            sigma = latlon.field(path, dataset, "lst_uncertainty", grid, granule.day)
            sigma = np.where(np.isnan(sigma), LST_ERROR, sigma)
        else:
            sigma = np.full(lst.shape, LST_ERROR)
    sigma[np.isnan(lst)] = np.nan
    pairs = zip(latlon.rasters(grid, lst), latlon.rasters(grid, sigma), strict=True)
    return [Unread(a.geobox, lambda a=a, b=b: (a.data, b.data)) for a, b in pairs]  # type: ignore[misc]
