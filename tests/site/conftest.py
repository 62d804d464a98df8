"""The built site, served on loopback to a real browser that can reach nothing else."""

import os
import re
import shutil
import threading
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "_build" / "html"
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
LIVE = SITE / "_static" / "html-manager" / "embed.js"
PAGES = re.findall(r"(?:root|file): *(\S+)", (ROOT / "_toc.yml").read_text(encoding="utf-8"))

# No sandbox, so that it starts in a container too; and none of the browser's own errands.
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip
# html-manager's own: it describes its messages in a way that its checker of JSON finds loose.
HARMLESS = "strict mode: use allowUnionTypes"


def missing(what):
    """Skip on a developer's machine; where everything is to be tested, fail."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def site():
    """The folder of the built site."""
    if not (SITE / "index.html").exists():
        missing("the site is not built: run `make book`")
    return SITE


@pytest.fixture(scope="session")
def live(site):
    """Needed by what looks at live widgets: a site that was built with npm's packages."""
    if not LIVE.exists():
        missing("the site was built without npm's packages: run `rm -r node_modules; make book`")


@pytest.fixture(scope="session")
def axe():
    """The script of axe-core, which finds barriers in a page."""
    if not AXE.exists():
        missing("axe-core is not installed: run `rm -r node_modules; make book`")
    return AXE.read_text(encoding="utf-8")


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *args):
        """No line for each request."""


@pytest.fixture(scope="session")
def origin(site):
    """The address of the site, with a slash at its end."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site)) as server:
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


@dataclass
class Visit:
    """A page that was opened, what went wrong meanwhile, and which other hosts it asked."""

    page: object
    problems: list = field(default_factory=list)
    outside: list = field(default_factory=list)

    def heard(self, message):
        """Note a message of the console."""
        if message.type in ("error", "warning") and HARMLESS not in message.text:
            self.problems.append(f"{message.type}: {message.text} ({message.location.get('url')})")

    def answered(self, response):
        """Note a request that did not find what it asked for."""
        if response.status >= 400:
            self.problems.append(f"{response.status}: {response.url}")

    def block(self, route):
        """Let nothing through to another host."""
        self.outside.append(route.request.url)
        route.abort()


def screen(width):
    """A screen as Playwright has it."""
    return {"width": width, "height": 900}


@pytest.fixture(scope="session", params=PAGES)
def visit(request, browser, origin):
    """Each page of the book in turn, opened once for all tests of it."""
    context = browser.new_context(viewport=screen(1280), color_scheme="light", reduced_motion="reduce")
    visit = Visit(context.new_page())
    context.route(lambda url: not url.startswith((origin, "data:", "blob:")), visit.block)
    visit.page.on("console", visit.heard)
    visit.page.on("pageerror", lambda error: visit.problems.append(str(error)))
    visit.page.on("requestfailed", lambda asked: visit.problems.append(f"{asked.failure}: {asked.url}"))
    visit.page.on("response", visit.answered)
    visit.page.goto(f"{origin}{request.param}.html", wait_until="networkidle")
    if LIVE.exists() and not visit.page.evaluate(DRAWN):
        visit.problems.append("a widget was not drawn")
    yield visit
    context.close()


@pytest.fixture(scope="module", params=["light-1280", "dark-360"])
def view(request, visit):
    """The page in both colour schemes, on a wide and on a narrow screen."""
    scheme, width = request.param.split("-")
    if visit.page.viewport_size["width"] != int(width):
        visit.page.emulate_media(color_scheme=scheme)
        visit.page.set_viewport_size(screen(int(width)))
        visit.page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
    assert visit.page.locator("html").get_attribute("data-theme") == scheme
    return visit.page


# Every widget that the page holds has been drawn beside the script that holds it.
DRAWN = """() => [...document.querySelectorAll("script[type='application/vnd.jupyter.widget-view+json']")]
    .every(script => script.parentElement.querySelector(".jupyter-widgets"))"""
