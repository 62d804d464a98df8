"""Charts: drawn by matplotlib, in the colours of the style sheet, with all their numbers as a table."""

import os
import re
import subprocess
import sys
from xml.etree import ElementTree

import pytest

pytest.importorskip("matplotlib")

from mmsim.draw.chart import COLOURS, FONT, NARROW, Curve, chart
from mmsim.draw.figure import STYLE

SVG = "{http://www.w3.org/2000/svg}"
CURVES = [
    Curve("up", (0, 5, 10), "movable", label="goes up", at=(1, 4)),
    Curve("flat", (7.5, 7.5, 7.5), "bad", 4, (3, 3)),
]


def drawn(title="A chart", curves=CURVES):
    """A small chart."""
    return chart(title, "One curve goes up, one is flat.", (0, 10, 20), curves, ("seconds", "MiB & more"))


def svgs(figure):
    """Its drawings, for a wide and for a narrow page."""
    return [ElementTree.fromstring(svg) for svg in re.findall("<svg.*?</svg>", figure.svg, re.DOTALL)]


def test_all_numbers_are_in_the_table():
    assert drawn().text.splitlines() == [
        "seconds  up  flat", "-------  --  ----", "0        0   7.5", "10       5   7.5", "20       10  7.5"]
    assert "<details><summary>The same as a table</summary>" in drawn().html()


def test_a_curve_goes_through_its_numbers():
    for svg in svgs(drawn()):
        paths = [path for path in svg.iter(f"{SVG}path") if "--mmsim-movable" in path.get("style")]
        (points,) = [re.findall(r"[ML] ([\d.]+) ([\d.]+)", path.get("d")) for path in paths]
        (x1, y1), (x2, y2), (x3, y3) = [tuple(map(float, point)) for point in points]
        assert x2 - x1 == pytest.approx(x3 - x2, abs=0.01)
        assert y1 - y2 == pytest.approx(y2 - y3, abs=0.01)
        assert y1 > y3, "upwards"


def test_colours_are_those_of_the_style_sheet():
    page = drawn().svg
    assert not re.findall(r"#[0-9a-f]{3,6}\b", page)
    used = set(re.findall(r"var\(--mmsim-([a-z-]+)\)", page))
    assert used <= set(COLOURS.values())
    assert {"fg", "line", "movable", "bad"} <= used
    assert set(COLOURS.values()) <= set(re.findall(r"--mmsim-([a-z-]+):light-dark", STYLE))
    forced = STYLE[STYLE.index(".mmsim-fig .mmsim-chart{forced-color-adjust") :].partition("}")[0]
    assert set(re.findall(r"--mmsim-([a-z-]+):", forced)) >= set(COLOURS.values())


def test_nothing_of_a_chart_concerns_the_rest_of_the_page():
    page = drawn().svg + drawn("Another").svg
    assert "<style" not in page
    ids = re.findall(r'id="([^"]*)"', page)
    assert len(ids) == len(set(ids)) == 8, "a title and a description of each drawing"
    assert set(re.findall(r'class="([^"]*)"', page)) == {"mmsim-fit mmsim-chart", "mmsim-wide", "mmsim-narrow"}


def test_a_chart_has_a_title_and_a_description():
    for svg in svgs(drawn("Less < more")):
        assert svg.get("role") == "img"
        names = svg.get("aria-labelledby").split()
        texts = [next(part.text for part in svg if part.get("id") == name) for name in names]
        assert texts == ["Less < more", "One curve goes up, one is flat."]


def test_text_can_be_read_on_a_phone():
    """There a figure is about 300 pixels wide inside."""
    narrow = svgs(drawn())[1]
    assert narrow.get("viewBox").split()[2] == str(NARROW) == "300"
    sizes = {float(re.search(r"font-size: ([\d.]+)px", text.get("style"))[1]) for text in narrow.iter(f"{SVG}text")}
    assert sizes == {FONT}
    assert FONT >= 12
    assert {text.text for text in narrow.iter(f"{SVG}text")} >= {"seconds", "MiB & more", "goes up"}


def test_a_chart_is_the_same_in_every_process():
    script = "import sys; sys.path.insert(0, 'tests'); import test_chart; print(test_chart.drawn().html())"
    command = [sys.executable, "-c", script]
    pages = [subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True).stdout
             for seed in "12"]  # fmt: skip
    assert pages[0] == pages[1] != b""


def test_a_curve_has_a_value_for_each_x():
    with pytest.raises(ValueError, match="short: 1 value for 3"):
        drawn(curves=[Curve("short", (1,), "bad")])


def test_the_library_needs_no_matplotlib_until_a_chart_is_drawn():
    script = "import sys; import mmsim.draw.chart, mmsim.chapters.patch5; print('matplotlib' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"
