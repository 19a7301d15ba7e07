"""A file server on the loopback that can be told to fail as real ones do."""

import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONTENT = bytes(range(256)) * 9_000  # 2.3 MB: more than one piece


class Server(ThreadingHTTPServer):
    """A file server on the loopback, that can be told to fail."""

    content = CONTENT
    status = 200
    ranges = True  # whether it knows them
    breaks_after: int | None = None  # bytes, once
    length: str | None = None  # what it says of it, in place of the truth
    requests: list[str | None]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        server, wanted = self.server, self.headers.get("Range")
        server.requests.append(wanted)
        if server.status != 200:
            self.send_error(server.status)
            return
        start = int(re.sub(r"\D", "", wanted)) if wanted and server.ranges else 0
        if start >= len(server.content):
            self.send_error(416)
            return
        body = server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            last = len(server.content) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{last + 1}")
        self.send_header("Content-Length", server.length or str(len(body)))
        self.end_headers()
        if server.breaks_after is not None:
            body, server.breaks_after = body[: server.breaks_after], None
        self.wfile.write(body)
