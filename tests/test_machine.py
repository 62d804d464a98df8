"""A machine from outside: results, what it refuses and by what name, time, and the end after a panic."""

import errno
import pickle

import pytest

from mmsim import KernelPanic, Machine, Result
from mmsim.sim import errnos
from mmsim.sim.log import Event
from tests.invariants import fingerprint

NORMAL, MOVABLE = 0, 32768


# -- booting -------------------------------------------------------------------------------------------

# what no machine can be: the thing that the message names
IMPOSSIBLE = {
    "0 is no known change; known are 1, 2, 3, 4, 5, 6, restrict-movable-shortcut, drain-again": {"patches": {0, 6}},
    "'drain-twice' is no known change": {"patches": {1, "drain-twice"}},
    "'v5.9' is no known change": {"base": ["v5.9"]},
    "boot_memory": {"boot_memory": "64G"},
    "1M": {"boot_memory": "512K"},
    "whole pages": {"boot_memory": (1 << 30) + 1},
    "68X": {"boot_memory": "68X"},
    "'quiet'": {"cmdline": "quiet"},
    "movablecore: bad value 'lots'": {"cmdline": "movablecore=lots"},
    "unknown zone 'HighMem'": {"zone_of": [(0, 512, "HighMem")]},
    "is not inside boot memory": {"zone_of": [(0, "addr:3G", "Normal")]},
    "misaligned pfn in [1, 512)": {"zone_of": [(1, 512, "Normal")]},
    "'blocks'": {"virtio_mem": {"blocks": "2M"}},
    "is inside boot memory": {"virtio_mem": {"addr": "1G"}},
    "block: 3145728": {"virtio_mem": {"block": "3M"}},
    "addr: 0x100100000": {"virtio_mem": {"addr": "4097M"}},
    "region: 0x100000": {"virtio_mem": {"region": "1M"}},
    "requested size 0x140000000": {"virtio_mem": {"requested": "5G"}},
    "plugged size 0x140000000": {"virtio_mem": {"plugged": "5G"}},
    "multiple of the device's block size 0x8000000": {"virtio_mem": {"requested": "200M", "block": "128M"}},
}


@pytest.mark.parametrize("named", IMPOSSIBLE)
def test_an_impossible_machine_is_refused_by_name(named):
    with pytest.raises(ValueError, match=r".") as error:
        Machine(**IMPOSSIBLE[named])
    assert named in str(error.value)


@pytest.mark.parametrize("devices", [[{"addr": "4G"}, {"addr": "16G"}], "4G"])
def test_a_machine_has_one_device(devices):
    with pytest.raises(TypeError, match="a machine has one device, a dict such as") as error:
        Machine(virtio_mem=devices)
    assert repr(devices) in str(error.value)


def test_the_defaults():
    machine = Machine()
    assert machine.kernel.changes == {1, 2, 3, 4, 5, 6, "drain-again"}
    assert len(machine.kernel.memory_blocks) == 16
    assert machine.device is None
    assert machine.read("auto_online_blocks") == "offline"


@pytest.mark.parametrize(("keys", "changes"), [
    ({"patches": {1, 3}}, {1, 3, "drain-again"}),
    ({"patches": {1, 3, "drain-again"}}, {1, 3, "drain-again"}),
    ({"patches": (), "base": ()}, set()),
    ({"patches": {1, "restrict-movable-shortcut"}}, {1, "restrict-movable-shortcut", "drain-again"}),
])
def test_a_kernel_has_the_changes_named_and_those_of_its_base(keys, changes):
    kernel = Machine(**keys).kernel
    assert kernel.changes == changes
    assert kernel.patched("drain-again") == ("drain-again" in changes)


def test_the_device_has_defaults_too():
    machine = Machine(virtio_mem={})
    config = machine.device.config
    assert (config.addr, config.region_size, config.block_size) == (4 << 30, 4 << 30, 2 << 20)
    assert machine.driver.unplug_online
    assert machine.probe_errno == 0


# -- bad input -----------------------------------------------------------------------------------------

# method, arguments, what the message says
BAD = [
    ("allocate", ("b", "much"), "'much' is not a size"),
    ("allocate", ("b", "4M", "GFP_WHATEVER"), "'GFP_WHATEVER'"),
    ("allocate", ("b", "4M", "GFP_KERNEL", 11), "order 11"),
    ("allocate", ("held", "4K"), "the name 'held' is taken"),
    ("allocate", ("b", "4K", "GFP_KERNEL", 0, ("block:7", "block:8")), "'block:7': the machine has no memory"),
    ("free", ("nobody",), "nothing is held under the name 'nobody'"),
    ("pin", ("nobody",), "'nobody'"),
    ("unpin", ("nobody",), "'nobody'"),
    ("unpin", ("held",), "'held' is not pinned"),
    ("poison", ("block:7",), "pfn 'block:7': the machine has no memory there"),
    ("isolate", (0, 512, (), "Isolate"), "'Isolate' is no type to give a pageblock back as"),
    ("undo_isolate", (0, 512, "Isolate"), "'Isolate' is no type"),
    ("alloc_contig", (0, 512, "Isolate"), "'Isolate' is no type"),
    ("has_unmovable", (0, (), "Isolate"), "'Isolate' is no type"),
    ("poison", ("everywhere",), "'everywhere' is not a pfn"),
    ("place", (100, "slab", 1, "held"), "the name 'held' is taken"),
    ("place", (100, "gold"), "unknown kind of page 'gold'"),
    ("place", (100, "slab", 0), "count 0"),
    ("place", (100, "thp"), "misaligned pfn 100"),
    ("place", (2, "slab_compound", 4), "a compound page of 4 pages"),
    ("place", (0, "slab_compound", 3), "a compound page of 3 pages"),
    ("place", (MOVABLE, "lru"), "not all of the pages [32768, 32769) are free"),
    ("place", ("block:7", "lru"), "pfn 'block:7': the machine has no memory there"),
    ("ref", (100, 1), "page 100 is free: it has no references"),
    ("ref", (MOVABLE, -3), "page 32768 has fewer than 3 references"),
    ("set_pageblock", (0, "Mobile"), "unknown migrate type 'Mobile'"),
    ("set_pageblock", ("block:7", "CMA"), "pfn 'block:7': the machine has no memory there"),
    ("isolate", (1, 512), "misaligned pfn 1"),
    ("isolate", (0, 513), "misaligned pfn 513"),
    ("isolate", (1024, 512), "the range [1024, 512) goes backwards"),
    ("isolate", (0, 512, ("NONSENSE",)), "unknown isolation flag 'NONSENSE'"),
    ("isolate", (0, 512, (), "Mobile"), "unknown migrate type 'Mobile'"),
    ("isolate", (0, "block:7"), "pfn 'block:7': the machine has no memory there"),
    ("undo_isolate", (0, 511), "misaligned pfn 511"),
    ("has_unmovable", ("block:7",), "pfn 'block:7': the machine has no memory there"),
    ("has_unmovable", (0, ("NONSENSE",)), "'NONSENSE'"),
    ("alloc_contig", (0, 512, "Movable", "held"), "the name 'held' is taken"),
    ("alloc_contig", (9, 8), "the range [9, 8) goes backwards"),
    ("alloc_contig", (0, 512, "Mobile"), "'Mobile'"),
    ("notifier", ("n", "MEM_ONLINE"), "veto: 'MEM_ONLINE'"),
    ("fail", ("remove_memory", "ENOMEM"), "'remove_memory'"),
    ("fail", ("add_memory", "EWHAT"), "'EWHAT'"),
    ("unpin_after", ("nobody", 1), "'nobody'"),
    ("free_after", ("nobody", 1), "'nobody'"),
    ("wait", (-1,), "-1"),
    ("resize", ("2G",), "0x80000000"),
    ("resize", ("much",), "'much' is not a size"),
    ("device_answers", (["MAYBE"],), "MAYBE"),
]


@pytest.fixture
def used(unit):
    """A machine with memory in use, a device and a driver."""
    machine = unit(virtio_mem={"addr": "512M", "region": "512M", "requested": "64M"})
    machine.allocate("held", "4M", within=("block:1", "block:2"))
    return machine


@pytest.mark.parametrize(("method", "arguments", "says"), BAD, ids=[f"{m} {a}"[:50] for m, a, _ in BAD])
def test_bad_input_is_named_and_changes_nothing(used, method, arguments, says):
    before = fingerprint(used)
    with pytest.raises(ValueError, match=r".") as error:
        getattr(used, method)(*arguments)
    assert says in str(error.value)
    assert fingerprint(used) == before


@pytest.mark.parametrize(("method", "arguments"), [
    ("resize", ("4M",)), ("device_busy", (True,)), ("device_answers", (["ACK"],)), ("unbind", ())])
def test_without_a_device_there_is_none_to_do_it_to(unit, method, arguments):
    with pytest.raises(ValueError, match=r"no virtio-mem device|no driver is bound"):
        getattr(unit(), method)(*arguments)


def test_a_driver_is_unbound_once(used):
    used.unbind()
    with pytest.raises(ValueError, match="no driver is bound"):
        used.unbind()


# -- errno ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "arguments", "number"), [
    ("allocate", ("a", "1G"), errno.ENOMEM),
    ("write", ("memory9/state", "online"), errno.ENOENT),
    ("read", ("memory9/state",), errno.ENOENT),
    ("write", ("memory1/state", "online"), errno.EINVAL),
])
def test_what_a_kernel_refuses_is_an_os_error(unit, method, arguments, number):
    with pytest.raises(OSError) as error:  # noqa: PT011
        getattr(unit(), method)(*arguments)
    assert error.value.errno == number


@pytest.mark.parametrize(("path", "number", "subclass"), [
    ("memory9/state", errno.ENOENT, FileNotFoundError), ("hard_offline_page", errno.EACCES, PermissionError)])
def test_its_class_is_that_of_linux_on_every_system(unit, monkeypatch, path, number, subclass):
    machine = unit()
    with pytest.raises(subclass) as error:
        machine.read(path)
    assert (error.value.errno, error.value.filename) == (number, "/sys/devices/system/memory/" + path)
    monkeypatch.setattr(errnos, "subclasses", {})  # a host that decided would still know its own
    with pytest.raises(OSError) as error:  # noqa: PT011
        machine.read(path)
    assert (type(error.value), error.value.errno) == (OSError, number)


def test_an_allocation_is_all_or_nothing(unit):
    machine = unit()
    before = fingerprint(machine)
    assert machine.attempt("allocate", "a", "257M").errno == "ENOMEM"
    assert fingerprint(machine) == before
    assert machine.attempt("allocate", "a", "256M").errno == "0"


# -- results -------------------------------------------------------------------------------------------


def test_a_result_has_the_events_of_its_call_alone(unit):
    machine = unit()
    machine.place(5, "slab")
    first = machine.attempt("isolate", 0, 512, ("REPORT_FAILURE",))
    second = machine.attempt("isolate", 512, 1024)
    assert (first.errno, second.errno) == ("EBUSY", "0")
    assert first.log[-1] == "page dumped because: unmovable page"
    assert [e.kind for e in second.events] == ["isolate", "drain"]


def test_a_result_has_what_the_call_returned(unit):
    assert unit().attempt("read", "memory1/valid_zones").value == "Movable"
    assert unit().attempt("has_unmovable", 0).value is None


@pytest.mark.parametrize(("result", "text"), [
    (Result("0"), "ok"),
    (Result("EBUSY"), "-EBUSY"),
    (Result("0", panic="no"), "kernel panic"),
    (Result("EBUSY", events=(Event(1.5, 0, "printk", "hello", "info"), Event(2, 0, "printk", "x", "debug"))),
     "[    1.500000] hello\n-EBUSY"),
])
def test_a_result_as_text(result, text):
    assert str(result) == text


def test_bad_input_is_no_result(unit):
    with pytest.raises(ValueError, match="misaligned"):
        unit().attempt("isolate", 1, 2)


# -- panic ---------------------------------------------------------------------------------------------


@pytest.fixture
def stopped(unit):
    machine = unit({4}, virtio_mem={"addr": "512M", "region": "512M"})
    machine.allocate("held", "4K")
    machine.isolate(MOVABLE, MOVABLE + 512)
    result = machine.attempt("isolate", MOVABLE, MOVABLE + 512, ("REPORT_FAILURE",))
    assert result.panic
    return machine


@pytest.mark.parametrize(("method", "arguments"), [
    ("isolate", (0, 512)), ("undo_isolate", (0, 512)), ("alloc_contig", (0, 512)), ("allocate", ("a", "4K")),
    ("free", ("held",)), ("pin", ("held",)), ("unpin", ("held",)), ("poison", (0,)), ("place", (0, "slab")),
    ("ref", (0, 1)), ("set_pageblock", (0, "CMA")), ("notifier", ("n",)),
    ("fail", ("add_memory", "EIO")), ("signal", (0,)), ("unpin_after", ("held", 0)), ("free_after", ("held", 0)),
    ("write", ("memory1/state", "offline")), ("resize", ("4M",)), ("wait", (1,)), ("unbind", ()),
    ("device_busy", (True,)), ("device_answers", (["ACK"],))])
def test_after_a_panic_nothing_runs(stopped, method, arguments):
    before = fingerprint(stopped)
    assert "has panicked: BUG: kernel NULL pointer" in stopped.attempt(method, *arguments).panic
    assert fingerprint(stopped) == before


def test_after_a_panic_the_machine_can_still_be_looked_at(stopped):
    assert stopped.has_unmovable(0) is None
    assert stopped.read("memory1/state") == "online"
    assert "Movable" in stopped.read("/proc/zoneinfo")


def test_without_attempt_a_panic_is_an_exception(stopped):
    with pytest.raises(KernelPanic):
        stopped.isolate(0, 512)


# -- time ----------------------------------------------------------------------------------------------


def test_time_passes_in_wait_only(used):
    used.resize("128M")
    used.allocate("more", "4M")
    assert used.trace.time == 0
    used.wait(1.5)
    used.wait(0)
    assert used.trace.time == 1.5


def test_events_carry_the_simulated_time(used):
    used.wait(7)
    assert {e.time for e in used.attempt("resize", "128M").events} == {7.0}


# -- triggers ------------------------------------------------------------------------------------------


def test_a_signal_is_for_the_next_offline_only(unit):
    machine = unit()
    machine.place(MOVABLE, "lru_pinned", 1, "p")
    machine.signal(1)
    machine.isolate(0, 512)
    machine.write("auto_online_blocks", "online")
    assert machine.attempt("write", "memory1/state", "offline").errno == "EINTR"
    machine.free("p")
    assert machine.attempt("write", "memory1/state", "offline").errno == "0"


@pytest.mark.parametrize(("path", "value", "errno"), [
    ("memory1/state", "offline\r\n", "EINVAL"), ("memory0/state", "offline", "EINVAL"), ("memory0/online", "0", "0"),
    ("memory9/state", "offline", "ENOENT"), ("memory1/state", "online", "EINVAL"),
    ("auto_online_blocks", "offline", "0")])
def test_triggers_wait_for_a_write_that_gets_to_the_pages(unit, path, value, errno):
    machine = unit()
    machine.write("memory0/state", "offline")
    machine.place(MOVABLE, "lru_pinned", 1, "p")
    machine.signal(3)
    machine.unpin_after("p", 5)
    machine.free_after("p", 5)
    assert machine.attempt("write", path, value).errno == errno
    assert [trigger.what for trigger in machine.triggers] == ["signal", "unpin", "free"]
    assert machine.attempt("write", "memory1/state", "offline").errno == "EINTR"
    assert machine.triggers == []


@pytest.mark.parametrize("value", ["offline\n", "0", "n", "off"])
def test_a_trigger_is_for_every_way_to_offline(unit, value):
    machine = unit()
    machine.place(MOVABLE, "lru_pinned", 1, "p")
    machine.unpin_after("p", 2)
    file = "state" if value == "offline\n" else "online"
    assert machine.attempt("write", f"memory1/{file}", value).errno == "0"


def test_what_is_gone_before_its_trigger_is_no_error(unit):
    machine = unit()
    machine.place(MOVABLE, "lru_pinned", 1, "p")
    machine.unpin_after("p", 1)
    machine.free_after("p", 1)
    machine.free_after("p", 2)
    assert machine.attempt("write", "memory1/state", "offline").errno == "0"


def test_alloc_contig_takes_triggers_of_memory_and_leaves_the_signal(unit):
    machine = unit()
    machine.place(MOVABLE, "lru_pinned", 1, "p")
    machine.unpin_after("p", 2)
    machine.signal(0)
    assert machine.attempt("alloc_contig", MOVABLE, MOVABLE + 512).errno == "0"
    assert machine.attempt("write", "memory1/state", "offline").errno == "EINTR"


# -- copies --------------------------------------------------------------------------------------------


def test_a_copy_goes_its_own_way(used):
    copied = pickle.loads(pickle.dumps(used))
    assert {path: copied.read(path) for path in copied.files()} == {path: used.read(path) for path in used.files()}
    before = fingerprint(used)
    copied.free("held")
    copied.resize("256M")
    assert fingerprint(used) == before
    assert copied.device.size == 256 << 20


def test_export_writes_every_file(unit, tmp_path):
    machine = unit()
    machine.export(tmp_path / "tree")
    for path in machine.files():
        assert (tmp_path / "tree" / path[1:]).read_text() == machine.read(path) + "\n"
