"""The guest's virtio-mem driver: its order of growing and shrinking, its answers to errors, its retry timer."""

import pytest

from mmsim import STAGES, Machine
from mmsim.virtio_mem.driver import VirtioMem

MIB = 1 << 20


def requests(result):
    return [e.text for e in result.events if e.kind == "request"]


def states(machine):
    return {n: state for n, state in sorted(machine.driver.mb_state.items()) if state != "UNUSED"}


def plugged(machine):
    """Plugged subblocks of each block that has any."""
    return {n: sum(sb) for n, sb in sorted(machine.driver.plugged_subblocks.items()) if any(sb)}


@pytest.fixture
def grown(virtio):
    """A machine with memory plugged, and the blocks named set to a word."""

    def boot(size, words=(), patches=STAGES[-1], **device):
        machine = virtio(patches, requested=size, **device)
        for number, word in dict(words).items():
            machine.write(f"memory{number}/state", word)
        return machine

    return boot


# -- sizes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("block", "subblock", "count"), [
    ("1M", 4, 32), ("2M", 4, 32), ("4M", 4, 32), ("8M", 8, 16), ("64M", 64, 2), ("128M", 128, 1)])
def test_a_subblock_is_at_least_the_largest_buddy(virtio, block, subblock, count):
    driver = virtio(block=block).driver
    assert (driver.subblock_size, driver.nb_sb_per_mb) == (subblock * MIB, count)


@pytest.mark.parametrize(("addr", "region", "first", "last"), [
    ("512M", "768M", 4, 9), ("514M", "768M", 5, 9), ("512M", "770M", 4, 9),
    ("638M", "254M", 5, 5), ("638M", "4M", 5, 4)])
def test_only_whole_blocks_of_the_region_are_used(virtio, addr, region, first, last):
    driver = virtio(addr=addr, region=region).driver
    assert (driver.first_mb_id, driver.last_mb_id) == (first, last)


def test_a_device_block_larger_than_a_memory_block_is_refused(virtio):
    machine = virtio(block="256M")
    assert machine.probe_errno == -22
    assert machine.trace.lines()[-1] == "virtio_mem virtio0: The block size is not supported (too big)."
    assert machine.kernel.notifiers == []


def test_probe_says_the_sizes(virtio):
    name = "virtio_mem virtio0: "
    lines = [line.removeprefix(name) for line in virtio().trace.lines() if line.startswith(name)]
    assert lines == [
        "start address: 0x20000000", "region size: 0x30000000", "device block size: 0x200000",
        "memory block size: 0x8000000", "subblock size: 0x400000", "nid: 0", "plugged size: 0x0", "requested size: 0x0",
    ]  # fmt: skip


@pytest.mark.parametrize(("addr", "region", "word"), [("514M", "766M", "start"), ("512M", "770M", "end")])
def test_an_unaligned_region_is_warned_of(virtio, addr, region, word):
    text = f"The alignment of the physical {word} address can make some memory unusable."
    assert any(text in line for line in virtio(addr=addr, region=region).trace.lines())


def test_memory_left_plugged_is_unplugged_first(virtio):
    machine = virtio(plugged="64M", requested="128M")
    assert [e.text for e in machine.trace.since(0, "request")] == ["UNPLUG_ALL", "PLUG 4 0 32"]
    assert "virtio_mem virtio0: unplugging all memory is required" in machine.trace.lines()
    assert plugged(machine) == {4: 32}


# -- growing -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "blocks", "state"), [
    ("2M", {}, {}),
    ("4M", {4: 1}, {4: "OFFLINE_PARTIAL"}),
    ("6M", {4: 1}, {4: "OFFLINE_PARTIAL"}),
    ("128M", {4: 32}, {4: "OFFLINE"}),
    ("200M", {4: 32, 5: 18}, {4: "OFFLINE", 5: "OFFLINE_PARTIAL"}),
    ("768M", dict.fromkeys(range(4, 10), 32), dict.fromkeys(range(4, 10), "OFFLINE")),
])
def test_new_blocks_are_added_from_below_and_a_remainder_is_left(virtio, size, blocks, state):
    machine = virtio(requested=size)
    assert (plugged(machine), states(machine)) == (blocks, state)
    assert machine.driver.plugged_size == machine.device.size == sum(blocks.values()) * 4 * MIB
    assert machine.driver.rc == 0


def test_partial_blocks_are_filled_first_then_used_blocks_then_new_ones(grown):
    machine = grown("512M", {4: "online_kernel", 5: "online_kernel"})
    machine.resize("252M")  # memory7 and memory6 go, and one subblock of memory5
    assert plugged(machine) == {4: 32, 5: 31}
    result = machine.attempt("resize", "768M")
    assert requests(result) == ["PLUG 5 31 1", "PLUG 6 0 32", "PLUG 7 0 32", "PLUG 8 0 32", "PLUG 9 0 32"]


@pytest.mark.parametrize(("online", "offline"), [(4, 5), (5, 4)])
def test_holes_of_an_online_block_are_filled_before_those_of_an_offline_one(grown, online, offline):
    machine = grown("256M", {4: "online_kernel", 5: "online_kernel"})
    machine.place(f"block:{offline}+31744", "slab", 1, "high")
    machine.place(f"block:{online}+31744", "slab", 1, "other")
    machine.resize("8M")
    assert plugged(machine) == {4: 1, 5: 1}
    machine.free("high")
    machine.write(f"memory{offline}/state", "offline")
    assert requests(machine.attempt("resize", "144M"))[0].split()[:2] == ["PLUG", str(online)]


def test_holes_are_filled_from_below_and_each_run_with_one_request(grown):
    machine = grown("128M", {4: "online_kernel"})
    for subblock in (3, 4, 9):
        machine.alloc_contig(f"block:4+{subblock * 1024}", f"block:4+{subblock * 1024 + 1024}", name=f"sb{subblock}")
    machine.resize("12M")  # keeps the three that are in use
    assert plugged(machine) == {4: 3}
    assert requests(machine.attempt("resize", "64M")) == ["PLUG 4 0 3", "PLUG 4 5 4", "PLUG 4 10 6"]


def test_what_is_plugged_into_an_online_block_can_be_used_at_once(grown):
    machine = grown("4M", {4: "online_kernel"})
    free = machine.kernel.zones[2].nr_free_pages
    machine.resize("64M")
    assert machine.kernel.zones[2].nr_free_pages == free + 15 * 1024


def test_growing_stops_at_ten_offline_blocks(virtio):
    machine = virtio(region="2G", requested="1536M")
    assert states(machine) == dict.fromkeys(range(4, 14), "OFFLINE")
    assert (machine.driver.rc, machine.driver.timer) == (-28, None)


def test_onlining_one_of_ten_offline_blocks_lets_growing_go_on(virtio):
    machine = virtio(region="2G", requested="1536M")
    result = machine.attempt("write", "memory4/state", "online_kernel")
    assert requests(result) == ["PLUG 14 0 32"]
    assert requests(machine.attempt("write", "memory5/state", "online_kernel")) == ["PLUG 15 0 32"]
    assert machine.driver.rc == 0


def test_the_usable_region_bounds_growing(virtio):
    machine = virtio(usable="256M", requested="512M")
    assert plugged(machine) == {4: 32, 5: 32}
    assert (machine.driver.rc, machine.driver.timer) == (-28, None)


@pytest.mark.parametrize(("error", "timer"), [("ENOMEM", True), ("EBUSY", True), ("ENOSPC", False)])
def test_a_block_that_can_not_be_added_is_unplugged_again(virtio, error, timer):
    machine = virtio()
    machine.fail("add_memory", error)
    result = machine.attempt("resize", "64M")
    assert requests(result) == ["PLUG 4 0 16", "UNPLUG 4 0 16"]
    assert states(machine) == {}
    assert any(f"adding memory block 4 failed with {machine.driver.rc}" in line for line in result.log)
    assert (machine.driver.timer is not None) == timer


def test_a_block_that_can_neither_be_added_nor_unplugged_is_unplugged_first_the_next_time(virtio):
    machine = virtio()
    machine.fail("add_memory", "ENOMEM")
    machine.device_answers(["ACK", "BUSY"])
    machine.resize("64M")
    assert (states(machine), plugged(machine)) == ({4: "PLUGGED"}, {4: 16})
    result = machine.attempt("wait", 50)
    assert requests(result) == ["UNPLUG 4 0 16", "PLUG 4 0 16"]
    assert states(machine) == {4: "OFFLINE_PARTIAL"}


# -- shrinking -----------------------------------------------------------------------------------------


def test_offline_blocks_go_before_online_ones_partial_before_full_high_before_low(grown):
    machine = grown("508M", {4: "online_kernel", 7: "online_kernel"})  # 7 is partial
    result = machine.attempt("resize", "0")
    assert requests(result)[:2] == ["UNPLUG 6 0 32", "UNPLUG 5 0 32"]
    assert [r.split()[1] for r in requests(result)[2:]] == ["7"] * 31 + ["4"]
    assert states(machine) == {}


def test_an_offline_partial_block_goes_first(grown):
    machine = grown("380M", {4: "online_kernel"})
    machine.write("memory6/state", "online_kernel")
    machine.write("memory6/state", "offline")
    assert requests(machine.attempt("resize", "376M")) == ["UNPLUG 6 30 1"]


def test_subblocks_of_an_offline_block_go_from_above_in_one_request(grown):
    machine = grown("128M")
    assert requests(machine.attempt("resize", "108M")) == ["UNPLUG 4 27 5"]
    assert states(machine) == {4: "OFFLINE_PARTIAL"}


def test_a_remainder_is_not_unplugged(grown):
    machine = grown("128M")
    assert requests(machine.attempt("resize", "126M")) == []
    assert (machine.driver.rc, machine.driver.timer) == (0, None)


@pytest.mark.parametrize("word", ["online_kernel", "online_movable"])
def test_a_whole_online_block_goes_with_one_request(grown, word):
    machine = grown("128M", {4: word})
    result = machine.attempt("resize", "0")
    assert requests(result) == ["UNPLUG 4 0 32"]
    assert "Offlined Pages 32768" in result.log
    assert 4 not in machine.kernel.memory_blocks


def test_a_busy_subblock_of_an_online_block_is_skipped(grown):
    machine = grown("128M", {4: "online_kernel"})
    machine.place("block:4+30000", "slab")  # in subblock 29
    assert requests(machine.attempt("resize", "108M")) == [f"UNPLUG 4 {n} 1" for n in (31, 30, 28, 27, 26)]
    assert machine.driver.rc == 0


def test_with_too_many_busy_subblocks_it_is_tried_again(grown):
    machine = grown("128M", {4: "online_kernel"})
    machine.place("block:4+30000", "slab")
    result = machine.attempt("resize", "0")
    assert plugged(machine) == {4: 1}
    assert (machine.driver.rc, machine.driver.timer) == (-16, (50_000, 50_000))
    assert [e.text for e in result.events if e.kind == "timer"] == ["virtio_mem: -EBUSY, tries again in 50 s"]


@pytest.mark.parametrize(("patches", "left"), [((1, 2, 3, 4), {4: 32}), ((1, 2, 3, 4, 5), {})])
def test_memory_in_zone_movable_is_unplugged_only_with_patch_5(grown, patches, left):
    machine = grown("128M", {4: "online_movable"}, patches)
    machine.resize("0")
    assert plugged(machine) == left
    assert machine.driver.rc == (-16 if left else 0)


def test_without_unplug_online_only_offline_blocks_shrink_and_nothing_is_tried_again(grown):
    machine = grown("256M", {4: "online_kernel"}, unplug_online=False)
    machine.resize("0")
    assert plugged(machine) == {4: 32}
    assert (machine.driver.rc, machine.driver.timer) == (0, None)


def test_an_empty_block_that_can_not_be_offlined_stays_and_nobody_cares(grown):
    machine = grown("128M", {4: "online_kernel"})
    machine.notifier("no", "MEM_GOING_OFFLINE")
    machine.resize("0")
    assert (states(machine), plugged(machine)) == ({4: "ONLINE_PARTIAL"}, {})
    assert (machine.driver.rc, machine.driver.timer) == (0, None)
    assert machine.kernel.zones[2].managed_pages == 32768  # of memory0


def test_users_are_moved_out_of_the_way(grown):
    machine = grown("128M", {4: "online_movable"})
    machine.allocate("user", "16M", within=("block:4+28672", "block:5"))
    result = machine.attempt("resize", "112M")
    assert sum(e.data[2] for e in result.events if e.kind == "migrate") == 4096
    assert plugged(machine) == {4: 28}


def test_no_memory_to_migrate_to_is_tried_again_later(virtio):
    machine = virtio(requested="128M")
    machine.write("memory4/state", "online_movable")
    machine.allocate("all", "256M")
    machine.resize("64M")
    assert plugged(machine) == {4: 32}
    assert (machine.driver.rc, machine.driver.timer) == (-12, (50_000, 50_000))
    machine.free("all")
    machine.wait(50)
    assert plugged(machine) == {4: 16}


# -- answers of the device -----------------------------------------------------------------------------

# answer: (result of the worker, timer armed?, broken?) when it comes to PLUG, UNPLUG and UNPLUG_ALL for ever
ANSWERS = {
    "PLUG BUSY": (-26, True, False),
    "PLUG ERROR": (-22, False, True),
    "UNPLUG BUSY": (-26, True, False),
    "UNPLUG NACK": (-12, True, False),
    "UNPLUG ERROR": (-22, False, True),
    "UNPLUG_ALL BUSY": (-26, True, False),
    "UNPLUG_ALL NACK": (-12, True, False),
    "UNPLUG_ALL ERROR": (-12, True, False),
}


@pytest.mark.parametrize("case", ANSWERS)
@pytest.mark.parametrize("words", [{}, {4: "online_kernel"}], ids=["offline", "online"])
def test_what_an_answer_means(grown, case, words):
    kind, answer = case.split()
    machine = grown("128M", words)
    if kind == "UNPLUG_ALL":
        machine.driver.unplug_all_required = True
    machine.device_answers([answer])
    machine.resize("256M" if kind == "PLUG" else "0")
    driver = machine.driver
    assert (driver.rc, driver.timer is not None, driver.broken) == ANSWERS[case]
    assert machine.device.size == driver.plugged_size == 128 * MIB
    assert plugged(machine) == {4: 32}


def test_a_nack_to_plug_is_tried_again_at_once(virtio):
    machine = virtio()
    machine.device_answers(["NACK", "NACK"])
    result = machine.attempt("resize", "64M")
    assert requests(result) == ["PLUG 4 0 16 NACK", "PLUG 4 0 16 NACK", "PLUG 4 0 16"]
    assert machine.driver.rc == 0


def test_memory_that_the_host_does_not_take_is_given_back(grown):
    machine = grown("128M", {4: "online_kernel"})
    zone = machine.kernel.zones[2]
    before = zone.managed_pages, zone.nr_free_pages
    machine.device_busy(True)
    machine.resize("64M")
    assert (zone.managed_pages, zone.nr_free_pages) == before
    assert states(machine) == {4: "ONLINE"}


def test_a_failing_request_for_an_offline_block_leaves_what_was_done(grown):
    """The first of two runs of subblocks is gone when the second is refused."""
    machine = grown("128M", {4: "online_kernel"})
    machine.place("block:4+30000", "slab", 1, "in the way")
    machine.resize("100M")
    machine.free("in the way")
    machine.write("memory4/state", "offline")
    machine.device_answers(["ACK", "BUSY"])
    result = machine.attempt("resize", "64M")
    assert requests(result) == ["UNPLUG 4 29 1", "UNPLUG 4 16 8 BUSY"]
    assert states(machine) == {4: "OFFLINE_PARTIAL"}


def test_a_broken_device_is_left_alone_for_good(virtio):
    machine = virtio()
    machine.device_answers(["ERROR"])
    result = machine.attempt("resize", "64M")
    assert "virtio_mem virtio0: unknown error, marking device broken: -22" in result.log
    assert requests(machine.attempt("resize", "128M")) == []
    assert requests(machine.attempt("wait", 1000)) == []


def test_a_change_of_the_configuration_holds_requests_back(virtio, drive):
    machine = virtio()
    machine.driver.config_changed = True
    machine.driver.mb_state[4] = "UNUSED"
    assert drive(machine, machine.driver.plug_sb(4, 0, 1)) == -11
    assert machine.device.size == 0


def test_the_sizes_are_read_again_after_a_change(virtio):
    result = virtio().attempt("resize", "64M")
    assert [line.removeprefix("virtio_mem virtio0: ") for line in result.log] == [
        "plugged size: 0x0", "requested size: 0x4000000"]


# -- the retry timer -----------------------------------------------------------------------------------


def runs(machine, seconds):
    """When the worker sent something, in whole seconds from now."""
    start = machine.trace.time
    result = machine.attempt("wait", seconds)
    return [round(e.time - start) for e in result.events if e.kind == "request"]


def test_the_delays_double_up_to_five_minutes(virtio):
    machine = virtio()
    machine.device_busy(True)
    machine.resize("4M")
    assert runs(machine, 1300) == [50, 150, 350, 650, 950, 1250]
    assert machine.driver.timer == (1_550_000, 300_000)


def test_success_resets_the_delay(virtio):
    machine = virtio()
    machine.device_busy(True)
    machine.resize("4M")
    machine.wait(200)
    machine.device_busy(False)
    machine.wait(200)
    assert (machine.driver.rc, machine.driver.timer, machine.driver.retry_timer_ms) == (0, None, 50_000)


def test_no_space_keeps_the_delay_and_starts_no_timer(virtio):
    machine = virtio(usable="128M")
    machine.device_busy(True)
    machine.resize("256M")
    machine.wait(50)
    machine.device_busy(False)
    machine.wait(100)
    assert (machine.driver.rc, machine.driver.timer) == (-28, None)
    assert machine.driver.retry_timer_ms == 200_000


def test_a_new_request_cancels_the_timer(virtio):
    machine = virtio()
    machine.device_busy(True)
    machine.resize("4M")
    machine.device_busy(False)
    machine.resize("8M")
    assert machine.driver.timer is None
    assert runs(machine, 1000) == []


@pytest.mark.parametrize(("seconds", "fired"), [(0, []), (49.999, []), (50, [50]), (149, [50]), (150, [50, 150])])
def test_the_timer_fires_as_soon_as_it_is_due(virtio, seconds, fired):
    machine = virtio()
    machine.device_busy(True)
    machine.resize("4M")
    assert runs(machine, seconds) == fired


def test_offlining_an_own_block_runs_the_worker(grown):
    machine = grown("128M", {4: "online_kernel"})
    machine.place("block:4", "slab", 1, "s")
    machine.resize("0")
    machine.free("s")
    result = machine.attempt("write", "memory4/state", "offline")
    assert requests(result) == ["UNPLUG 4 0 1"]
    assert states(machine) == {}


# -- remove --------------------------------------------------------------------------------------------


def test_unbinding_removes_partial_offline_blocks_and_leaves_the_rest(grown):
    machine = grown("444M", {4: "online_kernel", 5: "online_movable"})
    result = machine.attempt("unbind")
    assert states(machine) == {4: "ONLINE", 5: "ONLINE", 6: "OFFLINE"}
    assert 7 not in machine.kernel.memory_blocks
    assert "virtio_mem virtio0: device still has system memory added" in result.log
    assert machine.kernel.notifiers == []
    assert machine.kernel.online_page_callback is None


@pytest.mark.parametrize("size", ["0", "60M"])
def test_unbinding_says_nothing_if_no_memory_is_left(grown, size):
    assert grown(size).attempt("unbind").log == []


def test_an_unbound_driver_no_longer_hears_of_the_host(grown):
    machine = grown("64M")
    machine.unbind()
    assert requests(machine.attempt("resize", "256M")) == []
    assert requests(machine.attempt("wait", 1000)) == []


def test_unbinding_cancels_the_timer(virtio):
    machine = virtio()
    machine.device_busy(True)
    machine.resize("4M")
    machine.unbind()
    machine.device_busy(False)
    assert requests(machine.attempt("wait", 1000)) == []


def test_a_driver_needs_no_machine():
    machine = Machine(boot_memory="128M", zone_of=[], virtio_mem={"addr": "512M", "region": "256M"})
    other = VirtioMem(machine.kernel, machine.device)
    assert other.plugged_size == 0
    assert other.first_mb_id == 4
