"""The hypervisor's side of virtio-mem: QEMU's checks in QEMU's order, and the usable region."""

import pytest

from mmsim.virtio_mem.device import Device
from mmsim.virtio_mem.protocol import Config, Request

MIB = 1 << 20
ADDR = 1024 * MIB
CONFIG = Config(ADDR, 1024 * MIB, 2 * MIB)


def plug(device, at, size):
    return device.handle(Request("PLUG", ADDR + at * MIB, size * MIB))


def unplug(device, at, size):
    return device.handle(Request("UNPLUG", ADDR + at * MIB, size * MIB))


@pytest.fixture
def device():
    """Requested 64M, of which the first 32M are plugged."""
    device = Device(CONFIG, requested=64 * MIB)
    assert plug(device, 0, 32) == "ACK"
    return device


# what is asked for, the answer, why
@pytest.mark.parametrize(("kind", "at", "size", "answer"), [
    ("PLUG", 32, 32, "ACK"),
    ("PLUG", 33, 2, "ERROR"),  # not aligned
    ("PLUG", 32, 1, "ERROR"),
    ("PLUG", 32, 0, "ERROR"),  # empty
    ("PLUG", -2, 2, "ERROR"),  # outside
    ("PLUG", 320, 2, "ERROR"),  # outside the usable region, 64M + 256M
    ("PLUG", 318, 2, "ACK"),
    ("PLUG", 318, 4, "ERROR"),
    ("PLUG", 32, 34, "NACK"),  # more than requested
    ("PLUG", 0, 2, "ERROR"),  # plugged already
    ("PLUG", 30, 4, "ERROR"),
    ("UNPLUG", 0, 32, "ACK"),
    ("UNPLUG", 30, 2, "ACK"),
    ("UNPLUG", 30, 4, "ERROR"),  # in part not plugged
    ("UNPLUG", 40, 2, "ERROR"),
    ("UNPLUG", 1, 2, "ERROR"),
])
def test_answers(device, kind, at, size, answer):
    before = bytes(device.bitmap)
    assert device.handle(Request(kind, ADDR + at * MIB, size * MIB)) == answer
    if answer != "ACK":
        assert (device.size, device.bitmap) == (32 * MIB, before)
    assert device.size == sum(device.bitmap) * 2 * MIB


# Each request breaks two rules; the answer says which is looked at first.
@pytest.mark.parametrize(("at", "size", "busy", "answer"), [
    (33, 200, False, "ERROR"),  # not aligned, before too much
    (1000, 20, False, "ERROR"),  # not usable, before already plugged or too much
    (0, 64, False, "NACK"),  # too much, before already plugged
    (0, 2, True, "ERROR"),  # already plugged, before busy
    (32, 64, True, "NACK"),  # too much, before busy
    (32, 2, True, "BUSY"),
])
def test_the_order_of_the_checks(device, at, size, busy, answer):
    device.busy = busy
    assert plug(device, at, size) == answer


def test_unplug_has_no_lower_limit(device):
    device.resize(2 * MIB)
    assert unplug(device, 0, 32) == "ACK"
    assert device.size == 0


def test_unplug_all(device):
    assert device.handle(Request("UNPLUG_ALL")) == "ACK"
    assert (device.size, sum(device.bitmap)) == (0, 0)


def test_unplug_all_while_busy(device):
    device.busy = True
    assert device.handle(Request("UNPLUG_ALL")) == "BUSY"
    assert device.size == 32 * MIB


@pytest.mark.parametrize("answer", ["NACK", "BUSY", "ERROR"])
def test_prepared_answers_come_first_and_change_nothing(device, answer):
    device.answers = [answer, "ACK"]
    assert [plug(device, 32, 2) for _ in range(3)] == [answer, "ACK", "ERROR"]
    assert device.size == 34 * MIB


@pytest.mark.parametrize(("requested", "usable"), [(0, 0), (2, 258), (64, 320), (768, 1024), (1024, 1024)])
def test_the_usable_region_is_256m_more_than_requested(requested, usable):
    assert Device(CONFIG, requested * MIB).usable_region_size == usable * MIB


def test_the_usable_region_shrinks_at_unplug_all_only(device):
    device.resize(2 * MIB)
    assert device.usable_region_size == 320 * MIB
    device.handle(Request("UNPLUG_ALL"))
    assert device.usable_region_size == 258 * MIB
    device.resize(0)
    device.handle(Request("UNPLUG_ALL"))
    assert device.usable_region_size == 0


def test_a_fixed_usable_region_stays():
    device = Device(CONFIG, 64 * MIB, usable=128 * MIB)
    device.resize(512 * MIB)
    device.handle(Request("UNPLUG_ALL"))
    assert device.usable_region_size == 128 * MIB


def test_the_guest_is_told_of_a_change(device):
    told = []
    device.config_changed = lambda: told.append(device.requested_size)
    device.resize(128 * MIB)
    assert told == [128 * MIB]


@pytest.mark.parametrize(("requested", "plugged"), [(1026, 0), (-2, 0), (0, 1026)])
def test_sizes_fit_into_the_region(requested, plugged):
    with pytest.raises(ValueError, match="is not between 0 and the region's 0x40000000"):
        Device(CONFIG, requested * MIB, plugged * MIB)


@pytest.mark.parametrize(("name", "sizes"), [("requested", (3 * MIB, 0)), ("plugged", (0, 3 * MIB))])
def test_sizes_are_whole_blocks(name, sizes):
    with pytest.raises(ValueError, match=f"{name} size 0x300000 is no multiple of the device's block size 0x200000"):
        Device(CONFIG, *sizes)


@pytest.mark.parametrize("size", [4096 * MIB, 65 * MIB, 5])
def test_a_refused_size_changes_nothing(device, size):
    device.config_changed = lambda: pytest.fail("the guest is told")
    with pytest.raises(ValueError, match="requested size"):
        device.resize(size)
    assert (device.requested_size, device.usable_region_size) == (64 * MIB, 320 * MIB)


def test_memory_plugged_before_counts_from_the_start_of_the_region():
    device = Device(CONFIG, 0, 8 * MIB)
    assert list(device.bitmap[:5]) == [1, 1, 1, 1, 0]
    assert device.size == 8 * MIB
