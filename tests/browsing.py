"""What the tests that drive a browser share: a server on loopback, and a browser that can reach nothing else."""

import os
import shutil
import sys
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

# No sandbox, so that it starts in a container too; and none of the browser's own errands.
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip


def missing(what):
    """Skip on a developer's machine; where everything is to be tested, fail."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *args):
        """No line for each request."""


class Server(ThreadingHTTPServer):
    """Does not mind that a browser no longer wants what it asked for."""

    def handle_error(self, request, client_address):
        """Say nothing of a closed connection."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def served(folder, handler=Quiet):
    """The address of a folder that is served, with a slash at its end."""
    with Server(("127.0.0.1", 0), partial(handler, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="session")
def browser():
    """The system's Chromium or Chrome, one for each process of the tests."""
    playwright = pytest.importorskip("playwright.sync_api")
    program = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser"))), None)
    if program is None:
        missing("no browser: install Chromium (Debian, Ubuntu: `apt install chromium`) or Chrome")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()
