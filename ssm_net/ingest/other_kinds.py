"""Files of another kind than their folder is for: monthly and ten-day means, ACTIVE and COMBINED soil moisture, other
levels and passes of a product. They have names like those of the right ones, and none is the observation of a day."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ssm_net.ingest.naming import LPRM, SMOS_IC
from ssm_net.ingest.products import Product
from ssm_net.ingest.raster import GranuleError

Refusal = tuple[str, str]  # what the file is, and what can be done

MONTHLY = {"MONTHLY", "1MONTHLY", "MONTH", "MON", "MONMEAN", "MO", "P1M"}
TEN_DAYS = {"DEKADAL", "DEKAD", "DECADAL", "DECAD", "10DAILY", "10DAY", "10DAYS", "P10D"}
WANTED = {
    "latlon_ssm": "daily PASSIVE files",
    "latlon_lst": "daily files",
    "rain": "files of a day or of hours",
    "reanalysis": "hourly files",
    "easegrid": "daily files",
    "smap": "SPL3SMP, SPL2SMP, SPL3SMP_E or SPL2SMP_E files (passive)",
    "lprm": "LPRM_AMSR2_D_SOILM3, LPRM_AMSRE_D_SOILM3 or like files (level 3, daily)",
    "au_land": "AU_Land files (half orbits, AMSR_U2_L2_Land_*.he5)",
    "smos": "daily SMOS-IC files of the ascending pass (SM_RE06_MIR_CDF3SA_*_105_*.nc)",
    "hdfeos": "daily files",
}
_SMAP = re.compile(r"SMAP_(L\d[A-Z]?)_(SM|FT|TB)?_?(AP|SP|P_E|P|A|\w+?)_", re.I)


def other_kind(entry: Product, name: str, attributes: Mapping[str, Any] | None = None) -> Refusal | None:
    """What makes a file one of another kind than ``entry``, by its name and the global ``attributes`` of its content,
    with the remedy; None where nothing does."""
    by_name = {"smap": _smap, "lprm": _lprm, "smos": _smos}.get(entry.family)
    what = _by_words(entry, _words(name)) or (None if by_name is None else by_name(name))
    if what is None and attributes:
        text = {key.lower(): str(value) for key, value in attributes.items()}
        resolution = _words(text.get("time_coverage_resolution", ""))
        what = _period(resolution) or _by_words(entry, _words(f"{text.get('id', '')} {text.get('title', '')}"))
    if what is None:
        return None
    return what, f"get {WANTED[entry.family]} and take these out of the folder"


def require_kind(entry: Product, path: Path, attributes: Mapping[str, Any]) -> None:
    """Raise ``GranuleError`` where the attributes of a file that is being read make it one of another kind."""
    found = other_kind(entry, path.name, attributes)
    if found is not None:
        raise GranuleError(path, f"is {found[0]}", remedy=found[1])


def _by_words(entry: Product, words: set[str]) -> str | None:
    if entry.family == "latlon_ssm":
        if words & {"RZSM", "RZSMV", "ROOTZONE"}:
            return "root-zone soil moisture"
        if "PASSIVE" not in words:
            for kind in ("COMBINED", "ACTIVE"):
                if kind in words:
                    return f"{kind} soil moisture, not of radiometers alone"
    return _period(words)


def _period(words: set[str]) -> str | None:
    if words & MONTHLY:
        return "a monthly mean"
    return "a ten-day mean" if words & TEN_DAYS else None


def _smap(name: str) -> str | None:
    match = _SMAP.search(name)
    if match is None:
        return None
    level, kind, sort = match[1].upper(), (match[2] or "").upper(), match[3].upper()
    if level[:2] in ("L2", "L3") and kind == "SM" and sort in ("P", "P_E"):
        return None
    return f"a SMAP file of {level} {kind} {sort}".replace("  ", " ") + ", not passive soil moisture of level 2 or 3"


def _lprm(name: str) -> str | None:
    match = LPRM.search(name)
    return f"an LPRM file of level {match['level']}, not of level 3" if match and match["level"] != "3" else None


def _smos(name: str) -> str | None:
    """All but SMOS-IC of the morning: how the others store soil moisture, its error and flags is not known here."""
    match = SMOS_IC.search(name)
    if match is None:
        known = re.search(r"SMOS|MIR_|BEC_", name, re.I)
        return "a file of SMOS that is none of SMOS-IC, whose layers are not known" if known else None
    return "the evening pass (18:00) of SMOS, not the morning's" if match["way"].upper() == "D" else None


def _words(text: str) -> set[str]:
    return set(re.split(r"[^A-Z0-9]+", text.upper()))
