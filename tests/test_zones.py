"""Which zone a memory block goes to, and how the spans of zones grow and shrink."""

import pytest

from mmsim import Machine
from mmsim.machine.sizes import pfn
from mmsim.mm.mmzone import PAGES_PER_SECTION
from mmsim.mm.zones import grow_zone_span, valid_zones, zone_for_pfn_range


def zone_of(machine, number):
    return machine.kernel.page_zone(number << 15).name


# -- which zone ----------------------------------------------------------------------------------------

# spans of the kernel zone and of ZONE_MOVABLE (blocks), movable_node?: zone of block 2 for each word
CHOICE = {
    "inside neither span": ([(0, 1, "Normal"), (1, 2, "Movable")], "", ("Normal", "Normal", "Movable")),
    "neither, movable_node": ([(0, 1, "Normal"), (1, 2, "Movable")], "movable_node", ("Movable", "Normal", "Movable")),
    "inside the kernel zone": ([(0, 2, "Normal"), (3, 4, "Normal")], "", ("Normal", "Normal", "Movable")),
    "kernel zone, movable_node": ([(0, 2, "Normal"), (3, 4, "Normal")], "movable_node",
                                  ("Normal", "Normal", "Movable")),
    "inside ZONE_MOVABLE": ([(0, 1, "Normal"), (1, 4, "Movable")], "", ("Movable", "Normal", "Movable")),
    "inside both": ([(0, 1, "Normal"), (1, 2, "Movable"), (3, 4, "Movable"), (4, 5, "Normal")], "",
                    ("Normal", "Normal", "Movable")),
    "both, movable_node": ([(0, 1, "Normal"), (1, 2, "Movable"), (3, 4, "Movable"), (4, 5, "Normal")], "movable_node",
                           ("Movable", "Normal", "Movable")),
    "inside DMA32": ([(0, 1, "DMA32"), (3, 4, "DMA32")], "", ("DMA32", "DMA32", "Movable")),
    "DMA before DMA32": ([(0, 1, "DMA"), (1, 2, "DMA32"), (3, 4, "DMA32"), (4, 5, "DMA")], "",
                         ("DMA", "DMA", "Movable")),
}  # fmt: skip


@pytest.mark.parametrize("case", CHOICE)
@pytest.mark.parametrize("word", ["online", "online_kernel", "online_movable"])
def test_the_zone_of_a_block(case, word):
    """Block 2 is taken offline first, from a zone that no other block is in, or that spans it anyway."""
    spans, cmdline, wanted = CHOICE[case]
    k = Machine(boot_memory="128M", zone_of=[], cmdline=cmdline).kernel
    for zone in k.zones:
        zone.zone_start_pfn = zone.spanned_pages = 0
    for first, end, name in spans:
        zone = next(z for z in k.zones if z.name == name)
        grow_zone_span(zone, first << 15, (end - first) << 15)
    chosen = zone_for_pfn_range(k, word, 2 << 15, PAGES_PER_SECTION).name
    assert chosen == wanted[("online", "online_kernel", "online_movable").index(word)]


@pytest.mark.parametrize(("word", "zone"), [
    ("online", "Normal"), ("online_kernel", "Normal"), ("online_movable", "Movable")])
def test_a_block_goes_to_the_zone_its_word_asks_for(hotplug, word, zone):
    machine = hotplug(5)
    machine.write("memory5/state", word)
    assert zone_of(machine, 5) == zone
    assert machine.read("memory5/valid_zones") == zone


def test_there_is_no_adjacency_rule(hotplug):
    machine = hotplug(4, 5, 6, 7)
    for number, word in ((4, "online_movable"), (5, "online_kernel"), (6, "online_movable"), (7, "online_kernel")):
        machine.write(f"memory{number}/state", word)
    assert [zone_of(machine, n) for n in (4, 5, 6, 7)] == ["Movable", "Normal", "Movable", "Normal"]


@pytest.mark.parametrize(("cmdline", "listed"), [("", "Normal Movable"), ("movable_node", "Movable Normal")])
def test_valid_zones_lists_the_default_zone_first(hotplug, cmdline, listed):
    assert hotplug(5, cmdline=cmdline).read("memory5/valid_zones") == listed


def test_valid_zones_of_an_inheriting_block(hotplug):
    machine = hotplug(3, 4)
    machine.write("memory4/state", "online_movable")
    assert machine.read("memory3/valid_zones") == "Movable Normal"


def test_valid_zones_of_an_online_block_with_two_zones_is_none(hotplug):
    machine = hotplug(zones=[("block:0", "block:1", "Normal"), ("block:1", "block:1+1024", "Movable"),
                             ("block:1+1024", "block:2", "Normal")])
    assert valid_zones(machine.kernel, machine.kernel.memory_blocks[1]) == "none"


# -- spans ---------------------------------------------------------------------------------------------


def span(machine, index):
    zone = machine.kernel.zones[index]
    return zone.zone_start_pfn >> 15, zone.zone_end_pfn >> 15


def test_spans_grow_over_what_lies_between(hotplug):
    machine = hotplug(8)
    machine.write("memory8/state", "online_movable")
    assert span(machine, 3) == (1, 9)
    assert machine.kernel.zones[3].present_pages == 2 * PAGES_PER_SECTION


@pytest.mark.parametrize(("gone", "left"), [((8,), (1, 6)), ((1,), (5, 9)), ((5,), (1, 9)), ((8, 5), (1, 2)),
                                            ((1, 5), (8, 9)), ((1, 5, 8), (0, 0))])
def test_spans_shrink_at_their_ends_only(hotplug, gone, left):
    machine = hotplug(5, 8)
    machine.write("memory5/state", "online_movable")
    machine.write("memory8/state", "online_movable")
    for number in gone:
        machine.write(f"memory{number}/state", "offline")
    assert span(machine, 3) == left


# zones of three blocks, how much of them is RAM, the block that goes: the span of ZONE_MOVABLE before and after
SHRUNK = {
    "begins inside a block": ([("block:1+1024", "block:3", "Movable")], "384M", 2,
                              ("block:1+1024", "block:3"), ("block:1+1024", "block:2")),
    "ends inside a block": ([("block:1", "block:2+1024", "Movable")], "384M", 1,
                            ("block:1", "block:2+1024"), ("block:2", "block:2+1024")),
    "begins behind a hole in itself": ([("block:0", "block:1", "Movable"), ("block:1+512", "block:2", "Movable")],
                                       "384M", 0, ("block:0", "block:2"), ("block:1+512", "block:2")),
    "ends with RAM": ([("block:1", "block:2+1000", "Movable")], (2 * PAGES_PER_SECTION + 1000) * 4096, 1,
                      ("block:1", "block:2+1000"), ("block:2", "block:2+1000")),
    "in the middle of another": ([("block:0", "block:1+512", "Movable"), ("block:2+1024", "block:3", "Movable")],
                                 "384M", 0, ("block:0", "block:3"), ("block:1", "block:3")),
}  # fmt: skip


@pytest.mark.parametrize("case", SHRUNK)
def test_a_span_that_begins_or_ends_inside_a_block_shrinks_to_its_pages(case):
    zones, memory, gone, before, after = SHRUNK[case]
    machine = Machine(boot_memory=memory, zone_of=zones)
    movable = machine.kernel.zones[3]
    for bounds in (before, after):
        assert (movable.zone_start_pfn, movable.zone_end_pfn) == tuple(map(pfn, bounds))
        machine.write(f"memory{gone}/state", "offline" if bounds is before else "online_movable")
    assert (movable.zone_start_pfn, movable.zone_end_pfn) == tuple(map(pfn, before))


def test_offlining_and_onlining_is_neutral_for_the_counters(hotplug):
    machine = hotplug()
    zone = machine.kernel.zones[3]
    before = (zone.zone_start_pfn, zone.spanned_pages, zone.present_pages, zone.managed_pages, zone.nr_free_pages)
    machine.write("memory1/state", "offline")
    assert (zone.present_pages, zone.managed_pages, zone.nr_free_pages, zone.nr_isolate_pageblock) == (0, 0, 0, 0)
    machine.write("memory1/state", "online_movable")
    assert before == (
        zone.zone_start_pfn, zone.spanned_pages, zone.present_pages, zone.managed_pages, zone.nr_free_pages)


def test_an_emptied_zone_leaves_the_zonelists(hotplug):
    machine = hotplug()
    machine.write("memory1/state", "offline")
    assert [z.name for z in machine.kernel.zonelists[3]] == ["Normal"]
    machine.write("memory1/state", "online_movable")
    assert [z.name for z in machine.kernel.zonelists[3]] == ["Movable", "Normal"]
