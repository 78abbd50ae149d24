"""Settings of ``produce``."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from ssm_net.config.checks import check_period, parse_day, require, require_paths
from ssm_net.config.download import DownloadConfig, EarthdataConfig
from ssm_net.config.rain_day import parse_rain_day
from ssm_net.config.shared import DomainConfig, PublisherConfig


@dataclass(frozen=True)
class ProduceConfig:
    """A record of maps on bounded disk: prepare and infer, some days at a time, up to today.

    The cube is a window: the pixels of old days are dropped once their maps are written. The same command, given every
    morning, adds what has come; after an outage, or a kill, it catches up. It ends with exit code 0 where the record is
    up to date or waits for granules, 75 where an archive did not give all and the next run goes on, 1 where it failed.

        ssm-net produce raw=RAW cube=CUBE run=RUN mosaics=OUT domain=NAME start=2016-04-15
        ssm-net produce raw=RAW cube=CUBE run=RUN mosaics=OUT domain=NAME start=2016-04-15 fetch=true
        ssm-net produce raw=RAW cube=CUBE run=RUN mosaics=OUT domain=NAME start=2003-01-01 until=2024-12-31
    """

    raw: str
    """folder with one folder for each product (docs/formats.md)"""
    cube: str
    """the Zarr cube, which keeps the last days only"""
    run: str
    """folder of the networks, whose mode (train mode=..) is that of the maps; where there are none, they are trained
    once keep days are prepared"""
    mosaics: str
    """folder for the maps, and for produce.json, which says how the record stands"""
    start: str
    """first day of the record, yyyy-mm-dd"""
    until: str = "today"
    """last day, yyyy-mm-dd, or today: all days that have their granules"""
    domain: DomainConfig = field(default_factory=DomainConfig)
    """where: a file of conf/domain, or one of domain.window, domain.bbox, domain.boundary"""
    ssm: str = "auto"
    """folder of the coarse soil moisture, as of prepare"""
    lst: str = "auto"
    """folder of the land surface temperature, as of prepare"""
    reflectance: str = "auto"
    """folder of the reflectance, as of prepare"""
    rain_day: str = "auto"
    """the interval of a value of rain, for files that state none, as of prepare"""
    consensus: bool = False
    """true takes all sensors of a day together, as of prepare"""
    keep: int = 60
    """days whose pixels the cube keeps: the latest two thirds, and a sample of all days before them, to train on"""
    wait: int = 5
    """days that a day waits for its LST and coarse soil moisture; after them it is made without"""
    step: int = 10
    """days that are prepared, mapped and dropped at a time"""
    fetch: bool = False
    """true downloads what the days of a step lack before they are prepared, as download does, with the same login"""
    products: list[str] = field(default_factory=lambda: ["auto"])
    """what to fetch, as of download"""
    connections: int = 3
    """files that are fetched at the same time, as of download"""
    tries: int = 5
    """how often a file is tried before it is left for the next run, as of download"""
    pause: float = 2.0
    """pause after the first failure of a file, seconds, as of download"""
    earthdata: EarthdataConfig = field(default_factory=EarthdataConfig)
    """addresses of Earthdata, as of download"""
    drop_granules: bool = False
    """true deletes granules from raw, too, which only days without pixels have used"""
    format: str = "netcdf"
    """of the maps: netcdf, cog or zarr"""
    workers: int = 1
    """processes that read granules"""
    quicklook: bool = False
    """true adds a small picture of each day"""
    publisher: PublisherConfig = field(default_factory=PublisherConfig)
    """who publishes the maps, and under what terms"""

    def last_day(self, today: dt.date) -> dt.date:
        """The last day asked for."""
        return today if self.until == "today" else parse_day(self.until, "until")

    def __post_init__(self) -> None:
        require_paths(self, "raw", "cube", "run", "mosaics")
        check_period(self.start, None if self.until == "today" else self.until)
        parse_rain_day(self.rain_day)
        require(self.keep >= 2, f"keep={self.keep}: at least 2 days")
        if self.fetch:  # its settings are checked before anything is done
            DownloadConfig(self.raw, self.start, self.start, self.domain, self.products, connections=self.connections,
                           tries=self.tries, pause=self.pause)  # fmt: skip
        require(self.wait >= 0 and self.step >= 1, "wait must be >= 0 and step >= 1")
        require(self.format in ("netcdf", "cog", "zarr"), f"format={self.format}: netcdf, cog or zarr")
        require(self.workers >= 1, f"workers={self.workers} must be >= 1")
