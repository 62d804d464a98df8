"""Allocating a given range: what makes it fail early, late, or only for a while."""

import pytest
from hypothesis import given, note, settings
from invariants import check, difference, fingerprint
from random_steps import REPEATABLE, attempt, st

from mmsim import Machine, explore, race
from mmsim.mm import contig
from mmsim.mm.contig import alloc_contig_range, free_contig_range
from mmsim.mm.mmzone import migratetype_names

NORMAL, MOVABLE = 0, 32768
BUSY = "alloc_contig_range: [{:x}, {:x}) PFNs busy"
SUPPRESSED = "alloc_contig_range: {} callbacks suppressed"
SUBBLOCKS = [(128 + subblock) * 1024 for subblock in range(23, -1, -1)]  # of memory4, as they are unplugged


def kinds(machine, *pfns):
    return [machine.kernel.memmap.kind(pfn).name for pfn in pfns]


# kind of page in the range: is it refused early, late, or not at all; in a kernel zone and in ZONE_MOVABLE
OUTCOMES = {
    "lru": ("", ""),
    "movable_ops": ("", ""),
    "balloon": ("", ""),
    "thp": ("", ""),
    "pcp": ("", ""),
    "hwpoison_buddy": ("", ""),
    "lru_pinned": ("late", "late"),
    "reserved": ("early", "early"),
    "slab": ("early", "late"),
    "pagevec": ("early", ""),
    "hwpoison": ("early", "late"),
    "offline": ("early", "late"),
    "offline_ref0": ("late", "late"),
    "hugetlb": ("late", "late"),
    "hugetlb_free": ("late", "late"),
}


@pytest.mark.parametrize("kind", OUTCOMES)
@pytest.mark.parametrize("zone", [NORMAL, MOVABLE])
def test_when_a_range_is_refused(unit, kind, zone):
    machine = unit()
    machine.place(zone + 512, kind)
    machine.place(zone + 1535, "lru")  # would be moved away before a late failure
    result = machine.attempt("alloc_contig", zone, zone + 2048)
    outcome = OUTCOMES[kind][zone == MOVABLE]
    assert result.errno == ("EBUSY" if outcome else "0")
    assert (BUSY.format(zone, zone + 2048) in result.log) == (outcome == "late")
    assert any(e.kind == "migrate" for e in result.events) == (outcome != "early")
    assert machine.kernel.zones[2].nr_isolate_pageblock == machine.kernel.zones[3].nr_isolate_pageblock == 0


def test_nothing_is_dumped_and_nobody_is_told(unit):
    machine = unit()
    machine.place(5, "slab")
    result = machine.attempt("alloc_contig", 0, 1024)
    assert not [e for e in result.events if e.kind in ("dump", "warn", "notify")]


def busy_lines(result):
    return [line for line in result.log if "PFNs busy" in line or "suppressed" in line]


@pytest.fixture
def pinned(virtio):
    """A device with one block, online, of whose 32 subblocks the first 24 are pinned."""
    machine = virtio(cmdline="memhp_default_state=online", requested="128M")
    machine.allocate("a", "96M", within=("block:4", "block:5"))
    machine.pin("a")
    return machine


def test_busy_ranges_are_reported_ten_times_in_a_step(pinned):
    first, second = (busy_lines(pinned.attempt("resize", size)) for size in ("0", "4M"))
    assert first == [BUSY.format(0x20000, 0x28000), *(BUSY.format(pfn, pfn + 1024) for pfn in SUBBLOCKS[:9])]
    assert second == [SUPPRESSED.format(15), *(BUSY.format(pfn, pfn + 1024) for pfn in SUBBLOCKS[:10])]


def test_the_limit_begins_anew_when_simulated_time_has_passed(pinned):
    """The retry timer fires after 50 and after 150 seconds, in one step."""
    pinned.resize(0)
    lines = [BUSY.format(pfn, pfn + 1024) for pfn in SUBBLOCKS[:10]]
    assert busy_lines(pinned.attempt("wait", 150)) == [SUPPRESSED.format(15), *lines, SUPPRESSED.format(14), *lines]


def test_the_pages_are_allocated_and_given_back(unit):
    machine = unit()
    machine.alloc_contig(100, 700, name="mine")
    assert kinds(machine, 99, 100, 699, 700) == ["free", "contig", "contig", "free"]
    assert machine.kernel.zones[2].nr_free_pages == 32768 - 600
    machine.free("mine")
    assert machine.kernel.zones[2].nr_free_pages == 32768


def test_units_of_1024_pages_are_isolated(unit):
    machine = unit()
    result = machine.attempt("alloc_contig", 1030, 1031)
    assert [e.data for e in result.events if e.kind == "drain"] == [1024, 1536]


def test_an_unmovable_page_in_the_neighbour_pageblock_is_in_the_way(unit):
    machine = unit()
    machine.place(600, "slab")
    assert machine.attempt("alloc_contig", 0, 512).errno == "EBUSY"
    assert machine.attempt("alloc_contig", 1024, 1536).errno == "0"


def test_a_movable_page_beside_the_range_stays(unit):
    machine = unit()
    machine.place(600, "lru")
    assert not [e for e in machine.attempt("alloc_contig", 0, 512).events if e.kind == "migrate"]
    assert kinds(machine, 600) == ["lru"]


@pytest.mark.parametrize("given", ["Movable", "Unmovable", "CMA"])
def test_pageblocks_come_back_with_the_callers_type(unit, given):
    machine = unit()
    machine.set_pageblock(0, "Reclaimable")
    machine.alloc_contig(0, 512, given)
    assert migratetype_names[machine.kernel.memmap.get_pageblock_migratetype(0)] == given


@pytest.mark.parametrize(("given", "errno"), [("CMA", "0"), ("Movable", "EBUSY")])
def test_cma_is_for_cma(unit, given, errno):
    machine = unit()
    for pfn in (0, 512):
        machine.set_pageblock(pfn, "CMA")
    assert machine.attempt("alloc_contig", 0, 1024, given).errno == errno


@pytest.mark.parametrize(("rounds", "errno"), [(0, "0"), (4, "0"), (5, "EBUSY"), (9, "EBUSY")])
def test_a_pin_has_to_go_before_the_last_of_five_attempts(unit, rounds, errno):
    machine = unit()
    machine.place(5, "lru_pinned", 1, "p")
    machine.unpin_after("p", rounds)
    assert machine.attempt("alloc_contig", 0, 1024).errno == errno


def test_pages_already_moved_stay_where_they_went(unit):
    machine = unit()
    machine.place(5, "lru", 10, "user")
    machine.place(100, "lru_pinned")
    assert machine.attempt("alloc_contig", 0, 1024).errno == "EBUSY"
    assert not set(range(5, 15)) & {p for a, b in machine.pages.runs(machine.pages.held("user")) for p in range(a, b)}


def test_without_room_it_fails_with_enomem(unit):
    machine = unit()
    machine.allocate("all", "256M")
    assert machine.attempt("alloc_contig", MOVABLE, MOVABLE + 1024).errno == "ENOMEM"
    assert machine.kernel.zones[3].nr_isolate_pageblock == 0


def test_a_page_that_is_referenced_when_its_range_is_given_back_stays_in_use(unit, drive):
    machine = unit()
    assert drive(machine, alloc_contig_range(machine.kernel, 0, 1024, 1)) == 0
    machine.ref(6, 2)
    machine.ref(7, 1)
    mark = len(machine.trace)
    free_contig_range(machine.kernel, 0, 1024)
    assert kinds(machine, 5, 6, 7, 8) == ["free", "contig", "contig", "free"]
    assert [machine.kernel.page_count(pfn) for pfn in (6, 7)] == [2, 1]
    assert machine.trace.lines(mark)[1:3] == [
        "2 pages are still in use!", "WARNING: CPU: 0 PID: 53 at mm/page_alloc.c free_contig_range"]
    machine.ref(7, -1)
    assert kinds(machine, 7) == ["free"]


def test_a_poisoned_page_is_never_given_back(unit, drive):
    machine = unit()
    machine.poison(7)
    assert drive(machine, alloc_contig_range(machine.kernel, 0, 1024, 1)) == 0
    assert kinds(machine, 6, 7, 8) == ["contig", "hwpoison", "contig"]
    free_contig_range(machine.kernel, 0, 1024)
    assert kinds(machine, 6, 7, 8) == ["free", "hwpoison", "free"]
    assert machine.kernel.zones[2].poisoned == set()


@pytest.mark.parametrize("start", [0, 1024])
def test_a_compound_kernel_page_is_in_the_way_in_all_of_its_pageblocks(unit, start):
    machine = unit()
    machine.place(0, "slab_compound", 2048)
    assert [machine.has_unmovable(pfn) for pfn in range(0, 2560, 512)] == [0, 512, 1024, 1536, None]
    result = machine.attempt("alloc_contig", start, start + 1024)
    assert (result.errno, result.log) == ("EBUSY", [])


def test_a_compound_kernel_page_beside_the_range_is_not(unit):
    machine = unit()
    machine.place(0, "slab_compound", 1024)
    machine.place(1024, "thp", 2, "huge")
    assert machine.attempt("alloc_contig", 1024, 2048).errno == "0"
    assert kinds(machine, 0, 1023) == ["slab_compound", "slab_tail"]


# -- one cluster, or many --------------------------------------------------------------------------------


def clusters(machine, do, *args):
    """The pages that each migration moved."""
    return [e.data[2] for e in machine.attempt(do, *args).events if e.kind == "migrate"]


def filled(unit):
    """512 pages of user memory that fill a pageblock, and the same number of free pages elsewhere."""
    machine = unit()
    machine.place(MOVABLE, "lru", 512, "user")
    return machine


def test_a_path_that_is_alone_migrates_all_as_one_cluster(unit):
    assert clusters(filled(unit), "alloc_contig", MOVABLE, MOVABLE + 1024) == [512]


def test_clusters_have_32_pages_when_rounds_are_counted(unit):
    machine = filled(unit)
    machine.place(5, "lru", 1, "other")
    machine.free_after("other", 3)
    assert clusters(machine, "alloc_contig", MOVABLE, MOVABLE + 1024) == [32] * 16


def test_clusters_have_32_pages_when_a_page_has_further_references(unit):
    machine = filled(unit)
    machine.ref(MOVABLE + 100, 1)
    assert clusters(machine, "alloc_contig", MOVABLE, MOVABLE + 1024) == [32, 32, 32, 4, 27]


def test_clusters_have_32_pages_when_others_may_run(unit):
    (outcome,) = explore(filled(unit), race("alloc_contig", start=MOVABLE, end=MOVABLE + 1024)).outcomes
    assert [e.data[2] for e in outcome.events if e.kind == "migrate"] == [32] * 16


def test_as_many_pages_are_migrated_before_memory_runs_short(unit):
    machine = filled(unit)
    machine.place(MOVABLE + 512, "slab", 32768 - 512)
    machine.place(0, "slab", 32768 - 100)
    assert clusters(machine, "alloc_contig", MOVABLE, MOVABLE + 512) == [100]


def moves(machine):
    """All events; runs of migration, however they were cut, are one where both places follow one another."""
    found = []
    for event in machine.trace.events:
        if event.kind != "migrate":
            found.append(event)
            continue
        source, target, nr_pages = event.data
        if isinstance(found[-1], list) and found[-1][:2] == [source, target]:
            nr_pages += found.pop()[2]
        found.append([source + event.data[2], target + event.data[2], nr_pages])
    return found


def owners(machine):
    """Who holds which pages, whatever the runs are in which it is remembered: (first pfn, end pfn, name)."""
    found = []
    for start, end, owner in machine.kernel.memmap.owned(0, 1 << 19):
        if found and found[-1][1:] == [start, owner]:
            start = found.pop()[0]
        found.append([start, end, owner])
    return [(start, end, owner.name) for start, end, owner in found]


def everything(machine):
    """All there is to know of a machine but how its migrations were cut."""
    found = {**fingerprint(machine), "moves": {"all": moves(machine)}, "owned": {"all": owners(machine)}}
    del found["trace"]["events"]
    for name in found:
        if name.startswith("section"):
            del found[name]["owners"]
    return found


pfns = st.integers(0, 15).flatmap(lambda block: st.sampled_from([0, 0, 5, 300, 500]).map(lambda at: block * 512 + at))
kinds_moved = st.sampled_from(["lru", "lru", "movable_ops", "balloon", "lru_pinned", "pagevec", "slab"])
names = st.sampled_from([None, None, "a", "b"])
users = st.builds(
    lambda pfn, kind, count, name: ("place", {"pfn": pfn, "kind": kind, "count": count, "name": name}),
    pfns, kinds_moved, st.sampled_from([1, 20, 200, 700]), names)
huge = st.builds(
    lambda block, name: ("place", {"pfn": block * 512, "kind": "thp", "count": 1, "name": name}),
    st.integers(0, 15), names)
single = st.builds(lambda pfn: ("poison", {"pfn": pfn}), pfns) | st.builds(
    lambda pfn: ("ref", {"pfn": pfn, "delta": 1}), pfns)
types = st.builds(
    lambda pfn, name: ("set_pageblock", {"pfn": pfn, "migratetype": name}), pfns,
    st.sampled_from(["Unmovable", "Reclaimable", "HighAtomic", "CMA"]))
fillers = st.builds(
    lambda size, gfp: ("allocate", {"name": "filler", "size": size, "gfp": gfp}),
    st.sampled_from(["1M", "8M", "12M", "20M", "28M"]), st.sampled_from(["GFP_KERNEL", "GFP_HIGHUSER_MOVABLE"]))
later = st.builds(lambda name, rounds: ("free_after", {"name": name, "after_rounds": rounds}),
                  st.sampled_from(["a", "b"]), st.integers(0, 40))
ranges = st.builds(lambda start, nr: ("alloc_contig", {"start": start, "end": min(start + nr, 8192)}), pfns,
                   st.sampled_from([100, 1024, 2048, 5000]))
guests = st.builds(
    lambda *parts: [step for part in parts for step in part],
    st.lists(users | users | huge | single | types, min_size=3, max_size=20), st.lists(fillers, max_size=1),
    st.lists(ranges | ranges | later, min_size=1, max_size=4))


def guest(watermark):
    """32 MiB: 8 MiB in ZONE_DMA32, 12 MiB in ZONE_NORMAL, 12 MiB in ZONE_MOVABLE."""
    machine = Machine(boot_memory="32M", zone_of=[(0, 2048, "DMA32"), (2048, 5120, "Normal"), (5120, 8192, "Movable")])
    for zone in machine.kernel.zones:
        zone.watermark_min = watermark
    return machine


@settings(REPEATABLE, max_examples=150)
@given(st.sampled_from([0, 50]), guests)
def test_one_cluster_does_what_many_do(watermark, steps):
    """In ranges with and without references, poisoned pages, huge pages and room; the rest of the machine, too."""
    fast, slow = guest(watermark), guest(watermark)
    for step in steps:
        end = attempt(fast, step)
        with pytest.MonkeyPatch.context() as context:
            context.setattr(contig, "is_one_cluster", lambda *args: False)
            assert attempt(slow, step) == end
        note(f"{step} -> {end}")
        assert not difference(everything(fast), everything(slow))
    check(fast)
