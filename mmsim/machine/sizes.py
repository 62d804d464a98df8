"""Sizes and page frame numbers as people and scenario files write them."""

from __future__ import annotations

import re

from mmsim.mm.mmzone import PAGE_SIZE, PAGES_PER_SECTION

FRAME = r"(?:addr:(0x[0-9a-fA-F]+|[0-9]+[KMGT]?)|block:([0-9]+))(?:\+([0-9]+))?"


def size(value: int | str) -> int:
    """Bytes of `4096` or of `"68M"` (K, M, G and T are binary). Raises ValueError for what is no size."""
    found = re.fullmatch("([0-9]+)([KMGT]?)", str(value), re.ASCII)
    if found is None or isinstance(value, bool):
        raise ValueError(f"{value!r} is not a size: expected bytes, or a string such as '68M'")
    return int(found[1]) << 10 * " KMGT".index(found[2] or " ")


def pfn(value: int | str) -> int:
    """The page frame number of 6144, "6144", "addr:24M+5" or "block:41". Raises ValueError for others."""
    if re.fullmatch("[0-9]+", str(value), re.ASCII):
        return int(value)
    found = re.fullmatch(FRAME, str(value), re.ASCII)
    if found is None or isinstance(value, bool):
        raise ValueError(f"{value!r} is not a pfn: expected a number, 'addr:24M' or 'block:41', also with '+512'")
    address, block, pages = found[1] or "0", int(found[2] or 0), int(found[3] or 0)
    frame, rest = divmod(int(address, 16) if address.startswith("0x") else size(address), PAGE_SIZE)
    if rest:
        raise ValueError(f"{value!r} is misaligned: {address} is not on a page boundary")
    return frame + block * PAGES_PER_SECTION + pages
