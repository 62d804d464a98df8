"""Pictures: what their text equivalents say, and that the SVG is sound, the same everywhere, and readable."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from mmsim import STAGES, Machine, draw, explore, race
from mmsim.draw.figure import STYLE, compact

ROOT = Path(__file__).parent.parent

ANCHORS = {"mmsim-mid": 0.5, "mmsim-end": 1}
SVG = "{http://www.w3.org/2000/svg}"


def grown(patches=STAGES[-1], online="online_movable"):
    """One block and a half of virtio-mem memory."""
    machine = Machine(patches, "4G", f"memhp_default_state={online}", {"requested": "192M"})
    machine.allocate("program", "10M")
    return machine


def racing(patches=(), pageblocks=3):
    """Two isolations of overlapping ranges in ZONE_MOVABLE; the second range is one pageblock in the middle."""
    machine = Machine(patches, "128M", zone_of=[["addr:0", "addr:128M", "Movable"]])
    return machine, [
        race("isolate", "A", start=0, end=pageblocks * 512, flags=["REPORT_FAILURE"]),
        race("isolate", "B", start=512, end=1024, flags=["REPORT_FAILURE"]),
    ]


def exploration(patches=(), pageblocks=3, limit=None):
    """Every outcome of that race."""
    machine, racers = racing(patches, pageblocks)
    return explore(machine, *racers, limit=limit)


def mapped():
    """Three places on two levels."""
    asks, does, looks = (draw.Place(name, f"mm/{name}.c", "It `does`.", patches, "a chapter")
                         for name, patches in (("a", ()), ("b", (5,)), ("c", (1, 3))))  # fmt: skip
    return draw.places([[asks, does], [looks]], ["what?"], "A map", "Downwards.")


def figures():
    """One figure of each kind."""
    machine, races = grown(), exploration()
    steps = draw.race_steps(*racing({4}), [0, 0, 1, 1, 1])
    return [
        draw.strip(machine), draw.strip(machine, 33, unit="pageblock"), draw.zones(machine),
        draw.schedule(exploration(pageblocks=60).outcomes[0]), draw.outcomes(races),
        draw.log(machine), draw.log(races.outcomes[0]), draw.diff("a\nb # <c>\n", "a\nc\n"),
        draw.listing("if x: pass\n", "f()"),
        draw.diff("if x:\n    a()\n", "a()\ny = 'b'\n", notes={"-if": "Gone.", "a(": "Now `always`."}),
        *map(draw.race_step, steps), mapped(),
    ]  # fmt: skip


FIGURES = figures()
PICTURES = [figure for figure in FIGURES if isinstance(figure, draw.Picture)]


def rows(figure):
    """The rows of a picture's table without its header."""
    return [list(row) for row in figure.table.rows]


def cells(figure):
    """The rows of a figure that is a table, without its header."""
    return [re.split(r" {2,}", line) for line in figure.text.splitlines()[2:]]


# -- memory ------------------------------------------------------------------------------------------


def test_zones_says_span_present_managed_free():
    assert rows(draw.zones(grown()))[2] == [
        "Movable", "pfn 0x100000–0x10ffff", "65536", "65536", "49152", str(49152 - 2560),
    ]  # fmt: skip


# -- races -------------------------------------------------------------------------------------------


def test_schedule_tells_a_race_step_by_step():
    first, second = exploration().outcomes
    assert draw.ending(first) == "B loses: -EBUSY, a warning"
    figure = draw.schedule(second)
    assert figure.title == "A and B race: A loses: -EBUSY, a warning"
    assert figure.description == "8 moves; the CPUs take turns 2 times."
    assert cells(figure) == [
        ["1", "A", "starts"],
        ["2", "A", "isolates pageblock 0x0"],
        ["3", "A", "drains the per-CPU lists"],
        ["4", "B", "starts"],
        ["5", "B", "isolates pageblock 0x200"],
        ["6", "B", "drains the per-CPU lists; returns 0"],
        ["7", "A", "WARNING at mm/page_isolation.c set_migratetype_isolate"],
        ["8", "A", "gives back pageblock 0x0; returns -EBUSY"],
    ]


def test_long_runs_are_folded():
    outcome = next(o for o in exploration(pageblocks=60).outcomes if o.errnos == ("0", "EBUSY"))
    assert len(outcome.schedule) == 123
    assert cells(draw.schedule(outcome))[0] == [
        "1–120", "A", "isolates 60 pageblocks (0x0 … 0x7600); drains the per-CPU lists 59 times",
    ]  # fmt: skip


def test_a_panic_is_told_once():
    outcome = exploration({4}).reaching("NULL")[0]
    assert draw.ending(outcome) == "B never returns: a warning, dump_page(NULL), a kernel panic"
    assert cells(draw.schedule(outcome))[-1][2] == (
        "WARNING at mm/page_isolation.c set_migratetype_isolate; dump_page(NULL): unmovable page; "
        "panic: BUG: kernel NULL pointer dereference in dump_page"
    )


def test_a_table_is_a_figure():
    figure = draw.table("What is left?", ("zone", "left"), (row for row in [("Movable", "0 MiB"), ("a < b", "6 MiB")]))
    assert str(figure).splitlines() == [
        "What is left?", "", "zone     left", "-------  -----", "Movable  0 MiB", "a < b    6 MiB"]
    assert '<th scope="row">a &lt; b</th>' in figure.html()
    assert draw.table("What is left?", ("zone",), [], "Nothing.").description == "Nothing."


def test_outcomes_is_a_table_of_all():
    figure = draw.outcomes(exploration())
    assert figure.description == "2 distinct outcomes. 3 schedules and 19 states stand for every interleaving."
    assert figure.plain.splitlines()[2:] == [
        "1  0       -EBUSY  1     –          runs on  9 moves",
        "2  -EBUSY  0       1     –          runs on  8 moves",
    ]
    assert "NULL       panic" in draw.outcomes(exploration({4})).plain


def test_a_search_that_was_ended_says_what_it_does_not_know():
    figure = draw.outcomes(exploration({4}, limit=1))
    assert figure.description == (
        "1 distinct outcome. What else can happen is unknown: the search was ended after 1 schedule.")
    assert figure.plain.splitlines()[-1].split() == ["?"] + ["unknown"] * 6
    assert "unknown" not in draw.outcomes(exploration({4}, limit=100)).plain


def test_outcomes_say_that_virtio_mems_driver_has_to_try_again():
    guest = Machine(cmdline="memhp_default_state=online_movable", virtio_mem={"requested": "128M"})
    racers = [race("write", "offline", path="memory32/state", value="offline"), race("resize", "host", to="124M")]
    found = explore(guest, *racers, observe=lambda machine: {e.kind for e in machine.trace.events} >= {"timer"})
    told = draw.outcomes(found).plain
    assert "driver" in told.splitlines()[0]
    assert told.count("tries again in 50 s") == sum("try again" in draw.ending(o) for o in found.outcomes) > 0


# -- text --------------------------------------------------------------------------------------------


def test_diff_is_a_unified_diff():
    figure = draw.diff("a\nb\nc\n", "a\nx\ny\nc\n", ("old", "new"))
    assert figure.plain.splitlines() == ["--- old", "+++ new", "@@ -1,3 +1,4 @@", " a", "-b", "+x", "+y", " c"]
    assert figure.description == "1 line removed, 2 lines added."
    assert draw.diff("a", "a").plain == "no difference"


def test_diff_leaves_out_what_is_far_from_a_change():
    lines = [f"line {n}\n" for n in range(12)]
    figure = draw.diff("".join(lines), "".join([*lines[:6], "x\n", *lines[7:]]), context=1)
    shown = figure.plain.splitlines()[3:]
    assert shown == [" … 5 lines", " line 5", "-line 6", "+x", " line 7", " … 4 lines"]
    assert figure.description == "1 line removed, 1 line added."


def test_diff_leaves_no_single_line_out():
    figure = draw.diff("a\nb\nc\nd\n", "a\nb\nc\nx\n", context=2)
    assert figure.plain.splitlines()[3:] == [" a", " b", " c", "-d", "+x"]


def test_diff_says_what_became_of_a_line():
    html = draw.diff("x = 1\ny = 1\n", "x = 2\ny = 1\n").content
    assert re.findall(r'<div class="mmsim-ln mmsim-([a-z]+)">.*?<code[^>]*>(.*?)</code>', html) == [
        ("del", "x = 1"), ("ins", "x = 2"), ("equal", "y = 1")]
    assert html.count('role="img" aria-label="removed">−</span>') == 2, "at the line and in the legend"
    assert html.count('role="img" aria-label="added">+</span>') == 2


def test_diff_marks_a_line_that_is_only_indented_anew():
    figure = draw.diff("if a:\n    b()\nc()\n", "b()\nwith a:\n    c()\n")
    assert figure.description == "1 line removed, 1 line added, 2 only indented anew."
    assert figure.plain.splitlines()[3:] == ["-if a:", " b()", "+with a:", "     c()"], "as diff -w has it"
    marks = re.findall(r'mmsim-mark mmsim-(\w+)" role="img" aria-label="indented', figure.content)
    assert marks == ["less", "more"] * 2, "in the legend and at the lines"


def test_diff_has_notes_in_the_margin():
    notes = {"+return": "Out, with `-EBUSY`.", "ret = 0": "The *first* value."}
    figure = draw.diff("ret = 0\nreturn ret\n", "ret = 0\nreturn -1\n", notes=notes)
    assert figure.plain.splitlines()[-4:] == ["[1] ret = 0", "    The *first* value.", "[2] return -1",
                                             "    Out, with `-EBUSY`."]  # fmt: skip
    assert re.findall(r'grid-row:([0-9/]+)">.*?aria-label="note (\d)".*?</b> (.*?)</p>', figure.content) == [
        ("1/3", "1", "The <em>first</em> value."), ("3/4", "2", 'Out, with <code translate="no">-EBUSY</code>.')]
    assert figure.content.count('aria-label="note 2"') == 2, "at the line and at the note"


def test_a_listing_has_notes_and_no_marks():
    figure = draw.listing("if x:\n    a()\n", "f()", {"a()": "Now."})
    assert figure.plain == "if x:\n    a()\n[1] a()\n    Now."
    assert "<b>if</b> x:" in figure.content
    assert "−" not in figure.content


@pytest.mark.parametrize(("part", "lines"), [("return", 2), ("-retry", 0), ("", 3)])
def test_a_note_is_about_exactly_one_line(part, lines):
    with pytest.raises(ValueError, match=f"notes: '{part}' is in {lines} lines, not in one"):
        draw.diff("a\nreturn 1\n", "a\nreturn 2\n", notes={part: "What?"})


@pytest.mark.parametrize(("line", "html"), [
    ("x = 1  # <old>", "x = 1  <i># &lt;old&gt;</i>"),
    ("if not a: pass", "<b>if</b> <b>not</b> a: <b>pass</b>"),
    ("say('a', f\"{'b' if c else d}\")", "say(<q>&#x27;a&#x27;</q>, <q>f&quot;{&#x27;b&#x27; if c else d}&quot;</q>)"),
    ("self.retry_later(state[0])", "self.<wbr>retry_later(<wbr>state[0])"),
    ("if in doubt, # don't", "if in doubt, # don&#x27;t"),
])  # fmt: skip
def test_python_is_shown_in_colour_and_other_text_as_it_is(line, html):
    assert f">{html}</code>" in draw.diff(line, line).content


def test_log_has_time_stamps_and_says_if_there_is_nothing():
    machine = Machine(boot_memory="1G", virtio_mem={"requested": "0", "addr": "4G"})
    assert "[    0.000000] virtio_mem virtio0: subblock size: 0x400000" in draw.log(machine).plain.splitlines()
    assert str(draw.log(machine, since=len(machine.trace))) == "Kernel log\nNothing was logged.\n\n(nothing was logged)"
    assert "<pre" not in draw.log(machine, since=len(machine.trace)).html(style=False)
    assert "plugged size" in draw.log(machine.attempt("resize", "128M")).plain
    assert draw.log(exploration().outcomes[0]).plain.count("WARNING") == 1


# -- the form ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.title)
def test_svg_is_sound_and_carries_its_text(picture):
    root = ElementTree.fromstring(picture.svg)
    assert root.get("role") == "img"
    by_id = {element.get("id"): element for element in root.iter() if element.get("id")}
    title, description = (by_id[name].text for name in root.get("aria-labelledby").split())
    assert (title, description) == (picture.title, picture.description)
    assert not list(root.iter(f"{SVG}script"))
    assert all(len(row) == len(picture.table.header) for row in picture.table.rows)


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.title)
def test_nothing_is_drawn_outside(picture):
    root = ElementTree.fromstring(picture.svg)
    width, height = map(float, root.get("viewBox").split()[2:])
    for text in root.findall(f"{SVG}text"):
        length = 7.3 * len("".join(text.itertext()))
        anchor = next((part for name, part in ANCHORS.items() if name in text.get("class")), 0)
        left = float(text.get("x")) - anchor * length
        assert left >= -3, "".join(text.itertext())
        assert left + length <= width + 3, "".join(text.itertext())
        assert 0 <= float(text.get("y")) <= height


def test_ids_are_unique_and_follow_from_the_content():
    ids = [name for picture in PICTURES for name in re.findall(r' id="([^"]*)"', picture.svg)]
    assert len(set(ids)) == len(ids) == 2 * len(PICTURES)
    assert draw.zones(grown()).svg == draw.zones(grown()).svg


def test_every_process_draws_the_same():
    code = "import sys, test_draw as t; sys.stdout.buffer.write(''.join(f.html() for f in t.FIGURES).encode())"
    here = os.path.dirname(__file__)
    path = os.pathsep.join([here, os.path.dirname(here)])
    drawn = [
        subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path},
        ).stdout.decode()
        for seed in ("1", "2")
    ]  # fmt: skip
    assert drawn[0] == drawn[1] == "".join(figure.html() for figure in FIGURES)


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.title)
def test_html_is_well_formed_and_without_script(figure):
    html = figure.html(style=False)
    ElementTree.fromstring(html)
    assert "<script" not in html
    for region in re.findall(r"<[^>]*region[^>]*>", html):
        assert 'tabindex="0"' in region
        assert "aria-label=" in region
    assert figure._repr_mimebundle_() == {"text/plain": str(figure), "text/html": figure._repr_html_()}


def test_drawing_needs_neither_widgets_nor_charts():
    code = "import sys, mmsim, mmsim.draw; assert not {'ipywidgets', 'matplotlib', 'IPython'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=os.path.dirname(os.path.dirname(__file__)))


# -- colours -----------------------------------------------------------------------------------------


def luminance(colour):
    """Relative luminance as WCAG 2 defines it."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    """Contrast ratio as WCAG 2 defines it."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_of_black_and_white():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


# (what is drawn, what it is drawn on, the least contrast): what the style sheet puts together.
CONTRASTS = (
    ("fg", "bg", 4.5), ("fg", "soft", 4.5), ("fg", "movable-soft", 4.5), ("fg", "kernel-soft", 4.5),
    ("fg", "bad-soft", 4.5), ("fg", "good-soft", 4.5), ("muted", "bg", 4.5), ("muted", "soft", 4.5),
    ("bad", "bg", 4.5), ("bad", "soft", 4.5), ("on", "movable", 4.5), ("on", "kernel", 4.5), ("on", "bad", 4.5),
    ("on", "good", 4.5), ("on", "muted", 4.5), ("bad", "bad-soft", 4.5), ("good", "good-soft", 4.5),
    ("line", "bg", 3), ("line", "soft", 3), ("movable", "bg", 3), ("movable", "movable-soft", 3), ("kernel", "bg", 3),
    ("kernel", "kernel-soft", 3), ("focus", "bg", 3), ("focus", "soft", 3),
    ("movable", "bg", 4.5), ("good", "bg", 4.5), ("bg", "fg", 4.5), ("on", "focus", 4.5), ("on", "worker", 4.5),
    ("worker", "bg", 3), ("bg", "muted", 4.5),
    ("on", "core", 4.5), ("fg", "core-soft", 4.5), ("fg", "worker-soft", 4.5), ("core", "bg", 3),
    ("core", "core-soft", 3), ("worker", "worker-soft", 3),
    *((ink, paper, 4.5) for ink in ("word", "string", "muted") for paper in ("bg", "bad-soft", "good-soft")),
)
COLOURS = re.findall(r"--mmsim-([a-z-]+):light-dark\((#[0-9a-f]{6}),(#[0-9a-f]{6})\)", STYLE)
SCHEMES = {"light": {name: light for name, light, _ in COLOURS}, "dark": {name: dark for name, _, dark in COLOURS}}


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_all_contrasts_suffice(scheme):
    poor = [(a, b, round(contrast(scheme[a], scheme[b]), 2)) for a, b, least in CONTRASTS
            if contrast(scheme[a], scheme[b]) < least]  # fmt: skip
    assert poor == []
    assert {name for pair in CONTRASTS for name in pair[:2]} == set(scheme)


def test_style_sheet_knows_every_class_and_colour():
    used = {name for figure in FIGURES for value in re.findall(r'class="([^"]*)', figure.html(style=False))
            for name in value.split()}  # fmt: skip
    known = set(re.findall(r"\.(mmsim-[a-z-]+)", STYLE))
    assert used - known <= {"mmsim-equal", "mmsim-less", "mmsim-more"}
    assert set(re.findall(r"var\(--mmsim-([a-z-]+)\)", STYLE)) == {
        "hang", "actor", "actor-soft", "shade", *(name for name, *_ in COLOURS)
    }  # fmt: skip
    assert not re.search("animation|transition", STYLE)


SHAPES = {"path", "rect", "circle", "ellipse", "line", "text", "tspan", "polygon", "polyline", "g", "svg"}


def test_no_class_is_used_for_a_shape_and_for_an_element_of_text():
    """In what the book has stored: where two pictures share a name, each gets what the sheet says for the other."""
    of_shapes, of_text = set(), set()
    for path in ROOT.glob("book/**/*.ipynb"):
        outputs = [output for cell in json.loads(path.read_text())["cells"] for output in cell.get("outputs", ())]
        pages = "".join("".join(output.get("data", {}).get("text/html", ())) for output in outputs)
        for tag, names in re.findall(r'<(\w+)[^>]*?class="([^"]*)"', pages):
            (of_shapes if tag in SHAPES else of_text).update(names.split())
    assert of_shapes & of_text == set()


def test_the_style_sheet_is_one_line_that_says_what_the_file_says():
    assert compact(".a  :is(b, c) {\n  x: calc(-1 * 2px);\n}\n/* a\nb */\n@media (w: 1em) {\n  .d { y: e, f; }\n}") == (
        ".a :is(b,c){x:calc(-1 * 2px);}@media (w:1em){.d{y:e,f;}}")
    assert "\n" not in STYLE


def test_the_pages_choice_wins_over_the_systems():
    assert re.findall(r"([^{}]*)\{color-scheme:dark", STYLE) == [
        "html:not([data-theme=light]) body:not([data-jp-theme-light=true]) .mmsim-fig",
        "html[data-theme=dark] .mmsim-fig,body[data-jp-theme-light=false] .mmsim-fig",
    ]


def test_code_and_log_lines_are_kept_from_a_translator():
    machine = grown()
    assert 'translate="no"' in draw.log(machine).html()
    listing = draw.listing("a = 1\n", "A listing").html(style=False)
    assert listing.count("<code") == listing.count('<code translate="no"') == 1


def test_notices_say_who_was_told_who_objects_and_who_was_not_asked():
    machine = Machine(boot_memory="256M", zone_of=[("block:0", "block:2", "Movable")])
    for name, veto in (("A", None), ("B", "MEM_GOING_OFFLINE"), ("C", None)):
        machine.notifier(name, veto)
    assert "Nobody has been told anything." in str(draw.notices(machine))
    machine.attempt("write", "memory1/state", "offline")
    *_, going, cancel = draw.notices(machine).text.splitlines()
    assert re.split("  +", going) == ["MEM_GOING_OFFLINE", "✓ told", "✗ objects", "–"]
    assert cancel.count("✓ told") == 3
    asked = next(n for n, event in enumerate(machine.trace.events) if event.kind == "veto")
    assert "✗" not in draw.notices(machine, until=asked).text


def test_what_scrolls_sideways_shows_it_behind_its_content():
    """The shadow would be hidden by any background of a table's plain cells."""
    (scrolls,) = re.findall(r"\.mmsim-scroll,\.mmsim-cells\{(.*?)\}", STYLE)
    assert "background-attachment:local,local,scroll,scroll" in scrolls
    (cells,) = re.findall(r"\.mmsim-fig \.mmsim-scroll table :is\(th,td\)\{(.*?)\}", STYLE)
    assert "background:none" in cells
