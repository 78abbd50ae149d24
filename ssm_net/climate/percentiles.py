"""Percentiles: the rank of each day among the days of all years in the window around its day of the year (drought).

The percentile of a value is the part of the days of the window that are drier, and half of those that are equal; the
day itself is one of them where its year is a reference year. Source: mid-rank percentile, e.g. Sheffield et al. (2004),
J. Geophys. Res., 109, D24108 (cited from memory), who rank soil moisture in the distribution of its time of the year.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from ssm_net.climate.anomalies import of_days
from ssm_net.climate.cf_file import SOURCE_DIGEST, BlockFile, Variable, block_file
from ssm_net.climate.climatology import Reference
from ssm_net.climate.day_of_year import place_of, window_places
from ssm_net.climate.map_record import Block, block_rows, blocks, shape_of
from ssm_net.climate.variables import (
    DROUGHT_CLASSES,
    NO_CLASS,
    NUMBER_OF_DAYS,
    NUMBER_OF_YEARS,
    PERCENT_SCALE,
    daily_flags,
    drought_class,
    ratio,
)
from ssm_net.formats.product import FILL

DRIER = np.int16(-1)  # stands for no value in a window: below every soil moisture, so that it can be taken off again
VARIABLES: Mapping[str, Variable] = {
    "percentile": ratio("percentile of the day among the days of all years in the window", "percent", PERCENT_SCALE),
    "drought": drought_class(), "number_of_days": NUMBER_OF_DAYS, "number_of_years": NUMBER_OF_YEARS,
    "flags": daily_flags(),
}  # fmt: skip


def percentiles_digest(reference: Reference, min_years: int, year: int, month: int) -> str:
    record = reference.record
    window = record.digest(reference.all_numbers(month), **reference.settings())
    return record.digest(record.of_month(year, month), product="percentiles", min_years=min_years, window=window)


def write_percentiles(reference: Reference, min_years: int, month: int, paths: Mapping[int, Path]) -> Sequence[Path]:
    """Write the percentiles of one calendar month in several years, whose files are ``paths``, by the year: the days of
    the window are read once for all of them. Raises ``MosaicError`` where a map is damaged."""
    record, window = reference.record, reference.numbers(month)
    held = sum(map(len, window.values()))
    rows = block_rows(record.shape[1], 2 * held + 64)
    with ExitStack() as stack:
        files = {}
        for year, path in paths.items():
            attrs = {
                "title": f"Percentiles of 1 km surface soil moisture, {record.maps.mosaics.domain_name}, "
                f"{year}-{month:02d}",
                "summary": "The rank of the daily maps of surface soil moisture (top 5 cm) among the maps of all years "
                "in a window around the day of the year, and the class of drought that goes with it.",
                "comment": "0 is drier than all other days, 100 wetter. Ranks of few years are coarse: see "
                "number_of_years.",
                "least_number_of_years": np.int32(min_years), **reference.attributes(),
                SOURCE_DIGEST: percentiles_digest(reference, min_years, year, month),
            }  # fmt: skip
            contents = of_days(record, record.of_month(year, month), VARIABLES, path.stem, attrs)
            files[year] = stack.enter_context(block_file(path, record, contents, rows))
        for block in blocks(record.shape, rows):
            _write_block(files, reference, min_years, window, block)
    return list(paths.values())


def _write_block(
    files: Mapping[int, BlockFile], reference: Reference, min_years: int, window: Mapping[int, Sequence[int]],
    block: Block,
) -> None:  # fmt: skip
    record = reference.record
    values = {n: np.maximum(record.read_ssm(n, block), DRIER) for numbers in window.values() for n in numbers}
    targets: dict[int, list[tuple[BlockFile, int, int]]] = {}
    for file in files.values():
        for time, n in enumerate(file.contents.numbers):
            targets.setdefault(place_of(record.days[n]), []).append((file, time, n))
    for place, at_place in targets.items():
        numbers = [n for other in window_places(place, reference.half) for n in window[other]]
        fields = [values[n] for n in numbers]
        days, years = counted(fields, [record.days[n].year for n in numbers], shape_of(block))
        for file, time, n in at_place:
            pixels = record.read(n, block)
            percentile = ranked(pixels.ssm, fields, days)
            percentile[years < min_years] = np.nan
            file.write(time, block, {
                "percentile": percentile, "drought": classed(percentile), "number_of_days": days,
                "number_of_years": years, "flags": pixels.flags,
            })  # fmt: skip


def counted(
    fields: Sequence[np.ndarray], years: Sequence[int], shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """The number of days (uint16) and of years (uint8) with a value, of packed fields in which -1 is none; ``years``
    has the year of each."""
    days, years_seen = np.zeros(shape, np.uint16), np.zeros(shape, np.uint8)
    for year in sorted(set(years)):
        seen = np.zeros(shape, bool)
        for field, of_field in zip(fields, years, strict=True):
            if of_field == year:
                valid = field != DRIER
                days += valid
                seen |= valid
        years_seen += seen
    return days, years_seen


def ranked(ssm: np.ndarray, fields: Sequence[np.ndarray], days: np.ndarray) -> np.ndarray:
    """The percentile (float32, NaN where there is none) of packed values among ``fields``, in which -1 is no value and
    ``days`` is the number of others; all (rows, cols)."""
    value, step = np.where(ssm == FILL, np.int16(0), ssm), np.empty(ssm.shape, np.int16)
    balance = np.zeros(ssm.shape, np.int16)  # of the drier days less the wetter ones; no value counts as drier
    for field in fields:
        np.subtract(value, field, out=step)
        np.sign(step, out=step)
        balance += step
    with np.errstate(divide="ignore", invalid="ignore"):
        percentile = 50 * (1 + (balance - (np.float32(len(fields)) - days)) / days)
    return np.where((ssm == FILL) | (days == 0), np.float32(np.nan), percentile.astype(np.float32))


def classed(percentile: np.ndarray) -> np.ndarray:
    """The class of drought of percentiles, as they stand in the file; 255 where there is none."""
    limits = np.array([limit for _, limit in DROUGHT_CLASSES], np.float32)
    classes = np.searchsorted(limits, np.round(percentile, 2), side="left").astype(np.uint8)
    return np.where(np.isnan(percentile), np.uint8(NO_CLASS), classes)
