"""Settings of a tiny world: 4 x 4 cells across the seam of two MODIS tiles, 4 days."""

from pathlib import Path

from ssm_net.config import SimulateConfig, load

WINDOW = (70, 74, 774, 778)


def settings(raw: Path, **other: object) -> SimulateConfig:
    keys = {"raw": str(raw), "start": "2016-05-01", "end": "2016-05-04"}
    return load(SimulateConfig, {**keys, "domain": {"name": "tiny", "window": list(WINDOW)}, **other})
