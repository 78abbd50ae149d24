"""What a cube settles about its sensors when it first meets them: the reference, and how the others become it."""

from __future__ import annotations

import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from rich.console import Console

from ssm_net.config import PrepareConfig
from ssm_net.core.radiometers import name_of
from ssm_net.cube.record import INTERCALIBRATION
from ssm_net.cube.store import Cube
from ssm_net.ingest.catalog import Granule, list_granules
from ssm_net.ingest.raster import GranuleError
from ssm_net.ingest.ssm import read_ssm, record_in
from ssm_net.prepare.intercalibration import Intercalibration, match_all
from ssm_net.prepare.products import Sources
from ssm_net.prepare.read_day import Task

log = logging.getLogger(__name__)
console = Console()

PREFERRED = 2  # AMSR2: the sensor of the days to come


def settle_sensors(cfg: PrepareConfig, cube: Cube, sources: Sources, tasks: Mapping[dt.date, Task]) -> Intercalibration:
    """How the coarse observations of ``tasks`` become those of one sensor, from all days of the archive.

    What the cube has settled stays as it is; a sensor that is new to it is matched now. A cube with days from before
    sensors were matched goes on without.
    """
    known = Intercalibration.from_json(cube.stats(INTERCALIBRATION))
    wanted = {record_in(g) for task in tasks.values() for g in task.granules.get("ssm", ())}
    if not wanted or (not known.reference and cube.done_days()):
        return known
    if known.reference and not wanted - {known.reference, *known.matches}:
        return known
    archive: dict[int, dict[dt.date, list[Granule]]] = defaultdict(lambda: defaultdict(list))
    for by_day in list_granules(Path(cfg.raw), only=sources.ssm).values():
        for day, granules in by_day.items():
            for granule in granules:
                archive[record_in(granule)][day].append(granule)
    days = {code: sorted(by_day) for code, by_day in archive.items()}
    if not known.reference:
        reference = PREFERRED if PREFERRED in days else max(days, key=lambda c: (len(days[c]), -c))
        known = Intercalibration(reference, {})
    if new := wanted - {known.reference, *known.matches}:
        names = ", ".join(name_of(c) for c in sorted(new))
        console.print(f"matching {names} to {name_of(known.reference)} on the days of {cfg.raw} that they share")

    def read(code: int, day: dt.date) -> np.ndarray | None:
        try:
            return read_ssm(archive[code][day], cube.domain, cfg.sigma_ssm).ssm
        except GranuleError as err:
            log.warning("%s", err)
            return None

    settled = match_all(known, sorted(new), days, read)
    if cube.stats(INTERCALIBRATION) != settled.to_json():
        cube.write_stats(INTERCALIBRATION, settled.to_json())
    for code in sorted(new):
        match = settled.matches[code]
        console.print(f"  {name_of(code)}: {match.how}; gain {np.mean(match.gain):.2f}, "
                      f"error of its level {np.sqrt(np.mean(match.error**2)):.3f} m3 m-3")  # fmt: skip
    return Intercalibration.from_json(cube.stats(INTERCALIBRATION))
