"""Monthly means: the mean of the days of a month that have a value, and how many they are."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from ssm_net.climate.cf_file import SOURCE_DIGEST, FileContents, block_file, time_axis
from ssm_net.climate.day_of_year import month_end
from ssm_net.climate.day_sums import DaySums, Moments, one_day
from ssm_net.climate.map_record import MapRecord, block_rows, blocks
from ssm_net.climate.variables import NUMBER_OF_DAYS, flag_counts, flag_days, soil_moisture, standard_error
from ssm_net.core.days import ONE_DAY, runs
from ssm_net.formats.product import STANDARD_NAME

METHODS = "time: mean area: mean (of the days with a value)"


def monthly_digest(record: MapRecord, year: int, month: int) -> str:
    return record.digest(record.of_month(year, month), product="monthly")


def write_month(record: MapRecord, year: int, month: int, path: Path) -> Path:
    """Write the means of a month of which there is a map. Raises ``MosaicError`` where one is damaged."""
    numbers = record.of_month(year, month)
    days = [record.days[n] for n in numbers]
    rows = block_rows(record.shape[1], DaySums.BYTES_A_PIXEL)
    with block_file(path, record, _contents(record, year, month, path.stem), rows) as file:
        for block in blocks(record.shape, rows):
            sums: DaySums | None = None
            for number, day in zip(numbers, days, strict=True):
                pixels = record.read(number, block)
                sums = sums or DaySums.zero(pixels.ssm.shape)
                sums.add(pixels, day.year, one_day(record.errors, number))
            assert sums is not None
            moments = Moments.of(sums, days)
            file.write(0, block, {
                "ssm": moments.mean, "ssm_uncertainty": moments.sigma, "ssm_spread": moments.spread,
                "number_of_days": sums.days, **flag_counts(sums.flags),
            })  # fmt: skip
    return path


def _contents(record: MapRecord, year: int, month: int, name: str) -> FileContents:
    first, end = dt.date(year, month, 1), month_end(year, month)
    numbers = record.of_month(year, month)
    present = {record.days[n] for n in numbers}
    missing = [day for n in range((end - first).days) if (day := first + n * ONE_DAY) not in present]
    variables = {
        "ssm": soil_moisture("monthly mean of the volumetric soil moisture of the top 5 cm", METHODS,
                             standard_name=STANDARD_NAME, ancillary_variables="ssm_uncertainty number_of_days"),
        "ssm_uncertainty": standard_error("standard error of the monthly mean", METHODS,
                                          standard_name=f"{STANDARD_NAME} standard_error"),
        "ssm_spread": soil_moisture("standard deviation of the days", "time: standard_deviation area: mean",
                                    standard_name=STANDARD_NAME),
        "number_of_days": NUMBER_OF_DAYS, **flag_days(),
    }  # fmt: skip
    attrs = {
        "id": name, "title": f"Monthly mean 1 km surface soil moisture, {record.maps.mosaics.domain_name}, "
        f"{year}-{month:02d}",
        "summary": "Mean of the daily maps of surface soil moisture (top 5 cm) over the days of the month that have a "
        "value, with its standard error, and the number of days with a value and with each quality flag.",
        "comment": "Missing days are not filled: number_of_days says how many days a mean rests on. The standard error "
        "is that of the mean of these days, not of all days of the month.",
        "time_coverage_start": f"{first}T00:00:00Z", "time_coverage_end": f"{first}T00:00:00Z",
        "time_coverage_duration": "P1M", "time_coverage_resolution": "P1M",
        "days_without_map": runs(missing) or "none", SOURCE_DIGEST: monthly_digest(record, year, month),
    }  # fmt: skip
    return FileContents(variables, time_axis("month", [first], [(first, end)]), attrs, numbers)
