"""Memory blocks online and offline (mm/memory_hotplug.c, drivers/base/memory.c, v5.8 to v5.10).

Errors are negative errno values, as in the kernel; pfns and sizes are in pages.
"""

from __future__ import annotations

from mmsim.mm.kernel import Kernel, MemoryBlock
from mmsim.mm.memmap import (
    ABSENT,
    HUGETLB,
    RESERVED,
    PageKind,
    Section,
    codes,
    codes_where,
    filled,
)
from mmsim.mm.memory_block import memory_notify, notifier_to_errno, set_block_state
from mmsim.mm.migrate import (
    HPAGE_PMD_NR,
    Pages,
    dissolve_free_huge_pages,
    isolate_movable_pages,
    migrate_pages,
    putback_movable_pages,
)
from mmsim.mm.mmzone import (
    MIGRATE_MOVABLE,
    PAGEBLOCKS_PER_SECTION,
    PAGES_PER_SECTION,
    SECTION_SHIFT,
    ZONE_NORMAL,
    Zone,
)
from mmsim.mm.page_alloc import BUDDY, drain_all_pages, mark_free, put_back, take_range
from mmsim.mm.page_isolation import (
    MEMORY_OFFLINE,
    REPORT_FAILURE,
    start_isolate_page_range,
    test_pages_isolated,
    undo_isolate_page_range,
)
from mmsim.mm.zones import grow_zone_span, shrink_zone_span, zone_for_pfn_range, zones_of
from mmsim.sim.cpu import ROUNDS_WITHOUT_PROGRESS, Round, preempt
from mmsim.sim.errnos import EBUSY, EEXIST, EINTR, EINVAL, ENOENT


def move_pfn_range_to_zone(k: Kernel, zone: Zone, block: MemoryBlock) -> None:
    """Give the block's pages to a zone: its span grows, the memmap is initialised, no page is free yet."""
    k.current.writes(("zone", zone.index))
    k.memmap.touch(block.start_pfn, block.end_pfn)
    grow_zone_span(zone, block.start_pfn, PAGES_PER_SECTION)
    zone.sections[block.id] = PAGES_PER_SECTION
    section = Section(RESERVED, filled(zone.index, PAGEBLOCKS_PER_SECTION))
    section.online = False
    k.memmap.sections[block.id] = section
    k.trace.emit("zone", f"memory{block.id} -> {zone.name}", (block.id, zone.name))


def remove_pfn_range_from_zone(k: Kernel, zone: Zone, block: MemoryBlock) -> None:
    """Take the block's pages from their zone again; the span shrinks at its ends, the memmap is dead."""
    k.current.writes(("zone", zone.index))
    del zone.sections[block.id]
    shrink_zone_span(k, zone)
    forget_pages(k, block)
    k.trace.emit("zone", f"memory{block.id} left {zone.name}", (block.id, None))


def forget_pages(k: Kernel, block: MemoryBlock) -> None:
    """Poison the memmap of a block: nothing that pointed to its pages may be left."""
    k.memmap.touch(block.start_pfn, block.end_pfn)
    section = Section(ABSENT, filled(ZONE_NORMAL, PAGEBLOCKS_PER_SECTION))
    section.online = False
    k.memmap.set_owner(block.start_pfn, block.end_pfn, None)
    k.memmap.sections[block.id] = section
    for pfn in [pfn for pfn in k.memmap.refs if pfn >> SECTION_SHIFT == block.id]:
        del k.memmap.refs[pfn]
    for poisoned in (k.memmap.poisoned, *(zone.poisoned for zone in k.zones)):
        poisoned.difference_update([pfn for pfn in poisoned if pfn >> SECTION_SHIFT == block.id])


# -- online ------------------------------------------------------------------------------------------


def generic_online_page(k: Kernel, start: int, end: int) -> None:
    """Hand pages of a block that is being onlined to the buddy."""
    zone = k.page_zone(start)
    mark_free(k, start, end)
    zone.managed_pages += end - start
    put_back(k, zone, start, end)


async def online_pages(k: Kernel, block: MemoryBlock, online_type: str) -> int:
    """Online a memory block: 0, or the negative errno of the notifier that refused (-EPERM for NOTIFY_BAD)."""
    zone = zone_for_pfn_range(k, online_type, block.start_pfn, PAGES_PER_SECTION)
    move_pfn_range_to_zone(k, zone, block)
    ret = notifier_to_errno(await memory_notify(k, "MEM_GOING_ONLINE", block))
    if ret:
        k.trace.printk(f"online_pages {mem_range(block)} failed", "debug")
        await memory_notify(k, "MEM_CANCEL_ONLINE", block)
        remove_pfn_range_from_zone(k, zone, block)
        return ret
    k.current.writes(("section", block.id))
    k.memmap.sections[block.id].online = True
    if k.online_page_callback is None or not k.online_page_callback(block.start_pfn, block.end_pfn):
        generic_online_page(k, block.start_pfn, block.end_pfn)
    zone.present_pages += PAGES_PER_SECTION
    k.build_all_zonelists()
    await memory_notify(k, "MEM_ONLINE", block)
    return 0


# -- offline -----------------------------------------------------------------------------------------


def migration_may_work(page: PageKind, refs: bool) -> bool:
    """Does scan_movable_pages() stop at this page to have it migrated?"""
    return page.lru or page.movable_ops or (page.hugetlb and page.refcount > 0)


def pinned_by_its_driver(page: PageKind, refs: bool) -> bool:
    """PG_offline, with a reference that its driver did not drop: definitely unmovable."""
    return page.offline and not page.movable_ops and (page.refcount > 0 or refs)


SCAN_STOPS = codes_where(lambda page, refs: migration_may_work(page, refs) or pinned_by_its_driver(page, refs))
NOT_ISOLATED = codes_where(
    lambda page, refs: (page.refcount > 0 or refs) and not page.hwpoison and not migration_may_work(page, refs)
)


def scan_movable_pages(k: Kernel, start: int, end: int) -> tuple[int, int]:
    """Look for a page to migrate: (0, its pfn), (-ENOENT, end), or (-EBUSY, pfn) if it is hopeless."""
    pfn = k.memmap.find(start, end, SCAN_STOPS)
    if pfn is None:
        return -ENOENT, end
    kind = k.memmap.kind(pfn)
    return (-EBUSY if kind.offline and not kind.movable_ops else 0), pfn


async def do_migrate_range(k: Kernel, start: int, end: int) -> bool:
    """Migrate all that can be in [start, end), and report the rest; tells whether anything moved.

    The report is rate limited, as it is since 5.10.199.
    """
    for pfn, nr in k.memmap.runs(start, end, NOT_ISOLATED):
        for page in range(pfn, pfn + nr):
            report(k, page, f"failed to isolate pfn {page:x}", "isolation failed")
    pages, _ = isolate_movable_pages(k, start, end, end - start)
    huge = [(p + i, HPAGE_PMD_NR) for p, nr in k.memmap.runs(start, end, codes(HUGETLB)) for i in range(nr)]
    wanted: Pages = sorted(pages + huge)
    await preempt()
    ret, left = migrate_pages(k, wanted)
    for pfn, nr in left:
        for page in [pfn] if k.memmap.kind(pfn).compound else range(pfn, pfn + nr):
            report(k, page, f"migrating pfn {page:x} failed ret:{ret}", "migration failure")
    putback_movable_pages(k, left)
    return sum(nr for _, nr in left) < sum(nr for _, nr in wanted)


def report(k: Kernel, pfn: int, text: str, reason: str) -> None:
    """Say and show that a page stays; both kinds of lines are limited together."""
    if k.trace.ratelimit("do_migrate_range"):
        k.trace.printk(text, "warning")
        k.dump_page(pfn, reason)


async def offline_pages(k: Kernel, block: MemoryBlock) -> int:
    """Offline a memory block: 0, -EINVAL, -EBUSY, -EINTR, or the negative errno of a notifier.

    May loop until a signal: while a page that the scan finds does not migrate, or while a page that the scan
    does not find is not free.
    """
    k.current.begins_rounds()
    start, end = block.start_pfn, block.end_pfn
    if block.ram_pages != PAGES_PER_SECTION:
        return offline_failed(k, block, "memory holes", -EINVAL)
    if len(zones_of(k, block)) != 1:
        return offline_failed(k, block, "multizone range", -EINVAL)
    zone = k.page_zone(start)
    if await start_isolate_page_range(k, start, end, MIGRATE_MOVABLE, MEMORY_OFFLINE | REPORT_FAILURE):
        return offline_failed(k, block, "failure to isolate range", -EBUSY)
    reason, ret = "notifier failure", notifier_to_errno(await memory_notify(k, "MEM_GOING_OFFLINE", block))
    if not ret:
        reason, ret = await empty_range(k, zone, start, end)
    if ret:
        await undo_isolate_page_range(k, start, end, MIGRATE_MOVABLE)
        await memory_notify(k, "MEM_CANCEL_OFFLINE", block)
        return offline_failed(k, block, reason, ret)
    await memory_notify(k, "MEM_OFFLINE", block)
    remove_pfn_range_from_zone(k, zone, block)
    return 0


def offline_failed(k: Kernel, block: MemoryBlock, reason: str, error: int) -> int:
    """Say why offlining failed (pr_debug: not in the log of an ordinary kernel); returns the error."""
    k.trace.printk(f"memory offlining {mem_range(block)} failed due to {reason}", "debug")
    return error


def mem_range(block: MemoryBlock) -> str:
    """A block's addresses as the log prints them."""
    return f"[mem {block.start_pfn << 12:#010x}-{(block.end_pfn << 12) - 1:#010x}]"


async def empty_range(k: Kernel, zone: Zone, start: int, end: int) -> tuple[str, int]:
    """Migrate until all pages are free, then take them: (reason, negative errno) or ("", 0)."""
    fewest, futile = PAGES_PER_SECTION, 0  # pages that are left, rounds since there were fewer
    while True:
        await preempt()
        if k.current.signal_pending:
            return "signal backoff", -EINTR
        k.lru_add_drain_all()
        found, pfn = scan_movable_pages(k, start, end)
        if found == 0:
            moved = await do_migrate_range(k, pfn, end)
            left = k.memmap.count(start, end, SCAN_STOPS)
            fewest, futile = min(fewest, left), 0 if left < fewest else futile + 1
            # What moves may come back: to pageblocks of the range that somebody has given back meanwhile.
            await Round(moved and futile <= ROUNDS_WITHOUT_PROGRESS)
            continue
        if found != -ENOENT:
            return "unmovable page", -EBUSY
        await preempt()
        dissolve_free_huge_pages(k, start, end)
        if test_pages_isolated(k, start, end, MEMORY_OFFLINE) == 0:
            __offline_isolated_pages(k, zone, start, end)
            return "", 0
        drained = 0
        if k.patched("drain-again"):
            drained = drain_all_pages(k, zone)
        await Round(progress=drained > 0)


def __offline_isolated_pages(k: Kernel, zone: Zone, start: int, end: int) -> None:
    """Take the pages of an emptied range out of the buddy and out of the counters."""
    for pfn, nr in k.memmap.runs(start, end, BUDDY):
        take_range(k, pfn, pfn + nr)
    k.current.writes(("section", start >> SECTION_SHIFT))
    k.memmap.fill(start, end, ABSENT)
    k.memmap.sections[start >> SECTION_SHIFT].online = False
    zone.nr_isolate_pageblock -= PAGEBLOCKS_PER_SECTION
    zone.managed_pages -= PAGES_PER_SECTION
    zone.present_pages -= PAGES_PER_SECTION
    k.build_all_zonelists()
    k.trace.printk(f"Offlined Pages {PAGES_PER_SECTION}")


# -- block devices -----------------------------------------------------------------------------------


async def device_online(k: Kernel, block: MemoryBlock) -> int:
    """Online a block device as its online_type says: 1 if it is online already, else as online_pages()."""
    k.current.writes(("block", block.id))
    if block.state == "online":
        return 1
    ret = await online_pages(k, block, "online" if block.online_type == "offline" else block.online_type)
    block.online_type = "offline"
    if ret == 0:
        set_block_state(k, block, "online")
    return ret


async def device_offline(k: Kernel, block: MemoryBlock) -> int:
    """Offline a block device: 1 if it is offline already, else as offline_pages()."""
    k.current.writes(("block", block.id))
    if block.state == "offline":
        return 1
    set_block_state(k, block, "going-offline")
    ret = await offline_pages(k, block)
    set_block_state(k, block, "online" if ret else "offline")
    return ret


async def add_memory(k: Kernel, block_id: int) -> int:
    """Add a block of memory, offline; then auto-online it if so configured (the result is ignored)."""
    if error := k.fault("add_memory"):
        return error
    await k.device_hotplug_lock.lock(k.current)
    ret = -EEXIST if block_id in k.memory_blocks else await add_memory_resource(k, block_id)
    k.device_hotplug_lock.unlock()
    return ret


async def add_memory_resource(k: Kernel, block_id: int) -> int:
    """add_memory() with the lock held, for a block that is not there yet."""
    block = MemoryBlock(block_id, "offline")
    k.memory_blocks[block_id] = block
    forget_pages(k, block)
    set_block_state(k, block, "offline")
    k.current.reads("memhp_default_online_type")
    if k.memhp_default_online_type != "offline":
        block.online_type = k.memhp_default_online_type
        await device_online(k, block)
    return 0


async def remove_memory(k: Kernel, block_id: int) -> int:
    """Remove an offline block: 0, or -EBUSY (with a line in the log) if it is online."""
    await k.device_hotplug_lock.lock(k.current)
    ret = try_remove_memory(k, block_id)
    k.device_hotplug_lock.unlock()
    return ret


def try_remove_memory(k: Kernel, block_id: int) -> int:
    """remove_memory() with the lock held."""
    block = k.memory_blocks[block_id]
    k.current.writes(("block", block_id))
    if block.state != "offline":
        k.trace.printk(f"removing memory fails, because memory {mem_range(block)} is onlined", "warning")
        return -EBUSY
    k.memmap.touch(block.start_pfn, block.end_pfn)
    del k.memory_blocks[block_id]
    del k.memmap.sections[block_id]
    k.trace.emit("state", f"memory{block_id}: absent", (block_id, "absent"))
    return 0


async def offline_and_remove_memory(k: Kernel, block_id: int) -> int:
    """Offline a block if it is online, and remove it: 0 or a negative errno."""
    await k.device_hotplug_lock.lock(k.current)
    ret = await device_offline(k, k.memory_blocks[block_id])
    if ret >= 0:
        ret = try_remove_memory(k, block_id)
    k.device_hotplug_lock.unlock()
    return ret
