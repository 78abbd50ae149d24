"""Settings that several verbs share: where, on which workers, what a network looks like, what it trains on."""

from __future__ import annotations

from dataclasses import dataclass

from ssm_net.config.checks import parse_day, require, require_paths
from ssm_net.errors import ConfigError


@dataclass(frozen=True)
class DomainConfig:
    """Where: one of a window of coarse cells, a bounding box and a vector file."""

    name: str = "custom"
    """the name in the cube and in the file names of the maps"""
    window: list[int] | None = None
    """[row0,row1,col0,col1] of 36 km cells (EASE-Grid 2.0 M36), half-open, sizes multiples of 4"""
    bbox: list[float] | None = None
    """[west,south,east,north], degrees, [170,-50,-175,-30] across the dateline; grows to whole blocks of 4 x 4 cells"""
    boundary: str | None = None
    """a vector file (GeoJSON, GeoPackage, shapefile ...): its extent, and only pixels inside it are produced"""

    def __post_init__(self) -> None:
        require_paths(self, "boundary")
        values = {"window": self.window, "bbox": self.bbox, "boundary": self.boundary}
        given = [f"domain.{key}={_written(value)}" for key, value in values.items() if value is not None]
        if len(given) > 1:
            raise ConfigError(
                f"{' and '.join(given)} both say where: give one of them. domain=custom {given[-1]} leaves out the "
                "window of a named domain"
            )


def _written(value: str | list[int] | list[float]) -> str:
    """As it is typed on the command line."""
    return value if isinstance(value, str) else f"[{','.join(f'{number:g}' for number in value)}]"


@dataclass(frozen=True)
class MemoryConfig:
    """The memory of clear-sky LST anomalies under cloud."""

    days: float = 4.0
    """how fast past clear-sky LST anomalies fade (e-folding), days"""
    background: float = 2.0
    """sigma of the smooth background LST that an anomaly is taken against, coarse cells"""

    def __post_init__(self) -> None:
        require(self.days > 0 and self.background > 0, "memory.days and memory.background must be > 0")


@dataclass(frozen=True)
class EngineConfig:
    """What works on the days: this machine, or the workers of a dask scheduler."""

    name: str = "local"
    """local: this machine without a scheduler; dask: one day each at a time on dask workers"""
    scheduler: str | None = None
    """address of a dask scheduler, tcp://HOST:8786; without one, dask starts processes on this machine"""
    workers: int = 2
    """processes that dask starts on this machine, where no scheduler is given"""

    def __post_init__(self) -> None:
        require(self.name in ("local", "dask"), f"engine={self.name}: local or dask")
        require(self.workers >= 1, f"engine.workers={self.workers} must be >= 1")
        require(self.name == "dask" or self.scheduler is None, "engine.scheduler is given, but not engine=dask")


NOT_STATED = "not stated"


@dataclass(frozen=True)
class PublisherConfig:
    """Who publishes the maps, and under what terms: attributes of every map (ACDD 1.3)."""

    name: str = NOT_STATED
    """person or group that made the maps (creator_name, publisher_name)"""
    institution: str = NOT_STATED
    """its institution"""
    email: str = NOT_STATED
    """where to ask"""
    url: str = NOT_STATED
    """web page of the maps, https://..."""
    project: str = NOT_STATED
    """project that the maps were made for"""
    license: str = NOT_STATED
    """terms of use, e.g. CC-BY-4.0"""
    naming_authority: str = NOT_STATED
    """your domain reversed (org.example): makes the name of a map unique in the world"""
    issued: str | None = None
    """date of the edition, yyyy-mm-dd: date_created, date_issued, date_modified; the clock is never written"""

    def __post_init__(self) -> None:
        for key, value in vars(self).items():
            require(value is None or bool(value.strip()), f"publisher.{key} is empty: leave it out, or give it a text")
        require(
            self.url == NOT_STATED or self.url.startswith(("https://", "http://")),
            f"publisher.url={self.url}: give the whole address, https://...",
        )
        if self.issued is not None:
            parse_day(self.issued, "publisher.issued")


@dataclass(frozen=True)
class ModelConfig:
    """The size of the networks. The defaults suit a region and a season on a CPU, trained from nothing."""

    members: int = 3
    """networks that differ in their first weights; their mean is the estimate"""
    kernel: int = 3
    """receptive field of the fine branch, pixels a side, odd"""
    width: int = 32
    """channels of the fine branch"""
    depth: int = 2
    """pixel-wise blocks of the fine branch"""
    coarse_width: int = 32
    """channels of the coarse branch"""
    coarse_depth: int = 0
    """3 x 3 blocks on the coarse grid; 0 for short records"""
    cells: bool = False
    """true gives the coarse branch cell means of the features"""
    lags: int = 6
    """days the coarse branch looks back"""
    lookahead: int = 0
    """days the networks may look ahead, where a record of the past is made"""
    dropout: float = 0.25
    """dropout of the fine branch while training, [0, 1)"""

    def __post_init__(self) -> None:
        require(self.kernel % 2 == 1 and 1 <= self.kernel <= 35, f"model.kernel={self.kernel}: an odd number, 1 to 35")
        sizes = (self.members, self.width, self.depth, self.coarse_width, self.coarse_depth + 1, self.lags)
        require(min(sizes) >= 1 and self.lookahead >= 0, "model sizes must be >= 1, and model.lookahead >= 0")
        require(0 <= self.dropout < 1, f"model.dropout={self.dropout} must lie in [0, 1)")


@dataclass(frozen=True)
class TrainerConfig:
    """What training runs on."""

    accelerator: str = "cpu"
    """cpu, gpu or auto"""
    devices: int = 1
    """number of devices, one process each; refused in a sweep (-m) where it is not 1"""
    strategy: str = "auto"
    """how Lightning divides the work: auto, ddp"""
    precision: str = "32-true"
    """of the arithmetic: 32-true, bf16-mixed, ..."""
    workers: int = 0
    """processes that load batches"""
