"""Booting: the command line, zones and free memory of RAM.

Models mm/page_alloc.c free_area_init() and cmdline_parse_core(), lib/cmdline.c and mm/memblock.c, v5.8, x86-64.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from mmsim.mm.kernel import Kernel, MemoryBlock
from mmsim.mm.memmap import FREE, HOLE, RESERVED, Section, codes
from mmsim.mm.mmzone import (
    DMA32_END_PFN,
    DMA_END_PFN,
    MAX_ORDER,
    MAX_ORDER_NR_PAGES,
    MEMORY_BLOCK_SIZE,
    MIGRATE_MOVABLE,
    PAGE_SIZE,
    PAGES_PER_SECTION,
    SECTION_SHIFT,
    ZONE_DMA,
    ZONE_DMA32,
    ZONE_MOVABLE,
    ZONE_NORMAL,
    Zone,
    pageblock_nr_pages,
    pageblock_order,
)
from mmsim.mm.page_alloc import count_free, put_back
from mmsim.mm.zones import grow_zone_span

ZoneOf = tuple[int, int, int]
"""Boot pages [start pfn, end pfn) and the index of the zone that they are put into."""

CORE_SIZE = "(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)([kKmMgGtTpPeE%]?)"  # hexadecimal, octal or decimal, and a suffix

LARGEST_BOOT_MEMORY = 64 << 30  # from here on x86-64 uses larger memory blocks


class Cmdline(NamedTuple):
    """The kernel command line, understood."""

    memhp_default_state: str = "offline"
    kernelcore: str = ""
    movablecore: str = ""
    movable_node: bool = False
    panic_on_warn: bool = False


def parse_cmdline(text: str) -> Cmdline:
    """Raises ValueError for a parameter or a value that the model does not know."""
    values: dict[str, object] = {}
    for word in text.split():
        name, _, value = word.partition("=")
        patterns = {
            "memhp_default_state": "offline|online|online_kernel|online_movable",
            "kernelcore": CORE_SIZE,
            "movablecore": CORE_SIZE,
            "movable_node": "",
            "panic_on_warn": "1",
        }
        if name not in patterns:
            raise ValueError(f"unknown kernel parameter: {word!r}")
        if not re.fullmatch(patterns[name], value):
            raise ValueError(f"kernel parameter {name}: bad value {value!r}")
        values[name] = True if name in ("movable_node", "panic_on_warn") else value
    return Cmdline(**values)  # type: ignore[arg-type]


def amount(text: str, nr_pages: int) -> int:
    """Pages of a value of kernelcore= or movablecore=: a size as memparse() reads it, or a percentage of memory.

    `512M`, `512m` and `0x20000000` are the same; so are `8%` and `010%`. Without a value it is 0.
    """
    found = re.fullmatch(CORE_SIZE, text or "0")
    assert found is not None, "parse_cmdline() has looked at it"
    digits, suffix = found[1].lower(), found[2].lower()
    number = int(digits, 16 if digits.startswith("0x") else 8 if digits.startswith("0") else 10)
    if suffix == "%":
        return nr_pages * number // 100
    return (number << 10 * " kmgtpe".index(suffix or " ")) // PAGE_SIZE


def find_zone_movable_pfn(nr_pages: int, cmdline: Cmdline) -> int:
    """Where ZONE_MOVABLE begins, in the highest zone of boot memory; its end if there is no such zone."""
    required = amount(cmdline.kernelcore, nr_pages)
    if movable := amount(cmdline.movablecore, nr_pages):
        movable = -(-movable // MAX_ORDER_NR_PAGES) * MAX_ORDER_NR_PAGES
        required = max(required, nr_pages - min(movable, nr_pages))
    if cmdline.movable_node or required == 0 or required >= nr_pages:
        return nr_pages
    usable_start = next(start for start in (DMA32_END_PFN, DMA_END_PFN, 0) if start < nr_pages)
    start = max(required, usable_start)
    return min(-(-start // MAX_ORDER_NR_PAGES) * MAX_ORDER_NR_PAGES, nr_pages)


def zone_column(nr_pages: int, movable_pfn: int, zone_of: Iterable[ZoneOf]) -> bytes:
    """The zone of each pageblock of boot memory, filled up to whole sections."""
    column = bytearray()
    for border, index in (DMA_END_PFN, ZONE_DMA), (DMA32_END_PFN, ZONE_DMA32), (nr_pages, ZONE_NORMAL):
        column += bytes([index]) * (-(-min(border, movable_pfn, nr_pages) // pageblock_nr_pages) - len(column))
    column += bytes([ZONE_MOVABLE]) * (-(-nr_pages // pageblock_nr_pages) - len(column))
    for start, end, index in zone_of:
        column[start >> pageblock_order : -(-end // pageblock_nr_pages)] = bytes([index]) * (
            -(-end // pageblock_nr_pages) - (start >> pageblock_order)
        )
    whole = -(-nr_pages // PAGES_PER_SECTION) * (PAGES_PER_SECTION >> pageblock_order)
    return bytes(column) + column[-1:] * (whole - len(column))


def memblock_allocations(nr_pages: int) -> list[tuple[int, int]]:
    """What the kernel keeps for itself of boot memory, [start pfn, end pfn): its image low, the rest top-down.

    The memmap takes 64 bytes a page, hash tables and the like about a third of that. Memblock allocates before
    the border of ZONE_MOVABLE is known, so kernelcore= and movablecore= find these pages inside it.
    """
    image = min(DMA_END_PFN, nr_pages // 4)
    top = nr_pages // 64 + nr_pages // 192
    return [(0, min(256, nr_pages // 4)), (image, image + min(8192, nr_pages // 8)), (nr_pages - top, nr_pages)]


def check_boot(boot_memory: int, zone_of: Iterable[ZoneOf]) -> None:
    """Raises ValueError for boot memory or zones that the model can't have."""
    if not 1 << 20 <= boot_memory < LARGEST_BOOT_MEMORY or boot_memory % 4096:
        raise ValueError(f"boot_memory: {boot_memory} is not a number of whole pages from 1M to below 64G")
    for start, end, _ in zone_of:
        if not start < end <= boot_memory >> 12:
            raise ValueError(f"zone_of: [{start}, {end}) is not inside boot memory")
        if start % pageblock_nr_pages or (end % pageblock_nr_pages and end != boot_memory >> 12):
            raise ValueError(f"zone_of: misaligned pfn in [{start}, {end}); a zone is made of whole pageblocks")


def boot(k: Kernel, boot_memory: int, cmdline: Cmdline, zone_of: list[ZoneOf] | None) -> None:
    """Give boot memory (bytes) to its zones and all that nobody reserves to the buddy.

    With `zone_of` (a unit machine) nothing is reserved.
    """
    nr_pages = boot_memory >> 12
    k.trace.printk(f"x86/mm: Memory block size: {MEMORY_BLOCK_SIZE >> 20}MB")
    zones = zone_column(nr_pages, find_zone_movable_pfn(nr_pages, cmdline), zone_of or [])
    per_section = PAGES_PER_SECTION >> pageblock_order
    for number in range(-(-nr_pages // PAGES_PER_SECTION)):
        k.memmap.sections[number] = Section(HOLE, zones[number * per_section : (number + 1) * per_section])
        ram = min(PAGES_PER_SECTION, nr_pages - number * PAGES_PER_SECTION)
        k.memory_blocks[number] = MemoryBlock(number, "online", ram)
    k.memmap.fill(0, nr_pages, FREE)
    for start, end in [] if zone_of is not None else memblock_allocations(nr_pages):
        k.memmap.fill(start, end, RESERVED)
    for first, end in zone_runs(zones, nr_pages):
        free_boot_memory(k, first, end)
    k.build_all_zonelists()


def zone_runs(zones: bytes, nr_pages: int) -> Iterable[tuple[int, int]]:
    """Boot memory cut into runs of pages of one zone: [start pfn, end pfn)."""
    start = 0
    for block in range(1, len(zones) + 1):
        if block == len(zones) or zones[block] != zones[start]:
            first, end = start * pageblock_nr_pages, min(block * pageblock_nr_pages, nr_pages)
            if first < end:
                yield first, end
            start = block


def free_boot_memory(k: Kernel, start: int, end: int) -> None:
    """Add pages of one zone to it; those that are not reserved go to the buddy."""
    zone = k.page_zone(start)
    grow_zone_span(zone, start, end - start)
    zone.present_pages += end - start
    for number in range(start >> SECTION_SHIFT, ((end - 1) >> SECTION_SHIFT) + 1):
        low, high = max(start, number << SECTION_SHIFT), min(end, (number + 1) << SECTION_SHIFT)
        zone.sections[number] = zone.sections.get(number, 0) + high - low
    for pfn, nr in k.memmap.runs(start, end, codes(FREE)):
        zone.managed_pages += nr
        free_run(k, zone, pfn, pfn + nr)


def free_run(k: Kernel, zone: Zone, start: int, end: int) -> None:
    """Give pages [start, end) to the buddy: whole chunks of the largest order at once, as all is movable at boot."""
    first, last = -(-start // MAX_ORDER_NR_PAGES) * MAX_ORDER_NR_PAGES, end // MAX_ORDER_NR_PAGES * MAX_ORDER_NR_PAGES
    if first >= last:
        return put_back(k, zone, start, end)
    put_back(k, zone, start, first)
    zone.free_area[MIGRATE_MOVABLE][MAX_ORDER - 1].update(dict.fromkeys(range(first, last, MAX_ORDER_NR_PAGES)))
    count_free(zone, last - first, MIGRATE_MOVABLE)
    put_back(k, zone, last, end)
