"""Sizes, migrate types and zones (include/linux/mmzone.h, v5.8, x86-64 with 4 KiB pages)."""

from __future__ import annotations

from collections import OrderedDict

from mmsim.sim.cpu import SpinLock

PAGE_SHIFT = 12
PAGE_SIZE = 1 << PAGE_SHIFT
MAX_ORDER = 11  # exclusive: the largest buddy has order 10
MAX_ORDER_NR_PAGES = 1 << (MAX_ORDER - 1)
pageblock_order = 9
pageblock_nr_pages = 1 << pageblock_order
SECTION_SHIFT = 15  # in pages: a section is 128 MiB, and so is a memory block
PAGES_PER_SECTION = 1 << SECTION_SHIFT
SECTION_MASK = PAGES_PER_SECTION - 1
PAGEBLOCKS_PER_SECTION = PAGES_PER_SECTION >> pageblock_order
MEMORY_BLOCK_SIZE = PAGES_PER_SECTION << PAGE_SHIFT

MIGRATE_UNMOVABLE = 0
MIGRATE_MOVABLE = 1
MIGRATE_RECLAIMABLE = 2
MIGRATE_PCPTYPES = 3  # the number of types on the per-cpu lists
MIGRATE_HIGHATOMIC = 3
MIGRATE_CMA = 4
MIGRATE_ISOLATE = 5
MIGRATE_TYPES = 6
migratetype_names = ("Unmovable", "Movable", "Reclaimable", "HighAtomic", "CMA", "Isolate")

ZONE_DMA = 0
ZONE_DMA32 = 1
ZONE_NORMAL = 2
ZONE_MOVABLE = 3
zone_names = ("DMA", "DMA32", "Normal", "Movable")

DMA_END_PFN = (16 << 20) >> PAGE_SHIFT
DMA32_END_PFN = (4 << 30) >> PAGE_SHIFT

FreeList = dict[int, None]


class LargestBuddies(OrderedDict[int, None]):
    """The free list of the largest order: first in, first out.

    Memory that was onlined first is used first (v5.10 puts onlined memory at the tail of the list, commit
    7fef431be9c9); the shorter lists are stacks, as in the kernel.
    """

    def popitem(self, last: bool = False) -> tuple[int, None]:
        """Take the chunk that has been here longest."""
        return super().popitem(last=False)


class Zone:
    """struct zone: a range of pages of one kind, with its counters (all in pages) and its free lists.

    `free_area[migratetype][order]` holds the first pfn of each free chunk; a chunk is on the list of its
    first pageblock's type. `pageset[cpu][migratetype]` are the per-cpu lists of single pages.
    """

    def __init__(self, index: int, nr_cpus: int = 1) -> None:
        self.index = index
        self.name = zone_names[index]
        self.lock = SpinLock()
        self.zone_start_pfn = 0
        self.spanned_pages = 0
        self.present_pages = 0
        self.managed_pages = 0
        self.nr_free_pages = 0  # neither isolated pageblocks nor pages on per-cpu lists
        self.nr_free_cma = 0
        self.nr_isolate_pageblock = 0
        self.watermark_min = self.watermark_low = self.watermark_high = 0
        self.lowmem_reserve = [0, 0, 0, 0]
        self.free_area: list[list[FreeList]] = [
            [*({} for _ in range(MAX_ORDER - 1)), LargestBuddies()] for _ in range(MIGRATE_TYPES)
        ]
        self.pageset: list[list[list[int]]] = [
            [[] for _ in range(MIGRATE_PCPTYPES)] for _ in range(nr_cpus)
        ]
        self.poisoned: set[int] = set()  # pages with PG_hwpoison that are still free
        self.sections: dict[int, int] = {}  # section number -> present pages of this zone in it

    def __repr__(self) -> str:
        return f"<Zone {self.name}: {self.present_pages} present, {self.managed_pages} managed>"

    @property
    def zone_end_pfn(self) -> int:
        """First pfn behind the span."""
        return self.zone_start_pfn + self.spanned_pages

    @property
    def populated(self) -> bool:
        """Does the zone have any present page?"""
        return self.present_pages > 0

    def intersects(self, start_pfn: int, nr_pages: int) -> bool:
        """zone_intersects(): does the span overlap this range? An empty zone overlaps nothing."""
        return self.spanned_pages > 0 and self.zone_start_pfn < start_pfn + nr_pages and (
            start_pfn < self.zone_end_pfn
        )
