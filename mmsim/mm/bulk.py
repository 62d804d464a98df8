"""Much memory at once: what `page_alloc` does chunk by chunk, without the per-cpu lists.

Memory is given and taken as runs (first pfn, number of pages).
"""

from __future__ import annotations

from collections.abc import Iterator

from mmsim.mm.gfp import Gfp
from mmsim.mm.kernel import Kernel
from mmsim.mm.mmzone import (
    MAX_ORDER,
    MAX_ORDER_NR_PAGES,
    MIGRATE_CMA,
    MIGRATE_HIGHATOMIC,
    MIGRATE_ISOLATE,
    MIGRATE_MOVABLE,
    MIGRATE_PCPTYPES,
    FreeList,
    Zone,
    pageblock_nr_pages,
    pageblock_order,
)
from mmsim.mm.page_alloc import mark_free, put_back, rmqueue


def available(zone: Zone, mask: Gfp, order: int) -> int:
    """How many chunks of an order this zone can give to such a request. Poisoned pages are no memory."""
    spare = zone.nr_free_pages - zone.watermark_min - zone.lowmem_reserve[mask.highest_zone]
    usable = [t for t in range(MIGRATE_ISOLATE) if t != MIGRATE_CMA or mask.migratetype == MIGRATE_MOVABLE]
    if mask.migratetype != MIGRATE_MOVABLE:
        spare -= zone.nr_free_cma
    lists = [(o, area) for t in usable for o, area in enumerate(zone.free_area[t]) if area and o >= order]
    if order > pageblock_order:
        lists.append((order, beside_reserve(zone)))
    chunks = sum([len(area) << (o - order) for o, area in lists])
    poisoned = [pfn for pfn in zone.poisoned if any(pfn & -(1 << o) in area for o, area in lists)]
    chunks -= len({pfn >> order for pfn in poisoned})
    return max(min(chunks, (spare - len(poisoned)) >> order), 0)


def beside_reserve(zone: Zone) -> FreeList:
    """Chunks of the largest order that there will be when the high-atomic reserve is opened."""
    blocks = {pfn for t in range(MIGRATE_PCPTYPES) for pfn in zone.free_area[t][pageblock_order]}
    reserve = zone.free_area[MIGRATE_HIGHATOMIC][pageblock_order]
    return dict.fromkeys(pfn & -MAX_ORDER_NR_PAGES for pfn in reserve if pfn ^ pageblock_nr_pages in blocks)


def take_chunks(k: Kernel, zone: Zone, mask: Gfp, order: int, count: int) -> Iterator[tuple[int, int]]:
    """Take `count` chunks of an order out of a zone, as runs (first pfn, number of pages)."""
    left = count << order
    while left:
        # No more than a pageblock: the next one may have another type.
        fits = max(min(next_order(zone, mask.migratetype, order), pageblock_order, left.bit_length() - 1), order)
        pfn = rmqueue(k, zone, fits, mask.migratetype)
        if pfn is None:
            return
        left -= 1 << fits
        yield pfn, 1 << fits


def next_order(zone: Zone, migratetype: int, order: int) -> int:
    """The order of the chunk that is next to be taken or split; that of the request if a poisoned page is in there."""
    for current_order in range(order, MAX_ORDER):
        if area := zone.free_area[migratetype][current_order]:
            pfn = next(iter(area)) if current_order == MAX_ORDER - 1 else next(reversed(area))
            poisoned = any(pfn <= page < pfn + (1 << current_order) for page in zone.poisoned)
            return order if poisoned else current_order
    return order


def alloc_bulk(k: Kernel, mask: Gfp, nr_pages: int, order: int = 0, partial: bool = False) -> list[tuple[int, int]]:
    """Allocate many pages at once, in chunks of an order: runs (first pfn, number of pages), in the order taken.

    All of it or nothing (an empty list), unless `partial` is set. The codes of the pages are set.
    """
    zonelist, left = k.zonelists[mask.highest_zone], nr_pages >> order
    if not partial and sum(available(zone, mask, order) for zone in zonelist) < left:
        return []
    taken: list[tuple[int, int]] = []
    for zone in zonelist:
        if left:
            here = list(take_chunks(k, zone, mask, order, min(available(zone, mask, order), left)))
            taken, left = taken + here, left - (sum(nr for _, nr in here) >> order)
    runs = joined(taken)
    for pfn, nr in runs:
        k.memmap.occupy(pfn, pfn + nr, mask.code)
    return runs


def joined(runs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Runs (first pfn, number of pages) in the same order, with those made one that follow one another."""
    result: list[tuple[int, int]] = []
    for pfn, nr_pages in runs:
        if result and sum(result[-1]) == pfn:
            result[-1] = (result[-1][0], result[-1][1] + nr_pages)
        else:
            result.append((pfn, nr_pages))
    return result


def free_range(k: Kernel, start: int, end: int) -> None:
    """Free the pages [start, end), whatever they were, to the buddy; nobody owns or refers to them any more."""
    memmap = k.memmap
    memmap.set_owner(start, end, None)
    mark_free(k, start, end)
    for section, low, high, base in memmap.parts(start, end):
        edges = [b for b in range(low & -pageblock_nr_pages, high, pageblock_nr_pages) if b > low]
        zones = section.zones[low >> pageblock_order : ((high - 1) >> pageblock_order) + 1]
        if len(set(zones)) == 1:
            edges = []
        for first, last in zip([low, *edges], [*edges, high], strict=True):
            put_back(k, k.page_zone(base + first), base + first, base + last)
