"""Sums since 00 UTC (ERA5-Land), or of the hour before (ERA5): told by the values of a reanalysis."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from ssm_net.ingest import latlon, time_axis

TESTED = 64  # pixels along each axis
STEPS = 49  # of a file, from its first
PACKING = 0.05  # of all that a sum grows by, it may seem to fall, since each step is packed in its own way


def since_midnight(path: Path, dataset: xr.Dataset, name: str, grid: latlon.Axes, stamps: np.ndarray) -> bool | None:
    """Whether values never fall from one step to the next of 01:00 to 24:00 UTC; ``None`` where no two steps of a day
    differ. Raises ``GranuleError`` where the file is damaged."""
    axis = next((d for d in time_axis.TIME_NAMES if d in dataset[name].dims), None)
    if axis is None or stamps.size < 2:
        return None
    thin = {dim: slice(None, None, max(1, dataset.sizes[dim] // TESTED)) for dim in (grid.lat_dim, grid.lon_dim)}
    some = dataset[name].isel({axis: slice(0, STEPS), **thin}).transpose(axis, ...)
    days = (stamps[:STEPS] - np.timedelta64(1, "s")).astype("datetime64[D]")
    change = np.nan_to_num(np.diff(latlon.physical_values(path, some), axis=0)[days[1:] == days[:-1]])
    rise, fall = float(change.clip(0).sum()), -float(change.clip(max=0).sum())
    return None if rise == fall == 0 else fall < PACKING * rise
