"""Widgets while Python is there: what is drawn when, and what is still there when a cell runs again."""

import asyncio

import pytest

pytest.importorskip("ipywidgets")

import ipywidgets
from widgets_seen import BOOK, displayed, pages, partial_block, push, race

from mmsim import widgets
from mmsim.widgets import lab as labs
from mmsim.widgets import walk

pytestmark = pytest.mark.usefixtures("no_loop")
with_controls = pytest.mark.parametrize("make", BOOK.values(), ids=BOOK)


@pytest.fixture(autouse=True)
def nothing_displayed_before(monkeypatch):
    """A fresh kernel, as far as widgets know."""
    monkeypatch.setattr(labs, "LAST", {})


# -- how fast ----------------------------------------------------------------------------------------


def count_views(lab, monkeypatch):
    """The steps that are drawn from now on."""
    drawn, carry_on = [], walk.Walk.show
    monkeypatch.setattr(walk.Walk, "show", lambda self, step, view: (drawn.append(step), carry_on(self, step, view))[1])
    return drawn


def test_where_a_loop_runs_only_the_page_shown_is_drawn_at_once(monkeypatch):
    monkeypatch.setattr(walk, "DELAY", 0.02)
    lab, told_at_once = partial_block(), partial_block()
    drawn = count_views(lab, monkeypatch)

    async def read():
        for mib in (160, 176):
            lab.inputs["grow"].value = mib
        assert drawn == [5, 5]
        lab.walk.go(-2)
        assert drawn == [5, 5, 3], "on demand"
        await asyncio.sleep(0.2)

    asyncio.run(read())
    assert drawn == [5, 5, 3, 0, 1, 2, 4], "the rest, once"
    told_at_once.inputs["grow"].value = 176
    assert pages(lab) == pages(told_at_once)


@with_controls
def test_moving_makes_no_new_widgets(make):
    lab = make()
    for button in (*lab.buttons.values(), *getattr(lab, "cells", {}).values()):
        button.click()
    displayed(lab)
    made = []
    for times in range(8):
        for knob in lab.knobs:
            push(knob, times)
        lab.walk.go(-1)
        for button in lab.buttons.values():
            button.click()
        made.append(len(ipywidgets.widgets.widget._instances))
    assert made[3:] == made[3:4] * 5, "once there is a page for every step that there can be"


def test_the_browser_hears_of_the_picture_first_and_of_a_step_before_it_is_chosen(monkeypatch):
    """The page of a step, then the slider's new end."""
    lab, heard = partial_block(), []
    monkeypatch.setattr(ipywidgets.Widget, "send_state", lambda self, key=None: heard.append(self))
    lab.buttons["50 seconds pass"].click()
    shown, *others = reversed(lab.walk.pool)
    order = [heard.index(part) for part in (shown, lab.walk.stack, lab.walk.slider, others[-1])]
    assert order == sorted(order)


def test_pages_are_used_again():
    lab = partial_block()
    before = lab.walk.stack.children
    lab.inputs["grow"].value = 256
    assert lab.walk.stack.children is before
    lab.buttons["50 seconds pass"].click()
    more = lab.walk.stack.children
    lab.buttons["Start again"].click()
    lab.buttons["50 seconds pass"].click()
    assert (more[:-1], lab.walk.stack.children) == (before, more)


# -- running a cell again ----------------------------------------------------------------------------


def test_a_widget_goes_on_where_it_was_when_its_cell_runs_again():
    lab = partial_block()
    displayed(lab)
    lab.inputs["grow"].value, lab.patches[5].value = 160, False
    lab.buttons["Offline memory33"].click()
    lab.walk.slider.value = 4
    again = partial_block()
    assert displayed(again)["text/plain"] == lab.text
    assert pages(again) == pages(lab)
    assert again.walk.stack.selected_index == again.walk.slider.value == 4
    assert displayed(partial_block())["text/plain"] == lab.text, "and again"


def test_a_race_goes_on_with_its_outcome():
    lab = race()
    displayed(lab)
    lab.patches[1].value, lab.outcome.index = True, 1
    again = race()
    assert displayed(again)["text/plain"] == lab.text
    assert again.outcome.index == 1


def test_what_was_never_displayed_is_not_remembered():
    lab = partial_block()
    lab.patches[5].value = False
    assert displayed(partial_block())["text/plain"] == partial_block().text != lab.text


def test_a_lab_with_another_title_or_other_controls_starts_anew():
    def lab(title, name="to", top="512M"):
        size = widgets.Size(name, "To", "64M", top)
        return widgets.Lab(title, widgets.Story({"virtio_mem": {}}, [{"do": "resize", "to": f"${name}"}]), [size])

    first = lab("One")
    displayed(first)
    first.inputs["to"].value = 256
    for other, expected in ((lab("Two"), 64), (lab("One", "size"), 64), (lab("One", top="128M"), 64), (lab(""), 64)):
        displayed(other)
        assert other.knobs[0].value == expected


def test_what_was_not_moved_takes_its_new_initial_value():
    def lab(value):
        size = widgets.Size("to", "To", value, "512M")
        return widgets.Lab("One", widgets.Story({"virtio_mem": {}}, [{"do": "resize", "to": "$to"}]), [size])

    displayed(lab("64M"))
    again = lab("96M")
    assert "96 MiB are plugged" in displayed(again)["text/plain"]
