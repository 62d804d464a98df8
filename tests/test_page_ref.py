"""Reference counts of PG_offline pages: their driver's, others' beside it, and one too few."""

import pytest

from mmsim.mm.memmap import OFFLINE_DIRTY
from mmsim.mm.page_ref import page_ref_dec, page_ref_inc, set_page_count

COUNTS = (-1, 0, 1, 2, 5)


@pytest.fixture
def placed(unit):
    """A kernel with PG_offline pages from pfn 4 on that have these references."""

    def boot(*counts):
        machine = unit()
        machine.place(4, "offline", len(counts))
        for pfn, count in enumerate(counts, 4):
            set_page_count(machine.kernel, pfn, count)
        return machine.kernel

    return boot


def counts_of(k, nr):
    return [k.page_count(pfn) for pfn in range(4, 4 + nr)]


def test_a_count_is_what_was_set(placed):
    k = placed(*COUNTS)
    assert counts_of(k, 5) == list(COUNTS)
    assert [k.memmap.kind(pfn).name for pfn in range(4, 9)] == ["offline_ref0"] * 2 + ["offline"] * 3
    assert k.memmap.refs == {4: -1, 7: 1, 8: 4}


def test_all_pages_lose_a_reference_and_those_with_others_are_named(placed):
    k = placed(0, 1, 1, 2, 5)
    assert page_ref_dec(k, 4, 9) == [4, 7, 8]
    assert counts_of(k, 5) == [-1, 0, 0, 1, 4]


def test_all_pages_get_it_again(placed):
    k = placed(0, 1, 1, 2, 5)
    page_ref_dec(k, 4, 9)
    page_ref_inc(k, 4, 9)
    assert counts_of(k, 5) == [0, 1, 1, 2, 5]
    assert k.memmap.refs == {7: 1, 8: 4}


def test_pages_that_are_not_offline_stay_as_they_are(placed):
    k = placed(1)
    assert page_ref_dec(k, 0, 4) == []
    assert {k.memmap.kind(pfn).name for pfn in range(4)} == {"free"}


def test_that_a_page_never_was_in_the_buddy_is_not_forgotten(unit):
    k = unit().kernel
    k.memmap.fill(4, 6, OFFLINE_DIRTY)
    dirty = [k.memmap.kind(4).dirty]
    for change in (page_ref_dec, page_ref_inc):
        change(k, 4, 6)
        dirty.append(k.memmap.kind(4).dirty)
    assert dirty == [True] * 3
