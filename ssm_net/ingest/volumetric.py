"""Soil moisture that is volumetric, told from saturation (percent of the wettest state), which it is not."""

from __future__ import annotations

import re

from ssm_net.ingest.encoding import Encoding
from ssm_net.ingest.quantities import SOIL_MOISTURE, Linear, plain_unit
from ssm_net.ingest.ranges import conversion
from ssm_net.ingest.raster import GranuleError

# ESA CCI and C3S: SSMS is surface soil moisture in saturation, SSMV volumetric; ACTIVE is from scatterometers.
SATURATION_NAME = re.compile(r"(?<![a-z])(ssms|active)(?![a-z])", re.I)
VOLUMETRIC_NAME = re.compile(r"(?<![a-z])(ssmv|passive|combined)(?![a-z])", re.I)


def volumetric(encoding: Encoding, *, percent_is_volumetric: bool = True) -> Linear:
    """Factor and offset from the stated unit of a layer of soil moisture to m3 m-3.

    With ``percent_is_volumetric`` false a unit of percent counts as such only where the file says so.

    Raises ``GranuleError`` where the file, by its name or the layer's attributes, holds saturation, or states a unit
    that cannot be converted.
    """
    said = " ".join(encoding.text(key) for key in ("long_name", "standard_name", "units", "description"))
    relative = re.search(r"saturat|soil wetness|wetness index", said, re.I) and not re.search("volum", said, re.I)
    known = re.search("volum", said, re.I) or VOLUMETRIC_NAME.search(encoding.path.name)
    percent = SOIL_MOISTURE.units.get(plain_unit(encoding.text("units"))) == (0.01, 0.0)
    if relative or SATURATION_NAME.search(encoding.path.name) or (percent and not known and not percent_is_volumetric):
        raise GranuleError(
            encoding.path, "holds the degree of saturation (percent of the wettest state, as ACTIVE products do), "
            "which is not volumetric", layer=encoding.name,
            remedy="put the PASSIVE product (m3 m-3) in its place",
        )  # fmt: skip
    return conversion(SOIL_MOISTURE, encoding)
