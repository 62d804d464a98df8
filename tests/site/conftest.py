"""The built site, served on loopback to a real browser that can reach nothing else."""

import re

import pytest
from browsing import missing, served
from visits import ROOT, opened

SITE = ROOT / "_build" / "html"
AXE = ROOT / "tools" / "livebook" / "node_modules" / "axe-core" / "axe.min.js"
LIVE = SITE / "_static" / "livebook"
PAGES = re.findall(r"(?:root|file): *(\S+)", (ROOT / "_toc.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def site():
    """The folder of the built site."""
    if not (SITE / "index.html").exists():
        missing("the site is not built: run `make book`")
    return SITE


@pytest.fixture(scope="session")
def live(site):
    """The same, built with npm's packages."""
    if not LIVE.exists():
        missing("the site was built without npm's packages: run `rm -r tools/livebook/node_modules; make book`")
    return site


@pytest.fixture(scope="session")
def axe():
    """The script of axe-core, which finds barriers in a page."""
    if not AXE.exists():
        missing("axe-core is not installed: run `rm -r tools/livebook/node_modules; make book`")
    return AXE.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def origin(live):
    """The address of the site, with a slash at its end."""
    with served(live) as address:
        yield address


@pytest.fixture(scope="session", params=PAGES)
def name(request):
    """Each page of the book in turn."""
    return request.param


@pytest.fixture(scope="session")
def visit(name, browser, origin):
    """Each page, opened once for all tests of it in a process."""
    with opened(browser, origin, name) as visit:
        yield visit.drawn()


@pytest.fixture(scope="session")
def reading(name, browser, origin):
    """Each page as it is before Python is there."""
    with opened(browser, origin, name, without_python=True) as visit:
        yield visit.drawn()
