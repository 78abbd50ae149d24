"""Settings of ``simulate``."""

from __future__ import annotations

from dataclasses import dataclass, field

from ssm_net.config.checks import days_between, require_paths
from ssm_net.config.shared import DomainConfig


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
    auxiliary: bool = False
    """true adds LST of Terra and an hourly reanalysis (ERA5-Land)"""
    record: bool = False
    """true: AMSR-E, FY-3B and AMSR2 each in its years, with its own errors; false: one sensor throughout"""
    static_tiles: bool = False
    """true writes static maps as archives deliver them, in tiles (NASADEM, MOD44W, SoilGrids); false: one file a map"""
    plan: bool = False
    """true prints what would be written and writes nothing"""

    def __post_init__(self) -> None:
        require_paths(self, "raw")
        days_between(self.start, self.end)
