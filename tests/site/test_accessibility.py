"""Nothing that axe-core finds, as the page comes and while it is used: in both colour schemes, wide and narrow."""

from itertools import product

import pytest
from visits import seen_on

RUN = """() => axe.run(document, {resultTypes: ["violations"]}).then(found => found.violations
    .flatMap(rule => rule.nodes.map(node => `${rule.id}: ${node.target.join(" ")}: ${node.failureSummary}`)))"""
# What sticks out to the right, for the message of a test that fails.
WIDEST = """() => {
    const room = document.documentElement.clientWidth;
    const scrolls = e => e && (["auto", "scroll", "hidden", "clip"].includes(getComputedStyle(e).overflowX)
        || scrolls(e.parentElement));
    return document.documentElement.scrollWidth <= room ? [] : [...document.body.querySelectorAll("*")]
        .filter(e => e.getBoundingClientRect().right > room + 0.5 && !scrolls(e.parentElement))
        .map(e => `${e.tagName}.${e.className} ${Math.round(e.getBoundingClientRect().right)} > ${room}`);
}"""
SLIDERS = """() => [...document.querySelectorAll(".noUi-target")].map(track => {
    const handle = track.querySelector(".noUi-handle");
    let box = track;
    while (getComputedStyle(box = box.parentElement).backgroundColor === "rgba(0, 0, 0, 0)");
    return [handle.getAttribute("aria-label"), getComputedStyle(box).backgroundColor,
        getComputedStyle(track.querySelector(".noUi-connects")).backgroundColor,
        getComputedStyle(handle).backgroundColor];
})"""


OPEN = ".cell:not(.tag_standalone, .tag_hide-input, .tag_hide-cell):has(.livebook-tools)"  # its code is to be seen


def use(visit):
    """Let Python come, and leave the live widgets awake, and another cell, if there is one, open and failed."""
    for cell in visit.labs:
        cell.scroll_into_view_if_needed()
        visit.ran(cell)
    for cell in visit.page.locator(OPEN).all()[:1]:
        fail(visit, cell)


def fail(visit, cell):
    """Have a mistake in the cell's code, run it, and stay in its editor."""
    cell.get_by_role("button", name="Edit").click()
    cell.get_by_role("textbox").press("Control+End")
    visit.page.keyboard.type("\n'no number' / 0  # which can't be\n")
    visit.page.keyboard.press("Shift+Enter")
    cell.locator(".traceback").wait_for()
    visit.until(lambda: visit.idle, "a cell does not end")
    cell.get_by_role("textbox").focus()


@pytest.fixture(scope="session")
def used(visit):
    """A page as a reader leaves it."""
    use(visit)
    return visit


VIEWS = list(product(("read", "used"), ("light", "dark"), (1280, 360)))


@pytest.fixture(scope="module", params=VIEWS, ids=lambda view: "-".join(map(str, view)))
def view(request, reading, used):
    """A page as it comes and as a reader leaves it, in both colour schemes, on a wide and on a narrow screen."""
    state, scheme, width = request.param
    return seen_on({"read": reading, "used": used}[state].page, scheme, width)


def test_page_has_no_barrier(view, axe):
    if not view.evaluate("() => Boolean(window.axe)"):
        view.evaluate(axe)
    assert view.evaluate(RUN) == []


def test_page_is_not_wider_than_the_screen(view):
    assert view.evaluate(WIDEST) == []


def test_sliders_have_a_name_and_stand_out(view):
    for name, page, *parts in view.evaluate(SLIDERS):
        assert name
        assert [part for part in parts if contrast(page, part) < 3] == [], f"on {page}"


def contrast(one, other):
    """The contrast ratio of two CSS colours, as WCAG defines it."""
    dark, light = sorted(map(luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


def luminance(colour):
    """The relative luminance of `rgb(r, g, b)`."""
    parts = [int(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
