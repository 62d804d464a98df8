"""What runs in the browser: every cell gives what is stored, and every live widget does what the library says."""

import json
import time
from collections import defaultdict

import pytest
from twins import CLEAN, Twins
from widgets_seen import code_cells, placed

VIEW = "application/vnd.jupyter.widget-view+json"
GONE = "element => !element.isConnected"
UNCOMPARED = {"nbval-ignore-output", "nbval-skip"}
# All cells of code: what each shows as text, its figures to the last attribute, and how high it is.
SHOWN = f"""() => [...document.querySelectorAll(".cell:has(.livebook-tools, .livebook-note)")].map(cell => {{
    const output = cell.querySelector(".cell_output:not([hidden])");
    const copy = output?.cloneNode(true);
    copy?.querySelectorAll("style, script, button.copybtn").forEach(part => part.remove());
    return {{
        text: (copy?.textContent ?? "").replace(/\\s+/g, " ").trim(),
        figures: [...copy?.querySelectorAll("figure") ?? []].map(figure => figure.outerHTML).map({CLEAN}),
        height: Math.round(output?.offsetHeight ?? 0),
    }};
}})"""


@pytest.fixture(scope="session")
def stored(name):
    """The cells of code of the page's notebook."""
    return [cell for cell in code_cells(name) if "remove-cell" not in cell["metadata"].get("tags", [])]


def built(cell):
    """Is it a chart, which is drawn when the book is built, and can't run in a page?"""
    return "mmsim.draw.chart" in "".join(cell["source"])


@pytest.fixture(scope="session")
def awake(visit):
    """The page, with Python there and its live widgets at the reader's service."""
    for cell in visit.labs:
        cell.scroll_into_view_if_needed()
        visit.ran(cell)
    return visit


@pytest.fixture(scope="session")
def before(awake):
    """What the page shows before the reader has run anything."""
    awake.page.evaluate("() => seen.said.length = 0")
    return awake.page.evaluate(SHOWN)


@pytest.fixture(scope="session")
def ran(awake, before, stored):
    """The page after all its cells have run, from the first to the last, if it has any."""
    if not stored:
        return awake
    start = time.monotonic()
    last = awake.cells.last
    awake.press(last, "Run all above")
    awake.press(last, "Run")
    awake.ran(last)
    print(f"{awake.name}: {awake.cells.count()} cells in {time.monotonic() - start:.1f} s")
    return awake


# -- cells -------------------------------------------------------------------------------------------


def fields(outputs):
    """What nbval compares: the contents of each kind, in order. The ids of widgets are others each time."""
    found = defaultdict(list)
    for output in outputs:
        if output["output_type"] == "stream":
            found[output["name"]] = ["".join([*found[output["name"]], *output["text"]])]
        elif output["output_type"] == "error":
            found["error"].append((output["ename"], output["evalue"]))
        for kind, content in output.get("data", {}).items():
            if kind != VIEW:
                found[kind].append("".join(content))
    return dict(found)


def said(visit):
    """Cell by its number from 1 -> what Python has published while it ran."""
    outputs = defaultdict(list)
    for message in map(json.loads, visit.page.evaluate("() => seen.said")):
        if not message["type"].startswith("comm"):
            outputs[int(message["cell"].removeprefix("cell "))].append({"output_type": message["type"], **message})
    return outputs


def test_every_cell_of_the_notebook_can_be_run(visit, stored):
    assert visit.cells.count() == sum(not built(cell) for cell in stored)


def test_every_cell_gives_what_its_notebook_stores(ran, stored):
    """As nbval compares it, with the browser as the kernel."""
    outputs = said(ran)
    for number, cell in enumerate(stored, 1):
        if not built(cell) and not UNCOMPARED & set(cell["metadata"].get("tags", [])):
            assert fields(outputs[number]) == fields(cell["outputs"]), f"cell {number}: {''.join(cell['source'])}"


def test_every_cell_shows_what_the_page_showed(ran, before):
    for number, (then, now) in enumerate(zip(before, ran.page.evaluate(SHOWN), strict=True), 1):
        assert now["text"] == then["text"], f"cell {number}"
        assert now["figures"] == then["figures"], f"cell {number}"


def test_nothing_jumps_when_a_cell_has_run(ran, before):
    heights = [(then["height"], now["height"]) for then, now in zip(before, ran.page.evaluate(SHOWN), strict=True)]
    assert [(number, *both) for number, both in enumerate(heights, 1) if abs(both[0] - both[1]) > 1] == []


# -- widgets -----------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def labs(ran):
    """The live widgets of the page, each with its twin."""
    return [Twins(ran, cell) for cell in ran.labs]


def test_each_cell_that_stands_alone_has_a_live_widget(labs, name):
    assert len(labs) == len(placed(name))
    for twins in labs:
        twins.agree()


def test_a_live_widget_answers_to_the_keyboard_as_the_library_does(labs):
    """Each of its controls in turn, in the order of the Tab key, from the button above it until Tab leaves it."""
    for twins in labs:
        moved, seen = 0, {json.dumps(twins.expected[0])}
        for part in twins.by_keyboard():
            moved += twins.move(part)
            twins.agree()
            seen.add(json.dumps(twins.expected[0]))
        assert moved == twins.controls
        assert len(seen) > moved / 3, "what is to be seen does change"


def test_what_was_moved_is_where_it_was_when_the_cell_runs_again(labs, awake):
    for twins in labs:
        twins.move(next(twins.by_keyboard()))
        twins.agree()
        old = twins.cell.locator(".cell_output").element_handle()
        awake.press(twins.cell, "Run")
        awake.until(lambda old=old: old.evaluate(GONE) and awake.idle, "the cell does not run")
        twins.agree()


# -- all in all --------------------------------------------------------------------------------------


def test_nothing_went_wrong_meanwhile(ran):
    assert (ran.problems, ran.outside, ran.stopped) == ([], [], [])
