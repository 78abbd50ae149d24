"""Requests to the archives: redirects, refusals and pauses in one place, and credentials only where they belong."""

from __future__ import annotations

import datetime as dt
import email.utils
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

import requests

from ssm_net.config.download import EarthdataConfig, is_safe_url
from ssm_net.download.errors import FileError
from ssm_net.download.login import EarthdataLogin
from ssm_net.version import __version__

T = TypeVar("T")
TIMEOUT = 20, 90  # to connect, and between two pieces of an answer, seconds
REDIRECTS = 10
LONGEST_WAIT = 900.0  # seconds that an archive may ask to wait before a file is left for the next run
STATUS_PAGE = "see https://status.earthdata.nasa.gov, and run the same command again later"


@dataclass(frozen=True)
class Patience:
    """How often something is tried, the first pause (seconds, doubled each time), and whether the run is to end."""

    tries: int
    pause: float
    stopped: threading.Event = field(default_factory=threading.Event)

    def over(self, action: Callable[[], T]) -> T:
        """The result of ``action``, tried again after errors that another try may mend. Raises the last one."""
        for n in range(self.tries):
            if self.stopped.is_set():
                raise FileError("not begun, since the run was ended")
            try:
                return action()
            except FileError as err:
                wait = max(err.wait or 0.0, self.pause * 2**n)
                if not err.again or n + 1 == self.tries or wait > LONGEST_WAIT:
                    raise
                self.stopped.wait(wait)
        raise AssertionError("tries is at least 1")


class ArchiveSession:
    """Connections of one thread. Cookies of the login live as long as it does, and are on no disk."""

    def __init__(self, cfg: EarthdataConfig, login: EarthdataLogin | None) -> None:
        self.cfg, self.login = cfg, login
        self._session = requests.Session()
        self._session.headers.update({"User-Agent": f"ssm_net/{__version__}", "Accept-Encoding": "identity"})

    def open(self, url: str, offset: int = 0) -> requests.Response:
        """The answer to a request for data, from byte ``offset`` on where the server can; its body is still to be read.

        Its status is 200, 206 or 416. Redirects are followed, each with the credentials that belong to its host.
        Raises ``FileError`` for any other answer, and for a page of Earthdata Login in place of data.
        """
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        for _ in range(REDIRECTS):
            answer = self._send(url, headers=headers, stream=True)
            if to := self._session.get_redirect_target(answer):
                answer.close()
                url = urljoin(answer.url, to)
                continue
            if answer.status_code in (200, 206, 416):
                self._refuse_login_page(answer)
                return answer
            with answer:
                raise self._refusal(answer)
        raise FileError(f"{_shown(url)}: more than {REDIRECTS} redirects, which is most likely a login in a circle; "
                        f"check the login at {self.cfg.login}")  # fmt: skip

    def get(self, url: str, headers: Any = None, params: Any = None) -> requests.Response:
        """The answer of the search service, in the form that earthaccess asks for it. Raises ``FileError``."""
        answer = self._send(url, headers=headers, params=params)
        if answer.status_code != 200:
            raise self._refusal(answer)
        return answer

    def _send(self, url: str, **options: Any) -> requests.Response:
        host = urlsplit(url).hostname
        try:
            return self._session.get(
                url, auth=_Authorization(self.login), timeout=TIMEOUT, allow_redirects=False, **options
            )
        except FileError:  # which is a ValueError, too
            raise
        except requests.exceptions.SSLError as err:
            raise FileError(f"{host}: the connection is not safe ({_reason(err)}); a proxy or a wrong clock may be the "
                            "cause", ends="host") from err  # fmt: skip
        except (requests.ConnectionError, requests.Timeout) as err:
            raise FileError(f"{host} does not answer ({_reason(err)}): {STATUS_PAGE}", again=True, ends="host") from err
        except (requests.RequestException, ValueError) as err:  # ValueError: redirected to what is no address
            raise FileError(f"{_shown(url)}: {_reason(err)}") from err

    def _refuse_login_page(self, answer: requests.Response) -> None:
        """Raise ``FileError`` where the answer is a page for a reader, not data."""
        if "text/html" not in answer.headers.get("content-type", "").lower():
            return
        answer.close()
        path = urlsplit(answer.url).path
        if self.login is not None and self.login.is_login(answer.url) and ("approve" in path or "eula" in path):
            raise self._unapproved(answer.url)
        raise FileError(
            f"{urlsplit(answer.url).hostname} sends a web page in place of data, most likely that of the login: check "
            f"that you can log in at {self.cfg.login}, then run the same command again", ends="product",
        )  # fmt: skip

    def _refusal(self, answer: requests.Response) -> FileError:
        """What an answer other than data means."""
        code, host = answer.status_code, urlsplit(answer.url).hostname
        if code in (401, 403) and self.login is not None and self.login.header(answer.url) is None:
            return FileError(f"{host} refuses a link that the archive gave ({code}); it may have expired", again=True)
        if code == 401:
            return FileError(
                f"{host} refuses the login (401). A token is valid for 60 days: if EARTHDATA_TOKEN is set, make a new "
                f"one at {self.cfg.login} (Generate Token); else check the name and the password there", ends="all",
            )  # fmt: skip
        if code == 403:
            return self._unapproved(_resolution_page(answer, self.login))
        if code in (404, 410):
            return FileError(f"{host} does not have the file ({code}), although the search lists it; it may have been "
                             "replaced: run the same command again")  # fmt: skip
        if code in (429, 503):
            wait = _retry_after(answer)
            long = f" for {wait / 60:.0f} minutes" if wait else ""
            return FileError(f"{host} asks to wait{long} ({code}): run the same command again later, with fewer "
                             "connections=", again=True, wait=wait)  # fmt: skip
        if code >= 500:
            return FileError(f"{host} has a fault ({code}): {STATUS_PAGE}", again=True)
        return FileError(f"{_shown(answer.url)}: answered with {code}")

    def _unapproved(self, page: str | None) -> FileError:
        menus = "Applications, Authorized Apps; and EULAs, Accept New EULAs"
        page = page or f"{self.cfg.login.rstrip('/')}/profile ({menus})"
        return FileError(f"your login has not agreed to the terms of this archive (403): open {page}, agree, and run "
                         "the same command again", ends="product")  # fmt: skip


class _Authorization(requests.auth.AuthBase):
    """The header that belongs to the address as it is asked in the end; being there, it keeps the library from taking a
    password from ~/.netrc by itself.

    An address that was given may be read in two ways (``https://a\\@b`` is of host b or of a); this is the one that the
    library connects to. Raises ``FileError`` where others could read what is sent to it.
    """

    def __init__(self, login: EarthdataLogin | None) -> None:
        self.login = login

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        url = str(request.url)
        if not is_safe_url(url):
            raise FileError(f"{_shown(url)}: not an address that begins with https://; nothing was sent to it")
        request.headers.pop("Authorization", None)
        if self.login is not None and (header := self.login.header(url)) is not None:
            request.headers["Authorization"] = header
        return request


def _resolution_page(answer: requests.Response, login: EarthdataLogin | None) -> str | None:
    """The page that a refusal of the data pool names, if it is one of Earthdata Login (a field ``resolution_url``)."""
    with suppress(ValueError, AttributeError, requests.RequestException):
        page = answer.json().get("resolution_url")
        if isinstance(page, str) and login is not None and login.is_login(page):
            return page
    return None


def _retry_after(answer: requests.Response) -> float | None:
    """Seconds to wait by the header ``Retry-After``: a number or a date (RFC 9110, 10.2.3)."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isdigit():
        return float(text[:9])
    with suppress(TypeError, ValueError):
        until = email.utils.parsedate_to_datetime(text)
        return max(0.0, (until - dt.datetime.now(dt.UTC)).total_seconds())
    return None


def _shown(url: str) -> str:
    """An address without what follows its path, which may hold a signature."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{parts.path}"[:200]


def _reason(err: Exception) -> str:
    """The kind of an error of the library; its text holds addresses with signatures."""
    inner = err.args[0] if err.args else err
    reason = getattr(inner, "reason", inner)
    return type(reason).__name__ if isinstance(reason, BaseException) else type(err).__name__
