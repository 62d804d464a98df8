"""The picture of a hidden page: who holds it and who speaks, and the same in a table."""

import re
from xml.etree import ElementTree

import pytest
from test_draw import SCHEMES, contrast

from mmsim.chapters import virtio_mem
from mmsim.draw.figure import STYLE


def steps(other="pin"):
    """The pictures of the chapter's scene."""
    lab = virtio_mem.hidden()
    lab.inputs["other"].value = other
    return [lab.walk.look(step).picture for step in range(1, 5)]


PIN, REF = steps(), steps("ref")


def drawings(picture):
    """The SVGs of the two attempts."""
    return [ElementTree.fromstring(svg) for svg in re.findall("<svg.*?</svg>", picture.content)]


def classes(root):
    """All classes in a drawing, each as often as it is used."""
    return [name for element in root.iter() for name in element.get("class", "").split()]


@pytest.mark.parametrize(("pictures", "held"), [(PIN, [(1, 1), (0, 0), (0, 0), (0, 1)]),
                                                (REF, [(1, 2), (0, 1), (0, 1), (0, 2)])])
def test_each_reference_that_is_held_has_a_tether_with_a_knob(pictures, held):
    for picture, wanted in zip(pictures, held, strict=True):
        assert tuple(classes(root).count("mmsim-knob") for root in drawings(picture)) == wanted


def test_the_count_and_the_sums_are_those_of_the_run():
    rows = [row for picture in PIN for row in picture.table.rows]
    assert [row[2] for row in rows] == ["1", "1", "0", "0", "0", "0", "–", "1"]
    assert [row[5] for row in rows] == [f"{n:,}" for n in (49152, 49152, *[65536] * 4, 32768, 49152)]
    assert [row[-1][-18:] for row in rows[-2:]] == ["sums. ✓ offline: 0", "✗ offline: -EINTR"[-18:].rjust(18)]
    for picture in PIN:
        for root, row in zip(drawings(picture), picture.table.rows, strict=True):
            texts = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
            assert {row[4], row[5]} <= set(texts)
            assert row[2] == "–" or row[2] in texts


def test_the_way_through_the_block_is_drawn_in_the_scan_alone():
    for pictures, arcs in ((PIN, (1, 1)), (REF, (1, 0))):
        for step, picture in enumerate(pictures):
            ways = [classes(root).count("mmsim-scan") for root in drawings(picture)]
            assert ways == [step == 2, step == 2]
        assert tuple(picture_.count("steps over") for picture_ in map(texts_of, drawings(pictures[2]))) == arcs


def texts_of(root):
    """All texts in a drawing."""
    return [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("picture", [*PIN, *REF], ids=range(8))
def test_all_text_has_room_and_every_class_is_known(picture):
    for root in drawings(picture):
        width, height = map(float, root.get("viewBox").split()[2:])
        for text in root.iter("{http://www.w3.org/2000/svg}text"):
            kinds = text.get("class")
            length = (8.7 if "strong" in kinds else 7.6) * len(text.text)
            left = float(text.get("x")) - length * (0.5 if "mid" in kinds else "mmsim-end" in kinds)
            assert -12 <= left <= left + length <= width + 12, text.text
            assert 0 < float(text.get("y")) <= height
    html = picture.html(style=False)
    ElementTree.fromstring(html)
    used = {name for value in re.findall(r'class="([^"]*)', html) for name in value.split()}
    assert used <= set(re.findall(r"\.(mmsim-[a-z-]+)", STYLE)) | {"mmsim-all"}


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_the_core_can_be_read(scheme):
    assert contrast(scheme["core"], scheme["core-soft"]) >= 4.5
    assert contrast(scheme["fg"], scheme["worker-soft"]) >= 4.5
