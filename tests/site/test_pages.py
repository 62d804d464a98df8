"""Every page in a browser: it loads, asks no other host, fits the screen, and its widgets work without Python."""

# What sticks out to the right, for the message of a test that fails.
WIDEST = """() => {
    const room = document.documentElement.clientWidth;
    const scrolls = e => e && (["auto", "scroll", "hidden", "clip"].includes(getComputedStyle(e).overflowX)
        || scrolls(e.parentElement));
    return document.documentElement.scrollWidth <= room ? [] : [...document.body.querySelectorAll("*")]
        .filter(e => e.getBoundingClientRect().right > room + 0.5 && !scrolls(e.parentElement))
        .map(e => `${e.tagName}.${e.className} ${Math.round(e.getBoundingClientRect().right)} > ${room}`);
}"""
FLAT = """() => [...document.querySelectorAll(".cell_output .widget-subarea")]
    .filter(w => w.offsetParent && w.offsetHeight < 40).map(w => w.innerHTML)"""
SLIDERS = """() => [...document.querySelectorAll(".noUi-target")].map(track => {
    const handle = track.querySelector(".noUi-handle");
    let box = track;
    while (getComputedStyle(box = box.parentElement).backgroundColor === "rgba(0, 0, 0, 0)");
    return [handle.getAttribute("aria-label"), getComputedStyle(box).backgroundColor,
        getComputedStyle(track.querySelector(".noUi-connects")).backgroundColor,
        getComputedStyle(handle).backgroundColor];
})"""


def test_page_loads_without_errors(visit):
    assert visit.problems == []


def test_page_asks_no_other_host(visit):
    assert visit.outside == []


def test_page_has_a_title_and_one_main_heading(visit):
    heading = visit.page.locator("article h1")
    assert heading.count() == 1
    assert visit.page.title().startswith(heading.evaluate("h => h.firstChild.textContent"))
    assert visit.page.locator("html[lang=en]").count() == 1


def test_every_widget_is_drawn(visit, live):
    assert visit.page.evaluate(FLAT) == []


def test_a_stepper_steps_by_keyboard(visit, live):
    for stepper in visit.page.locator(".mmsim-stepper:visible").all():
        picture = stepper.locator("> :last-child")
        before = picture.inner_text()
        stepper.locator(".noUi-handle").press("ArrowRight")
        assert picture.inner_text() != before
        assert stepper.locator("select").input_value().startswith("1: ")


def test_page_is_not_wider_than_the_screen(view):
    assert view.evaluate(WIDEST) == []


def test_sliders_have_a_name_and_stand_out(view, live):
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
