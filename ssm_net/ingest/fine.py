"""Readers of the predictors on the fine grid, one day at a time: LST and reflectance from any family of files."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from odc.geo.geobox import GeoBox

from ssm_net.core.clock import OVERPASSES, filed_days, nearest_view
from ssm_net.core.platforms import platform, platform_of_sensor
from ssm_net.ingest import hdfeos, latlon, quantities
from ssm_net.ingest.catalog import Granule
from ssm_net.ingest.composites import SeenByDay
from ssm_net.ingest.notes import make_note
from ssm_net.ingest.products import Layer, Product, product
from ssm_net.ingest.quantities import LST
from ssm_net.ingest.ranges import conversion, plausible
from ssm_net.ingest.raster import GranuleError, LazyRaster
from ssm_net.ingest.resample import regrid_each
from ssm_net.ingest.views import DayOfViews, View, merged, modis_moments

log = logging.getLogger(__name__)

LST_ERROR = 2.0  # K, where a product states no error


def read_lst(
    granules: Sequence[Granule], overpass: str, geobox: GeoBox, day: dt.date | None = None, modis_day: str = "utc"
) -> tuple[np.ndarray, np.ndarray]:
    """LST of one overpass (``day`` or ``night``) from granules of one product: (LST, its standard error), (y, x) K
    float32.

    Of the ``granules`` those pixels count that local ``day`` takes for the overpass (``ssm_net/core/clock.py``), the
    nearest to its hour where there are two: by the view time of the pixel where the file has one, else by the hour of
    the platform. With ``day`` None all pixels count. ``modis_day`` as in the settings of ``prepare``. NaN where cloud,
    bad quality or no data; all NaN where no granule holds that overpass. The two are NaN together.

    Raises ``GranuleError`` where a file is damaged or on another grid.
    """
    assert overpass in OVERPASSES, overpass
    asked = None if day is None else DayOfViews.over(geobox, day, overpass, modis_day)
    files: list[LazyRaster] = []
    views: list[View] = []
    resampling = "bilinear"
    for granule in granules:
        layer = _layer(granule, f"lst_{overpass}")
        if layer is None:
            continue
        resampling = layer.resampling
        if asked is None:
            files += _find_lst(granule, layer, overpass, geobox)
        else:
            views += _find_views(granule, layer, asked, geobox)
    # The error is a class of each pixel: nearest neighbour, at a tenth of the cost of a second interpolation.
    lst, sigma = regrid_each(files + merged(views, overpass), geobox, [resampling, "nearest"])
    np.copyto(sigma, LST_ERROR, where=np.isnan(sigma))
    np.copyto(sigma, np.nan, where=np.isnan(lst))
    return lst, sigma


def read_reflectance(
    granules: Sequence[Granule], geobox: GeoBox, day: dt.date | None = None, since: Mapping[str, dt.date] | None = None
) -> dict[str, np.ndarray]:
    """Reflectance (0..1) and NDVI of one day's granules of one product, or of several that belong together: variable ->
    (y, x) float32, NaN where missing.

    The variables are those of the products that at least one file holds (others are logged), and ``quality``, that of
    the red band: 0 the best and 1 the second. Of composites those pixels count that were seen by ``day``, by file name
    from the day in ``since`` on, and ``age`` tells how many days ago; with ``day`` None all of them count.

    Raises ``GranuleError`` where a file is damaged, on another grid, or no file holds any variable of its product.
    """
    out: dict[str, np.ndarray] = {}
    if not granules:
        return out
    entries = [_reflectance_product(name, granules) for name in dict.fromkeys(g.product for g in granules)]
    period = entries[0].period
    seen = SeenByDay(day, period, since or {}) if day is not None and period else None
    for variable in dict.fromkeys(v for entry in entries for v in entry.variables):
        found = _holding(variable, entries, granules)
        if found is None:
            continue
        layer, holding = found
        if seen is not None:
            files = seen.find(holding, layer, geobox)
        else:
            files = [f for g in holding if (f := hdfeos.find_layer(g.path, layer, geobox, g.day)) is not None]
        has_quality = variable == "red" and layer.has_error
        of_age = [layer.resampling] * (seen is not None)
        fields = regrid_each(files, geobox, [layer.resampling, *of_age, *["nearest"] * has_quality])
        out[variable] = fields[0]
        if seen is not None:
            out["age"] = np.fmax(fields[1], out["age"]) if "age" in out else fields[1]
        if variable == "red":
            best = np.where(np.isfinite(out["red"]), np.float32(0), np.float32(np.nan))
            out["quality"] = np.where(np.isfinite(fields[-1]), fields[-1], best) if has_quality else best
    if not out:
        wanted = ", ".join(layer.names[0] for entry in entries for layer in entry.layers)
        raise GranuleError(granules[0].path, f"holds none of {wanted}", day=granules[0].day)
    return out


def _reflectance_product(name: str, granules: Sequence[Granule]) -> Product:
    entry = product(name)
    if entry is None or entry.role != "reflectance":
        granule = next(g for g in granules if g.product == name)
        raise GranuleError(granule.path, f"{name} is no product of reflectance", day=granule.day)
    return entry


def _holding(
    variable: str, entries: Sequence[Product], granules: Sequence[Granule]
) -> tuple[Layer, Sequence[Granule]] | None:
    """The layer of a variable and the granules of its product, of the first product with a file that holds it; None
    where there is none, which is logged."""
    for entry in entries:
        layer = entry.layer(variable)
        of_entry = [g for g in granules if g.product == entry.name]
        if layer is None:
            continue
        if any(hdfeos.holds(g.path, layer.names) for g in of_entry):
            return layer, of_entry
        log.info("%s: no layer %s on %s", entry.name, layer.names[0], granules[0].day)
    return None


def _layer(granule: Granule, variable: str) -> Layer | None:
    entry = product(granule.product)
    if entry is None or entry.role != "lst":
        raise GranuleError(granule.path, f"{granule.product} is no product of LST", day=granule.day)
    return entry.layer(variable)


def _find_lst(granule: Granule, layer: Layer, overpass: str, geobox: GeoBox) -> list[LazyRaster]:
    """LST of a granule near ``geobox`` and its error; nothing where it holds no such overpass."""
    if _is_cci(granule):
        return [a for a, _ in _read_cci(granule)] if overpass.upper() in (granule.tile or "") else []
    lazy = hdfeos.find_layer(granule.path, layer, geobox, granule.day)
    if lazy is None:
        return []
    return [lazy if layer.has_error else LazyRaster(lazy.geobox, lambda: _with_error(*lazy.read()))]


def _find_views(granule: Granule, layer: Layer, asked: DayOfViews, geobox: GeoBox) -> list[View]:
    """As ``_find_lst``, with the moments at which its pixels were seen; nothing where the day asked for takes none."""
    if _is_cci(granule):
        return _cci_views(granule, asked) if asked.overpass.upper() in (granule.tile or "") else []
    views = []
    for lazy in _find_lst(granule, layer, asked.overpass, geobox):
        times = hdfeos.find_layer(granule.path, layer.times(), geobox, granule.day)
        entry = product(granule.product)
        usual = platform(entry.platform if entry is not None else "")
        read_hours = None if times is None or times.geobox != lazy.geobox else _first_of(times)
        moments = modis_moments(granule.day, asked, usual, lazy.geobox, read_hours)
        if moments is not None:
            views.append(View(lazy, moments))
    return views


def _first_of(raster: LazyRaster) -> Callable[[], np.ndarray]:
    return lambda: raster.read()[0]


def _with_error(lst: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return lst, np.where(np.isnan(lst), np.float32(np.nan), np.float32(LST_ERROR))


def _is_cci(granule: Granule) -> bool:
    entry = product(granule.product)
    return entry is not None and entry.family == "latlon_lst"


def _cci_views(granule: Granule, asked: DayOfViews) -> list[View]:
    """LST of an ESA CCI file with its moments: the UTC time of each pixel (``dtime``), or else, taken for a file of
    local days, the hour of its platform."""
    usual = (platform_of_sensor(granule.path.name) or platform("")).hour(asked.overpass, asked.day)
    days = filed_days(asked.day, asked.overpass, usual, 0.0, (0.0, 0.0), utc=False)
    across = asked.dateline_middle is not None
    if not across and not _has_dtime(granule) and granule.day not in days:
        return []
    alone = nearest_view(asked.overpass, usual)
    midnight = np.datetime64(asked.day, "s")
    views = []
    for lazy, seconds in _read_cci(granule, midnight):
        (_, width), a = lazy.geobox.shape, lazy.geobox.affine
        lon = a.c + a.a * (np.arange(width) + 0.5)
        turns = asked.turns(lon)
        if seconds is None:
            local = alone + 24.0 * ((granule.day - days[0]).days + turns)
            views.append(View(lazy, lambda local=local: local))  # type: ignore[misc]
            continue
        local = seconds / 3600 + np.float32((lon + 360 * turns) / 15)
        views.append(View(lazy, lambda local=local: local))  # type: ignore[misc]
    return views


def _has_dtime(granule: Granule) -> bool:
    with latlon.open_netcdf(granule.path) as dataset:
        if "dtime" in dataset.variables:
            return True
    make_note(granule.path, "dtime", "there is no such layer, the time of each pixel",
              "its day is taken for a local day")  # fmt: skip
    return False


def _read_cci(granule: Granule, midnight: np.datetime64 | None = None) -> list[tuple[LazyRaster, np.ndarray | None]]:
    """LST and error of an ESA CCI file, one raster or two, each with the UTC seconds of its pixels after ``midnight``,
    (lat, lon) float32; None where the file does not tell, or is not asked."""
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
        seconds = None
        if midnight is not None and "dtime" in dataset.variables:
            seconds = latlon.seconds_since(path, dataset, "dtime", grid, granule.day, midnight)
    sigma[np.isnan(lst)] = np.nan
    fields = [latlon.rasters(grid, f) for f in (lst, sigma, *(() if seconds is None else (seconds,)))]
    out: list[tuple[LazyRaster, np.ndarray | None]] = []
    for a, b, *moments in zip(*fields, strict=True):
        lazy = LazyRaster(a.geobox, lambda a=a, b=b: (a.data, b.data))  # type: ignore[misc]
        out.append((lazy, moments[0].data if moments else None))
    return out
