"""Settings of ``download``."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ssm_net.config.checks import days_between, require, require_paths
from ssm_net.config.shared import DomainConfig

DOWNLOADS = (
    "MYD11A1", "MOD11A1", "MYD21A1", "MOD21A1", "VNP21A1", "VJ121A1", "VJ221A1",
    "MCD43A4", "VNP43IA4", "VNP43MA4", "LPRM", "SMAP", "IMERG", "MOD44W", "ASTGTM", "C3S", "ERA5-Land",
)  # fmt: skip


@dataclass(frozen=True)
class EarthdataConfig:
    """Where NASA's Earthdata is asked: other addresses are those of a mirror, or of Earthdata's own test system."""

    cmr: str = "https://cmr.earthdata.nasa.gov/search/"
    """the search service (CMR)"""
    login: str = "https://urs.earthdata.nasa.gov"
    """Earthdata Login"""
    hosts: list[str] = field(
        default_factory=lambda: ["earthdata.nasa.gov", "earthdatacloud.nasa.gov", "eosdis.nasa.gov", "nsidc.org",
                                 "cr.usgs.gov"]
    )  # fmt: skip
    """hosts of data, with all hosts below them, that the login is sent to; no other host is sent it"""

    def __post_init__(self) -> None:
        for key in ("cmr", "login"):
            url = getattr(self, key)
            require(is_safe_url(url), f"earthdata.{key}={url}: give an address that begins with https://")
        require(all(host.strip(".") for host in self.hosts), "earthdata.hosts: an empty name would be every host")


@dataclass(frozen=True)
class DownloadConfig:
    """The files that prepare needs, from the archives into RAW, with one login.

    Files that are there are left alone, so that the same command continues after an interruption. It needs an Earthdata
    login (https://urs.earthdata.nasa.gov/users/new) in ~/.netrc, in EARTHDATA_USERNAME and EARTHDATA_PASSWORD, or a
    token in EARTHDATA_TOKEN; and pip install 'ssm_net[download]'.

        ssm-net download raw=raw 'domain.bbox=[-5.9,41,-5.3,41.5]' start=2018-04-01 end=2018-09-30 plan=true
        ssm-net download raw=raw 'domain.bbox=[-5.9,41,-5.3,41.5]' start=2018-04-01 end=2018-09-30
    """

    raw: str
    """folder to fill, with one folder for each product (docs/formats.md)"""
    start: str
    """first day of the maps, yyyy-mm-dd; files of days before it are fetched, too, as lead says"""
    end: str
    """last day, yyyy-mm-dd, included"""
    domain: DomainConfig = field(default_factory=DomainConfig)
    """where: a file of conf/domain, or one of domain.window, domain.bbox, domain.boundary"""
    products: list[str] = field(default_factory=lambda: ["auto"])
    """what to fetch. auto: soil moisture of AMSR-E or AMSR2 (LPRM), LST and reflectance of Aqua to 2022 and of VIIRS
    from 2023, rain (IMERG), water (MOD44W) and elevation (ASTGTM). Names: MYD11A1, MOD11A1, MYD21A1, MOD21A1, VNP21A1,
    VJ121A1, VJ221A1, MCD43A4, VNP43IA4, VNP43MA4, LPRM, SMAP, IMERG, MOD44W, ASTGTM, and with a key of the Climate Data
    Store C3S and ERA5-Land; auto and names can stand together"""
    lead: int = 12
    """days before start that are fetched, too, so that the memory of LST is filled on the first day: give prepare a
    start that is as many days earlier. Rain is fetched from 60 days before that"""
    connections: int = 3
    """files that are fetched at the same time, at most 8"""
    tries: int = 5
    """how often a file is tried before it is left for the next run"""
    pause: float = 2.0
    """pause after the first failure of a file, seconds; it doubles with each one. Where the archive says how long to
    wait, that counts"""
    earthdata: EarthdataConfig = field(default_factory=EarthdataConfig)
    """addresses of Earthdata, for a mirror or a test system"""
    plan: bool = False
    """true prints what would be fetched, and its size, and fetches nothing; it needs no login"""

    def __post_init__(self) -> None:
        require_paths(self, "raw")
        days_between(self.start, self.end)
        known = ("auto", *DOWNLOADS)
        for name in self.products:
            require(name in known, f"products: {name} is unknown; choose from {', '.join(known)}")
        require(bool(self.products), "products=[] fetches nothing: give auto or names")
        require(0 <= self.lead <= 400, f"lead={self.lead} must lie in 0 to 400 days")
        require(1 <= self.connections <= 8, f"connections={self.connections}: 1 to 8, out of regard for the archives")
        require(self.tries >= 1, f"tries={self.tries} must be >= 1")
        require(self.pause >= 0, f"pause={self.pause} must be >= 0")


def is_safe_url(url: str) -> bool:
    """Whether nobody on the way can read or change what is sent: https, or http to this machine itself."""
    try:
        parts = urlsplit(url)
    except ValueError:  # no address at all
        return False
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname))
    )


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
