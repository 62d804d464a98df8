"""Widgets: move a control in Python, and read what the picture's text equivalent says."""

import pytest

pytest.importorskip("ipywidgets")

import ipywidgets

from mmsim import Machine, draw, widgets


def blocks(lab):
    """Memory block -> (state, driver, plugged) of those that are the device's."""
    return {row[0]: row[1:4] for row in lab.picture.table.rows if row[2] != "–" and row[1] != "absent"}


# -- stepper -----------------------------------------------------------------------------------------


def pictures():
    """A machine that grows."""
    machine = Machine(boot_memory="4G", virtio_mem={"requested": "0"})
    found = [draw.memory_blocks(machine, title="At first")]
    machine.resize("128M")
    return [*found, draw.memory_blocks(machine, title="Grown"), draw.zones(machine)]


def test_stepper_shows_the_sliders_picture():
    stepper = widgets.stepper(pictures(), title="Growing")
    assert repr(stepper) == "Stepper('Growing')"
    assert stepper.picture.title == "At first"
    stepper.slider.value = 1
    assert stepper.text.startswith("Grown\nThe host asks for 128 MiB")


def test_stepper_is_tied_in_the_browser():
    stepper = widgets.stepper(pictures(), ["one", "two", "three"])
    ends = {(link.source[1], link.target[0], link.target[1]) for link in stepper.links}
    assert ends == {("value", stepper.stack, "selected_index"), ("value", stepper.choice, "index")}
    assert stepper.choice.options[2] == ("2: three", 2)
    assert not [child for child in stepper.children if isinstance(child, ipywidgets.Button)], "they need Python"


def test_stepper_wants_a_caption_for_each_picture():
    with pytest.raises(ValueError, match="1 captions for 3 pictures"):
        widgets.stepper(pictures(), ["one"])
    with pytest.raises(ValueError, match="no picture"):
        widgets.stepper([])


def test_a_widget_is_stored_with_its_text():
    lab = widgets.how_much()
    bundle = lab._repr_mimebundle_()
    assert bundle["text/plain"] == str(lab.picture)
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert bundle["text/html"] == widgets.how_much()._repr_mimebundle_()["text/html"], "the same each time"


def test_every_control_has_a_name():
    def controls(widget):
        for child in getattr(widget, "children", ()):
            yield from controls(child)
        if isinstance(widget, ipywidgets.Button | ipywidgets.Checkbox | ipywidgets.Dropdown | ipywidgets.IntSlider):
            yield widget

    made = [widgets.how_much(), widgets.race(), widgets.partial_block(), widgets.stepper(pictures())]
    found = [control for widget in made for control in controls(widget)]
    assert len(found) > 20
    assert all(control.description for control in found)


# -- how much can be unplugged? ----------------------------------------------------------------------


def test_kernel_pages_stay_in_a_kernel_zone():
    assert "12 MiB are plugged" in widgets.how_much().text


def test_all_of_zone_movable_can_be_unplugged():
    lab = widgets.how_much()
    lab.inputs["zone"].value = "online_movable"
    assert "0 MiB are plugged" in lab.text
    assert blocks(lab) == {}


def test_without_patch_5_nothing_of_zone_movable_is():
    lab = widgets.how_much()
    lab.inputs["zone"].value = "online_movable"
    lab.patches[5].value = False
    assert blocks(lab)["memory32"] == ("online Movable", "ONLINE_MOVABLE", "128 MiB")


def test_sizes_are_sliders():
    lab = widgets.how_much()
    lab.inputs["plugged"].value, lab.inputs["requested"].value = 128, 256
    assert lab.picture.description.startswith("The host asks for 256 MiB; 256 MiB are plugged.")


# -- a story -----------------------------------------------------------------------------------------


def test_the_story_tells_how_each_step_ended():
    lab = widgets.partial_block()
    lab.patches[5].value = False
    assert "online_movable &gt; memory33/state: <b>-EPERM</b>" in lab.story.value
    assert "MOVABLE not supported" in lab.log_view.value
    assert blocks(lab)["memory32"][1] == "ONLINE_MOVABLE"


def test_back_and_forward():
    lab = widgets.partial_block()
    lab.slider.value = 1
    assert blocks(lab)["memory33"] == ("offline", "OFFLINE_PARTIAL", "64 MiB")
    lab.go(-1)
    assert (lab.slider.value, blocks(lab)) == (0, {})
    lab.go(-1)
    assert lab.slider.value == 0
    lab.go(2)
    assert blocks(lab)["memory32"][0] == "online Movable"
    assert '<li aria-current="step">online_movable &gt; memory32/state: <b>ok</b> ← shown</li>' in lab.story.value


def test_buttons_add_to_the_story():
    lab = widgets.partial_block()
    lab.slider.value = 2
    lab.buttons["A program takes 16 MiB"].click()
    assert (lab.slider.value, lab.slider.max) == (6, 6)
    assert lab.machine.pages.held("more")
    lab.buttons["Start again"].click()
    assert (lab.slider.value, lab.slider.max) == (5, 5)


def test_bad_input_is_a_message_and_the_last_picture_stays():
    lab = widgets.Lab("", {"boot_memory": "4G", "virtio_mem": {"requested": "0", "region": "256M"}},
                      [{"do": "resize", "to": "$to"}], [widgets.Size("to", "To", "64M", "512M")])  # fmt: skip
    lab.inputs["to"].value = 512
    assert "not between 0 and the region" in lab.error.value
    assert 'role="alert"' in lab.error.value
    assert "64 MiB are plugged" in lab.text
    lab.inputs["to"].value = 128
    assert (lab.error.value, "128 MiB are plugged" in lab.text) == ("", True)


def test_a_gap_without_a_control_is_an_error_at_once():
    with pytest.raises(KeyError, match="nobody"):
        widgets.Lab("", {}, [{"do": "resize", "to": "$nobody"}])


def test_the_story_ends_with_a_panic():
    steps = [{"do": "isolate", "start": "addr:44M", "end": "addr:46M", "flags": ["REPORT_FAILURE"]}] * 3
    machine = {"boot_memory": "64M", "zone_of": [["addr:0", "addr:64M", "Movable"]]}
    lab = widgets.Lab("", machine, steps, patches=[4], picture=draw.zones)
    assert [result.panic is not None for result in lab.results] == [False, True]


# -- a race ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "patches", "endings"),
    [
        ("Movable", [], {"A 0, B -EBUSY, WARN", "A -EBUSY, B 0, WARN"}),
        ("Normal", [], {"A 0, B -EBUSY", "A -EBUSY, B 0"}),
        ("Movable", [1], {"A 0, B -EBUSY", "A -EBUSY, B 0"}),
        ("Movable", [1, 3, 4], {"A 0, B -EBUSY", "A -EBUSY, B 0"}),
    ],
)
def test_the_losers_noise_depends_on_zone_and_patches(zone, patches, endings):
    lab = widgets.race()
    lab.inputs["zone"].value = zone
    for patch in patches:
        lab.patches[patch].value = True
    assert {draw.ending(outcome) for outcome in lab.exploration.outcomes} == endings
    assert {name.split(": ", 1)[1] for name, _ in lab.choice.options} == endings


def test_only_4_without_1_panics():
    lab = widgets.race()
    lab.patches[4].value = True
    assert all(outcome.panic for outcome in lab.exploration.outcomes)
    lab.patches[1].value = True
    assert not any(outcome.panic for outcome in lab.exploration.outcomes)


def test_choosing_an_outcome_shows_its_end_and_the_slider_goes_back():
    lab = widgets.race()
    lab.choice.value = 1
    assert lab.picture.title.endswith("A -EBUSY, B 0, WARN")
    assert lab.slider.value == lab.slider.max == 8
    lab.slider.value = 2
    assert lab.picture.description == "Step 2 of 8: A isolates pageblock 0x2c00."
    explored = lab.exploration
    lab.go(1)
    assert lab.exploration is explored, "a step needs no new exploration"
