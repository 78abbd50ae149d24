"""Discovery of the mosaics in a folder: their domain, their format and their days."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from pathlib import Path

from ssm_net.formats.mosaic_days import SUFFIXES, days_done
from ssm_net.formats.product import MosaicError

_NAME = re.compile(r"ssm_(.+)_\d{8}\.(nc|tif)|ssm_(.+)\.zarr")


@dataclass(frozen=True)
class MosaicFolder:
    """The complete days of one domain in one format, in order."""

    folder: Path
    domain_name: str
    format: str
    days: tuple[dt.date, ...]


def find_mosaics(folder: Path, domain_name: str | None = None, format: str | None = None) -> MosaicFolder:
    """The mosaics of ``folder``, of ``domain_name`` and in ``format`` where these are given.

    Raises ``MosaicError`` where there are none, or where they are of several domains or formats: then the message
    names what to choose from.
    """
    available = _all_mosaics(folder)
    wanted = {k: v for k, v in (("domain", domain_name), ("format", format)) if v is not None}
    matching = [m for m in available if wanted.items() <= {"domain": m.domain_name, "format": m.format}.items()]
    if not matching:
        asked = "".join(f" of {key}={value!r}" for key, value in wanted.items())
        holds = "; ".join(f"domain={m.domain_name!r}, format={m.format!r}" for m in available)
        remedy = f"it holds {holds}" if holds else f"make them with: ssm-net infer cube=CUBE run=RUN mosaics={folder}"
        raise MosaicError(f"{folder} holds no complete day{asked}: {remedy}")
    for key, values in (("domain", {m.domain_name for m in matching}), ("format", {m.format for m in matching})):
        if len(values) > 1:
            choices = " or ".join(f"{key}={value!r}" for value in sorted(values))
            raise MosaicError(f"{folder} holds mosaics of more than one {key}: give {choices}")
    return matching[0]


def _all_mosaics(folder: Path) -> list[MosaicFolder]:
    """Every domain and format of which the folder holds a complete day."""
    if folder.suffix in SUFFIXES.values():
        raise MosaicError(f"{folder} is one mosaic file or store: give the folder that holds it, {folder.parent}")
    if not folder.is_dir():
        raise MosaicError(f"{folder} is not a folder: give the one into which mosaics were written (mosaics=FOLDER)")
    formats = {suffix: format for format, suffix in SUFFIXES.items()}
    names = (_NAME.fullmatch(path.name) for path in folder.glob("ssm_*"))
    kinds = sorted({(match[1] or match[3], formats[Path(match[0]).suffix]) for match in names if match})
    mosaics = (MosaicFolder(folder, name, format, tuple(days_done(folder, name, format))) for name, format in kinds)
    return [m for m in mosaics if m.days]
