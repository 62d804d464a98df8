"""Sizes and page frame numbers as people and scenario files write them."""

from __future__ import annotations

import re

from mmsim.mm.mmzone import PAGE_SIZE, PAGES_PER_SECTION

SUFFIXES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def size(value: int | str) -> int:
    """Bytes of `4096` or of `"68M"` (K, M, G and T are binary). Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f"no size: {value!r}; expected bytes or a string such as '68M'")
    match = re.fullmatch(r"([0-9]+)([KMGT]?)", str(value), re.ASCII)
    if match is None:
        raise ValueError(f"no size: {value!r}; expected bytes or a string such as '68M'")
    return int(match[1]) * SUFFIXES[match[2]]


def pfn(value: int | str) -> int:
    """A page frame number: an integer (also as a string), or `"addr:4G"` or `"block:41"`, also with `+512` pages."""
    if not isinstance(value, bool) and re.fullmatch("[0-9]+", str(value), re.ASCII):
        return int(value)
    match = re.fullmatch(r"(addr|block):(0x[0-9a-fA-F]+|[0-9]+[KMGT]?)(?:\+([0-9]+))?", str(value), re.ASCII)
    if match is None or (match[1] == "block" and not match[2].isdigit()):
        raise ValueError(f"no pfn: {value!r}; expected an integer, 'addr:4G' or 'block:41', also with '+512'")
    base = int(match[2], 16) if match[2].startswith("0x") else size(match[2])
    if match[1] == "block":
        return base * PAGES_PER_SECTION + int(match[3] or 0)
    if base % PAGE_SIZE:
        raise ValueError(f"misaligned address: {value!r} is inside a page")
    return base // PAGE_SIZE + int(match[3] or 0)


def text(size: int) -> str:
    """A size with the largest suffix that fits it exactly."""
    for suffix, unit in reversed(SUFFIXES.items()):
        if size and size % unit == 0:
            return f"{size // unit}{suffix}"
    return str(size)
