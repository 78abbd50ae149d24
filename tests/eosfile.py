"""Small HDF-EOS grid files for the tests of the readers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from odc.geo.geobox import GeoBox
from pyhdf.SD import SD, SDC

from ssm_net.ingest.hdfeos import find_layer
from ssm_net.ingest.products import Layer
from ssm_net.ingest.raster import Raster

TYPES = {"uint8": SDC.UINT8, "int8": SDC.INT8, "uint16": SDC.UINT16, "int16": SDC.INT16, "uint32": SDC.UINT32}
PIXEL = 926.625433055556


def struct_metadata(grids: list[dict[str, Any]]) -> str:
    text = "GROUP=SwathStructure\nEND_GROUP=SwathStructure\nGROUP=GridStructure\n"
    for n, g in enumerate(grids, 1):
        rows, cols = g["shape"]
        left, top, pixel = g["left"], g["top"], g.get("pixel", PIXEL)
        fields = "".join(
            f'\t\t\tOBJECT=DataField_{i}\n\t\t\t\tDataFieldName="{name}"\n\t\t\tEND_OBJECT=DataField_{i}\n'
            for i, name in enumerate(g["layers"], 1)
        )
        text += (
            f'\tGROUP=GRID_{n}\n\t\tGridName="G{n}"\n\t\tXDim={cols}\n\t\tYDim={rows}\n'
            f"\t\tUpperLeftPointMtrs=({left:.6f},{top:.6f})\n"
            f"\t\tLowerRightMtrs=({left + cols * pixel:.6f},{top - rows * pixel:.6f})\n"
            f"\t\tProjection={g.get('projection', 'GCTP_SNSOID')}\n"
            f"\t\tProjParams=(6371007.181000,0,0,0,0,0,0,0,{g.get('slot9', 0)},0,0,0,0)\n\t\tSphereCode=-1\n"
            f"\t\tGROUP=DataField\n{fields}\t\tEND_GROUP=DataField\n\tEND_GROUP=GRID_{n}\n"
        )
    return text + "END_GROUP=GridStructure\nEND\n"


def core_metadata(first: str, last: str | None = None, name: str | None = None) -> str:
    values = {"RANGEBEGINNINGDATE": first, "RANGEENDINGDATE": last or first}
    if name:
        values |= {"LOCALGRANULEID": name, "SHORTNAME": name.split(".")[0]}
    return "".join(
        f'    OBJECT                 = {k}\n      NUM_VAL              = 1\n      VALUE                = "{v}"\n'
        f"    END_OBJECT             = {k}\n\n"
        for k, v in values.items()
    )


def write(path: Path, grids: list[dict[str, Any]], core: str = "") -> Path:
    """``grids``: left, top, shape, and ``layers``: name -> (array, attributes)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sd = SD(str(path), SDC.WRITE | SDC.CREATE | SDC.TRUNC)
    sd.attr("StructMetadata.0").set(SDC.CHAR, struct_metadata(grids))
    if core:
        sd.attr("CoreMetadata.0").set(SDC.CHAR, core)
    for g in grids:
        for name, (data, attributes) in g["layers"].items():
            kind = TYPES[str(data.dtype)]
            sds = sd.create(name, kind, data.shape)
            for key, value in attributes.items():
                if key in ("scale_factor", "add_offset"):
                    sds.attr(key).set(SDC.FLOAT64, float(value))
                else:
                    sds.attr(key).set(kind, value)
            sds[:] = data
            sds.endaccess()
    sd.end()
    return path


LST = {"scale_factor": 0.02, "valid_range": [7500, 65535], "_FillValue": 0}


def lst_grid(kelvin: np.ndarray, left: float, top: float, qc: np.ndarray | int = 0, **more: Any) -> dict[str, Any]:
    """A MxD11A1 grid of day LST; NaN is the fill value."""
    stored = np.where(np.isnan(kelvin), 0, np.rint(np.nan_to_num(kelvin) / 0.02)).astype(np.uint16)
    qc_layer = np.broadcast_to(np.asarray(qc, np.uint8), stored.shape).copy()
    layers = {"LST_Day_1km": (stored, LST), "QC_Day": (qc_layer, {"valid_range": [0, 255]})}
    return {"left": left, "top": top, "shape": stored.shape, "layers": layers, **more}


def read_layer(path: Path, layer: Layer, within: GeoBox | None = None) -> tuple[Raster, Raster | None] | None:
    """The values of a layer and their errors (None where the product has none); None where there is no such layer."""
    lazy = find_layer(path, layer, within)
    if lazy is None:
        return None
    values, *sigma = (Raster(field, lazy.geobox) for field in lazy.read())
    return values, sigma[0] if sigma else None
