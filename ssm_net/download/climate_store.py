"""Files of the Climate Data Store: soil moisture of C3S and ERA5-Land, a request for each month, by cdsapi.

Names of datasets and keys of requests as the forms of the store give them (satellite-soil-moisture, version v202505;
reanalysis-era5-land). From memory: the last year of the long record of C3S (CDR); after it comes the provisional one.
"""

from __future__ import annotations

import datetime as dt
import itertools
import os
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ssm_net.core.days import ONE_DAY
from ssm_net.core.files import naming_full_disk, put_in_place
from ssm_net.download.checks import require_kind
from ssm_net.download.errors import DownloadError, FileError
from ssm_net.grid import Domain

C3S_VERSION, C3S_LAST_OF_RECORD = "v202505", dt.date(2024, 12, 31)
_C3S_NAME = re.compile(r"C3S-SOILMOISTURE-L3S-SSMV-PASSIVE-DAILY-(\d{8})\d{6}-\w+-v[\w.]+\.nc")
_ERA5_NAME = re.compile(r"[\w.-]*\.nc")
MARGIN = 0.5  # degrees of ERA5-Land around the domain
KEY_PAGE = "https://cds.climate.copernicus.eu/how-to-api"


@dataclass(frozen=True)
class CdsFile:
    """A request to the store for the ``days`` of one month, and the folder of raw/ for the files of its answer."""

    product: str
    folder: str
    dataset: str
    request: Mapping[str, Any]
    days: tuple[dt.date, ...]

    @property
    def name(self) -> str:
        """The name of a file of the answer that has none of its own, and of the unfinished one."""
        return f"{self.product.lower().replace('-', '_')}_{self.days[0]:%Y%m%d}_{self.days[-1]:%Y%m%d}.nc"

    def is_there(self, raw: Path) -> bool:
        """Whether all days are there already: of C3S a file each, of ERA5-Land the file or files of the request."""
        folder = raw / self.folder
        names = {path.name for path in folder.rglob("*.nc")} if folder.is_dir() else set()
        if self.product == "C3S":
            have = {match[1] for name in names if (match := _C3S_NAME.fullmatch(name))}
            return all(f"{day:%Y%m%d}" in have for day in self.days)
        stem = self.name.removesuffix(".nc")
        return self.name in names or {f"{stem}-instant.nc", f"{stem}-accum.nc"} <= names

    def place(self, member: str) -> str | None:
        """The name that a member of the answer's archive gets in the folder; None where it is no file of the product.
        Its own path is never used."""
        base = member.replace("\\", "/").rpartition("/")[2]
        if self.product == "C3S":
            return base if _C3S_NAME.fullmatch(base) else None
        if not _ERA5_NAME.fullmatch(base):
            return None
        step = next((step for step in ("instant", "accum") if step in base), None)
        return self.name.replace(".nc", f"-{step}.nc") if step else self.name


def cds_files(product: str, window: tuple[dt.date, dt.date], domain: Domain) -> list[CdsFile]:
    """The requests for the days of ``window``, a month each; of C3S the days after its record apart."""
    days = [window[0] + n * ONE_DAY for n in range((window[1] - window[0]).days + 1)]
    groups = itertools.groupby(days, key=lambda d: (d.year, d.month, product == "C3S" and d > C3S_LAST_OF_RECORD))
    return [_request(product, tuple(group), domain) for _, group in groups]


def _request(product: str, days: tuple[dt.date, ...], domain: Domain) -> CdsFile:
    when: dict[str, Any] = {"year": [f"{days[0]:%Y}"], "month": [f"{days[0]:%m}"], "day": [f"{day:%d}" for day in days]}
    if product == "C3S":
        record = "cdr" if days[0] <= C3S_LAST_OF_RECORD else "icdr"
        request: dict[str, Any] = {"variable": ["surface_soil_moisture_volumetric"], "type_of_sensor": ["passive"],
                   "time_aggregation": ["daily"], "type_of_record": [record], "version": [C3S_VERSION]}  # fmt: skip
        return CdsFile(product, "C3S", "satellite-soil-moisture", request | when, days)
    west, south, east, north = domain.bounds_lonlat()
    request = {
        "variable": ["2m_temperature", "surface_solar_radiation_downwards"], "time": [f"{h:02d}:00" for h in range(24)],
        "data_format": "netcdf", "download_format": "unarchived",
        "area": [round(v, 2) for v in (north + MARGIN, west - MARGIN, south - MARGIN, east + MARGIN)],
    }  # fmt: skip
    return CdsFile(product, "ERA5-Land", "reanalysis-era5-land", request | when, days)


def require_key() -> None:
    """Raises ``DownloadError`` where the user has no key and address of the store in the places where cdsapi looks."""
    from cdsapi.api import get_url_key_verify

    try:
        get_url_key_verify(None, None, None)
    except Exception as err:  # cdsapi raises it bare; its message is that the file is missing or incomplete
        rc = os.environ.get("CDSAPI_RC", "~/.cdsapirc")
        raise DownloadError(f"C3S and ERA5-Land need a key of the Climate Data Store: {KEY_PAGE} shows what to put "
                            f"into {rc}; or leave them out of products=") from err  # fmt: skip


def fetch_cds(file: CdsFile, raw: Path, tries: int) -> Sequence[Path]:
    """Ask the store for ``file``, wait, and put what comes into its folder; returns the new files.

    Raises ``FileError`` where it does not come, ``OSError`` where it cannot be written.
    """
    import cdsapi
    import requests

    folder = raw / file.folder
    part = folder / f"{file.name}.part"
    with naming_full_disk(part):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            client = cdsapi.Client(quiet=True, progress=False, retry_max=tries)
            client.retrieve(file.dataset, dict(file.request), str(part))
            with open(part, "rb") as written:
                os.fsync(written.fileno())
            return _unpacked(file, part) if zipfile.is_zipfile(part) else [_named(file, part)]
        except FileError:
            raise
        except (requests.RequestException, RuntimeError, LookupError, ValueError, zipfile.BadZipFile) as err:
            raise FileError(
                f"{file.product} {file.days[0]} .. {file.days[-1]}: the Climate Data Store says: {_in_one_line(err)}. "
                f"If it speaks of a licence, accept it on the download page of {file.dataset}; of a key, see {KEY_PAGE}"
            ) from err
        finally:
            part.unlink(missing_ok=True)


def _named(file: CdsFile, part: Path) -> Path:
    require_kind(part, file.name)
    return put_in_place(part, part.with_name(file.name))


def _unpacked(file: CdsFile, part: Path) -> list[Path]:
    out = []
    with zipfile.ZipFile(part) as archive:
        members = [(name, member) for member in archive.infolist()
                   if not member.is_dir() and (name := file.place(member.filename)) is not None]  # fmt: skip
        if len({name for name, _ in members}) < len(members):
            raise RuntimeError("an archive with several files of one name")
        for name, member in members:
            one = part.with_name(f"{name}.part")
            try:
                with archive.open(member) as source, open(one, "wb") as target:
                    while piece := source.read(1 << 20):
                        target.write(piece)
                    target.flush()
                    os.fsync(target.fileno())
                require_kind(one, name)
                out.append(put_in_place(one, part.with_name(name)))
            finally:
                one.unlink(missing_ok=True)
    if not out:
        raise RuntimeError("an archive without a file of a known name")
    return out


def _in_one_line(err: BaseException) -> str:
    lines = dict.fromkeys(line.strip() for line in str(err).splitlines() if line.strip())
    return "; ".join(lines)[:500] or type(err).__name__
