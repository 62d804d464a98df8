"""The smallest buddy allocator of the book: what it does, and that mmsim's own does the same in one zone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmsim import Machine
from mmsim.chapters.buddy import Buddy, buddy_of
from mmsim.mm.mmzone import PAGE_SIZE, ZONE_NORMAL


def free_chunks(memory):
    """The free chunks: (first pfn, order) ..."""
    return {(pfn, order) for pfn, order, mark in memory.chunks() if mark == "."}


@pytest.mark.parametrize(("pfn", "order", "buddy"), [(2, 0, 3), (3, 0, 2), (1, 0, 0), (4, 2, 0), (8, 2, 12)])
def test_a_chunk_and_its_buddy_are_the_halves_of_an_aligned_pair(pfn, order, buddy):
    assert buddy_of(pfn, order) == buddy
    assert buddy_of(buddy, order) == pfn


def test_a_chunk_is_halved_until_it_fits():
    memory = Buddy(16)
    assert memory.alloc(0) == 0
    assert str(memory) == "|#|.|..|....|........|"


def test_the_smallest_chunk_that_is_large_enough_is_taken():
    memory = Buddy(16)
    assert [memory.alloc(order) for order in (0, 1, 0)] == [0, 2, 1]
    assert str(memory) == "|#|#|##|....|........|"


def test_neighbours_merge_if_they_are_buddies_only():
    memory = Buddy(4)
    assert [memory.alloc(0) for _ in range(4)] == [0, 1, 2, 3]
    memory.free(1)
    memory.free(2)
    assert str(memory) == "|#|.|.|#|"
    memory.free(3)
    assert str(memory) == "|#|.|..|"
    memory.free(0)
    assert str(memory) == "|....|"


@pytest.mark.parametrize("order", [2, 3, 4])
def test_what_no_free_chunk_is_large_enough_for_is_not_had(order):
    memory = Buddy(8)
    memory.alloc(0)
    memory.alloc(2)
    assert memory.alloc(order) is None
    assert str(memory) == "|#|.|..|####|"


def test_what_is_not_in_use_can_not_be_freed():
    memory = Buddy(8)
    memory.alloc(1)
    for pfn in (1, 4):
        with pytest.raises(ValueError, match=f"page {pfn}"):
            memory.free(pfn)


@pytest.mark.parametrize("nr_pages", [0, 3, -4])
def test_memory_is_a_power_of_two(nr_pages):
    with pytest.raises(ValueError, match=f"{nr_pages} pages"):
        Buddy(nr_pages)


# -- beside mmsim's own --------------------------------------------------------------------------------


def free_area(machine):
    """The same of a machine's zone."""
    lists = machine.kernel.zones[ZONE_NORMAL].free_area
    return {(pfn, order) for orders in lists for order, area in enumerate(orders) for pfn in area}


def first_page(machine, name):
    """Where an allocation of one chunk begins."""
    return machine.pages.runs(machine.pages.held(name))[0][0]


REQUESTS = st.lists(st.tuples(st.booleans(), st.integers(0, 10)), min_size=1, max_size=60)


@given(st.sampled_from([256, 512, 1024]), REQUESTS)
def test_both_hand_out_the_same_pages_and_have_the_same_free_chunks(nr_pages, requests):
    """An order is asked for, or (if there is any) one of the chunks in use is freed."""
    memory, held = Buddy(nr_pages), []
    machine = Machine(boot_memory=nr_pages * PAGE_SIZE, zone_of=[(0, nr_pages, "Normal")])
    for number, (take, value) in enumerate(requests):
        if take:
            pfn, name = memory.alloc(value), f"chunk{number}"
            result = machine.attempt("allocate", name, PAGE_SIZE << value, order=value)
            assert (result.errno, pfn) == ("ENOMEM", None) or pfn == first_page(machine, name)
            held += [] if pfn is None else [(pfn, name)]
        elif held:
            pfn, name = held.pop(value % len(held))
            memory.free(pfn)
            machine.free(name)
        assert free_chunks(memory) == free_area(machine)
