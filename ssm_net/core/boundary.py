"""The domain that the settings name: a window of coarse cells, a bounding box or the boundary in a vector file."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from odc.geo.geom import Geometry

from ssm_net.config import DomainConfig
from ssm_net.dateline import box_beyond, middle_longitude, on_grid
from ssm_net.errors import ConfigError, SsmNetError
from ssm_net.grid import Domain


def domain_of(cfg: DomainConfig) -> Domain:
    """The domain of these settings: a boundary's extent, a bounding box or a window of coarse cells.

    Raises ``ConfigError`` where none is given, or one that is not on the grid.
    """
    try:
        if cfg.boundary is not None:
            return Domain.from_geometry(cfg.name, read_boundary(cfg.boundary))
        if cfg.bbox is not None:
            if len(cfg.bbox) != 4:
                raise ConfigError(f"domain.bbox={cfg.bbox} needs [west,south,east,north]")
            west, south, east, north = cfg.bbox
            return Domain.from_bbox(cfg.name, (west, south, east, north))
        if cfg.window is not None:
            if len(cfg.window) != 4:
                raise ConfigError(f"domain.window={cfg.window} needs [row0,row1,col0,col1]")
            r0, r1, c0, c1 = cfg.window
            return Domain(cfg.name, (r0, r1, c0, c1))
    except ConfigError:
        raise
    except ValueError as err:
        raise ConfigError(str(err)) from err
    raise ConfigError("no domain given: domain=NAME, domain.window=[r0,r1,c0,c1] or domain.bbox=[w,s,e,n]")


class BoundaryError(SsmNetError):
    """A boundary file cannot be used; the message names it and the remedy."""


@dataclass(frozen=True)
class NamedArea:
    """The polygons of one feature of a vector file, in the file's CRS, under its name."""

    name: str
    geometry: Geometry


def read_boundary(path: Path | str) -> Geometry:
    """All polygons of a vector file (any format of OGR) as one geometry in the file's CRS; holes stay holes.

    Raises ``BoundaryError`` where there is no such file, OGR cannot read it, or it has no polygon or no CRS;
    ``ImportError`` without pyogrio.
    """
    import_pyogrio()
    import shapely

    features, crs, _ = _read_polygons(Path(path), "boundary", None)
    return Geometry(shapely.union_all([polygon for polygons in features for polygon in polygons]), crs)


def pixels_inside(area: Geometry, domain: Domain) -> np.ndarray:
    """The pixels of the domain's fine grid whose centre lies inside an area of any CRS, (Ny, Nx) bool."""
    from odc.geo.xr import rasterize

    beyond = domain.crosses_dateline or box_beyond(area) is not None
    area = on_grid(area, middle_longitude(domain.fine)) if beyond else area.to_crs(domain.grid.crs)
    return np.asarray(rasterize(area, domain.fine).values, bool)


def read_areas(path: Path | str, names: str | None = None) -> list[NamedArea]:
    """The features of a vector file (any format of OGR) that have polygons, each by itself.

    ``names`` is the column with their names; without it they are area_1, area_2, ... by their place in the file.
    Raises ``BoundaryError`` as ``read_boundary`` does, and where there is no such column, or two areas have one name.
    """
    import_pyogrio()
    import shapely

    path = Path(path)
    features, crs, values = _read_polygons(path, "areas", names)
    labels = [f"area_{n + 1}" if values is None else str(values[n]).strip() for n in range(len(features))]
    areas = [NamedArea(label, Geometry(shapely.union_all(polygons), crs))
             for label, polygons in zip(labels, features, strict=True) if polygons]  # fmt: skip
    if twice := [label for label, count in Counter(area.name for area in areas).items() if count > 1]:
        raise BoundaryError(f"areas={path}: more than one area has the name {twice[0]!r} in column {names}; give "
                            "names= a column whose values differ, or leave it out")  # fmt: skip
    return areas


def import_pyogrio() -> None:
    """Raises ``ImportError``, with what to install, where pyogrio is not there."""
    try:
        import pyogrio  # noqa: F401
        import shapely  # noqa: F401
    except ImportError as err:
        raise ImportError("boundary files need pyogrio: pip install 'ssm_net[ingest]'") from err


def _read_polygons(path: Path, key: str, column: str | None) -> tuple[list[list[Any]], str, np.ndarray | None]:
    """The polygons of each feature, their CRS, and the values of a column."""
    import pyogrio
    import shapely
    from pyogrio.errors import DataLayerError, DataSourceError

    if not path.exists():
        raise BoundaryError(f"{key}={path}: no such file")
    try:
        meta, _, wkb, columns = pyogrio.raw.read(path, columns=None if column else [], force_2d=True)
    except (DataSourceError, DataLayerError) as err:
        raise BoundaryError(
            f"{key}={path}: not a vector file that OGR reads ({err}); give a GeoJSON file, for example"
        ) from err
    features = [_polygons_of(shape) for shape in shapely.make_valid(shapely.from_wkb(wkb))] if len(wkb) else []
    if not any(features):
        raise BoundaryError(f"{key}={path}: holds no polygon; give the area as polygons")
    if not meta["crs"]:
        raise BoundaryError(f"{key}={path}: has no coordinate reference system; write one into it")
    if column is None:
        return features, meta["crs"], None
    fields = [str(name) for name in meta["fields"]]
    if column not in fields:
        raise BoundaryError(f"{key}={path}: has no column {column!r}; it has {', '.join(fields) or 'none'}")
    return features, meta["crs"], columns[fields.index(column)]


def _polygons_of(shape: Any) -> list[Any]:
    """The polygons of a valid geometry; none where it is of points or lines."""
    import shapely

    return [p for p in shapely.get_parts(shapely.get_parts(shape)) if p.geom_type in ("Polygon", "MultiPolygon")]
