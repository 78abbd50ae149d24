"""Settings of ``infer``."""

from __future__ import annotations

from dataclasses import dataclass, field

from ssm_net.config.checks import METHODS, check_period, require, require_paths
from ssm_net.config.shared import EngineConfig, PublisherConfig


@dataclass(frozen=True)
class InferConfig:
    """Daily maps of soil moisture at 1 km, with standard error and flags, of every day of the cube.

    Days that are there are left alone: the same command continues after an interruption.

        ssm-net infer cube=CUBE run=RUN mosaics=OUT
        ssm-net infer cube=CUBE mosaics=OUT method=bilinear
        ssm-net infer -m hydra/launcher=submitit_slurm parts=8 'part=range(1,9)' cube=CUBE run=RUN mosaics=OUT
    """

    cube: str
    """made by prepare"""
    mosaics: str
    """folder for the maps"""
    run: str = ""
    """made by train; not needed for a baseline"""
    method: str = "network"
    """network, or a baseline: bilinear, dispatch, gwr, forest, ridge (the last three are fitted to the cube first)"""
    start: str | None = None
    """first day, yyyy-mm-dd; without it the cube's first"""
    end: str | None = None
    """last day, yyyy-mm-dd; without it the cube's last"""
    parts: int = 1
    """number of stretches that the days are divided into, for the queue of a cluster"""
    part: int = 1
    """the stretch that this run makes, 1 .. parts"""
    format: str = "netcdf"
    """netcdf (CF, on the EASE-Grid), cog (cloud-optimised GeoTIFF, EPSG:4326) or zarr"""
    update: str = "gain"
    """how the day's own observation enters: gain (by its precision), exact (its cell mean is conserved) or none"""
    tile: int = 4
    """side of a tile, coarse cells; changes memory and speed, not the result"""
    device: str = "auto"
    """auto, cpu or cuda"""
    precision: str = "auto"
    """of the networks' products: float32, bfloat16, or auto, the faster one here; maps differ by rounding"""
    engine: EngineConfig = field(default_factory=EngineConfig)
    """what makes the days: this machine, or the workers of a dask scheduler"""
    quicklook: bool = False
    """true adds a small picture of each day that is made, quicklook/*.png"""
    publisher: PublisherConfig = field(default_factory=PublisherConfig)
    """who publishes the maps, and under what terms"""
    overwrite: bool = False
    """true makes days again that are there"""
    revise: bool = False
    """true makes those days again that the cube has in a later revision (prepare revise=true)"""
    plan: bool = False
    """true prints what would be made and does nothing"""

    def __post_init__(self) -> None:
        require_paths(self, "cube", "mosaics")
        require(self.method in METHODS, f"method={self.method}: choose one of {', '.join(METHODS)}")
        require(self.method != "network" or bool(self.run), "nothing given for run: add run=FOLDER of train.py")
        require(self.format in ("netcdf", "cog", "zarr"), f"format={self.format}: netcdf, cog or zarr")
        require(self.update in ("gain", "exact", "none"), f"update={self.update}: gain, exact or none")
        require(
            self.precision in ("auto", "float32", "bfloat16"), f"precision={self.precision}: auto, float32 or bfloat16"
        )
        require(self.tile >= 1, f"tile={self.tile} must be >= 1")
        require(1 <= self.part <= self.parts, f"part={self.part}, parts={self.parts}: a part is one of 1 .. parts")
        require(
            self.parts == 1 or self.format != "zarr",
            "parts>1 with format=zarr: the days of a store stand in their order; make it with one process or with "
            "engine=dask, or make netcdf",
        )
        check_period(self.start, self.end)
