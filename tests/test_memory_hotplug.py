"""Onlining and offlining memory blocks: the errno, who is told, and loops without an end."""

from errno import EBUSY, EEXIST

import pytest

from mmsim.mm import memory_hotplug

NORMAL, MOVABLE = 0, 32768


def told(result, name="*"):
    return [e.data[1].removeprefix("MEM_") for e in result.events if e.kind == "notify" and e.data[0] == name]


def offline(machine, number=1):
    return machine.attempt("write", f"memory{number}/state", "offline")


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
    zone = machine.kernel.zones[3]
    assert (zone.zone_start_pfn, zone.spanned_pages, zone.present_pages) == (MOVABLE, 32768, 32768)
    assert machine.read("memory8/state") == "offline"


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
    assert [event.data[0] for event in result.events if event.kind == "veto"] == ["no"]


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


@pytest.mark.parametrize("reason", ["memory holes", "multizone range"])
@pytest.mark.parametrize("file", ["state", "online"])
def test_holes_and_two_zones_are_refused_through_both_files(hotplug, reason, file):
    machine = hotplug(**REFUSED[reason][0])
    word = {"state": "offline", "online": "0"}[file]
    assert machine.attempt("write", f"memory1/{file}", word).errno == "EINVAL"
    assert (machine.read("memory1/state"), machine.read("memory1/online")) == ("online", "1")


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


def test_pages_that_stay_are_shown_ten_times_in_a_step(hotplug):
    """Those that can't be isolated and those that can't be migrated together: seven in each round."""
    machine = hotplug()
    machine.place(MOVABLE, "lru_pinned", 3)
    machine.place(MOVABLE + 7, "slab", 4)
    shown = [*range(MOVABLE + 7, MOVABLE + 11), *range(MOVABLE, MOVABLE + 3)]
    for left_out in (0, 4):
        machine.signal(2)
        result = offline(machine)
        assert [e.data for e in result.events if e.kind == "dump"] == (2 * shown)[:10]
        assert sum("failed to isolate" in line or "failed ret:3" in line for line in result.log) == 10
        suppressed = [line for line in result.log if "suppressed" in line]
        assert suppressed == ([f"do_migrate_range: {left_out} callbacks suppressed"] if left_out else [])


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


def test_owners_of_migrated_pages_follow_them(hotplug):
    machine = hotplug()
    machine.place(MOVABLE + 9, "lru", 1, "held")
    machine.write("memory1/state", "offline")
    assert [pfn >> 15 for pfn, _ in machine.pages.runs(machine.pages.held("held"))] == [0]


def test_what_was_held_in_a_removed_block_can_be_given_back(hotplug, drive):
    machine = hotplug()
    machine.place(MOVABLE, "offline_ref0", 3, "skipped")
    held = machine.pages.held("skipped")
    machine.write("memory1/state", "offline")
    assert held.sections == {}
    assert drive(machine, memory_hotplug.remove_memory(machine.kernel, 1)) == 0
    machine.free("skipped")


def remembered(machine):
    """The pages that are known one by one: counted references, poisoned free pages, and who holds what."""
    k, held = machine.kernel, machine.pages.held
    poisoned = set().union(*(zone.poisoned for zone in k.zones))
    return set(k.memmap.refs), poisoned, {name: machine.pages.runs(held(name)) for name in machine.pages.allocations}


@pytest.mark.parametrize(("gone", "other"), [(1, 0), (0, 1)])
def test_nothing_points_to_the_pages_of_an_offline_block_and_what_points_to_others_stays(hotplug, gone, other):
    machine = hotplug()
    for number in (0, 1):
        base = number << 15
        machine.place(base + 512, "hwpoison")
        machine.ref(base + 512, 2)
        machine.place(base + 7, "hwpoison_buddy")
        machine.place(base + 1024, "offline_ref0", 3, f"skipped{number}")
    machine.write(f"memory{gone}/state", "offline")
    base = other << 15
    assert remembered(machine) == ({base + 512}, {base + 7}, {
        f"skipped{gone}": [], f"skipped{other}": [(base + 1024, base + 1027)]})
    machine.write(f"memory{gone}/state", "online_movable")
    assert {machine.kernel.memmap.kind((gone << 15) + offset).name for offset in (7, 512, 1024)} == {"free"}
    assert machine.kernel.page_count((gone << 15) + 512) == 0


@pytest.mark.parametrize("nr_pages", [500, 512, 600])
def test_each_base_page_that_does_not_migrate_is_reported_and_a_huge_page_once(hotplug, nr_pages, monkeypatch):
    monkeypatch.setattr(memory_hotplug, "report", lambda k, pfn, text, reason: said.append(pfn))
    for kind, count, expected in (("lru_pinned", nr_pages, nr_pages), ("thp", 1, 1)):
        machine, said = hotplug(), []
        machine.place("block:1", kind, count, "pinned")
        if kind == "thp":
            machine.pin("pinned")
        machine.signal(after_rounds=1)
        assert offline(machine).errno == "EINTR"
        assert len(said) == expected
