"""The Climate Data Store on the loopback address: a request becomes a job, the job a result, the result a file.

The routes and fields are those that its client, ecmwf-datastores-client, asks for (OGC API Processes).
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

KEY = "00000000-1111-2222-3333-444444444444"
LICENCE = {
    "title": "required licences not accepted",
    "detail": "please visit https://cds.example/datasets/x?tab=download#manage-licences",
}


class ClimateServer:
    """The store, as a context. ``files`` is the answer to each dataset; ``refuse``: its terms were not accepted;
    ``fails``: a job fails; ``requests`` are those that came."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files, self.refuse, self.fails = files, False, False
        self.requests: list[dict[str, Any]] = []

    def __enter__(self) -> ClimateServer:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("handler", (_Store,), {"store": self}))
        self.base = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.shutdown()
        self.server.server_close()


class _Store(BaseHTTPRequestHandler):
    store: ClimateServer

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def send(self, body: Any, code: int = 200) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/octet-stream" if isinstance(body, bytes) else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers.get("PRIVATE-TOKEN") != KEY:
            return self.send({"title": "Unauthorized", "detail": "the token is not valid"}, 401)
        if self.store.refuse:
            return self.send(LICENCE, 403)
        self.store.requests.append(body["inputs"])
        name = self.path.split("/")[-2]
        link = f"{self.store.base}/retrieve/v1/jobs/{name}"
        return self.send({"jobID": name, "status": "accepted", "links": [{"rel": "monitor", "href": link}]}, 201)

    def do_GET(self) -> None:
        store, parts = self.store, self.path.strip("/").split("/")
        name = parts[-1] if parts[-1] != "results" else parts[-2]
        here = f"{store.base}/retrieve/v1"
        if "processes" in parts:
            return self.send({"id": name, "links": [{"rel": "execute", "href": f"{here}/processes/{name}/execution"}]})
        if parts[-1] == "results":
            if store.fails:
                return self.send({"title": "The job has failed", "detail": "the request produced no data"}, 400)
            asset = {
                "href": f"{store.base}/file/{name}",
                "file:size": len(store.files[name]),
                "type": "application/zip",
            }
            return self.send({"asset": {"value": asset}})
        if "jobs" in parts:
            status = "failed" if store.fails else "successful"
            links = [{"rel": "results", "href": f"{here}/jobs/{name}/results"}]
            return self.send({"jobID": name, "status": status, "links": links})
        return self.send({"messages": []} if name == "messages" else store.files[name])
