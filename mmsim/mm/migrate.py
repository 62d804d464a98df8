"""Moving pages away: taking them off the LRU, migrate_pages() (mm/migrate.c, v5.8).

A list of isolated pages is a list of runs (first pfn, number of pages); a huge page is a run of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from mmsim.mm.bulk import alloc_bulk, available, free_range, joined
from mmsim.mm.gfp import Gfp, gfp
from mmsim.mm.kernel import Kernel
from mmsim.mm.memmap import (
    BALLOON,
    HUGETLB,
    HUGETLB_FREE,
    HUGETLB_FREE_TAIL,
    HUGETLB_TAIL,
    ISOLATED_FREED,
    ISOLATED_LRU,
    ISOLATED_THP,
    ISOLATED_THP_TAIL,
    LRU,
    MOVABLE_OPS,
    REFS,
    THP,
    THP_TAIL,
    codes,
    codes_where,
)
from mmsim.mm.mmzone import (
    MIGRATE_ISOLATE,
    PAGES_PER_SECTION,
    SECTION_SHIFT,
    ZONE_MOVABLE,
    pageblock_nr_pages,
    pageblock_order,
)
from mmsim.mm.page_alloc import take_range
from mmsim.sim.errnos import ENOMEM

Pages = list[tuple[int, int]]

HPAGE_PMD_NR = pageblock_nr_pages  # pages of a huge page of 2 MiB
ISOLATE = {LRU: ISOLATED_LRU, THP: ISOLATED_THP, THP_TAIL: ISOLATED_THP_TAIL}
PUT_BACK = {isolated: code for code, isolated in ISOLATE.items()}
BASE_PAGES = codes_where(lambda page, refs: (page.lru and not page.compound) or page.movable_ops)
ISOLATABLE = codes(LRU, MOVABLE_OPS, BALLOON, THP)
FREED = codes(ISOLATED_FREED)
MIGRATED = {*PUT_BACK, MOVABLE_OPS, BALLOON}


def isolate_movable_pages(k: Kernel, start: int, end: int, limit: int) -> tuple[Pages, int]:
    """Take movable pages of [start, end) off the LRU, at least `limit` if there are as many.

    Returns the list, and the pfn from which to go on. All else (slab, hugetlb, PG_offline, poisoned pages) is
    stepped over.
    """
    pages: Pages = []
    count, pfn = 0, start
    while count < limit and (found := k.memmap.find(pfn, end, ISOLATABLE)) is not None:
        nr_pages = HPAGE_PMD_NR
        if k.memmap.state(found) & ~REFS != THP:
            nr_pages = next(n for _, n in k.memmap.runs(found, min(end, found + limit - count), BASE_PAGES))
        pages.append((found, nr_pages))
        count, pfn = count + nr_pages, found + nr_pages
        k.memmap.recode(found, pfn, ISOLATE)
    return pages, pfn if count >= limit else end


def putback_movable_pages(k: Kernel, pages: Pages) -> None:
    """Put pages that were not migrated back onto the LRU; those given back by their owner are freed."""
    for pfn, nr_pages in pages:
        for first, nr in k.memmap.runs(pfn, pfn + nr_pages, FREED):
            free_range(k, first, first + nr)
        k.memmap.recode(pfn, pfn + nr_pages, PUT_BACK)


def migration_target(k: Kernel, pfn: int) -> Gfp:
    """new_page_nodemask(): a page of a kernel zone may not go to ZONE_MOVABLE; others may go anywhere."""
    movable = k.memmap.zone_index(pfn) == ZONE_MOVABLE or k.memmap.kind(pfn).hugetlb
    return gfp("GFP_HIGHUSER_MOVABLE" if movable else "GFP_USER|__GFP_MOVABLE")


def of_one_zone(k: Kernel, pages: Pages) -> Iterator[tuple[int, int]]:
    """The same pages, in runs each of which lies in one zone: it is the zone that decides on the target."""
    for pfn, nr_pages in pages:
        blocks = range((pfn & -pageblock_nr_pages) + pageblock_nr_pages, pfn + nr_pages, pageblock_nr_pages)
        borders = [block for block in blocks if k.memmap.zone_index(block) != k.memmap.zone_index(block - 1)]
        yield from ((low, high - low) for low, high in pairwise([pfn, *borders, pfn + nr_pages]))


def migrate_pages(k: Kernel, pages: Pages, mask: Gfp | None = None) -> tuple[int, Pages]:
    """Migrate isolated pages, one after another, to wherever the zonelist (of `mask`, else the usual one) has room.

    Returns 0, the number of pages that could not be migrated (they have further references), or -ENOMEM; and
    the list of those that are left.
    """
    left: Pages = []
    pages = list(of_one_zone(k, pages))
    for index, (pfn, nr_pages) in enumerate(pages):
        code = k.memmap.state(pfn) & ~REFS
        move = {ISOLATED_THP: migrate_thp, HUGETLB: migrate_hugetlb}.get(code, migrate_base_pages)
        target = mask or migration_target(k, pfn)
        depends_on_memory(k, pfn, nr_pages, target, single=move is migrate_base_pages)
        stay, short = move(k, pfn, nr_pages, target)
        left += stay
        if short:
            return -ENOMEM, left + pages[index + 1 :]
    return sum(nr if k.memmap.state(pfn) & ~REFS not in (ISOLATED_THP, HUGETLB) else 1 for pfn, nr in left), left


def depends_on_memory(k: Kernel, pfn: int, nr_pages: int, mask: Gfp, single: bool) -> None:
    """For `interleavings.explore`: migration depends on its zonelist's free memory, unless there is plenty for two.

    Where nothing is held back, memory can only run short of the pages that migration would go to, and these are in
    its footprint. A watermark is reached by taking any others away: at a time that is no more than a memory block,
    and when a block is offline, all zones are written.
    """
    if k.current.footprint is None:
        return
    zonelist = k.zonelists[mask.highest_zone]
    first = zonelist[0] if zonelist else None
    if single and first and available(first, mask, 0) >= 2 * nr_pages + bool(first.watermark_min) * PAGES_PER_SECTION:
        k.current.reads(("zone", first.index))
    else:
        k.current.writes(*(("zone", zone.index) for zone in zonelist))


def same_code(k: Kernel, pfn: int, nr_pages: int) -> Iterator[tuple[int, int, int]]:
    """[pfn, pfn + nr_pages) cut into runs of equal codes: (first pfn, number of pages, code)."""
    for section, low, high, base in k.memmap.parts(pfn, pfn + nr_pages):
        column = bytes(section.state[low:high])
        offset = 0
        while offset < len(column):
            rest = column[offset:].lstrip(column[offset : offset + 1])
            stop = len(column) - len(rest)
            yield base + low + offset, stop - offset, column[offset]
            offset = stop


def migrate_base_pages(k: Kernel, pfn: int, nr_pages: int, mask: Gfp) -> tuple[Pages, bool]:
    """Migrate single pages; returns those that stay, and whether memory ran short."""
    left: Pages = []
    for first, nr, code in list(same_code(k, pfn, nr_pages)):
        if code == ISOLATED_FREED:
            free_range(k, first, first + nr)
        elif code & ~REFS not in MIGRATED:
            continue  # its owner was faster: it has been given back, or somebody else's since
        elif code & REFS:
            left.append((first, nr))
        else:
            moved = 0
            for target, count in alloc_bulk(k, mask, nr, partial=True):
                move_pages(k, first + moved, target, count, PUT_BACK.get(code, code))
                moved += count
            if moved < nr:
                return joined([*left, (first + moved, pfn + nr_pages - first - moved)]), True
    return joined(left), False


def move_pages(k: Kernel, source: int, target: int, nr_pages: int, code: int) -> None:
    """Copy pages to their new place, with their owners, and free the old ones."""
    owned = k.memmap.owned(source, source + nr_pages)
    k.memmap.occupy(target, target + nr_pages, code)
    free_range(k, source, source + nr_pages)
    for start, end, owner in owned:
        k.memmap.set_owner(start - source + target, end - source + target, owner)
    k.trace.emit("migrate", f"{nr_pages} pages {source:#x} -> {target:#x}", (source, target, nr_pages))


def migrate_thp(k: Kernel, pfn: int, nr_pages: int, mask: Gfp) -> tuple[Pages, bool]:
    """Migrate a transparent huge page; if there is no huge page to go to, it is split."""
    if k.memmap.state(pfn) & REFS:
        return [(pfn, nr_pages)], False
    target = alloc_bulk(k, mask, nr_pages, pageblock_order)
    if not target:
        k.memmap.fill(pfn, pfn + nr_pages, ISOLATED_LRU)
        return migrate_base_pages(k, pfn, nr_pages, mask)
    move_pages(k, pfn, target[0][0], nr_pages, THP_TAIL)
    k.memmap.occupy(target[0][0], target[0][0] + 1, THP)
    return [], False


def migrate_hugetlb(k: Kernel, pfn: int, nr_pages: int, mask: Gfp) -> tuple[Pages, bool]:
    """Migrate a hugetlb page in use: to a free one of the pool if there is one, else to new memory.

    In the first case the old page takes the place of the free one in the pool, in the second it is freed.
    """
    if k.memmap.state(pfn) & REFS:
        return [(pfn, nr_pages)], False
    target = dequeue_huge_page(k)
    pooled = target is not None
    if target is None:
        fresh = alloc_bulk(k, mask, nr_pages, pageblock_order)
        if not fresh:
            return [(pfn, nr_pages)], True
        target = fresh[0][0]
    move_pages(k, pfn, target, nr_pages, HUGETLB_TAIL)
    k.memmap.fill(target, target + 1, HUGETLB)
    if pooled:
        take_range(k, pfn, pfn + nr_pages)
        k.memmap.fill(pfn, pfn + nr_pages, HUGETLB_FREE_TAIL)
        k.memmap.fill(pfn, pfn + 1, HUGETLB_FREE)
    return [], False


def dequeue_huge_page(k: Kernel) -> int | None:
    """A free page of the hugetlb pool that is not in an isolated pageblock."""
    wanted = codes(HUGETLB_FREE)
    for number, section in k.memmap.sections.items():
        base = number << SECTION_SHIFT
        for pfn, nr in k.memmap.runs(base, base + PAGES_PER_SECTION, wanted) if section.online else ():
            if nr and k.memmap.get_pageblock_migratetype(pfn) != MIGRATE_ISOLATE:
                return pfn
    return None


def dissolve_free_huge_pages(k: Kernel, start: int, end: int) -> None:
    """Give the free pages of the hugetlb pool in [start, end) back to the buddy (mm/hugetlb.c)."""
    for pfn, nr in k.memmap.runs(start, end, codes(HUGETLB_FREE, HUGETLB_FREE_TAIL)):
        free_range(k, pfn, pfn + nr)
