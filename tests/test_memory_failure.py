"""Pages whose memory is broken, or is about to break."""

import pytest

from mmsim import explore, race

MOVABLE = 32768


def kind(machine, pfn):
    return machine.kernel.memmap.kind(pfn).name


def action(result):
    """What memory_failure() says that it has done."""
    (line,) = (line for line in result.log if "recovery action" in line)
    return line.partition("recovery action for ")[2]


def nr_held(machine, name):
    return sum(b - a for a, b in machine.pages.runs(machine.pages.held(name)))


# -- broken: memory_failure() --------------------------------------------------------------------------


def test_a_free_page_stays_in_the_buddy(unit):
    machine = unit()
    assert action(machine.attempt("poison", 7)) == "free buddy page: Delayed"
    assert kind(machine, 7) == "hwpoison_buddy"
    assert machine.kernel.zones[2].poisoned == {7}
    assert machine.kernel.zones[2].nr_free_pages == 32768


# kind: errno, what the log says
USED = {
    "lru": ("0", "dirty LRU page: Recovered"),
    "lru_pinned": ("EBUSY", "dirty LRU page: Failed"),
    "pagevec": ("0", "dirty LRU page: Recovered"),
    "slab": ("EBUSY", "kernel slab page: Failed"),
    "movable_ops": ("EBUSY", "unknown page: Failed"),
}


@pytest.mark.parametrize("used", USED)
def test_a_page_in_use_is_taken_from_its_owner(unit, used):
    machine = unit()
    machine.place(6, used, 3, "held")
    result = machine.attempt("poison", 7)
    assert (result.errno, action(result)) == USED[used]
    others = {"lru_pinned": "lru", "pagevec": "lru"}.get(used, used)  # a pagevec is drained as a whole
    assert [kind(machine, pfn) for pfn in (6, 7, 8)] == [others, "hwpoison", others]
    machine.free("held")
    assert [kind(machine, pfn) for pfn in (6, 7, 8)] == ["free", "hwpoison", "free"]


def test_single_references_outlive_the_owner(unit):
    machine = unit()
    machine.place(7, "lru", 1, "held")
    machine.ref(7, 2)
    result = machine.attempt("poison", 7)
    assert "Memory failure: 0x7: dirty LRU page still referenced by 2 users" in result.log
    assert (result.errno, kind(machine, 7), machine.kernel.page_count(7)) == ("EBUSY", "hwpoison", 3)


@pytest.mark.parametrize("used", ["reserved", "offline", "balloon"])
def test_a_page_that_nobody_could_take_stays_what_it_is_with_one_more_reference(unit, used):
    machine = unit()
    machine.place(7, used)
    result = machine.attempt("poison", 7)
    assert (result.errno, kind(machine, 7), machine.kernel.page_count(7)) == ("EBUSY", used, 2)
    assert "HardwareCorrupted:     4 kB" in machine.read("/proc/meminfo")


def test_a_hole_stays_a_hole(unit):
    machine = unit(boot_memory="192M", zone_of=[("block:0", "addr:192M", "Normal")])
    assert machine.attempt("poison", 60000).errno == "EBUSY"
    assert kind(machine, 60000) == "hole"


def test_nobody_takes_a_reference_of_a_page_that_has_none(unit):
    machine = unit()
    machine.place(7, "offline_ref0")
    result = machine.attempt("poison", 7)
    assert (result.errno, action(result)) == ("EBUSY", "high-order kernel page: Ignored")
    assert machine.kernel.page_count(7) == 0


def test_a_boot_allocation_in_the_way_is_still_in_the_way(unit):
    machine = unit()
    machine.place(MOVABLE, "reserved")
    assert machine.attempt("poison", MOVABLE).errno == "EBUSY"
    result = machine.attempt("write", "memory1/state", "offline")
    assert result.errno == "EBUSY"
    assert "flags: (reserved|hwpoison)" in result.log


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
    assert nr_held(machine, "huge") == 511


@pytest.mark.parametrize("file", ["hard_offline_page", "soft_offline_page"])
def test_a_transparent_huge_page_that_is_pinned_can_not_be_split(unit, file):
    machine = unit()
    machine.place(512, "thp", 1, "huge")
    machine.pin("huge")
    result = machine.attempt("write", file, hex(600 << 12))
    assert (result.errno, kind(machine, 600), nr_held(machine, "huge")) == ("EBUSY", "thp_tail", 512)
    assert result.log[0].endswith(": 0x258: thp split failed")
    assert not machine.kernel.page_hwpoison(600)


@pytest.mark.parametrize(("huge", "said"), [
    ("hugetlb", "huge page: Recovered"), ("hugetlb_free", "free huge page: Delayed")])
def test_the_rest_of_a_hugetlb_page_is_freed(unit, huge, said):
    machine = unit()
    machine.place(512, huge)
    assert action(machine.attempt("poison", 600)) == said
    assert [kind(machine, pfn) for pfn in (512, 600, 1023)] == ["free", "hwpoison", "free"]
    assert machine.kernel.zones[2].nr_free_pages == 32767


def test_a_pinned_hugetlb_page_stays_whole(unit):
    machine = unit()
    machine.place(512, "hugetlb", 1, "huge")
    machine.pin("huge")
    assert machine.attempt("poison", 600).errno == "EBUSY"
    assert [kind(machine, pfn) for pfn in (512, 600)] == ["hugetlb", "hugetlb_tail"]
    machine.place(512, "free", 512)
    assert kind(machine, 600) == "free"


@pytest.mark.parametrize("before", ["hwpoison", "hwpoison_buddy", "reserved", "offline_ref0"])
def test_the_second_report_of_a_page_is_in_the_log_and_changes_nothing(unit, before):
    machine = unit()
    machine.place(7, before)
    machine.attempt("poison", 7)
    count = machine.kernel.page_count(7)
    result = machine.attempt("poison", 7)
    assert (result.errno, result.log) == ("0", ["Memory failure: 0x7: already hardware poisoned"])
    assert machine.kernel.page_count(7) == count


def test_a_page_that_is_not_online_is_out_of_reach(unit):
    machine = unit()
    machine.write("memory1/state", "offline")
    result = machine.attempt("poison", 32768)
    assert result.errno == "ENXIO"
    assert result.log == ["Memory failure: 0x8000: memory outside kernel control"]


def test_a_block_that_goes_online_again_has_forgotten_its_poison(unit):
    machine = unit()
    machine.place(MOVABLE + 7, "offline_ref0")
    machine.attempt("poison", MOVABLE + 7)
    machine.write("memory1/state", "offline")
    machine.write("memory1/state", "online")
    assert not machine.kernel.page_hwpoison(MOVABLE + 7)
    assert kind(machine, MOVABLE + 7) == "free"


def test_a_poisoned_hole_that_is_plugged_is_not_handed_out(virtio):
    """Neither when its subblock goes to the buddy for the first time, nor when it comes back."""
    machine = virtio(requested="124M", cmdline="memhp_default_state=online_movable")
    hole = (4 << 15) + 32000
    assert machine.attempt("poison", hole).errno == "EBUSY"
    machine.resize("128M")
    assert kind(machine, hole) == "hwpoison_buddy"
    machine.resize("124M")
    assert (kind(machine, hole), machine.kernel.page_hwpoison(hole)) == ("offline", True)
    machine.resize("128M")
    assert kind(machine, hole) == "hwpoison_buddy"
    assert machine.attempt("allocate", "it", "4K", within=(hole, hole + 1)).errno == "ENOMEM"


@pytest.mark.parametrize("used", ["lru", "slab"])
def test_a_page_that_is_freed_meanwhile_is_never_free_again(unit, used):
    """Before it is freed, on its way to a per-cpu list, on that list, or after it has reached the buddy."""
    machine = unit()
    machine.place(7, used, 1, "held")
    racers = race("write", path="hard_offline_page", value="0x7000"), race("free", name="held")
    errno = "0" if used == "lru" else "EBUSY"
    for prune in (True, False):
        found = explore(machine, *racers, observe=lambda m: kind(m, 7), prune=prune)
        assert {(o.errnos[0], o.observed) for o in found.outcomes} == {
            (errno, "hwpoison"), ("EBUSY", "hwpoison_buddy"), ("0", "hwpoison_buddy")}


# -- about to break: soft_offline_page() ---------------------------------------------------------------

# kind: errno, what becomes of it
SOFT = {
    "lru": ("0", "hwpoison_buddy"),
    "pagevec": ("0", "hwpoison_buddy"),
    "movable_ops": ("0", "hwpoison_buddy"),
    "balloon": ("0", "hwpoison_buddy"),
    "pcp": ("0", "hwpoison_buddy"),
    "thp": ("0", "hwpoison_buddy"),
    "hugetlb": ("0", "hwpoison_buddy"),
    "hugetlb_free": ("0", "hwpoison_buddy"),
    "lru_pinned": ("EIO", "lru"),
    "slab": ("EIO", "slab"),
    "slab_compound": ("EIO", "slab_compound"),
    "reserved": ("EIO", "reserved"),
    "offline": ("EIO", "offline"),
    "offline_ref0": ("EIO", "offline_ref0"),
    "hwpoison": ("EBUSY", "hwpoison"),
    "hwpoison_buddy": ("EBUSY", "hwpoison_buddy"),
}


def soft(machine, pfn):
    return machine.attempt("write", "soft_offline_page", hex(pfn << 12))


@pytest.mark.parametrize("before", SOFT)
def test_soft_offlining(unit, before):
    machine = unit()
    machine.place(512, before, 1, "held")
    held, count = "held" in machine.pages.allocations and before != "hugetlb_free", machine.kernel.page_count(512)
    pages = nr_held(machine, "held") if held else 0
    result = soft(machine, 512)
    assert (result.errno, kind(machine, 512)) == SOFT[before]
    assert machine.kernel.page_hwpoison(512) == (result.errno != "EIO")
    assert not held or nr_held(machine, "held") == pages  # nobody loses anything
    assert result.errno == "0" or machine.kernel.page_count(512) == count


def test_a_free_page_is_poisoned_where_it_is(unit):
    machine = unit()
    result = soft(machine, 7)
    assert (result.errno, kind(machine, 7)) == ("0", "hwpoison_buddy")
    assert not [event for event in result.events if event.kind == "migrate"]


@pytest.mark.parametrize(("huge", "moved"), [("thp", 1), ("hugetlb", 512)])
def test_of_a_huge_page_one_page_is_lost(unit, huge, moved):
    machine = unit()
    machine.place(512, huge, 1, "held")
    result = soft(machine, 600)
    assert sum(event.data[2] for event in result.events if event.kind == "migrate") == moved
    assert nr_held(machine, "held") == 512
    zone = machine.kernel.zones[2]
    assert (kind(machine, 600), zone.poisoned) == ("hwpoison_buddy", {600})
    assert sum(zone.nr_free_pages for zone in machine.kernel.zones) == 65536 - 512


def test_a_hugetlb_page_goes_to_a_free_one_of_the_pool_which_gets_smaller(unit):
    machine = unit()
    machine.place(512, "hugetlb", 1, "held")
    machine.place(1024, "hugetlb_free")
    assert soft(machine, 600).errno == "0"
    assert [kind(machine, pfn) for pfn in (512, 600, 1024)] == ["free", "hwpoison_buddy", "hugetlb"]


def test_without_room_a_page_stays_where_it_is(unit):
    machine = unit()
    machine.place(7, "lru", 1, "held")
    machine.allocate("all", "262140K")
    result = soft(machine, 7)
    assert (result.errno, kind(machine, 7), nr_held(machine, "held")) == ("ENOMEM", "lru", 1)


def test_a_page_that_is_not_online_can_not_be_moved(unit):
    machine = unit()
    machine.write("memory1/state", "offline")
    assert [soft(machine, pfn).errno for pfn in (MOVABLE, 2 * MOVABLE)] == ["EIO", "ENXIO"]
