"""Who uses which pages: memory held under a name, pins, single references, pages put into a state."""

import pytest

from mmsim.machine.pages import PLACES
from mmsim.mm.memmap import codes_where


def kind(machine, pfn):
    return machine.kernel.memmap.kind(pfn).name


def held(machine, name):
    return {page for a, b in machine.pages.runs(machine.pages.held(name)) for page in range(a, b)}


# -- allocate ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("gfp", "code", "zone"), [
    ("GFP_HIGHUSER_MOVABLE", "lru", "Movable"), ("GFP_KERNEL", "slab", "Normal"),
    ("GFP_USER|__GFP_MOVABLE", "lru", "Normal")])
def test_memory_is_held_under_a_name(unit, gfp, code, zone):
    machine = unit()
    machine.allocate("a", "4M", gfp)
    pages = held(machine, "a")
    assert len(pages) == 1024
    assert {(kind(machine, p), machine.kernel.page_zone(p).name) for p in pages} == {(code, zone)}


def test_what_is_freed_is_as_before(unit):
    machine = unit()
    before = [z.nr_free_pages for z in machine.kernel.zones]
    machine.allocate("a", "200M")
    machine.free("a")
    assert [z.nr_free_pages for z in machine.kernel.zones] == before
    assert machine.pages.allocations == {}


def test_within_takes_the_lowest_free_pages_of_a_range(unit):
    machine = unit()
    machine.place(1002, "slab", 3)
    machine.allocate("a", "20K", within=(1000, 1010))
    assert held(machine, "a") == {1000, 1001, 1005, 1006, 1007}


@pytest.mark.parametrize(("size", "order", "errno"), [
    ("8K", 1, "0"), ("16K", 1, "ENOMEM"), ("16K", 0, "0"), ("36K", 0, "ENOMEM")])
def test_chunks_within_a_range_are_aligned(unit, size, order, errno):
    machine = unit()
    machine.place(1003, "slab")
    assert machine.attempt("allocate", "a", size, "GFP_KERNEL", order, (1001, 1006)).errno == errno


def test_isolated_memory_is_not_allocated_within_a_range(unit):
    machine = unit()
    machine.isolate(512, 1024)
    assert machine.attempt("allocate", "a", "4K", within=(512, 1024)).errno == "ENOMEM"


# -- pins and references -------------------------------------------------------------------------------


def test_pins_are_counted(unit):
    machine = unit()
    machine.place(7, "lru", 2, "a")
    for _ in range(2):
        machine.pin("a")
    machine.unpin("a")
    assert machine.kernel.page_count(7) == 2
    machine.unpin("a")
    assert machine.kernel.page_count(7) == 1


def test_freeing_drops_the_pins(unit):
    machine = unit()
    machine.place(7, "lru_pinned", 2, "a")
    machine.free("a")
    assert [kind(machine, 7), machine.kernel.page_count(7)] == ["free", 0]


@pytest.mark.parametrize(("longterm", "moved"), [(True, True), (False, False)])
def test_a_longterm_pin_moves_pages_out_of_cma_first(unit, longterm, moved):
    machine = unit()
    machine.set_pageblock(512, "CMA")
    machine.place(520, "lru", 4, "a")
    machine.pin("a", longterm)
    assert (held(machine, "a") & set(range(512, 1024)) == set()) == moved


def test_a_longterm_pin_in_zone_movable_stays_in_place(unit):
    machine = unit()
    machine.place(32768, "lru", 4, "a")
    machine.pin("a")
    assert held(machine, "a") == set(range(32768, 32772))


def test_single_references_survive_an_unpin(unit):
    machine = unit()
    machine.place(7, "lru_pinned", 2, "a")
    machine.ref(7, 2)
    machine.unpin("a")
    assert [machine.kernel.page_count(pfn) for pfn in (7, 8)] == [3, 1]


@pytest.mark.parametrize("beside", [100, 103])
def test_a_pin_is_of_its_own_pages_only(unit, beside):
    machine = unit()
    machine.place(101, "lru", 2, "a")
    machine.place(beside, "lru", 1, "b")
    machine.pin("a")
    machine.ref(beside, 1)
    machine.ref(beside, -1)
    refs = machine.kernel.memmap.runs(0, 512, codes_where(lambda page, refs: refs))
    assert refs == [(101, 2)]
    assert machine.attempt("alloc_contig", beside, beside + 1).errno == "0"


def test_the_last_reference_frees_a_page(unit):
    machine = unit()
    machine.place(7, "slab")
    machine.ref(7, 1)
    machine.ref(7, -1)
    assert kind(machine, 7) == "slab"
    machine.ref(7, -1)
    assert kind(machine, 7) == "free"


@pytest.mark.parametrize("delta", [1, -1])
def test_nobody_refers_to_reserved_pages_and_holes(unit, delta):
    machine = unit(boot_memory="192M", zone_of=[("block:0", "addr:192M", "Normal")])
    machine.place(7, "reserved")
    with pytest.raises(ValueError, match="page 7 is reserved, a boot allocation"):
        machine.ref(7, delta)
    with pytest.raises(ValueError, match="page 60000 is a hole, where no memory is"):
        machine.ref(60000, delta)


@pytest.mark.parametrize("kinds", [("offline", "offline_ref0"), ("balloon", "offline_ref0")])
def test_references_of_a_driver_and_of_others_add_up(unit, kinds):
    machine = unit()
    machine.place(7, kinds[0])
    for delta, count in ((1, 2), (-2, 0), (1, 1), (-1, 0), (2, 2)):
        machine.ref(7, delta)
        assert machine.kernel.page_count(7) == count
        assert (kind(machine, 7) == kinds[1]) == (count == 0)
    with pytest.raises(ValueError, match="page 7 has fewer than 3 references"):
        machine.ref(7, -3)


def test_the_last_reference_of_a_poisoned_page_leaves_it_poisoned(unit):
    machine = unit()
    machine.place(7, "hwpoison")
    machine.ref(7, -1)
    assert (kind(machine, 7), machine.kernel.zones[2].poisoned) == ("hwpoison_buddy", {7})
    assert machine.attempt("allocate", "it", "4K", within=(7, 8)).errno == "ENOMEM"


def test_the_reference_of_a_driver_can_be_dropped(unit):
    machine = unit()
    machine.place(7, "offline")
    machine.ref(7, -1)
    assert (kind(machine, 7), machine.kernel.page_count(7)) == ("offline_ref0", 0)


# -- place ---------------------------------------------------------------------------------------------

HUGE = ("hugetlb", "hugetlb_free", "thp")
COUNT = {"slab": 1, "slab_compound": 1, "reserved": 1, "pagevec": 1, "lru": 1, "lru_pinned": 2, "hwpoison": 1,
         "offline": 1, "movable_ops": 1, "balloon": 1, "hugetlb": 1, "thp": 1}


@pytest.mark.parametrize("name", [name for name in PLACES if name != "free"])
def test_a_placed_page_can_be_freed_again(unit, name):
    machine = unit()
    before = [z.nr_free_pages for z in machine.kernel.zones]
    number = 1 if name in HUGE else 4
    machine.place(1024, name, number)
    assert machine.kernel.page_count(1024) == COUNT.get(name, 0)
    machine.place(1024, "free", 512 if name in HUGE else number)
    assert {kind(machine, pfn) for pfn in range(1020, 1540)} == {"free"}
    assert [z.nr_free_pages for z in machine.kernel.zones] == before
    assert machine.kernel.zones[2].poisoned == set()
    assert machine.kernel.pagevecs == set()


@pytest.mark.parametrize("name", HUGE)
def test_huge_pages_have_a_head_each(unit, name):
    machine = unit()
    machine.place(1024, name, 2)
    pages = (1024, 1025, 1535, 1536, 2047)
    assert [kind(machine, pfn).endswith("_tail") for pfn in pages] == [False, True, True, False, True]


def test_a_compound_page_has_one_head(unit):
    machine = unit()
    machine.place(8, "slab_compound", 4)
    assert [kind(machine, pfn) for pfn in range(8, 13)] == ["slab_compound", *["slab_tail"] * 3, "free"]


def test_a_new_page_reaches_the_lru_when_pagevecs_are_drained(unit):
    machine = unit()
    machine.place(7, "pagevec")
    machine.kernel.lru_add_drain_all()
    assert kind(machine, 7) == "lru"


def test_free_huge_pages_go_back_to_their_pool(unit):
    machine = unit()
    machine.place(512, "hugetlb", 1, "a")
    machine.free("a")
    assert [kind(machine, pfn) for pfn in (512, 513)] == ["hugetlb_free", "hugetlb_free_tail"]
