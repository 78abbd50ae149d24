"""The Earthdata login: found where users keep it, never written, and sent only to the hosts that it belongs to."""

from __future__ import annotations

import base64
import logging
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ssm_net.config.download import EarthdataConfig, is_safe_url
from ssm_net.download.errors import DownloadError, SetUpError

HOW = (
    "Make an account at https://urs.earthdata.nasa.gov/users/new, and put it into ~/.netrc as one line, 'machine "
    "{host} login NAME password WORD', that only you can read (chmod 600 ~/.netrc); or set EARTHDATA_USERNAME and "
    "EARTHDATA_PASSWORD, or EARTHDATA_TOKEN"
)
TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750, 2.1


@dataclass(frozen=True)
class EarthdataLogin:
    """A token, the name and password that it was made with where these are known, and the hosts that get them."""

    token: str = field(repr=False)
    user: str | None = field(repr=False)
    password: str | None = field(repr=False)
    login_at: str  # host and port of Earthdata Login
    hosts: tuple[str, ...]

    def header(self, url: str) -> str | None:
        """What an address is sent as ``Authorization``: Earthdata Login name and password, hosts of data the token,
        and any other host, or one that is asked without encryption, nothing."""
        if not is_safe_url(url):
            return None
        parts = urlsplit(url)
        if self.is_login(url) and self.user and self.password:
            return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        host = (parts.hostname or "").lower()
        ours = any(host == h or host.endswith(f".{h}") for h in self.hosts)
        return f"Bearer {self.token}" if ours or self.is_login(url) else None

    def is_login(self, url: str) -> bool:
        """Whether an address is one of Earthdata Login itself."""
        return urlsplit(url).netloc.lower() == self.login_at


def _system(cmr: str, login_host: str) -> Any:
    from earthaccess.system import CMRBaseURL, EDLHostname, StatusApiURL, StatusURL, System

    return System(CMRBaseURL(cmr), StatusURL(""), StatusApiURL(""), EDLHostname(login_host))


def log_in(cfg: EarthdataConfig) -> EarthdataLogin:
    """The login of the environment (a token, or name and password), or else of ~/.netrc (or the file that NETRC names).

    Raises ``DownloadError`` where there is none, Earthdata refuses it, or does not answer.
    """
    import earthaccess
    import requests
    from earthaccess.exceptions import LoginAttemptFailure, LoginStrategyUnavailable

    logging.getLogger("earthaccess").setLevel(logging.CRITICAL)  # what it reports is said below, once
    parts = urlsplit(cfg.login)
    auth = earthaccess.Auth()
    # The library knows addresses of production and of the test system only; these two are what it asks.
    auth.system = _system(cfg.cmr, parts.hostname or "")
    auth.EDL_FIND_OR_CREATE_TOKEN_URL = f"{cfg.login.rstrip('/')}/api/users/find_or_create_token"
    for strategy in ("environment", "netrc"):
        try:
            auth.login(strategy=strategy)
            break
        except LoginStrategyUnavailable:
            continue
        except LoginAttemptFailure as err:
            where = "EARTHDATA_USERNAME and EARTHDATA_PASSWORD" if strategy == "environment" else "~/.netrc"
            raise SetUpError(
                f"Earthdata Login refuses the name or the password in {where}: try them at {cfg.login}, and mend them"
            ) from err
        except (requests.RequestException, ValueError, KeyError) as err:
            raise DownloadError(
                f"Earthdata Login ({cfg.login}) does not answer as it should ({type(err).__name__}): see "
                "https://status.earthdata.nasa.gov, and run the same command again later"
            ) from err
    if not auth.authenticated or not auth.token:
        raise SetUpError("no Earthdata login was found. " + HOW.format(host=parts.hostname))
    token = auth.token["access_token"].strip()  # of a file with line ends of Windows
    if not TOKEN.fullmatch(token):  # it would be refused, and printed, when it is sent
        raise SetUpError(
            "the Earthdata token holds characters that no token has: check EARTHDATA_TOKEN, which is the token alone"
        )
    return EarthdataLogin(token, auth.username, auth.password, parts.netloc.lower(),
                          tuple(host.strip(".").lower() for host in cfg.hosts))  # fmt: skip
