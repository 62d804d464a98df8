"""A small book that the extension has made live (book/), on a server that can go wrong, and a reader of it."""

import fcntl
import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from browsing import Quiet, missing, served
from livebook import runtime
from playwright.sync_api import expect

HERE = Path(__file__).resolve().parent
collect_ignore = ["book"]
expect.set_options(timeout=30_000)


@pytest.fixture(scope="session")
def packages():
    """Needed by what makes or loads the pages' files: npm's packages."""
    if not runtime.installed():
        missing("npm's packages are not installed: run `rm -r tools/livebook/node_modules; make book`")


@pytest.fixture(scope="session")
def book(packages, tmp_path_factory):
    """The folder of the small book's pages, built once for all processes of the tests."""
    folder = tmp_path_factory.getbasetemp()
    folder = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "book"
    folder.mkdir(exist_ok=True)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "html" / "index.html").exists():
            built = [sys.executable, "-m", "sphinx", "-qW", "-d", folder / "doctrees", HERE / "book", folder / "html"]
            done = subprocess.run(built, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
    return folder / "html"


class Host(Quiet):
    """Serves the book, with what is to go wrong: the start of a file's name -> how."""

    faults = {}  # noqa: RUF012 -- one for the one server

    def end_headers(self):
        """Every file is asked for, and so can go wrong, each time."""
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def do_GET(self):
        """Answer, or fail to."""
        name = self.path.split("/")[-1]
        how = next((self.faults[start] for start in self.faults if name.startswith(start)), None)
        if isinstance(how, threading.Event):
            how.wait(60)
        elif how == "missing":
            return self.send_error(404)
        elif how == "gone":
            return None
        elif how:
            content = Path(self.translate_path(self.path)).read_bytes()
            half = content[: len(content) // 2]
            bodies = {"other": b"What is this?", "empty": b"", "short": half, "broken": half, "untyped": content}
            body = content + how if isinstance(how, bytes) else bodies[how]
            self.send_response(200)
            known = self.guess_type(self.path)
            self.send_header("Content-Type", "application/octet-stream" if how == "untyped" else known)
            self.send_header("Content-Length", len(content if how == "broken" else body))
            self.end_headers()
            return self.wfile.write(body)
        return super().do_GET()


@pytest.fixture(scope="session")
def origin(book):
    """The book's address."""
    with served(book, Host) as address:
        yield address


@pytest.fixture
def faults():
    """What goes wrong at the host: the start of a file's name -> a way (see Host), an Event to wait for, an ending."""
    yield Host.faults
    Host.faults.clear()


@dataclass
class Reader:
    """A page in a browser, what it asked for, and what it should not have done."""

    page: object
    origin: str
    asked: list = field(default_factory=list)
    problems: list = field(default_factory=list)

    def open(self, name):
        """Go to a page of the book."""
        self.page.goto(f"{self.origin}{name}.html")
        return self

    def cell(self, tag):
        """The cell that has a tag."""
        return self.page.locator(f".cell.tag_{tag}")

    def output(self, tag):
        """The outputs of a cell."""
        return self.cell(tag).locator(".cell_output:not([hidden])")

    def status(self, words):
        """Wait until the line at the edge says something."""
        expect(self.page.locator(".livebook-status")).to_contain_text(words)

    def button(self, tag, name):
        """A button below a cell's code."""
        return self.cell(tag).get_by_role("toolbar").get_by_role("button", name=name, exact=True)

    def again(self):
        """Try again, after Python has stopped."""
        self.page.get_by_role("button", name="Try again").click()

    def run(self, tag, ask=None):
        """Run a cell, by its button or as `ask` does, and wait for its outputs."""
        self.output(tag).evaluate_all("all => all.forEach(output => output.dataset.old = '')")
        (ask or self.button(tag, "Run").click)()
        output = self.cell(tag).locator(".cell_output:not([data-old]):not([hidden])")
        output.wait_for(state="attached", timeout=60_000)
        expect(self.cell(tag)).not_to_have_attribute("aria-busy", "true")
        return output

    def write(self, tag, code):
        """Replace the code of a cell, as a reader does."""
        editor = self.cell(tag).get_by_role("textbox", name="Code of")
        if not editor.count():
            self.button(tag, "Edit").click()
        editor.press("ControlOrMeta+a")
        self.page.keyboard.insert_text(code)

    def tries(self, tag, code):
        """Write code, run it, and see its outputs' text."""
        self.write(tag, code)
        return self.run(tag).inner_text()

    def loaded(self, *starts):
        """Was a file asked for whose name starts so?"""
        return any(address.split("/")[-1].startswith(starts) for address in self.asked)


WATCH = """addEventListener("securitypolicyviolation", event => console.error(`forbidden: ${event.violatedDirective} `
    + `${event.blockedURI} ${event.sample}`));"""


@pytest.fixture
def visit(browser, origin):
    """Open a page; in the end nothing was asked of another host, no script failed, and none was forbidden."""
    contexts, readers = [], []

    def visit(name, prepare="", beside=None, **options):
        context = beside.page.context if beside else browser.new_context(**options)
        contexts.append(context)
        reader = Reader(context.new_page(), origin)
        readers.append(reader)
        reader.page.on("request", lambda request: reader.asked.append(request.url))
        reader.page.on("pageerror", lambda error: reader.problems.append(f"error: {error}"))
        reader.page.on("console", lambda said: "forbidden:" in said.text and reader.problems.append(said.text))
        reader.page.add_init_script(WATCH + prepare)
        return reader.open(name) if name else reader

    yield visit
    for context in contexts:
        context.close()
    own = (origin, "blob:", "data:", "file:")
    for reader in readers:
        assert reader.problems == []
        assert [address for address in reader.asked if not address.startswith(own)] == []
