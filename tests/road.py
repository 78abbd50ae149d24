"""A tiny world in native formats, and the verbs' settings for it: 4 x 4 cells across the seam of two MODIS tiles."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

from ssm_net.config import EvaluateConfig, InferConfig, PrepareConfig, SimulateConfig, TrainConfig, load

START, END = "2016-05-01", "2016-05-08"
WINDOW = [70, 74, 774, 778]
DOMAIN = {"name": "tiny", "window": WINDOW}
SMALL = {"width": 8, "depth": 1, "coarse_width": 8, "coarse_depth": 1, "lags": 3}


def simulation(raw: Path, **other: Any) -> SimulateConfig:
    return load(SimulateConfig, {"raw": str(raw), "start": START, "end": END, "domain": DOMAIN} | other)


def preparation(raw: Path, cube: Path, start: str = START, end: str = END, **other: Any) -> PrepareConfig:
    keys = {"raw": str(raw), "cube": str(cube), "start": start, "end": end, "domain": DOMAIN}
    return load(PrepareConfig, keys | other)


def training(cube: Path, run: Path, **other: Any) -> TrainConfig:
    keys = {"cube": str(cube), "run": str(run), "epochs": 2, "patch": 4, "model": SMALL}
    return load(TrainConfig, keys | other)


def inference(cube: Path, mosaics: Path, run: Path | None = None, **other: Any) -> InferConfig:
    how = {"method": "bilinear"} if run is None else {"run": str(run), "precision": "float32"}
    return load(InferConfig, {"cube": str(cube), "mosaics": str(mosaics)} | how | other)


def evaluation(mosaics: Path, cube: Path, report: Path, **other: Any) -> EvaluateConfig:
    return load(EvaluateConfig, {"mosaics": str(mosaics), "cube": str(cube), "report": str(report)} | other)


def linked(raw: Path, into: Path) -> Path:
    """The granules of ``raw`` as links in folders of their own: one may be taken away or replaced."""
    for folder in sorted(p for p in raw.iterdir() if p.is_dir() and p.suffix != ".zarr"):
        for file in (p for p in folder.rglob("*") if p.is_file()):
            link = into / file.relative_to(raw)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(file)
    return into


def owned(link: Path) -> Path:
    """A link made a file that may be changed."""
    source = link.resolve()
    link.unlink()
    shutil.copyfile(source, link)
    return link


def data_of(cube: Path) -> dict[str, str]:
    """Digest of every chunk and status that the cube stores, by its path; not of the list of days, which grows."""
    files = [p for p in (*cube.glob("*/*/c/**/*"), *cube.glob("status/*")) if p.is_file() and "/time/c/" not in str(p)]
    return {str(p.relative_to(cube)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def stamps(folder: Path) -> dict[str, int]:
    """When each file below a folder was last written, ns."""
    return {str(p.relative_to(folder)): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}
