"""A boundary the user gives, in any vector format that OGR reads (GeoJSON, Shapefile, GeoPackage, OGR GMT ...)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from odc.geo.geom import Geometry


def read_boundary(path: Path | str) -> Geometry:
    """The area of all polygons of a file as one geometry in the file's CRS; holes stay holes.

    Raises ``ValueError`` where there is no such file, OGR cannot read it, it has no polygon or no CRS; ``ImportError``
    without pyogrio.
    """
    try:
        import pyogrio
        import shapely
        from pyogrio.errors import DataLayerError, DataSourceError
    except ImportError as err:
        raise ImportError("boundary files need pyogrio: pip install 'ssm_net[ingest]'") from err
    path = Path(path)
    if not path.exists():
        raise ValueError(f"boundary={path}: no such file")
    try:
        meta, _, wkb, _ = pyogrio.raw.read(path, columns=[], force_2d=True)
    except (DataSourceError, DataLayerError) as err:
        raise ValueError(f"boundary={path}: no vector file that OGR reads ({err}); give GeoJSON, say") from err
    shapes = shapely.make_valid(shapely.from_wkb(wkb)) if len(wkb) else np.empty(0, object)
    parts = [p for p in shapely.get_parts(shapely.get_parts(shapes)) if p.geom_type in ("Polygon", "MultiPolygon")]
    if not parts:
        raise ValueError(f"boundary={path}: holds no polygon; give the area as polygons")
    if not meta["crs"]:
        raise ValueError(f"boundary={path}: has no coordinate reference system; write one into it")
    return Geometry(shapely.union_all(parts), meta["crs"])
