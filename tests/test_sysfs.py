"""The files of /sys/devices/system/memory: what they say, and what writing to them answers."""

import pytest

from mmsim import explore, race

MEMORY = "/sys/devices/system/memory/"


def test_the_files_of_a_block(unit):
    machine = unit()
    assert {name: machine.read(f"memory1/{name}") for name in (
        "online", "phys_device", "phys_index", "removable", "state", "valid_zones")} == {
        "online": "1", "phys_device": "0", "phys_index": "00000001", "removable": "1", "state": "online",
        "valid_zones": "Movable"}


def test_the_files_of_an_offline_block(unit):
    machine = unit()
    machine.write("memory1/state", "offline")
    assert [machine.read(f"memory1/{name}") for name in ("online", "removable", "state", "valid_zones")] == [
        "0", "1", "offline", "Normal Movable"]


def test_a_path_without_a_slash_is_below_the_memory_devices(unit):
    assert unit().read("memory1/state") == unit().read(MEMORY + "memory1/state")


def test_the_size_of_a_block_is_hexadecimal(unit):
    assert unit().read("block_size_bytes") == "8000000"


def test_all_files_that_are_listed_can_be_read(unit):
    machine = unit()
    assert len(machine.files()) == 2 * 6 + 4 + 2
    assert all(machine.attempt("read", path).errno == "0" for path in machine.files())


def test_added_blocks_are_listed_and_removed_ones_are_not(virtio):
    machine = virtio(requested="64M")
    assert MEMORY + "memory4/state" in machine.files()
    machine.resize("0")
    assert MEMORY + "memory4/state" not in machine.files()


@pytest.mark.parametrize("path", ["memory2/state", "memory01/state", "memory1/nothing", "memory1", "memoryx/state",
                                  "nothing", "/proc/nothing", "/etc/passwd", "memory1/state/", "",
                                  "../memory/memory1/state"])
def test_what_is_not_there(unit, path):
    machine = unit()
    assert machine.attempt("read", path).errno == "ENOENT"
    assert machine.attempt("write", path, "online").errno == "ENOENT"


# path, value: errno
WRITES = [
    ("memory1/state", "online", "EINVAL"),
    ("memory1/state", "online_movable", "EINVAL"),
    ("memory1/state", "offline", "0"),
    ("memory1/state", " offline\n", "0"),
    ("memory1/state", "Offline", "EINVAL"),
    ("memory1/state", "0", "EINVAL"),
    ("memory1/state", "", "EINVAL"),
    ("memory1/online", "1", "0"),  # unlike `state`, it is no error if nothing is to be done
    ("memory1/online", "0", "0"),
    ("memory1/online", "online", "EINVAL"),
    ("memory1/valid_zones", "Normal", "EACCES"),
    ("memory1/removable", "0", "EACCES"),
    ("memory1/phys_index", "7", "EACCES"),
    ("block_size_bytes", "1", "EACCES"),
    ("/proc/zoneinfo", "x", "EIO"),
    ("/proc/meminfo", "x", "EIO"),
    ("auto_online_blocks", "online_movable", "0"),
    ("auto_online_blocks", "online_kernel", "0"),
    ("auto_online_blocks", "0", "EINVAL"),
    ("hard_offline_page", "0x7000", "0"),
    ("hard_offline_page", "28672", "0"),
    ("hard_offline_page", "page", "EINVAL"),
    ("hard_offline_page", "0x100000000", "ENXIO"),
]


@pytest.mark.parametrize(("path", "value", "errno"), WRITES)
def test_writes(unit, path, value, errno):
    assert unit().attempt("write", path, value).errno == errno


def test_the_state_can_be_written_as_a_number_too(unit):
    machine = unit()
    machine.write("memory1/online", "0")
    assert machine.read("memory1/state") == "offline"
    machine.write("memory1/online", "1")
    assert (machine.read("memory1/state"), machine.read("memory1/valid_zones")) == ("online", "Normal")


def test_the_policy_is_read_back(unit):
    machine = unit()
    machine.write("auto_online_blocks", "online_kernel")
    assert machine.read("auto_online_blocks") == "online_kernel"


def test_hard_offline_page_poisons_a_page(unit):
    machine = unit()
    machine.write("hard_offline_page", "0x7000")
    assert machine.kernel.memmap.kind(7).name == "hwpoison_buddy"


def test_the_lock_is_free_after_every_write(unit):
    machine = unit()
    for path, value, _ in WRITES:
        machine.attempt("write", path, value)
        assert machine.kernel.device_hotplug_lock.owner is None


def test_what_a_writer_finds_when_its_block_is_being_removed(virtio):
    """In time; refused by the driver; gone while it waited for the lock; gone before."""
    machine = virtio(requested="64M")
    found = explore(machine, race("write", path="memory4/state", value="online"), race("resize", to=0))
    assert {outcome.errnos[0] for outcome in found.outcomes} == {"0", "EPERM", "ENODEV", "ENOENT"}
