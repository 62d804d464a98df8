"""Poisoned pages."""

import pytest


def kind(machine, pfn):
    return machine.kernel.memmap.kind(pfn).name


def test_a_free_page_stays_in_the_buddy(unit):
    machine = unit()
    machine.poison(7)
    assert kind(machine, 7) == "hwpoison_buddy"
    assert machine.kernel.zones[2].poisoned == {7}
    assert machine.kernel.zones[2].nr_free_pages == 32768


@pytest.mark.parametrize("used", ["lru", "lru_pinned", "slab", "pagevec", "movable_ops"])
def test_a_page_in_use_is_taken_from_its_owner(unit, used):
    machine = unit()
    machine.place(6, used, 3, "held")
    machine.poison(7)
    others = used.removesuffix("_pinned")
    assert [kind(machine, pfn) for pfn in (6, 7, 8)] == [others, "hwpoison", others]
    machine.free("held")
    assert [kind(machine, pfn) for pfn in (6, 7, 8)] == ["free", "hwpoison", "free"]


def test_a_page_on_a_per_cpu_list_goes_to_the_buddy_first(unit):
    machine = unit()
    machine.place(7, "pcp")
    machine.poison(7)
    assert kind(machine, 7) == "hwpoison_buddy"
    assert not any(pcp for cpu in machine.kernel.zones[2].pageset for pcp in cpu)


def test_a_transparent_huge_page_is_split(unit):
    machine = unit()
    machine.place(512, "thp", 1, "huge")
    machine.poison(600)
    assert [kind(machine, pfn) for pfn in (512, 599, 600, 601, 1023)] == ["lru", "lru", "hwpoison", "lru", "lru"]
    assert sum(b - a for a, b in machine.pages.runs(machine.pages.held("huge"))) == 511


@pytest.mark.parametrize("huge", ["hugetlb", "hugetlb_free"])
def test_the_rest_of_a_hugetlb_page_is_freed(unit, huge):
    machine = unit()
    machine.place(512, huge)
    machine.poison(600)
    assert [kind(machine, pfn) for pfn in (512, 600, 1023)] == ["free", "hwpoison", "free"]
    assert machine.kernel.zones[2].nr_free_pages == 32767


@pytest.mark.parametrize("before", ["hwpoison", "hwpoison_buddy"])
def test_poisoning_again_changes_nothing(unit, before):
    machine = unit()
    machine.place(7, before)
    mark = len(machine.trace)
    machine.poison(7)
    assert (kind(machine, 7), len(machine.trace)) == (before, mark)


def test_a_page_that_is_not_online_is_out_of_reach(unit):
    machine = unit()
    machine.write("memory1/state", "offline")
    result = machine.attempt("poison", 32768)
    assert result.errno == "ENXIO"
    assert result.log == ["Memory failure: 0x8000: memory outside kernel control"]
