"""The files of /sys/devices/system/memory: what they say, and what writing to them answers."""

import pytest

from mmsim import explore, race
from mmsim.machine.sysfs import kstrtoull, online_type_from_str, strtobool

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


@pytest.mark.parametrize("path", ["hard_offline_page", "soft_offline_page"])
def test_what_can_only_be_written(unit, path):
    machine = unit()
    assert machine.attempt("read", path).errno == "EACCES"
    assert MEMORY + path not in machine.files()


# path, value: errno
WRITES = [
    ("memory1/state", "online", "EINVAL"),
    ("memory1/state", "online_movable", "EINVAL"),
    ("memory1/state", "offline", "0"),
    ("memory1/state", "offline\n", "0"),
    ("memory1/state", " offline", "EINVAL"),
    ("memory1/state", "offline\r\n", "EINVAL"),
    ("memory1/state", "Offline", "EINVAL"),
    ("memory1/state", "0", "EINVAL"),
    ("memory1/state", "\n", "EINVAL"),
    ("memory1/online", "1", "0"),  # unlike `state`, it is no error if nothing is to be done
    ("memory1/online", "0", "0"),
    ("memory1/online", "online", "0"),
    ("memory1/online", "movable", "EINVAL"),
    ("memory1/valid_zones", "Normal", "EACCES"),
    ("memory1/removable", "0", "EACCES"),
    ("memory1/phys_index", "7", "EACCES"),
    ("block_size_bytes", "1", "EACCES"),
    ("/proc/zoneinfo", "x", "EIO"),
    ("/proc/meminfo", "x", "EIO"),
    ("auto_online_blocks", "online_movable", "0"),
    ("auto_online_blocks", "online_kernel", "0"),
    ("auto_online_blocks", "0", "EINVAL"),
    ("auto_online_blocks", "online\n\n", "EINVAL"),
    ("hard_offline_page", "0x7000", "0"),
    ("hard_offline_page", "28672", "0"),
    ("hard_offline_page", "page", "EINVAL"),
    ("hard_offline_page", "0x100000000", "ENXIO"),
    ("soft_offline_page", "0x7000\n", "0"),
    ("soft_offline_page", "0x7000 ", "EINVAL"),
    ("soft_offline_page", "0x100000000", "ENXIO"),
    # a write of no byte
    ("memory1/state", "", "0"),
    ("memory1/online", "", "0"),
    ("auto_online_blocks", "", "0"),
    ("hard_offline_page", "", "0"),
    ("soft_offline_page", "", "0"),
    ("memory1/removable", "", "EACCES"),  # refused when the file is opened
    ("block_size_bytes", "", "EACCES"),
    ("memory1/nothing", "", "ENOENT"),
    ("/proc/zoneinfo", "", "EIO"),  # fs/proc/inode.c does not look at the length
]


@pytest.mark.parametrize(("path", "value", "errno"), WRITES)
def test_writes(unit, path, value, errno):
    assert unit().attempt("write", path, value).errno == errno


@pytest.mark.parametrize(("text", "value"), [
    ("1", True), ("10", True), ("y", True), ("Yes", True), ("on", True), ("ONLINE", True), ("online_movable", True),
    ("0", False), ("0x1", False), ("n", False), ("NEVER", False), ("of", False), ("oFFline", False),
    ("", None), ("o", None), ("2", None), ("true", None), (" 1", None), ("\n1", None), ("movable", None)])
def test_what_is_true(text, value):
    assert strtobool(text) is value


@pytest.mark.parametrize(("text", "number"), [
    ("0", 0), ("10", 10), ("010", 8), ("0x10", 16), ("0XfF", 255), ("+7", 7), ("7\n", 7),
    ("18446744073709551615", 2**64 - 1), ("18446744073709551616", None),
    *((text, None) for text in (
        "", "\n", "+", "-1", "++1", " 1", "1 ", "1\n\n", "0x", "0x\n", "08", "1_0", "0b1", "0o7", "\u0661"))])
def test_what_is_a_number(text, number):
    assert kstrtoull(text) == number


@pytest.mark.parametrize(("text", "word"), [
    ("offline", "offline"), ("online_kernel\n", "online_kernel"), ("online\n\n", None), ("online\t", None), ("", None)])
def test_what_is_a_word_for_a_state(text, word):
    assert online_type_from_str(text) == word


@pytest.mark.parametrize(("text", "errno"), [("offline\0 for now", "0"), ("\0", "EINVAL"), ("\0offline", "EINVAL")])
def test_a_text_ends_where_c_ends_it(unit, text, errno):
    assert unit().attempt("write", "memory1/state", text).errno == errno


def test_an_online_type_that_was_refused_is_used_once(hotplug):
    machine = hotplug()
    assert machine.attempt("write", "memory1/state", "online_movable").errno == "EINVAL"  # it is online
    machine.write("memory1/state", "offline")
    assert machine.read("memory1/valid_zones") == "Normal Movable"
    machine.write("memory1/online", "1")
    assert machine.read("memory1/valid_zones") == "Movable"
    machine.write("memory1/online", "0")
    machine.write("memory1/online", "1")
    assert machine.read("memory1/valid_zones") == "Normal"


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


def test_soft_offline_page_moves_a_page_away_first(unit):
    machine = unit()
    machine.place(7, "lru", 1, "held")
    machine.write("soft_offline_page", "0x7000")
    assert machine.kernel.memmap.kind(7).name == "hwpoison_buddy"
    assert sum(b - a for a, b in machine.pages.runs(machine.pages.held("held"))) == 1


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
