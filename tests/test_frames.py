"""Frames one by one: what changes is all that moves; and a film tells an isolation from its undo."""

import re

import pytest
from test_strip import FILM, drawings, of_class, said

from mmsim import draw
from mmsim.chapters import virtio_mem

END = ("block:32+28672", "block:33")
TOLD = [("before", ""), ("isolated", ""), ("moved", ""), ("unplugged", "")]


def pictures(pin=""):
    """The pictures of the chapter's scene."""
    lab = virtio_mem.leaving()
    lab.inputs["pin"].value = pin
    return [lab.walk.look(step).picture for step in range(1, lab.walk.slider.max + 1)]


@pytest.mark.parametrize("kind", ["wide", "narrow"])
def test_what_stays_is_in_the_same_place(kind):
    places = [
        sorted((cell.get("x"), cell.get("y")) for cell in of_class(drawings(picture, kind)[1], "cell"))
        for picture in draw.one_by_one(FILM, TOLD, END)
    ]
    assert all(place == places[0] for place in places[:-1])
    assert len({picture.get("viewBox") for p in pictures() for picture in drawings(p, kind)[1:]}) == 1


def test_each_frame_has_its_number_and_its_own_table():
    for number, picture in enumerate(draw.one_by_one(FILM, TOLD, END), 1):
        assert f'<span class="mmsim-number">{number}</span>' in picture.content
        assert {row[0] for row in picture.table.rows} == {f"{number} {TOLD[number - 1][0]}"}


def test_the_block_above_is_as_it_is_then():
    first, *_, last = (drawings(picture, "wide")[0] for picture in draw.one_by_one(FILM, TOLD, END))
    assert not of_class(first, "cell-hole")
    assert of_class(last, "cell-hole")


def test_a_subblock_leaves_in_five_steps():
    words = [re.search("</span><b>(.*?)</b>", picture.content)[1] for picture in pictures()]
    assert words == ["before", "isolated", "moved", "taken", "unplugged"]
    assert "576 pages" in said(drawings(pictures()[2], "wide")[1])


def test_with_a_pinned_page_the_next_subblock_goes():
    words = [re.search("</span><b>(.*?)</b>", picture.content)[1] for picture in pictures("pinned")]
    assert words == ["before", "isolated", "moved", "given back", "isolated", "taken", "unplugged"]
    assert "576 pages" in said(drawings(pictures("pinned")[2], "wide")[1])
    last = pictures("pinned")[-1].table.rows
    assert [row[2] for row in last if "hole" in row[-1]] == ["120–124"]


def test_what_the_driver_has_taken_is_not_the_kernels():
    taken = pictures()[3]
    assert "1,024 taken out of use" in str(taken)
    assert "kernel" not in str(taken)


def test_the_number_of_a_frame_is_that_of_its_step():
    for number, picture in enumerate(pictures(), 1):
        assert f'<span class="mmsim-number">{number}</span>' in picture.content


def test_a_pinned_page_stays_red_while_it_is_isolated():
    assert all("60 pinned" in str(picture) for picture in pictures("pinned"))
