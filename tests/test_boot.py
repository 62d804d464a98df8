"""Booting: the command line, the zones of RAM, and who has memory from the start."""

import pytest
from invariants import check

from mmsim import Machine
from mmsim.machine.boot import find_zone_movable_pfn, memblock_allocations, parse_cmdline, zone_column
from mmsim.machine.sizes import size
from mmsim.mm.bulk import joined
from mmsim.mm.mmzone import zone_names

GIB = 1 << 18  # in pages
MIB = 1 << 8


def zones(**keys):
    return {z.name: (z.zone_start_pfn, z.present_pages) for z in Machine(**keys).kernel.zones if z.populated}


@pytest.mark.parametrize(("memory", "wanted"), [
    ("1M", {"DMA": (0, 1 * MIB)}),
    ("16M", {"DMA": (0, 16 * MIB)}),
    ("64M", {"DMA": (0, 16 * MIB), "DMA32": (16 * MIB, 48 * MIB)}),
    ("4G", {"DMA": (0, 16 * MIB), "DMA32": (16 * MIB, 4 * GIB - 16 * MIB)}),
    ("6G", {"DMA": (0, 16 * MIB), "DMA32": (16 * MIB, 4 * GIB - 16 * MIB), "Normal": (4 * GIB, 2 * GIB)}),
])
def test_zones_by_address(memory, wanted):
    assert zones(boot_memory=memory) == wanted


# what is given: the size of ZONE_MOVABLE in MiB, of 6 GiB of RAM
@pytest.mark.parametrize(("cmdline", "movable"), [
    ("", 0),
    ("movablecore=1G", 1024),
    ("movablecore=1G kernelcore=1G", 1024),
    ("movablecore=1G kernelcore=5632M", 512),  # the larger kernelcore wins
    ("kernelcore=5G", 1024),
    ("kernelcore=50%", 2048),  # at most the whole highest zone
    ("movablecore=25%", 1536),
    ("movablecore=3G", 2048),
    ("movablecore=6M", 8),  # rounded up to 4 MiB
    ("kernelcore=5118M", 1024),  # the start is rounded up
    ("kernelcore=6G", 0),
    ("movablecore=1G movable_node", 0),
    ("kernelcore=0", 0),
    ("movablecore=512m", 512),  # memparse(): suffixes in both cases
    ("movablecore=1g", 1024),
    ("kernelcore=5242880k", 1024),
    ("movablecore=0x20000000", 512),  # hexadecimal, also in both cases
    ("movablecore=0X200m", 512),
    ("movablecore=0x1Em", 32),  # E is a digit here
    ("movablecore=04000000000", 512),  # octal
    ("kernelcore=1E", 0),
    ("kernelcore=0T movablecore=1G", 1024),
    ("movablecore=0x19%", 1536),
    ("movablecore=031%", 1536),
    ("kernelcore=5G movablecore=0", 1024),  # nothing is asked for
    ("kernelcore=5G movablecore=0%", 1024),
    ("kernelcore=5G movablecore=4095", 1024),  # less than a page
    ("kernelcore=1G kernelcore=5G", 1024),  # the last one counts
    ("kernelcore=5G kernelcore=50%", 2048),
    ("kernelcore=50% kernelcore=5G", 1024),
    ("kernelcore=150%", 0),
    ("movablecore=150%", 0),  # no memory would be left
])
def test_the_size_of_zone_movable(cmdline, movable):
    found = zones(boot_memory="6G", cmdline=cmdline)
    assert found.get("Movable", (6 * GIB - movable * MIB, 0)) == (6 * GIB - movable * MIB, movable * MIB)


@pytest.mark.parametrize(("nr_pages", "highest"), [(2 * GIB, 16 * MIB), (6 * GIB, 4 * GIB), (2048, 0)])
def test_zone_movable_is_cut_from_the_highest_zone(nr_pages, highest):
    assert find_zone_movable_pfn(nr_pages, parse_cmdline("kernelcore=4K")) == max(highest, 1024)


@pytest.mark.parametrize("cmdline", ["memhp_default_state=online_movable", "memhp_default_state=offline", ""])
def test_the_policy_for_added_memory(cmdline):
    assert Machine(cmdline=cmdline).read("auto_online_blocks") == (cmdline.partition("=")[2] or "offline")


@pytest.mark.parametrize("word", [
    "quiet", "memhp_default_state=maybe", "movablecore=", "movablecore=x", "movablecore=1G,", "kernelcore=mirror",
    "movablecore=512MB", "movablecore=08", "movablecore=0x", "movablecore=-1G", "kernelcore=50%%", "kernelcore=1.5G",
    "kernelcore=٤", "movable_node=1", "panic_on_warn=0", "panic_on_warn", "="])
def test_what_the_command_line_can_not_say(word):
    with pytest.raises(ValueError, match="kernel parameter") as error:
        parse_cmdline(f"movable_node {word}")
    assert word.partition("=")[0] in str(error.value)


def test_flags_of_the_command_line():
    assert parse_cmdline("movable_node panic_on_warn=1")[3:] == (True, True)
    assert parse_cmdline("")[3:] == (False, False)


@pytest.mark.parametrize("memory", ["96M", "200M"])
def test_what_is_missing_of_the_last_block_is_a_hole(memory):
    machine = Machine(boot_memory=memory, zone_of=[])
    end = int(memory[:-1]) * MIB
    assert machine.kernel.memmap.kind(end - 1).name == "free"
    assert machine.kernel.memmap.kind(end).name == "hole"
    assert sum(z.present_pages for z in machine.kernel.zones) == end
    assert max(z.zone_end_pfn for z in machine.kernel.zones) == end


@pytest.mark.parametrize(("end", "zone"), [("block:1", "Normal"), ("block:1+512", "Movable")])
def test_the_hole_behind_the_last_block_is_of_the_zone_before_it(end, zone):
    machine = Machine(boot_memory="130M", zone_of=[(0, "block:1", "Normal"), ("block:1", "block:1+512", zone)])
    assert {machine.kernel.page_zone(pfn).name for pfn in (GIB // 8, GIB // 8 + 512, GIB // 4 - 1)} == {zone}
    assert machine.read("memory1/valid_zones") == zone


# pages of RAM, and where a zone begins in them: runs without a whole unit of 1024 pages, or with half ones
@pytest.mark.parametrize(("nr_pages", "border"), [
    (1624, 1536), (1624, 1024), (1624, 512), (1025, 1024), (2047, 1536), (2049, 1536), (33000, 32256), (40000, 512)])
def test_free_memory_is_listed_once_whatever_the_borders_of_its_zone(nr_pages, border):
    machine = Machine(boot_memory=nr_pages * 4096, zone_of=[(0, border, "Normal"), (border, nr_pages, "Movable")])
    for index, start, end in ((2, 0, border), (3, border, nr_pages)):
        zone = machine.kernel.zones[index]
        chunks = [(pfn, pfn + (1 << order)) for lists in zone.free_area for order, pfns in enumerate(lists)
                  for pfn in pfns]
        assert sorted(pfn for low, high in chunks for pfn in range(low, high)) == list(range(start, end))
        assert zone.nr_free_pages == zone.managed_pages == zone.present_pages == end - start
        assert (zone.zone_start_pfn, zone.zone_end_pfn) == (start, end)


@pytest.mark.parametrize("memory", ["48G", (64 << 30) - 4096])
def test_large_machines_boot(memory):
    machine = Machine(boot_memory=memory)
    zone = machine.kernel.zones[2]
    assert zone.zone_end_pfn == 4 * GIB + zone.present_pages == (48 * GIB if memory == "48G" else 64 * GIB - 1)


@pytest.mark.parametrize(("nr_pages", "kept"), [
    (2 * GIB, [(0, 256), (16 * MIB, 16 * MIB + 8192), (2 * GIB - 10922, 2 * GIB)]),
    (4096, [(0, 256), (1024, 1536), (4096 - 85, 4096)]),
    (256, [(0, 64), (64, 96), (251, 256)]),
])
def test_what_the_kernel_keeps_depends_on_the_size_of_memory(nr_pages, kept):
    assert memblock_allocations(nr_pages) == kept


def test_the_kernel_keeps_some_boot_memory():
    machine = Machine(boot_memory="6G", cmdline="movablecore=1G")
    for zone in machine.kernel.zones[::3]:
        assert 0 < zone.managed_pages < zone.present_pages
    assert machine.kernel.memmap.kind(6 * GIB - 1).name == "reserved"  # top-down, so inside ZONE_MOVABLE


def test_a_unit_machine_has_everything_free():
    machine = Machine(boot_memory="6G", zone_of=[])
    for zone in machine.kernel.zones:
        assert zone.nr_free_pages == zone.managed_pages == zone.present_pages


def test_zone_of_puts_pages_into_zones():
    found = zones(boot_memory="256M", zone_of=[(0, "addr:64M", "Movable"), ("addr:128M", "addr:192M", "Normal")])
    assert found == {"DMA32": (64 * MIB, 128 * MIB), "Normal": (128 * MIB, 64 * MIB), "Movable": (0, 64 * MIB)}


def test_every_section_of_boot_memory_is_an_online_block():
    machine = Machine(boot_memory="1G")
    assert [(b.id, b.state) for b in machine.kernel.memory_blocks.values()] == [(n, "online") for n in range(8)]


# -- boots that end, or change their zone, between blocks and units ------------------------------------

PAGE = 4096


@pytest.mark.parametrize(("nr_pages", "borders"), [
    (1624, [1536]),  # behind the border no whole unit of 1024 pages
    (1624, [512]),  # before it neither
    (3000, [1536, 2048]),  # nor between two
    (3000, []),
    (257, []),
    (32768 + 600, [32768]),
    (32768 + 600, [33280]),
])
def test_all_of_a_zone_is_on_its_free_lists_and_nothing_else(nr_pages, borders):
    edges = [0, *borders, nr_pages]
    wanted = list(zip(edges, edges[1:], ["DMA32", "Normal", "Movable"], strict=False))
    machine = Machine(boot_memory=nr_pages * PAGE, zone_of=wanted)
    for start, end, name in wanted:
        zone = machine.kernel.zones[zone_names.index(name)]
        chunks = [(pfn, 1 << order) for lists in zone.free_area for order, area in enumerate(lists) for pfn in area]
        assert joined(sorted(chunks)) == [(start, end - start)]
        assert zone.nr_free_pages == zone.managed_pages == end - start
    check(machine)


@pytest.mark.parametrize("pages", [256, 1000, 5000, 100_001])
@pytest.mark.parametrize("cmdline", ["", "movablecore=6M"])
def test_boot_memory_of_any_size_is_in_order(pages, cmdline):
    check(Machine(boot_memory=pages * PAGE, cmdline=cmdline))


@pytest.mark.parametrize("memory", ["48G", (64 << 30) - PAGE])
def test_machines_just_below_the_limit_boot(memory):
    machine = Machine(boot_memory=memory)
    assert sum(zone.present_pages for zone in machine.kernel.zones) == size(memory) // PAGE
    assert len(machine.kernel.memory_blocks) == -(-size(memory) // (128 << 20))


@pytest.mark.parametrize(("nr_pages", "kept"), [
    (512, [(0, 128), (128, 192), (502, 512)]),  # a quarter at most below the image, which is an eighth
    (8192, [(0, 256), (2048, 3072), (8022, 8192)]),
    (GIB, [(0, 256), (4096, 4096 + 8192), (GIB - 5461, GIB)]),
])
def test_what_the_kernel_keeps_of_a_machine(nr_pages, kept):
    assert memblock_allocations(nr_pages) == kept


@pytest.mark.parametrize(("nr_pages", "movable", "column"), [
    (40000, 40000, [(0, 8), (1, 120)]),
    (40000, 36864, [(0, 8), (1, 64), (3, 56)]),  # the hole belongs to the zone before it
    (2048, 2048, [(0, 64)]),
    (32768, 32768, [(0, 8), (1, 56)]),
])
def test_the_hole_behind_boot_memory_is_in_the_last_zone(nr_pages, movable, column):
    assert zone_column(nr_pages, movable, []) == b"".join(bytes([zone]) * blocks for zone, blocks in column)
