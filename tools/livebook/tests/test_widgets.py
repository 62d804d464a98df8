"""Widgets that are asked before and after Python is there."""

import re
import threading

import pytest
from playwright.sync_api import expect


@pytest.fixture
def widgets(visit):
    """The page with widgets that need Python."""
    return visit("widgets")


def handle(reader, tag):
    """What moves a cell's first slider."""
    return reader.output(tag).locator(".noUi-handle").first


def text(reader, tag):
    """What a cell's widgets say."""
    return expect(reader.output(tag))


def test_tied_widgets_need_no_python(visit):
    reader = visit("still")
    handles = reader.cell("linked").locator(".noUi-handle")
    handles.first.press("ArrowRight")
    expect(handles.last).to_have_attribute("aria-valuenow", "1.0")
    reader.page.wait_for_timeout(300)
    assert not reader.loaded("worker", "boot", "python", "image", "library", "editor", "markdown")


def test_python_starts_when_a_live_widget_comes_near(widgets):
    handle(widgets, "label").wait_for(state="attached")
    widgets.page.wait_for_timeout(300)
    assert not widgets.loaded("worker", "python")
    widgets.page.mouse.wheel(0, 2600)
    widgets.status("Python is ready")
    handle(widgets, "label").press("ArrowRight")
    text(widgets, "label").to_contain_text("twice: 8")


STARTS = """window.starts = [];
    window.Worker = class extends Worker {
        constructor(...given) { super(...given); starts.push(document.readyState); }
    };"""


def test_where_python_was_needed_at_once_it_starts_before_the_page_is_there(visit, faults):
    def starts(reader):
        text(reader, "alone").to_contain_text("Was it?")
        reader.page.wait_for_timeout(300)
        return reader.page.evaluate("starts")

    first = visit("alone", STARTS, viewport={"width": 1280, "height": 3000})
    assert starts(first) == ["interactive"]
    first.status("Python is ready")
    again = visit("alone", STARTS, beside=first)
    assert starts(again) == ["loading"]
    again.status("Python is ready")

    faults["image"] = "missing"
    again.page.reload()
    again.status("Python has stopped: image.")
    faults.clear()
    again.again()
    button = again.output("alone").locator("button")
    button.click()
    expect(button).to_have_text("was not run")

    again.page.set_viewport_size({"width": 1280, "height": 600})
    again.page.reload()
    assert starts(again) == ["loading"]
    again.page.reload()
    assert starts(again) == []


def test_what_is_done_before_python_is_there_is_answered_then(widgets, faults):
    gate = faults["boot"] = threading.Event()
    slider = handle(widgets, "label")
    for _ in range(3):
        slider.press("ArrowRight")
    button = widgets.output("clicks").locator("button")
    button.click()
    button.click()
    widgets.status("Python is loading")
    expect(slider).to_have_attribute("aria-valuenow", "6.0")
    expect(widgets.page.get_by_role("progressbar")).to_be_visible()
    expect(widgets.page.locator(".livebook-amount")).to_have_text(re.compile(r"^\d+\.\d of \d+\.\d MiB$"))
    gate.set()
    text(widgets, "label").to_contain_text("twice: 12")
    expect(slider).to_have_attribute("aria-valuenow", "6.0")
    expect(button).to_have_text("2 clicks")


def test_what_a_cell_shows_waits_until_what_it_replaces_is_drawn(visit):
    reader, held = visit(None), []
    reader.page.route("**/widgets.*.js", lambda route: held.append(route))
    reader.page.goto(f"{reader.origin}still.html", wait_until="domcontentloaded")
    reader.write("linked", "print('instead')")
    reader.button("linked", "Run").click()
    reader.status("Python is ready")
    reader.page.wait_for_timeout(300)
    text(reader, "linked").not_to_contain_text("instead")
    held[0].continue_()
    text(reader, "linked").to_contain_text("instead")
    expect(reader.cell("linked").locator(".noUi-handle")).to_have_count(0)
    expect(reader.page.locator(".livebook-status")).not_to_contain_text("can't be drawn")


def test_every_kind_of_widget_answers(widgets):
    widgets.cell("kinds").scroll_into_view_if_needed()
    widgets.run("captured")

    kinds = widgets.output("kinds")
    kinds.get_by_role("combobox").select_option("green")
    text(widgets, "kinds").to_contain_text("Dropdown: green")
    handle(widgets, "kinds").press("ArrowRight")
    text(widgets, "kinds").to_contain_text("FloatSlider: 0.75")
    kinds.locator(".jupyter-widgets-play button, .widget-play button").first.click()
    text(widgets, "kinds").to_contain_text("Play: 2")

    handle(widgets, "interact").press("ArrowRight")
    text(widgets, "interact").to_contain_text("3 squared")
    text(widgets, "interact").to_contain_text("9")
    assert widgets.output("interact").locator(".output.stream").count() == 1

    assert widgets.cell("image").locator("img").evaluate("image => image.naturalWidth") == 1
    assert widgets.output("captured").inner_text().split("\n")[0] == "inside"
    widgets.output("says").locator("button").click()
    widgets.status("A widget says: aloud")


def test_waking_runs_the_code_of_the_book(widgets):
    widgets.write("label", "raise SystemExit('this is not what the reader asked for')")
    widgets.page.reload()
    expect(widgets.cell("label").get_by_role("textbox", name="Code of")).to_contain_text("raise")
    handle(widgets, "label").press("ArrowRight")
    text(widgets, "label").to_contain_text("twice: 8")
    assert "SystemExit" in widgets.run("label").inner_text()


def test_a_cell_that_stands_alone_does_not_wait_for_those_above(visit):
    reader = visit("alone")
    button = reader.output("alone").locator("button")
    button.click()
    expect(button).to_have_text("was not run")
    reader.run("before")
    button.click()
    expect(button).to_have_text("was run")


def test_widgets_go_on_after_a_restart(widgets):
    slider = handle(widgets, "label")
    slider.press("ArrowRight")
    text(widgets, "label").to_contain_text("twice: 8")
    widgets.button("label", "Restart").click()
    widgets.status("Python is ready")
    slider.press("ArrowRight")
    text(widgets, "label").to_contain_text("twice: 10")


def test_widgets_that_wake_after_a_restart_are_where_the_reader_left_them(widgets):
    slider = handle(widgets, "label")
    slider.press("ArrowRight")
    text(widgets, "label").to_contain_text("twice: 8")
    for _ in range(2):
        widgets.button("label", "Restart").click()
        expect(widgets.cell("label")).not_to_have_attribute("data-ran", "")
        widgets.status("Python is ready")
        slider.focus()
        expect(widgets.cell("label")).to_have_attribute("data-ran", "")
        text(widgets, "label").to_contain_text("twice: 8")
        expect(slider).to_have_attribute("aria-valuenow", "4.0")


@pytest.fixture
def asleep(visit):
    """A page where Python is ready and knows nothing, whose widget needs it."""
    reader = visit("alone")
    reader.cell("alone").evaluate("cell => cell.scrollIntoView()")
    expect(reader.cell("alone")).to_have_attribute("data-ran", "")
    reader.button("alone", "Restart").click()
    expect(reader.cell("alone")).not_to_have_attribute("data-ran", "")
    reader.status("Python is ready")
    return reader


def test_a_button_that_is_held_until_python_is_there_is_clicked_all_the_same(asleep):
    button = asleep.output("alone").locator("button")
    button.hover()
    asleep.page.mouse.down()
    asleep.page.wait_for_timeout(1000)
    expect(asleep.cell("alone")).to_have_attribute("aria-busy", "true")
    asleep.page.mouse.up()
    expect(button).to_have_text("was not run")


def test_a_touch_that_the_browser_takes_over_to_scroll_is_over(asleep):
    button = asleep.output("alone").locator("button")
    button.dispatch_event("pointerdown")
    asleep.page.wait_for_timeout(1000)
    expect(asleep.cell("alone")).to_have_attribute("aria-busy", "true")
    button.dispatch_event("pointercancel")
    expect(asleep.cell("alone")).to_have_attribute("data-ran", "")


SLOW = """
import time
import ipywidgets as w
first, second, says = w.IntSlider(1), w.IntSlider(1), w.Label()
def moved(change):
    time.sleep(0.5)
    second.value = 70
first.observe(moved, "value")
second.observe(lambda change: setattr(says, "value", f"Python has {change['new']}"), "value")
w.VBox([first, second, says])
"""


def test_page_and_python_agree_on_what_both_have_moved(visit):
    """Python moves a slider that the reader has moved meanwhile: it hears of that later, and it stays so."""
    reader = visit("still")
    reader.tries("sum", SLOW)
    handles = reader.output("sum").locator(".noUi-handle")
    handles.first.press("ArrowRight")
    handles.last.press("ArrowRight")
    text(reader, "sum").to_contain_text("Python has 2")
    expect(handles.last).to_have_attribute("aria-valuenow", "2.0")


LATE = """
import time
import ipywidgets as w
one, says = w.IntSlider(1), w.Label()
one.observe(lambda change: setattr(says, "value", f"Python has {change['new']}"), "value")
time.sleep(2)
w.VBox([one, says])
"""


def test_what_is_pressed_while_the_cell_of_a_widget_runs_again_is_kept(visit):
    reader = visit("still")
    reader.tries("sum", LATE)
    reader.button("sum", "Run").click()
    handle = reader.output("sum").locator(".noUi-handle")
    reader.output("sum").evaluate("output => output.dataset.old = ''")
    for _ in range(2):
        handle.press("ArrowRight")
    assert reader.output("sum").get_attribute("data-old") == "", "the cell still runs"
    reader.cell("sum").locator(".cell_output:not([data-old]):not([hidden])").wait_for()
    text(reader, "sum").to_contain_text("Python has 3")
    expect(handle).to_have_attribute("aria-valuenow", "3.0")


def test_labels_may_be_bold_and_not_more(visit):
    reader = visit("still")
    label = '<b style="color: red">bold</b><script>x</script><form>,</form> <i>it</i>'
    reader.tries("sum", f"import ipywidgets\nipywidgets.IntSlider(description={label!r}, description_allow_html=True)")
    shown = reader.output("sum").locator(".widget-label")
    assert shown.inner_html() == '<b style="color: red">bold</b>, <i>it</i>'
