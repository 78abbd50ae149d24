"""Settings of ``simulate``."""

from __future__ import annotations

from dataclasses import dataclass, field

from ssm_net.config.checks import days_between, require, require_paths
from ssm_net.config.shared import DomainConfig

SENSORS = ("modis", "viirs", "both")
COARSE_PRODUCTS = ("NNsm", "LPRM", "AU_Land", "SMAP", "SPL3SMP_E", "SMOS")


@dataclass(frozen=True)
class SimulateConfig:
    """A synthetic world with known 1 km truth, in the archives' own file formats.

    A run that was interrupted continues where it stopped. RAW/truth.zarr is the truth, RAW/validity.json compares the
    world's statistics with those of the Earth, RAW/points.json those of points inside cells with real stations.

        ssm-net simulate raw=RAW start=2016-04-15 end=2016-06-13
        ssm-net simulate raw=RAW experiment=demo
    """

    raw: str
    """folder to write; it must be empty, or hold the same world"""
    start: str
    """first day, yyyy-mm-dd"""
    end: str
    """last day, yyyy-mm-dd, included"""
    domain: DomainConfig = field(default_factory=DomainConfig)
    """where: a file of conf/domain, or domain=custom with domain.window, domain.bbox or domain.boundary"""
    seed: int = 1
    """another number is another world"""
    family: str = "A"
    """physics of the world: A to F, which differ in structure; several letters: laws drawn between them. With D, E or F
    pixels also differ in what no map shows, maps are wrong, and the climate is that of the latitude"""
    sensors: str = "modis"
    """imagers of LST and reflectance: modis (Aqua), viirs (Suomi NPP) or both"""
    auxiliary: bool = False
    """true adds an hourly reanalysis (ERA5-Land) and LST of a second platform: Terra for MODIS, NOAA-20 for VIIRS"""
    record: bool = False
    """true: AMSR-E, FY-3B and AMSR2 each in its years, with its own errors, and VIIRS from its first days on; false:
    one radiometer, and VIIRS, throughout"""
    ssm: list[str] = field(default_factory=lambda: ["NNsm"])
    """products of coarse soil moisture: any of NNsm, LPRM, AU_Land, SMAP, SPL3SMP_E, SMOS; each of the last five has
    lasting errors of its own"""
    static_tiles: bool = False
    """true writes static maps as archives deliver them, in tiles (NASADEM, MOD44W, SoilGrids); false: one file a map"""
    plan: bool = False
    """true prints what would be written and writes nothing"""

    def __post_init__(self) -> None:
        require_paths(self, "raw")
        days_between(self.start, self.end)
        require(self.sensors in SENSORS, f"sensors={self.sensors}: give {', '.join(SENSORS)}")
        unknown = sorted(set(self.ssm) - set(COARSE_PRODUCTS))
        require(bool(self.ssm) and not unknown, f"ssm={self.ssm}: choose from {', '.join(COARSE_PRODUCTS)}")
