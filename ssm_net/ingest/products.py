"""The table of products: the file family of each folder of raw/, the layer of each variable, and its quality flags.

Quality bits of soil moisture: ESA CCI soil moisture (v08) and SPL3SMP (O'Neill et al. 2021). The rows of MODIS and
VIIRS are in ``eos_products``; what a flag does to a value, ``product_types`` says.
"""

from __future__ import annotations

import re

from ssm_net.ingest.eos_products import MODIS_LST, NBAR, SURFACE_REFLECTANCE, VIIRS_LST
from ssm_net.ingest.product_types import (
    KEPT,
    LOWER,
    MISSING,
    Bits,
    Effect,
    Family,
    Flag,
    Layer,
    Product,
    Role,
    by_layer,
)

__all__ = ["KEPT", "LOWER", "MISSING", "PRODUCTS", "Bits", "Effect", "Family", "Flag", "Layer", "Product", "Role",
           "by_layer", "of_role", "product"]  # fmt: skip

_CCI = ("flag", "flags", "sm_flag")
_CCI_SSM = (
    Flag("snow or frozen ground", Bits(_CCI, 0, 1)),
    Flag("dense vegetation", Bits(_CCI, 1, 1)),
    Flag("no convergence", Bits(_CCI, 2, 1)),
    Flag("beyond physical bounds", Bits(_CCI, 3, 1)),
    Flag("weight below threshold", Bits(_CCI, 4, 1)),
    Flag("all data unreliable", Bits(_CCI, 5, 1)),
    Flag("barren ground", Bits(_CCI, 6, 1), effect=KEPT),  # optional: without it deserts have no observation
)
_RETRIEVAL, _SURFACE = ("retrieval_qual_flag",), ("surface_flag",)
_SMAP = (
    Flag("not recommended", Bits(_RETRIEVAL, 0, 1)),
    Flag("not attempted", Bits(_RETRIEVAL, 1, 1)),
    Flag("not successful", Bits(_RETRIEVAL, 2, 1)),
    Flag("snow or ice", Bits(_SURFACE, 5, 2), (1, 2, 3)),  # for the day, or lasting
    Flag("frozen ground", Bits(_SURFACE, 7, 2), (1, 2, 3)),  # by the radiometer, or by the model
    # How much of water, towns, mountains, rain and dense vegetation is too much, the recommendation says.
    Flag("precipitation", Bits(_SURFACE, 4, 1), effect=KEPT),
    Flag("dense vegetation", Bits(_SURFACE, 10, 1), effect=KEPT),
)
_CCI_LST = tuple(Layer(f"lst_{view}", ("lst",)) for view in ("day", "night"))

PRODUCTS: tuple[Product, ...] = (
    Product("NNsm", "easegrid", "ssm", (".nc", ".nc4"), aliases=("NNsm-FY",)),
    Product("C3S", "latlon_ssm", "ssm", (".nc",), flags=_CCI_SSM),
    Product("CCI", "latlon_ssm", "ssm", (".nc",), flags=_CCI_SSM),
    Product("SMAP", "smap", "ssm", (".h5", ".nc"), flags=_SMAP, aliases=("SPL3SMP", "SPL2SMP")),
    *MODIS_LST,
    *VIIRS_LST,
    *NBAR,
    *SURFACE_REFLECTANCE,
    Product("ESACCI-LST", "latlon_lst", "lst", (".nc",), _CCI_LST),
    Product("ERA5-Land", "reanalysis", "reanalysis", (".nc", ".nc4")),
    Product("precip", "rain", "rain", (".nc", ".nc4", ".cdf")),
)

_BY_NAME = {name.lower(): p for p in PRODUCTS for name in (p.name, *p.aliases)}


def product(folder: str) -> Product | None:
    """The product of a folder name, with or without a version (``MOD11A1.061``, ``MOD11A1``), in capitals or not; None
    where unknown."""
    name = folder.lower()
    return _BY_NAME.get(name) or _BY_NAME.get(re.sub(r"[._-]v?\d{3}$", "", name))


def of_role(role: Role) -> tuple[Product, ...]:
    """The products of a ``role``, the preferred one first."""
    return tuple(p for p in PRODUCTS if p.role == role)
