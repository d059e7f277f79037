"""A web server for the tests of downloads. It can break off, ignore ranges, and change its files."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class WebServer:
    """What it serves, and what was asked of it."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    date: str | None = "Mon, 02 Nov 2020 10:00:00 GMT"  # Last-Modified
    ranges: bool = True
    break_after: list[int] = field(default_factory=list)  # bytes, one for each coming answer
    requests: list[tuple[str, str | None]] = field(default_factory=list)  # (path, Range)


def _handler(state: WebServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            state.requests.append((self.path, wanted))
            content = state.files.get(self.path.lstrip("/"))
            if content is None:
                self.send_error(404)
                return
            start = 0
            if state.ranges and wanted and self.headers.get("If-Range", state.date) in (state.date, None):
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start and start >= len(content):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.send_header("Content-Length", str(len(content) - start))
            if state.date:
                self.send_header("Last-Modified", state.date)
            self.end_headers()
            end = start + state.break_after.pop(0) if state.break_after else None
            self.wfile.write(content[start:end])

        def log_message(self, *args: object) -> None:
            pass

    return Handler


@contextmanager
def web_server() -> Iterator[WebServer]:
    """Serve on a free port of this machine."""
    state = WebServer()
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(state)) as server:
        state.url = f"http://127.0.0.1:{server.server_port}/"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()
