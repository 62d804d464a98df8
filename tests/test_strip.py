"""The strip: its numbers are the model's, what moved has an arrow and leaves a ghost, and no two cells overlap."""

import pickle
import re
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from test_draw import SCHEMES, contrast, rows

from mmsim import STAGES, Machine, draw, explore, race
from mmsim.chapters import home
from mmsim.draw.cells import Cell, segments
from mmsim.draw.figure import STYLE
from mmsim.draw.gauge import draw_gauge
from mmsim.draw.moves import Move, bundles, net
from mmsim.draw.paint import BOLD
from mmsim.draw.rows import LEAST, stacked, tags, ticks
from mmsim.draw.shown import picture
from mmsim.draw.snapshot import FREE, GHOST, GONE, KERNEL, POISONED, STUCK, USED, WORDS, Run
from mmsim.draw.strip import NARROW, WIDE
from mmsim.mm.memmap import CODE, codes
from mmsim.mm.mmzone import PAGES_PER_SECTION

BLOCK = 32 * PAGES_PER_SECTION
END = ("block:32+28672", "block:33")  # the last 16 MiB of memory32
TOLD = [("before", "A is there."), ("isolated", "Labels change."), ("moved", "A leaves."), ("unplugged", "All gone.")]


def grown(online="online_movable", requested="192M", patches=STAGES[5]):
    """A guest with 4 GiB of its own, and with virtio-mem memory from memory32 on."""
    return Machine(patches, "4G", f"memhp_default_state={online}", {"requested": requested})


def shrinking():
    """A block that is full but for its end, where A and B lie, and what happens to it when 4 MiB are to go."""
    machine = grown(requested="128M")
    machine.allocate("fill", "113M")
    for name, size, start in (("A", "1M", 31744), ("gap", "512K", 32000), ("B", "1280K", 32128)):
        machine.allocate(name, size, within=(f"block:32+{start}", "block:33"))
    machine.free("gap")
    return machine, draw.film(machine, lambda: machine.resize("124M"), "drain", "migrate", first="block:32")


MACHINE, FILM = shrinking()


def crowded():
    """All kinds of pages in one block."""
    machine = grown()
    machine.write("memory33/state", "offline")
    machine.place("block:32+600", "lru_pinned", 3)
    machine.place("block:32+5000", "slab", 10)
    machine.place("block:32+6000", "hwpoison")
    machine.allocate("program", "10M")
    machine.isolate("block:32+30720", "block:32+31744")
    return machine


def strips():
    """A strip of each kind."""
    machine = crowded()
    hero = home.hero()
    return [
        draw.strip(machine), draw.strip(machine, 32, 33), draw.strip(machine, 0, 1), draw.strip(MACHINE, since=FILM[0]),
        *(draw.strip(machine, 32, unit=unit) for unit in ("block", "pageblock", "page")),
        draw.strip(machine, within=END), draw.frames(FILM, TOLD, within=END), draw.frames(FILM, TOLD),
        *(hero.walk.look(step).picture for step in (0, 1)), draw.strip(Machine(boot_memory="1G")),
    ]  # fmt: skip


STRIPS = strips()


def drawings(strip, kind="wide|narrow"):
    """The SVGs of a strip, with their width."""
    found = re.findall(rf'<div class="mmsim-(?:{kind})">(<svg.*?</svg>)</div>', strip.content)
    return [ElementTree.fromstring(svg) for svg in found]


def of_class(root, name):
    """The elements of a class."""
    return [element for element in root.iter() if f"mmsim-{name}" in element.get("class", "").split()]


def said(root):
    """All texts in a drawing."""
    return [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]


# -- the numbers are the model's -----------------------------------------------------------------------


def test_every_page_is_of_one_kind():
    for block in draw.snapshot(crowded()).blocks:
        start = block.number * PAGES_PER_SECTION
        assert block.runs[0].start == start
        assert block.runs[-1].end == start + PAGES_PER_SECTION
        assert all(one.end == other.start for one, other in pairwise(block.runs))


def test_pages_are_counted_as_the_model_counts_them():
    machine = crowded()
    shot = draw.snapshot(machine, 32)
    count = Counter()
    for run in shot.blocks[0].runs:
        count[run.kind] += run.end - run.start
    free = machine.kernel.memmap.count(BLOCK, BLOCK + PAGES_PER_SECTION, codes(CODE["free"]))
    assert count == {FREE: free, USED: 2560, STUCK: 3, KERNEL: 10, POISONED: 1}
    assert (shot.requested, shot.plugged) == (machine.device.requested_size, machine.device.size)


def test_the_free_pages_of_a_machine_are_its_zones():
    machine = grown()
    machine.allocate("program", "77M")
    free = sum(
        run.end - run.start for block in draw.snapshot(machine).blocks for run in block.runs if run.kind == FREE
    )
    assert free == sum(zone.nr_free_pages for zone in machine.kernel.zones)


def test_a_strip_says_state_zone_driver_and_subblocks():
    machine = grown()
    machine.allocate("program", "10M")
    picture = draw.strip(machine)
    assert picture.description == "The host asks for 192 MiB; 192 MiB are plugged. Linux manages: Movable 192 MiB."
    assert rows(picture)[2:] == [
        ["memory32", "online Movable", "ONLINE", "128 MiB", "29 free, 3 in use", "30,208 free, 2,560 in use"],
        ["memory33", "online Movable", "ONLINE_PARTIAL", "64 MiB", "16 unplugged, 16 free", "16,384 hole, 16,384 free"],
        ["memory34", "absent", "UNUSED", "0 MiB", "32 unplugged", "32,768 hole"],
    ]


def test_offline_blocks_are_not_called_free():
    machine = Machine(boot_memory="4G", virtio_mem={"requested": "64M"})
    assert rows(draw.strip(machine))[2][1:5] == [
        "offline", "OFFLINE_PARTIAL", "64 MiB", "16 unplugged, 16 offline",
    ]  # fmt: skip


def test_boot_memory_is_summed_up_unless_asked_for():
    machine = Machine(boot_memory="1G")
    assert [row[:4] for row in rows(draw.strip(machine))] == [
        ["memory0", "online DMA, DMA32", "–", "128 MiB"], ["memory1–7", "online DMA32", "–", "896 MiB"],
    ]  # fmt: skip
    assert [row[0] for row in rows(draw.strip(machine, 2, 9))] == [f"memory{number}" for number in range(2, 8)] + [
        "memory8–9"
    ]


def test_many_blocks_that_are_alike_become_one():
    machine = Machine(boot_memory="4G", cmdline="memhp_default_state=online_movable",
                      virtio_mem={"requested": "8G", "region": "16G"})  # fmt: skip
    assert [row[0] for row in rows(draw.strip(machine))][2:] == ["memory32–95", "memory96–97"]


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda m: draw.strip(m, 33, 32), "memory blocks 33 to 32 go backwards"),
        (lambda m: draw.strip(m, "half"), "'half' is not a pfn"),
        (lambda m: draw.strip(m, 32, unit="inch"), "unknown unit 'inch'; known are block, subblock, pageblock, page"),
        (lambda m: draw.frames([draw.snapshot(m)], []), "0 captions for 1 frames"),
        (lambda m: draw.frames([], []), "no frames"),
    ],
)
def test_what_cannot_be_drawn_is_an_error(make, what):
    with pytest.raises(ValueError, match=what):
        make(grown())


def test_equal_neighbours_are_one_cell_with_a_count():
    machine = grown()
    machine.isolate("block:33+512", "block:33+1024")
    (segment,) = segments(draw.snapshot(machine, 33), "pageblock")
    assert [(cell.count, cell.label) for cell in segment.cells] == [
        (1, "Movable"), (1, "Isolate"), (30, "Movable"), (32, "Movable"),
    ]  # fmt: skip
    drawn = said(drawings(draw.strip(machine, 33, unit="pageblock"), "wide")[0])
    assert {"×30", "×32", "Isolate"} <= set(drawn)


def test_pages_that_are_alike_are_one_cell():
    machine = grown()
    machine.place("block:32+100", "lru_pinned", 3)
    picture = draw.strip(machine, within=("block:32", "block:32+512"), unit="page")
    assert [row[3] for row in rows(picture)] == ["100 free", "3 pinned", "409 free"]
    assert {"100 pages", "3 pages", "409 pages"} <= set(said(drawings(picture, "wide")[0]))


# -- what has moved ------------------------------------------------------------------------------------


def test_the_arrow_has_the_number_of_pages_that_were_migrated():
    migrated = sum(event.data[2] for event in MACHINE.trace.since(FILM[0].mark, "migrate"))
    assert [sum(move.pages for move in shot.moves) for shot in FILM] == [0, 0, migrated, 0]
    assert migrated == 576 == FILM[2].migrated
    for drawing in drawings(draw.strip(FILM[2], within=END)):
        assert "576 pages" in said(drawing)
        assert len(of_class(drawing, "tip")) == len(of_class(drawing, "flow")) == 1
        assert len(of_class(drawing, "bracket")) >= 2, "at both ends"
    assert "576 pages have moved within memory32." in draw.strip(FILM[2]).description


def test_nothing_that_stayed_has_an_arrow():
    for drawing in drawings(draw.strip(FILM[1], within=END)):
        assert not of_class(drawing, "tip") + of_class(drawing, "bracket")


def test_a_ghost_is_where_each_page_was_and_a_page_where_it_is():
    before, after = (
        {page: run for run in shot.blocks[0].runs for page in range(run.start, run.end)} for shot in FILM[1:3]
    )
    ghosts = {page: run.owner for page, run in after.items() if run.kind == GHOST}
    assert len(ghosts) == 576
    assert all((before[page].kind, before[page].owner) == (USED, name) for page, name in ghosts.items())
    for move in FILM[2].moves:
        assert {after[move.target + index].owner for index in range(move.pages)} == {move.owner}
        assert {ghosts[move.source + index] for index in range(move.pages)} == {move.owner}


def test_a_ghost_in_a_hole_is_both():
    shot = draw.snapshot(MACHINE, since=FILM[0])
    block = next(block for block in shot.blocks if block.number == 32)
    assert sum(run.end - run.start for run in block.runs if run.kind == GONE) == 576
    assert WORDS[GONE] in draw.strip(shot).content


def test_a_page_that_moved_twice_moved_once():
    assert list(net([(10, 20, 5), (20, 30, 5)], lambda page: "me")) == [Move(10, 30, 5, "me")]
    assert list(net([(10, 20, 5), (20, 10, 5)], lambda page: "")) == []
    assert list(net([(10, 20, 4), (22, 40, 1)], str)) == [
        Move(10, 20, 2, "20"), Move(12, 40, 1, "40"), Move(13, 23, 1, "23"),
    ]  # fmt: skip
    twice = replace(FILM[2], migrated=2 * 576)
    assert "It took 1152 moves of a page" in draw.strip(twice).description


def test_a_bundle_is_what_goes_from_one_block_to_another():
    away = [Move(BLOCK, 100, 10), Move(BLOCK + 10, 200, 10), Move(BLOCK + 20000, 300, 5)]
    moves = [*away, Move(BLOCK + 30, BLOCK + 40, 5)]
    assert [(len(b.sources), len(b.targets), b.pages) for b in bundles(moves)] == [(2, 1, 25), (1, 1, 5)]


def test_where_pages_went_is_drawn_too():
    machine = grown(requested="128M")
    machine.allocate("program", "24M")
    before = draw.snapshot(machine, 32)
    machine.resize(0)
    after = draw.snapshot(machine, 32, since=before)
    assert {block.number for block in after.blocks} > {32}
    assert sum(move.pages for move in after.moves) == 6144
    for drawing in drawings(draw.strip(after)):
        numbers = [re.fullmatch("([0-9,]+) pages", text) for text in said(drawing)]
        assert sum(int(number[1].replace(",", "")) for number in numbers if number) == 6144
        assert len(of_class(drawing, "tip")) == 2, "to the first block of boot memory, and to the last"
        assert "⋮ 3,840 MiB are not drawn" in said(drawing)


# -- isolated, and by whom -----------------------------------------------------------------------------


def test_what_is_isolated_has_an_outline_and_a_tag():
    for drawing in drawings(draw.strip(FILM[1], within=END)):
        assert len(of_class(drawing, "cell-isolated")) == len(of_class(drawing, "tag")) == 2
        assert said(drawing).count("Isolate") == 2
        assert said(drawing).count("Movable") == 6
    assert [row[2] for row in rows(draw.strip(FILM[1], within=END))] == ["Movable", "Movable", "Isolate", "Isolate"]


def test_a_row_of_pageblocks_stands_alone_and_says_who_isolated():
    pages = [range(start, start + 512) for start in range(0, 2048, 512)]
    kinds = (("Movable", ""), ("Isolate", "O"), ("Isolate", "W"), ("Movable", ""))
    cells = [
        Cell(p.start, p.stop, (Run(p.start, p.stop, FREE),), (kind,), actor=actor)
        for p, (kind, actor) in zip(pages, kinds, strict=True)
    ]
    row = draw.pageblock_row(cells, "A race")
    for svg in re.findall("<svg.*?</svg>", row):
        drawing = ElementTree.fromstring(svg)
        assert said(drawing).count("Isolate") == 2
        for letter, shape in (("O", "actor-o"), ("W", "actor-w")):
            assert len(of_class(drawing, shape)) == said(drawing).count(letter) == 1


def test_a_machine_without_a_device_has_no_subblocks():
    shot = draw.snapshot(Machine(boot_memory="128M"), 0)
    overview = drawings(draw.frames([shot], [("now", "")], within=("addr:40M", "addr:56M")), "wide")[0]
    assert "memory0 · 128 MiB" in said(overview)
    assert not any("subblock" in text for text in said(overview))
    assert len(of_class(overview, "measure")) == 2


# -- the gauge -----------------------------------------------------------------------------------------


def test_the_gauge_says_what_is_to_go_and_when_it_is_equal_again():
    frames = [said(drawing) for drawing in drawings(draw.frames(FILM, TOLD, within=END), "wide")[1:]]
    ends = ["✓ equal", "4 MiB to go", "4 MiB to go", "✓ equal again"]
    asked = [f"requested {mib} MiB" for mib in (128, 124, 124, 124)]
    plugged = [f"plugged {mib} MiB" for mib in (128, 128, 128, 124)]
    for texts, *wanted in zip(frames, ends, asked, plugged, strict=True):
        assert set(wanted) <= set(texts)


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_the_mark_of_the_gauge_does_not_run_through_what_is_plugged(width):
    for asked, got in ((a, b) for a in range(0, 193, 4) for b in range(0, 193, 4)):
        shot = replace(FILM[0], requested=asked << 20, plugged=got << 20)
        drawing = "".join(draw_gauge(shot, 0, width, (0, 192 << 20), ""))
        needle = float(re.search(r'd="M([\d.]+) 44', drawing)[1])
        left, text = re.search(rf'x="([\d.]+)"[^>]*>((?:plugged )?{got} MiB)<', drawing).groups()
        assert not float(left) < needle < float(left) + BOLD * len(text), (asked, got)


def test_blocks_are_as_wide_as_there_is_room():
    for drawing, width in zip(drawings(draw.strip(MACHINE, 32, 32, unit="block")), (WIDE, NARROW), strict=True):
        assert max(float(box.get("width")) for box in of_class(drawing, "cell")) == pytest.approx(width - 1.5, abs=3)


def test_what_was_not_reached_is_said():
    machine = grown("online_kernel", "128M")
    machine.allocate("data", "6M", "GFP_KERNEL")
    machine.resize(0)
    assert draw.strip(machine).description.startswith("The host asks for 0 MiB; 8 MiB are plugged: 8 MiB to go.")


def test_a_machine_without_a_device_has_no_gauge():
    assert not any("requested" in text for drawing in drawings(draw.strip(Machine())) for text in said(drawing))


# -- the form ------------------------------------------------------------------------------------------


def test_a_snapshot_is_small_and_can_be_stored_and_compared():
    stored = pickle.dumps(FILM[2])
    assert pickle.loads(stored) == FILM[2] != FILM[1]
    assert len(stored) < 3000
    whole = draw.snapshot(MACHINE)
    assert len(pickle.dumps(whole)) < 20000


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("unit", ["block", "subblock", "pageblock", "page"])
def test_no_two_cells_overlap_and_none_is_too_small(unit, width):
    for part in segments(draw.snapshot(crowded(), 30, 33), unit):
        for band in stacked([part], width):
            for row in band.rows:
                assert row.pitch >= LEAST[part.unit] >= 12
                assert row.end <= width + 0.01
        found = [cell for band in stacked([part], width) for row in band.rows for cell in row.cells]
        assert found == list(part.cells), "all of them, in the order of addresses"
        assert all(one.end == other.start for one, other in pairwise(found))


@pytest.mark.parametrize("picture", STRIPS, ids=lambda picture: picture.title)
def test_cells_lie_side_by_side_in_each_drawing(picture):
    for drawing in drawings(picture):
        boxes = sorted(
            tuple(float(box.get(name)) for name in ("y", "x", "width", "height")) for box in of_class(drawing, "cell")
        )
        boxes = [box for box in boxes if box[3] == 32]
        assert all(one[1] + one[2] <= other[1] + 0.15 for one, other in pairwise(boxes) if one[0] == other[0])
        assert all(one[0] == other[0] or one[0] + one[3] <= other[0] for one, other in pairwise(boxes))


@pytest.mark.parametrize("picture", STRIPS, ids=lambda picture: picture.title)
def test_nothing_is_drawn_outside_and_all_text_can_be_read(picture):
    assert drawings(picture, "wide")
    for drawing in drawings(picture):
        width, height = map(float, drawing.get("viewBox").split()[2:])
        for text in of_class(drawing, "s"):
            kinds = text.get("class")
            length = (8.7 if "strong" in kinds else 7.6) * len(text.text)
            left = float(text.get("x")) - length * (0.5 if "mid" in kinds else "mmsim-end" in kinds)
            assert left >= -12, text.text
            assert left + length <= width + 12, text.text
            assert 0 < float(text.get("y")) <= height
    assert re.search(r"\.mmsim-s\{[^}]*font:13px", STYLE)
    assert (WIDE, NARROW) == (640, 256), "what a page of 320 px has for a picture, and what 600 px of a wide one are"


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("shot", [draw.snapshot(crowded(), 30, 33), draw.snapshot(grown(requested="128M")), FILM[0]])
def test_a_scale_never_says_two_numbers_in_one_place(shot, width):
    for band in stacked(segments(shot), width):
        (first, text), *others = ticks(band.rows[0])
        right = first + 7.6 * len(text)
        for x, text in others:
            length = 7.6 * len(text)
            left = x - (length if x == band.rows[0].end else length / 2)
            assert left >= right - 1
            right = left + length


@pytest.mark.parametrize("picture", STRIPS, ids=lambda picture: picture.title)
def test_the_style_sheet_knows_every_class(picture):
    html = picture.html(style=False)
    ElementTree.fromstring(html)
    used = {name for value in re.findall(r'class="([^"]*)', html) for name in value.split()}
    assert used <= set(re.findall(r"\.(mmsim-[a-z-]+)", STYLE)) | {"mmsim-all"}


def test_the_same_is_drawn_each_time():
    assert [picture.html() for picture in strips()] == [picture.html() for picture in STRIPS]


# -- the same as a table -------------------------------------------------------------------------------


def test_frames_are_a_table_too():
    table = draw.frames(FILM, TOLD, within=END).table
    assert {row[0] for row in table.rows} == {"1 before", "2 isolated", "3 moved", "4 unplugged"}
    moved = [row for row in table.rows if WORDS[GHOST] in row[-1]]
    numbers = [int(number) for row in moved for number in re.findall(r"([\d,]+) moved away", row[-1])]
    assert sum(numbers) == 576
    assert {row[0] for row in moved} == {"3 moved"}
    assert {row[0] for row in table.rows if row[3] == "Isolate"} == {"2 isolated", "3 moved"}


@pytest.mark.parametrize("picture", STRIPS, ids=lambda picture: picture.title)
def test_what_the_legend_names_is_in_the_table(picture):
    legend = re.search('<p class="mmsim-legend">(.*?)</p>', picture.content)[1]
    words = re.findall("</svg>(.*?)</span>", legend)
    assert words
    for word in words:
        assert word in str(picture).replace("Isolate", "isolated"), word


@pytest.mark.parametrize("label", ["Movable", "Unmovable", "Reclaimable", "HighAtomic", "CMA"])
@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_labels_of_neighbours_do_not_touch(label, width):
    machine = Machine(boot_memory="128M", zone_of=[["addr:0", "addr:128M", "Normal"]])
    for start in range(0, 4096, 512):
        machine.set_pageblock(start, label)
    (segment,) = segments(draw.snapshot(machine), "pageblock", (0, 4096))
    for row in (row for band in stacked([segment], width) for row in band.rows):
        for _, room, text, _ in tags(row):
            assert text == label or (text.endswith(".") and label.startswith(text[:-1]) and len(text) >= 6)
            assert 7.6 * (len(text) + 1) <= room


def test_isolated_neighbours_share_a_tag_that_has_room_for_its_word():
    (part,) = segments(draw.snapshot(crowded(), 32))
    (row,) = stacked([part], WIDE)[0].rows
    (tag,) = tags(row)
    assert tag[1] > 7.6 * len("Isolate")
    assert row.x <= tag[0] <= tag[0] + tag[1] <= row.end
    assert "2 pageblocks isolated" in rows(draw.strip(crowded(), 32))[0][-1]


def test_things_draw_themselves():
    outcome = explore(Machine(), race("isolate", "A", start="addr:64M", end="addr:66M")).outcomes[0]
    result = MACHINE.attempt("write", "memory32/state", "nonsense")
    for thing, name in ((MACHINE, "Machine: patches 1, 2, 3, 4, 5; 4096 MiB of its own, 124 MiB plugged"),
                        (result, "Result: -EINVAL; 0 lines logged"),
                        (outcome, f"Outcome: 0; {len(outcome.schedule)} steps")):  # fmt: skip
        assert repr(thing) == f"<{name}>"
        assert '<figure class="mmsim-fig">' in thing._repr_html_()
    with pytest.raises(TypeError, match="int has no picture"):
        picture(1)


# -- colours -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_what_lies_side_by_side_can_be_told_apart(scheme):
    for fill in ("movable", "kernel", "bad"):
        assert contrast(scheme[fill], scheme["movable-soft"]) >= 3
        assert contrast(scheme[fill], scheme["on"]) >= 4.5
    assert contrast(scheme["line"], scheme["movable-soft"]) >= 2.5, "free memory has an edge"
    assert contrast(scheme["focus"], scheme["on"]) >= 4.5
    assert contrast(scheme["worker"], scheme["on"]) >= 4.5


def test_forced_colours_and_paper_are_thought_of():
    forced = STYLE[STYLE.index("forced-colors") : STYLE.index("@media print")]
    for kind in ("cell-used", "cell-free", "cell-hole", "cell-kernel", "cell-stuck", "cell-ghost", "cell-isolated"):
        assert f".mmsim-{kind}" in forced
    assert "var(" not in forced


def test_without_a_driver_the_table_counts_what_the_cells_are():
    machine = Machine(boot_memory="128M", zone_of=[(0, 32768, "Normal")])
    figure = draw.strip(machine, 0)
    assert "subblocks of 4 MiB" in figure.text
    assert "32 free" in figure.text


def test_pinned_pages_stay_pinned_in_the_picture_while_they_are_to_be_migrated():
    machine = Machine(boot_memory="256M", zone_of=[("block:0", "block:2", "Movable")])
    machine.place("block:1", "lru", 8)
    machine.place("block:1+100", "lru_pinned", 8)
    machine.signal(3)
    shots = draw.film(machine, lambda: machine.attempt("write", "memory1/state", "offline"), "migrate", first=1)
    kinds = [[run.kind for run in shot.blocks[-1].runs if run.kind in (USED, STUCK)] for shot in shots]
    assert kinds == [[USED, STUCK], [STUCK], [STUCK]]
