"""Choice and fit of the reference sensor: all sensors of a record are intercalibrated to one, when the cube first
meets them."""

from __future__ import annotations

import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markup import escape

from ssm_net.config import PrepareConfig
from ssm_net.core.radiometers import by_day, name_of
from ssm_net.core.reading_mark import OF_SENSORS, ReadingMark
from ssm_net.cube.record import INTERCALIBRATION, KEYS
from ssm_net.cube.writer import CubeWriter
from ssm_net.grid import Domain
from ssm_net.ingest.catalog import Granule, RawFiles
from ssm_net.ingest.notes import collected
from ssm_net.ingest.ssm import read_ssm, record_in
from ssm_net.ingest.usable import read_those_that_can
from ssm_net.prepare.consensus import fit_consensus
from ssm_net.prepare.day_plan import DayPlan
from ssm_net.prepare.intercalibration import Intercalibration, match_sensors
from ssm_net.prepare.products import CubeProducts

log = logging.getLogger(__name__)
console = Console()

PREFERRED = 2  # AMSR2: the sensor of the days to come

Archive = Mapping[int, Mapping[dt.date, Sequence[Granule]]]  # code of the sensor -> day -> its granules


def fit_reference_sensor(
    cfg: PrepareConfig,
    writer: CubeWriter,
    products: CubeProducts,
    plans: Mapping[dt.date, DayPlan],
    files: RawFiles,
) -> Intercalibration:
    """How the coarse observations of the days in ``plans`` become those of one sensor, or of the consensus of several
    where a new cube is made of them ``together``, from all days of the archive, whose ``files`` are those of raw/.

    What was fitted before stays as it is; a sensor that is new to the cube is matched now. A cube with days from before
    sensors were matched goes on without.
    """
    cube, together = writer.cube, any(plan.together for plan in plans.values())
    known = Intercalibration.from_json(cube.metadata(INTERCALIBRATION, *KEYS))
    observed = {record_in(g) for plan in plans.values() for g in plan.granules.get("ssm", ())}
    if not observed or (not known.reference and cube.done_days()):
        return known
    if known.reference and not observed - {known.reference, *known.matches}:
        return known
    archive = _archive(files, products)
    by_path = {g.path: (g, day) for of_sensor in archive.values() for day, gs in of_sensor.items() for g in gs}
    mark = ReadingMark.at(cube.path / OF_SENSORS, partial(_read_file, by_path, cube.domain, cfg.sigma_ssm))
    archive = {code: {day: [g for g in gs if g.path not in mark.fatal] for day, gs in of_sensor.items()}
               for code, of_sensor in archive.items()}  # fmt: skip
    days = {code: sorted(by_day) for code, by_day in archive.items()}
    first = not known.reference
    if first:
        known = Intercalibration(choose_reference(days), {})
    new = sorted(observed - {known.reference, *known.matches})
    if new:
        names = ", ".join(name_of(code) for code in new)
        console.print(
            f"matching {names} to {name_of(known.reference)} on the days of {escape(cfg.raw)} that they share"
        )

    def read(code: int, day: dt.date) -> np.ndarray | None:
        of_day = archive[code][day]
        with collected(), mark.over(g.path for g in of_day):  # the days themselves report what is noted of their files
            observed, _, bad = read_those_that_can(
                of_day, lambda granules: read_ssm(granules, cube.domain, cfg.sigma_ssm, day).ssm
            )
        for err in bad:
            log.warning("%s", err)
        return observed

    fitted = match_sensors(known, new, days, read)
    mark.clear()
    if first and together:
        above = {code: match.above_reference for code, match in fitted.matches.items()}
        consensus = fit_consensus(fitted.reference, {c: level for c, level in above.items() if level is not None})
        fitted = replace(fitted, consensus=consensus)
    if cube.metadata(INTERCALIBRATION, *KEYS) != fitted.to_json():
        writer.write_metadata(INTERCALIBRATION, fitted.to_json())
    for code in new:
        match = fitted.matches[code]
        console.print(f"  {name_of(code)}: {match.how}; gain {np.mean(match.gain):.2f}, "
                      f"error of its level {np.sqrt(np.mean(match.error**2)):.3f} m3 m-3")  # fmt: skip
    if fitted.consensus is not None and first:
        console.print(f"  consensus: its level stands {np.abs(fitted.consensus.shift).mean():.3f} m3 m-3 from that of "
                      f"{name_of(fitted.reference)}, mean of cells; lasting error "
                      f"{fitted.consensus.error:.3f} m3 m-3")  # fmt: skip
    # As it is stored, so that the first days are made with the same rounding as all others.
    return Intercalibration.from_json(cube.metadata(INTERCALIBRATION, *KEYS))


def _read_file(archive: Mapping[Path, tuple[Granule, dt.date]], domain: Domain, sigma_ssm: float, path: Path) -> None:
    if path in archive:
        granule, day = archive[path]
        read_ssm([granule], domain, sigma_ssm, day)


def choose_reference(days: Mapping[int, Sequence[dt.date]]) -> int:
    """The code of the sensor that the others are brought to, of those with ``days``: AMSR2 where it is among them, else
    the one by night with most days, of several the first of the table."""
    return PREFERRED if PREFERRED in days else max(days, key=lambda code: (not by_day(code), len(days[code]), -code))


def _archive(files: RawFiles, products: CubeProducts) -> Archive:
    """The coarse granules of all days, by sensor."""
    archive: dict[int, dict[dt.date, list[Granule]]] = defaultdict(lambda: defaultdict(list))
    for of_product in files.catalog(only=products.ssm)[0].values():
        for day, granules in of_product.items():
            for granule in granules:
                archive[record_in(granule)][day].append(granule)
    return archive
