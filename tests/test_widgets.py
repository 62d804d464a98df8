"""Widgets: move a control in Python, and read what is to be seen; the browser's side is tied by stored links."""

import pytest

pytest.importorskip("ipywidgets")

import ipywidgets
from ipywidgets.embed import dependency_state
from widgets_seen import BOOK, blocks, displayed, inside, outcomes, pages, partial_block, race, says

from mmsim import STAGES, Machine, draw, widgets
from mmsim.chapters import home, isolation, patch1, patch5
from mmsim.chapters import pages as pages_of
from mmsim.questions import check
from mmsim.widgets.stories import Story
from mmsim.widgets.telling import Setting

pytestmark = pytest.mark.usefixtures("no_loop")
KINDS = ipywidgets.Button | ipywidgets.Checkbox | ipywidgets.Dropdown | ipywidgets.IntSlider


# -- one shape ---------------------------------------------------------------------------------------


def pictures():
    """A machine that grows."""
    machine = Machine(boot_memory="4G", virtio_mem={"requested": "0"})
    found = [draw.strip(machine, title="At first")]
    machine.resize("128M")
    return [*found, draw.strip(machine, title="Grown"), draw.zones(machine)]


EVERY = {**BOOK, "stepper": lambda: widgets.stepper(pictures(), title="Growing")}
every = pytest.mark.parametrize("make", EVERY.values(), ids=EVERY)


@every
def test_a_widget_ends_with_its_steps_and_their_pages(make):
    lab = make()
    controls, stack = lab.children[-2:] if lab.walk.paper is None else lab.children[-3:-1]
    back, forward, slider = controls.children
    assert stack is lab.walk.stack
    assert {"stepper", "mmsim-stepper"} <= set(lab._dom_classes)
    assert (back._dom_classes, forward._dom_classes) == (("step-back",), ("step-forward",))
    assert slider.max + 1 == len(pages(lab))
    assert slider.value == stack.selected_index


@every
def test_a_step_announces_one_sentence_at_most(make):
    assert all(page.count('role="status"') <= 1 for page in pages(make()))


@every
def test_the_page_shown_has_the_widgets_picture(make):
    lab = make()
    for step in reversed(range(lab.walk.slider.min, lab.walk.slider.max + 1)):
        lab.walk.slider.value = step
        assert lab.picture.html(style=False) in pages(lab)[step]


@every
def test_a_widget_is_stored_with_its_text(make):
    lab = make()
    bundle = displayed(lab)
    assert str(lab.picture) in bundle["text/plain"]
    assert make().picture.html(style=False) in bundle["text/html"], "the same each time"
    assert "application/vnd.jupyter.widget-view+json" in bundle


@every
def test_every_control_has_a_name(make):
    found = [part for part in inside(make()) if isinstance(part, KINDS)]
    assert len(found) >= 3
    assert all(control.description for control in found)


@every
def test_a_static_page_has_every_page_and_what_ties_them(make):
    lab = make()
    state = {name: model["state"] for name, model in dependency_state([lab], drop_defaults=False).items()}
    stored = [model["value"] for model in state.values() if model["_model_name"] == "HTMLModel"]
    assert set(pages(lab)) <= set(stored)
    assert sum(page.count("<style>") for page in stored) == 1, "one style sheet a widget"
    slider = f"IPY_MODEL_{lab.walk.slider.model_id}"
    links = [model for model in state.values() if "Link" in model["_model_name"]]
    assert [(link["_model_name"], *link["source"], link["target"][1]) for link in links] == [
        ("DirectionalLinkModel", slider, "value", "selected_index")
    ]


@every
def test_pages_share_what_they_can(make):
    lab = make()
    assert len({page.layout for page in lab.walk.pool}) == len({page.style for page in lab.walk.pool}) == 1


def test_back_and_forward_stay_within_the_steps():
    lab = widgets.stepper(pictures())
    back, forward, _ = lab.walk.row.children
    seen = []
    for button in (back, forward, forward, forward, back):
        button.click()
        seen.append(lab.walk.slider.value)
    assert seen == [0, 1, 2, 2, 1]


def test_of_a_long_log_the_end_is_shown():
    steps = [{"do": "place", "pfn": "block:32", "kind": "lru_pinned"}, {"do": "signal", "after_rounds": 30},
             {"do": "write", "path": "memory32/state", "value": "offline"}]  # fmt: skip
    story = widgets.Story({"cmdline": "memhp_default_state=online_movable", "virtio_mem": {"requested": "128M"}}, steps)
    run = story.run(Setting({}, STAGES[-1], []))
    (log,) = run.view(3).after
    logged = [str(event) for event in run.machine.trace.events[run.booted :] if event.logged]
    assert log.text.splitlines() == logged[-20:] != logged
    new = len(run.results[-1].log)
    assert log.description == f"The last 20 of {len(logged)} lines. The step shown has added {new}."


# -- pictures ----------------------------------------------------------------------------------------


def test_a_stepper_shows_the_sliders_picture():
    stepper = widgets.stepper(pictures(), title="Growing")
    assert repr(stepper) == "Lab('Growing')"
    assert stepper.picture.title == "At first"
    stepper.walk.slider.value = 1
    assert stepper.text.startswith("Grown\nThe host asks for 128 MiB")


def test_captions_stand_above_the_pictures_if_they_are_given():
    lab = widgets.stepper(pictures(), ["one", "two", "<three>"])
    lab.walk.slider.value = 2
    assert says(lab) == "<three>"
    assert "mmsim-says" not in "".join(pages(widgets.stepper(pictures())))


def test_a_picture_alone_has_nothing_to_step_through():
    displays = [widgets.stepper(pictures()[:number]).walk.row.layout.display for number in (1, 2)]
    assert displays == ["none", None]


def test_a_stepper_wants_a_caption_for_each_picture():
    with pytest.raises(ValueError, match="1 captions for 3 pictures"):
        widgets.stepper(pictures(), ["one"])
    with pytest.raises(ValueError, match="no picture"):
        widgets.stepper([])


# -- the home page -----------------------------------------------------------------------------------


def test_what_stays_plugged_depends_on_the_zone_and_on_patch_5():
    lab = home.hero()
    first, last = (lab.walk.look(step).picture for step in (0, 1))
    assert {row[0]: row[1] for row in first.table.rows} == dict.fromkeys(HOME, "128 MiB")
    assert {row[0]: row[1] for row in last.table.rows} == dict(zip(HOME, ["12 MiB", "0 MiB", "128 MiB"], strict=True))


def test_what_stays_is_said_and_why():
    last = home.hero().walk.look(1).picture.html()
    for said in ("12 MiB stay", "0 MiB stay", "128 MiB stay", "in 3 of 32 pieces and can&#x27;t move",
                 "6,144 pages were moved into the guest&#x27;s own memory", "the driver doesn&#x27;t try"):  # fmt: skip
        assert said in last, said
    assert ">ok<" not in last


def test_the_hero_has_two_buttons_and_nothing_else_to_move():
    lab = home.hero()
    back, forward, slider = lab.walk.row.children
    assert (back.description, forward.description) == ("Give it again", "Take it back")
    assert (slider.value, slider.max, slider.layout.display) == (0, 1, "none")
    forward.click()
    assert lab.picture.description == "12, 0, 128 MiB stay."


HOME = [name for name, _, _ in home.GUESTS]


# -- the scene on isolation --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "zone", "isolated", "end"),
    [
        ("", "Normal", [0, 1, 2, 0], "All of it was free"),
        ("lru", "Normal", [0, 1, 2, 2, 0], "All of it was free"),
        ("lru", "Movable", [0, 1, 2, 2, 0], "All of it was free"),
        ("lru_pinned", "Normal", [0, 1, 2, 0], "-EBUSY: not all of it became free"),
        ("slab", "Normal", [0, 1, 0], "-EBUSY: the second can't be isolated"),
        ("slab", "Movable", [0, 1, 2, 0], "-EBUSY: not all of it became free"),
    ],
)
def test_what_lies_in_the_range_decides_how_taking_it_ends(what, zone, isolated, end):
    lab = isolation.taking()
    lab.inputs["what"].value, lab.inputs["zone"].value = what, zone
    telling = lab.told.tellings[0]
    views = [telling.draw(step) for step in range(telling.steps)]
    assert [tags_in(view.picture) for view in views] == isolated
    assert views[-1].says.startswith(end)


def tags_in(picture):
    """How many pageblocks the table of a strip calls isolated."""
    spans = [row[1].split("–") for row in picture.table.rows if row[2] == "Isolate"]
    return sum(int(last) - int(first) for first, last in spans) // 2


# -- a story -----------------------------------------------------------------------------------------


def test_every_page_is_what_a_fresh_machine_shows_after_these_steps():
    lab = partial_block()
    lab.inputs["grow"].value, lab.patches[5].value = 160, False
    online = [("write", f"memory{number}/state", "online_movable") for number in (32, 33)]
    steps = [("resize", "160M"), *online, ("allocate", "program", "20M"), ("resize", "40M")]
    for step, page in enumerate(pages(lab)):
        machine = Machine({1, 2, 3, 4, 6}, "4G", virtio_mem={"requested": "0"})
        before = len(machine.trace)
        for method, *arguments in steps[:step]:
            before = len(machine.trace)
            machine.attempt(method, *arguments)
        assert draw.strip(machine, since=before).html(style=False) in page
        lab.walk.slider.value = step
        assert says(lab).startswith(f"Step {step} of 5: " if step else "The machine has booted.")


def test_what_a_step_has_moved_has_an_arrow_on_its_page_alone():
    lab = partial_block()
    lab.inputs["shrink"].value = 8
    arrows = [page.count("mmsim-tip") > 0 for page in pages(lab)]
    assert arrows == [False] * 5 + [True]


def test_a_request_that_was_not_met_is_never_ok():
    lab = partial_block()
    lab.patches[5].value = False
    assert says(lab).endswith(": 128 MiB stay plugged.")


def test_a_step_says_how_it_ended_and_the_log_why():
    lab = partial_block()
    lab.patches[5].value = False
    lab.walk.slider.value = 3
    assert says(lab) == "Step 3 of 5: online_movable > memory33/state: it fails with -EPERM."
    page = pages(lab)[3]
    assert "The step shown has added 1." in page
    assert "MOVABLE not supported" in page
    assert "MOVABLE not supported" not in pages(lab)[2]


def test_what_is_still_to_come_is_not_told():
    lab = partial_block()
    lab.walk.draw_all()
    assert ["allocate" in page for page in pages(lab)] == [False] * 4 + [True, False]


@pytest.mark.parametrize(
    ("to", "end"), [("32M", "32 MiB are plugged"), ("0", "12 MiB stay plugged"), ("256M", "128 MiB are all that is")]
)
def test_a_resize_says_what_is_plugged_then(to, end):
    machine = {"boot_memory": "4G", "virtio_mem": {"requested": "64M", "region": "256M", "usable": "128M"},
               "cmdline": "memhp_default_state=online_kernel"}  # fmt: skip
    steps = [{"do": "allocate", "as": "kernel", "size": "12M", "gfp": "GFP_KERNEL"}, {"do": "resize", "to": to}]
    assert end in says(widgets.Lab("", widgets.Story(machine, steps)))


def test_who_moves_a_control_stays_at_the_step():
    lab = partial_block()
    lab.walk.slider.value = 1
    lab.inputs["grow"].value = 144
    assert blocks(lab)["memory33"] == ("offline", "OFFLINE_PARTIAL", "16 MiB")
    assert lab.walk.slider.value == lab.walk.stack.selected_index == 1


def test_events_are_steps_of_the_story():
    lab = partial_block()
    lab.walk.slider.value = 2
    lab.buttons["Offline memory33"].click()
    assert (lab.walk.slider.value, lab.walk.slider.max, len(pages(lab))) == (6, 6, 7)
    assert says(lab).startswith("Step 6 of 6: offline > memory33/state: ")
    lab.buttons["Start again"].click()
    assert (lab.walk.slider.value, lab.walk.slider.max, len(pages(lab))) == (5, 5, 6)


def test_an_event_can_happen_again_and_what_was_taken_last_is_given_back_first():
    lab = pages_of.who_gets_what()
    for name in ("A program takes 48 MiB", "A program takes 48 MiB", "The program gives 48 MiB back"):
        lab.buttons[name].click()
    assert lab.error.value == ""
    assert [end for _, end in ends(lab)] == ["done"] * 3
    assert "20 free, 12 in use" in lab.text


def test_what_could_not_be_done_has_not_happened():
    lab = pages_of.who_gets_what()
    lab.buttons["The program gives 48 MiB back"].click()
    assert "nothing is held under the name" in lab.error.value
    lab.buttons["A program takes 48 MiB"].click()
    assert (lab.error.value, lab.happened) == ("", ["A program takes 48 MiB"])


def test_the_program_fills_zone_movable_first_and_the_kernel_never_gets_there():
    lab = pages_of.who_gets_what()
    for name in ["A program takes 48 MiB"] * 2 + ["The kernel takes 48 MiB"] * 3:
        lab.buttons[name].click()
    assert ends(lab)[-1] == ("the kernel asks for 48 MiB", "it fails with -ENOMEM")
    rows = [line.split() for line in lab.text.splitlines()[-2:]]
    assert [row[6:] for row in rows] == [
        ["8", "free,", "24", "kernel", "8,192", "free,", "24,576", "kernel"],
        ["8", "free,", "24", "in", "use", "8,192", "free,", "24,576", "in", "use"],
    ]
    lab.buttons["A program takes 48 MiB"].click()
    assert "in use" in lab.text.splitlines()[-2], "a program's pages may be in either zone"


def ends(lab):
    """The steps of the story and how they ended, as its sentences say it."""
    said = []
    for step in range(1, lab.walk.slider.max + 1):
        lab.walk.slider.value = step
        said.append(tuple(says(lab).rstrip(".").split(": ")[1:]))
    return said


def small_lab(story):
    """A machine that can grow to 256 MiB, and a slider that goes to 512."""
    machine = {"boot_memory": "4G", "virtio_mem": {"requested": "0", "region": "256M"}}
    steps = [{"do": "resize", "to": "32M"}, *story]
    return widgets.Lab("", widgets.Story(machine, steps), [widgets.Size("to", "To", "64M", "512M")])


def test_bad_input_is_a_message_and_the_last_picture_stays():
    lab = small_lab([{"do": "resize", "to": "$to"}])
    lab.inputs["to"].value = 512
    assert 'role="alert"' in lab.error.value
    assert "not between 0 and the region" in lab.error.value
    assert "64 MiB are plugged" in lab.text
    lab.inputs["to"].value = 128
    assert (lab.error.value, "128 MiB are plugged" in lab.text) == ("", True)


def test_a_step_that_cannot_be_done_says_so_on_its_page():
    lab = small_lab([{"do": "resize", "to": "$to"}])
    lab.walk.slider.value = 1
    lab.inputs["to"].value = 512
    assert (lab.error.value, "32 MiB are plugged" in lab.text) == ("", True), "this step can be done"
    lab.walk.slider.value = 2
    assert lab.text.startswith("This can't be done\nrequested size 0x20000000 is not between 0")
    assert "not between 0 and the region" in pages(lab)[2]


def test_a_gap_without_a_control_is_an_error_at_once():
    with pytest.raises(KeyError, match="nobody"):
        small_lab([{"do": "resize", "to": "$nobody"}])


def test_a_story_ends_with_a_panic():
    steps = [{"do": "isolate", "start": "addr:44M", "end": "addr:46M", "flags": ["REPORT_FAILURE"]}] * 3
    machine = {"boot_memory": "64M", "zone_of": [["addr:0", "addr:64M", "Movable"]]}
    lab = widgets.Lab("", widgets.Story(machine, steps, lambda machine, since: draw.zones(machine)), patches=[4])
    seen = []
    for step in (1, 2, 3):
        lab.walk.slider.value = step
        seen.append(says(lab).split(": ")[-1])
    assert seen == ["done.", "the kernel panics.", "nobody can do it, the machine has stopped."]


# -- a race ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "patches", "endings"),
    [
        ("Movable", [], {"worker loses: -EBUSY, a warning", "offline loses: -EBUSY, a warning"}),
        ("Normal", [], {"worker loses: -EBUSY", "offline loses: -EBUSY"}),
        ("Movable", [1], {"worker loses: -EBUSY", "offline loses: -EBUSY"}),
    ],
)
def test_the_losers_noise_depends_on_zone_and_patches(zone, patches, endings):
    lab = race()
    lab.inputs["zone"].value = zone
    for patch in patches:
        lab.patches[patch].value = True
    assert outcomes(lab) == endings
    assert "2 distinct outcomes" in lab.overview.value


def test_only_4_without_1_panics():
    lab = widgets.Lab("", patch1.two_cpus(), patches=[], toggles=[1, 4])
    lab.patches[4].value = True
    panics = {name for name in outcomes(lab) if "kernel panic" in name}
    assert outcomes(lab) - panics == {"worker loses: -EBUSY, a warning"}, "a worker that loses reports nothing"
    lab.patches[1].value = True
    assert not any("kernel panic" in name for name in outcomes(lab))


def test_outcomes_that_differ_only_in_the_order_of_the_log_are_one():
    lab = widgets.Lab("", patch5.offline_and_host(), patches=[1, 2, 3, 4, 5])
    assert outcomes(lab) == {
        "offline and host succeed", "offline and host succeed: the driver has to try again", "offline loses: -EBUSY"}
    assert "3 distinct outcomes" in lab.overview.value


@pytest.mark.parametrize(
    ("place", "losers"), [("addr:46M", {"offline", "worker"}), ("addr:44M", {"offline", "worker"}), ("addr:50M", set())]
)
def test_two_isolations_meet_only_where_their_ranges_do(place, losers):
    lab = patch1.meeting()
    lab.inputs["place"].value = place
    assert {ending.partition(" loses")[0] for ending in outcomes(lab) if " loses" in ending} == losers


def test_an_outcome_has_its_own_steps_from_the_first_that_changes_something():
    lab = race()
    lab.outcome.value = 1
    assert lab.walk.slider.value == 1
    assert lab.picture.description == "offline isolates 44 MiB."
    lab.walk.slider.value = 5
    assert lab.picture.description == "offline finds 46 MiB isolated, and warns."
    lab.patches[1].value = True
    assert lab.picture.description == "offline finds 46 MiB isolated, and leaves.", "the same step with patch 1"


def test_a_story_has_a_log_from_when_its_kernel_has_logged_something():
    machine = {"boot_memory": "128M", "zone_of": [["addr:0", "addr:128M", "Movable"]]}
    isolate = {"do": "isolate", "start": 0, "end": 512, "flags": ["REPORT_FAILURE"]}
    lab = widgets.Lab("A story", Story(machine, [isolate, isolate]), patches=[])
    lab.walk.draw_all()
    assert ["Kernel log since boot" in page for page in pages(lab)] == [False, False, True]


def test_the_slider_of_a_race_has_the_number_of_its_step():
    lab = race()
    slider = lab.walk.slider
    for step in range(slider.min, slider.max + 1):
        slider.value = step
        assert lab.picture.title == f"Step {step} of {slider.max}"
    slider.value = 0
    assert slider.value == lab.walk.stack.selected_index == 1


def test_the_log_of_a_race_grows_with_its_steps():
    lab = race()
    lab.walk.draw_all()
    assert ["WARNING: CPU" in page for page in pages(lab)] == [False] * 7 + [True]


def test_on_paper_there_is_the_step_before_the_one_that_decides():
    lab = race()
    assert "Step 6 of 7" in lab.walk.paper.value
    assert "WARNING" not in lab.walk.paper.value
    lab.outcome.value = 1
    assert "Step 4 of 6" in lab.walk.paper.value


def test_the_run_of_a_verdict_opens_where_it_decided():
    verdict = check("patch1/atomic-walk", {"both": "no: who makes A fail has succeeded"})
    lab = widgets.open_run(verdict.run, "The run")
    assert lab.picture.step.number == verdict.run["stop"]
