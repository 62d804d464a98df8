"""Pages whose memory is broken (mm/memory-failure.c, v5.8)."""

from __future__ import annotations

from mmsim.mm.bulk import free_range
from mmsim.mm.kernel import Kernel
from mmsim.mm.memmap import HWPOISON, HWPOISON_BUDDY, LRU, THP, THP_TAIL
from mmsim.mm.migrate import HPAGE_PMD_NR
from mmsim.mm.page_alloc import drain_all_pages
from mmsim.sim.errnos import ENXIO


def memory_failure(k: Kernel, pfn: int) -> int:
    """Poison a page: a free one stays in the buddy, one in use loses its owner and is never freed.

    A transparent huge page is split first; of a hugetlb page all but the poisoned page is freed. Returns 0, or
    -ENXIO for a page that is not online.
    """
    if k.pfn_to_online_page(pfn) is None:
        k.trace.printk(f"Memory failure: {pfn:#x}: memory outside kernel control", "err")
        return -ENXIO
    memmap, kind = k.memmap, k.memmap.kind(pfn)
    if kind.hwpoison:
        return 0
    if kind.name == "pcp":
        drain_all_pages(k, k.page_zone(pfn))
    if memmap.kind(pfn).buddy:
        memmap.fill(pfn, pfn + 1, HWPOISON_BUDDY)
        k.page_zone(pfn).poisoned.add(pfn)
    else:
        memmap.set_owner(pfn, pfn + 1, None)
        memmap.refs.pop(pfn, None)
        break_up(k, pfn)
        memmap.fill(pfn, pfn + 1, HWPOISON)
    k.trace.printk(f"Memory failure: {pfn:#x}: recovery action", "err")
    return 0


def break_up(k: Kernel, pfn: int) -> None:
    """Make the huge page around a page a range of single pages (of no use any more, if it was hugetlb)."""
    kind, head = k.memmap.kind(pfn), pfn & -HPAGE_PMD_NR
    if kind.hugetlb:
        free_range(k, head, pfn)
        free_range(k, pfn + 1, head + HPAGE_PMD_NR)
    elif kind.compound and kind.lru:
        k.memmap.recode(head, head + HPAGE_PMD_NR, {THP: LRU, THP_TAIL: LRU})
