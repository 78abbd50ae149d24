"""Day-of-year climatology: mean and spread of the days of all years in a window around each day of the year."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ssm_net.climate.cf_file import SOURCE_DIGEST, BlockFile, FileContents, block_file, time_axis
from ssm_net.climate.day_of_year import (
    climatology_bounds,
    place_of,
    places_of_month,
    representative_day,
    window_places,
)
from ssm_net.climate.day_sums import DaySums, Moments, number_of_years, one_day
from ssm_net.climate.map_record import Block, MapRecord, block_rows, blocks, shape_of
from ssm_net.climate.variables import (
    NUMBER_OF_DAYS,
    NUMBER_OF_YEARS,
    flag_counts,
    flag_days,
    soil_moisture,
    standard_error,
)
from ssm_net.core.days import ONE_DAY
from ssm_net.formats.product import REGION_ERROR_ATTRIBUTE, STANDARD_NAME

METHODS = "time: mean within years time: mean over years (of the days with a value)"
SPREAD_METHODS = (
    "time: standard_deviation within years time: standard_deviation over years (of the days with a value, all together)"
)


@dataclass(frozen=True)
class Reference:
    """What a climatology rests on: the maps of the years ``first`` to ``last``, and ``half`` days on each side of a day
    of the year."""

    record: MapRecord
    first: int
    last: int
    half: int

    @property
    def years(self) -> range:
        return range(self.first, self.last + 1)

    def numbers(self, month: int) -> dict[int, list[int]]:
        """For each place of the calendar that the windows of a month hold, the numbers of its maps."""
        places: dict[int, list[int]] = {
            place: [] for centre in places_of_month(month) for place in window_places(centre, self.half)
        }
        for n in self.record.of_years(self.first, self.last):
            if (place := place_of(self.record.days[n])) in places:
                places[place].append(n)
        return places

    def all_numbers(self, month: int) -> list[int]:
        return sorted(n for numbers in self.numbers(month).values() for n in numbers)

    def settings(self) -> dict[str, Any]:
        return {"years": [self.first, self.last], "window": self.half}

    def attributes(self) -> dict[str, Any]:
        return {"reference_years": f"{self.first} .. {self.last}", "window": f"{2 * self.half + 1} days",
                "window_days_each_side": np.int32(self.half)}  # fmt: skip


def climatology_digest(reference: Reference, month: int) -> str:
    return reference.record.digest(reference.all_numbers(month), product="climatology", **reference.settings())


def write_climatology(reference: Reference, month: int, path: Path) -> Path:
    """Write the climatology of the days of a month (1 to 12). Raises ``MosaicError`` where a map is damaged."""
    record, numbers = reference.record, reference.numbers(month)
    rows = block_rows(record.shape[1], len(numbers) * DaySums.BYTES_A_PIXEL)
    with block_file(path, record, _contents(reference, month, path.stem), rows) as file:
        for block in blocks(record.shape, rows):
            _write_block(file, reference, month, numbers, block)
    return path


def _write_block(
    file: BlockFile, reference: Reference, month: int, numbers: dict[int, list[int]], block: Block
) -> None:
    """Each map is read once: sums of each day of the year, then of the windows."""
    record, shape = reference.record, shape_of(block)
    by_place = {place: DaySums.zero(shape) for place in numbers}
    for place, maps in numbers.items():
        for n in maps:
            by_place[place].add(record.read(n, block), record.days[n].year, one_day(record.errors, n))
    for time, centre in enumerate(places_of_month(month)):
        window = window_places(centre, reference.half)
        sums = DaySums.zero(shape)
        for place in window:
            sums.merge(by_place[place])
        moments = Moments.of(sums, [record.days[n] for place in window for n in numbers[place]])
        file.write(time, block, {
            "ssm": moments.mean, "ssm_spread": moments.spread, "ssm_uncertainty": moments.sigma,
            "number_of_days": sums.days, "number_of_years": number_of_years(sums), **flag_counts(sums.flags),
        })  # fmt: skip


def _contents(reference: Reference, month: int, name: str) -> FileContents:
    record, numbers = reference.record, reference.all_numbers(month)
    places = list(places_of_month(month))
    variables = {
        "ssm": soil_moisture(
            "mean volumetric soil moisture of the top 5 cm in the window around the day of the year", METHODS,
            standard_name=STANDARD_NAME, ancillary_variables="ssm_uncertainty number_of_days number_of_years"),
        "ssm_spread": soil_moisture("standard deviation of the days in the window", SPREAD_METHODS,
                                    standard_name=STANDARD_NAME),
        "ssm_uncertainty": standard_error("standard error of the mean", METHODS,
                                          standard_name=f"{STANDARD_NAME} standard_error"),
        "number_of_days": NUMBER_OF_DAYS, "number_of_years": NUMBER_OF_YEARS, **flag_days(),
    }  # fmt: skip
    bounds = [climatology_bounds(place, reference.half, reference.years) for place in places]
    days = [representative_day(place, reference.years) for place in places]
    axis = time_axis("day of the year", days, bounds, "climatology", "climatology_bounds")
    of_year = {"long_name": "day of the year in a leap year: 29 February is 60, 1 March is 61", "units": "1",
               "coverage_content_type": "coordinate"}  # fmt: skip
    axis["day_of_year"] = xr.Variable("time", np.array(places, np.int16) + np.int16(1), of_year)
    region = math.sqrt(float(np.mean(record.errors.region[numbers] ** 2))) if numbers else 0.0
    attrs = {
        "id": name, "title": f"Climatology of 1 km surface soil moisture, {record.maps.mosaics.domain_name}, month "
        f"{month:02d}, {reference.first} .. {reference.last}",
        "summary": "Mean and standard deviation of the daily maps of surface soil moisture (top 5 cm) of all years in "
        "a window around each day of the year, with the number of days and years that they rest on.",
        "comment": "Missing days are not filled: number_of_days and number_of_years say what a value rests on. The "
        "year of the time axis is a label.",
        "time_coverage_start": f"{min(b for b, _ in bounds)}T00:00:00Z",
        "time_coverage_end": f"{max(e for _, e in bounds) - ONE_DAY}T00:00:00Z",
        "time_coverage_duration": f"P{len(reference.years)}Y", "time_coverage_resolution": "P1D",
        REGION_ERROR_ATTRIBUTE: region, **reference.attributes(), SOURCE_DIGEST: climatology_digest(reference, month),
    }  # fmt: skip
    return FileContents(variables, axis, attrs, numbers)


def years_of(record: MapRecord, years: Sequence[int]) -> tuple[int, int]:
    """The first and last year that are asked for, or that the record has."""
    return (years[0], years[1]) if years else (record.days[0].year, record.days[-1].year)
