"""A whole buddy allocator, to be read at once: memory in chunks of 2**order pages.

Linux's own (`__free_one_page()` and `__rmqueue_smallest()`, mm/page_alloc.c, v5.8) works like this inside each zone;
`mmsim.mm.page_alloc` is the model of that one. Pages are named by their pfn, from 0 on.
"""

from __future__ import annotations

from collections.abc import Iterator


def buddy_of(pfn: int, order: int) -> int:
    """The first page of the other half of the pair that a chunk belongs to."""
    return pfn ^ (1 << order)


class Buddy:
    """Memory that begins as one free chunk.

    `free_area[order]` lists the first pages of the free chunks of 2**order pages; `used` has the order of each chunk
    that is in use.
    """

    def __init__(self, nr_pages: int) -> None:
        """Raises ValueError for a number of pages that is no power of two."""
        if nr_pages < 1 or nr_pages & (nr_pages - 1):
            raise ValueError(f"{nr_pages} pages are no power of two")
        largest = nr_pages.bit_length() - 1
        self.free_area: list[list[int]] = [*([] for _ in range(largest)), [0]]
        self.used: dict[int, int] = {}

    def alloc(self, order: int) -> int | None:
        """Take 2**order pages from the smallest free chunk that is large enough: the first pfn, or None."""
        for current_order in range(order, len(self.free_area)):
            if self.free_area[current_order]:
                pfn = self.free_area[current_order].pop()
                self.split(pfn, current_order, order)
                self.used[pfn] = order
                return pfn
        return None

    def split(self, pfn: int, high: int, low: int) -> None:
        """Halve a chunk until its order is `low`; the upper halves become free chunks of their own."""
        for order in range(high - 1, low - 1, -1):
            self.free_area[order].append(buddy_of(pfn, order))

    def free(self, pfn: int) -> None:
        """Give a chunk back; merge it with its buddy as often as that is free too. Raises ValueError."""
        if pfn not in self.used:
            raise ValueError(f"no chunk in use begins at page {pfn}")
        order = self.used.pop(pfn)
        while (buddy := buddy_of(pfn, order)) in self.free_area[order]:
            self.free_area[order].remove(buddy)
            pfn = min(pfn, buddy)
            order += 1
        self.free_area[order].append(pfn)

    def chunks(self) -> Iterator[tuple[int, int, str]]:
        """All chunks by address: first pfn, order, and `.` if it is free or `#` if it is in use."""
        free = [(pfn, order, ".") for order, area in enumerate(self.free_area) for pfn in area]
        yield from sorted([*free, *((pfn, order, "#") for pfn, order in self.used.items())])

    def __str__(self) -> str:
        return "|" + "".join(mark * (1 << order) + "|" for _, order, mark in self.chunks())
