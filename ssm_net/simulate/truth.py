"""The truth of a world as a Zarr store, one chunk a day, written under another name until it is complete."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from ssm_net.simulate.world.land import Land
from ssm_net.simulate.world.overpass import WorldDay

OPEN_WATER = 0.5  # water fraction above which a pixel has no soil


@dataclass(frozen=True)
class TruthStore:
    """``ssm`` (m3 m-3), ``lst_day``, ``lst_night`` (K, under cloud too), ``clear_day``, ``clear_night``, ``water``."""

    path: Path
    land: Land
    first: dt.date

    @property
    def _part(self) -> Path:
        return self.path.with_name(self.path.name + ".part")

    def begin(self) -> None:
        """Remove the store of an interrupted run: days are written in order, so it starts anew."""
        shutil.rmtree(self._part, ignore_errors=True)

    def append(self, day: WorldDay) -> None:
        """Write the day that follows the last one."""
        dims = ("time", "y", "x")
        gbox = self.land.domain.fine
        ssm = np.where(self.land.water <= OPEN_WATER, day.night.ssm, np.nan)
        of_day = {"long_name": "local day; its state is that of 01:30 local solar time"}
        y, x = (gbox.coordinates[d].values for d in gbox.dims)
        ds = xr.Dataset(
            {
                "ssm": (dims, ssm[None], {"units": "m3 m-3", "long_name": "soil moisture, 0-5 cm"}),
                "lst_day": (dims, day.noon.lst[None], {"units": "K", "long_name": "surface temperature at 13:30"}),
                "lst_night": (dims, day.night.lst[None], {"units": "K", "long_name": "surface temperature at 01:30"}),
                "clear_day": (dims, (day.noon.margin > 0)[None], {"long_name": "no cloud at 13:30"}),
                "clear_night": (dims, (day.night.margin > 0)[None], {"long_name": "no cloud at 01:30"}),
            },
            {
                "time": ("time", [np.datetime64(day.date, "ns")], of_day),
                "y": ("y", y, {"units": "metre", "standard_name": "projection_y_coordinate"}),
                "x": ("x", x, {"units": "metre", "standard_name": "projection_x_coordinate"}),
            },
            {
                "title": "truth of a synthetic world",
                "crs": self.land.domain.grid.crs,
                "domain": self.land.domain.name,
            },
        )
        if self._part.exists():
            ds.to_zarr(self._part, mode="a", append_dim="time", consolidated=False, zarr_format=3)
            return
        ds["water"] = (("y", "x"), self.land.water, {"units": "1", "long_name": "water fraction"})
        chunks = (1, *gbox.shape)
        packed = {"dtype": "int16", "_FillValue": -32768, "chunks": chunks}
        temperature = {**packed, "scale_factor": 0.01, "add_offset": 300.0}
        encoding = {
            "ssm": {**packed, "scale_factor": 2e-5},
            "lst_day": temperature,
            "lst_night": temperature,
            "clear_day": {"chunks": chunks},
            "clear_night": {"chunks": chunks},
            "time": {"units": f"days since {self.first.isoformat()}", "dtype": "int32", "chunks": (1024,)},
        }
        ds.to_zarr(self._part, mode="w", encoding=encoding, consolidated=False, zarr_format=3)

    def finish(self) -> None:
        """Rename the complete store into place."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.replace(self._part, self.path)
