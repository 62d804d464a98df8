"""The configuration space of a device."""

import pytest

from mmsim.virtio_mem.protocol import Config, Request


@pytest.mark.parametrize("block", [4096, 1 << 20, 2 << 20, 1 << 30])
def test_a_block_size_is_a_power_of_two(block):
    assert Config(block * 3, block * 2, block).block_size == block


@pytest.mark.parametrize(("addr", "region", "block", "named"), [
    (0, 1 << 30, 3 << 20, "block: 3145728"), (0, 1 << 30, 2048, "block: 2048"), (0, 1 << 30, 0, "block: 0"),
    (1 << 20, 1 << 30, 2 << 20, "addr: 0x100000"), (0, 3 << 20, 2 << 20, "region: 0x300000")])
def test_what_does_not_fit_is_named(addr, region, block, named):
    with pytest.raises(ValueError, match=f"virtio_mem {named}"):
        Config(addr, region, block)


def test_unplug_all_needs_no_range():
    assert (Request("UNPLUG_ALL").addr, Request("UNPLUG_ALL").size) == (0, 0)
