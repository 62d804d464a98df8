"""Allocating a given range of pages: alloc_contig_range() of mm/page_alloc.c, v5.8 to v5.10."""

from __future__ import annotations

from mmsim.mm.bulk import free_range
from mmsim.mm.kernel import Kernel
from mmsim.mm.memmap import CONTIG, FREEING, HWPOISON, HWPOISON_BUDDY, REFS, Codes, codes, codes_where
from mmsim.mm.migrate import Pages, isolate_movable_pages, migrate_pages, putback_movable_pages
from mmsim.mm.mmzone import MAX_ORDER_NR_PAGES
from mmsim.mm.page_alloc import find_buddy, take_range
from mmsim.mm.page_isolation import start_isolate_page_range, test_pages_isolated, undo_isolate_page_range
from mmsim.mm.page_ref import set_further_refs
from mmsim.sim.cpu import Round, preempt
from mmsim.sim.errnos import EBUSY

COMPACT_CLUSTER_MAX = 32  # pages isolated at a time
MIGRATE_TRIES = 5
REFERENCED = codes_where(lambda page, refs: refs and (page.lru or page.movable_ops))
STILL_USED = Codes([CONTIG | REFS, FREEING])  # the reference count is not 1


async def alloc_contig_range(k: Kernel, start: int, end: int, migratetype: int) -> int:
    """Allocate exactly the pages [start, end): 0, -EBUSY or -ENOMEM.

    Whole units of the largest buddy size (1024 pages) are isolated for it, and come back with the type
    `migratetype`. Pages that were migrated before a failure stay where they went.
    """
    k.current.begins_rounds()
    first = start & -MAX_ORDER_NR_PAGES
    last = -(-end & -MAX_ORDER_NR_PAGES)
    ret = await start_isolate_page_range(k, first, last, migratetype, 0)
    if ret < 0:
        return ret
    ret = await __alloc_contig_migrate_range(k, start, end)
    await preempt()
    if ret == 0 or ret == -EBUSY:
        # Pages may have become free meanwhile: what counts is only whether all are free now.
        ret = take_isolated_range(k, start, end)
    await undo_isolate_page_range(k, first, last, migratetype)
    return ret


async def __alloc_contig_migrate_range(k: Kernel, start: int, end: int) -> int:
    """Migrate what is in the range: 0, -EBUSY after five attempts at the same pages, or -ENOMEM."""
    k.lru_add_drain_all()
    cluster = end - start if is_one_cluster(k, start, end) else COMPACT_CLUSTER_MAX
    pages: Pages = []
    pfn, tries, ret = start, 0, 0
    while pfn < end or pages:
        if not pages:
            pages, pfn = isolate_movable_pages(k, pfn, end, cluster)
            tries = 0
        else:
            tries += 1
            if tries == MIGRATE_TRIES:
                ret = ret if ret < 0 else -EBUSY
                break
        await preempt()
        ret, pages = migrate_pages(k, pages)
        await Round(progress=True)
    putback_movable_pages(k, pages)
    return min(ret, 0)


def is_one_cluster(k: Kernel, start: int, end: int) -> bool:
    """May the range be migrated as one cluster? It takes a fraction of the time, and is not always the same.

    Where one cluster ends can be seen by who runs or counts rounds in between, and where it fails: pages of the
    same cluster are migrated still, those of the next are not. Without further references only memory that runs
    short makes it fail, and that at the same page.
    """
    return k.current.alone and k.memmap.find(start, end, REFERENCED) is None


def take_isolated_range(k: Kernel, start: int, end: int) -> int:
    """Take the range out of the buddy if all of it is free (poisoned and PG_offline pages are not)."""
    chunk = find_buddy(k, k.page_zone(start), start) if k.pfn_to_online_page(start) is not None else None
    outer_start = chunk[0] if chunk else start
    if test_pages_isolated(k, outer_start, end, 0):
        if k.trace.ratelimit("alloc_contig_range"):
            k.trace.printk(f"alloc_contig_range: [{outer_start:x}, {end:x}) PFNs busy")
        return -EBUSY
    poisoned = k.memmap.runs(start, end, codes(HWPOISON_BUDDY))
    take_range(k, start, end)
    k.memmap.fill(start, end, CONTIG)
    for pfn, nr in poisoned:
        k.memmap.fill(pfn, pfn + nr, HWPOISON)
        k.page_zone(pfn).poisoned.difference_update(range(pfn, pfn + nr))
    return 0


def free_contig_range(k: Kernel, start: int, end: int) -> None:
    """Drop a reference of each page of a range from alloc_contig_range(), which frees those without others.

    A page that somebody still refers to, or that lost a reference before, stays away from the buddy, with a WARN;
    poisoned pages are never freed.
    """
    still_used = [pfn for a, nr in k.memmap.runs(start, end, STILL_USED) for pfn in range(a, a + nr)]
    for pfn, nr in k.memmap.runs(start, end, Codes([CONTIG])):
        free_range(k, pfn, pfn + nr)
    if still_used:
        k.trace.warn("mm/page_alloc.c free_contig_range", f"{len(still_used)} pages are still in use!")
    for pfn in still_used:
        put_page_in_use(k, pfn)


def put_page_in_use(k: Kernel, pfn: int) -> None:
    """Drop a reference of a page that is not freed by it; it may be poisoned."""
    count = k.page_count(pfn) - 1
    k.memmap.recode(pfn, pfn + 1, {FREEING: CONTIG})
    if pfn in k.memmap.poisoned:
        k.memmap.poisoned.discard(pfn)
        k.memmap.recode(pfn, pfn + 1, {CONTIG: HWPOISON})
    set_further_refs(k, pfn, count - k.memmap.kind(pfn).refcount)
