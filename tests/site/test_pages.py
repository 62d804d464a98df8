"""Every page as it is read, while Python is on its way: it loads little, asks no other host, and its pictures step."""

import gzip
import json
from urllib.parse import unquote, urlsplit

import pytest
from twins import Twins
from visits import opened

READ = 700_000  # bytes, compressed, that a page may load to be read
STEPS = 100_000  # of these, what its widgets may take
OTHERS = ("genindex", "search")
STATE = "script[type='application/vnd.jupyter.widget-state+json']"

FLAT = """() => [...document.querySelectorAll(".cell_output .widget-subarea")]
    .filter(w => w.offsetParent && w.offsetHeight < 40).map(w => w.innerHTML)"""
# Where a stepper stands, as its slider and its picture say, and what is said to those who hear it.
STANDS = """row => {
    const handle = row.querySelector(".noUi-handle");
    const says = row.nextElementSibling.querySelector(".mmsim-says")?.textContent ?? "";
    const announced = row.querySelector(".step-says")?.textContent ?? "";
    return {
        slider: Number(row.querySelector(".widget-readout").textContent),
        first: Number(handle.getAttribute("aria-valuemin")),
        last: Number(handle.getAttribute("aria-valuemax")),
        says, announced, spoken: handle.getAttribute("aria-valuetext"),
        picture: row.nextElementSibling.textContent,
    };
}"""


def compressed(content):
    """How many bytes a server sends for it."""
    return len(gzip.compress(content))


# -- loading -----------------------------------------------------------------------------------------


def test_page_loads_without_errors(reading):
    assert reading.problems == []


def test_page_asks_no_other_host(reading):
    assert reading.outside == []


def test_policy_stops_nothing(reading):
    assert reading.stopped == []


@pytest.mark.parametrize("other", OTHERS)
def test_pages_beside_the_book_load_as_well(browser, origin, other):
    with opened(browser, origin, other) as visit:
        assert (visit.problems, visit.outside, visit.stopped) == ([], [], [])


def test_the_first_page_of_the_site_leads_into_the_book(browser, origin):
    with opened(browser, origin, "index") as visit:
        visit.page.wait_for_url("**/book/index.html")
        assert (visit.drawn().problems, visit.outside, visit.stopped) == ([], [], [])


def test_search_finds(browser, origin):
    with opened(browser, origin, "search", "?q=pageblock") as visit:
        found = visit.page.locator("#search-results li a")
        found.first.wait_for()
        assert (visit.problems, visit.outside, visit.stopped) == ([], [], [])


def test_page_has_a_title_and_one_main_heading(reading):
    heading = reading.page.locator("article h1")
    assert heading.count() == 1
    assert reading.page.title().startswith(heading.evaluate("h => h.firstChild.textContent"))
    assert reading.page.locator("html[lang=en]").count() == 1


def test_page_loads_little_to_be_read(reading, site):
    loaded = {unquote(urlsplit(url).path) for url in set(reading.asked) - set(reading.asked_for_python)}
    sizes = {path: compressed((site / path[1:]).read_bytes()) for path in loaded}
    print(f"{reading.name}: {sum(sizes.values()):,} bytes in {len(sizes)} files")
    assert sum(sizes.values()) < READ, sorted(sizes.items(), key=lambda item: -item[1])


def test_all_steps_of_a_page_weigh_little(reading):
    states = reading.page.locator(STATE).all_text_contents()
    size = compressed("".join(states).encode())
    print(f"{reading.name}: {size:,} bytes of widgets")
    assert size < STEPS


# -- drawn, and stepping, without Python -------------------------------------------------------------


def test_every_widget_is_drawn(reading):
    assert reading.page.evaluate(FLAT) == []


def test_page_that_shows_no_live_widget_asks_for_no_python(reading):
    """`near` is what the page calls near: so far below the screen, Python starts."""
    tops = [lab.bounding_box()["y"] for lab in reading.labs]
    near = [top for top in tops if top < reading.page.viewport_size["height"] + 400]
    assert bool(reading.asked_for_python) == bool(near)


def test_paper_has_no_button_no_fold_and_all_of_a_matrix(reading):
    reading.page.emulate_media(media="print")
    article = reading.page.locator("article")
    for part in (".mmsim-fig button", ".mmsim-stepper button", ".cell > details.hide:not([open]) > summary"):
        assert article.locator(part).filter(visible=True).count() == 0, part
    papers = article.locator(".mmsim-stepper:has(.mmsim-cells) .mmsim-paper .mmsim-matrix").filter(visible=True)
    assert papers.count() >= article.locator(".mmsim-cells").count()
    reading.page.emulate_media(media="screen")


def test_a_stepper_steps_by_keyboard_alone(reading):
    """Each way to step, in turn: they agree, each shows another picture, and what the step says is announced."""
    before = len(reading.asked_for_python)
    for stepper in reading.page.locator(".cell:not(.tag_standalone) .step-row:not(.step-two)").all():
        handle = stepper.locator(".noUi-handle")
        back, forward = stepper.locator(".step-back"), stepper.locator(".step-forward")
        first, last = map(stepper.evaluate(STANDS).get, ("first", "last"))
        seen = []
        for part, key, step in (
            (handle, "End", last), (handle, "Home", first), (forward, "Enter", first + 1),
            (handle, "ArrowRight", first + 2), (back, "Enter", first + 1), (back, "Space", first),
            (forward, "ArrowRight", first + 1), (back, "ArrowLeft", first),
            (handle, "End", last), (back, "Enter", last - 1),
        ):
            part.press(key)
            stands = stepper.evaluate(STANDS)
            assert stands["slider"] == step, key
            if stands["says"]:
                reading.until(lambda at=stepper: heard(at.evaluate(STANDS)), f"{key}: not announced")
            seen.append((step, stands["picture"]))
        assert len(set(seen)) == len({step for step, _ in seen}) == len({picture for _, picture in seen})
    assert len(reading.asked_for_python) == before


def test_two_pages_are_turned_by_their_buttons(reading):
    """Each button shows the other picture, once, and nothing else can be moved."""
    for stepper in reading.page.locator(".step-two").all():
        back, forward = stepper.locator(".step-back"), stepper.locator(".step-forward")
        seen = []
        for button in (forward, forward, back, back):
            button.press("Enter")
            seen.append(stepper.evaluate(STANDS)["picture"])
        assert seen[0] == seen[1] != seen[2] == seen[3]
        assert not stepper.locator(".noUi-handle, select").first.is_visible()


def heard(stands):
    """Is what the step says announced, and what the slider calls its place?"""
    return stands["says"] == stands["announced"] == stands["spoken"]


# -- what was answered -------------------------------------------------------------------------------


def test_what_was_answered_on_an_earlier_visit_says_so(browser, origin):
    """An answer alone would look as if the question were still open, and a verdict as if it had just been run."""
    with opened(browser, origin, "book/series/patch1") as visit:
        root = visit.page.evaluate("location.pathname.replace(/book\\/.*/, '')")
        committed, filled_in = {"first": {"log": "a"}, "last": {"log": "b"}}, {"last": {"log": "a"}}
        for name, kept in (("late-loser", committed), ("once", filled_in)):
            visit.page.evaluate("([name, text]) => localStorage.setItem(name, text)",
                                [f"livebook:{root}:form patch1/{name}", json.dumps(kept)])
        visit.page.reload()
        answered, open_ = (visit.page.locator(f"form[data-key='patch1/{name}']") for name in ("late-loser", "once"))
        answered.get_by_text("You answered this on an earlier visit.").wait_for()
        assert answered.locator("[value=b]:checked").count() == 1
        assert answered.get_by_role("status").inner_text() == ""
        assert open_.locator("[value=a]:checked").count() == 1
        assert open_.get_by_text("on an earlier visit").count() == 0


def test_a_widget_in_a_verdict_steps_and_does_not_ask_again(browser, origin):
    """Its buttons stand in the question's form, which a button without a type would send."""
    with opened(browser, origin, "book/series/patch1") as visit:
        form = visit.page.locator("form[data-key='patch1/once']")
        form.get_by_label("nothing: the failure code reports once").check()
        form.get_by_role("button", name="Commit, then run").click()
        stepper = form.locator(".mmsim-stepper")
        stepper.wait_for()
        stepper.evaluate("stepper => stepper.dataset.first = true")
        at = stepper.locator(".step-row .widget-readout")
        before = int(at.text_content())
        stepper.get_by_role("button", name="Back").click()
        visit.until(lambda: int(at.text_content()) == before - 1, lambda: at.text_content())
        visit.page.wait_for_timeout(1000)
        assert stepper.get_attribute("data-first") == "true", "the verdict was made anew"


# -- what was done early -----------------------------------------------------------------------------


def test_what_is_moved_before_python_is_there_keeps_its_value_and_is_answered_then(reading):
    labs = [Twins(reading, cell) for cell in reading.labs]
    for lab in labs:
        behind = []
        for part in lab.by_keyboard():
            lab.move(part)
            behind.append(lab.seen[0] != lab.expected[0])
        assert any(behind)
    reading.let_python_come()
    for lab in labs:
        lab.agree()
