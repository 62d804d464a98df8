"""The pages as readers have them: how long until a widget answers, and JupyterLite beside it in the same run.

Needs the built site (`make book`) and Chromium; JupyterLite's site is made here, from the package registries.
"""

import os
import shutil
import signal
import statistics
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from beside import jupyterlite_site
from beside.reader import BROWSER, reading, scripted
from beside.server import Line, serving
from playwright.sync_api import sync_playwright

SITE = Path(__file__).resolve().parents[1] / "_build" / "html"
# With a live widget in sight; with nothing that needs Python.
PAGE, READ = "book/series/patch5.html", "book/series/index.html"
LIVE = ".cell[data-ran] .widget-subarea .noUi-handle"
MBIT_10 = 10_000_000 / 8  # bytes a second
SLOWDOWN = 4
VISITS = 5
WIDGET = ".cell.tag_standalone .widget-subarea"

# Press a key on the second slider; the milliseconds until the picture has changed, for each key.
MOVE = """async ([selector, keys]) => {
    const root = document.querySelector(selector), times = [];
    for (const key of keys) {
        const start = performance.now();
        await new Promise((changed) => {
            const observer = new MutationObserver(() => { observer.disconnect(); changed(); });
            for (const page of root.querySelectorAll(".widget-html-content")) {
                if (page.querySelector("figure")) observer.observe(page, {childList: true});
            }
            root.querySelectorAll(".noUi-handle")[1].dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
        });
        times.push(performance.now() - start);
        await new Promise((rested) => setTimeout(rested, 300));
    }
    return times;
}"""
SIZE = "import gc, pyodide_js; gc.collect(); print(len(gc.get_objects()), pyodide_js._module.HEAPU8.length)"


def visits(host, path):
    """Seconds of a first visit, with an empty cache; of a second; of later ones, when all that is compiled is kept."""
    with reading() as reader:
        found = [reader.visit(host, path) for _ in range(VISITS)]
    return found[0], found[1], statistics.median(found[2:])


@contextmanager
def slowed(factor):
    """All of the browser's renderers run for one part of `factor` of the time."""
    done = threading.Event()

    def renderers():
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if b"--type=renderer" in (entry / "cmdline").read_bytes():
                    yield int(entry.name)
            except OSError:
                continue

    def beat():
        while not done.is_set():
            for kind, pause in ((signal.SIGSTOP, 0.004 * (factor - 1)), (signal.SIGCONT, 0.004)):
                for pid in renderers():
                    os.kill(pid, kind)
                time.sleep(pause)

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def said(found):
    """What `visits` has found, in words."""
    return "{:.2f} s cold, {:.2f} s on the second visit, {:.2f} s later".format(*found)


def first_widgets(mine, rounds):
    """Both ways of showing the same widget, in turn: medians, and their ratio."""
    times = {"ours": [], "JupyterLite": []}
    copy = scripted(jupyterlite_site.make_site(), jupyterlite_site.PAGE, jupyterlite_site.SLIDER, jupyterlite_site.RUN)
    with copy as theirs, serving(mine) as our_host, serving(theirs) as their_host:
        for turn in range(rounds):
            times["ours"].append(visits(our_host, PAGE))
            if turn % 3 == 0:  # it takes ten times as long
                times["JupyterLite"].append(visits(their_host, jupyterlite_site.PAGE + jupyterlite_site.QUERY))
    medians = {name: [statistics.median(kind) for kind in zip(*found, strict=True)] for name, found in times.items()}
    for name, found in medians.items():
        print(f"first live widget, {name}: {said(found)} ({len(times[name])} runs)")
    ratios = [other / own for own, other in zip(medians["ours"], medians["JupyterLite"], strict=True)]
    print("JupyterLite takes {:.1f} times as long cold, {:.1f} on the second visit, {:.1f} later".format(*ratios))


def in_adversity(mine):
    """A slow line, and a slow machine."""
    with serving(mine, Line(MBIT_10)) as host:
        print(f"first live widget at 10 Mbit/s: {said(visits(host, PAGE))}")
    with serving(mine) as host, slowed(SLOWDOWN):
        print(f"first live widget, renderer {SLOWDOWN} times slower: {said(visits(host, PAGE))}")


def sizes(browser):
    """What is sent for a first visit, with gzip."""
    with serving(SITE) as host:
        for name, path, python in (("with Python", PAGE, True), ("only read", READ, False)):
            host.sent.clear()
            with browser.new_context() as context, context.new_page() as page:
                page.goto(f"{host.address}{path}", wait_until="networkidle")
                if python:
                    page.locator(LIVE).first.wait_for()
            total = sum(small for _, _, small in host.sent)
            print(f"a page {name}: {total / 1e6:.2f} MB gzip in {len(host.sent)} files")


def objects(page):
    """Objects that Python has, and bytes of its memory: counted by the page's last cell."""
    cell = page.locator(".cell:has(.livebook-tools)").last
    if cell.locator(".cm-content").count() == 0:
        cell.get_by_role("button", name="Edit").click()
    cell.locator(".cm-content").fill(SIZE)
    cell.locator(".cell_output").evaluate("shown => shown.replaceChildren()")
    cell.get_by_role("button", name="Run", exact=True).click()
    printed = cell.locator(".cell_output:not([hidden]) .stream")
    printed.wait_for()
    return [int(number) for number in printed.inner_text().split()]


def moves(browser, number):
    """From a slider to its picture, and whether moving costs memory."""
    with serving(SITE) as host, browser.new_context() as context, context.new_page() as page:
        page.goto(f"{host.address}{PAGE}")
        page.locator(LIVE).first.wait_for()
        keys = ["ArrowRight", "ArrowRight", "ArrowLeft"]
        page.evaluate(MOVE, [WIDGET, keys * 7])  # until V8 has compiled what it will
        before = objects(page)
        times = page.evaluate(MOVE, [WIDGET, ["ArrowRight", "ArrowLeft"] * (number // 2)])
        after = objects(page)
    median, late = statistics.median(times), statistics.quantiles(times, n=20)[-1]
    print(f"slider to picture: {median:.0f} ms, 95th percentile {late:.0f} ms ({number} moves)")
    grown = (after[1] - before[1]) / 2**20
    print(f"after {number} moves: {after[0] - before[0]:+} objects, {grown:+.1f} MiB of memory")


def main():
    """Print everything; an argument says how many first visits (10)."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=BROWSER)
        sizes(browser)
        moves(browser, 200)
        browser.close()
    with scripted(SITE, PAGE, LIVE) as mine:
        first_widgets(mine, rounds)
        in_adversity(mine)


if __name__ == "__main__":
    main()
