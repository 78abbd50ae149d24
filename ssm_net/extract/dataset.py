"""The dataset of an extraction: a CF discrete sampling geometry, time series at places that share their days.

Source: CF conventions 1.11, section 9.3 and appendix H.2.1 ("orthogonal multidimensional array representation of time
series").
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from ssm_net.dateline import wrapped
from ssm_net.extract.error_correlation import CELL_RANGE_KM, INSIDE_RANGE_KM
from ssm_net.extract.map_grid import MapGrid
from ssm_net.extract.means import PlaceMeans
from ssm_net.extract.selection import OUTSIDE, Selection
from ssm_net.formats.netcdf import LATITUDE, LONGITUDE, time_coordinate
from ssm_net.formats.product import STANDARD_NAME, UNITS
from ssm_net.version import __version__

OF_GRID = ("domain_window", "coarse_grid", "geospatial_lat_min", "geospatial_lat_max", "geospatial_lon_min",
           "geospatial_lon_max", "inference_tile", "history", "title", "summary")  # fmt: skip
NAME = {"long_name": "name of the place", "cf_role": "timeseries_id"}
MEANINGS = {  # of the variables (place, time) in m3 m-3
    "ssm": "volumetric soil moisture of the top 5 cm, mean over the valid pixels of the place",
    "ssm_uncertainty": "standard error of the mean soil moisture",
    "uncertainty_inside": "part of the standard error that is from errors inside cells",
    "uncertainty_cell": "part of the standard error that is from errors that the pixels of a cell share",
    "uncertainty_region": "part of the standard error that is from the error that all pixels share",
}


def as_dataset(
    means: PlaceMeans, selection: Selection, grid: MapGrid, days: Sequence[dt.date], attrs: dict[str, Any]
) -> xr.Dataset:
    """``attrs`` are those that the maps share; what belongs to their grid is left out."""
    dims = ("place", "time")
    values = (means.ssm, means.total, means.inside, means.cell, means.region)
    variables: dict[str, Any] = {
        name: (dims, field, {"long_name": meaning, "units": UNITS})
        for (name, meaning), field in zip(MEANINGS.items(), values, strict=True)
    }
    variables["ssm"][2].update(standard_name=STANDARD_NAME, ancillary_variables="ssm_uncertainty fraction_valid",
                               cell_methods="time: point area: mean")  # fmt: skip
    variables["ssm_uncertainty"][2]["standard_name"] = f"{STANDARD_NAME} standard_error"
    fractions = {"valid": means.valid} | means.flags
    for name, field in fractions.items():
        meaning = "has a value" if name == "valid" else f"has the flag {name}"
        variables[f"fraction_{name}"] = dims, field, {"long_name": f"part of the place that {meaning}", "units": "1"}
    variables["pixels"] = "place", np.diff(selection.weights.indptr), {"long_name": "pixels of the place", "units": "1"}
    variables["note"] = (
        "place",
        notes(means, selection),
        {"long_name": "what is to be known of the place; empty: nothing"},
    )
    if not selection.areas:
        lon, lat = grid.centres(
            *(np.array([_first(selection, p, axis) for p in range(len(selection.names))]) for axis in (0, 1))
        )
        known = selection.inside > 0
        for name, centre, like in (("pixel_lon", lon, LONGITUDE), ("pixel_lat", lat, LATITUDE)):
            variables[name] = (
                "place",
                np.where(known, centre, np.nan),
                like | {"long_name": f"{like['long_name']} of the centre of the pixel"},
            )
    coordinates = {
        "time": time_coordinate(days),
        "name": ("place", np.array(selection.names, object), NAME),
        "lon": ("place", wrapped(selection.lon), LONGITUDE), "lat": ("place", selection.lat, LATITUDE),
    }  # fmt: skip
    dataset = xr.Dataset(variables, coordinates, _attributes(selection, days, attrs))
    return xr.decode_cf(dataset)


def _first(selection: Selection, place: int, axis: int) -> int:
    pixels = selection.pixels_of(place)[axis]
    return int(pixels[0]) if len(pixels) else 0


def _attributes(selection: Selection, days: Sequence[dt.date], attrs: dict[str, Any]) -> dict[str, Any]:
    kind = "means over areas" if selection.areas else "series at points"
    return {key: value for key, value in attrs.items() if key not in OF_GRID} | {
        "Conventions": "CF-1.11", "featureType": "timeSeries",
        "title": f"Daily surface soil moisture, {kind}, {attrs['domain']}, {days[0]} .. {days[-1]}",
        "uncertainty_correlation": (
            f"errors inside cells exp(-d / {INSIDE_RANGE_KM:g} km), errors that cells share exp(-d / "
            f"{CELL_RANGE_KM:g} km), errors of the region 1"
        ),
        "history": f"extracted by ssm_net {__version__}",
    }  # fmt: skip


def notes(means: PlaceMeans, selection: Selection) -> np.ndarray:
    """What is to be known of each place, text (places,): outside the maps, masked on all days, partly outside."""
    out = np.full(len(selection.names), "", object)
    for place, inside in enumerate(selection.inside):
        if inside == 0:
            out[place] = OUTSIDE
        elif not means.valid[place].any():
            water, frozen = (means.flags[name][place] for name in ("water", "frozen_or_snow"))
            why = "water" if water.any() else "frozen or snow" if frozen.all() else "outside the land that is mapped"
            out[place] = f"no value on any day: {why}"
        elif inside < 0.995:
            out[place] = f"{1 - inside:.0%} of it lie outside the maps and do not count"
    return out
