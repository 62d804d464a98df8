"""The buddy allocator: free lists by order and migrate type, per-cpu lists, zonelists (mm/page_alloc.c, v5.8).

Pages are named by their pfn, sizes are in pages. `alloc_pages` and `free_pages` take and give one chunk; `bulk` does
the same for much memory at once, without the per-cpu lists.

One thing is stricter than in v5.8: a free chunk is always on the list of its (first) pageblock's type, as the
kernel does since v6.10. And chunks of the largest order are used first in, first out, see `LargestBuddies`.
"""

from __future__ import annotations

from mmsim.mm.gfp import Gfp
from mmsim.mm.kernel import Kernel
from mmsim.mm.memmap import ABSENT, FREE, HWPOISON_BUDDY, HWPOISON_GONE, PCP, REFS, codes
from mmsim.mm.mmzone import (
    MAX_ORDER,
    MAX_ORDER_NR_PAGES,
    MIGRATE_CMA,
    MIGRATE_HIGHATOMIC,
    MIGRATE_ISOLATE,
    MIGRATE_MOVABLE,
    MIGRATE_PCPTYPES,
    MIGRATE_RECLAIMABLE,
    MIGRATE_UNMOVABLE,
    FreeList,
    Zone,
    pageblock_nr_pages,
    pageblock_order,
)

PCP_BATCH = 31
PCP_HIGH = 6 * PCP_BATCH
BUDDY = codes(FREE, HWPOISON_BUDDY)

FALLBACKS = {
    MIGRATE_UNMOVABLE: (MIGRATE_RECLAIMABLE, MIGRATE_MOVABLE),
    MIGRATE_MOVABLE: (MIGRATE_RECLAIMABLE, MIGRATE_UNMOVABLE),
    MIGRATE_RECLAIMABLE: (MIGRATE_UNMOVABLE, MIGRATE_MOVABLE),
}

# -- free lists --------------------------------------------------------------------------------------


def count_free(zone: Zone, nr_pages: int, migratetype: int) -> None:
    """__mod_zone_freepage_state(): isolated pages are no free memory."""
    if migratetype != MIGRATE_ISOLATE:
        zone.nr_free_pages += nr_pages
        if migratetype == MIGRATE_CMA:
            zone.nr_free_cma += nr_pages


def can_merge(one: int, other: int) -> bool:
    """May free pageblocks of these two types become one chunk of the largest order?"""
    return one == other or (one < MIGRATE_PCPTYPES and other < MIGRATE_PCPTYPES)


def free_list(k: Kernel, zone: Zone, pfn: int, order: int) -> FreeList:
    """The list where a free chunk is if it has this first page and this order."""
    return zone.free_area[k.memmap.get_pageblock_migratetype(pfn)][order]


def __free_one_page(k: Kernel, zone: Zone, pfn: int, order: int, migratetype: int) -> None:
    """Put a chunk on its free list, merged with its buddy as often as that is free too."""
    count_free(zone, 1 << order, migratetype)
    while order < MAX_ORDER - 1:
        buddy = pfn ^ (1 << order)
        area = free_list(k, zone, buddy, order)
        if buddy not in area or not can_merge(migratetype, k.memmap.get_pageblock_migratetype(buddy)):
            break
        del area[buddy]
        pfn &= buddy
        order += 1
    free_list(k, zone, pfn, order)[pfn] = None


def __rmqueue_smallest(k: Kernel, zone: Zone, order: int, migratetype: int) -> int | None:
    """Take a chunk from the free lists of one type, the smallest that is large enough.

    The upper halves of a larger chunk are given back until what is left has the order asked for.
    """
    for current_order in range(order, MAX_ORDER):
        if area := zone.free_area[migratetype][current_order]:
            pfn, _ = area.popitem()
            for lower in range(current_order - 1, order - 1, -1):
                upper = pfn + (1 << lower)  # if it is a pageblock it may have another type
                free_list(k, zone, upper, lower)[upper] = None
            count_free(zone, -1 << order, migratetype)
            return pfn
    return None


def __rmqueue_fallback(k: Kernel, zone: Zone, order: int, migratetype: int) -> int | None:
    """Take a chunk of another type, the largest; its whole pageblock changes type if that is worth it."""
    for current_order in range(MAX_ORDER - 1, order - 1, -1):
        for other in FALLBACKS[migratetype]:
            if area := zone.free_area[other][current_order]:
                pfn = next(iter(area))
                if steal_suitable_fallback(k, zone, pfn, current_order, migratetype):
                    return __rmqueue_smallest(k, zone, order, migratetype)
                return __rmqueue_smallest(k, zone, order, other)
    return None


def steal_suitable_fallback(k: Kernel, zone: Zone, pfn: int, order: int, migratetype: int) -> bool:
    """Change the type of the chunk's pageblock(s) if most of it is free; tells whether it did."""
    start = pfn & -pageblock_nr_pages
    if order < pageblock_order:
        if order < pageblock_order // 2 and migratetype == MIGRATE_MOVABLE:
            return False
        if k.memmap.count(start, start + pageblock_nr_pages, BUDDY) < pageblock_nr_pages // 2:
            return False
    for block in range(start, pfn + (1 << order), pageblock_nr_pages):
        change_pageblock(k, zone, block, migratetype)
    return True


def unreserve_highatomic_pageblock(k: Kernel, zone: Zone, migratetype: int) -> bool:
    """Before memory runs out, the reserve for urgent requests is opened."""
    for area in zone.free_area[MIGRATE_HIGHATOMIC]:
        if area:
            change_pageblock(k, zone, next(iter(area)) & -pageblock_nr_pages, migratetype)
            return True
    return False


def rmqueue(k: Kernel, zone: Zone, order: int, migratetype: int) -> int | None:
    """Take a chunk: of the type asked for, else of CMA (if movable), else of another type.

    Poisoned pages that are met are thrown away.
    """
    pfn = __rmqueue_smallest(k, zone, order, migratetype)
    if pfn is None and migratetype == MIGRATE_MOVABLE:
        pfn = __rmqueue_smallest(k, zone, order, MIGRATE_CMA)
    if pfn is None:
        pfn = __rmqueue_fallback(k, zone, order, migratetype)
    if pfn is None and not unreserve_highatomic_pageblock(k, zone, migratetype):
        return None
    if pfn is None or (zone.poisoned and discard_poisoned(k, zone, pfn, 1 << order)):
        return rmqueue(k, zone, order, migratetype)
    return pfn


def find_buddy(k: Kernel, zone: Zone, pfn: int) -> tuple[int, int, FreeList] | None:
    """The free chunk that holds this page: its first pfn, its order and its list."""
    for order in range(MAX_ORDER - 1, -1, -1):
        head = pfn & -(1 << order)
        area = free_list(k, zone, head, order)
        if head in area:
            return head, order, area
    return None


def take_range(k: Kernel, start: int, end: int) -> None:
    """Take the pages [start, end), which must all be free, out of the buddy; their codes stay."""
    pfn = start
    while pfn < end:
        zone = k.page_zone(pfn)
        k.current.reads(("zone", zone.index))  # a counter
        chunk = find_buddy(k, zone, pfn)
        assert chunk is not None, f"page {pfn} is not in the buddy"
        head, order, area = chunk
        stop = head + (1 << order)
        del area[head]
        count_free(zone, -1 << order, k.memmap.get_pageblock_migratetype(head))
        if head < pfn:
            put_back(k, zone, head, pfn)
        if end < stop:
            put_back(k, zone, end, stop)
        pfn = stop


def put_back(k: Kernel, zone: Zone, start: int, end: int) -> None:
    """Put pages onto the free lists, in chunks as large as their alignment allows."""
    types = k.memmap.get_pageblock_migratetype
    k.current.reads(("zone", zone.index))  # a counter
    pfn = start
    while pfn < end:
        aligned = pfn & -pfn or MAX_ORDER_NR_PAGES
        order = min(aligned, end - pfn, MAX_ORDER_NR_PAGES).bit_length() - 1
        migratetype = types(pfn)
        if order > pageblock_order and not can_merge(migratetype, types(pfn + pageblock_nr_pages)):
            order = pageblock_order
        __free_one_page(k, zone, pfn, order, migratetype)
        pfn += 1 << order


def mark_free(k: Kernel, start: int, end: int) -> None:
    """Make the codes of pages [start, end) those of free ones, which nobody refers to; PG_hwpoison survives it."""
    memmap = k.memmap
    for pfn in [pfn for pfn in memmap.refs if start <= pfn < end]:
        del memmap.refs[pfn]
    memmap.fill(start, end, FREE)
    for pfn in [pfn for pfn in memmap.poisoned if start <= pfn < end]:
        set_hwpoison_free_buddy_page(k, pfn)


def set_hwpoison_free_buddy_page(k: Kernel, pfn: int) -> None:
    """Poison a free page where it is; it will be met there."""
    k.memmap.poisoned.discard(pfn)
    k.memmap.fill(pfn, pfn + 1, HWPOISON_BUDDY)
    k.page_zone(pfn).poisoned.add(pfn)


def change_pageblock(k: Kernel, zone: Zone, pfn: int, migratetype: int) -> None:
    """Set a pageblock's type and move its free pages to the lists of that type.

    set_pageblock_migratetype() and move_freepages_block(). A chunk that reaches into the next pageblock is
    split (v5.8 moves it as a whole or not at all).
    """
    runs = BUDDY.runs(k.memmap.pageblock(pfn))
    for place, nr_pages in runs:
        take_range(k, pfn + place, pfn + place + nr_pages)
    k.memmap.set_pageblock_migratetype(pfn, migratetype)
    for place, nr_pages in runs:
        put_back(k, zone, pfn + place, pfn + place + nr_pages)


# -- one chunk ---------------------------------------------------------------------------------------


def rmqueue_pcplist(k: Kernel, zone: Zone, migratetype: int) -> int | None:
    """Take a single page from this CPU's list, which is filled by a batch when it is empty."""
    pcp = zone.pageset[k.current.cpu][migratetype]
    if not pcp:
        for _ in range(PCP_BATCH):
            pfn = rmqueue(k, zone, 0, migratetype)
            if pfn is None:
                break
            pcp.append(pfn)
            k.memmap.fill(pfn, pfn + 1, PCP)
    return pcp.pop() if pcp else None


def alloc_pages(k: Kernel, mask: Gfp, order: int = 0) -> int | None:
    """Allocate one chunk of 2**order pages: its first pfn, or None if no zone of the zonelist has one."""
    highest, migratetype, code = mask
    need = 1 << order
    for zone in k.zonelists[highest]:
        if zone.nr_free_pages - need < zone.watermark_min + zone.lowmem_reserve[highest]:
            continue
        pfn = rmqueue(k, zone, order, migratetype) if order else rmqueue_pcplist(k, zone, migratetype)
        if pfn is not None:
            k.memmap.fill(pfn, pfn + need, code)
            return pfn
    return None


def discard_poisoned(k: Kernel, zone: Zone, pfn: int, nr_pages: int) -> bool:
    """check_new_pages(): throw away the poisoned pages of a chunk just taken; True if there was one."""
    bad = sorted(page for page in zone.poisoned if pfn <= page < pfn + nr_pages)
    if not bad:
        return False
    k.memmap.fill(pfn, pfn + nr_pages, FREE)
    for start, end in zip([pfn, *(page + 1 for page in bad)], [*bad, pfn + nr_pages], strict=True):
        put_back(k, zone, start, end)
    for page in bad:
        k.memmap.fill(page, page + 1, HWPOISON_GONE)
        zone.poisoned.discard(page)
    return True


def free_pages(k: Kernel, pfn: int, order: int = 0) -> None:
    """Free a chunk; a single page goes to this CPU's list. Raises ValueError if it is free already."""
    if k.memmap.state(pfn) & ~REFS in (ABSENT, FREE, PCP):
        raise ValueError(f"page {pfn} is not allocated")
    zone, migratetype = k.page_zone(pfn), k.memmap.get_pageblock_migratetype(pfn)
    if order:
        k.memmap.fill(pfn, pfn + (1 << order), FREE)
        __free_one_page(k, zone, pfn, order, migratetype)
    else:
        free_unref_page_commit(k, zone, pfn, migratetype)


def free_unref_page_commit(k: Kernel, zone: Zone, pfn: int, migratetype: int) -> None:
    """Free a single page whose pageblock had this type when it was looked at.

    A page of an isolated pageblock goes straight to the buddy. When the type was read before the isolation,
    the page ends on a per-cpu list: that is the race which commit 9683182612214 is about.
    """
    if migratetype == MIGRATE_ISOLATE:
        free_one_page(k, zone, pfn)
        return
    k.memmap.fill(pfn, pfn + 1, PCP)
    pcp = zone.pageset[k.current.cpu][migratetype if migratetype < MIGRATE_PCPTYPES else MIGRATE_MOVABLE]
    pcp.append(pfn)
    if len(pcp) >= PCP_HIGH:
        free_pcppages_bulk(k, zone, pcp, PCP_BATCH)


def free_pcppages_bulk(k: Kernel, zone: Zone, pcp: list[int], count: int) -> None:
    """Give the `count` oldest pages of a per-cpu list to the buddy, by the type their pageblock has now."""
    pages, pcp[:count] = pcp[:count], []
    if k.memmap.record is not None:
        k.current.reads(("zone", zone.index))  # a counter
        for pfn in pages:
            k.memmap.touch(pfn, pfn + 1)
    for pfn in pages:
        free_one_page(k, zone, pfn)


def free_one_page(k: Kernel, zone: Zone, pfn: int) -> None:
    """Give a single page to the buddy, by the type that its pageblock has now; PG_hwpoison survives that."""
    k.memmap.fill(pfn, pfn + 1, FREE)
    if pfn in k.memmap.poisoned:
        set_hwpoison_free_buddy_page(k, pfn)
    __free_one_page(k, zone, pfn, 0, k.memmap.get_pageblock_migratetype(pfn))


def drain_all_pages(k: Kernel, zone: Zone) -> int:
    """Empty the per-cpu lists of all CPUs for one zone; returns the number of pages that were there."""
    k.current.reads(("pcp", zone.index))
    drained = 0
    for pcp in [pcp for lists in zone.pageset for pcp in lists if pcp]:
        k.current.writes(("pcp", zone.index))
        drained += len(pcp)
        free_pcppages_bulk(k, zone, pcp, len(pcp))
    return drained
