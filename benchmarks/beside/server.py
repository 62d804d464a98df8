"""A static server on loopback that counts, compresses and slows down what it sends."""

import gzip
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue

PIECE = 16 * 1024  # bytes sent between two looks at the clock


@cache
def squeezed(content):
    """As small as a static host makes it."""
    return gzip.compress(content, 9)


class Line:
    """A line of so many bytes a second, which all connections share."""

    def __init__(self, rate):
        self.rate, self.free, self.lock = rate, 0.0, threading.Lock()

    def carry(self, size):
        """Wait until so many bytes are through."""
        with self.lock:
            self.free = max(self.free, time.perf_counter()) + size / self.rate
            until = self.free
        time.sleep(max(until - time.perf_counter(), 0))


@dataclass
class Host:
    """`address`: with a slash; `sent`: path, bytes, bytes with gzip of each; `seen`: what pages told (/seen?NUMBER)."""

    address: str = ""
    sent: list = field(default_factory=list)
    seen: Queue = field(default_factory=Queue)


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder; with a line to carry it, what it sends is compressed."""

    protocol_version = "HTTP/1.1"  # as hosts speak it: one connection serves many files, at once
    disable_nagle_algorithm = True
    extensions_map = SimpleHTTPRequestHandler.extensions_map | {".wasm": "application/wasm", ".mjs": "text/javascript"}

    def __init__(self, *args, host, line, **kwargs):
        self.host, self.slow = host, line
        super().__init__(*args, **kwargs)

    def do_GET(self):
        """A file, or a page's word."""
        path, _, number = self.path.partition("?")
        if path != "/seen":
            return super().do_GET()
        self.host.seen.put(float(number))
        self.send_response(204)
        self.end_headers()

    def send_header(self, keyword, value):
        """The length is another when it is compressed."""
        if self.slow and keyword == "Content-Length":
            self.send_header("Content-Encoding", "gzip")
            with open(self.translate_path(self.path), "rb") as file:
                value = str(len(squeezed(file.read())))
        super().send_header(keyword, value)

    def copyfile(self, source, outputfile):
        """Send a file, and note how large it was and would be."""
        content = source.read()
        small = squeezed(content)
        self.host.sent.append((self.path, len(content), len(small)))
        body = small if self.slow else content
        for start in range(0, len(body), PIECE):
            piece = body[start : start + PIECE]
            if self.slow:
                self.slow.carry(len(piece))
            outputfile.write(piece)

    def log_message(self, *args):
        """No line for each request."""


@contextmanager
def serving(site, line=None):
    """Serve a folder: its `Host`."""
    host = Host()
    handler = partial(Handler, directory=site, host=host, line=line)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host.address = f"http://127.0.0.1:{server.server_port}/"
        yield host
        server.shutdown()
