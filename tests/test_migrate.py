"""Moving pages away: which are taken, where they go, and what stays."""

from errno import ENOMEM

import pytest

from mmsim import Machine
from mmsim.mm.gfp import gfp
from mmsim.mm.memmap import FREE, SLAB, codes
from mmsim.mm.migrate import (
    depends_on_memory,
    dissolve_free_huge_pages,
    isolate_movable_pages,
    migrate_pages,
    putback_movable_pages,
)

NORMAL, MOVABLE = 0, 32768


def kinds(machine, *pfns):
    return [machine.kernel.memmap.kind(pfn).name for pfn in pfns]


@pytest.mark.parametrize(("kind", "taken"), [
    ("lru", True), ("lru_pinned", True), ("movable_ops", True), ("balloon", True), ("slab", False), ("reserved", False),
    ("pagevec", False), ("hwpoison", False), ("offline", False), ("free", False)])
def test_which_pages_are_taken_off(unit, kind, taken):
    machine = unit()
    if kind != "free":
        machine.place(100, kind, 2)
    assert isolate_movable_pages(machine.kernel, 0, 512, 32) == ([(100, 2)] if taken else [], 512)


@pytest.mark.parametrize(("kind", "taken"), [("thp", True), ("hugetlb", False), ("hugetlb_free", False)])
def test_a_huge_page_is_a_run_of_its_own(unit, kind, taken):
    machine = unit()
    machine.place(512, kind, 2)
    pages, _ = isolate_movable_pages(machine.kernel, 0, 2048, 4096)
    assert pages == ([(512, 512), (1024, 512)] if taken else [])


def test_no_more_are_taken_than_wanted(unit):
    machine = unit()
    machine.place(0, "lru", 20)
    machine.place(30, "lru", 20)
    assert isolate_movable_pages(machine.kernel, 0, 512, 32) == ([(0, 20), (30, 12)], 42)
    assert isolate_movable_pages(machine.kernel, 42, 512, 32) == ([(42, 8)], 512)


def test_what_is_put_back_is_on_the_lru_again(unit):
    machine = unit()
    machine.place(0, "lru", 3)
    machine.place(512, "thp")
    pages, _ = isolate_movable_pages(machine.kernel, 0, 1024, 4096)
    assert kinds(machine, 0, 512, 513) == ["isolated_lru", "isolated_thp", "isolated_thp_tail"]
    putback_movable_pages(machine.kernel, pages)
    assert kinds(machine, 0, 512, 513) == ["lru", "thp", "thp_tail"]


def migrate(machine, start, end):
    pages, _ = isolate_movable_pages(machine.kernel, start, end, end - start)
    ret, left = migrate_pages(machine.kernel, pages)
    putback_movable_pages(machine.kernel, left)
    return ret


def test_pages_keep_their_kind_and_their_owner(unit):
    machine = unit()
    machine.place(MOVABLE, "lru", 3, "a")
    machine.place(MOVABLE + 3, "movable_ops", 2, "b")
    assert migrate(machine, MOVABLE, MOVABLE + 512) == 0
    for name, kind, number in (("a", "lru", 3), ("b", "movable_ops", 2)):
        found = [p for low, high in machine.pages.runs(machine.pages.held(name)) for p in range(low, high)]
        assert kinds(machine, *found) == [kind] * number
        assert not set(found) & set(range(MOVABLE + 3 * (name == "b"), MOVABLE + 3 + 2 * (name == "b")))


@pytest.mark.parametrize("longterm", [True, False])
def test_referenced_pages_stay(unit, longterm):
    machine = unit()
    machine.place(MOVABLE, "lru", 10, "a")
    machine.place(MOVABLE + 20, "lru", 3)
    machine.pin("a", longterm)
    assert migrate(machine, MOVABLE, MOVABLE + 512) == 10
    assert kinds(machine, MOVABLE, MOVABLE + 20) == ["lru", "free"]


def test_a_page_given_back_meanwhile_is_freed(unit):
    machine = unit()
    machine.place(MOVABLE, "lru", 4, "a")
    pages, _ = isolate_movable_pages(machine.kernel, MOVABLE, MOVABLE + 512, 512)
    machine.free("a")
    assert kinds(machine, MOVABLE) == ["isolated_freed"]
    free = machine.kernel.zones[3].nr_free_pages
    assert migrate_pages(machine.kernel, pages) == (0, [])
    assert machine.kernel.zones[3].nr_free_pages == free + 4
    assert not list(machine.trace.since(0, "migrate"))


@pytest.mark.parametrize(("source", "targets"), [
    ("Normal", {"Normal", "DMA32"}), ("Movable", {"Movable", "Normal", "DMA32"})])
def test_pages_of_a_kernel_zone_do_not_go_to_zone_movable(source, targets):
    zones = [(0, 1024, "DMA32"), (1024, 2048, "Normal"), (2048, 3072, "Movable")]
    machine = Machine(boot_memory="12M", zone_of=zones)
    start = {"Normal": 1024, "Movable": 2048}[source]
    machine.place(start, "lru", 512, "a")
    seen = set()
    for _ in range(6):  # each time the memory that the pages left is taken away
        migrate(machine, 0, 3072)
        ((low, high), *more) = machine.pages.runs(machine.pages.held("a"))
        seen |= {machine.kernel.page_zone(pfn).name for a, b in [(low, high), *more] for pfn in range(a, b)}
        free = [pfn for pfn in range(0, 3072, 512) if kinds(machine, pfn, pfn + 511) == ["free", "free"]]
        home = [pfn for pfn in free if machine.kernel.page_zone(pfn).name == machine.kernel.page_zone(low).name]
        for pfn in home:
            machine.place(pfn, "slab", 512)
    assert seen <= targets
    assert seen >= targets - {"Movable"} - {source}


def test_without_room_pages_stay_and_enomem_is_returned(unit):
    machine = unit()
    machine.allocate("all", "256M")
    assert migrate(machine, MOVABLE, MOVABLE + 512) == -ENOMEM
    assert kinds(machine, MOVABLE, MOVABLE + 511) == ["lru", "lru"]


def test_a_thp_moves_as_a_whole(unit):
    machine = unit()
    machine.place(MOVABLE, "thp", 1, "huge")
    assert migrate(machine, MOVABLE, MOVABLE + 512) == 0
    ((start, end),) = machine.pages.runs(machine.pages.held("huge"))
    assert (end - start, start % 512) == (512, 0)
    assert kinds(machine, start, start + 1) == ["thp", "thp_tail"]


def test_a_thp_without_a_huge_page_to_go_to_is_split(unit):
    machine = unit()
    machine.place(MOVABLE, "thp", 1, "huge")
    for block in (*range(0, MOVABLE, 512), *range(MOVABLE + 512, 2 * MOVABLE, 512)):
        machine.place(block + 100, "slab", 200)
    assert migrate(machine, MOVABLE, MOVABLE + 512) == 0
    runs = machine.pages.runs(machine.pages.held("huge"))
    assert sum(b - a for a, b in runs) == 512
    assert {kinds(machine, a)[0] for a, _ in runs} == {"lru"}


def test_free_huge_pages_are_dissolved(unit):
    machine = unit()
    machine.place(512, "hugetlb_free")
    machine.place(1024, "hugetlb")
    dissolve_free_huge_pages(machine.kernel, 0, 2048)
    assert kinds(machine, 512, 1023, 1024) == ["free", "free", "hugetlb"]


def test_a_hugetlb_page_goes_to_the_pool_before_new_memory(unit):
    machine = unit()
    machine.place(MOVABLE, "hugetlb", 1, "mine")
    machine.place(2048, "hugetlb_free")
    machine.write("memory1/state", "offline")
    assert machine.pages.runs(machine.pages.held("mine")) == [(2048, 2560)]
    assert kinds(machine, 2048, 2049) == ["hugetlb", "hugetlb_tail"]


@pytest.mark.parametrize("number", [1, 2])
def test_a_hugetlb_page_goes_to_the_pool_and_its_old_place_into_it(unit, number):
    machine = unit()
    machine.place(MOVABLE, "hugetlb", number, "mine")
    machine.place(2048, "hugetlb_free", number)
    free = [zone.nr_free_pages for zone in machine.kernel.zones]
    assert migrate_pages(machine.kernel, [(MOVABLE + 512 * n, 512) for n in range(number)]) == (0, [])
    assert machine.pages.runs(machine.pages.held("mine")) == [(2048 + 512 * n, 2560 + 512 * n) for n in range(number)]
    for page in range(number):
        old, new = MOVABLE + 512 * page, 2048 + 512 * page
        assert kinds(machine, old, old + 1, old + 511) == ["hugetlb_free", *["hugetlb_free_tail"] * 2]
        assert kinds(machine, new, new + 1, new + 511) == ["hugetlb", *["hugetlb_tail"] * 2]
    assert [zone.nr_free_pages for zone in machine.kernel.zones] == free


# -- compound pages beside other pages -----------------------------------------------------------------


@pytest.mark.parametrize("other", ["lru", "movable_ops", "balloon"])
def test_a_thp_is_a_run_of_its_own_beside_base_pages(unit, other):
    machine = unit()
    machine.place(MOVABLE, other, 512)
    machine.place(MOVABLE + 512, "thp", 1, "huge")
    machine.place(MOVABLE + 1024, other, 5)
    pages, _ = isolate_movable_pages(machine.kernel, MOVABLE, MOVABLE + 2048, 2048)
    assert pages == [(MOVABLE, 512), (MOVABLE + 512, 512), (MOVABLE + 1024, 5)]
    assert migrate_pages(machine.kernel, pages) == (0, [])
    ((start, end),) = machine.pages.runs(machine.pages.held("huge"))
    assert (end - start, kinds(machine, start, start + 1)) == (512, ["thp", "thp_tail"])


def test_a_thp_is_taken_as_a_whole_although_less_is_wanted(unit):
    machine = unit()
    machine.place(MOVABLE + 500, "lru", 12)
    machine.place(MOVABLE + 512, "thp", 2)
    pages, pfn = isolate_movable_pages(machine.kernel, MOVABLE, MOVABLE + 1024, 32)
    assert (pages, pfn) == ([(MOVABLE + 500, 12), (MOVABLE + 512, 512)], MOVABLE + 1024)


# -- shortage in the middle ----------------------------------------------------------------------------


def room_for(machine, nr_pages):
    """Leave so many pages free, all of them at the end of memory0."""
    for start, end in ((0, MOVABLE - nr_pages), (MOVABLE, 2 * MOVABLE)):
        for pfn, nr in machine.kernel.memmap.runs(start, end, codes(FREE)):
            machine.place(pfn, "slab", nr)


def test_a_hugetlb_page_without_room_stays_and_enomem_is_returned(unit):
    machine = unit()
    machine.place(MOVABLE, "hugetlb")
    room_for(machine, 511)
    assert migrate_pages(machine.kernel, [(MOVABLE, 512)]) == (-ENOMEM, [(MOVABLE, 512)])
    assert kinds(machine, MOVABLE, MOVABLE + 1) == ["hugetlb", "hugetlb_tail"]


@pytest.mark.parametrize("kind", ["lru", "movable_ops", "balloon"])
@pytest.mark.parametrize("room", [0, 1, 4, 9])
def test_when_memory_runs_short_the_rest_of_the_run_stays(unit, kind, room):
    machine = unit()
    machine.place(MOVABLE + 5, kind, 10, "user")
    room_for(machine, room)
    pages, _ = isolate_movable_pages(machine.kernel, MOVABLE, MOVABLE + 512, 512)
    assert migrate_pages(machine.kernel, pages) == (-ENOMEM, [(MOVABLE + 5 + room, 10 - room)])
    assert machine.kernel.memmap.count(MOVABLE + 5, MOVABLE + 15, codes(FREE)) == room
    assert sum(end - start for start, end in machine.pages.runs(machine.pages.held("user"))) == 10


@pytest.mark.parametrize("room", [0, 2, 4, 6])  # within the first kind of page, between the two, within the second
def test_when_memory_runs_short_all_that_comes_later_stays(unit, room):
    machine = unit()
    machine.place(MOVABLE, "lru", 3, "pinned")
    machine.place(MOVABLE + 3, "lru", 4)
    machine.place(MOVABLE + 7, "movable_ops", 5)
    machine.place(MOVABLE + 100, "lru", 2)
    machine.place(MOVABLE + 512, "thp")
    machine.pin("pinned")
    machine.set_pageblock(MOVABLE, "Isolate")  # what moves away leaves no room for others
    room_for(machine, room)
    pages, _ = isolate_movable_pages(machine.kernel, MOVABLE, MOVABLE + 1024, 1024)
    assert pages == [(MOVABLE, 12), (MOVABLE + 100, 2), (MOVABLE + 512, 512)]
    stay = [(MOVABLE, 3), (MOVABLE + 3 + room, 9 - room)] if room else [(MOVABLE, 12)]
    left = [*stay, (MOVABLE + 100, 2), (MOVABLE + 512, 512)]
    assert migrate_pages(machine.kernel, pages) == (-ENOMEM, left)
    putback_movable_pages(machine.kernel, left)
    assert kinds(machine, MOVABLE, MOVABLE + 11, MOVABLE + 100, MOVABLE + 512) == ["lru", "movable_ops", "lru", "thp"]


def test_a_thp_that_is_split_moves_as_far_as_there_is_room(unit):
    machine = unit()
    machine.place(MOVABLE, "thp", 2, "huge")
    room_for(machine, 300)
    pages, _ = isolate_movable_pages(machine.kernel, MOVABLE, MOVABLE + 1024, 1024)
    left = [(MOVABLE + 300, 212), (MOVABLE + 512, 512)]
    assert migrate_pages(machine.kernel, pages) == (-ENOMEM, left)
    putback_movable_pages(machine.kernel, left)
    assert kinds(machine, MOVABLE + 299, MOVABLE + 300, MOVABLE + 512) == ["free", "lru", "thp"]


def test_a_page_that_is_somebody_elses_by_now_is_left_alone_and_the_others_are_moved(unit):
    machine = unit()
    machine.set_pageblock(MOVABLE, "Isolate")
    machine.place(MOVABLE, "lru", 3)
    pages, _ = isolate_movable_pages(machine.kernel, MOVABLE, MOVABLE + 512, 512)
    machine.kernel.memmap.fill(MOVABLE + 1, MOVABLE + 2, SLAB)
    assert migrate_pages(machine.kernel, pages) == (0, [])
    assert kinds(machine, MOVABLE, MOVABLE + 1, MOVABLE + 2) == ["free", "slab", "free"]


# -- where they go -------------------------------------------------------------------------------------


def test_targets_are_taken_zone_by_zone_and_each_run_has_its_own(unit):
    zones = [(0, 1024, "DMA32"), (1024, 2048, "Normal"), (2048, 4096, "Movable")]
    machine = unit(boot_memory="16M", zone_of=zones)
    machine.place(2040, "lru", 16, "user")
    machine.place(1024, "slab", 1016 - 4)  # 4 pages are left in ZONE_NORMAL
    machine.place(2056, "slab", 2040 - 2)  # and 2 in ZONE_MOVABLE
    pages, _ = isolate_movable_pages(machine.kernel, 2040, 2056, 16)
    assert migrate_pages(machine.kernel, pages) == (0, [])
    moved = [(e.data[0], e.data[2], machine.kernel.page_zone(e.data[1]).name)
             for e in machine.trace.since(0, "migrate")]
    # The pages of ZONE_NORMAL leave 8 free ones behind, which those of ZONE_MOVABLE may take after the 2.
    assert moved == [(2040, 4, "Normal"), (2044, 4, "DMA32"), (2048, 2, "Movable"), (2050, 6, "Normal")]
# ---- what a search is told ----


def told(machine, nr_pages, single=True):
    k = machine.kernel
    k.current.footprint = {}
    depends_on_memory(k, 0, nr_pages, gfp("GFP_HIGHUSER_MOVABLE"), single)
    footprint, k.current.footprint = k.current.footprint, None
    return footprint


@pytest.mark.parametrize(("nr_pages", "single", "writes"), [
    (16384, True, None), (16385, True, (2, 3)), (512, False, (2, 3))])
def test_migration_depends_on_memory_unless_there_is_plenty_for_two(unit, nr_pages, single, writes):
    expected = {("zone", 3): False} if writes is None else {("zone", zone): True for zone in writes}
    assert told(unit(), nr_pages, single) == expected


@pytest.mark.parametrize(("boot_memory", "plenty"), [("1G", True), ("128M", False)])
def test_near_a_watermark_a_memory_block_more_is_plenty(boot_memory, plenty):
    assert all(told(Machine(boot_memory=boot_memory), 1).values()) != plenty
