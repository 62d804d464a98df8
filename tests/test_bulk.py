"""Much memory at once: the same as chunk by chunk."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mmsim import Machine
from mmsim.mm.bulk import alloc_bulk, available, free_range, joined
from mmsim.mm.gfp import gfp
from mmsim.mm.mmzone import MIGRATE_ISOLATE
from mmsim.mm.page_alloc import alloc_pages

KINDS = ["GFP_KERNEL", "GFP_HIGHUSER_MOVABLE", "GFP_KERNEL|__GFP_RECLAIMABLE", "GFP_USER|__GFP_MOVABLE"]
REPEATABLE = settings(derandomize=True, database=None, deadline=None, max_examples=40)


def machine_of(types=(), used=(), poisoned=()):
    """16 MiB: 4 MiB in ZONE_DMA32, 8 MiB in ZONE_NORMAL, 4 MiB in ZONE_MOVABLE."""
    zones = [(0, 1024, "DMA32"), (1024, 3072, "Normal"), (3072, 4096, "Movable")]
    machine = Machine(boot_memory="16M", zone_of=zones)
    for block, name in types:
        machine.set_pageblock(block * 512, name)
    for pfn in used:
        machine.place(pfn, "free")
        machine.place(pfn, "slab")
    for pfn in set(poisoned) - set(used):
        machine.poison(pfn)
    return machine


names = st.sampled_from(["Unmovable", "Reclaimable", "CMA", "HighAtomic", "Isolate"])
types = st.lists(st.tuples(st.integers(0, 7), names), max_size=4)
pages = st.lists(st.integers(0, 4095), max_size=6, unique=True)


@REPEATABLE
@given(types, pages, pages, st.sampled_from(KINDS), st.sampled_from([1, 3, 9, 10]))
def test_all_that_is_available_can_be_had_and_no_more(types, used, poisoned, text, order):
    """As many chunks as one gets one by one (of order 1 or more, which do not come by the per-cpu lists)."""
    machine, again = machine_of(types, used, poisoned), machine_of(types, used, poisoned)
    mask, naive = gfp(text), 0
    while alloc_pages(again.kernel, mask, order) is not None:
        naive += 1
    runs = alloc_bulk(machine.kernel, mask, 4096, order, partial=True)
    assert sum(nr for _, nr in runs) == naive << order
    assert alloc_bulk(machine.kernel, mask, 1 << order, order) == []


def listed(zone):
    """What is on the zone's free lists, in order."""
    return [[list(area) for area in lists] for lists in zone.free_area]


def zones(machine):
    """All zones: what is on their free lists, and which poisoned pages are still there."""
    return [(listed(zone), zone.poisoned) for zone in machine.kernel.zones]


@REPEATABLE
@given(types, pages, pages, st.sampled_from(KINDS), st.sampled_from([1, 2, 5]), st.integers(1, 700))
@example([], [], [600], "GFP_KERNEL", 1, 400)
def test_the_same_memory_is_taken_as_chunk_by_chunk_and_in_the_same_order(types, used, poisoned, text, order, count):
    at_once, one_by_one = machine_of(types, used, poisoned), machine_of(types, used, poisoned)
    mask, chunks = gfp(text), []
    for _ in range(count):
        if (pfn := alloc_pages(one_by_one.kernel, mask, order)) is not None:
            chunks.append((pfn, 1 << order))
    assert alloc_bulk(at_once.kernel, mask, count << order, order, partial=True) == joined(chunks)
    if not poisoned:  # one by one, even a request that is refused throws away those it meets
        assert zones(at_once) == zones(one_by_one)


@REPEATABLE
@given(types, pages, pages, st.sampled_from(KINDS), st.lists(st.integers(1, 900), max_size=5), st.integers(0, 99))
@example([], [], [0, 1, 2], "GFP_HIGHUSER_MOVABLE", [900] * 5, 99)
def test_how_a_request_is_cut_makes_no_difference(types, used, poisoned, text, parts, watermark):
    whole, cut = machine_of(types, used, poisoned), machine_of(types, used, poisoned)
    for zone in (*whole.kernel.zones, *cut.kernel.zones):
        zone.watermark_min = watermark
    pieces = [run for nr in parts for run in alloc_bulk(cut.kernel, gfp(text), nr, partial=True)]
    assert alloc_bulk(whole.kernel, gfp(text), sum(parts), partial=True) == joined(pieces)
    assert zones(whole) == zones(cut)


@REPEATABLE
@given(types, pages, st.sampled_from(KINDS), st.integers(0, 5000))
def test_all_of_it_or_nothing(types, used, text, nr_pages):
    machine = machine_of(types, used)
    zones, mask = machine.kernel.zones, gfp(text)
    free = sum(z.nr_free_pages for z in zones)
    fits = sum(available(z, mask, 0) for z in machine.kernel.zonelists[mask.highest_zone]) >= nr_pages
    got = sum(nr for _, nr in alloc_bulk(machine.kernel, mask, nr_pages))
    assert got == (nr_pages if fits else 0)
    assert sum(z.nr_free_pages for z in zones) == free - got


@REPEATABLE
@given(types, pages, st.sampled_from(KINDS), st.integers(1, 3000))
def test_what_was_allocated_and_freed_is_as_before(types, used, text, nr_pages):
    machine = machine_of(types, used)
    before = {z.name: z.nr_free_pages for z in machine.kernel.zones}
    for pfn, nr in alloc_bulk(machine.kernel, gfp(text), nr_pages):
        assert all(machine.kernel.memmap.kind(p).name in ("lru", "slab") for p in range(pfn, pfn + nr))
        free_range(machine.kernel, pfn, pfn + nr)
    assert {z.name: z.nr_free_pages for z in machine.kernel.zones} == before


def test_zones_are_used_in_the_order_of_the_zonelist():
    machine = machine_of()
    runs = alloc_bulk(machine.kernel, gfp("GFP_HIGHUSER_MOVABLE"), 3500)
    free = {z.name: z.nr_free_pages for z in machine.kernel.zones}
    assert free == {"DMA": 0, "DMA32": 596, "Normal": 0, "Movable": 0}
    assert [machine.kernel.page_zone(pfn).name for pfn, _ in runs] == ["Movable", "Normal", "DMA32"]


def test_watermarks_and_reserves_are_kept():
    machine = machine_of()
    zone = machine.kernel.zones[2]
    zone.watermark_min, zone.lowmem_reserve = 100, [0, 0, 0, 50]
    assert available(zone, gfp("GFP_KERNEL"), 0) == 1948
    assert available(zone, gfp("GFP_HIGHUSER_MOVABLE"), 0) == 1898


def test_isolated_and_cma_memory_is_not_available_to_the_kernel():
    zone = machine_of([(2, "Isolate"), (3, "CMA")]).kernel.zones[2]
    assert available(zone, gfp("GFP_KERNEL"), 0) == 1024
    assert available(zone, gfp("GFP_HIGHUSER_MOVABLE"), 0) == 1536
    zone.watermark_min = 100  # which CMA pages do not help to keep
    assert available(zone, gfp("GFP_KERNEL"), 0) == 924
    assert available(zone, gfp("GFP_HIGHUSER_MOVABLE"), 0) == 1436


def test_the_high_atomic_reserve_completes_a_largest_chunk_when_it_is_opened():
    machine = machine_of([(2, "HighAtomic")])
    assert available(machine.kernel.zones[2], gfp("GFP_KERNEL"), 10) == 2
    assert alloc_bulk(machine.kernel, gfp("GFP_KERNEL"), 2048, 10) == [(2048, 1024), (1024, 1024)]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_each_pageblock_of_the_reserve_completes_a_chunk_of_its_own(number):
    machine = Machine(boot_memory="20M", zone_of=[(0, 5120, "Normal")])
    for block in range(0, 2 * number, 2):
        machine.set_pageblock(block * 512, "HighAtomic")
    for pfn in (3072, 4096):
        machine.set_pageblock(pfn, "HighAtomic")
        machine.place(pfn + 512, "slab")  # so that this one completes nothing
    assert available(machine.kernel.zones[2], gfp("GFP_KERNEL"), 10) == 3
    assert joined(sorted(alloc_bulk(machine.kernel, gfp("GFP_KERNEL"), 3072, 10))) == [(0, 3072)]


def test_chunks_of_an_order_are_aligned():
    machine = machine_of((), [1, 700, 1030])
    runs = alloc_bulk(machine.kernel, gfp("GFP_KERNEL"), 64 * 16, 4)
    assert all(pfn % 16 == 0 and nr % 16 == 0 for pfn, nr in runs)


def test_memory_freed_at_once_goes_to_the_lists_of_its_pageblocks():
    machine = machine_of()
    machine.place(1024, "lru", 1024)
    machine.set_pageblock(1536, "Isolate")
    free_range(machine.kernel, 1024, 2048)
    zone = machine.kernel.zones[2]
    assert zone.nr_free_pages == 2048 - 512
    assert list(zone.free_area[MIGRATE_ISOLATE][9]) == [1536]


def test_memory_of_several_zones_is_freed_to_each():
    machine = machine_of()
    for pfn in (512, 1024):
        machine.place(pfn, "lru", 512)
    free_range(machine.kernel, 512, 1536)
    assert [z.nr_free_pages for z in machine.kernel.zones] == [0, 1024, 2048, 1024]


@pytest.mark.parametrize(("runs", "result"), [
    ([], []), ([(5, 1)], [(5, 1)]), ([(5, 1), (6, 2)], [(5, 3)]), ([(8, 1), (5, 1), (6, 1)], [(8, 1), (5, 2)]),
    ([(6, 1), (5, 1)], [(6, 1), (5, 1)])])
def test_runs_that_follow_one_another_are_joined(runs, result):
    assert joined(runs) == result
