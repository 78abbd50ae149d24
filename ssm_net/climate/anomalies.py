"""Anomalies: each day less the climatology of its day of the year, and the same in standard deviations."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ssm_net.climate.cf_file import (
    SOURCE_DIGEST,
    FileContents,
    Variable,
    block_file,
    file_attributes,
    read_block,
    time_axis,
)
from ssm_net.climate.climatology import Reference, climatology_digest
from ssm_net.climate.day_of_year import place_of, places_of_month
from ssm_net.climate.map_record import MapRecord, block_rows, blocks
from ssm_net.climate.variables import (
    DEVIATION_SCALE,
    NUMBER_OF_DAYS,
    NUMBER_OF_YEARS,
    daily_flags,
    ratio,
    soil_moisture,
    standard_error,
)
from ssm_net.core.days import ONE_DAY
from ssm_net.formats.map_pixels import DayPixels
from ssm_net.formats.product import FILL, REGION_ERROR_ATTRIBUTE, SCALE

BYTES_A_PIXEL = 64  # of a day and its climatology
VARIABLES: Mapping[str, Variable] = {
    "anomaly": soil_moisture("soil moisture less its climatology", "time: point area: mean",
                             ancillary_variables="anomaly_uncertainty number_of_days number_of_years flags"),
    "anomaly_uncertainty": standard_error("standard error of the anomaly", "time: point area: mean"),
    "standardised_anomaly": ratio("anomaly over the standard deviation of the climatology", "1", DEVIATION_SCALE),
    "number_of_days": NUMBER_OF_DAYS, "number_of_years": NUMBER_OF_YEARS, "flags": daily_flags(),
}  # fmt: skip


def anomalies_digest(reference: Reference, min_years: int, year: int, month: int) -> str:
    return reference.record.digest(
        reference.record.of_month(year, month), product="anomalies", min_years=min_years,
        climatology=climatology_digest(reference, month),
    )  # fmt: skip


def write_anomalies(
    reference: Reference, min_years: int, year_month: tuple[int, int], climatology: Path, path: Path
) -> Path:
    """Write the anomalies of the maps of a month from the file of the ``climatology`` of its calendar month.

    Raises ``MosaicError`` where a map is damaged, ``ClimateError`` where the climatology is.
    """
    record, (year, month) = reference.record, year_month
    numbers = record.of_month(year, month)
    region = float(file_attributes(climatology)[REGION_ERROR_ATTRIBUTE].item())
    attrs = {
        "title": f"Anomalies of 1 km surface soil moisture, {record.maps.mosaics.domain_name}, {year}-{month:02d}",
        "summary": "Daily maps of surface soil moisture (top 5 cm) less the mean of all years in a window around the "
        "day of the year, in m3 m-3 and in standard deviations of the days in that window.",
        "comment": "number_of_days and number_of_years are those of the climatology. The standard error leaves out the "
        "error that all pixels share on all days, and is an upper bound: other errors that last cancel, too.",
        SOURCE_DIGEST: anomalies_digest(reference, min_years, year, month),
    }  # fmt: skip
    contents = of_days(record, numbers, VARIABLES, path.stem, reference.attributes() | attrs | {
        "least_number_of_years": np.int32(min_years)})  # fmt: skip
    rows = block_rows(record.shape[1], BYTES_A_PIXEL)
    with block_file(path, record, contents, rows) as file:
        for block in blocks(record.shape, rows):
            for time, n in enumerate(numbers):
                place = place_of(record.days[n]) - places_of_month(month).start
                usual = read_block(climatology, place, block, "ssm", "ssm_spread", "ssm_uncertainty",
                                   "number_of_days", "number_of_years")  # fmt: skip
                shared = region, float(record.errors.region[n])
                file.write(time, block, _anomalies(record.read(n, block), usual, shared, min_years))
    return path


def _anomalies(
    pixels: DayPixels, usual: Sequence[np.ndarray], region: tuple[float, float], min_years: int
) -> dict[str, np.ndarray]:
    """``usual`` are mean, spread, standard error, days and years of the climatology; ``region`` the error that all
    pixels share, of the climatology and of the day, m3 m-3."""
    mean, spread, sigma, days, years = usual
    known = (pixels.ssm != FILL) & (years >= min_years)
    anomaly = np.where(known, pixels.ssm * SCALE - mean, np.float32(np.nan))
    own = np.maximum((pixels.sigma * SCALE) ** 2 - np.float32(region[1] ** 2), 0)
    of_mean = np.maximum(sigma**2 - np.float32(region[0] ** 2), 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        deviations = np.where(spread > 0, anomaly / spread, np.float32(np.nan))
    return {
        "anomaly": anomaly, "anomaly_uncertainty": np.where(known, np.sqrt(own + of_mean), np.float32(np.nan)),
        "standardised_anomaly": deviations, "number_of_days": days, "number_of_years": years, "flags": pixels.flags,
    }  # fmt: skip


def of_days(
    record: MapRecord, numbers: Sequence[int], variables: Mapping[str, Variable], name: str, attrs: Mapping[str, Any]
) -> FileContents:
    """The contents of a file of the days of some maps."""
    days: list[dt.date] = [record.days[n] for n in numbers]
    axis: dict[str, xr.Variable] = time_axis("day of the night overpass", days, [(d, d + ONE_DAY) for d in days])
    period = {
        "id": name, "time_coverage_start": f"{days[0]}T00:00:00Z", "time_coverage_end": f"{days[-1]}T00:00:00Z",
        "time_coverage_duration": f"P{(days[-1] - days[0]).days + 1}D", "time_coverage_resolution": "P1D",
    }  # fmt: skip
    return FileContents(variables, axis, period | dict(attrs), numbers)
