"""Truth: the known 1 km soil moisture of a simulated world, read a day at a time."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from ssm_net.errors import SsmNetError
from ssm_net.grid import Domain


class TruthError(SsmNetError):
    """The truth is absent, incomplete or of another domain."""


@dataclass(frozen=True)
class Truth:
    """The known 1 km soil moisture of a simulated world; ``days`` maps each day to its place on the time axis."""

    path: Path
    dataset: xr.Dataset
    days: dict[dt.date, int]
    water: np.ndarray  # fraction, (Ny, Nx)

    @classmethod
    def open(cls, path: Path, domain: Domain) -> Truth:
        """The truth of ``domain``, of which only the water fraction is read at once.

        Raises ``TruthError`` where the store does not exist, lacks a variable or lies on another grid.
        """
        if not path.exists():
            raise TruthError(f"{path}: no such truth; simulate.py writes RAW/truth.zarr, or leave truth= out")
        dataset = xr.open_zarr(path, chunks=None, consolidated=False)
        if missing := [name for name in ("ssm", "water") if name not in dataset]:
            raise TruthError(f"{path} has no variable {', '.join(missing)}: it is not a truth made by simulate.py")
        for dim in domain.fine.dims:
            expected = np.asarray(domain.fine.coordinates[dim].values)
            stored = dataset[dim].values
            if stored.shape != expected.shape or np.abs(stored - expected).max() > 1.0:
                raise TruthError(
                    f"{path}: {dim} runs from {stored[0]:.0f} to {stored[-1]:.0f} m in {stored.size} pixels, "
                    f"the mosaics from {expected[0]:.0f} to {expected[-1]:.0f} m in {expected.size}: give the truth of "
                    "the world of these mosaics"
                )
        days = {day: i for i, day in enumerate(dataset["time"].values.astype("datetime64[D]").astype(object))}
        return cls(path, dataset, days, dataset["water"].values.astype("float32"))

    def read(self, day: dt.date) -> np.ndarray | None:
        """Soil moisture (Ny, Nx) float32 of ``day``, m3 m-3; None where the truth does not hold that day."""
        if day not in self.days:
            return None
        return self.dataset["ssm"].isel(time=self.days[day]).values.astype("float32")
