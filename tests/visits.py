"""Pages of the built site in a browser: what they ask for, what goes wrong, and how to wait for them."""

import re
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON = re.compile(r"/_static/livebook/(?:(?:worker|boot)\..*\.js|.*\.(?:wasm|bin|zip))$")  # Python's own files
PATIENCE = 30  # seconds: far more than anything on a page may take, on a machine that is busy with other tests

# Notes what a page can't be asked for later: what its policy has stopped, and what its Python has said.
WATCH = """
    window.seen = {stopped: [], said: []};
    addEventListener("securitypolicyviolation", ({effectiveDirective, blockedURI}) =>
        seen.stopped.push(`${effectiveDirective} ${blockedURI}`));
    window.Worker = class extends Worker {
        constructor(...given) {
            super(...given);
            this.addEventListener("message", ({data}) => data.type === "python" && seen.said.push(data.message));
        }
    };
"""
# Every widget that the page holds has been drawn beside the script that holds it.
DRAWN = """() => [...document.querySelectorAll("script[type='application/vnd.jupyter.widget-view+json']")]
    .every(script => script.parentElement.querySelector(".jupyter-widgets"))"""
# What has changed is drawn, and no colour is on its way to another. (The promise of a transition is not always kept.)
SETTLED = """async () => {
    const frame = () => new Promise(done => requestAnimationFrame(() => setTimeout(done)));
    const runs = ({effect, playState}) => playState === "running" && effect.getComputedTiming().endTime < Infinity;
    await frame();
    do await frame(); while (document.getAnimations().some(runs));
}"""


@dataclass
class Visit:
    """A page that was opened: what it asked for, and what went wrong."""

    page: object
    origin: str
    name: str
    problems: list = field(default_factory=list)
    outside: list = field(default_factory=list)
    asked: list = field(default_factory=list)
    held: list = field(default_factory=list)

    def heard(self, message):
        """Note a message of the console."""
        if message.type in ("error", "warning"):
            self.problems.append(f"{message.type}: {message.text} ({message.location.get('url')})")

    def answered(self, response):
        """Note a request that did not find what it asked for."""
        if response.status >= 400:
            self.problems.append(f"{response.status}: {response.url}")

    def block(self, route):
        """Let nothing through to another host."""
        self.outside.append(route.request.url)
        route.abort()

    def hold(self, route):
        """Keep Python on its way."""
        self.held.append(route)

    def let_python_come(self):
        """End the delay of a page that was opened without Python."""
        self.page.context.unroute("**/*.wasm")
        while self.held:
            self.held.pop().continue_()

    @property
    def stopped(self):
        """What the page's policy has stopped."""
        return self.page.evaluate("() => seen.stopped")

    @property
    def asked_for_python(self):
        """The requests for Python's own files."""
        return [url for url in self.asked if PYTHON.search(url)]

    @property
    def cells(self):
        """The page's cells of code, in order."""
        return self.page.locator(".cell:has(.livebook-tools)")

    @property
    def labs(self):
        """The cells whose widget is live: it needs Python, and nothing above it."""
        return self.page.locator(".cell.tag_standalone:not(:has(form))").all()

    def press(self, cell, name):
        """Use a button of a cell's tool bar; one in a cell that is folded up can be pressed all the same."""
        cell.get_by_role("button", name=name, exact=True, include_hidden=True).evaluate("button => button.click()")

    def until(self, holds, what):
        """Wait until something holds. A page's policy forbids Playwright's own way."""
        end = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < end, what() if callable(what) else what
            self.page.wait_for_timeout(20)

    def drawn(self):
        """Wait until all that is stored in the page is there to be seen."""
        self.until(lambda: self.page.evaluate(DRAWN), "a widget was not drawn")
        return self

    def ran(self, cell):
        """Wait until a cell, and all that was to run before it, has run."""
        self.until(lambda: cell.get_attribute("data-ran") is not None and self.idle, self.status)

    @property
    def idle(self):
        """No cell runs."""
        return self.page.locator(".cell[aria-busy]").count() == 0

    def status(self):
        """The line that says what Python does."""
        return self.page.locator(".livebook-status").text_content()


@contextmanager
def opened(browser, origin, name, query="", without_python=False):
    """Open a page; `without_python`: Python is on its way, and never there until it is let."""
    context = browser.new_context(viewport=screen(1280), color_scheme="light", reduced_motion="reduce")
    context.add_init_script(WATCH)
    visit = Visit(context.new_page(), origin, name)
    context.route(lambda url: not url.startswith((origin, "data:", "blob:")), visit.block)
    if without_python:
        context.route("**/*.wasm", visit.hold)
    context.on("request", lambda asked: visit.asked.append(asked.url))
    context.on("response", visit.answered)
    visit.page.on("console", visit.heard)
    visit.page.on("pageerror", lambda error: visit.problems.append(str(error)))
    visit.page.on("requestfailed", lambda asked: visit.problems.append(f"{asked.failure}: {asked.url}"))
    visit.page.goto(f"{origin}{name}.html{query}", wait_until="load")
    yield visit
    while visit.held:
        visit.held.pop().abort()
    context.close()


def screen(width):
    """A screen as Playwright has it."""
    return {"width": width, "height": 900}


def seen_on(page, scheme, width):
    """The page in a colour scheme and on a screen of a width."""
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size(screen(width))
    page.evaluate(SETTLED)
    assert page.locator("html").get_attribute("data-theme") == scheme
    return page
