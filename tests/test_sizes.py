"""Sizes and page frame numbers as people write them."""

import pytest

from mmsim.machine.sizes import pfn, size


@pytest.mark.parametrize(("text", "number"), [
    (0, 0), (4096, 4096), ("4096", 4096), ("0", 0), ("4K", 4096), ("68M", 68 << 20), ("2G", 2 << 30), ("1T", 1 << 40)])
def test_sizes(text, number):
    assert size(text) == number


@pytest.mark.parametrize("text", ["", "M", "1.5G", "-1", -1, "4k", "4KB", "0x10", " 4K", "4K\n", "٤", None, True, 1.5])
def test_what_is_no_size(text):
    with pytest.raises(ValueError, match="is not a size"):
        size(text)


@pytest.mark.parametrize(("text", "number"), [
    (0, 0), (6144, 6144), ("6144", 6144), ("addr:0", 0), ("addr:4G", 1 << 20), ("addr:24M+5", 6149),
    ("addr:8192", 2), ("addr:0x8000000", 32768), ("block:0", 0), ("block:41", 41 * 32768),
    ("block:41+512", 41 * 32768 + 512)])
def test_page_frame_numbers(text, number):
    assert pfn(text) == number


@pytest.mark.parametrize("text", ["", "addr:", "block:", "4G", "block:1G", "addr:4G+", "addr:4G+1K", "block:-1", -1,
                                  True, "block:1 ", "addr:0xG", "page:1", None, 1.5])
def test_what_is_no_page_frame_number(text):
    with pytest.raises(ValueError, match="is not a pfn"):
        pfn(text)


@pytest.mark.parametrize("text", ["addr:1", "addr:4097", "addr:0x8000001", "addr:2048+1"])
def test_an_address_inside_a_page_is_misaligned(text):
    with pytest.raises(ValueError, match="misaligned"):
        pfn(text)
