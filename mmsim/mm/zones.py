"""Which zone a memory block goes to, and what a zone spans (mm/memory_hotplug.c, v5.8)."""

from __future__ import annotations

from mmsim.mm.kernel import Kernel, MemoryBlock
from mmsim.mm.mmzone import PAGES_PER_SECTION, SECTION_SHIFT, ZONE_MOVABLE, ZONE_NORMAL, Zone, pageblock_nr_pages

ONLINE_TYPES = ("online", "online_kernel", "online_movable")


def zone_for_pfn_range(k: Kernel, online_type: str, start_pfn: int, nr_pages: int) -> Zone:
    """The zone that a block goes to; plain `online` inherits the zone whose span it lies in, if only one."""
    k.current.reads(*(("zone", zone.index) for zone in k.zones))
    movable = k.zones[ZONE_MOVABLE]
    if online_type == "online_movable":
        return movable
    kernel_zone = next(
        (zone for zone in k.zones[: ZONE_NORMAL + 1] if zone.intersects(start_pfn, nr_pages)),
        k.zones[ZONE_NORMAL],
    )
    if online_type == "online_kernel":
        return kernel_zone
    in_kernel, in_movable = (zone.intersects(start_pfn, nr_pages) for zone in (kernel_zone, movable))
    if in_kernel != in_movable:
        return kernel_zone if in_kernel else movable
    return movable if k.movable_node else kernel_zone


def zones_of(k: Kernel, block: MemoryBlock) -> list[Zone]:
    """The zones of the block's pages; a hole is in none."""
    pageblocks = -(-block.ram_pages // pageblock_nr_pages)
    return [k.zones[z] for z in sorted(set(k.memmap.sections[block.id].zones[:pageblocks]))]


def valid_zones(k: Kernel, block: MemoryBlock) -> str:
    """What the file valid_zones says; drivers are not asked."""
    if block.state == "online":
        zones = zones_of(k, block)
        return zones[0].name if len(zones) == 1 else "none"
    names = [zone_for_pfn_range(k, t, block.start_pfn, PAGES_PER_SECTION).name for t in ONLINE_TYPES]
    return " ".join(dict.fromkeys(names))


def grow_zone_span(zone: Zone, start_pfn: int, nr_pages: int) -> None:
    """Make the span cover a range."""
    end = max(zone.zone_end_pfn, start_pfn + nr_pages) if zone.spanned_pages else start_pfn + nr_pages
    zone.zone_start_pfn = min(zone.zone_start_pfn, start_pfn) if zone.spanned_pages else start_pfn
    zone.spanned_pages = end - zone.zone_start_pfn


def shrink_zone_span(k: Kernel, zone: Zone) -> None:
    """Cut sections off the ends of the span that have no page of the zone left."""
    if not zone.sections:
        zone.zone_start_pfn = zone.spanned_pages = 0
        return
    low, high = zone.zone_start_pfn >> SECTION_SHIFT, (zone.zone_end_pfn - 1) >> SECTION_SHIFT
    while low not in zone.sections:
        low += 1
    while high not in zone.sections:
        high -= 1
    first, last = pages_in_section(k, zone, low)[0], pages_in_section(k, zone, high)[1]
    zone.zone_start_pfn, zone.spanned_pages = first, last - first


def pages_in_section(k: Kernel, zone: Zone, number: int) -> tuple[int, int]:
    """First and end pfn of a zone's pages in a section; holes are not counted."""
    section, base = k.memmap.sections[number], number << SECTION_SHIFT
    first, last = section.zones.index(zone.index), section.zones.rindex(zone.index)
    ram_end = base + k.memory_blocks[number].ram_pages
    return base + first * pageblock_nr_pages, min(base + (last + 1) * pageblock_nr_pages, ram_end)
