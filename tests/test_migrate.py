"""Moving pages away: which are taken, where they go, and what stays."""

from errno import ENOMEM

import pytest

from mmsim import Machine
from mmsim.mm.migrate import dissolve_free_huge_pages, isolate_movable_pages, migrate_pages, putback_movable_pages

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
