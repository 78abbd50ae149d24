"""Readers of the predictors on the fine grid, one day at a time: LST and reflectance from any family of files."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from odc.geo.geobox import GeoBox

from ssm_net.core.clock import OVERPASSES
from ssm_net.ingest import hdfeos, latlon, quantities
from ssm_net.ingest.catalog import Granule
from ssm_net.ingest.products import Layer, product
from ssm_net.ingest.quantities import LST
from ssm_net.ingest.ranges import conversion, plausible
from ssm_net.ingest.raster import GranuleError, LazyRaster
from ssm_net.ingest.resample import regrid_each

log = logging.getLogger(__name__)

LST_ERROR = 2.0  # K, where a product states no error


def read_lst(granules: Sequence[Granule], overpass: str, geobox: GeoBox) -> tuple[np.ndarray, np.ndarray]:
    """LST of one overpass (``day`` or ``night``) from one day's granules: (LST, its standard error), (y, x) K float32.

    NaN where cloud, bad quality or no data; all NaN where no granule holds that overpass. The two are NaN together.

    Raises ``GranuleError`` where a file is damaged or on another grid.
    """
    assert overpass in OVERPASSES, overpass
    files: list[LazyRaster] = []
    resampling = "bilinear"
    for granule in granules:
        layer = _layer(granule, f"lst_{overpass}")
        if layer is not None:
            resampling = layer.resampling
            files += _find_lst(granule, layer, overpass, geobox)
    # The error is a class of each pixel: nearest neighbour, at a tenth of the cost of a second interpolation.
    lst, sigma = regrid_each(files, geobox, [resampling, "nearest"])
    np.copyto(sigma, LST_ERROR, where=np.isnan(sigma))
    np.copyto(sigma, np.nan, where=np.isnan(lst))
    return lst, sigma


def read_reflectance(granules: Sequence[Granule], geobox: GeoBox) -> dict[str, np.ndarray]:
    """Reflectance (0..1) and NDVI of one day's granules of one product: variable -> (y, x) float32, NaN where missing.

    The variables are those of the product that at least one file holds (others are logged), and ``quality``, that of
    the red band: 0 the best and 1 the second.

    Raises ``GranuleError`` where a file is damaged, on another grid, or no file holds any variable of its product.
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
        has_quality = layer.variable == "red" and layer.has_error
        fields = regrid_each(files, geobox, [layer.resampling, *["nearest"] * has_quality])
        out[layer.variable] = fields[0]
        if layer.variable == "red":
            best = np.where(np.isfinite(out["red"]), np.float32(0), np.float32(np.nan))
            out["quality"] = np.where(np.isfinite(fields[1]), fields[1], best) if has_quality else best
    if not out:
        wanted = ", ".join(layer.names[0] for layer in entry.layers)
        raise GranuleError(granules[0].path, f"holds none of {wanted}", day=granules[0].day)
    return out


def _layer(granule: Granule, variable: str) -> Layer | None:
    entry = product(granule.product)
    if entry is None or entry.role != "lst":
        raise GranuleError(granule.path, f"{granule.product} is no product of LST", day=granule.day)
    return entry.layer(variable)


def _find_lst(granule: Granule, layer: Layer, overpass: str, geobox: GeoBox) -> list[LazyRaster]:
    """LST of a granule near ``geobox`` and its error; nothing where it holds no such overpass."""
    entry = product(granule.product)
    if entry is not None and entry.family == "latlon_lst":
        if overpass.upper() not in (granule.tile or ""):
            return []
        return _read_cci(granule)
    lazy = hdfeos.find_layer(granule.path, layer, geobox)
    if lazy is None:
        return []
    return [lazy if layer.sigma_bits is not None else LazyRaster(lazy.geobox, lambda: _with_error(*lazy.read()))]


def _with_error(lst: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return lst, np.where(np.isnan(lst), np.float32(np.nan), np.float32(LST_ERROR))


def _read_cci(granule: Granule) -> list[LazyRaster]:
    path = granule.path
    with latlon.open_netcdf(path) as dataset:
        grid = latlon.axes(path, dataset)
        name = latlon.find_variable(path, dataset, ("lst",), "LST")
        lst = latlon.field(path, dataset, name, grid, granule.day)
        linear = conversion(LST, latlon.encoding_of(path, dataset[name]))
        lst = plausible(lst, LST, path, name, granule.day, linear=linear)
        if "lst_uncertainty" in dataset.variables:
            sigma = latlon.field(path, dataset, "lst_uncertainty", grid, granule.day)
            sigma = plausible(sigma, quantities.LST_ERROR, path, "lst_uncertainty", granule.day)
            sigma = np.where(np.isnan(sigma), LST_ERROR, sigma)
        else:
            sigma = np.full(lst.shape, LST_ERROR)
    sigma[np.isnan(lst)] = np.nan
    pairs = zip(latlon.rasters(grid, lst), latlon.rasters(grid, sigma), strict=True)
    return [LazyRaster(a.geobox, lambda a=a, b=b: (a.data, b.data)) for a, b in pairs]  # type: ignore[misc]
