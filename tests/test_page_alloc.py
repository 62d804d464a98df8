"""The buddy allocator: splitting and merging, fallbacks, per-cpu lists, zonelists, and what is never handed out."""

import pytest

from mmsim import Machine
from mmsim.mm.bulk import alloc_bulk
from mmsim.mm.gfp import gfp
from mmsim.mm.memmap import LRU
from mmsim.mm.mmzone import (
    MAX_ORDER,
    MIGRATE_CMA,
    MIGRATE_HIGHATOMIC,
    MIGRATE_ISOLATE,
    MIGRATE_MOVABLE,
    MIGRATE_RECLAIMABLE,
    MIGRATE_UNMOVABLE,
    zone_names,
)
from mmsim.mm.page_alloc import (
    PCP_BATCH,
    PCP_HIGH,
    alloc_pages,
    change_pageblock,
    drain_all_pages,
    find_buddy,
    free_pages,
    free_unref_page_commit,
    put_back,
    rmqueue,
    take_range,
)
from mmsim.sim.cpu import Task

KERNEL, USER = gfp("GFP_KERNEL"), gfp("GFP_HIGHUSER_MOVABLE")
UNMOVABLE_, RECLAIMABLE_, MOVABLE_ = "Unmovable", "Reclaimable", "Movable"


@pytest.fixture
def small():
    """A unit machine of 4 MiB in ZONE_NORMAL: two pageblocks, one chunk of the largest order."""
    return Machine(boot_memory="4M", zone_of=[(0, 1024, "Normal")])


def zone(machine, name="Normal"):
    return machine.kernel.zones[zone_names.index(name)]


def chunks(machine, migratetype=None, name="Normal"):
    """All free chunks: {first pfn: order}."""
    areas = zone(machine, name).free_area
    return {pfn: order for t, lists in enumerate(areas) if migratetype in (None, t)
            for order, area in enumerate(lists) for pfn in area}


def pages_in(found):
    return {page for head, order in found.items() for page in range(head, head + (1 << order))}


# -- split and merge -----------------------------------------------------------------------------------


@pytest.mark.parametrize("order", range(MAX_ORDER))
def test_a_chunk_is_split_down_to_the_order_asked_for(small, order):
    pfn = rmqueue(small.kernel, zone(small), order, MIGRATE_MOVABLE)
    assert pfn == 0
    assert chunks(small) == {1 << o: o for o in range(order, 10)}
    assert zone(small).nr_free_pages == 1024 - (1 << order)


@pytest.mark.parametrize("order", range(1, MAX_ORDER))
def test_freeing_merges_all_the_way_up(small, order):
    pfn = alloc_pages(small.kernel, USER, order)
    free_pages(small.kernel, pfn, order)
    assert chunks(small) == {0: 10}
    assert zone(small).nr_free_pages == 1024


def test_a_chunk_merges_with_its_buddy_and_not_with_its_other_neighbour(small):
    taken = [alloc_pages(small.kernel, USER, 8) for _ in range(4)]
    assert taken == [0, 256, 512, 768]
    for pfn in (256, 512):
        free_pages(small.kernel, pfn, 8)
    assert chunks(small) == {256: 8, 512: 8}
    free_pages(small.kernel, 0, 8)
    assert chunks(small) == {0: 9, 512: 8}


def test_the_smallest_chunk_that_fits_is_used(small):
    first = alloc_pages(small.kernel, USER, 3)
    assert alloc_pages(small.kernel, USER, 3) == first + 8
    assert 512 in chunks(small)


def test_short_free_lists_are_stacks_and_the_longest_is_a_queue():
    machine = Machine(boot_memory="16M", zone_of=[(0, 4096, "Normal")])
    assert [alloc_pages(machine.kernel, USER, 10) for _ in range(3)] == [0, 1024, 2048]
    for pfn in (0, 2048):
        free_pages(machine.kernel, pfn, 10)
    assert alloc_pages(machine.kernel, USER, 10) == 3072  # has been free the longest
    low, high = alloc_pages(machine.kernel, USER, 8), alloc_pages(machine.kernel, USER, 8)
    alloc_pages(machine.kernel, USER, 9)
    free_pages(machine.kernel, high, 4)
    free_pages(machine.kernel, low, 4)
    assert alloc_pages(machine.kernel, USER, 4) == low


def test_pageblocks_of_ordinary_types_merge_into_one_chunk_of_the_first_ones_type(small):
    small.set_pageblock(512, "Unmovable")
    assert chunks(small, MIGRATE_MOVABLE) == {0: 10}


@pytest.mark.parametrize("other", ["CMA", "HighAtomic", "Isolate"])
def test_special_pageblocks_do_not_merge_with_others(small, other):
    small.set_pageblock(512, other)
    assert chunks(small, MIGRATE_MOVABLE) == {0: 9}
    assert chunks(small) == {0: 9, 512: 9}


def test_the_upper_pageblock_of_a_split_chunk_goes_to_its_own_list(small):
    small.set_pageblock(512, "Unmovable")
    assert alloc_pages(small.kernel, USER, 9) == 0
    assert chunks(small, MIGRATE_UNMOVABLE) == {512: 9}


@pytest.mark.parametrize(("start", "end"), [(0, 1024), (1, 1024), (0, 1023), (511, 513), (5, 900), (7, 8)])
def test_put_back_uses_chunks_as_large_as_their_alignment_allows(small, start, end):
    take_range(small.kernel, 0, 1024)
    put_back(small.kernel, zone(small), start, end)
    found = chunks(small)
    assert sorted(pages_in(found)) == list(range(start, end))
    assert sum(1 << order for order in found.values()) == end - start
    assert all(pfn % (1 << order) == 0 for pfn, order in found.items())
    assert not any(found.get(pfn ^ (1 << order)) == order for pfn, order in found.items())  # nothing left to merge


@pytest.mark.parametrize(("start", "end"), [(0, 1), (100, 612), (511, 512), (3, 1000)])
def test_taking_a_range_and_putting_it_back_is_neutral(small, start, end):
    take_range(small.kernel, start, end)
    assert zone(small).nr_free_pages == 1024 - (end - start)
    assert find_buddy(small.kernel, zone(small), start) is None
    put_back(small.kernel, zone(small), start, end)
    assert chunks(small) == {0: 10}


def test_find_buddy_knows_the_chunk_of_every_page(small):
    alloc_pages(small.kernel, USER, 4)
    for pfn in (16, 31, 100, 511, 512, 1023):
        head, order, area = find_buddy(small.kernel, zone(small), pfn)
        assert head <= pfn < head + (1 << order)
        assert head in area
        assert chunks(small)[head] == order


# -- per-cpu lists -------------------------------------------------------------------------------------


def test_single_pages_come_in_batches(small):
    alloc_pages(small.kernel, USER)
    assert len(zone(small).pageset[0][MIGRATE_MOVABLE]) == PCP_BATCH - 1
    assert zone(small).nr_free_pages == 1024 - PCP_BATCH


def test_a_freed_page_is_the_next_one_handed_out(small):
    pfn = alloc_pages(small.kernel, USER)
    alloc_pages(small.kernel, USER)
    free_pages(small.kernel, pfn)
    assert small.kernel.memmap.kind(pfn).name == "pcp"
    assert alloc_pages(small.kernel, USER) == pfn


def test_each_cpu_has_its_own_list(small):
    pfn = alloc_pages(small.kernel, USER)
    small.kernel.current = Task("other", cpu=1)
    free_pages(small.kernel, pfn)
    assert zone(small).pageset[1][MIGRATE_MOVABLE] == [pfn]


def test_a_long_list_gives_its_oldest_pages_to_the_buddy(small):
    pages = [alloc_pages(small.kernel, USER) for _ in range(PCP_HIGH)]
    drain_all_pages(small.kernel, zone(small))
    for pfn in pages[:-1]:
        free_pages(small.kernel, pfn)
    assert zone(small).pageset[0][MIGRATE_MOVABLE] == pages[:-1]
    free_pages(small.kernel, pages[-1])
    assert zone(small).pageset[0][MIGRATE_MOVABLE] == pages[PCP_BATCH:]


@pytest.mark.parametrize(("block", "pcp"), [
    ("Unmovable", MIGRATE_UNMOVABLE), ("Movable", MIGRATE_MOVABLE), ("Reclaimable", MIGRATE_RECLAIMABLE),
    ("CMA", MIGRATE_MOVABLE), ("HighAtomic", MIGRATE_MOVABLE)])
def test_a_page_goes_to_the_list_of_its_pageblocks_type(small, block, pcp):
    small.set_pageblock(0, block)
    take_range(small.kernel, 7, 8)
    small.kernel.memmap.fill(7, 8, 3)
    free_pages(small.kernel, 7)
    assert [t for t, pages in enumerate(zone(small).pageset[0]) if pages] == [pcp]


def test_a_page_of_an_isolated_pageblock_goes_straight_to_the_buddy(small):
    pfn = alloc_pages(small.kernel, USER)
    small.isolate(0, 512)
    free = zone(small).nr_free_pages
    free_pages(small.kernel, pfn)
    assert pfn in pages_in(chunks(small, MIGRATE_ISOLATE))
    assert zone(small).nr_free_pages == free
    assert not zone(small).pageset[0][MIGRATE_MOVABLE]


def test_a_type_read_before_the_isolation_puts_the_page_on_a_per_cpu_list(small):
    pfn = alloc_pages(small.kernel, USER)
    before = small.kernel.memmap.get_pageblock_migratetype(pfn)
    small.isolate(0, 512)
    free_unref_page_commit(small.kernel, zone(small), pfn, before)
    assert zone(small).pageset[0][MIGRATE_MOVABLE] == [pfn]
    assert drain_all_pages(small.kernel, zone(small)) == 1
    assert pfn in pages_in(chunks(small, MIGRATE_ISOLATE))


def test_draining_empties_the_lists_of_all_cpus(small):
    for cpu in (0, 1):
        small.kernel.current = Task("t", cpu=cpu)
        free_pages(small.kernel, alloc_pages(small.kernel, KERNEL))
    assert drain_all_pages(small.kernel, zone(small)) == 2 * PCP_BATCH
    assert zone(small).nr_free_pages == 1024
    assert sum(1 << order for order in chunks(small).values()) == 1024


@pytest.mark.parametrize("order", [0, 3])
def test_a_free_page_can_not_be_freed(small, order):
    pfn = alloc_pages(small.kernel, USER, order)
    free_pages(small.kernel, pfn, order)
    with pytest.raises(ValueError, match=f"page {pfn} is not allocated"):
        free_pages(small.kernel, pfn, order)


# -- fallback ------------------------------------------------------------------------------------------

# wanted type: the types it falls back to, in order
FALLBACK = {
    MIGRATE_UNMOVABLE: [RECLAIMABLE_, MOVABLE_],
    MIGRATE_MOVABLE: [RECLAIMABLE_, UNMOVABLE_],
    MIGRATE_RECLAIMABLE: [UNMOVABLE_, MOVABLE_],
}


@pytest.mark.parametrize("wanted", FALLBACK)
def test_the_order_of_fallbacks(wanted):
    machine = Machine(boot_memory="4M", zone_of=[(0, 1024, "Normal")])
    first, second = FALLBACK[wanted]
    for pageblock, name in ((0, second), (512, first)):
        machine.place(pageblock, "slab", 512)
        machine.set_pageblock(pageblock, name)
    for pfn in (40, 600):
        machine.place(pfn, "free")
    k = machine.kernel
    assert [rmqueue(k, zone(machine), 0, wanted) for _ in range(3)] == [600, 40, None]


@pytest.mark.parametrize(("wanted", "never"), [
    (MIGRATE_UNMOVABLE, "CMA"), (MIGRATE_RECLAIMABLE, "CMA"), (MIGRATE_UNMOVABLE, "Isolate"),
    (MIGRATE_MOVABLE, "Isolate"), (MIGRATE_RECLAIMABLE, "Isolate")])
def test_some_types_are_never_used(small, wanted, never):
    for pfn in (0, 512):
        small.set_pageblock(pfn, never)
    assert rmqueue(small.kernel, zone(small), 0, wanted) is None


def test_movable_memory_comes_from_cma_before_it_falls_back(small):
    small.set_pageblock(0, "CMA")
    small.set_pageblock(512, "Unmovable")
    assert rmqueue(small.kernel, zone(small), 0, MIGRATE_MOVABLE) == 0
    assert (zone(small).nr_free_cma, zone(small).nr_free_pages) == (511, 1023)


@pytest.mark.parametrize("order", range(1, 10))
@pytest.mark.parametrize("take", [
    lambda k, order: alloc_pages(k, USER, order),
    lambda k, order: alloc_bulk(k, USER, 1 << order, order)[0][0],
    lambda k, order: take_range(k, 0, 1 << order) or 0])
def test_chunks_of_cma_are_counted_with_all_their_pages(small, take, order):
    small.place(512, "slab", 512)
    small.set_pageblock(0, "CMA")
    assert (zone(small).nr_free_cma, zone(small).nr_free_pages) == (512, 512)
    pfn = take(small.kernel, order)
    assert (zone(small).nr_free_cma, zone(small).nr_free_pages) == (512 - (1 << order),) * 2
    small.kernel.memmap.fill(pfn, pfn + (1 << order), LRU)
    free_pages(small.kernel, pfn, order)
    assert (zone(small).nr_free_cma, zone(small).nr_free_pages) == (512, 512)


def test_a_whole_unit_of_cma_is_counted_too(small):
    for pfn in (0, 512):
        small.set_pageblock(pfn, "CMA")
    assert alloc_pages(small.kernel, USER, 10) == 0
    assert (zone(small).nr_free_cma, zone(small).nr_free_pages) == (0, 0)
    free_pages(small.kernel, 0, 10)
    assert (zone(small).nr_free_cma, zone(small).nr_free_pages) == (1024, 1024)


def test_the_largest_chunk_of_another_type_is_stolen_with_its_pageblocks(small):
    rmqueue(small.kernel, zone(small), 0, MIGRATE_UNMOVABLE)
    assert [small.kernel.memmap.get_pageblock_migratetype(pfn) for pfn in (0, 512)] == [MIGRATE_UNMOVABLE] * 2


@pytest.mark.parametrize(("free", "stolen"), [(255, False), (256, True)])
def test_a_pageblock_changes_its_type_if_half_of_it_is_free(small, free, stolen):
    small.place(0, "lru", 1024)
    small.place(512 - free, "free", free)
    rmqueue(small.kernel, zone(small), 0, MIGRATE_UNMOVABLE)
    assert small.kernel.memmap.get_pageblock_migratetype(0) == (MIGRATE_UNMOVABLE if stolen else MIGRATE_MOVABLE)


def test_movable_requests_do_not_steal_for_a_small_chunk(small):
    small.set_pageblock(0, "Unmovable")
    small.place(512, "lru", 512)
    for pfn in range(0, 512, 16):  # half of it is free, in chunks of order 3
        small.place(pfn, "slab", 8)
    rmqueue(small.kernel, zone(small), 0, MIGRATE_MOVABLE)
    assert small.kernel.memmap.get_pageblock_migratetype(0) == MIGRATE_UNMOVABLE


def test_the_reserve_for_urgent_requests_is_opened_last(small):
    small.set_pageblock(0, "HighAtomic")
    small.set_pageblock(512, "HighAtomic")
    assert rmqueue(small.kernel, zone(small), 9, MIGRATE_MOVABLE) == 0
    types = [small.kernel.memmap.get_pageblock_migratetype(pfn) for pfn in (0, 512)]
    assert types == [MIGRATE_MOVABLE, MIGRATE_HIGHATOMIC]


# -- poisoned pages ------------------------------------------------------------------------------------


def test_a_poisoned_page_is_thrown_away_when_it_is_met(small):
    small.poison(3)
    got = {rmqueue(small.kernel, zone(small), 0, MIGRATE_MOVABLE) for _ in range(1023)}
    assert got == set(range(1024)) - {3}
    assert rmqueue(small.kernel, zone(small), 0, MIGRATE_MOVABLE) is None
    assert small.kernel.memmap.kind(3).name == "hwpoison_gone"
    assert zone(small).poisoned == set()


def test_a_chunk_with_a_poisoned_page_is_not_handed_out(small):
    small.poison(700)
    assert rmqueue(small.kernel, zone(small), 10, MIGRATE_MOVABLE) is None
    assert rmqueue(small.kernel, zone(small), 9, MIGRATE_MOVABLE) == 0
    assert zone(small).nr_free_pages == 511


# -- which zone ----------------------------------------------------------------------------------------

FOUR = [(0, 1024, "DMA"), (1024, 2048, "DMA32"), (2048, 3072, "Normal"), (3072, 4096, "Movable")]


def test_only_populated_zones_are_in_a_zonelist():
    k = Machine(boot_memory="16M", zone_of=[(0, 4096, "DMA32")]).kernel
    assert [[z.name for z in zones] for zones in k.zonelists] == [[], ["DMA32"], ["DMA32"], ["DMA32"]]


def test_full_kernel_zones_fail_a_kernel_allocation_however_much_is_movable():
    k = Machine(boot_memory="16M", zone_of=[(0, 1024, "Normal"), (1024, 4096, "Movable")]).kernel
    assert alloc_pages(k, KERNEL, 10) == 0
    assert alloc_pages(k, KERNEL) is None
    assert alloc_pages(k, KERNEL, 10) is None
    assert alloc_pages(k, USER, 10) == 1024


# -- watermarks ----------------------------------------------------------------------------------------


def test_a_lower_zone_keeps_a_reserve_for_its_own_requests():
    """Ratios: 256 for DMA and DMA32, 32 for Normal, none for Movable."""
    k = Machine(boot_memory="6G", cmdline="movablecore=1G").kernel
    _, dma32, normal, movable = (z.managed_pages for z in k.zones)
    assert k.zones[0].lowmem_reserve == [
        0, dma32 // 256, (dma32 + normal) // 256, (dma32 + normal + movable) // 256]
    assert k.zones[1].lowmem_reserve == [0, 0, normal // 256, (normal + movable) // 256]
    assert k.zones[2].lowmem_reserve == [0, 0, 0, movable // 32]
    assert k.zones[3].lowmem_reserve == [0, 0, 0, 0]


@pytest.mark.parametrize(("text", "keeps"), [("GFP_DMA32", 50), ("GFP_KERNEL", 150), ("GFP_HIGHUSER_MOVABLE", 350)])
def test_a_zone_is_left_alone_at_its_watermark_and_reserve(text, keeps):
    k = Machine(boot_memory="4M", zone_of=[(0, 1024, "DMA32")]).kernel
    k.zones[1].watermark_min, k.zones[1].lowmem_reserve = 50, [0, 0, 100, 300]
    while alloc_pages(k, gfp(text), 1) is not None:
        pass
    assert k.zones[1].nr_free_pages == keeps


def test_watermarks_are_in_order_and_share_min_free_kbytes():
    k = Machine(boot_memory="6G").kernel
    for z in k.zones[:3]:
        assert 0 < z.watermark_min < z.watermark_low < z.watermark_high < z.managed_pages
    total = sum(z.watermark_min for z in k.zones)
    managed = sum(z.managed_pages for z in k.zones)
    assert abs(total * 4 - (managed * 4 * 16) ** 0.5) < 200  # sqrt(lowmem in KiB x 16), in KiB


def test_a_unit_machine_has_no_watermarks():
    k = Machine(boot_memory="16M", zone_of=FOUR).kernel
    assert [z.watermark_min for z in k.zones] == [0] * 4
    assert all(z.lowmem_reserve == [0] * 4 for z in k.zones)


# -- changing a pageblock's type -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Unmovable", "CMA", "HighAtomic", "Isolate"])
def test_only_free_pages_move_to_the_list_of_the_new_type(small, name):
    small.place(3, "slab", 2)
    number = ("Unmovable", "Movable", "Reclaimable", "HighAtomic", "CMA", "Isolate").index(name)
    change_pageblock(small.kernel, zone(small), 0, number)
    assert pages_in(chunks(small, number)) - set(range(512, 1024)) == set(range(512)) - {3, 4}
    assert zone(small).nr_free_cma == (510 if number == MIGRATE_CMA else 0)
    assert zone(small).nr_free_pages == (512 if number == MIGRATE_ISOLATE else 1022)
