"""The change from Aqua to VIIRS in a record: what it does to the maps, beside a record of Aqua throughout.

A small world that both imagers see, warmer by VIIRS than by Aqua. Its archive is given twice by links: with Aqua alone,
and with an Aqua that ends when VIIRS has been there for some weeks, LST and reflectance alike. One training, on the
record with the change, maps both, so that the maps differ in nothing but the imager.
"""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any

import numpy as np

from ssm_net.config import DomainConfig, InferConfig, PrepareConfig, SimulateConfig, TrainConfig
from ssm_net.cube.store import open_cube
from ssm_net.formats.mosaic_days import day_path, read_day
from ssm_net.formats.truth import Truth
from ssm_net.infer.run import infer
from ssm_net.prepare.run import prepare
from ssm_net.simulate.run import simulate
from ssm_net.train.run import train

START, END = dt.date(2016, 4, 1), dt.date(2016, 7, 31)
VIIRS_FROM, AQUA_UNTIL = dt.date(2016, 5, 1), dt.date(2016, 6, 9)
SETTLED = dt.date(2016, 4, 15)  # the first fortnight of a record knows little
WINDOW, SEED = [76, 80, 772, 776], 41
ENDED = ("MYD11A1", "MCD43A4")
BEGUN = ("VNP21A1D", "VNP21A1N", "VNP43IA4", "VNP43MA4")


def archives(raw: Path, folder: Path) -> dict[str, Path]:
    """Links to the files of ``raw``: with Aqua alone, and with the change."""
    out = {name: folder / f"raw {name}" for name in ("aqua", "changed")}
    for name, path in out.items():
        for source in (p for p in raw.iterdir() if p.is_dir() and p.suffix != ".zarr"):
            product = source.name.partition(".")[0]
            if product in BEGUN and name == "aqua":
                continue
            (path / source.name).mkdir(parents=True, exist_ok=True)
            for file in source.iterdir():
                link = path / source.name / file.name
                if _is_there(product, file.name, name) and not link.exists():
                    link.symlink_to(file.resolve())
    return out


def _is_there(product: str, name: str, archive: str) -> bool:
    match = re.search(r"\.A(\d{4})(\d{3})\.", name)
    if match is None or archive == "aqua":
        return True
    day = dt.date(int(match[1]), 1, 1) + dt.timedelta(int(match[2]) - 1)
    return not (product in ENDED and day > AQUA_UNTIL) and not (product in BEGUN and day < VIIRS_FROM)


def run_imagers(folder: Path, family: str) -> dict[str, Any]:
    """Make both records in ``folder``, or go on with them, and measure the step in the maps."""
    raw, where = folder / "raw", DomainConfig("imagers", WINDOW)
    folder.mkdir(parents=True, exist_ok=True)
    simulate(SimulateConfig(str(raw), str(START), str(END), where, seed=SEED, family=family, sensors="both"))
    given = archives(raw, folder)
    run, maps = folder / "run", {}
    for name in ("changed", "aqua"):
        cube = folder / f"{name}.zarr"
        prepare(PrepareConfig(str(given[name]), str(cube), str(START), str(END), domain=where))
        if name == "changed":
            train(TrainConfig(str(cube), str(run)))
        maps[name] = folder / f"maps {name}"
        infer(InferConfig(str(cube), str(maps[name]), str(run)))
    return step_of(folder, maps)


def step_of(folder: Path, maps: dict[str, Path]) -> dict[str, Any]:
    """The step in the maps at the change, m3 m-3: of the mean difference to the maps of Aqua throughout, and of the
    mean error against the truth in either record."""
    cube = open_cube(folder / "changed.zarr")
    truth = Truth.open(folder / "raw" / "truth.zarr", cube.domain)
    rows = []
    for day in (d for d in cube.days if d >= SETTLED):
        changed, aqua = (read_day(day_path(maps[n], cube.domain.name, day, "netcdf")).ssm for n in ("changed", "aqua"))
        field = truth.read(day)
        assert field is not None
        known = np.isfinite(changed) & np.isfinite(aqua) & np.isfinite(field)
        rows.append([day > AQUA_UNTIL, (changed - aqua)[known].mean(), np.abs(changed - aqua)[known].mean(),
                     (changed - field)[known].mean(), (aqua - field)[known].mean(),
                     ((changed - field)[known] ** 2).mean(), ((aqua - field)[known] ** 2).mean()])  # fmt: skip
    table = np.array(rows, float)
    late = table[:, 0] > 0
    before, after = table[~late].mean(0), table[late].mean(0)
    return {
        "change": "Aqua to VIIRS", "last day of Aqua": str(AQUA_UNTIL), "first day of VIIRS": str(VIIRS_FROM),
        "days before": int((~late).sum()), "days after": int(late.sum()),
        "step": after[1] - before[1], "mean absolute difference": after[2],
        "step against the truth": after[3] - before[3], "the same with Aqua throughout": after[4] - before[4],
        "RMSE after": float(np.sqrt(after[5])), "RMSE after, Aqua throughout": float(np.sqrt(after[6])),
    }  # fmt: skip
