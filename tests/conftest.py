"""What several test files share: small machines, and running one path of the kernel alone."""

import asyncio

import pytest

from mmsim import STAGES, Machine
from mmsim.mm import memory_hotplug
from mmsim.sim.cpu import Task, run


@pytest.fixture
def unit():
    """Boot a unit machine: memory0 in ZONE_NORMAL (pfn 0 on), memory1 in ZONE_MOVABLE (pfn 32768 on), all free."""

    def boot(patches=STAGES[-1], **keys):
        zones = [("block:0", "block:1", "Normal"), ("block:1", "block:2", "Movable")]
        return Machine(patches, **{"boot_memory": "256M", "zone_of": zones, **keys})

    return boot


@pytest.fixture
def virtio():
    """Boot a unit machine of one block with a virtio-mem device of six blocks, memory4 to memory9."""

    def boot(patches=STAGES[-1], cmdline="", **device):
        device = {"addr": "512M", "region": "768M", **device}
        return Machine(patches, "128M", cmdline, device, [("block:0", "block:1", "Normal")])

    return boot


@pytest.fixture
def drive():
    """Run a path of the kernel alone, to its end; returns what it returns."""

    def to_the_end(machine, path):
        return run(machine.kernel, Task("test", path=path))

    return to_the_end


@pytest.fixture
def hotplug(drive):
    """A unit machine of boot blocks 0 (Normal) and 1 (Movable), and added blocks that are offline."""

    def boot(*added, zones=(("block:0", "block:1", "Normal"), ("block:1", "block:2", "Movable")), **keys):
        machine = Machine(**{"boot_memory": "256M", "zone_of": zones, **keys})
        for number in added:
            assert drive(machine, memory_hotplug.add_memory(machine.kernel, number)) == 0
        return machine

    return boot


@pytest.fixture
def no_loop():
    """No event loop: another test's browser may have left its own running in this thread."""
    loop = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    yield
    asyncio._set_running_loop(loop)
