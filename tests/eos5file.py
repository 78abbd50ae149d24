"""Small HDF-EOS5 grid files and crops of EOS grids for the tests of the readers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import eosfile
import h5py
import numpy as np
import xarray as xr


def write(path: Path, grids: dict[str, dict[str, Any]], struct: bool = True, **attributes: str) -> Path:
    """``grids``: name -> left, top, shape, pixel, and ``layers``: name -> (array, attributes); as ``eosfile.write``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for key, text in attributes.items():
            file.attrs[key] = np.bytes_(text)
        for grid, content in grids.items():
            fields = file.create_group(f"HDFEOS/GRIDS/{grid}/Data Fields")
            for name, (data, stated) in content["layers"].items():
                fields.create_dataset(name, data=data, chunks=data.shape, compression=1)
                for key, value in stated.items():
                    fields[name].attrs[key] = value
        if struct:
            placed = [{**content, "projection": "HE5_GCTP_SNSOID"} for content in grids.values()]
            text = eosfile.struct_metadata(placed).encode().ljust(32000, b"\0")
            file.create_dataset("HDFEOS INFORMATION/StructMetadata.0", data=np.array(text, "S32000"))
    return path


def lst_of(kelvin: np.ndarray, hour: float = 13.5, qc: np.ndarray | int = 3 << 14) -> dict[str, Any]:
    """The layers of VNP21A1D; NaN is the fill value."""
    stored = np.where(np.isnan(kelvin), 0, np.rint(np.nan_to_num(kelvin) / 0.02)).astype(np.uint16)
    scale = {"scale_factor": 0.02, "add_offset": 0.0, "_FillValue": np.uint16(0)}
    quality = np.broadcast_to(np.asarray(qc, np.uint16), stored.shape).copy()
    time = np.full(stored.shape, round(10 * hour), np.uint8)
    return {
        "LST_1KM": (stored, {**scale, "valid_range": np.array([7500, 65535], np.uint16), "units": np.bytes_("K")}),
        "QC": (quality, {"units": np.bytes_("n/a"), "valid_range": np.array([0, 65535], np.uint16)}),
        "View_Time": (time, {"scale_factor": 0.1, "_FillValue": np.uint8(255), "units": np.bytes_("hrs")}),
    }


def write_crop(
    path: Path, layers: dict[str, tuple[np.ndarray, dict[str, Any]]], days: list[str],
    axes: tuple[np.ndarray, np.ndarray], dims: tuple[str, str] = ("ydim", "xdim"), **other: Any,
) -> Path:  # fmt: skip
    """A NetCDF as AppEEARS delivers it: each layer (time, y, x), the centres of rows and columns in metres or degrees,
    days counted since 2000 in the calendar ``julian``, and a variable ``crs``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sinusoidal = {
        "grid_mapping_name": "sinusoidal",
        "semi_major_axis": 6371007.181,
        "_CoordinateAxisTypes": "GeoX GeoY",
    }
    mapping = sinusoidal if np.abs(axes[1]).max() > 360 else {"grid_mapping_name": "latitude_longitude"}
    since = (np.array(days, "datetime64[D]") - np.datetime64("2000-01-01")).astype(float)
    time = {"units": "days since 2000-01-01 00:00:00", "calendar": other.pop("calendar", "julian")}
    content: dict[str, Any] = {"crs": ((), np.int8(0), other.pop("crs", mapping))}
    content |= {
        name: (("time", *dims), data, {**stated, "grid_mapping": "crs"}) for name, (data, stated) in layers.items()
    }
    xr.Dataset(content, {"time": ("time", since, time), dims[0]: axes[0], dims[1]: axes[1]}).to_netcdf(
        path, engine=other.pop("engine", "h5netcdf")
    )
    return path
