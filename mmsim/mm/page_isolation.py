"""Taking pageblocks away from the allocator (mm/page_isolation.c, and has_unmovable_pages() of mm/page_alloc.c,
v5.8). What changes them is in `mmsim.series`.

Errors are negative errno values, as in the kernel.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from mmsim.mm.kernel import ChangeName, Kernel
from mmsim.mm.memmap import ABSENT, KINDS, REFS, Codes, PageKind, Section, codes_where, firsts
from mmsim.mm.mmzone import (
    MIGRATE_CMA,
    MIGRATE_ISOLATE,
    MIGRATE_MOVABLE,
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


def has_unmovable_pages(k: Kernel, zone: Zone, start: int, migratetype: int, isol_flags: int) -> int | None:
    """The first page of a pageblock that can't be moved, or None. Only a guess: it holds no reference.

    The zone's lock is held. The order of the tests matters. REPORT_FAILURE does not matter here, and long-term pins
    are references like any other: they are not seen.
    """
    # [not 2] Could be cheaper for ZONE_MOVABLE if all pages there could be moved for sure. They can't: with
    # [not 2] movablecore= there may be boot allocations among them.
    if is_migrate_cma_page(k, start):
        # Only CMA may isolate its own pageblocks; to all others they are unmovable as a whole.
        if migratetype == MIGRATE_CMA:
            return None
        return start
    for pfn, page in pages_of_pageblock(k, start):
        if page is KINDS[ABSENT]:
            continue
        # [2] Boot allocations and memory holes, which both carry PG_reserved. With movablecore= they can lie
        # [2] inside ZONE_MOVABLE too.
        if page.reserved:
            return pfn
        if zone.index == ZONE_MOVABLE and (isol_flags & MEMORY_OFFLINE or not k.patched("restrict-movable-shortcut")):
            # Nothing else is looked at: what was allocated here is movable, or an error of its owner.
            continue
        if page.compound:
            # One answer for all its pages. Huge pages of 2 MiB and 1 GiB can be migrated on x86-64.
            if not (page.hugetlb or page.lru or page.movable_ops):
                return pfn
            continue
        if k.page_count(pfn) == 0:
            # Free: in the buddy, on a per-cpu list, or given up by its driver.
            continue
        if isol_flags & MEMORY_OFFLINE and page.hwpoison:
            # Will never be handed out again.
            continue
        if isol_flags & MEMORY_OFFLINE and page.offline:
            # Its driver can let go of it in MEM_GOING_OFFLINE.
            continue
        if page.lru or page.movable_ops:
            continue
        # [not 2] In use, and nothing that could be moved. Of a page with PG_reserved one can't tell which it is: a
        # [not 2] hole, or what the kernel took for itself at boot.
        return pfn
    return None


def pages_of_pageblock(k: Kernel, start: int) -> Iterator[tuple[int, PageKind]]:
    """The pages of a pageblock that begins here, upwards: pfn and kind. Of those that are alike only the first."""
    for place in firsts(k.memmap.pageblock(start)):
        yield start + place, k.memmap.kind(start + place)


def unmovable_codes(changes: Collection[ChangeName], zone_index: int, isol_flags: int) -> Codes:
    """The page codes that has_unmovable_pages() does not accept in a zone, found by asking it."""
    k, found = Kernel(changes), []
    for code in (code | refs for code in range(len(KINDS)) for refs in (0, REFS)):
        k.memmap.sections[0] = Section(code, b"")
        if has_unmovable_pages(k, k.zones[zone_index], 0, MIGRATE_MOVABLE, isol_flags) is not None:
            found.append(code)
    return Codes(found)


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
    return k.memmap.get_pageblock_migratetype(pfn) == MIGRATE_ISOLATE


def is_migrate_cma_page(k: Kernel, pfn: int) -> bool:
    """Does the page's pageblock belong to CMA?"""
    return k.memmap.get_pageblock_migratetype(pfn) == MIGRATE_CMA


def isolate_pageblock(k: Kernel, zone: Zone, pfn: int) -> None:
    """What a successful isolation changes: the type, the counters, the free list of the free pages."""
    k.current.reads(("zone", zone.index))
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
    passed = all_isolated(k, start, end) and k.memmap.all_are(start, end, SETTLED[bool(isol_flags & MEMORY_OFFLINE)])
    what = f"test_pages_isolated({start:#x}, {end:#x})"
    k.trace.emit("test", f"{what}: {'all are free' if passed else 'not all are free'}", passed)
    return 0 if passed else -EBUSY


def all_isolated(k: Kernel, start: int, end: int) -> bool:
    """Are all pageblocks of a range online, and labelled Isolate?"""
    for section, low, high, _ in k.memmap.parts(start & -pageblock_nr_pages, end):
        types = section.migratetypes[low >> pageblock_order : ((high - 1) >> pageblock_order) + 1]
        if not section.online or types.count(MIGRATE_ISOLATE) != len(types):
            return False
    return True
