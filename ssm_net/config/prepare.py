"""Settings of ``prepare``."""

from __future__ import annotations

from dataclasses import dataclass, field

from ssm_net.config.checks import days_between, require, require_paths
from ssm_net.config.rain_day import parse_rain_day
from ssm_net.config.shared import DomainConfig, EngineConfig, MemoryConfig


@dataclass(frozen=True)
class PrepareConfig:
    """Native granules onto the grid and into the cube, one day after another.

    Days that are stored are left alone, so that the same command continues after an interruption, and a later end=
    adds days.

        ssm-net prepare raw=RAW cube=CUBE domain=NAME start=2016-04-15 end=2016-06-13
        ssm-net prepare raw=RAW cube=CUBE domain.name=duero 'domain.bbox=[-5.9,41,-5.3,41.5]' start=... end=...
    """

    raw: str
    """folder with one folder for each product (docs/formats.md)"""
    cube: str
    """the Zarr cube to make or extend"""
    start: str
    """first day, yyyy-mm-dd"""
    end: str
    """last day, yyyy-mm-dd, included"""
    domain: DomainConfig = field(default_factory=DomainConfig)
    """where: a file of conf/domain, or one of domain.window, domain.bbox, domain.boundary"""
    ssm: str = "auto"
    """folder of the coarse soil moisture; auto: those of the cube, for a new cube all that are there, each day from the
    first of docs/formats.md that has a file"""
    consensus: bool = False
    """of a new cube, where several sensors observe a cell on one day: true takes their mean, weighted by precision and
    at a level between theirs; false the first of docs/formats.md. A cube goes on as it was begun"""
    lst: str = "auto"
    """folder of the land surface temperature; auto: that of the cube, for a new cube the best that is there"""
    reflectance: str = "auto"
    """folder of the reflectance; auto as for lst"""
    modis_day: str = "utc"
    """the day in the name of a MODIS or VIIRS file: utc (as the archives have it) or local"""
    rain_day: str = "auto"
    """the interval of a value of rain, for files that state none (time bounds): begins or ends, where its time stamp is
    the beginning or the end; or, for daily rain, the hour of the stamp's date at which the file's day ends, with its
    zone: 20:00+08:00 is from 20:00 of the date before to 20:00 Beijing time, 24:00+00:00 the UTC day of the date,
    32:00+00:00 from 08:00 UTC of the date to 08:00 of the next; auto: known products by a table (docs/formats.md),
    others are guessed, which is said"""
    footprint: str = "gaussian"
    """how the radiometer averages: gaussian (fwhm_km wide) or box"""
    fwhm_km: float = 43.0
    """full width at half maximum of a gaussian footprint, km"""
    sigma_ssm: float = 0.04
    """error of a coarse observation where the product states none, m3 m-3"""
    memory: MemoryConfig = field(default_factory=MemoryConfig)
    """the memory of clear-sky LST anomalies under cloud"""
    workers: int = 1
    """processes that read granules"""
    engine: EngineConfig = field(default_factory=EngineConfig)
    """what reads granules: this machine, or the workers of a dask scheduler"""
    revise: bool = False
    """true uses late-arriving granules: their days and all days after them are made again, with a higher revision"""
    plan: bool = False
    """true prints what would be prepared and writes nothing"""

    def __post_init__(self) -> None:
        require_paths(self, "raw", "cube")
        days_between(self.start, self.end)
        require(self.modis_day in ("utc", "local"), f"modis_day={self.modis_day}: choose utc or local")
        parse_rain_day(self.rain_day)
        require(self.footprint in ("gaussian", "box"), f"footprint={self.footprint}: choose gaussian or box")
        require(self.fwhm_km > 0, f"fwhm_km={self.fwhm_km} must be > 0")
        require(0 < self.sigma_ssm < 0.5, f"sigma_ssm={self.sigma_ssm} must lie in (0, 0.5) m3 m-3")
        require(self.workers >= 1, f"workers={self.workers} must be >= 1")
