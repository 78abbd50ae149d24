"""The domain that the settings name: a window of coarse cells, a bounding box or the boundary in a vector file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from odc.geo.geom import Geometry

from ssm_net.config import DomainConfig
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


def read_boundary(path: Path | str) -> Geometry:
    """All polygons of a vector file (any format of OGR) as one geometry in the file's CRS; holes stay holes.

    Raises ``BoundaryError`` where there is no such file, OGR cannot read it, or it has no polygon or no CRS;
    ``ImportError`` without pyogrio.
    """
    try:
        import pyogrio
        import shapely
        from pyogrio.errors import DataLayerError, DataSourceError
    except ImportError as err:
        raise ImportError("boundary files need pyogrio: pip install 'ssm_net[ingest]'") from err
    path = Path(path)
    if not path.exists():
        raise BoundaryError(f"boundary={path}: no such file")
    try:
        meta, _, wkb, _ = pyogrio.raw.read(path, columns=[], force_2d=True)
    except (DataSourceError, DataLayerError) as err:
        raise BoundaryError(
            f"boundary={path}: not a vector file that OGR reads ({err}); give a GeoJSON file, for example"
        ) from err
    shapes = shapely.make_valid(shapely.from_wkb(wkb)) if len(wkb) else np.empty(0, object)
    polygons = [p for p in shapely.get_parts(shapely.get_parts(shapes)) if p.geom_type in ("Polygon", "MultiPolygon")]
    if not polygons:
        raise BoundaryError(f"boundary={path}: holds no polygon; give the area as polygons")
    if not meta["crs"]:
        raise BoundaryError(f"boundary={path}: has no coordinate reference system; write one into it")
    return Geometry(shapely.union_all(polygons), meta["crs"])
