"""An extraction as a file: CSV and Parquet with a row a place and day, or CF NetCDF with a series a place."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from ssm_net.core.files import write_whole
from ssm_net.extract.errors import ExtractError

PLACE_COLUMNS = ("name", "lon", "lat")  # of each row, before the day
DEGREES, VALUES, FRACTIONS = 6, 5, 4  # decimals of a table: 0.1 m, 1e-5 m3 m-3, 1e-4


def check_writable(path: Path) -> None:
    """Raises ``ExtractError`` where a file of this kind cannot be written here, before anything is read."""
    if path.is_dir():
        raise ExtractError(f"to={path} is a folder: give the name of a file in it, to={path / 'series.csv'}")
    if path.suffix.lower() == ".parquet":
        try:
            import pyarrow  # noqa: F401
        except ImportError as err:
            raise ExtractError(f"to={path}: Parquet needs pyarrow: pip install 'ssm_net[extract]', or give to= a name "
                               "that ends in .csv or .nc") from err  # fmt: skip


def write_series(dataset: xr.Dataset, path: Path) -> Path:
    """Write what ``at_points`` or ``over_areas`` returns, by the suffix of ``path``; a file that is there is replaced.

    Raises ``OSError`` where the disk is full.
    """
    suffix = path.suffix.lower()
    if suffix == ".nc":
        return write_whole(path, netcdf_bytes(dataset))
    frame = as_table(dataset)
    if suffix == ".csv":
        return write_whole(path, csv_bytes(frame))
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return write_whole(path, buffer.getvalue())


def as_table(dataset: xr.Dataset) -> pd.DataFrame:
    """A row a place and day: name, lon, lat, day, then all variables of days, and ``note``; missing values are NaN."""
    places, days = dataset.sizes["place"], dataset.sizes["time"]
    columns: dict[str, np.ndarray | pd.Categorical] = {"name": _repeated(dataset["name"].values, days)}
    for key in ("lon", "lat"):
        columns[key] = np.repeat(np.round(dataset[key].values.astype(float), DEGREES), days)
    columns["day"] = pd.Categorical.from_codes(
        np.tile(np.arange(days), places), dataset["time"].values.astype("datetime64[D]").astype(str)
    )
    for name, variable in dataset.data_vars.items():
        if variable.dims == ("place", "time"):
            decimals = FRACTIONS if str(name).startswith("fraction_") else VALUES
            columns[str(name)] = np.round(variable.values.astype(float), decimals).ravel()
    columns["note"] = _repeated(dataset["note"].values, days)
    return pd.DataFrame(columns)


def csv_bytes(frame: pd.DataFrame) -> bytes:
    """A table as CSV in UTF-8, empty where a value is missing. Rounded numbers and names repeat, so each is written as
    text once: a tenth of the time of pandas, which writes every cell by itself."""

    def as_text(column: pd.Series) -> list[str]:
        codes, values = pd.factorize(column.array)
        number = pd.api.types.is_float_dtype(column.dtype)
        texts = [f"{v:.10g}" if number else _quoted(str(v)) for v in values]
        return np.array([*texts, ""], object)[codes].tolist()  # the code of a missing value is -1

    header = ",".join(_quoted(str(name)) for name in frame.columns)
    rows = zip(*(as_text(frame[name]) for name in frame.columns), strict=True)
    return "\n".join([header, *map(",".join, rows), ""]).encode()


def _quoted(text: str) -> str:
    """A field of a CSV file, in quotes where it needs them (RFC 4180)."""
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"\r\n') else text


def _repeated(texts: np.ndarray, days: int) -> pd.Categorical:
    words, codes = np.unique(texts.astype(str), return_inverse=True)
    return pd.Categorical.from_codes(np.repeat(codes, days), words)


def netcdf_bytes(dataset: xr.Dataset) -> bytes:
    """A CF file of time series, compressed; made in memory, so that it is whole or absent."""
    storage = {"zlib": True, "complevel": 4, "shuffle": True, "_FillValue": np.float32(np.nan)}
    encoding: dict = {name: storage for name, v in dataset.data_vars.items() if v.dims == ("place", "time")}
    encoding |= {name: {"_FillValue": None} for name in ("lon", "lat")}
    encoding["time"] = {"dtype": "int32", "units": "days since 2000-01-01 00:00:00", "calendar": "standard"}
    dataset = dataset.assign({n: dataset[n].astype("float32") for n, v in dataset.data_vars.items() if v.dtype == float
                              and v.dims == ("place", "time")})  # fmt: skip
    return bytes(dataset.to_netcdf(engine="h5netcdf", format="NETCDF4", encoding=encoding))
