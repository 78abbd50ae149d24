"""The table of products: the file family of each folder of raw/, the layer of each variable, and its quality flags.

The rows of MODIS and VIIRS are in ``eos_products``, those of soil moisture in ``ssm_products``; what a flag does to a
value, ``product_types`` says.
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
from ssm_net.ingest.ssm_products import COARSE_SSM

__all__ = ["KEPT", "LOWER", "MISSING", "PRODUCTS", "Bits", "Effect", "Family", "Flag", "Layer", "Product", "Role",
           "by_layer", "of_role", "product"]  # fmt: skip

_CCI_LST = tuple(Layer(f"lst_{view}", ("lst",)) for view in ("day", "night"))

PRODUCTS: tuple[Product, ...] = (
    *COARSE_SSM,
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
