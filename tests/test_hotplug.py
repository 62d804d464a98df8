"""virtio-mem and memory hotplug: the state of a block at each event, and the life of an unplugged page."""

import pytest

from mmsim import STAGES, KernelPanic
from mmsim.mm.kernel import MemoryNotify
from mmsim.mm.memmap import CODE
from mmsim.mm.memory_block import NOTIFY_BAD, NOTIFY_OK
from mmsim.mm.mmzone import PAGES_PER_SECTION

PAGES = MemoryNotify(4 << 15, PAGES_PER_SECTION)
STATES = ("UNUSED", "PLUGGED", "OFFLINE", "OFFLINE_PARTIAL", "ONLINE", "ONLINE_PARTIAL")
WORDS = {"Normal": "online_kernel", "Movable": "online_movable"}


@pytest.fixture
def in_state(virtio):
    """A machine whose block 4 the driver holds to be in a state, with its pages in a zone."""

    def boot(state, zone="Normal", patches=STAGES[-1]):
        machine = virtio(patches, requested="128M")
        machine.write("memory4/state", WORDS[zone])
        machine.driver.set_state(4, state)
        return machine

    return boot


def notify(machine, drive, action):
    """What the driver answers, and what it says."""
    mark = len(machine.trace)
    answer = drive(machine, machine.driver.memory_notifier_cb(action, PAGES))
    return answer, [line.removeprefix("virtio_mem virtio0: ") for line in machine.trace.lines(mark)]


# -- state transitions ---------------------------------------------------------------------------------

DENIED = "memory block onlining denied"
HOLES = "memory block has holes, MOVABLE not supported"

# from state: what GOING_ONLINE to a kernel zone says (None: yes)
GOING_ONLINE = {"UNUSED": DENIED, "PLUGGED": DENIED, "OFFLINE": None, "OFFLINE_PARTIAL": None, "ONLINE": DENIED,
                "ONLINE_PARTIAL": DENIED}
# from state: the state after the event, or BUG
ONLINE = {"UNUSED": "BUG", "PLUGGED": "BUG", "OFFLINE": "ONLINE", "OFFLINE_PARTIAL": "ONLINE_PARTIAL", "ONLINE": "BUG",
          "ONLINE_PARTIAL": "BUG"}
OFFLINE = {"UNUSED": "BUG", "PLUGGED": "BUG", "OFFLINE": "BUG", "OFFLINE_PARTIAL": "BUG", "ONLINE": "OFFLINE",
           "ONLINE_PARTIAL": "OFFLINE_PARTIAL"}

BEFORE = {  # patch 5: where it differs from these in ZONE_MOVABLE
    "going_online": {**GOING_ONLINE, "OFFLINE_PARTIAL": HOLES},
    "online": {**ONLINE, "OFFLINE": "ONLINE_MOVABLE"},
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(("zone", "patches", "row"), [
    ("Normal", (), GOING_ONLINE), ("Normal", (5,), GOING_ONLINE), ("Movable", (5,), GOING_ONLINE),
    ("Movable", (), BEFORE["going_online"]), ("Movable", (1, 2, 3, 4, 6), BEFORE["going_online"]),
])
def test_going_online(in_state, drive, state, zone, patches, row):
    machine = in_state(state, zone, patches)
    answer, log = notify(machine, drive, "MEM_GOING_ONLINE")
    assert (answer, log) == ((NOTIFY_OK, []) if row[state] is None else (NOTIFY_BAD, [row[state]]))
    assert machine.driver.mb_state[4] == state
    assert machine.driver.hotplug_mutex.owner is not None  # until it is online, or cancelled


@pytest.mark.parametrize(("state", "line"), [("OFFLINE_PARTIAL", HOLES), ("PLUGGED", DENIED)])
def test_a_refusal_is_reported_ten_times_in_a_step(in_state, drive, state, line):
    machine = in_state(state, "Movable", ())
    said = []
    for _ in range(12):
        said += notify(machine, drive, "MEM_GOING_ONLINE")[1]
        machine.driver.hotplug_mutex.unlock()
    assert said == [line] * 10
    machine.wait(0)
    limited = "virtio_mem_notify_going_online: 2 callbacks suppressed"
    assert notify(machine, drive, "MEM_GOING_ONLINE")[1] == [limited, line]


def after(machine, drive, event):
    try:
        drive(machine, machine.driver.memory_notifier_cb(event, PAGES))
    except KernelPanic:
        return "BUG"
    return machine.driver.mb_state[4]


def begin(machine, drive):
    """The event before."""
    drive(machine, machine.driver.hotplug_mutex.lock(machine.kernel.current))
    machine.driver.hotplug_active = True


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(("zone", "patches", "row"), [
    ("Normal", (), ONLINE), ("Normal", (5,), ONLINE), ("Movable", (5,), ONLINE)])
def test_online(in_state, drive, state, zone, patches, row):
    machine = in_state(state, zone, patches)
    begin(machine, drive)
    assert after(machine, drive, "MEM_ONLINE") == row[state]


@pytest.mark.parametrize("state", [state for state in STATES if state != "OFFLINE_PARTIAL"])
def test_online_in_zone_movable_before_patch_5(in_state, drive, state):
    machine = in_state(state, "Movable", ())
    begin(machine, drive)
    assert after(machine, drive, "MEM_ONLINE") == BEFORE["online"][state]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(("zone", "patches"), [("Normal", ()), ("Normal", (5,)), ("Movable", (5,))])
def test_offline(in_state, drive, state, zone, patches):
    machine = in_state(state, zone, patches)
    begin(machine, drive)
    assert after(machine, drive, "MEM_OFFLINE") == OFFLINE[state]


def test_offline_of_a_movable_block_before_patch_5(in_state, drive):
    machine = in_state("ONLINE_MOVABLE", "Movable", ())
    begin(machine, drive)
    assert after(machine, drive, "MEM_OFFLINE") == "OFFLINE"


@pytest.mark.parametrize("event", ["MEM_CANCEL_ONLINE", "MEM_CANCEL_OFFLINE"])
@pytest.mark.parametrize("state", STATES)
def test_a_cancellation_never_changes_the_state(in_state, drive, state, event):
    machine = in_state(state)
    begin(machine, drive)
    assert after(machine, drive, event) == state
    assert machine.driver.hotplug_mutex.owner is None
    assert not machine.driver.hotplug_active


@pytest.mark.parametrize("event", ["MEM_CANCEL_ONLINE", "MEM_CANCEL_OFFLINE"])
def test_a_cancellation_of_what_never_came_is_ignored(virtio, drive, event):
    machine = virtio(requested="64M")
    machine.write("memory4/state", "online")
    managed = machine.kernel.zones[2].managed_pages
    assert notify(machine, drive, event) == (NOTIFY_OK, [])
    assert machine.kernel.zones[2].managed_pages == managed


@pytest.mark.parametrize("event", ["MEM_ONLINE", "MEM_OFFLINE"])
def test_the_mutex_is_free_when_the_hotplug_is_over(virtio, event):
    machine = virtio(requested="64M")
    machine.write("memory4/state", "online")
    if event == "MEM_OFFLINE":
        machine.write("memory4/state", "offline")
    assert (machine.driver.hotplug_mutex.owner, machine.driver.hotplug_active) == (None, False)


@pytest.mark.parametrize("event", ["MEM_GOING_ONLINE", "MEM_GOING_OFFLINE"])
def test_a_driver_that_is_being_removed_refuses_and_keeps_no_mutex(in_state, drive, event):
    machine = in_state("ONLINE")
    machine.driver.removing = True
    assert notify(machine, drive, event) == (0x8011, [])  # notifier_from_errno(-EBUSY)
    assert machine.driver.hotplug_mutex.owner is None


@pytest.mark.parametrize("event", ["MEM_GOING_ONLINE", "MEM_ONLINE", "MEM_GOING_OFFLINE", "MEM_OFFLINE"])
def test_blocks_of_others_are_none_of_its_business(virtio, drive, event):
    machine = virtio()
    answer = drive(machine, machine.driver.memory_notifier_cb(event, MemoryNotify(0, PAGES_PER_SECTION)))
    assert (answer, machine.driver.hotplug_mutex.owner) == (NOTIFY_OK, None)


# how a state is reached and left by plugging and unplugging: (words written, sizes), the state after each size
BY_REQUESTS = {
    "OFFLINE: some, then the last subblock unplugged": (None, {
        "128M": "OFFLINE", "64M": "OFFLINE_PARTIAL", "32M": "OFFLINE_PARTIAL", "0": "UNUSED"}),
    "OFFLINE_PARTIAL: the last hole plugged": (None, {"60M": "OFFLINE_PARTIAL", "128M": "OFFLINE", "0": "UNUSED"}),
    "ONLINE: some, then the last subblock unplugged": ("online_kernel", {
        "128M": "ONLINE", "64M": "ONLINE_PARTIAL", "32M": "ONLINE_PARTIAL", "0": "UNUSED"}),
    "ONLINE_PARTIAL: the last hole plugged": ("online_kernel", {
        "128M": "ONLINE", "60M": "ONLINE_PARTIAL", "124M": "ONLINE_PARTIAL", "128M ": "ONLINE"}),
    "the same in ZONE_MOVABLE": ("online_movable", {
        "128M": "ONLINE", "60M": "ONLINE_PARTIAL", "128M ": "ONLINE", "0": "UNUSED"}),
}  # fmt: skip


@pytest.mark.parametrize("case", BY_REQUESTS)
def test_plugging_and_unplugging(virtio, case):
    word, sizes = BY_REQUESTS[case]
    machine, seen = virtio(), []
    for size in sizes:
        machine.resize(size.strip())
        if word and machine.driver.mb_state[4].startswith("OFFLINE"):
            machine.write("memory4/state", word)
        seen.append(machine.driver.mb_state[4])
    assert seen == list(sizes.values())


def test_before_patch_5_a_movable_block_is_never_unplugged(virtio):
    machine = virtio((1, 2, 3, 4), requested="128M")
    machine.write("memory4/state", "online_movable")
    assert machine.driver.mb_state[4] == "ONLINE_MOVABLE"
    for size in ("64M", "0"):
        assert not [e for e in machine.attempt("resize", size).events if e.kind in ("request", "isolate")]
    assert machine.driver.mb_state[4] == "ONLINE_MOVABLE"


def test_a_block_follows_the_rows_from_zone_to_zone(virtio):
    machine, seen = virtio((), requested="128M"), []
    for word in ("online_kernel", "offline", "online_movable", "offline", "online_kernel"):
        machine.write("memory4/state", word)
        seen.append(machine.driver.mb_state[4])
    assert seen == ["ONLINE", "OFFLINE", "ONLINE_MOVABLE", "OFFLINE", "ONLINE"]


@pytest.mark.parametrize(("patches", "errno", "state"), [
    ((), "EPERM", "OFFLINE_PARTIAL"), ((5,), "0", "ONLINE_PARTIAL")])
def test_user_space_sees_patch_5_as_an_errno(virtio, patches, errno, state):
    machine = virtio(patches, requested="64M")
    result = machine.attempt("write", "memory4/state", "online_movable")
    assert (result.errno, machine.driver.mb_state[4]) == (errno, state)
    assert (f"virtio_mem virtio0: {HOLES}" in result.log) == (errno != "0")


@pytest.mark.parametrize(("patches", "states"), [
    ((), {4: "ONLINE_MOVABLE", 5: "OFFLINE_PARTIAL"}), ((5,), {4: "ONLINE", 5: "ONLINE_PARTIAL"})])
def test_auto_onlining_to_zone_movable_leaves_the_last_block_behind_before_patch_5(virtio, patches, states):
    machine = virtio(patches, "memhp_default_state=online_movable", requested="192M")
    assert machine.driver.mb_state == states


def test_the_counts_of_states_follow(virtio):
    machine = virtio(requested="444M")
    machine.write("memory5/state", "online")
    assert {state: n for state, n in machine.driver.nb_mb_state.items() if n} == {
        "OFFLINE": 2, "OFFLINE_PARTIAL": 1, "ONLINE": 1}


# -- the life of an unplugged page ---------------------------------------------------------------------

HOLE, USED = (4 << 15) + 16 * 1024, 4 << 15  # in the first subblock not plugged of 64M; in the first one plugged


def life(machine, pfn):
    """PG_offline, PG_dirty, reference count, in the buddy?"""
    kind = machine.kernel.memmap.kind(pfn)
    return kind.offline, kind.dirty, machine.kernel.page_count(pfn), kind.buddy


def counters(machine):
    """Present and managed pages of the added block, wherever it is."""
    zone = machine.kernel.page_zone(4 << 15)
    boot = 32768 if zone.name == "Normal" else 0
    return zone.present_pages - boot, zone.managed_pages - boot


@pytest.mark.parametrize("word", ["online_kernel", "online_movable"])
def test_the_life_of_a_page(virtio, word):
    machine = virtio(requested="64M")
    machine.write("memory4/state", word)
    assert life(machine, HOLE) == (True, True, 1, False)  # never was in the buddy
    assert life(machine, USED) == (False, False, 0, True)
    assert counters(machine) == (32768, 16384)
    machine.resize("68M")
    assert life(machine, HOLE) == (False, False, 0, True)
    assert counters(machine) == (32768, 17 * 1024)
    machine.resize("64M")
    assert life(machine, HOLE) == (True, False, 1, False)
    assert counters(machine) == (32768, 16384)
    machine.resize("68M")
    assert life(machine, HOLE) == (False, False, 0, True)
    assert counters(machine) == (32768, 17 * 1024)


def spy(machine, pfn):
    """What a page and its zone look like at each event of the notifier chain, behind the driver."""
    seen = {}

    async def look(action, arg):
        seen[action] = (machine.kernel.page_count(pfn), counters(machine)[1])
        return NOTIFY_OK

    machine.notifier("spy")
    machine.kernel.notifiers[-1].call = look
    return seen


def test_no_page_counts_before_the_block_is_online(virtio):
    machine = virtio(requested="64M")
    seen = spy(machine, HOLE)
    machine.write("memory4/state", "online_movable")
    assert seen == {"MEM_GOING_ONLINE": (1, 0), "MEM_ONLINE": (1, 16384)}


@pytest.mark.parametrize("again", [False, True])
def test_the_reference_is_dropped_for_offlining(virtio, again):
    """Both for pages that never were in the buddy and for those that were."""
    machine = virtio(requested="128M" if again else "64M")
    machine.write("memory4/state", "online_movable")
    machine.resize("64M")
    seen = spy(machine, HOLE)
    machine.write("memory4/state", "offline")
    assert seen["MEM_GOING_OFFLINE"] == (0, 32768)  # so that the core may subtract the whole block
    assert machine.kernel.zones[3].managed_pages == machine.kernel.zones[3].present_pages == 0
    machine.write("memory4/state", "online_movable")
    assert life(machine, HOLE) == (True, True, 1, False)


@pytest.mark.parametrize("again", [False, True])
def test_the_reference_is_taken_again_when_offlining_fails(virtio, again):
    machine = virtio(requested="128M" if again else "64M")
    machine.write("memory4/state", "online_movable")
    machine.resize("64M")
    machine.place(USED, "lru_pinned")
    machine.signal(1)
    before = life(machine, HOLE), counters(machine)
    seen = spy(machine, HOLE)
    assert machine.attempt("write", "memory4/state", "offline").errno == "EINTR"
    assert seen == {"MEM_GOING_OFFLINE": (0, 32768), "MEM_CANCEL_OFFLINE": (1, 16384)}
    assert (life(machine, HOLE), counters(machine)) == before


def test_between_the_undo_and_the_cancellation_nobody_can_allocate_such_a_page(virtio):
    machine = virtio(requested="64M")
    machine.write("memory4/state", "online_movable")
    machine.notifier("no", "MEM_GOING_OFFLINE")
    assert machine.attempt("write", "memory4/state", "offline").errno == "EPERM"
    assert not [head for lists in machine.kernel.zones[3].free_area for area in lists for head in area if head >= HOLE]


def test_without_the_driver_a_partial_block_can_not_be_offlined(virtio):
    machine = virtio(requested="64M")
    machine.write("memory4/state", "online_movable")
    machine.unbind()
    result = machine.attempt("write", "memory4/state", "offline")
    assert result.errno == "EBUSY"
    assert any(e.text.endswith("failed due to unmovable page") for e in result.events)


def test_a_further_reference_to_an_unplugged_page_is_reported(virtio):
    machine = virtio(requested="64M")
    machine.write("memory4/state", "online_movable")
    machine.ref(HOLE + 3, 1)
    result = machine.attempt("write", "memory4/state", "offline")
    assert result.errno == "EBUSY"
    assert [e.data for e in result.events if e.text == "unplugged page referenced"] == [HOLE + 3]
    assert sum(e.kind == "warn" for e in result.events) == 1
    machine.ref(HOLE + 3, -1)
    assert machine.attempt("write", "memory4/state", "offline").errno == "0"


@pytest.mark.parametrize("patched", [(), (1, 2, 3, 4, 5, 6)])
def test_a_reference_that_its_driver_no_longer_has_is_reported_each_time(virtio, patched):
    """0 becomes -1, which keeps the block from going offline, and 0 again."""
    machine = virtio(patched, requested="64M")
    machine.write("memory4/state", "online_kernel")
    machine.ref(HOLE + 3, -1)
    for _ in range(2):
        result = machine.attempt("write", "memory4/state", "offline")
        assert (result.errno, sum(e.kind == "warn" for e in result.events)) == ("EBUSY", 1)
        assert [e.data for e in result.events if e.text == "unplugged page referenced"] == [HOLE + 3]
        assert "refcount:-1 " in next(line for line in result.log if line.startswith("page:"))
        assert machine.kernel.page_count(HOLE + 3) == 0


@pytest.mark.parametrize(("delta", "errno"), [(1, "ENOMEM"), (-1, "ENOMEM"), (0, "0")])
def test_only_a_page_with_the_drivers_reference_alone_is_handed_out_again(virtio, delta, errno):
    machine = virtio(requested="128M", cmdline="memhp_default_state=online_movable")
    machine.resize("124M")
    page = (4 << 15) + 32000
    machine.ref(page, delta)
    result = machine.attempt("resize", "128M")
    assert ("1 pages are still in use!" in result.log) == (delta != 0)
    zone = machine.kernel.zones[3]
    assert (zone.managed_pages, zone.nr_free_pages) == (32768, 32768 - abs(delta))
    assert machine.kernel.page_count(page) == delta
    assert machine.attempt("allocate", "it", "4K", within=(page, page + 1)).errno == errno
    if delta == 1:  # whoever has it lets go of it
        machine.ref(page, -1)
        assert zone.nr_free_pages == 32768
    machine.resize("124M")  # another subblock has to go, if this one is still in use
    assert machine.driver.sb_plugged(4)[31] == (delta == -1)


def test_a_page_that_never_was_in_the_buddy_goes_there_whatever_its_references(virtio):
    """set_page_count(page, 0) in __free_pages_core() of mm/page_alloc.c."""
    machine = virtio(requested="124M", cmdline="memhp_default_state=online_movable")
    machine.ref((4 << 15) + 32000, 1)
    machine.ref((4 << 15) + 32001, -1)
    result = machine.attempt("resize", "128M")
    assert not [e for e in result.events if e.kind == "warn"]
    assert machine.kernel.zones[3].nr_free_pages == 32768
    assert machine.kernel.memmap.refs == {}


def test_pages_without_a_driver_are_no_subblocks(virtio):
    machine = virtio()
    machine.write("memory0/state", "offline")
    machine.write("memory0/state", "online")
    assert machine.kernel.memmap.kind(0).name == "free"


@pytest.mark.parametrize("kind", ["offline_dirty", "offline"])
def test_fake_online_undoes_both_ways_of_being_offline(virtio, kind):
    machine = virtio(requested="64M")
    machine.write("memory4/state", "online_kernel")
    machine.kernel.memmap.fill(HOLE, HOLE + 1024, CODE[kind])
    machine.driver.fake_online(HOLE, HOLE + 1024)
    assert life(machine, HOLE) == (False, False, 0, True)
    assert counters(machine) == (32768, 17 * 1024)
