"""A folder of daily mosaics, read a day at a time; the error of an evaluation."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from ssm_net.errors import SsmNetError
from ssm_net.formats.mosaic_days import day_path, days_done, read_day
from ssm_net.formats.product import Mosaic
from ssm_net.grid import Domain


class EvaluationError(SsmNetError):
    """The inputs cannot be scored; the message says why and what to do."""


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
        content = f"it holds {', '.join(others)}, ..." if others else "it is empty or does not exist"
        raise EvaluationError(
            f"{folder} holds no mosaic ssm_{domain.name}_yyyymmdd.nc of the cube's domain ({content}); make them "
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
