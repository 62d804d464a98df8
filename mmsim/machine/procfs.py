"""The files of /proc about memory, as text and parsed back.

A renderer takes the kernel and returns what a read of the file gives, in the format of Linux 5.10 on x86-64.
A counter that the model does not keep (page cache, slab, swap) gets no line: none is better than invented.
A parser takes such a text, the model's or a real kernel's, older or newer, and returns plain dicts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from mmsim.mm.kernel import Kernel
from mmsim.mm.memmap import KINDS, REFS
from mmsim.mm.mmzone import (
    MAX_ORDER,
    MIGRATE_CMA,
    MIGRATE_TYPES,
    PAGE_SHIFT,
    Zone,
    migratetype_names,
    pageblock_nr_pages,
    pageblock_order,
)
from mmsim.mm.page_alloc import PCP_BATCH, PCP_HIGH

HUGE_PAGE = 512  # pages: 2 MiB, of hugetlb's default size and of a THP
THP = ("thp", "isolated_thp")  # one head for each huge page
ISOLATED = ("isolated_lru", "isolated_freed", "isolated_thp", "isolated_thp_tail")
ANON = ("lru", "pagevec", "isolated_lru", "thp", "thp_tail", "isolated_thp", "isolated_thp_tail")
POISONED = ("hwpoison", "hwpoison_buddy", "hwpoison_gone")
PAGETYPE_COUNT_LIMIT = 100_000  # pagetypeinfo_showfree_print stops counting a free list here


def zoneinfo(kernel: Kernel) -> str:
    """/proc/zoneinfo: every zone, populated or not, in pages (mm/vmstat.c, zoneinfo_show_print, v5.10)."""
    return _text(line for zone in kernel.zones for line in _zoneinfo_lines(kernel, zone))


def _zoneinfo_lines(kernel: Kernel, zone: Zone) -> Iterator[str]:
    yield f"Node 0, zone {zone.name:>8}"
    if zone in _populated(kernel)[:1]:
        yield "  per-node stats"
        yield from (f"      {name:<12} {count}" for name, count in _node_stats(kernel))
    yield f"  pages free     {zone.nr_free_pages}"
    yield from (f"        {name:<8} {pages}" for name, pages in _zone_sizes(zone))
    yield f"        protection: ({', '.join(map(str, zone.lowmem_reserve))})"
    if not zone.populated:
        return
    yield f"      nr_free_pages {zone.nr_free_pages}"
    yield f"      {'nr_free_cma':<12} {zone.nr_free_cma}"
    yield from _pageset_lines(zone)
    yield "  node_unreclaimable:  0"  # kswapd never gives up: there is none
    yield f"  start_pfn:           {zone.zone_start_pfn}"


def _node_stats(kernel: Kernel) -> Iterator[tuple[str, int]]:
    pages = _pages_by_kind(kernel)
    yield "nr_isolated_anon", _sum(pages, ISOLATED)
    yield "nr_anon_pages", _sum(pages, ANON)
    yield "nr_anon_transparent_hugepages", _sum(pages, THP)


def _zone_sizes(zone: Zone) -> Iterator[tuple[str, int]]:
    yield "min", zone.watermark_min
    yield "low", zone.watermark_low
    yield "high", zone.watermark_high
    yield "spanned", zone.spanned_pages
    yield "present", zone.present_pages
    yield "managed", zone.managed_pages


def _pageset_lines(zone: Zone) -> Iterator[str]:
    yield "  pagesets"
    for cpu, lists in enumerate(zone.pageset):
        yield f"    cpu: {cpu}"
        yield f"              count: {sum(map(len, lists))}"
        yield f"              high:  {PCP_HIGH}"
        yield f"              batch: {PCP_BATCH}"


def buddyinfo(kernel: Kernel) -> str:
    """/proc/buddyinfo: free chunks by order, isolated ones too (mm/vmstat.c, frag_show_print, v5.10)."""
    return _text(f"Node 0, zone {zone.name:>8} {_numbers(_nr_free(zone), 6)}" for zone in _populated(kernel))


def _nr_free(zone: Zone) -> list[int]:
    lists = [zone.free_area[mtype] for mtype in range(MIGRATE_TYPES)]
    return [sum(len(orders[order]) for orders in lists) for order in range(MAX_ORDER)]


def pagetypeinfo(kernel: Kernel) -> str:
    """/proc/pagetypeinfo: free chunks by migrate type and order, then pageblocks by migrate type.

    Models mm/vmstat.c, pagetypeinfo_showfree_print and pagetypeinfo_showblockcount_print (v5.10, with
    CONFIG_CMA and CONFIG_MEMORY_ISOLATION); a free list of 100000 chunks or more reads ">100000".
    """
    zones = _populated(kernel)
    return _text([
        f"Page block order: {pageblock_order}",
        f"Pages per block:  {pageblock_nr_pages}",
        "",
        f"{'Free pages count per migrate type at order':<43} {_numbers(range(MAX_ORDER), 6)}",
        *(_free_line(zone, mtype) for zone in zones for mtype in range(MIGRATE_TYPES)),
        "",
        f"{'Number of blocks type ':<23}" + "".join(f"{name:>12} " for name in migratetype_names),
        *(f"Node 0, zone {zone.name:>8} {_numbers(_block_counts(kernel, zone), 12)}" for zone in zones),
    ])


def _free_line(zone: Zone, mtype: int) -> str:
    counts = [len(zone.free_area[mtype][order]) for order in range(MAX_ORDER)]
    cells = (f">{PAGETYPE_COUNT_LIMIT:6} " if n >= PAGETYPE_COUNT_LIMIT else f"{n:6} " for n in counts)
    return f"Node    0, zone {zone.name:>8}, type {migratetype_names[mtype]:>12} {''.join(cells)}"


def _block_counts(kernel: Kernel, zone: Zone) -> list[int]:
    """The zone's pageblocks by migrate type, in online memory; spans of zones can overlap."""
    counts: Counter[int] = Counter()
    for section, low, high, _ in kernel.memmap.parts(zone.zone_start_pfn, zone.zone_end_pfn):
        blocks = slice(low >> pageblock_order, (high - 1 >> pageblock_order) + 1)
        pairs = zip(section.migratetypes[blocks], section.zones[blocks], strict=True)
        counts.update(mtype for mtype, index in pairs if section.online and index == zone.index)
    return [counts[mtype] for mtype in range(MIGRATE_TYPES)]


def meminfo(kernel: Kernel) -> str:
    """/proc/meminfo: what the model can answer, in kB (fs/proc/meminfo.c, meminfo_proc_show, v5.10).

    A user page that is put in place by hand counts as anonymous, also where it stands for page cache. A
    poisoned page counts until its block goes offline; the kernel goes on counting until that is removed.
    """
    zones, pages = kernel.zones, _pages_by_kind(kernel)
    cma_blocks = sum(_block_counts(kernel, zone)[MIGRATE_CMA] for zone in zones)
    hugetlb = pages["hugetlb"] + pages["hugetlb_free"]
    return _text([
        _kb("MemTotal:", sum(zone.managed_pages for zone in zones)),
        _kb("MemFree:", sum(zone.nr_free_pages for zone in zones)),
        _kb("MemAvailable:", si_mem_available(kernel)),
        _kb("AnonPages:", _sum(pages, ANON)),
        _kb("HardwareCorrupted: ", _sum(pages, POISONED) + len(kernel.memmap.poisoned), 5),
        _kb("AnonHugePages:", _sum(pages, THP) * HUGE_PAGE),
        _kb("CmaTotal:", cma_blocks * pageblock_nr_pages),
        _kb("CmaFree:", sum(zone.nr_free_cma for zone in zones)),
        f"HugePages_Total:   {hugetlb:5}",
        f"HugePages_Free:    {pages['hugetlb_free']:5}",
        _kb("Hugepagesize:", HUGE_PAGE),
        _kb("Hugetlb:", hugetlb * HUGE_PAGE),
    ])


def _kb(name: str, pages: int, width: int = 8) -> str:
    return f"{name:<16}{pages << PAGE_SHIFT - 10:{width}} kB"


def _sum(pages: Counter[str], kinds: Iterable[str]) -> int:
    return sum(pages[kind] for kind in kinds)


def _pages_by_kind(kernel: Kernel) -> Counter[str]:
    """How many pages of each `PageKind` there are; a column that sections share is looked at once."""
    columns = {id(section.state): section.state for section in kernel.memmap.sections.values()}
    shared = Counter(id(section.state) for section in kernel.memmap.sections.values())
    pages: Counter[str] = Counter()
    for key, column in columns.items():
        while column:  # take out one code at a time: few occur in a section
            code = column[0]
            rest = column.translate(None, bytes([code]))
            pages[KINDS[code & ~REFS].name] += (len(column) - len(rest)) * shared[key]
            column = rest
    return pages


def si_mem_available(kernel: Kernel) -> int:
    """Pages that new work could get: free less the reserves, as there is no page cache to reclaim.

    Models mm/page_alloc.c, si_mem_available and calculate_totalreserve_pages (v5.10).
    """
    free = sum(zone.nr_free_pages for zone in kernel.zones)
    return max(0, free - sum(_reserve(zone) for zone in kernel.zones))


def _reserve(zone: Zone) -> int:
    return min(zone.managed_pages, zone.watermark_high + max(zone.lowmem_reserve[zone.index :]))


def _populated(kernel: Kernel) -> list[Zone]:
    return [zone for zone in kernel.zones if zone.populated]


def _numbers(values: Iterable[int], width: int) -> str:
    """Columns as the kernel prints them: a blank after each, also the last."""
    return "".join(f"{value:{width}} " for value in values)


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


# ---- and back ----

_ZONE = re.compile(r"Node +(\d+), zone +(\w+)(?:, type +(\w+))?((?: +>?\d+)*) *")
_MEMINFO = re.compile(r"(\S+): +(\d+)(?: kB)?")


def parse_zoneinfo(text: str, node: int = 0) -> dict[str, dict[str, Any]]:
    """One node's zones by name, each with "pages free", "min", "spanned", "start_pfn" and so on as integers.

    "protection" is a list, "per-node stats" (in the first populated zone) a dict, "pagesets" (in populated
    zones) a dict from cpu to "count", "high", "batch". Raises ValueError at a line of another form.
    """
    zones: dict[str, dict[str, Any]] = {}
    zone: dict[str, Any] = {}
    part = zone  # where the next counter belongs
    for line in text.splitlines():
        name, value = _name_and_value(line)
        if match := _ZONE.fullmatch(line):
            zone = part = {}
            if int(match[1]) == node:
                zones[match[2]] = zone
        elif name == "per-node stats":
            part = zone[name] = {}
        elif name == "pagesets":
            zone[name] = {}
        elif name == "cpu":
            part = zone["pagesets"][int(value)] = {}
        elif name == "protection":
            zone[name] = [int(pages) for pages in value.split(",")]
        else:
            if line.startswith("  ") and line[2] != " " and name != "vm stats threshold":
                part = zone
            part[name] = int(value)
    return zones


def _name_and_value(line: str) -> tuple[str, str]:
    """Split "  pages free     12" into "pages free" and "12"; without a number the value is empty."""
    match = re.fullmatch(r" *([^:(]*?):? *(\d+|\([\d, ]+\))?", line)
    if match is None:
        raise ValueError(f"not a line of /proc/zoneinfo: {line!r}")
    return match[1], (match[2] or "").strip("()")


def parse_buddyinfo(text: str, node: int = 0) -> dict[str, list[int]]:
    """Free chunks by zone, a number for each order. Raises ValueError at a line of another form."""
    rows = (_row(line) for line in text.splitlines())
    return {zone: counts for row_node, zone, _, counts in rows if row_node == node}


def parse_pagetypeinfo(text: str, node: int = 0) -> dict[str, dict[str, dict[str, Any]]]:
    """{"free": {zone: {migrate type: [chunks by order]}}, "blocks": {zone: {migrate type: pageblocks}}}.

    ">100000" becomes 100000, the least it can be. With page_owner=on there is also "mixed", like "blocks".
    Raises ValueError at a line of another form.
    """
    tables: dict[str, dict[str, dict[str, Any]]] = {"free": {}, "blocks": {}}
    table, types = "free", [""]
    for line in text.splitlines():
        if line.startswith("Number of "):
            table, types = "mixed" if "mixed" in line else "blocks", line.split()[4:]
        elif line and not line.startswith(("Page", "Free")):
            row_node, zone, mtype, counts = _row(line)
            if row_node == node:
                cells = {mtype: counts} if table == "free" else dict(zip(types, counts, strict=True))
                tables.setdefault(table, {}).setdefault(zone, {}).update(cells)
    return tables


def _row(line: str) -> tuple[int, str, str, list[int]]:
    """Node, zone, migrate type ("" where there is none) and numbers of a line of columns."""
    match = _ZONE.fullmatch(line)
    if match is None:
        raise ValueError(f"not a line of counts of a zone: {line!r}")
    return int(match[1]), match[2], match[3] or "", [int(n) for n in match[4].replace(">", "").split()]


def parse_meminfo(text: str) -> dict[str, int]:
    """The fields as printed: kB, and plain numbers for HugePages_*. Raises ValueError at another form."""
    fields: dict[str, int] = {}
    for line in text.splitlines():
        match = _MEMINFO.fullmatch(line)
        if match is None:
            raise ValueError(f"not a line of /proc/meminfo: {line!r}")
        fields[match[1]] = int(match[2])
    return fields
