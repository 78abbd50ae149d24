"""The rows of the table of products for coarse soil moisture, the preferred product first, and their quality flags.

Quality bits: ESA CCI soil moisture (v08) and SPL3SMP (O'Neill et al. 2021); those of LPRM, AU_Land and SMOS stand with
their sources in the readers (``lprm``, ``au_land``, ``smos``).
"""

from __future__ import annotations

from ssm_net.ingest.product_types import KEPT, LOWER, MISSING, Bits, Flag, Product

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
# The bits that the reader of LPRM makes for the band it takes, of the file's mask, errors and values.
LPRM_MASK = ("mask",)
LPRM_BITS = {name: 1 << n for n, name in enumerate(
    ("no error", "frozen", "water", "dense", "large error", "saturated", "above porosity", "bare"))}  # fmt: skip
_LPRM = tuple(
    Flag(words, Bits(LPRM_MASK, LPRM_BITS[name].bit_length() - 1, 1), effect=effect, error=0.15)
    for name, words, effect in (
        ("no error", "0, or no error: nothing fits the brightness temperatures", MISSING),
        ("frozen", "frozen ground", MISSING),
        ("water", "open water", MISSING),
        ("dense", "dense vegetation", MISSING),
        ("large error", "error above 0.2 m3 m-3", MISSING),
        ("saturated", "above 0.70 m3 m-3, more than any soil holds", MISSING),
        ("above porosity", "above 0.60 m3 m-3: canopy, standing or melting water", LOWER),
        ("bare", "no vegetation, optical depth near 0", KEPT),
    )
)
_AU_LAND = (Flag("retrieval flag other than 0", Bits(("retrievalqualityflagsca",), 0, 1)),)  # 1 for any of them
_SMOS = (
    Flag("not recommended", Bits(("quality_flag",), 0, 8), (1,)),
    Flag("no retrieval", Bits(("quality_flag",), 0, 8), tuple(range(2, 256))),
)
_SMAP_NAMES = ("SPL3SMP", "SPL2SMP", "SPL3SMP_E", "SPL2SMP_E")
_LPRM_NAMES = tuple(f"LPRM_{sensor}_{way}_SOILM3" for sensor in ("AMSR2", "AMSR2_DS", "AMSRE") for way in "DA")

COARSE_SSM: tuple[Product, ...] = (
    Product("NNsm", "easegrid", "ssm", (".nc", ".nc4"), aliases=("NNsm-FY",)),
    Product("C3S", "latlon_ssm", "ssm", (".nc",), flags=_CCI_SSM),
    Product("CCI", "latlon_ssm", "ssm", (".nc",), flags=_CCI_SSM),
    Product("SMAP", "smap", "ssm", (".h5", ".nc"), flags=_SMAP, aliases=_SMAP_NAMES),
    Product("LPRM", "lprm", "ssm", (".nc4", ".nc"), flags=_LPRM, aliases=_LPRM_NAMES),
    Product("AU_Land", "au_land", "ssm", (".he5", ".h5"), flags=_AU_LAND),
    Product("SMOS", "smos", "ssm", (".nc",), flags=_SMOS, aliases=("SMOS-IC", "SMOS_IC", "SMOSIC")),
)
