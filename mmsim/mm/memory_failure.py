"""Pages whose memory is broken, or is about to break (mm/memory-failure.c, v5.8).

In two things later kernels are followed: a free page on a per-cpu list is drained before it is looked at (v5.11),
and of a hugetlb page all but the poisoned page is freed (v5.10).
"""

from __future__ import annotations

from mmsim.mm.bulk import free_range
from mmsim.mm.kernel import Kernel
from mmsim.mm.memmap import (
    HWPOISON,
    ISOLATED_THP,
    ISOLATED_THP_TAIL,
    LRU,
    PAGEVEC,
    PCP,
    REFS,
    THP,
    THP_TAIL,
    PageKind,
    codes,
)
from mmsim.mm.migrate import (
    HPAGE_PMD_NR,
    Pages,
    dissolve_free_huge_pages,
    isolate_movable_pages,
    migrate_pages,
    putback_movable_pages,
)
from mmsim.mm.mmzone import SECTION_SHIFT
from mmsim.mm.page_alloc import drain_all_pages, set_hwpoison_free_buddy_page
from mmsim.mm.page_ref import set_further_refs
from mmsim.sim.errnos import EBUSY, EIO, ENXIO

TRANSPARENT = codes(THP, THP_TAIL, ISOLATED_THP, ISOLATED_THP_TAIL)
RECOVERED, DELAYED, IGNORED, FAILED = "Recovered", "Delayed", "Ignored", "Failed"


# -- the memory is broken ----------------------------------------------------------------------------


def memory_failure(k: Kernel, pfn: int) -> int:
    """Poison a page: a free one stays in the buddy, one in use loses its owner and is never freed.

    A transparent huge page is split first. Returns 0; -ENXIO for a page that is not online; -EBUSY if somebody
    can go on using it: a page of the kernel, or one with further references.
    """
    if k.pfn_to_online_page(pfn) is None:
        k.trace.printk(f"Memory failure: {pfn:#x}: memory outside kernel control", "err")
        return -ENXIO
    if k.page_hwpoison(pfn):
        k.trace.printk(f"Memory failure: {pfn:#x}: already hardware poisoned", "err")
        return 0
    shake_page(k, pfn)
    if k.memmap.state(pfn) in TRANSPARENT and not split_huge_page(k, pfn):
        k.trace.printk(f"Memory failure: {pfn:#x}: thp split failed", "err")
        return -EBUSY
    what, result = poison(k, pfn)
    k.trace.printk(f"Memory failure: {pfn:#x}: recovery action for {what}: {result}", "err")
    return 0 if result in (RECOVERED, DELAYED) else -EBUSY


def poison(k: Kernel, pfn: int) -> tuple[str, str]:
    """Set PG_hwpoison and do what can be done: what the page is and how that ended, as the log names them."""
    kind, count = k.memmap.kind(pfn), k.page_count(pfn)
    if kind.buddy:
        set_hwpoison_free_buddy_page(k, pfn)
        return "free buddy page", DELAYED
    if kind.hugetlb:
        return poison_huge_page(k, pfn)
    if kind.reserved or kind.offline or not (count or kind.compound):
        poison_in_place(k, pfn, count)
    else:
        take_from_owner(k, pfn)
    if not count and not kind.compound:
        return "high-order kernel page", IGNORED
    return outcome(k, pfn, name_of(kind), count - 1 if kind.lru else max(count, 1))


def name_of(kind: PageKind) -> str:
    """What the log calls a page in use (action_page_types)."""
    if kind.reserved:
        return "reserved kernel page"
    return "dirty LRU page" if kind.lru else "kernel slab page" if kind.name.startswith("slab") else "unknown page"


def outcome(k: Kernel, pfn: int, what: str, users: int) -> tuple[str, str]:
    """page_action(): a page that still has users is not recovered."""
    if users:
        k.trace.printk(f"Memory failure: {pfn:#x}: {what} still referenced by {users} users", "err")
    return what, FAILED if users else RECOVERED


def poison_in_place(k: Kernel, pfn: int, count: int) -> None:
    """The page stays what it is; the reference that was taken to look at it is never dropped."""
    k.memmap.poisoned.add(pfn)
    if count:
        set_further_refs(k, pfn, k.memmap.refs.get(pfn, 0) + 1)


def take_from_owner(k: Kernel, pfn: int) -> None:
    """The page is nobody's any more, but for those who refer to it one by one."""
    k.current.writes("owners")
    k.memmap.set_owner(pfn, pfn + 1, None)
    k.memmap.fill(pfn, pfn + 1, HWPOISON | (REFS if pfn in k.memmap.refs else 0))


def poison_huge_page(k: Kernel, pfn: int) -> tuple[str, str]:
    """memory_failure_hugetlb(): all but the poisoned page is of use again, unless somebody refers to the huge page."""
    head = pfn & -HPAGE_PMD_NR
    kind = k.memmap.kind(head)
    users = k.page_count(head) - kind.refcount
    if users:
        k.memmap.poisoned.add(pfn)
    else:
        free_range(k, head, pfn)
        free_range(k, pfn + 1, head + HPAGE_PMD_NR)
        take_from_owner(k, pfn)
    return outcome(k, pfn, "huge page", users) if kind.refcount else ("free huge page", DELAYED)


# -- the memory is about to break --------------------------------------------------------------------


def soft_offline_page(k: Kernel, pfn: int) -> int:
    """Move what is in a page to another one and poison it; nobody loses anything.

    Returns 0; -ENXIO where no memory is, -EIO for a page that is not online or can't be moved, -EBUSY for one that
    is poisoned already or a transparent huge page that can't be split, -ENOMEM if there is nowhere to go.
    """
    if pfn >> SECTION_SHIFT not in k.memmap.sections:
        return -ENXIO
    if k.pfn_to_online_page(pfn) is None:
        return -EIO
    if k.page_hwpoison(pfn):
        k.trace.printk(f"soft offline: {pfn:#x} page already poisoned")
        return -EBUSY
    shake_page(k, pfn)
    ret = make_free(k, pfn)
    if ret == 0:
        set_hwpoison_free_buddy_page(k, pfn)
    return ret


def make_free(k: Kernel, pfn: int) -> int:
    """Bring a page into the buddy: 0 or a negative errno."""
    kind, head = k.memmap.kind(pfn), pfn & -HPAGE_PMD_NR
    if kind.buddy:
        k.trace.printk(f"__get_any_page: {pfn:#x} free buddy page")
        return 0
    if kind.hugetlb:
        ret = migrate_away(k, pfn, [(head, HPAGE_PMD_NR)]) if k.memmap.kind(head).refcount else 0
        if ret == 0:
            dissolve_free_huge_pages(k, head, head + HPAGE_PMD_NR)
        return ret
    if k.memmap.state(pfn) in TRANSPARENT and not split_huge_page(k, pfn):
        k.trace.printk(f"soft offline: {pfn:#x}: thp split failed")
        return -EBUSY
    if not kind.lru and not kind.movable_ops:
        sort = "non LRU" if k.page_count(pfn) or kind.compound else "zero refcount"
        k.trace.printk(f"soft_offline: {pfn:#x}: unknown {sort} page type")
        return -EIO
    return migrate_away(k, pfn, isolate_movable_pages(k, pfn, pfn + 1, 1)[0])


def migrate_away(k: Kernel, pfn: int, pages: Pages) -> int:
    """Migrate isolated pages: 0, -EIO if somebody refers to them, -ENOMEM."""
    ret, left = migrate_pages(k, pages)
    if ret:
        putback_movable_pages(k, left)
        k.trace.printk(f"soft offline: {pfn:#x}: migration failed {ret}")
    return -EIO if ret > 0 else ret


# -- what both begin with ----------------------------------------------------------------------------


def shake_page(k: Kernel, pfn: int) -> None:
    """Bring a page from where no owner looks for it, a per-cpu list or a pagevec, to where it belongs."""
    k.current.writes(("zone", k.page_zone(pfn).index))
    if k.memmap.state(pfn) in codes(PCP):
        drain_all_pages(k, k.page_zone(pfn))
    elif k.memmap.state(pfn) in codes(PAGEVEC):
        k.lru_add_drain_all()


def split_huge_page(k: Kernel, pfn: int) -> bool:
    """Make a transparent huge page one of single pages; not while somebody refers to it, or is migrating it."""
    head = pfn & -HPAGE_PMD_NR
    if k.memmap.state(head) != THP:
        return False
    k.memmap.recode(head, head + HPAGE_PMD_NR, {THP: LRU, THP_TAIL: LRU})
    return True
