"""Who uses which pages: memory held under a name, pins, references, and pages put into a state by hand."""

from __future__ import annotations

from dataclasses import dataclass, field

from mmsim.machine.sizes import size
from mmsim.mm.bulk import alloc_bulk, available, free_range
from mmsim.mm.gfp import Gfp, gfp
from mmsim.mm.kernel import Kernel
from mmsim.mm.memmap import (
    CODE,
    FREE,
    FREEING,
    HUGETLB,
    HUGETLB_FREE,
    HUGETLB_FREE_TAIL,
    HUGETLB_TAIL,
    HWPOISON_BUDDY,
    ISOLATED_FREED,
    ISOLATED_LRU,
    ISOLATED_THP,
    ISOLATED_THP_TAIL,
    LRU,
    REFS,
    SLAB_COMPOUND,
    SLAB_TAIL,
    THP,
    THP_TAIL,
    codes,
    codes_where,
)
from mmsim.mm.migrate import isolate_movable_pages, migrate_pages, putback_movable_pages
from mmsim.mm.mmzone import (
    MIGRATE_CMA,
    MIGRATE_ISOLATE,
    MIGRATE_MOVABLE,
    MIGRATE_UNMOVABLE,
    PAGE_SIZE,
    ZONE_NORMAL,
    pageblock_nr_pages,
)
from mmsim.mm.page_alloc import free_unref_page_commit, set_hwpoison_free_buddy_page, take_range
from mmsim.mm.page_ref import set_further_refs, set_page_count
from mmsim.sim.cpu import Path, preempt

HUGE = {"hugetlb": HUGETLB_TAIL, "hugetlb_free": HUGETLB_FREE_TAIL, "thp": THP_TAIL}
PLACES = (
    "free", "pcp", "lru", "lru_pinned", "pagevec", "slab", "slab_compound", "reserved", "hwpoison",
    "hwpoison_buddy", "offline", "offline_ref0", "movable_ops", "balloon", *HUGE,
)  # fmt: skip
TAILS = {SLAB_COMPOUND: SLAB_TAIL, THP: THP_TAIL, HUGETLB: HUGETLB_TAIL}
RESERVED_FOR = {"reserved": "reserved, a boot allocation", "hole": "a hole, where no memory is"}
COUNTED = codes_where(lambda page, refs: page.refcount > 0 or page.name.startswith("offline"))
NOT_CMA = Gfp(ZONE_NORMAL, MIGRATE_UNMOVABLE, LRU)


@dataclass(eq=False)
class Allocation:
    """Pages that somebody holds; `sections` counts them (see owners.Owner), `pins` are pins on all of them."""

    name: str | None
    sections: dict[int, int] = field(default_factory=dict)
    pins: int = 0


class Pages:
    """The users of a kernel's memory."""

    def __init__(self, k: Kernel) -> None:
        self.k = k
        self.allocations: dict[str, Allocation] = {}
        self.on_their_way: list[int] = []  # freed in a race, perhaps still on a per-cpu list

    def held(self, name: str) -> Allocation:
        """What is held under a name. Raises ValueError."""
        self.k.touches(("owner", name))
        if name not in self.allocations:
            raise ValueError(f"nothing is held under the name {name!r}")
        return self.allocations[name]

    def new_name(self, name: str | None) -> str | None:
        """The name itself, if nothing is held under it yet. Raises ValueError."""
        if name in self.allocations:
            raise ValueError(f"the name {name!r} is taken")
        return name

    def hold(self, allocation: Allocation, start: int, end: int) -> None:
        """Give pages [start, end) to an allocation (poisoned ones belong to nobody)."""
        for pfn, nr in self.k.memmap.runs(start, end, OWNABLE):
            self.k.memmap.set_owner(pfn, pfn + nr, allocation)
        if allocation.name is not None:
            self.k.touches(("owner", allocation.name))
            self.allocations[allocation.name] = allocation

    def runs(self, allocation: Allocation) -> list[tuple[int, int]]:
        """All pages of an allocation: runs (first pfn, end pfn)."""
        self.k.current.reads("owners")
        return [(pfn, pfn + nr) for pfn, nr in self.k.memmap.pages_of(allocation)]

    # -- allocate and free --------------------------------------------------------------------------

    def allocate(self, name: str, amount: int | str, flags: str, order: int,
                 within: tuple[int, int] | None) -> bool:
        """Hold memory under a name; False if there is not enough."""
        mask, nr_bytes = gfp(flags), size(amount)
        if not 0 <= order <= 10:
            raise ValueError(f"order {order} is not between 0 and 10")
        self.new_name(name)
        nr_pages = -(-nr_bytes // (PAGE_SIZE << order)) << order
        if within is None:
            runs = alloc_bulk(self.k, mask, nr_pages, order)
        else:
            runs = self.take_within(mask, nr_pages, order, within)
        if nr_pages and not runs:
            return False
        self.allocations[name] = Allocation(name)
        for pfn, nr in runs:
            self.hold(self.held(name), pfn, pfn + nr)
        return True

    def take_within(self, mask: Gfp, nr_pages: int, order: int, within: tuple[int, int]) -> list[tuple[int, int]]:
        """Take free pages of a range only, the lowest first; all or nothing."""
        k, found, left = self.k, [], nr_pages
        for pfn, nr in k.memmap.runs(*within, codes(FREE)):
            for start, end in whole_pageblocks(pfn, pfn + nr, max(pageblock_nr_pages, 1 << order)):
                first, last = -(-start >> order) << order, end >> order << order
                take = min(last - first, left)
                if take > 0 and all(self.may_use(mask, p, order) for p in range(first, last, pageblock_nr_pages)):
                    found.append((first, take))
                    left -= take
        if left:
            return []
        for pfn, nr in found:
            take_range(k, pfn, pfn + nr)
            k.memmap.fill(pfn, pfn + nr, mask.code)
        return found

    def may_use(self, mask: Gfp, pfn: int, order: int) -> bool:
        """May such a request be served from this page's zone and pageblock?"""
        zone, migratetype = self.k.page_zone(pfn), self.k.memmap.get_pageblock_migratetype(pfn)
        if zone not in self.k.zonelists[mask.highest_zone] or not available(zone, mask, order):
            return False
        return migratetype != MIGRATE_ISOLATE and (migratetype != MIGRATE_CMA or mask.migratetype == MIGRATE_MOVABLE)

    def release(self, allocation: Allocation) -> list[tuple[int, int]]:
        """Nobody holds these pages any more; returns those to be freed as runs (first pfn, end pfn).

        A page that is being migrated is freed by who migrates it; huge pages go back into their pool.
        """
        k, runs = self.k, self.runs(allocation)
        allocation.pins = 0
        self.allocations.pop(allocation.name or "", None)
        for start, end in runs:
            k.memmap.set_owner(start, end, None)
            k.memmap.set_refs(start, end, False)
            k.memmap.recode(start, end, {
                ISOLATED_LRU: ISOLATED_FREED, ISOLATED_THP: ISOLATED_FREED, ISOLATED_THP_TAIL: ISOLATED_FREED,
                HUGETLB: HUGETLB_FREE, HUGETLB_TAIL: HUGETLB_FREE_TAIL,
            })
        return [(p, p + nr) for a, b in runs for p, nr in k.memmap.runs(a, b, TO_BE_FREED)]

    def free(self, name: str) -> None:
        """Give held memory back, with its pins."""
        for start, end in self.release(self.held(name)):
            free_range(self.k, start, end)

    def free_path(self, name: str) -> Path:
        """The same as one CPU does it, page by page over its per-cpu lists (free_unref_page_list()), to be raced."""
        return self._free_path(self.held(name))

    async def _free_path(self, allocation: Allocation) -> None:
        """The pageblock's type is read first and used later: an isolation can come in between.

        What another path has given back before is not given back again. A page that is poisoned meanwhile never is.
        """
        k = self.k
        runs = self.release(allocation)
        for start, end in runs:
            k.memmap.fill(start, end, FREEING)
        todo = [(pfn, k.memmap.get_pageblock_migratetype(pfn)) for a, b in runs for pfn in range(a, b)]
        await preempt()
        todo = [(pfn, migratetype) for pfn, migratetype in todo if k.memmap.kind(pfn).name == "freeing"]
        for pfn, migratetype in todo:
            zone = k.page_zone(pfn)
            k.memmap.touch(pfn, pfn + 1)
            k.current.writes(("pcp", zone.index))
            k.current.reads(("zone", zone.index))
            k.memmap.refs.pop(pfn, None)
            free_unref_page_commit(k, zone, pfn, migratetype)
        self.on_their_way += [pfn for pfn, _ in todo]

    def settle(self) -> None:
        """What was freed in a race and still is on a per-cpu list goes to the buddy, as idle CPUs do it."""
        way, k = set(self.on_their_way), self.k
        for pcp in [pcp for zone in k.zones for cpu in zone.pageset for pcp in cpu]:
            mine = [pfn for pfn in pcp if pfn in way]
            pcp[:] = [pfn for pfn in pcp if pfn not in way]
            for pfn in mine:
                free_range(k, pfn, pfn + 1)
        self.on_their_way = []

    # -- pins and references ------------------------------------------------------------------------

    def pin(self, name: str, longterm: bool) -> None:
        """Pin all pages of an allocation."""
        allocation = self.held(name)
        if longterm:
            self.migrate_out_of_cma(allocation)
        allocation.pins += 1
        for start, end in self.runs(allocation):
            self.k.memmap.set_refs(start, end, True)

    def migrate_out_of_cma(self, allocation: Allocation) -> None:
        """check_and_migrate_cma_pages() of mm/gup.c, v5.8; pages that can't be moved are pinned where they are."""
        for start, end in self.runs(allocation):
            for first, last in whole_pageblocks(start, end):
                if self.k.memmap.get_pageblock_migratetype(first) == MIGRATE_CMA:
                    pages, _ = isolate_movable_pages(self.k, first, last, last - first)
                    _, left = migrate_pages(self.k, pages, NOT_CMA)
                    putback_movable_pages(self.k, left)

    def unpin(self, name: str) -> None:
        """Drop one pin. Raises ValueError if there is none."""
        self.drop_pin(self.pinned(name))

    def pinned(self, name: str) -> Allocation:
        """What is held under a name, and pinned. Raises ValueError."""
        allocation = self.held(name)
        if not allocation.pins:
            raise ValueError(f"{name!r} is not pinned")
        return allocation

    def drop_pin(self, allocation: Allocation) -> None:
        """The pages have a pin less."""
        allocation.pins -= 1
        for start, end in self.runs(allocation) if not allocation.pins else []:
            self.k.memmap.set_refs(start, end, False)
        self.restore_refs()

    def unpin_path(self, name: str) -> Path:
        """The same, to be raced; does nothing when the last pin is gone, or the memory with its pins."""
        return self._unpin_path(self.pinned(name))

    async def _unpin_path(self, allocation: Allocation) -> None:
        self.k.memmap.record_owner(allocation, change=True)
        if allocation.pins:
            self.drop_pin(allocation)

    def restore_refs(self) -> None:
        """Pages that are referenced one by one stay so when a pin goes."""
        for pfn in self.k.memmap.refs:
            self.k.memmap.set_refs(pfn, pfn + 1, True)

    def ref(self, pfn: int, delta: int) -> None:
        """Take or drop references on one page; the last one dropped frees it."""
        memmap, kind = self.k.memmap, self.k.memmap.kind(pfn)
        if kind.reserved:
            raise ValueError(f"page {pfn} is {RESERVED_FOR[kind.name]}: it has no references to take or drop")
        if memmap.state(pfn) not in COUNTED:
            raise ValueError(f"page {pfn} is {kind.name}: it has no references to take or drop")
        pins = sum(owner.pins for _, _, owner in memmap.owned(pfn, pfn + 1) if isinstance(owner, Allocation))
        further = memmap.refs.get(pfn, 0) + delta
        count = further + kind.refcount
        if delta < 0 and (count < 0 or (pins and further < 0)):
            raise ValueError(f"page {pfn} has fewer than {-delta} references that are not pins or their owner's")
        if kind.offline:
            set_page_count(self.k, pfn, count, pins > 0)
        elif delta < 0 and count == 0:
            self.put_page(pfn)
        else:
            set_further_refs(self.k, pfn, further, pins > 0)

    def put_page(self, pfn: int) -> None:
        """The last reference is gone: a hugetlb page goes back to its pool, any other page to the buddy.

        A poisoned one keeps PG_hwpoison there, and is thrown away when it is met.
        """
        memmap, end = self.k.memmap, pfn + 1
        while memmap.state(end) & ~REFS == TAILS.get(memmap.state(pfn) & ~REFS):
            end += 1
        if memmap.kind(pfn).hugetlb:
            memmap.set_owner(pfn, end, None)
            set_further_refs(self.k, pfn, 0)
            memmap.recode(pfn, end, {HUGETLB: HUGETLB_FREE, HUGETLB_TAIL: HUGETLB_FREE_TAIL})
        else:
            memmap.poisoned |= {pfn} if memmap.kind(pfn).hwpoison else set()
            free_range(self.k, pfn, end)

    # -- pages put into a state by hand -------------------------------------------------------------

    def place(self, pfn: int, kind: str, count: int, name: str | None) -> None:
        """Put free pages into a state, or (kind `free`) free pages in any state."""
        k, end = self.k, self.check_place(pfn, kind, count, name)
        if kind == "free":
            self.forget(pfn, end)
            k.memmap.recode(pfn, end, {HWPOISON_BUDDY: FREE})  # these are in the buddy already
            for start, nr in k.memmap.runs(pfn, end, NOT_FREE):
                free_range(k, start, start + nr)
            return
        if kind == "hwpoison_buddy":
            for page in range(pfn, end):
                set_hwpoison_free_buddy_page(k, page)
            return
        take_range(k, pfn, end)
        k.memmap.fill(pfn, end, CODE["lru" if kind == "lru_pinned" else kind])
        if kind == "slab_compound":
            k.memmap.fill(pfn + 1, end, SLAB_TAIL)
        for head in range(pfn, end, pageblock_nr_pages) if kind in HUGE else ():
            k.memmap.fill(head + 1, head + pageblock_nr_pages, HUGE[kind])
        if kind == "pcp":
            self.place_on_pcp(pfn, end)
        elif kind == "pagevec":
            k.pagevecs.update(range(pfn, end))
        allocation = Allocation(name)
        self.hold(allocation, pfn, end)
        if kind == "lru_pinned":
            allocation.pins = 1
            k.memmap.set_refs(pfn, end, True)

    def check_place(self, pfn: int, kind: str, count: int, name: str | None) -> int:
        """The end of the range to be placed. Raises ValueError for what can't be done."""
        if kind not in PLACES:
            raise ValueError(f"unknown kind of page {kind!r}; known are {', '.join(PLACES)}")
        if count < 1:
            raise ValueError(f"count {count} is less than one")
        if kind in HUGE and pfn % pageblock_nr_pages:
            raise ValueError(f"misaligned pfn {pfn}: a huge page begins at a multiple of {pageblock_nr_pages}")
        if kind == "slab_compound" and (count & (count - 1) or pfn % count):
            raise ValueError(f"a compound page of {count} pages can't begin at pfn {pfn}")
        end = pfn + count * (pageblock_nr_pages if kind in HUGE else 1)
        for page in (pfn, end - 1):
            if self.k.pfn_to_online_page(page) is None:
                raise ValueError(f"page {page} is not online")
        if kind != "free" and not self.k.memmap.all_are(pfn, end, codes(FREE)):
            raise ValueError(f"not all of the pages [{pfn}, {end}) are free")
        self.new_name(name)
        return end

    def place_on_pcp(self, start: int, end: int) -> None:
        """Put pages onto the first CPU's list of their pageblock's type."""
        for pfn in range(start, end):
            migratetype = self.k.memmap.get_pageblock_migratetype(pfn)
            pcp = self.k.page_zone(pfn).pageset[0]
            pcp[migratetype if migratetype < len(pcp) else MIGRATE_MOVABLE].append(pfn)

    def forget(self, start: int, end: int) -> None:
        """Take pages from the per-cpu lists and the sets that know them one by one."""
        self.k.pagevecs.difference_update(range(start, end))
        self.k.memmap.poisoned.difference_update(range(start, end))
        for zone in self.k.zones:
            for pcp in [pcp for cpu in zone.pageset for pcp in cpu]:
                pcp[:] = [pfn for pfn in pcp if not start <= pfn < end]
            zone.poisoned.difference_update(range(start, end))


def whole_pageblocks(start: int, end: int, unit: int = pageblock_nr_pages) -> list[tuple[int, int]]:
    """[start, end) cut at the pageblocks, or at multiples of a larger unit."""
    edges = [*range(start - start % unit + unit, end, unit)]
    return list(zip([start, *edges], [*edges, end], strict=True))


OWNABLE = codes_where(lambda page, refs: (page.refcount > 0 and not page.hwpoison) or page.compound or page.offline)
NOT_FREE = codes_where(lambda page, refs: page.name not in ("free", "absent", "hole"))
TO_BE_FREED = codes_where(
    lambda page, refs: page.name not in ("isolated_freed", "hugetlb_free", "hugetlb_free_tail")
)
