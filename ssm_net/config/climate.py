"""Settings of ``climate``."""

from __future__ import annotations

from dataclasses import dataclass, field

from ssm_net.config.checks import YEARS, check_period, require, require_paths

CLIMATE_PRODUCTS = ("monthly", "climatology", "anomalies", "percentiles")
LONGEST_WINDOW = 90  # days on each side: half a year in all


@dataclass(frozen=True)
class ClimateConfig:
    """Monthly means, day-of-year climatology, anomalies and percentiles (drought) of daily maps, as CF files.

    Each file is of one month. Files that are up to date are not made again. docs/climate.md explains the variables.

        ssm-net climate mosaics=OUT out=CLIMATE what=[monthly]
        ssm-net climate mosaics=OUT out=CLIMATE years=[2003,2022] start=2024-06-01
    """

    mosaics: str
    """folder of the maps, in any of the three formats"""
    out: str
    """folder of the files to write"""
    what: list[str] = field(default_factory=lambda: [*CLIMATE_PRODUCTS])
    """any of monthly, climatology, anomalies, percentiles; anomalies make the climatology, too"""
    window: int = 15
    """days on each side of a day of the year that its climatology and percentiles rest on"""
    years: list[int] = field(default_factory=list)
    """[first,last] year that climatology and percentiles rest on; without it all years of the maps"""
    min_years: int = 5
    """anomalies and percentiles have no value where fewer years have a day in the window"""
    exclude: list[str] = field(default_factory=list)
    """quality flags whose pixels do not count: [extrapolated,provisional], for example"""
    start: str | None = None
    """first day, yyyy-mm-dd, of the months that are made; a month is always made whole"""
    end: str | None = None
    """last day, yyyy-mm-dd, of the months that are made"""
    domain_name: str | None = None
    """name of the domain, where the folder holds several"""
    format: str | None = None
    """netcdf, cog or zarr, where the folder holds several"""
    plan: bool = False
    """true prints what would be made and does nothing"""

    def __post_init__(self) -> None:
        require_paths(self, "mosaics", "out")
        require(self.out != self.mosaics, f"out={self.out} is the folder of the maps: give another one")
        check_period(self.start, self.end)
        known = ", ".join(CLIMATE_PRODUCTS)
        require(bool(self.what), f"what=[] asks for nothing: give any of {known}")
        for name in self.what:
            require(name in CLIMATE_PRODUCTS, f"what=[{name}]: give any of {known}")
        require(0 <= self.window <= LONGEST_WINDOW, f"window={self.window}: give 0 to {LONGEST_WINDOW} days")
        require(self.min_years >= 1, f"min_years={self.min_years}: give 1 or more")
        if self.years:
            ordered = len(self.years) == 2 and YEARS[0] <= self.years[0] <= self.years[1] <= YEARS[1]
            require(ordered, f"years={self.years}: give the first and the last year, years=[2003,2022]")
        require(self.format in (None, "netcdf", "cog", "zarr"), f"format={self.format}: netcdf, cog or zarr")
