"""Settings of ``extract``."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ssm_net.config.checks import check_period, require, require_paths

TABLE_SUFFIXES = (".csv", ".parquet", ".nc")


@dataclass(frozen=True)
class ExtractConfig:
    """Series of soil moisture at points, or means over areas with their uncertainty, from daily maps to a table.

    A point takes the pixel that it lies in. An area takes the mean of its pixels, each weighted by the part of it that
    lies inside. docs/extract.md explains the columns.

        ssm-net extract mosaics=OUT points=stations.csv to=series.csv
        ssm-net extract mosaics=OUT at=[-5.5,41.2] to=series.csv
        ssm-net extract mosaics=OUT areas=basins.gpkg names=basin to=basins.nc
    """

    mosaics: str
    """folder of the maps, in any of the three formats"""
    to: str
    """file to write: .csv, .parquet (needs pyarrow) or .nc (CF time series)"""
    points: str | None = None
    """CSV file of places, with the columns lon, lat (degrees) and name"""
    at: list[float] = field(default_factory=list)
    """places on the command line: [lon,lat], or [lon,lat,lon,lat,...], degrees"""
    areas: str | None = None
    """file of polygons in any format of OGR: GeoPackage, GeoJSON, Shapefile (a zipped one, too)"""
    names: str | None = None
    """column with the names of the areas; without it they are area_1, area_2, ..."""
    start: str | None = None
    """first day, yyyy-mm-dd; without it the first that there is"""
    end: str | None = None
    """last day, yyyy-mm-dd; without it the last that there is"""
    domain_name: str | None = None
    """name of the domain, where the folder holds several"""
    format: str | None = None
    """netcdf, cog or zarr, where the folder holds several"""
    plan: bool = False
    """true prints what would be extracted and does nothing"""

    def __post_init__(self) -> None:
        require_paths(self, "mosaics", "to", "points", "areas")
        check_period(self.start, self.end)
        given = [key for key in ("points", "at", "areas") if getattr(self, key)]
        require(bool(given), "nothing given for points: add points=FILE.csv, at=[lon,lat] or areas=FILE")
        require(len(given) == 1, f"give one of points=, at= and areas=, not {' and '.join(given)}")
        require(len(self.at) % 2 == 0, f"at={self.at}: give a longitude and a latitude for each place")
        require(all(math.isfinite(v) for v in self.at), f"at={self.at}: give degrees")
        require(self.to.lower().endswith(TABLE_SUFFIXES), f"to={self.to}: end it in .csv, .parquet or .nc")
        require(self.names is None or self.areas is not None, "names= is a column of areas=; give areas, too")
        require(self.format in (None, "netcdf", "cog", "zarr"), f"format={self.format}: netcdf, cog or zarr")
