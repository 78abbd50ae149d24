"""What a user may set: one frozen dataclass a verb, the only schema.

Hydra composes ``conf/<verb>.yaml``; ``load`` turns the result once into these values, refuses unknown keys and checks
what belongs together. Below that line nobody sees a ``DictConfig``.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any, TypeVar

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ssm_net.errors import ConfigError

T = TypeVar("T")
METHODS = ("network", "bilinear", "dispatch", "gwr", "forest", "ridge")


def load(schema: type[T], cfg: DictConfig | dict[str, Any]) -> T:
    """The values of a composed configuration, checked. Raises ``ConfigError``."""
    try:
        merged = OmegaConf.structured(schema)
        _thaw(merged)
        merged.merge_with(cfg)
        missing = sorted(str(key) for key in OmegaConf.missing_keys(merged))
        if missing:
            raise ConfigError(f"nothing given for {', '.join(missing)}: add {' '.join(f'{k}=...' for k in missing)}")
        value = OmegaConf.to_object(merged)
    except OmegaConfBaseException as err:
        key = f"{err.full_key}: " if err.full_key else ""
        raise ConfigError(key + str(err).splitlines()[0]) from err
    assert isinstance(value, schema)
    return value


def _thaw(node: DictConfig) -> None:
    """OmegaConf takes a frozen dataclass as read-only, at every level: let values in before they are frozen."""
    OmegaConf.set_readonly(node, None)
    for key in node:
        if not OmegaConf.is_missing(node, key) and OmegaConf.is_dict(node[key]):
            _thaw(node[key])


def days_between(start: str, end: str) -> list[dt.date]:
    """All days from ``start`` to ``end``, both included, as yyyy-mm-dd."""
    first, last = parse_day(start, "start"), parse_day(end, "end")
    if last < first:
        raise ConfigError(f"end={end} lies before start={start}")
    return [first + dt.timedelta(n) for n in range((last - first).days + 1)]


def parse_day(text: str, key: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{key}={text} is not a day; write yyyy-mm-dd") from None


def _check_period(start: str | None, end: str | None) -> None:
    """Either end of a period may be left open."""
    if start is not None and end is not None:
        days_between(start, end)
    for key, text in (("start", start), ("end", end)):
        if text is not None:
            parse_day(text, key)


def _require(ok: bool, message: str) -> None:
    if not ok:
        raise ConfigError(message)


@dataclass(frozen=True)
class DomainConfig:
    """Where: a vector file's bounds, else a bounding box, else a window of coarse cells."""

    name: str = "custom"
    window: list[int] | None = None  # [row0, row1, col0, col1], half-open, in M36
    bbox: list[float] | None = None  # [west, south, east, north], degrees
    boundary: str | None = None  # vector file; only pixels inside are produced


@dataclass(frozen=True)
class SimulateConfig:
    """``simulate.py``: a synthetic world in the archives' own file formats."""

    raw: str
    start: str
    end: str
    domain: DomainConfig = field(default_factory=DomainConfig)
    seed: int = 1
    family: str = "A"  # the physics of the world; several letters: drawn between families
    auxiliary: bool = False  # true: Terra's LST and a reanalysis as well
    record: bool = False  # true: the sensors of the real record, each in its years; false: one sensor throughout
    plan: bool = False

    def __post_init__(self) -> None:
        days_between(self.start, self.end)


@dataclass(frozen=True)
class MemoryConfig:
    """The thermal memory: how fast past clear-sky LST anomalies fade (e-folding, days)."""

    days: float = 4.0
    background: float = 2.0  # sigma of the smooth surroundings an anomaly is taken against, coarse cells

    def __post_init__(self) -> None:
        _require(self.days > 0 and self.background > 0, "memory.days and memory.background must be > 0")


@dataclass(frozen=True)
class EngineConfig:
    """Where days are worked on."""

    name: str = "local"  # this machine, or dask
    scheduler: str | None = None  # address of a dask scheduler; without one a cluster of processes is made here
    workers: int = 2  # of that cluster

    def __post_init__(self) -> None:
        _require(self.name in ("local", "dask"), f"engine={self.name}: local or dask")
        _require(self.workers >= 1, f"engine.workers={self.workers} must be >= 1")
        _require(self.name == "dask" or self.scheduler is None, "engine.scheduler is given, but not engine=dask")


@dataclass(frozen=True)
class PrepareConfig:
    """``prepare.py``: native granules onto the grid, into the cube."""

    raw: str
    cube: str
    start: str
    end: str
    domain: DomainConfig = field(default_factory=DomainConfig)
    ssm: str = "auto"  # folder of the coarse product; auto takes the first of the table that is there
    lst: str = "auto"
    reflectance: str = "auto"
    modis_day: str = "utc"  # the day in a MODIS file name: utc (as the archive has it) or local
    footprint: str = "gaussian"
    fwhm_km: float = 43.0
    sigma_ssm: float = 0.04  # error of a coarse observation where the product gives none, m3 m-3
    memory: MemoryConfig = field(default_factory=MemoryConfig)
    workers: int = 1
    engine: EngineConfig = field(default_factory=EngineConfig)
    revise: bool = False  # true uses late granules: their days and all after them are made again
    plan: bool = False

    def __post_init__(self) -> None:
        days_between(self.start, self.end)
        _require(self.modis_day in ("utc", "local"), f"modis_day={self.modis_day}: choose utc or local")
        _require(self.footprint in ("gaussian", "box"), f"footprint={self.footprint}: choose gaussian or box")
        _require(self.fwhm_km > 0, f"fwhm_km={self.fwhm_km} must be > 0")
        _require(0 < self.sigma_ssm < 0.5, f"sigma_ssm={self.sigma_ssm} must lie in (0, 0.5) m3 m-3")
        _require(self.workers >= 1, f"workers={self.workers} must be >= 1")


@dataclass(frozen=True)
class ModelConfig:
    """The size of the networks."""

    members: int = 3  # networks that differ in their first weights; their mean is the estimate
    kernel: int = 3  # receptive field of the fine branch, pixels a side
    width: int = 32  # channels of the fine branch
    depth: int = 2  # its pixel-wise blocks
    coarse_width: int = 32
    coarse_depth: int = 0  # 3 x 3 blocks on the coarse grid; 0 for short records
    cells: bool = False  # whether the coarse branch is given cell means of the features
    lags: int = 6  # days the coarse branch looks back
    dropout: float = 0.25

    def __post_init__(self) -> None:
        _require(self.kernel % 2 == 1 and 1 <= self.kernel <= 35, f"model.kernel={self.kernel}: an odd number, 1 to 35")
        sizes = (self.members, self.width, self.depth, self.coarse_width, self.coarse_depth + 1, self.lags)
        _require(min(sizes) >= 1, "model sizes must be >= 1")
        _require(0 <= self.dropout < 1, f"model.dropout={self.dropout} must lie in [0, 1)")


@dataclass(frozen=True)
class TrainerConfig:
    """Where training runs."""

    accelerator: str = "cpu"
    devices: int = 1
    strategy: str = "auto"
    precision: str = "32-true"
    workers: int = 0  # loader processes


@dataclass(frozen=True)
class TrainConfig:
    """``train.py``: the network from the coarse observations of a cube."""

    cube: str
    run: str
    prior: str = "shipped"  # networks to start from: shipped, none, or a folder of pretrain.py
    stations: str | None = None  # ISMN folder or archive zip to learn from, a little
    exclude: list[str] = field(default_factory=list)  # features not to be used
    model: ModelConfig = field(default_factory=ModelConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    seed: int = 1
    epochs: int = 27
    batch_size: int = 4
    patch: int = 8  # side of a training patch, coarse cells
    stride: int = 6  # every stride-th pixel each way stands for a footprint while training
    lr: float = 0.012
    weight_decay: float = 0.004
    beta: float = 0.25  # of the beta-NLL
    subgrid: float = 0.08  # weight of the penalty on sub-grid variance above its prior
    subgrid_std: float = 0.05  # prior of the sub-grid standard deviation, m3 m-3
    physics: float = 0.03  # weight of the penalty where soil gets wetter with heat, if clear and sparsely green
    validation_fraction: float = 0.15  # of the coarse cells, in blocks
    validation_days: float = 0.15  # the last part of the period, never trained on
    patience: int = 8  # epochs without a better validation before training stops
    restart: bool = False  # true throws away what is in run and starts again
    plan: bool = False

    def __post_init__(self) -> None:
        _require(self.epochs >= 1 and self.batch_size >= 1, "epochs and batch_size must be >= 1")
        _require(self.patch >= 4 and self.patch % 2 == 0, f"patch={self.patch} must be an even number of cells, >= 4")
        _require(self.stride >= 1, f"stride={self.stride} must be >= 1")
        for key in ("validation_fraction", "validation_days"):
            _require(0 <= getattr(self, key) < 1, f"{key} must lie in [0, 1)")


PRIOR_MODEL = ModelConfig(
    width=64, coarse_width=64, coarse_depth=2, cells=True, lags=10, dropout=0.05
)  # many worlds leave no room for learning by heart


@dataclass(frozen=True)
class PretrainConfig:
    """``pretrain.py``: networks that know what simulated worlds have in common."""

    worlds: str
    run: str
    families: list[str] = field(default_factory=lambda: ["AB", "AC", "BC"])  # each several letters: drawn between them
    count: int = 20  # worlds a family
    days: int = 48  # of a world
    cells: int = 8  # a side of a world, coarse cells
    model: ModelConfig = field(default_factory=lambda: PRIOR_MODEL)
    trainer: TrainerConfig = field(default_factory=lambda: TrainerConfig(precision="bf16-mixed"))
    seed: int = 1
    epochs: int = 12
    batch_size: int = 16
    lr: float = 2e-3
    weight_decay: float = 0.02
    workers: int = 1  # processes that make worlds
    plan: bool = False

    def __post_init__(self) -> None:
        _require(bool(self.families) and self.count >= 1, "families must name at least one, and count be >= 1")
        _require(self.cells >= 8 and self.cells % 4 == 0, f"cells={self.cells}: a multiple of 4, at least 8")
        _require(self.days >= 10 and self.epochs >= 1 and self.batch_size >= 1 and self.workers >= 1,
                 "days must be >= 10; epochs, batch_size and workers >= 1")  # fmt: skip


@dataclass(frozen=True)
class InferConfig:
    """``infer.py``: one mosaic a day."""

    cube: str
    mosaics: str
    run: str = ""  # folder of train.py; not needed for a baseline
    method: str = "network"  # network, or a baseline: bilinear, dispatch, gwr, forest, ridge
    start: str | None = None  # the cube's first day
    end: str | None = None  # the cube's last day
    parts: int = 1  # into as many stretches the days are divided, of which this run makes one
    part: int = 1
    format: str = "netcdf"
    update: str = "gain"  # gain (precision-weighted), exact (conserves the coarse value) or none
    tile: int = 4  # side of a tile, coarse cells
    device: str = "auto"
    engine: EngineConfig = field(default_factory=EngineConfig)
    quicklook: bool = False  # also a small picture of each day
    overwrite: bool = False
    revise: bool = False  # true makes those days again that the cube has in a later revision
    plan: bool = False

    def __post_init__(self) -> None:
        _require(self.method in METHODS, f"method={self.method}: choose one of {', '.join(METHODS)}")
        _require(self.method != "network" or bool(self.run), "nothing given for run: add run=FOLDER of train.py")
        _require(self.format in ("netcdf", "cog", "zarr"), f"format={self.format}: netcdf, cog or zarr")
        _require(self.update in ("gain", "exact", "none"), f"update={self.update}: gain, exact or none")
        _require(self.tile >= 1, f"tile={self.tile} must be >= 1")
        _require(1 <= self.part <= self.parts, f"part={self.part}, parts={self.parts}: a part is one of 1 .. parts")
        _require(
            self.parts == 1 or self.format != "zarr",
            "parts>1 with format=zarr: the days of a store stand in their order; make it with one process or with "
            "engine=dask, or make netcdf",
        )
        _check_period(self.start, self.end)


@dataclass(frozen=True)
class EvaluateConfig:
    """``evaluate.py``: the mosaics against the truth, the stations and the baselines."""

    mosaics: str
    cube: str
    report: str
    truth: str | None = None
    stations: str | None = None
    baselines: list[str] = field(default_factory=lambda: ["bilinear", "dispatch"])
    start: str | None = None
    end: str | None = None
    plan: bool = False

    def __post_init__(self) -> None:
        _check_period(self.start, self.end)
        known = [m for m in METHODS if m != "network"]
        for name in self.baselines:
            _require(name in known, f"baselines: {name} is none; choose from {', '.join(known)}")
