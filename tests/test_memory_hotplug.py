"""Onlining and offlining memory blocks: the zone chosen, the errno, who is told, and loops without an end."""

from errno import EBUSY, EEXIST

import pytest

from mmsim import Machine
from mmsim.mm import memory_hotplug
from mmsim.mm.mmzone import PAGES_PER_SECTION
from mmsim.mm.zones import grow_zone_span, valid_zones, zone_for_pfn_range

NORMAL, MOVABLE = 0, 32768


@pytest.fixture
def hotplug(drive):
    """A unit machine of boot blocks 0 (Normal) and 1 (Movable), and added blocks that are offline."""

    def boot(*added, zones=(("block:0", "block:1", "Normal"), ("block:1", "block:2", "Movable")), **keys):
        machine = Machine(**{"boot_memory": "256M", "zone_of": zones, **keys})
        for number in added:
            assert drive(machine, memory_hotplug.add_memory(machine.kernel, number)) == 0
        return machine

    return boot


def zone_of(machine, number):
    return machine.kernel.page_zone(number << 15).name


def told(result, name="*"):
    return [e.data[1].removeprefix("MEM_") for e in result.events if e.kind == "notify" and e.data[0] == name]


def offline(machine, number=1):
    return machine.attempt("write", f"memory{number}/state", "offline")


# -- which zone ----------------------------------------------------------------------------------------

# spans of the kernel zone and of ZONE_MOVABLE (blocks), movable_node?: zone of block 2 for each word
CHOICE = {
    "inside neither span": ([(0, 1, "Normal"), (1, 2, "Movable")], "", ("Normal", "Normal", "Movable")),
    "neither, movable_node": ([(0, 1, "Normal"), (1, 2, "Movable")], "movable_node", ("Movable", "Normal", "Movable")),
    "inside the kernel zone": ([(0, 2, "Normal"), (3, 4, "Normal")], "", ("Normal", "Normal", "Movable")),
    "kernel zone, movable_node": ([(0, 2, "Normal"), (3, 4, "Normal")], "movable_node",
                                  ("Normal", "Normal", "Movable")),
    "inside ZONE_MOVABLE": ([(0, 1, "Normal"), (1, 4, "Movable")], "", ("Movable", "Normal", "Movable")),
    "inside both": ([(0, 1, "Normal"), (1, 2, "Movable"), (3, 4, "Movable"), (4, 5, "Normal")], "",
                    ("Normal", "Normal", "Movable")),
    "both, movable_node": ([(0, 1, "Normal"), (1, 2, "Movable"), (3, 4, "Movable"), (4, 5, "Normal")], "movable_node",
                           ("Movable", "Normal", "Movable")),
    "inside DMA32": ([(0, 1, "DMA32"), (3, 4, "DMA32")], "", ("DMA32", "DMA32", "Movable")),
    "DMA before DMA32": ([(0, 1, "DMA"), (1, 2, "DMA32"), (3, 4, "DMA32"), (4, 5, "DMA")], "",
                         ("DMA", "DMA", "Movable")),
}  # fmt: skip


@pytest.mark.parametrize("case", CHOICE)
@pytest.mark.parametrize("word", ["online", "online_kernel", "online_movable"])
def test_the_zone_of_a_block(case, word):
    """Block 2 is taken offline first, from a zone that no other block is in, or that spans it anyway."""
    spans, cmdline, wanted = CHOICE[case]
    k = Machine(boot_memory="128M", zone_of=[], cmdline=cmdline).kernel
    for zone in k.zones:
        zone.zone_start_pfn = zone.spanned_pages = 0
    for first, end, name in spans:
        zone = next(z for z in k.zones if z.name == name)
        grow_zone_span(zone, first << 15, (end - first) << 15)
    chosen = zone_for_pfn_range(k, word, 2 << 15, PAGES_PER_SECTION).name
    assert chosen == wanted[("online", "online_kernel", "online_movable").index(word)]


@pytest.mark.parametrize(("word", "zone"), [
    ("online", "Normal"), ("online_kernel", "Normal"), ("online_movable", "Movable")])
def test_a_block_goes_to_the_zone_its_word_asks_for(hotplug, word, zone):
    machine = hotplug(5)
    machine.write("memory5/state", word)
    assert zone_of(machine, 5) == zone
    assert machine.read("memory5/valid_zones") == zone


def test_there_is_no_adjacency_rule(hotplug):
    machine = hotplug(4, 5, 6, 7)
    for number, word in ((4, "online_movable"), (5, "online_kernel"), (6, "online_movable"), (7, "online_kernel")):
        machine.write(f"memory{number}/state", word)
    assert [zone_of(machine, n) for n in (4, 5, 6, 7)] == ["Movable", "Normal", "Movable", "Normal"]


@pytest.mark.parametrize(("cmdline", "listed"), [("", "Normal Movable"), ("movable_node", "Movable Normal")])
def test_valid_zones_lists_the_default_zone_first(hotplug, cmdline, listed):
    assert hotplug(5, cmdline=cmdline).read("memory5/valid_zones") == listed


def test_valid_zones_of_an_inheriting_block(hotplug):
    machine = hotplug(3, 4)
    machine.write("memory4/state", "online_movable")
    assert machine.read("memory3/valid_zones") == "Movable Normal"


def test_valid_zones_of_an_online_block_with_two_zones_is_none(hotplug):
    machine = hotplug(zones=[("block:0", "block:1", "Normal"), ("block:1", "block:1+1024", "Movable"),
                             ("block:1+1024", "block:2", "Normal")])
    assert valid_zones(machine.kernel, machine.kernel.memory_blocks[1]) == "none"


# -- spans ---------------------------------------------------------------------------------------------


def span(machine, index):
    zone = machine.kernel.zones[index]
    return zone.zone_start_pfn >> 15, zone.zone_end_pfn >> 15


def test_spans_grow_over_what_lies_between(hotplug):
    machine = hotplug(8)
    machine.write("memory8/state", "online_movable")
    assert span(machine, 3) == (1, 9)
    assert machine.kernel.zones[3].present_pages == 2 * PAGES_PER_SECTION


@pytest.mark.parametrize(("gone", "left"), [((8,), (1, 6)), ((1,), (5, 9)), ((5,), (1, 9)), ((8, 5), (1, 2)),
                                            ((1, 5), (8, 9)), ((1, 5, 8), (0, 0))])
def test_spans_shrink_at_their_ends_only(hotplug, gone, left):
    machine = hotplug(5, 8)
    machine.write("memory5/state", "online_movable")
    machine.write("memory8/state", "online_movable")
    for number in gone:
        machine.write(f"memory{number}/state", "offline")
    assert span(machine, 3) == left


def test_offlining_and_onlining_is_neutral_for_the_counters(hotplug):
    machine = hotplug()
    zone = machine.kernel.zones[3]
    before = (zone.zone_start_pfn, zone.spanned_pages, zone.present_pages, zone.managed_pages, zone.nr_free_pages)
    machine.write("memory1/state", "offline")
    assert (zone.present_pages, zone.managed_pages, zone.nr_free_pages, zone.nr_isolate_pageblock) == (0, 0, 0, 0)
    machine.write("memory1/state", "online_movable")
    assert before == (
        zone.zone_start_pfn, zone.spanned_pages, zone.present_pages, zone.managed_pages, zone.nr_free_pages)


def test_an_emptied_zone_leaves_the_zonelists(hotplug):
    machine = hotplug()
    machine.write("memory1/state", "offline")
    assert [z.name for z in machine.kernel.zonelists[3]] == ["Normal"]
    machine.write("memory1/state", "online_movable")
    assert [z.name for z in machine.kernel.zonelists[3]] == ["Movable", "Normal"]


# -- notifier sequences --------------------------------------------------------------------------------


def test_online(hotplug):
    machine = hotplug(5)
    machine.notifier("first")
    machine.notifier("second")
    result = machine.attempt("write", "memory5/state", "online")
    assert [told(result, n) for n in ("*", "first", "second")] == [["GOING_ONLINE", "ONLINE"]] * 3


def test_a_vetoed_online_stops_the_chain_and_is_cancelled_for_all(hotplug):
    machine = hotplug(5)
    for name, veto in (("before", None), ("no", "MEM_GOING_ONLINE"), ("behind", None)):
        machine.notifier(name, veto)
    result = machine.attempt("write", "memory5/state", "online_movable")
    assert result.errno == "EPERM"
    assert told(result, "before") == told(result, "no") == ["GOING_ONLINE", "CANCEL_ONLINE"]
    assert told(result, "behind") == ["CANCEL_ONLINE"]


def test_a_vetoed_online_leaves_nothing_behind(hotplug):
    machine = hotplug(8)
    machine.notifier("no", "MEM_GOING_ONLINE")
    assert machine.attempt("write", "memory8/state", "online_movable").errno == "EPERM"
    assert span(machine, 3) == (1, 2)
    assert machine.read("memory8/state") == "offline"
    assert machine.kernel.zones[3].present_pages == PAGES_PER_SECTION


def test_offline(hotplug):
    machine = hotplug()
    machine.notifier("n")
    result = offline(machine)
    assert told(result, "n") == ["GOING_OFFLINE", "OFFLINE"]
    assert result.log == ["Offlined Pages 32768"]


def test_a_vetoed_offline_stops_the_chain_and_is_cancelled_for_all(hotplug):
    machine = hotplug()
    for name, veto in (("before", None), ("no", "MEM_GOING_OFFLINE"), ("behind", None)):
        machine.notifier(name, veto)
    result = offline(machine)
    assert result.errno == "EPERM"
    assert told(result, "before") == told(result, "no") == ["GOING_OFFLINE", "CANCEL_OFFLINE"]
    assert told(result, "behind") == ["CANCEL_OFFLINE"]


def test_the_isolation_is_undone_before_the_cancellation(hotplug):
    machine = hotplug()
    machine.notifier("no", "MEM_GOING_OFFLINE")
    result = offline(machine)
    kinds = [e.data[1] if e.kind == "notify" else "undone" for e in result.events
             if "no longer Isolate" in e.text or (e.kind == "notify" and e.data[0] == "*")]
    assert kinds == ["MEM_GOING_OFFLINE", *["undone"] * 64, "MEM_CANCEL_OFFLINE"]


# -- offline: errno, reason, notifications -------------------------------------------------------------


def prepare_pin_and_signal(machine):
    machine.place(MOVABLE, "lru_pinned", 1, "p")
    machine.signal(2)


TWO_ZONES = [("block:1", "block:1+16384", "Normal"), ("block:1+16384", "block:2", "Movable")]
REFUSED = {
    "memory holes": ({"boot_memory": "192M", "zones": [("block:1", "addr:192M", "Movable")]}, None, "EINVAL", False),
    "multizone range": ({"zones": TWO_ZONES}, None, "EINVAL", False),
    "failure to isolate range": ({}, lambda m: m.place(MOVABLE, "reserved"), "EBUSY", False),
    "notifier failure": ({}, lambda m: m.notifier("no", "MEM_GOING_OFFLINE"), "EPERM", True),
    "signal backoff": ({}, prepare_pin_and_signal, "EINTR", True),
    "unmovable page": ({}, lambda m: m.place(MOVABLE, "offline"), "EBUSY", True),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_a_refused_offline_has_its_errno_its_reason_and_its_notifications(hotplug, reason):
    keys, prepare, errno, notified = REFUSED[reason]
    machine = hotplug(**keys)
    if prepare:
        prepare(machine)
    result = offline(machine)
    assert result.errno == errno
    assert told(result) == (["GOING_OFFLINE", "CANCEL_OFFLINE"] if notified else [])
    said = [e for e in result.events if e.kind == "printk" and "failed due to" in e.text]
    assert [e.text for e in said] == [f"memory offlining [mem 0x08000000-0x0fffffff] failed due to {reason}"]
    assert said[0].data == "debug"  # so it is not in an ordinary kernel's log
    assert machine.read("memory1/state") == "online"
    assert all(zone.nr_isolate_pageblock == 0 for zone in machine.kernel.zones)


@pytest.mark.parametrize("reason", ["memory holes", "multizone range"])
def test_holes_and_two_zones_are_found_before_anything_is_isolated(hotplug, reason):
    keys = REFUSED[reason][0]
    assert not [e for e in offline(hotplug(**keys)).events if e.kind in ("isolate", "drain", "dump")]


@pytest.mark.parametrize(("word", "number", "errno"), [
    ("online", 1, "EINVAL"), ("offline", 5, "EINVAL"), ("nonsense", 1, "EINVAL"), ("online", 99, "ENOENT")])
def test_a_block_that_is_in_that_state_already(hotplug, word, number, errno):
    result = hotplug(5).attempt("write", f"memory{number}/state", word)
    assert (result.errno, told(result)) == (errno, [])


def test_a_block_is_going_offline_meanwhile(hotplug):
    machine = hotplug()
    result = offline(machine)
    assert [e.data[1] for e in result.events if e.kind == "state"] == ["going-offline", "offline"]


def test_a_failed_attempt_leaves_all_pageblocks_movable(hotplug):
    machine = hotplug()
    machine.set_pageblock(MOVABLE + 5120, "Unmovable")
    machine.place(MOVABLE + 10240, "reserved")
    assert offline(machine).errno == "EBUSY"
    assert machine.kernel.memmap.get_pageblock_migratetype(MOVABLE + 5120) == 1


# -- offline: what is moved, skipped, or loops ---------------------------------------------------------


@pytest.mark.parametrize("kind", ["lru", "movable_ops", "balloon", "pagevec"])
def test_movable_pages_are_migrated(hotplug, kind):
    machine = hotplug()
    machine.place(MOVABLE + 7, kind, 5)
    result = offline(machine)
    assert result.errno == "0"
    assert sum(e.data[2] for e in result.events if e.kind == "migrate") == 5


@pytest.mark.parametrize("kind", ["hwpoison", "hwpoison_buddy", "offline_ref0", "hugetlb_free"])
def test_some_pages_are_stepped_over(hotplug, kind):
    machine = hotplug()
    machine.place(MOVABLE + 512, kind)
    result = offline(machine)
    assert (result.errno, [e for e in result.events if e.kind == "migrate"]) == ("0", [])


def test_a_pinned_page_makes_the_scan_loop(hotplug):
    machine = hotplug()
    machine.place(MOVABLE + 7, "lru_pinned")
    result = offline(machine)
    assert result.errno == "ENDLESS"
    assert "migrating pfn 8007 failed ret:1" in result.log
    assert "page dumped because: migration failure" in result.log
    assert told(result) == ["GOING_OFFLINE", "CANCEL_OFFLINE"]


@pytest.mark.parametrize("kind", ["slab", "slab_compound"])
def test_a_page_that_the_scan_does_not_find_makes_the_test_loop(hotplug, kind):
    machine = hotplug()
    machine.place(MOVABLE + 7 if kind == "slab" else MOVABLE, kind)
    result = offline(machine)
    assert (result.errno, result.log) == ("ENDLESS", [])


def test_beside_a_page_to_migrate_such_a_page_is_reported(hotplug):
    machine = hotplug()
    machine.place(MOVABLE, "lru")
    machine.place(MOVABLE + 7, "slab")
    result = offline(machine)
    assert [e.data for e in result.events if e.text == "isolation failed"] == [MOVABLE + 7]
    assert "failed to isolate pfn 8007" in result.log


@pytest.mark.parametrize("kind", ["lru_pinned", "slab"])
@pytest.mark.parametrize("rounds", [0, 1, 5])
def test_a_signal_ends_both_loops(hotplug, kind, rounds):
    machine = hotplug()
    machine.place(MOVABLE + 7, kind)
    machine.signal(rounds)
    assert offline(machine).errno == "EINTR"
    assert offline(machine).errno == "ENDLESS"  # the signal was for one attempt


@pytest.mark.parametrize("kind", ["lru_pinned", "slab"])
def test_both_loops_end_when_the_page_is_given_back(hotplug, kind):
    machine = hotplug()
    machine.place(MOVABLE + 7, kind, 1, "held")
    machine.free_after("held", 3)
    assert offline(machine).errno == "0"


def test_a_pin_dropped_in_time_lets_the_page_go(hotplug):
    machine = hotplug()
    machine.place(MOVABLE + 7, "lru_pinned", 1, "held")
    machine.unpin_after("held", 3)
    result = offline(machine)
    assert result.errno == "0"
    assert sum("migrating pfn 8007 failed" in line for line in result.log) == 3


def test_without_room_elsewhere_offlining_does_not_end(hotplug):
    machine = hotplug()
    machine.allocate("all", "256M")
    assert offline(machine).errno == "ENDLESS"


# -- adding and removing -------------------------------------------------------------------------------


@pytest.mark.parametrize(("policy", "block"), [
    ("offline", "offline Normal Movable"), ("online", "online Normal"), ("online_kernel", "online Normal"),
    ("online_movable", "online Movable")])
def test_added_memory_is_onlined_by_policy(hotplug, policy, block):
    machine = hotplug(5, cmdline=f"memhp_default_state={policy}")
    assert f"{machine.read('memory5/state')} {machine.read('memory5/valid_zones')}" == block


def test_a_failed_auto_online_is_no_error_of_add_memory(hotplug, drive):
    machine = hotplug(cmdline="memhp_default_state=online")
    machine.notifier("no", "MEM_GOING_ONLINE")
    assert drive(machine, memory_hotplug.add_memory(machine.kernel, 5)) == 0
    assert machine.read("memory5/state") == "offline"


def test_the_same_block_is_not_added_twice(hotplug, drive):
    machine = hotplug(5)
    assert drive(machine, memory_hotplug.add_memory(machine.kernel, 5)) == -EEXIST


def test_only_an_offline_block_can_be_removed(hotplug, drive):
    machine = hotplug()
    assert drive(machine, memory_hotplug.remove_memory(machine.kernel, 1)) == -EBUSY
    assert "removing memory fails, because memory [mem 0x08000000-0x0fffffff] is onlined" in machine.trace.lines()
    machine.write("memory1/state", "offline")
    assert drive(machine, memory_hotplug.remove_memory(machine.kernel, 1)) == 0
    assert machine.attempt("read", "memory1/state").errno == "ENOENT"


@pytest.mark.parametrize("before", ["online", "offline"])
def test_offline_and_remove_takes_both_states(hotplug, drive, before):
    machine = hotplug(5)
    if before == "online":
        machine.write("memory5/state", "online")
    assert drive(machine, memory_hotplug.offline_and_remove_memory(machine.kernel, 5)) == 0
    assert 5 not in machine.kernel.memory_blocks


def test_offline_and_remove_leaves_a_block_that_can_not_go(hotplug, drive):
    machine = hotplug()
    machine.place(MOVABLE, "reserved")
    assert drive(machine, memory_hotplug.offline_and_remove_memory(machine.kernel, 1)) == -EBUSY
    assert machine.read("memory1/state") == "online"


def test_nothing_points_to_the_pages_of_an_offline_block(hotplug):
    machine = hotplug()
    machine.place(MOVABLE + 7, "hwpoison_buddy")
    machine.place(MOVABLE + 9, "lru", 1, "held")
    machine.write("memory1/state", "offline")
    assert machine.kernel.zones[3].poisoned == set()
    assert [pfn >> 15 for pfn, _ in machine.pages.runs(machine.pages.held("held"))] == [0]
