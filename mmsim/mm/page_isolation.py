"""Taking pageblocks away from the allocator (mm/page_isolation.c, and has_unmovable_pages() of mm/page_alloc.c,
v5.8). Patches 1, 3 and 4 of the series change `set_migratetype_isolate`, patch 2 only comments.

Errors are negative errno values, as in the kernel.
"""

from __future__ import annotations

from mmsim.mm.kernel import Kernel
from mmsim.mm.memmap import KINDS, Codes, PageKind, codes_where
from mmsim.mm.mmzone import (
    MAX_ORDER_NR_PAGES,
    MIGRATE_CMA,
    MIGRATE_ISOLATE,
    ZONE_MOVABLE,
    Zone,
    pageblock_nr_pages,
    pageblock_order,
)
from mmsim.mm.page_alloc import change_pageblock, drain_all_pages
from mmsim.sim.cpu import preempt
from mmsim.sim.errnos import EBUSY

MEMORY_OFFLINE = 0x1  # the caller is memory offlining
REPORT_FAILURE = 0x2  # say which page is in the way


def page_is_unmovable(page: PageKind, refs: bool, in_zone_movable: bool, memory_offline: bool) -> bool:
    """The decision of has_unmovable_pages() on one page; the order of the tests matters.

    refs: somebody holds further references. Long-term pins are references like any other: the function
    does not see them.
    """
    if page.reserved:
        # Boot allocations and memory holes, which both carry PG_reserved. With movablecore= they can lie
        # inside ZONE_MOVABLE too.
        return True
    if in_zone_movable:
        # Nothing else is looked at: what was allocated here is movable, or an error of its owner.
        return False
    if page.hugetlb:
        return False  # huge pages of 2 MiB and 1 GiB can be migrated on x86-64
    if page.compound:
        return not (page.lru or page.movable_ops)
    if page.refcount == 0 and not refs:
        return False  # free: in the buddy, on a per-cpu list, or given up by its driver
    if memory_offline and page.hwpoison:
        return False  # will never be handed out again
    if memory_offline and page.offline:
        return False  # its driver can let go of it in MEM_GOING_OFFLINE
    return not (page.movable_ops or page.lru)


UNMOVABLE: dict[tuple[bool, bool], Codes] = {
    (movable, offline): codes_where(
        lambda page, refs, movable=movable, offline=offline: (  # type: ignore[misc]
            page is not KINDS[0] and page_is_unmovable(page, refs, movable, offline)
        )
    )
    for movable in (False, True)
    for offline in (False, True)
}


def has_unmovable_pages(k: Kernel, zone: Zone, pfn: int, migratetype: int, isol_flags: int) -> int | None:
    """The first page of a pageblock that can't be moved, or None. Only a guess: it holds no reference.

    The zone's lock is held. REPORT_FAILURE does not matter here.
    """
    k.current.reads(("pages", pfn // MAX_ORDER_NR_PAGES))
    if k.memmap.get_pageblock_migratetype(pfn) == MIGRATE_CMA:
        # Only CMA may isolate its own pageblocks; to all others they are unmovable as a whole.
        return None if migratetype == MIGRATE_CMA else pfn
    unmovable = UNMOVABLE[zone.index == ZONE_MOVABLE, bool(isol_flags & MEMORY_OFFLINE)]
    place = unmovable.first(k.memmap.pageblock(pfn))
    return None if place < 0 else pfn + place


async def set_migratetype_isolate(k: Kernel, pfn: int, migratetype: int, isol_flags: int) -> int:
    """Isolate one pageblock: 0, or -EBUSY if it is isolated already or holds an unmovable page."""
    zone = k.page_zone(pfn)
    unmovable = None
    ret = -EBUSY
    with zone.lock:
        if k.patched(1) and is_migrate_isolate_page(k, pfn):
            # We assume that the caller wants to isolate the pageblock. Somebody else was faster.
            return -EBUSY
        if k.patched(1) or not is_migrate_isolate_page(k, pfn):
            unmovable = has_unmovable_pages(k, zone, pfn, migratetype, isol_flags)
            if unmovable is None:
                isolate_pageblock(k, zone, pfn)
                ret = 0
    if ret == 0:
        await drain_after_isolation(k, zone, pfn)
    else:
        if not k.patched(3):
            # Nothing unmovable should be in there, should it?
            k.trace.warn_on_once(zone.index == ZONE_MOVABLE, "mm/page_isolation.c set_migratetype_isolate")
        if isol_flags & REPORT_FAILURE and (k.patched(4) or unmovable is not None):
            # Not before the lock is free: printing under it could deadlock.
            k.dump_page(unmovable, "unmovable page")
    return ret


def is_migrate_isolate_page(k: Kernel, pfn: int) -> bool:
    """Is the page's pageblock isolated?"""
    k.current.reads(("pages", pfn // MAX_ORDER_NR_PAGES))
    return k.memmap.get_pageblock_migratetype(pfn) == MIGRATE_ISOLATE


def isolate_pageblock(k: Kernel, zone: Zone, pfn: int) -> None:
    """What a successful isolation changes: the type, the counters, the free list of the free pages."""
    k.current.reads(("zone", zone.index))
    k.touch_pages(pfn, pfn + pageblock_nr_pages)
    change_pageblock(k, zone, pfn, MIGRATE_ISOLATE)
    zone.nr_isolate_pageblock += 1
    k.trace.emit("isolate", f"pageblock {pfn:#x}: Isolate", pfn)


async def drain_after_isolation(k: Kernel, zone: Zone, pfn: int) -> None:
    """Bring the pages on per-cpu lists to where they belong now."""
    await preempt()
    k.trace.emit("drain", f"drain_all_pages({zone.name})", pfn)
    drain_all_pages(k, zone)


def unset_migratetype_isolate(k: Kernel, pfn: int, migratetype: int) -> None:
    """Give an isolated pageblock back as one of this type; does nothing if it is not isolated."""
    zone = k.page_zone(pfn)
    with zone.lock:
        if not is_migrate_isolate_page(k, pfn):
            return
        k.touch_pages(pfn, pfn + pageblock_nr_pages)
        k.current.reads(("zone", zone.index))
        change_pageblock(k, zone, pfn, migratetype)
        zone.nr_isolate_pageblock -= 1
        k.trace.emit("isolate", f"pageblock {pfn:#x}: no longer Isolate", pfn)


async def start_isolate_page_range(k: Kernel, start: int, end: int, migratetype: int, isol_flags: int) -> int:
    """Isolate all pageblocks of [start, end), upwards: 0 or -EBUSY.

    On failure the pageblocks isolated so far get the type `migratetype`, whatever they were before. Those
    that somebody else has isolated stay as they are.
    """
    for pfn in range(start, end, pageblock_nr_pages):
        await preempt()
        if k.pfn_to_online_page(pfn) is None:
            continue  # nothing to isolate here, silently
        if await set_migratetype_isolate(k, pfn, migratetype, isol_flags):
            for mine in range(start, pfn, pageblock_nr_pages):
                await preempt()
                if k.pfn_to_online_page(mine) is not None:
                    unset_migratetype_isolate(k, mine, migratetype)
            return -EBUSY
    return 0


async def undo_isolate_page_range(k: Kernel, start: int, end: int, migratetype: int) -> None:
    """Give all isolated pageblocks of [start, end) back as ones of this type."""
    for pfn in range(start, end, pageblock_nr_pages):
        await preempt()
        if k.pfn_to_online_page(pfn) is not None:
            unset_migratetype_isolate(k, pfn, migratetype)


def page_is_settled(page: PageKind, refs: bool, memory_offline: bool) -> bool:
    """Does test_pages_isolated() step over this page?"""
    if page.buddy:
        return True
    if memory_offline and page.hwpoison:
        return True
    return memory_offline and page.offline and page.refcount == 0 and not refs and not page.movable_ops


SETTLED = {
    offline: codes_where(lambda page, refs, offline=offline: page_is_settled(page, refs, offline))  # type: ignore[misc]
    for offline in (False, True)
}


def test_pages_isolated(k: Kernel, start: int, end: int, isol_flags: int) -> int:
    """0 if every pageblock of [start, end) is isolated and every page free, else -EBUSY.

    With MEMORY_OFFLINE, poisoned pages and PG_offline pages without a reference are good enough.
    """
    k.touch_pages(start, end)
    first = start & -pageblock_nr_pages
    for section, low, high, _ in k.memmap.parts(first, end):
        types = section.migratetypes[low >> pageblock_order : ((high - 1) >> pageblock_order) + 1]
        if not section.online or types.count(MIGRATE_ISOLATE) != len(types):
            return -EBUSY
    settled = SETTLED[bool(isol_flags & MEMORY_OFFLINE)]
    return 0 if k.memmap.all_are(start, end, settled) else -EBUSY
