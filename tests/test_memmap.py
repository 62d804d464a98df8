"""The memory map: columns that are shared until they are written, sets of codes, owners."""

import tracemalloc
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mmsim.mm.memmap import ABSENT, CODE, FREE, KINDS, LRU, REFS, SLAB, Codes, MemMap, Section, codes, whole
from mmsim.mm.mmzone import PAGES_PER_SECTION
from mmsim.mm.owners import Owners

REPEATABLE = settings(derandomize=True, database=None, deadline=None, max_examples=100)


class Somebody:
    def __init__(self, name):
        self.name, self.sections = name, {}

    def __repr__(self):
        return self.name


@pytest.fixture
def memmap():
    """Sections 0, 1 and 3, all free."""
    memmap = MemMap()
    for number in (0, 1, 3):
        memmap.sections[number] = Section(FREE, bytes(64))
    return memmap


# -- columns -------------------------------------------------------------------------------------------


def test_sections_that_are_alike_share_a_column(memmap):
    assert memmap.sections[0].state is memmap.sections[3].state is whole(FREE)


def test_a_write_is_seen_in_its_section_alone(memmap):
    memmap.fill(5, 6, SLAB)
    assert (memmap.state(5), memmap.state(PAGES_PER_SECTION + 5)) == (SLAB, FREE)
    assert set(whole(FREE)) == {FREE}


def test_filling_a_whole_section_shares_again(memmap):
    memmap.fill(5, 6, SLAB)
    memmap.fill(0, PAGES_PER_SECTION, LRU)
    assert memmap.sections[0].state is whole(LRU)


def test_a_terabyte_costs_next_to_nothing():
    tracemalloc.start()
    memmap = MemMap()
    for number in range(8192):
        memmap.sections[number] = Section(FREE, whole(0)[:64])
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert size < 8192 * 1024


def test_migrate_types_are_shared_until_written_too(memmap):
    memmap.set_pageblock_migratetype(700, 5)
    assert [memmap.get_pageblock_migratetype(pfn) for pfn in (511, 512, 1023, 1024)] == [1, 5, 5, 1]
    assert memmap.get_pageblock_migratetype(PAGES_PER_SECTION + 700) == 1


def test_where_no_section_is_there_are_no_pages(memmap):
    nowhere = 2 * PAGES_PER_SECTION
    assert memmap.state(nowhere) == ABSENT
    memmap.fill(nowhere - 10, nowhere + 10, SLAB)
    assert memmap.count(nowhere - 20, nowhere + 20, codes(SLAB)) == 10
    assert memmap.find(nowhere, nowhere + 10, codes(ABSENT)) is None
    assert not memmap.all_are(nowhere - 10, nowhere + 10, codes(SLAB))


@pytest.mark.parametrize(("start", "end", "found"), [
    (0, 0, []), (5, 5, []), (0, 10, [(0, 0, 10)]),
    (32760, 32780, [(0, 32760, 32768), (1, 0, 12)]), (65530, 98310, [(1, 32762, 32768), (3, 0, 6)])])
def test_ranges_are_cut_at_the_sections(memmap, start, end, found):
    numbers = {id(section): number for number, section in memmap.sections.items()}
    assert [(numbers[id(s)], low, high) for s, low, high, base in memmap.parts(start, end)] == found
    assert all(base == numbers[id(s)] << 15 for s, _, _, base in memmap.parts(start, end))


def test_references_are_kept_when_codes_change(memmap):
    memmap.fill(0, 4, LRU)
    memmap.set_refs(1, 3, True)
    memmap.recode(0, 4, {LRU: SLAB})
    assert [memmap.state(pfn) for pfn in range(5)] == [SLAB, SLAB | REFS, SLAB | REFS, SLAB, FREE]
    assert memmap.kind(1).name == "slab"
    memmap.set_refs(0, 4, False)
    assert [memmap.state(pfn) for pfn in range(4)] == [SLAB] * 4


def test_kinds_and_their_codes_agree():
    assert [KINDS[CODE[kind.name]] for kind in KINDS] == list(KINDS)
    assert len(KINDS) < REFS
    assert not [kind for kind in KINDS if kind.buddy and (kind.refcount or kind.offline)]


@pytest.mark.parametrize(("head", "tail"), [
    ("slab_compound", "slab_tail"), ("hugetlb", "hugetlb_tail"), ("hugetlb_free", "hugetlb_free_tail"),
    ("thp", "thp_tail"), ("isolated_thp", "isolated_thp_tail")])
def test_a_tail_page_is_what_its_head_is_but_for_the_references(head, tail):
    one, other = KINDS[CODE[head]], KINDS[CODE[tail]]
    assert one.compound
    assert other == replace(one, name=tail, refcount=0)


# -- sets of codes, against a loop over the bytes ------------------------------------------------------

code_sets = st.sets(st.integers(0, 255), min_size=1, max_size=6)
columns = st.lists(st.tuples(st.integers(0, 255), st.integers(1, 5)), min_size=1, max_size=30).map(
    lambda runs: bytes(code for code, times in runs for _ in range(times)))


def naive_runs(column, chosen):
    found = []
    for place, code in enumerate(column):
        if code in chosen and found and sum(found[-1]) == place:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        elif code in chosen:
            found.append((place, 1))
    return found


@REPEATABLE
@given(code_sets, columns, st.booleans())
def test_codes_find_what_a_loop_finds(chosen, column, mutable):
    column = bytearray(column) if mutable else column
    wanted = Codes(chosen | set(column[:1]) if len(chosen) % 2 else chosen)
    runs = naive_runs(column, wanted.chosen)
    assert wanted.runs(column) == runs
    assert wanted.first(column) == (runs[0][0] if runs else -1)
    assert wanted.only(column) == all(code in wanted.chosen for code in column)
    assert all((code in wanted) == (code in wanted.chosen) for code in range(256))


@REPEATABLE
@given(st.lists(st.tuples(st.integers(0, 3 * PAGES_PER_SECTION), st.integers(1, 70000), st.integers(1, 4)), max_size=5))
def test_questions_over_sections_are_answered_as_by_a_loop(fills):
    memmap, pages = MemMap(), bytearray([FREE]) * (2 * PAGES_PER_SECTION)
    for number in (0, 1):
        memmap.sections[number] = Section(FREE, bytes(64))
    for start, length, code in fills:
        memmap.fill(start, start + length, code)
        pages[start : start + length] = bytes([code]) * max(min(start + length, len(pages)) - start, 0)
    joined = [(start, nr) for start, nr in naive_runs(pages, {2, 3})]
    assert memmap.count(0, len(pages), Codes([2, 3])) == sum(nr for _, nr in joined)
    assert memmap.find(0, len(pages), Codes([2, 3])) == (joined[0][0] if joined else None)
    assert memmap.all_are(0, len(pages), Codes([1, 2])) == (set(pages) <= {1, 2})


# -- owners, against a dict ----------------------------------------------------------------------------

changes = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 30), st.sampled_from([None, "a", "b", "c"])), max_size=12)


@REPEATABLE
@given(changes, st.integers(0, 80), st.integers(0, 40))
@example([(0, 10, "a"), (1, 8, "b")], 0, 20)
def test_owners_remember_what_a_dict_remembers(changes, start, length):
    owners, naive, people = Owners(), {}, {name: Somebody(name) for name in "abc"}
    for low, nr, name in changes:
        owners.replace(low, low + nr, people.get(name))
        naive.update(dict.fromkeys(range(low, low + nr), people.get(name)))
    found = {page: who for low, high, who in owners.within(start, start + length) for page in range(low, high)}
    assert found == {p: who for p, who in naive.items() if who is not None and start <= p < start + length}
    assert all(low < high for low, high, _ in owners.runs)
    assert all(one[1] <= other[0] for one, other in zip(owners.runs, owners.runs[1:], strict=False))


def test_an_owner_counts_its_pages_in_each_section(memmap):
    a, b = Somebody("a"), Somebody("b")
    memmap.set_owner(32760, 32780, a)
    assert a.sections == {0: 8, 1: 12}
    memmap.set_owner(32764, 32770, b)
    assert (a.sections, b.sections) == ({0: 4, 1: 10}, {0: 4, 1: 2})
    assert list(memmap.pages_of(a)) == [(32760, 4), (32770, 10)]
    memmap.set_owner(0, 32768, None)
    assert (a.sections, b.sections) == ({1: 10}, {1: 2})
    assert memmap.owned(0, 65536) == [(32768, 32770, b), (32770, 32780, a)]
