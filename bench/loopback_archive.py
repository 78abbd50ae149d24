"""An archive on the loopback address: it answers as CMR, Earthdata Login and two data pools do, faults included.

Answers have the form of public recordings: entries in UMM-G as in the fixtures of earthaccess (nsidc/earthaccess,
tests/unit/fixtures/*_umm.json), paging by ``CMR-Search-After``, tokens of ``find_or_create_token``, the login by
redirects with a cookie, a data pool that redirects to a signed address on another host (LP DAAC, NSIDC) and one that
sends the file itself (GES DISC), refusals as thin-egress-app sends them (``EULA Acceptance Failure``).
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from archive_entry import Granule

USER, WORD, TOKEN = "hydrologist", "dry&wet:1", "eyJ0eXAiOiJKV1Qi.payload.signature"
SIGNATURE = "X-Amz-Signature=abc"
LOGIN_PAGE = (
    b"<!DOCTYPE html>\n<html class='no-js'><head><title>Earthdata Login</title></head><body>log in</body></html>"
)


@dataclass(frozen=True)
class Request:
    """What was asked: of which server, by which host name, and with which headers."""

    server: str
    host: str
    path: str
    authorization: str | None
    range: str | None


class LoopbackArchive:
    """The archive, as a context: inside it the servers run. ``faults`` lists what goes wrong for a name, in order, and
    then no more: ``cut`` (the connection ends half way), ``short``, ``long`` (other sizes), ``flip`` (a changed byte),
    ``page`` (a login page as data), ``eula``, ``stall`` (half a file, and then nothing), or a status such as ``429``;
    the name ``*`` is every file. ``page_size`` is the largest page of the catalog."""

    def __init__(self, granules: list[Granule], page_size: int = 2000) -> None:
        self.granules, self.page_size = granules, page_size
        self.faults: dict[str, list[str]] = defaultdict(list)
        self.search_faults: list[str] = []
        self.requests: list[Request] = []
        self.expired = False
        self.retry_after = "0"
        self.ranges = True
        self.stalled, self.go_on = threading.Event(), threading.Event()
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()
        self._servers: dict[str, ThreadingHTTPServer] = {}

    def __enter__(self) -> LoopbackArchive:
        for name, handler in (("cmr", _Search), ("login", _Login), ("data", _Data)):
            server = ThreadingHTTPServer(("127.0.0.1", 0), type(name, (handler,), {"archive": self, "role": name}))
            server.daemon_threads = True
            self._servers[name] = server
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.go_on.set()
        for server in self._servers.values():
            server.shutdown()
            server.server_close()

    def base(self, name: str) -> str:
        """The address of a server."""
        return f"http://127.0.0.1:{self._servers[name].server_address[1]}"

    def close(self, name: str) -> None:
        """Take a server down: nothing listens at its address any more."""
        self._servers[name].shutdown()
        self._servers[name].server_close()

    def settings(self) -> dict[str, Any]:
        """The keys of ``earthdata`` that lead to this archive."""
        return {"cmr": self.base("cmr") + "/search/", "login": self.base("login"), "hosts": ["127.0.0.1"]}

    def keys(self) -> list[str]:
        """The same for a command line."""
        keys = self.settings()
        return [f"earthdata.cmr={keys['cmr']}", f"earthdata.login={keys['login']}", "earthdata.hosts=[127.0.0.1]"]

    def fault(self, name: str) -> str | None:
        with self.lock:
            for key in (name, "*"):
                if self.faults[key]:
                    return self.faults[key].pop(0)
        return None


class _Handler(BaseHTTPRequestHandler):
    archive: LoopbackArchive
    role: str
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        with self.archive.lock:
            self.archive.requests.append(Request(
                self.role, self.headers["Host"].partition(":")[0], self.path, self.headers.get("Authorization"),
                self.headers.get("Range"),
            ))  # fmt: skip
        self.answer(urlsplit(self.path).path, parse_qs(urlsplit(self.path).query))

    def answer(self, path: str, query: dict[str, list[str]]) -> None:
        raise NotImplementedError

    def send(self, code: int, body: bytes | dict[str, Any] = b"", **headers: str) -> None:
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        kind = "application/json" if isinstance(body, dict) else "text/html; charset=utf-8"
        self.send_response(code)
        for key, value in ({"Content-Type": kind, "Content-Length": str(len(data))} | headers).items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)


class _Search(_Handler):
    """CMR: /search/granules.umm_json."""

    def answer(self, path: str, query: dict[str, list[str]]) -> None:
        archive = self.archive
        if archive.search_faults and (fault := archive.search_faults.pop(0)):
            if fault == "page":
                return self.send(200, LOGIN_PAGE)
            return self.send(int(fault), {"errors": ["The search is not available."]}, Retry_After=archive.retry_after)
        if path != "/search/granules.umm_json":
            return self.send(404, {"errors": [f"no such route {path}"]})
        found = [g for g in archive.granules if g.fits(query)]
        size = min(int(query.get("page_size", ["10"])[0]), archive.page_size)
        begin = int(self.headers.get("CMR-Search-After", "0"))
        page = found[begin : begin + size]
        after = {"CMR_Search_After": str(begin + size)} if begin + size < len(found) else {}
        items = [g.umm(archive.base("data")) for g in page]
        return self.send(200, {"hits": len(found), "took": 5, "items": items}, CMR_Hits=str(len(found)), **after)


class _Login(_Handler):
    """Earthdata Login: tokens for name and password, and the login of the data pools by redirects."""

    def do_POST(self) -> None:
        if self.path != "/api/users/find_or_create_token" or not self.knows_password():
            refusal = {"error": "invalid_credentials", "error_description": "Invalid user credentials"}
            return self.send(401, refusal)
        return self.send(200, {"access_token": TOKEN, "token_type": "Bearer", "expiration_date": "01/26/2027"})

    def answer(self, path: str, query: dict[str, list[str]]) -> None:
        if path != "/oauth/authorize":
            return self.send(200, LOGIN_PAGE)
        bearer = self.headers.get("Authorization") == f"Bearer {TOKEN}" and not self.archive.expired
        if not (self.knows_password() or bearer):
            return self.send(
                401, b"HTTP Basic: Access denied.\n", WWW_Authenticate='Basic realm="Please enter your login"'
            )
        back = f"{query['redirect_uri'][0]}?code=c0de&state={query['state'][0]}"
        return self.send(302, Location=back)

    def knows_password(self) -> bool:
        pair = base64.b64encode(f"{USER}:{WORD}".encode()).decode()
        return self.headers.get("Authorization") == f"Basic {pair}"


class _Data(_Handler):
    """The data pools: /data/NAME with a token or the cookie of a login, /signed/NAME with a signature alone."""

    def answer(self, path: str, query: dict[str, list[str]]) -> None:
        archive = self.archive
        if path == "/login":
            target = unquote(query["state"][0])
            return self.send(302, Location=target, Set_Cookie="asf-urs=session; Path=/; HttpOnly")
        name = unquote(path.rpartition("/")[2])
        granule = next((g for g in archive.granules if g.name == name), None)
        if granule is None:
            return self.send(404, b"not found")
        if path.startswith("/signed/"):
            return self.transfer(granule) if SIGNATURE in self.path else self.send(403, b"<Error>AccessDenied</Error>")
        given = self.headers.get("Authorization")
        if given is None and "asf-urs" not in (self.headers.get("Cookie") or ""):
            to = quote(f"{archive.base('data')}/login", safe="")
            where = f"{archive.base('login')}/oauth/authorize?client_id=pool&response_type=code&redirect_uri={to}"
            return self.send(302, Location=f"{where}&state={quote(self.path, safe='')}")
        if given is not None and (given != f"Bearer {TOKEN}" or archive.expired):
            return self.send(401, {"error": "invalid_token", "error_description": "Token is expired"})
        if "eula" in archive.faults[name] + archive.faults["*"]:
            page = f"{archive.base('login')}/approve_app?client_id=pool"
            return self.send(403, {"status_code": 403, "error_description": "EULA Acceptance Failure",
                                   "resolution_url": page})  # fmt: skip
        if granule.signed:
            elsewhere = archive.base("data").replace("127.0.0.1", "localhost")
            return self.send(303, Location=f"{elsewhere}/signed/{quote(name)}?A-userid={USER}&{SIGNATURE}")
        return self.transfer(granule)

    def transfer(self, granule: Granule) -> None:
        archive, fault = self.archive, self.archive.fault(granule.name)
        if fault == "page":
            return self.send(200, LOGIN_PAGE)
        if fault is not None and fault.isdigit():
            return self.send(int(fault), b"a fault", Retry_After=archive.retry_after)
        with archive.lock:
            archive.at_once += 1
            archive.most_at_once = max(archive.most_at_once, archive.at_once)
        try:
            self.body(granule, fault)
        finally:
            with archive.lock:
                archive.at_once -= 1

    def body(self, granule: Granule, fault: str | None) -> None:
        content, archive = granule.content, self.archive
        change: dict[str, Callable[[bytes], bytes]] = {
            "flip": lambda c: c[:-1] + bytes([c[-1] ^ 1]), "short": lambda c: c[: len(c) // 2],
            "long": lambda c: c + b"more",
        }  # fmt: skip
        content = change.get(fault or "", lambda c: c)(content)
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")) if archive.ranges else None
        begin = int(asked[1]) if asked else 0
        if asked and begin >= len(content):
            return self.send(416, Content_Range=f"bytes */{len(content)}")
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        if fault in ("cut", "stall"):
            self.wfile.write(content[begin : begin + (len(content) - begin) // 2])
            self.wfile.flush()
            if fault == "stall":
                archive.stalled.set()
                archive.go_on.wait(60)
            self.close_connection = True
            return None
        time.sleep(0.01)  # so that files overlap
        self.wfile.write(content[begin:])
        return None
