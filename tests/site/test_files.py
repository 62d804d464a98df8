"""The built files themselves: what they load, where their links lead, headings, and text for every picture."""

import json
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

LOADS = {"audio", "embed", "iframe", "img", "input", "object", "script", "source", "track", "video"}
LINK_LOADS = {"icon", "manifest", "modulepreload", "preload", "prefetch", "preconnect", "dns-prefetch", "stylesheet"}
ELSEWHERE = re.compile(r"(?:[a-z]+:)?//", re.IGNORECASE)
EMPTY = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class Reader(HTMLParser):
    """What the tests want to know of a page."""

    def __init__(self, html):
        super().__init__()
        self.ids, self.links, self.loads, self.headings, self.images = set(), [], [], [], []
        self.drawings, self.open = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids.update(filter(None, (attrs.get("id"), attrs.get("name"))))
        if tag == "a" and attrs.get("href"):
            self.links.append(attrs["href"])
        if tag in LOADS or (tag == "link" and LINK_LOADS & set(attrs["rel"].split())):
            found = (attrs.get(name) for name in ("src", "srcset", "data", "poster", "href"))
            self.loads += [address for address in found if address]
        if re.fullmatch("h[1-6]", tag) and "article" in self.open:
            self.headings.append(int(tag[1]))
        if tag == "img":
            self.images.append((attrs.get("src"), attrs.get("alt")))
        if tag == "svg":
            named = {"aria-label", "aria-hidden"} & attrs.keys()  # its text is elsewhere in the figure
            self.drawings.append({"title", "desc"} if named else set())
        if tag in ("title", "desc") and "svg" in self.open:
            self.drawings[-1].add(tag)
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in self.open:
            while self.open.pop() != tag:
                pass


@cache
def read(file):
    """A page, and the HTML that its widgets hold."""
    html = file.read_text(encoding="utf-8")
    states = re.findall(r'<script type="application/vnd.jupyter.widget-state\+json">(.*?)</script>', html, re.DOTALL)
    models = [model for state in states for model in json.loads(state)["state"].values()]
    inside = [str(model["state"].get("value", "")) for model in models if model["model_name"] == "HTMLModel"]
    return Reader(html), [Reader(value) for value in inside]


@pytest.fixture
def pages(site):
    """All HTML files with what was read of them."""
    return {file: read(file) for file in sorted(site.rglob("*.html")) if "_static" not in file.parts}


def test_nothing_is_loaded_from_another_host(pages):
    found = {(file.name, address) for file, (page, inside) in pages.items()
             for part in (page, *inside) for address in part.loads if ELSEWHERE.match(address)}
    assert found == set()


def test_every_page_says_first_what_may_run_on_it(site, live):
    head = r'\s*<!DOCTYPE html>\s*<html[^>]*>\s*<head>\s*<meta charset="utf-8" />'
    policy = re.compile(rf'({head})?<meta http-equiv="Content-Security-Policy" ')
    written = [file for file in site.rglob("*.html") if "_static" not in file.relative_to(site).parts]
    assert len(written) > 5
    assert [file.name for file in written if not policy.match(file.read_text(encoding="utf-8"))] == []


def test_no_style_sheet_loads_from_another_host(site):
    styles = {file: file.read_text(encoding="utf-8") for file in site.rglob("*.css")}
    assert len(styles) > 5
    loads = re.compile(r"""(?:url\(\s*|@import\s+)["']?((?:https?:)?//[^"')\s]+)""")
    assert {(file.name, address) for file, style in styles.items() for address in loads.findall(style)} == set()


def test_every_link_and_anchor_within_the_site_leads_somewhere(pages):
    broken = set()
    for file, (page, inside) in pages.items():
        for link in (link for part in (page, *inside) for link in part.links):
            path, anchor = unquote(urlsplit(link).path), unquote(urlsplit(link).fragment)
            if urlsplit(link).scheme or link.startswith("//") or link == "#":
                continue
            target = Path(file.parent, path).resolve() if path else file
            if not target.exists() or (anchor and target in pages and anchor not in read(target)[0].ids):
                broken.add((file.name, link))
    assert broken == set()


def test_everything_that_a_page_loads_is_there(pages):
    missing = {(file.name, address) for file, (page, _) in pages.items() for address in page.loads
               if not address.startswith("data:") and not (file.parent / unquote(urlsplit(address).path)).exists()}
    assert missing == set()


def test_headings_go_down_one_level_at_a_time(pages):
    for file, (page, _) in pages.items():
        steps = zip(page.headings, page.headings[1:], strict=False)
        assert [step for step in steps if step[1] > step[0] + 1] == [], file
        assert page.headings[:1] in ([1], []), file


def test_every_picture_has_its_text(pages):
    for file, (page, inside) in pages.items():
        for part in (page, *inside):
            assert [src for src, alt in part.images if alt is None or not alt.strip()] == [], file
            assert all(texts == {"title", "desc"} for texts in part.drawings), file


def test_a_page_has_each_style_sheet_once(site):
    """Stored outputs have one for each figure; in a script there is data, which stays as it is."""
    for file in site.rglob("*.html"):
        page = re.sub(r"<script\b.*?</script>", "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
        styles = re.findall(r"<style\b.*?</style>", page, re.DOTALL)
        assert len(styles) == len(set(styles)), file
