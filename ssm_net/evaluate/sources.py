"""What is scored: the mosaics of a folder, the truth of a synthetic world, the coarse observations of a cube."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from ssm_net.cube.store import Cube
from ssm_net.formats.days import day_path, days_done, read_day
from ssm_net.formats.product import Mosaic
from ssm_net.grid import Domain


class EvaluationError(ValueError):
    """What was given cannot be scored; the message says why and what to do."""


@dataclass(frozen=True)
class Mosaics:
    """A folder of daily mosaics of one domain, as NetCDF or Zarr."""

    folder: Path
    domain: Domain
    format: str
    days: tuple[dt.date, ...]

    @classmethod
    def open(cls, folder: Path, domain: Domain) -> Mosaics:
        """Raises ``EvaluationError`` where the folder holds no day of ``domain`` on the domain's own grid."""
        for format in ("netcdf", "zarr"):
            if days := tuple(days_done(folder, domain.name, format)):
                return cls(folder, domain, format, days)
        others = sorted(path.name for path in folder.glob("ssm_*"))[:3] if folder.is_dir() else []
        seen = f"it holds {', '.join(others)}, ..." if others else "it is empty or not there"
        raise EvaluationError(
            f"{folder} holds no mosaic ssm_{domain.name}_yyyymmdd.nc of the cube's domain ({seen}); make them "
            f"with: python infer.py cube=CUBE run=RUN mosaics={folder}"
        )

    def path(self, day: dt.date) -> Path:
        return day_path(self.folder, self.domain.name, day, self.format)

    def read(self, day: dt.date) -> Mosaic:
        """The mosaic of ``day``. Raises ``EvaluationError`` where it lies on another grid than the cube."""
        mosaic = read_day(self.path(day), day)
        if (mosaic.domain.window, mosaic.domain.grid) != (self.domain.window, self.domain.grid):
            raise EvaluationError(
                f"{self.path(day)} lies on window {list(mosaic.domain.window)}, the cube on "
                f"{list(self.domain.window)}: give the cube from which these mosaics were made"
            )
        return mosaic


@dataclass(frozen=True)
class Truth:
    """The known 1 km soil moisture of a synthetic world, read a day at a time."""

    path: Path
    dataset: xr.Dataset
    days: dict[dt.date, int]
    water: np.ndarray  # fraction, (Ny, Nx)

    @classmethod
    def open(cls, path: Path, domain: Domain) -> Truth:
        """Raises ``EvaluationError`` where it is not there, lacks a variable or lies on another grid."""
        if not path.exists():
            raise EvaluationError(f"{path}: no such truth; simulate.py writes RAW/truth.zarr, or leave truth= out")
        dataset = xr.open_zarr(path, chunks=None, consolidated=False)
        if missing := [v for v in ("ssm", "water") if v not in dataset]:
            raise EvaluationError(f"{path} has no variable {', '.join(missing)}: it is not a truth made by simulate.py")
        for dim in domain.fine.dims:
            want = np.asarray(domain.fine.coordinates[dim].values)
            have = dataset[dim].values
            if have.shape != want.shape or np.abs(have - want).max() > 1.0:
                raise EvaluationError(
                    f"{path}: {dim} runs from {have[0]:.0f} to {have[-1]:.0f} m in {have.size} pixels, the mosaics "
                    f"from {want[0]:.0f} to {want[-1]:.0f} m in {want.size}: give the truth of "
                    "the world of these mosaics"
                )
        days = {day: i for i, day in enumerate(dataset["time"].values.astype("datetime64[D]").astype(object))}
        return cls(path, dataset, days, dataset["water"].values.astype("float32"))

    def read(self, day: dt.date) -> np.ndarray | None:
        """Soil moisture (Ny, Nx) float32 of ``day``, m3 m-3; None where the truth does not hold that day."""
        if day not in self.days:
            return None
        return self.dataset["ssm"].isel(time=self.days[day]).values.astype("float32")


def coarse_observation(cube: Cube, day: dt.date) -> np.ndarray | None:
    """The coarse soil moisture of ``day``, (R, C) m3 m-3 with NaN where unobserved; None where there is none at all."""
    if "ssm" not in cube.coarse or not cube.done(day):
        return None
    values = cube.read_coarse("ssm", day)
    return values if np.isfinite(values).any() else None
