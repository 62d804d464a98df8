"""The memory map: one small code for each page, in columns that are shared until they are written.

Models struct page (include/linux/mm_types.h, page-flags.h, v5.8) and SPARSEMEM (mm/sparse.c). What the
kernel keeps in flags and a reference count is here one byte a page: seven bits say which `PageKind` it is,
the highest bit (`REFS`) says that somebody holds further references. A section whose pages are all alike
costs nothing, so a machine of a terabyte is ordinary.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator
from dataclasses import dataclass
from functools import cache

from mmsim.mm.mmzone import (
    MAX_ORDER_NR_PAGES,
    MIGRATE_MOVABLE,
    PAGEBLOCKS_PER_SECTION,
    PAGES_PER_SECTION,
    SECTION_MASK,
    SECTION_SHIFT,
    pageblock_nr_pages,
    pageblock_order,
)
from mmsim.mm.owners import Owner, Owners

REFS = 0x80  # further references: a pin, or somebody's get_page()


@dataclass(frozen=True, slots=True)
class PageKind:
    """What the kernel's tests say of a page: its flags, and the references that its state implies.

    letter is how pictures and the text equivalents name it.
    """

    name: str
    letter: str
    refcount: int
    buddy: bool = False
    lru: bool = False
    movable_ops: bool = False
    reserved: bool = False
    hwpoison: bool = False
    offline: bool = False
    dirty: bool = False
    hugetlb: bool = False
    compound: bool = False


KINDS = (
    PageKind("absent", "·", 0),
    PageKind("free", "f", 0, buddy=True),
    PageKind("pcp", "p", 0),
    PageKind("lru", "a", 1, lru=True),
    PageKind("isolated_lru", "i", 2),  # taken off the LRU to be migrated
    PageKind("isolated_freed", "i", 1),  # the same, given back by its owner meanwhile
    PageKind("freeing", "p", 0),  # the last reference is gone, but it is on no list yet
    PageKind("pagevec", "v", 1),
    PageKind("contig", "c", 1),  # somebody's by alloc_contig_range()
    PageKind("slab", "k", 1),
    PageKind("slab_compound", "k", 1, compound=True),
    PageKind("slab_tail", "k", 0, compound=True),
    PageKind("reserved", "R", 1, reserved=True),
    PageKind("hole", "H", 1, reserved=True),
    PageKind("hwpoison", "!", 1, hwpoison=True),
    PageKind("hwpoison_buddy", "!", 0, buddy=True, hwpoison=True),
    PageKind("hwpoison_gone", "!", 0, hwpoison=True),  # thrown away when it was met in the buddy
    PageKind("offline", "X", 1, offline=True),
    PageKind("offline_ref0", "x", 0, offline=True),
    PageKind("offline_dirty", "X", 1, offline=True, dirty=True),  # virtio-mem: never was in the buddy
    PageKind("offline_dirty_ref0", "x", 0, offline=True, dirty=True),
    PageKind("movable_ops", "m", 1, movable_ops=True),
    PageKind("balloon", "b", 1, movable_ops=True, offline=True),
    PageKind("hugetlb", "h", 1, hugetlb=True, compound=True),
    PageKind("hugetlb_tail", "h", 0, hugetlb=True, compound=True),
    PageKind("hugetlb_free", "g", 0, hugetlb=True, compound=True),
    PageKind("hugetlb_free_tail", "g", 0, hugetlb=True, compound=True),
    PageKind("thp", "t", 1, lru=True, compound=True),
    PageKind("thp_tail", "t", 0, lru=True, compound=True),
    PageKind("isolated_thp", "i", 2, compound=True),
    PageKind("isolated_thp_tail", "i", 0, compound=True),
)
CODE = {kind.name: code for code, kind in enumerate(KINDS)}
(
    ABSENT, FREE, PCP, LRU, ISOLATED_LRU, ISOLATED_FREED, FREEING, PAGEVEC, CONTIG, SLAB, SLAB_COMPOUND,
    SLAB_TAIL, RESERVED, HOLE, HWPOISON, HWPOISON_BUDDY, HWPOISON_GONE, OFFLINE, OFFLINE_REF0, OFFLINE_DIRTY,
    OFFLINE_DIRTY_REF0, MOVABLE_OPS, BALLOON, HUGETLB, HUGETLB_TAIL, HUGETLB_FREE, HUGETLB_FREE_TAIL, THP, THP_TAIL,
    ISOLATED_THP, ISOLATED_THP_TAIL,
) = range(len(KINDS))  # fmt: skip

def firsts(column: bytes | bytearray) -> list[int]:
    """The first place of each code in a column, upwards."""
    if column == filled(column[0], len(column)):  # as most are
        return [0]
    return sorted(map(column.index, set(column)))


class Codes:
    """A set of page codes, to be looked for in a column at the speed of C."""

    def __init__(self, chosen: Collection[int]) -> None:
        self.chosen = frozenset(chosen)
        self.marks = bytes(code in self.chosen for code in range(256))  # a table for `translate`

    def __contains__(self, code: int) -> bool:
        return code in self.chosen

    def marked(self, column: bytes | bytearray) -> bytes | bytearray:
        """1 for each page with one of these codes, 0 for the others."""
        if column == filled(column[0], len(column)):  # as most are
            return filled(column[0] in self.chosen, len(column))
        return column.translate(self.marks)

    def first(self, column: bytes | bytearray) -> int:
        """The first place with one of these codes, or -1."""
        return self.marked(column).find(1)

    def runs(self, column: bytes | bytearray) -> list[tuple[int, int]]:
        """All runs of these codes: (first place, length)."""
        marked, found, stop = self.marked(column), [], 0
        while (start := marked.find(1, stop)) >= 0:
            stop = marked.find(0, start)
            if stop < 0:
                stop = len(marked)
            found.append((start, stop - start))
        return found

    def only(self, column: bytes | bytearray) -> bool:
        """Is there nothing else in the column?"""
        return 0 not in self.marked(column)


def codes_where(test: Callable[[PageKind, bool], bool]) -> Codes:
    """The page codes for which `test(kind, has further references)` holds.

    So a question about one page, written readably, can be asked of a whole block.
    """
    return Codes([code | refs for code, kind in enumerate(KINDS) for refs in (0, REFS) if test(kind, bool(refs))])


@cache
def codes(*wanted: int) -> Codes:
    """These page codes, with and without further references."""
    return Codes([code | refs for code in wanted for refs in (0, REFS)])


@cache
def recoding(mapping: tuple[tuple[int, int], ...]) -> bytes:
    """A mapping of codes as a translation table that keeps `REFS`."""
    new = dict(mapping)
    return bytes(new.get(code & ~REFS, code & ~REFS) | (code & REFS) for code in range(256))


@cache
def whole(code: int) -> bytes:
    """The column of a section whose pages are all alike; every section that looks so shares it."""
    return bytes([code]) * PAGES_PER_SECTION


def filled(code: int, nr_pages: int = PAGES_PER_SECTION) -> bytes:
    """A column of so many pages (at most a section) that are all alike."""
    return whole(code)[:nr_pages]


class Section:
    """The memmap of 128 MiB: page codes, and for each pageblock its migrate type and its zone."""

    __slots__ = ("migratetypes", "online", "owners", "state", "zones")

    def __init__(self, code: int, zones: bytes) -> None:
        self.state: bytes | bytearray = filled(code)
        self.zones = zones  # index of the zone, a byte a pageblock
        self.migratetypes: bytes | bytearray = filled(MIGRATE_MOVABLE, PAGEBLOCKS_PER_SECTION)
        self.owners = Owners()
        self.online = True

    def fill(self, start: int, end: int, code: int) -> None:
        """Set the codes of the pages [start, end), given as offsets."""
        self.put(start, filled(code, end - start))

    def column(self, start: int, end: int) -> bytes | bytearray:
        """The codes of the pages [start, end), given as offsets."""
        return self.state if end - start == PAGES_PER_SECTION else self.state[start:end]

    def put(self, start: int, column: bytes | bytearray) -> None:
        """Set the codes of the pages from offset `start` on."""
        if len(column) == PAGES_PER_SECTION:
            self.state = column
        else:
            self.writable()[start : start + len(column)] = column

    def writable(self) -> bytearray:
        """The column of page codes, a copy of its own if it was shared."""
        if not isinstance(self.state, bytearray):
            self.state = bytearray(self.state)
        return self.state


class MemMap:
    """All sections, by section number (which is the number of the memory block).

    `record` is told what is looked at or changed, if anybody wants to know: a search through interleavings does
    (see `sim.schedules`). It gets a key, and whether a change was made that does not commute.
    """

    def __init__(self) -> None:
        self.sections: dict[int, Section] = {}
        self.refs: dict[int, int] = {}  # pfn -> further references, where there are any that are counted
        self.poisoned: set[int] = set()  # pages with PG_hwpoison that are still of another kind
        self.record: Callable[[Hashable, bool], None] | None = None

    def touch(self, start: int, end: int, change: bool = True) -> None:
        """Record that pages [start, end), their pageblocks or their free lists are changed, or only looked at.

        In units of the largest buddy: so far reach the merging and the splitting of free pages.
        """
        if self.record is not None:
            for unit in range(start // MAX_ORDER_NR_PAGES, (end - 1) // MAX_ORDER_NR_PAGES + 1):
                self.record(("pages", unit), change)

    def state(self, pfn: int) -> int:
        """The code of a page, `REFS` included; ABSENT where no section is."""
        self.touch(pfn, pfn + 1, change=False)
        section = self.sections.get(pfn >> SECTION_SHIFT)
        return section.state[pfn & SECTION_MASK] if section else ABSENT

    def kind(self, pfn: int) -> PageKind:
        """What a page is."""
        return KINDS[self.state(pfn) & ~REFS]

    def zone_index(self, pfn: int) -> int:
        """The index of the page's zone. Raises KeyError where no section is."""
        if self.record is not None:
            self.touch(pfn, pfn + 1, change=False)
        return self.sections[pfn >> SECTION_SHIFT].zones[(pfn & SECTION_MASK) >> pageblock_order]

    def get_pageblock_migratetype(self, pfn: int) -> int:
        """The migrate type of the page's pageblock. Raises KeyError where no section is."""
        if self.record is not None:
            self.touch(pfn, pfn + 1, change=False)
        return self.sections[pfn >> SECTION_SHIFT].migratetypes[(pfn & SECTION_MASK) >> pageblock_order]

    def set_pageblock_migratetype(self, pfn: int, migratetype: int) -> None:
        """Write the migrate type of the page's pageblock, and nothing else."""
        self.touch(pfn, pfn + 1)
        section = self.sections[pfn >> SECTION_SHIFT]
        if not isinstance(section.migratetypes, bytearray):
            section.migratetypes = bytearray(section.migratetypes)
        section.migratetypes[(pfn & SECTION_MASK) >> pageblock_order] = migratetype

    def pageblock(self, pfn: int) -> bytes | bytearray:
        """The codes of the pageblock that begins with this page."""
        self.touch(pfn, pfn + pageblock_nr_pages, change=False)
        offset = pfn & SECTION_MASK
        return self.sections[pfn >> SECTION_SHIFT].state[offset : offset + pageblock_nr_pages]

    def parts(self, start: int, end: int, change: bool = False) -> Iterator[tuple[Section, int, int, int]]:
        """[start, end) cut at the sections: section, offset range in it, pfn of its first page.

        change: the caller is going to change what it gets.
        """
        self.touch(start, end, change)
        while start < end:
            number, offset = start >> SECTION_SHIFT, start & SECTION_MASK
            stop = min(PAGES_PER_SECTION, offset + end - start)
            if (section := self.sections.get(number)) is not None:
                yield section, offset, stop, number << SECTION_SHIFT
            start += stop - offset

    def fill(self, start: int, end: int, code: int) -> None:
        """Set the codes of the pages [start, end)."""
        for section, low, high, _ in self.parts(start, end, change=True):
            section.fill(low, high, code)

    def occupy(self, start: int, end: int, code: int) -> None:
        """Set the codes of free pages that the buddy has handed out to whoever wanted any pages.

        For a search it is no change: nobody who only looks tells such a page from a free one, and to get these
        pages or others is the same.
        """
        for section, low, high, _ in self.parts(start, end):
            section.fill(low, high, code)

    def set_refs(self, start: int, end: int, further: bool) -> None:
        """Mark the pages [start, end) as having further references, or as having none."""
        table = bytes((code & ~REFS) | (REFS if further else 0) for code in range(256))
        for section, low, high, _ in self.parts(start, end, change=True):
            section.put(low, section.state[low:high].translate(table))

    def recode(self, start: int, end: int, mapping: dict[int, int]) -> None:
        """Change the codes of the pages [start, end) by a mapping; `REFS` stays."""
        table = recoding(tuple(mapping.items()))
        for section, low, high, _ in self.parts(start, end, change=True):
            section.put(low, section.state[low:high].translate(table))

    def find(self, start: int, end: int, wanted: Codes) -> int | None:
        """The first pfn in [start, end) with one of the wanted codes, or None."""
        for section, low, high, base in self.parts(start, end):
            place = wanted.first(section.column(low, high))
            if place >= 0:
                return base + low + place
        return None

    def runs(self, start: int, end: int, wanted: Codes) -> list[tuple[int, int]]:
        """Runs of pages with wanted codes in [start, end): (first pfn, number of pages)."""
        return [
            (base + low + place, nr_pages)
            for section, low, high, base in self.parts(start, end)
            for place, nr_pages in wanted.runs(section.column(low, high))
        ]

    def all_are(self, start: int, end: int, wanted: Codes) -> bool:
        """Does every page of [start, end) exist and have one of the wanted codes?"""
        parts = list(self.parts(start, end))
        return sum(high - low for _, low, high, _ in parts) == end - start and all(
            wanted.only(section.column(low, high)) for section, low, high, _ in parts
        )

    def count(self, start: int, end: int, wanted: Codes) -> int:
        """Number of pages in [start, end) with one of the wanted codes."""
        return sum(nr for _, nr in self.runs(start, end, wanted))

    def owned(self, start: int, end: int) -> list[tuple[int, int, Owner]]:
        """The owned runs in [start, end): (first pfn, end pfn, owner)."""
        return [
            (base + a, base + b, owner)
            for section, low, high, base in self.parts(start, end)
            for a, b, owner in section.owners.within(low, high)
        ]

    def set_owner(self, start: int, end: int, owner: Owner | None) -> None:
        """Give the pages [start, end) to an owner, or to nobody."""
        for section, low, high, base in self.parts(start, end):
            number = base >> SECTION_SHIFT
            for a, b, old in section.owners.within(low, high):
                self.record_owner(old, change=False)  # to take several pages from somebody commutes
                old.sections[number] -= b - a
                if not old.sections[number]:
                    del old.sections[number]
            section.owners.replace(low, high, owner)
            if owner is not None:
                owner.sections[number] = owner.sections.get(number, 0) + high - low

    def record_owner(self, owner: Owner, change: bool) -> None:
        """Record that an owner's pages are asked for, or that some are taken from it."""
        if self.record is not None:
            self.record(("owner", owner.name), change)

    def pages_of(self, owner: Owner) -> Iterator[tuple[int, int]]:
        """All pages that an owner holds, as runs (first pfn, number of pages), upwards."""
        self.record_owner(owner, change=True)  # which is to see all that was taken
        for number in sorted(owner.sections):
            base = number << SECTION_SHIFT
            for low, high, who in list(self.sections[number].owners.runs):
                if who is owner:
                    yield base + low, high - low
