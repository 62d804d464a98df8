"""Isolating pageblocks: which page is unmovable, what an isolation changes, what each subset of the series does."""

import pytest

from mmsim.machine.pages import PLACES
from mmsim.mm import page_isolation
from mmsim.mm.memmap import FREE, KINDS, REFS
from mmsim.mm.mmzone import MIGRATE_CMA, MIGRATE_ISOLATE, MIGRATE_MOVABLE, MIGRATE_RECLAIMABLE, migratetype_names
from mmsim.mm.page_isolation import (
    MEMORY_OFFLINE,
    REPORT_FAILURE,
    has_unmovable_pages,
    set_migratetype_isolate,
    start_isolate_page_range,
    undo_isolate_page_range,
    unmovable_codes,
    unset_migratetype_isolate,
)
from mmsim.series import STAGES

NORMAL, MOVABLE = 0, 32768  # first pfn of a block in each zone
OFFLINE = ("MEMORY_OFFLINE", "REPORT_FAILURE")
BOTH = MEMORY_OFFLINE | REPORT_FAILURE


def type_of(machine, pfn):
    return migratetype_names[machine.kernel.memmap.get_pageblock_migratetype(pfn)]


# -- has_unmovable_pages() -----------------------------------------------------------------------------

# kind of page: is it unmovable in a kernel zone with flags 0, the same with MEMORY_OFFLINE, in ZONE_MOVABLE
UNMOVABLE = {
    "reserved": (True, True, True),
    "free": (False, False, False),
    "pcp": (False, False, False),
    "lru": (False, False, False),
    "lru_pinned": (False, False, False),
    "pagevec": (True, True, False),
    "slab": (True, True, False),
    "slab_compound": (True, True, False),
    "thp": (False, False, False),
    "hugetlb": (False, False, False),
    "hugetlb_free": (False, False, False),
    "movable_ops": (False, False, False),
    "balloon": (False, False, False),
    "hwpoison": (True, False, False),
    "hwpoison_buddy": (False, False, False),
    "offline": (True, False, False),
    "offline_ref0": (False, False, False),
}
HUGE = ("thp", "hugetlb", "hugetlb_free")


@pytest.mark.parametrize("kind", UNMOVABLE)
@pytest.mark.parametrize(("column", "block", "flags"), [
    (0, NORMAL, ()), (0, NORMAL, ("REPORT_FAILURE",)),
    (1, NORMAL, ("MEMORY_OFFLINE",)), (1, NORMAL, OFFLINE),
    (2, MOVABLE, ()), (2, MOVABLE, ("MEMORY_OFFLINE",)),
])
def test_which_pages_are_unmovable(unit, kind, column, block, flags):
    machine = unit()
    pfn = block + 1024 + (0 if kind in HUGE else 7)
    if kind != "free":
        machine.place(pfn, kind)
    assert machine.has_unmovable(pfn, flags) == (pfn if UNMOVABLE[kind][column] else None)


def test_every_kind_that_can_be_placed_is_in_the_table():
    assert set(UNMOVABLE) == set(PLACES)


@pytest.mark.parametrize("block", [NORMAL, MOVABLE])
def test_a_cma_pageblock_is_unmovable_as_a_whole_except_for_cma(unit, block):
    machine = unit()
    machine.set_pageblock(block + 512, "CMA")
    assert machine.has_unmovable(block + 700, OFFLINE) == block + 512
    assert machine.has_unmovable(block + 700, (), "CMA") is None


def test_cma_is_asked_before_reserved_pages(unit):
    machine = unit()
    machine.set_pageblock(512, "CMA")
    machine.place(520, "reserved")
    assert machine.has_unmovable(512, (), "CMA") is None
    assert machine.has_unmovable(512) == 512


def test_the_first_unmovable_page_is_returned(unit):
    machine = unit()
    machine.place(515, "lru", 10)
    machine.place(600, "slab")
    machine.place(550, "slab")
    assert machine.has_unmovable(512) == 550


def test_a_reserved_page_is_seen_behind_others_in_zone_movable(unit):
    machine = unit()
    machine.place(MOVABLE, "slab", 100)
    machine.place(MOVABLE + 511, "reserved")
    assert machine.has_unmovable(MOVABLE) == MOVABLE + 511


def test_a_reference_makes_a_free_offline_page_unmovable_again(unit):
    machine = unit()
    machine.place(515, "offline_ref0")
    assert machine.has_unmovable(512) is None
    machine.ref(515, 1)
    assert machine.has_unmovable(512) == 515
    assert machine.has_unmovable(512, ("MEMORY_OFFLINE",)) is None


@pytest.mark.parametrize("kind", UNMOVABLE)
@pytest.mark.parametrize("flags", [(), ("MEMORY_OFFLINE",)])
def test_with_the_patch_that_v2_dropped_only_offlining_trusts_zone_movable(unit, kind, flags):
    machine = unit({"restrict-movable-shortcut"})
    pfn = MOVABLE + 1024 + (0 if kind in HUGE else 7)
    if kind != "free":
        machine.place(pfn, kind)
    in_the_way = UNMOVABLE[kind][2 if flags else 0]  # as in a kernel zone, unless it is offlining
    assert machine.has_unmovable(pfn, flags) == (pfn if in_the_way else None)


@pytest.mark.parametrize("changes", [frozenset(), STAGES[-1], STAGES[-1] | {"restrict-movable-shortcut"}])
@pytest.mark.parametrize("zone", [2, 3])
@pytest.mark.parametrize("flags", [0, MEMORY_OFFLINE])
def test_the_unmovable_codes_are_those_that_stop_the_search_in_a_column(unit, changes, zone, flags):
    k = unit(changes).kernel
    unmovable = unmovable_codes(changes, zone, flags)
    every_code = [code | refs for refs in (0, REFS) for code in range(len(KINDS))]
    for shift in range(len(every_code)):
        column = bytes(every_code[shift:] + every_code[:shift]).ljust(512, bytes([FREE]))
        k.memmap.sections[0].put(0, column)
        assert has_unmovable_pages(k, k.zones[zone], 0, MIGRATE_MOVABLE, flags) == unmovable.first(column)


def test_memory_holes_count_as_reserved(unit):
    machine = unit(boot_memory="192M", zone_of=[("block:1", "addr:192M", "Movable")])
    assert machine.has_unmovable("addr:190M") is None
    assert machine.has_unmovable("addr:192M") == (192 << 20) >> 12


# -- set_migratetype_isolate() -------------------------------------------------------------------------


def isolate_one(machine, drive, pfn, flags, migratetype=MIGRATE_MOVABLE):
    """The result, and what was seen: warnings, pages dumped, drains."""
    mark = len(machine.trace)
    ret = drive(machine, set_migratetype_isolate(machine.kernel, pfn, migratetype, flags))
    events = list(machine.trace.since(mark))
    return ret, (
        sum(e.kind == "warn" for e in events),
        [e.data for e in events if e.kind == "dump"],
        sum(e.kind == "drain" for e in events),
    )


# What is seen: WARN, the unmovable page dumped, a NULL page dumped; `drain` if it succeeds, else -EBUSY.
SUBSETS = [(), (1,), (3,), (4,), (1, 3), (1, 4), (3, 4), (1, 3, 4)]
RACE, FULL, EMPTY = "is isolated already", "holds an unmovable page", "has nothing in the way"
TRUTH = {  # (the pageblock, its zone, REPORT_FAILURE?): for each of these subsets of the series
    "I1": (RACE, NORMAL, False, ["", "", "", "", "", "", "", ""]),
    "I1 R": (RACE, NORMAL, True, ["", "", "", "NULL", "", "", "NULL", ""]),
    "I2": (RACE, MOVABLE, False, ["WARN", "", "", "WARN", "", "", "", ""]),
    "I2 R": (RACE, MOVABLE, True, ["WARN", "", "", "WARN NULL", "", "", "NULL", ""]),
    "I3": (FULL, NORMAL, True, ["dump"] * 8),
    "I4": (FULL, NORMAL, False, [""] * 8),
    "I5": (FULL, MOVABLE, True, [
        "WARN dump", "WARN dump", "dump", "WARN dump", "dump", "WARN dump", "dump", "dump"]),
    "I6": (FULL, MOVABLE, False, ["WARN", "WARN", "", "WARN", "", "WARN", "", ""]),
    "I7": (EMPTY, NORMAL, False, ["drain"] * 8),
    "I7 R": (EMPTY, NORMAL, True, ["drain"] * 8),
    "I7 Movable": (EMPTY, MOVABLE, False, ["drain"] * 8),
    "I7 Movable R": (EMPTY, MOVABLE, True, ["drain"] * 8),
}


def sight(result, unmovable):
    names = {("warn", None): "WARN", ("dump", unmovable): "dump", ("dump", None): "NULL", ("drain", None): "drain"}
    return " ".join(names[e.kind, e.data if e.kind == "dump" else None] for e in result.events
                    if e.kind in ("warn", "dump", "drain"))


@pytest.mark.parametrize("patches", SUBSETS, ids=lambda p: "".join(map(str, p)) or "none")
@pytest.mark.parametrize("row", TRUTH)
def test_truth_table_for_every_subset_of_patches(unit, row, patches):
    pageblock, pfn, report, seen = TRUTH[row]
    machine, wanted = unit(patches), seen[SUBSETS.index(patches)]
    if pageblock == RACE:
        machine.isolate(pfn, pfn + 512)
    elif pageblock == FULL:
        machine.place(pfn + 5, "reserved")
    result = machine.attempt("isolate", pfn, pfn + 512, ("REPORT_FAILURE",) if report else ())
    assert sight(result, pfn + 5) == wanted
    assert (result.panic is not None) == ("NULL" in wanted)
    assert result.panic or result.errno == ("0" if pageblock == EMPTY else "EBUSY")


@pytest.mark.parametrize("patches", [(2,), (5,), (6,), (2, 5, 6)])
@pytest.mark.parametrize("row", TRUTH)
def test_patches_2_5_and_6_change_nothing_here(unit, row, patches):
    test_truth_table_for_every_subset_of_patches(lambda _: unit(patches), row, ())


@pytest.mark.parametrize("patches", [(), (1,), (1, 2)])
def test_the_warning_is_printed_once_a_boot(unit, drive, patches):
    machine = unit(patches)
    machine.place(MOVABLE, "reserved")
    assert isolate_one(machine, drive, MOVABLE, 0)[1][0] == 1
    assert isolate_one(machine, drive, MOVABLE, 0)[1][0] == 0


@pytest.mark.parametrize(("patches", "left"), [((), 0), ((1,), 1)])
def test_without_patch_1_a_race_uses_up_the_warning(unit, drive, patches, left):
    machine = unit(patches)
    machine.isolate(MOVABLE, MOVABLE + 512)
    machine.place(MOVABLE + 512, "reserved")
    isolate_one(machine, drive, MOVABLE, 0)
    assert isolate_one(machine, drive, MOVABLE + 512, 0)[1][0] == left


def test_the_warning_panics_under_panic_on_warn(unit):
    machine = unit((), cmdline="panic_on_warn=1")
    machine.place(MOVABLE, "reserved")
    assert "panic_on_warn" in machine.attempt("isolate", MOVABLE, MOVABLE + 512).panic


@pytest.mark.parametrize("fails", [False, True])
def test_the_zone_lock_is_free_afterwards(unit, drive, fails):
    machine = unit(())
    if fails:
        machine.place(MOVABLE, "reserved")
    isolate_one(machine, drive, MOVABLE, BOTH)
    assert not machine.kernel.zones[3].lock.held


def test_the_dump_comes_after_the_lock_is_free(unit, drive, monkeypatch):
    machine = unit()
    machine.place(3, "slab")
    held = []
    monkeypatch.setattr(machine.kernel, "dump_page", lambda *_: held.append(machine.kernel.zones[2].lock.held))
    isolate_one(machine, drive, 0, REPORT_FAILURE)
    assert held == [False]


# -- what an isolation changes -------------------------------------------------------------------------


def test_isolated_pages_are_no_free_memory(unit):
    machine = unit()
    zone = machine.kernel.zones[3]
    free = zone.nr_free_pages
    machine.place(MOVABLE + 3, "lru", 12)
    machine.isolate(MOVABLE, MOVABLE + 512)
    assert zone.nr_free_pages == free - 512
    assert zone.nr_isolate_pageblock == 1
    assert sum(len(a) << order for order, a in enumerate(zone.free_area[MIGRATE_ISOLATE])) == 500


def test_cma_pages_are_counted_off_twice(unit, drive):
    machine = unit()
    machine.set_pageblock(0, "CMA")
    zone = machine.kernel.zones[2]
    assert zone.nr_free_cma == 512
    assert isolate_one(machine, drive, 0, 0, MIGRATE_CMA)[0] == 0
    assert (zone.nr_free_cma, zone.nr_free_pages) == (0, 32768 - 512)


@pytest.mark.parametrize("before", ["Unmovable", "Reclaimable", "HighAtomic", "Movable"])
def test_any_type_but_cma_can_be_isolated(unit, before):
    machine = unit()
    machine.set_pageblock(0, before)
    machine.isolate(0, 512)
    assert type_of(machine, 0) == "Isolate"


@pytest.mark.parametrize("before", ["Unmovable", "Reclaimable", "Movable"])
@pytest.mark.parametrize("given", ["Movable", "CMA", "Reclaimable"])
def test_an_undo_writes_the_type_of_its_caller(unit, before, given):
    machine = unit()
    machine.set_pageblock(0, before)
    machine.isolate(0, 512)
    machine.undo_isolate(0, 512, given)
    assert type_of(machine, 0) == given


def test_isolate_and_undo_is_neutral_for_a_free_movable_block(unit):
    machine = unit()
    zone = machine.kernel.zones[3]
    before = zone.nr_free_pages, [sorted(a) for a in zone.free_area[MIGRATE_MOVABLE]]
    machine.isolate("block:1", "block:2")
    assert zone.nr_free_pages == 0
    machine.undo_isolate("block:1", "block:2")
    assert (zone.nr_free_pages, [sorted(a) for a in zone.free_area[MIGRATE_MOVABLE]]) == before
    assert zone.nr_isolate_pageblock == 0


def test_an_undo_leaves_other_pageblocks_alone(unit):
    machine = unit()
    machine.set_pageblock(512, "Reclaimable")
    unset_migratetype_isolate(machine.kernel, 512, MIGRATE_MOVABLE)
    machine.undo_isolate(0, 2048)
    assert type_of(machine, 512) == "Reclaimable"
    assert machine.kernel.zones[2].nr_isolate_pageblock == 0


def test_free_chunks_do_not_span_an_isolated_and_another_pageblock(unit):
    machine = unit()
    machine.isolate(512, 1024)
    zone = machine.kernel.zones[2]
    assert 0 in zone.free_area[MIGRATE_MOVABLE][9]
    assert 512 in zone.free_area[MIGRATE_ISOLATE][9]
    machine.undo_isolate(512, 1024)
    assert 0 in zone.free_area[MIGRATE_MOVABLE][10]


def test_pages_on_per_cpu_lists_are_drained_to_the_isolate_list(unit):
    machine = unit()
    machine.place(5, "pcp", 3)
    machine.isolate(0, 512)
    assert machine.kernel.memmap.kind(5).name == "free"
    assert not any(pcp for cpu in machine.kernel.zones[2].pageset for pcp in cpu)
    assert machine.kernel.zones[2].nr_free_pages == 32768 - 512


# -- start_isolate_page_range() ------------------------------------------------------------------------


def test_a_whole_block_takes_one_drain_for_each_pageblock(unit):
    machine = unit()
    result = machine.attempt("isolate", "block:1", "block:2")
    drained = [e.data for e in result.events if e.kind == "drain"]
    assert drained == list(range(MOVABLE, 2 * MOVABLE, 512))


def test_a_failure_undoes_only_what_it_isolated_itself(unit):
    machine = unit()
    machine.set_pageblock(0, "Unmovable")
    machine.isolate(1024, 1536)  # the winner
    assert machine.attempt("isolate", 0, 2048).errno == "EBUSY"
    assert [type_of(machine, pfn) for pfn in (0, 512, 1024, 1536)] == ["Movable", "Movable", "Isolate", "Movable"]


def test_a_failure_never_looks_behind_the_pageblock_in_the_way(unit):
    machine = unit()
    machine.place(512, "slab")
    machine.place(1024, "slab")
    result = machine.attempt("isolate", 0, 2048, OFFLINE)
    assert [e.data for e in result.events if e.kind == "dump"] == [512]


def test_the_type_given_comes_back_after_a_failure(unit, drive):
    machine = unit()
    machine.place(512, "slab")
    path = start_isolate_page_range(machine.kernel, 0, 1024, MIGRATE_RECLAIMABLE, 0)
    assert drive(machine, path) == -16
    assert type_of(machine, 0) == "Reclaimable"


def test_pageblocks_without_an_online_page_are_skipped(unit, drive):
    machine = unit()
    machine.write("memory1/state", "offline")
    machine.isolate(MOVABLE - 512, MOVABLE + 512)
    assert machine.kernel.zones[2].nr_isolate_pageblock == 1
    drive(machine, undo_isolate_page_range(machine.kernel, MOVABLE - 512, MOVABLE + 512, MIGRATE_MOVABLE))
    assert machine.kernel.zones[2].nr_isolate_pageblock == 0


# -- test_pages_isolated() -----------------------------------------------------------------------------

# kind of page: is the range good enough with flags 0, with MEMORY_OFFLINE?
SETTLED = {
    "free": (True, True),
    "hwpoison_buddy": (True, True),
    "hwpoison": (False, True),
    "offline": (False, False),
    "offline_ref0": (False, True),
    "balloon": (False, False),
    "lru": (False, False),
    "slab": (False, False),
    "reserved": (False, False),
    "movable_ops": (False, False),
    "hugetlb_free": (False, False),
}


@pytest.mark.parametrize("kind", SETTLED)
@pytest.mark.parametrize("flags", [0, MEMORY_OFFLINE])
def test_what_test_pages_isolated_steps_over(unit, kind, flags):
    machine = unit()
    if kind != "free":
        machine.place(MOVABLE, kind)
    k = machine.kernel
    k.memmap.set_pageblock_migratetype(MOVABLE, MIGRATE_ISOLATE)
    good = SETTLED[kind][bool(flags)]
    assert page_isolation.test_pages_isolated(k, MOVABLE, MOVABLE + 512, flags) == (0 if good else -16)


def test_a_free_range_that_is_not_isolated_fails(unit):
    machine = unit()
    assert page_isolation.test_pages_isolated(machine.kernel, 0, 512, 0) == -16
    machine.isolate(0, 512)
    assert page_isolation.test_pages_isolated(machine.kernel, 0, 512, 0) == 0
    assert page_isolation.test_pages_isolated(machine.kernel, 0, 1024, 0) == -16
    assert [event.data for event in machine.trace.events if event.kind == "test"] == [False, True, False]


@pytest.mark.parametrize(("start", "end"), [(1024, 2048), (MOVABLE - 512, MOVABLE), (MOVABLE - 512, MOVABLE + 512)])
def test_each_pageblock_of_a_range_has_to_be_isolated(unit, start, end):
    """Wherever in a memory block the range begins, and if it goes on in the next one."""
    machine = unit()
    k = machine.kernel
    for pfn in range(start, end, 512):
        assert page_isolation.test_pages_isolated(k, start, end, 0) == -16
        machine.isolate(pfn, pfn + 512)
    assert page_isolation.test_pages_isolated(k, start, end, 0) == 0
    k.memmap.set_pageblock_migratetype(end - 512, MIGRATE_MOVABLE)
    assert page_isolation.test_pages_isolated(k, start, end, 0) == -16


def test_a_range_inside_a_pageblock_asks_only_its_own_pages(unit):
    machine = unit()
    machine.place(0, "lru")
    machine.isolate(0, 512)
    assert page_isolation.test_pages_isolated(machine.kernel, 1, 512, 0) == 0
    assert page_isolation.test_pages_isolated(machine.kernel, 0, 512, 0) == -16


def test_offline_memory_is_not_isolated(unit):
    machine = unit()
    machine.write("memory1/state", "offline")
    assert page_isolation.test_pages_isolated(machine.kernel, MOVABLE, MOVABLE + 512, 0) == -16


def test_has_unmovable_pages_does_not_look_at_report_failure(unit):
    machine = unit()
    machine.place(3, "offline")
    k = machine.kernel
    assert has_unmovable_pages(k, k.zones[2], 0, MIGRATE_MOVABLE, REPORT_FAILURE) == 3
    assert has_unmovable_pages(k, k.zones[2], 0, MIGRATE_MOVABLE, BOTH) is None
