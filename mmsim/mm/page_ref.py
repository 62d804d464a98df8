"""Reference counts, where they are not what a page's kind implies (include/linux/page_ref.h, v5.8).

A PG_offline page has one reference of its driver, who drops it while the page's block goes offline. Others can hold
more, or can have dropped what wasn't theirs.
"""

from __future__ import annotations

from mmsim.mm.kernel import Kernel
from mmsim.mm.memmap import BALLOON, OFFLINE, OFFLINE_DIRTY, OFFLINE_DIRTY_REF0, OFFLINE_REF0, codes_where

DROP = {OFFLINE: OFFLINE_REF0, OFFLINE_DIRTY: OFFLINE_DIRTY_REF0, BALLOON: OFFLINE_REF0}
TAKE = {OFFLINE_REF0: OFFLINE, OFFLINE_DIRTY_REF0: OFFLINE_DIRTY}
NOT_ONE = codes_where(lambda page, refs: page.offline and (refs or page.refcount != 1))
NOT_ZERO = codes_where(lambda page, refs: page.offline and (refs or page.refcount != 0))


def set_further_refs(k: Kernel, pfn: int, further: int, pinned: bool = False) -> None:
    """Set the number of references that a page has beside the one that its kind implies; pins are not counted."""
    k.memmap.refs[pfn] = further
    if not further:
        del k.memmap.refs[pfn]
    k.memmap.set_refs(pfn, pfn + 1, further != 0 or pinned)


def set_page_count(k: Kernel, pfn: int, count: int, pinned: bool = False) -> None:
    """Set the reference count of a PG_offline page; it can be -1 while the page's block goes offline."""
    k.memmap.recode(pfn, pfn + 1, TAKE if count > 0 else DROP)
    set_further_refs(k, pfn, count - k.memmap.kind(pfn).refcount, pinned)


def page_ref_dec(k: Kernel, start: int, end: int) -> list[int]:
    """Drop a reference of each PG_offline page in [start, end); returns the pages whose count was not 1."""
    counts = {pfn: k.page_count(pfn) for a, nr in k.memmap.runs(start, end, NOT_ONE) for pfn in range(a, a + nr)}
    k.memmap.recode(start, end, DROP)
    for pfn, count in counts.items():
        set_page_count(k, pfn, count - 1)
    return list(counts)


def page_ref_inc(k: Kernel, start: int, end: int) -> None:
    """Take a reference of each PG_offline page in [start, end)."""
    counts = {pfn: k.page_count(pfn) for a, nr in k.memmap.runs(start, end, NOT_ZERO) for pfn in range(a, a + nr)}
    k.memmap.recode(start, end, TAKE)
    for pfn, count in counts.items():
        set_page_count(k, pfn, count + 1)
