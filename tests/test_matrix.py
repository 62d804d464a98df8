"""Matrices: what comes of each combination of two things, and the run behind each cell."""

import pytest

pytest.importorskip("ipywidgets")

from widgets_seen import displayed

from mmsim import Machine, draw, explore, race
from mmsim.chapters import patch1
from mmsim.draw import Mark, worst
from mmsim.widgets import Choice, Matrix, Story

pytestmark = pytest.mark.usefixtures("no_loop")
FLAGS = ["MEMORY_OFFLINE", "REPORT_FAILURE"]


def found(patches, zone, last="addr:50M", **kwargs):
    """A search through the race of an offlining that isolates up to an address, and a worker in its middle."""
    offline = race("isolate", "offline", start="addr:44M", end=last, flags=FLAGS)
    worker = race("isolate", "worker", start="addr:46M", end="addr:48M")
    return explore(Machine(patches, "128M", zone_of=[("addr:0", "addr:128M", zone)]), offline, worker, **kwargs)


def who_goes():
    """How offlining a block ends, for two things in it and two zones."""
    steps = [
        {"do": "write", "path": "memory32/state", "value": "$online"},
        {"do": "place", "pfn": "block:32+5", "kind": "$kind"},
        {"do": "write", "path": "memory32/state", "value": "offline"},
    ]
    kinds = Choice("kind", "In the block", {"a program's page": "lru", "a page of the kernel": "slab"})
    zones = Choice("online", "Zone", {"ZONE_NORMAL": "online_kernel", "ZONE_MOVABLE": "online_movable"})
    story = Story({"virtio_mem": {"requested": "256M"}}, steps)
    return Matrix("Who goes?", story, kinds, zones, lambda end: Mark("ok" if end.errno == "0" else "bad", end.errno))


def shown(lab):
    """What the cells say."""
    return [made.description for made in lab.cells.values()]


# -- marks -------------------------------------------------------------------------------------------


def test_a_mark_has_one_of_four_kinds():
    assert str(Mark("ok", "goes")) == "✓ goes"
    with pytest.raises(ValueError, match="a mark is one of ok, warn, bad, none, not 'good'"):
        Mark("good", "goes")


@pytest.mark.parametrize(
    ("patches", "zone", "last", "kind", "text"),
    [
        ({4}, "Movable", "addr:50M", "bad", "can crash"),
        (set(), "Movable", "addr:50M", "warn", "can warn"),
        (set(), "Normal", "addr:50M", "ok", "EBUSY at worst"),
        (set(), "Movable", "addr:46M", "none", "nobody loses"),
    ],
)
def test_the_worst_of_a_race_is_looked_for_from_the_crash_down(patches, zone, last, kind, text):
    end = found(patches, zone, last)
    mark = worst(end)
    assert (mark.kind, mark.text) == (kind, text)
    chosen = end.outcomes[mark.way]
    assert (chosen.panic is not None) == (kind == "bad")
    assert any("WARNING" in line for line in chosen.log) == (kind in ("bad", "warn"))


def test_a_search_that_was_ended_knows_no_worst():
    assert worst(found(set(), "Normal", limit=1)) == Mark("none", "unknown", 0)
    assert worst(found(set(), "Movable", limit=1)).kind == "warn", "what was found was found"


def test_a_table_of_marks_says_the_same_as_text_and_as_html():
    figure = draw.matrix("Who goes?", "block", ["empty", "full"], {"32": [Mark("ok", "goes"), Mark("bad", "EBUSY")]})
    assert figure.text.splitlines()[-1].split() == ["32", "✓", "goes", "✗", "EBUSY"]
    assert '<th scope="row">32</th><td class="mmsim-mark-ok">✓ goes</td><td class="mmsim-mark-bad">' in figure.html()


# -- cells that open their run -------------------------------------------------------------------------


def test_each_cell_is_marked_by_the_end_of_its_run():
    lab = who_goes()
    assert [str(mark) for mark in lab.marks.values()] == ["✓ 0", "✓ 0", "✗ EBUSY", "✗ ENDLESS"]


def test_a_cell_shows_its_mark_when_it_is_pressed_and_there_is_a_button_for_all():
    lab = who_goes()
    assert shown(lab) == ["?"] * 4
    assert lab.walk.slider.value == lab.walk.telling.first, "one run is open, and its end is not to be seen"
    lab.cells["slab", "online_kernel"].click()
    assert shown(lab) == ["?", "?", "✗ EBUSY", "?"]
    lab.buttons["Show all"].click()
    assert shown(lab) == [str(mark) for mark in lab.marks.values()]
    for cell, made in lab.cells.items():
        assert f"mmsim-mark-{lab.marks[cell].kind}" in made._dom_classes


def test_a_matrix_whose_cell_runs_again_keeps_the_marks_that_were_seen():
    before = who_goes()
    displayed(before)
    before.cells["slab", "online_movable"].click()
    again = who_goes()
    displayed(again)
    assert shown(again) == shown(before) == ["?", "?", "?", "✗ ENDLESS"]
    assert again.walk.slider.value == again.walk.stack.selected_index == before.walk.slider.value > 0


def test_on_paper_all_marks_are_there():
    lab = who_goes()
    (paper,) = (part for part in lab.children if "mmsim-paper" in part._dom_classes and "<table" in part.value)
    assert all(str(mark) in paper.value for mark in lab.marks.values())


def test_a_cell_opens_its_run_from_the_start():
    lab = who_goes()
    assert lab.where == ("lru", "online_kernel")
    lab.cells["slab", "online_movable"].click()
    assert lab.where == ("slab", "online_movable")
    assert [cell for cell, made in lab.cells.items() if "mmsim-open" in made._dom_classes] == [lab.where]
    assert lab.walk.slider.value == lab.walk.telling.start
    assert "it tries without end" in lab.walk.look(lab.walk.slider.max).says


@pytest.mark.parametrize("cell", [("", "Movable"), ("1", "Normal")])
def test_a_cell_of_a_race_opens_the_way_to_end_that_it_speaks_of(cell):
    lab = patch1.after()
    lab.cells["", "Movable"].click()
    lab.outcome.index = 0
    lab.cells[cell].click()
    assert lab.outcome.index == lab.marks[cell].way
    lab.walk.draw_all()
    assert ("WARNING" in lab.walk.views[-1].html) == (cell == ("", "Movable"))


def test_a_choice_named_patches_is_the_kernel():
    lab = patch1.after()
    assert {cell: lab.setting_of(cell).patches for cell in lab.cells if cell[1] == "Normal"} == {
        ("", "Normal"): frozenset(), ("1", "Normal"): frozenset({1})
    }  # fmt: skip
    assert lab.setting_with({"patches": "1 drain-again", "zone": "Movable"}).patches == {1, "drain-again"}


def test_what_is_stored_shows_the_matrix_and_the_open_run():
    lab = who_goes()
    bundle = displayed(lab)
    for kind in ("text/plain", "text/html"):
        assert bundle[kind].index("✗ ENDLESS") < bundle[kind].index("Memory")


def test_no_word_of_a_matrix_is_broken():
    grid = next(part for part in who_goes().children if "mmsim-cells" in getattr(part, "_dom_classes", ()))
    assert grid.layout.grid_template_columns == "repeat(3, minmax(min-content, 1fr))"
