"""A mosaic whose soil moisture tells each pixel's place, with a masked lake; packing is right to ``TOLERANCE``."""

import datetime as dt

import numpy as np

from ssm_net.formats.mosaic_days import Flag, Mosaic
from ssm_net.grid import Domain

DAY = dt.date(2016, 6, 7)
DOMAIN = Domain("test", (60, 64, 700, 708))
TOLERANCE = 5.1e-5  # half a count, and the rounding of float32
ATTRS = {"model": "network", "checkpoint": "ab12", "inputs": "MYD11A1.061 MCD43A4.061", "version": "0.1.0",
         "history": "infer.py", "ensemble": 3, "lookahead": 0.5}  # fmt: skip


def plane(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """A field that tells the place of each pixel."""
    return 0.25 + 0.02 * (lon - 83) + 0.03 * (lat - 44)


def mosaic_of_a_day() -> Mosaic:
    lon, lat = DOMAIN.lonlat()
    ssm = plane(lon[None, :], lat[:, None]).astype("float32")
    flags = np.full(DOMAIN.fine_shape, Flag.COARSE_OBSERVED | Flag.LST_SEEN, np.uint16)
    ssm[40:60, 100:150] = np.nan
    flags[40:60, 100:150] = Flag.WATER
    sigma = np.where(np.isnan(ssm), np.nan, 0.04).astype("float32")
    return Mosaic(DAY, DOMAIN, ssm, sigma, flags, ATTRS)
