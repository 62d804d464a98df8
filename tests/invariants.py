"""What must hold of every machine between two operations, and a fingerprint of all that it remembers.

`check(machine)` raises AssertionError at the first invariant that is broken. It works from the page codes:
each counter, list and set is computed anew from them and compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

from mmsim.machine.boot import memblock_allocations
from mmsim.machine.machine import Machine
from mmsim.machine.pages import Allocation
from mmsim.mm.kernel import Kernel
from mmsim.mm.memmap import CODE, KINDS, REFS, Section
from mmsim.mm.mmzone import (
    MAX_ORDER,
    MIGRATE_CMA,
    MIGRATE_ISOLATE,
    MIGRATE_TYPES,
    PAGES_PER_SECTION,
    SECTION_SHIFT,
    ZONE_MOVABLE,
    Zone,
    pageblock_nr_pages,
    pageblock_order,
    zone_names,
)
from mmsim.mm.page_alloc import can_merge
from mmsim.virtio_mem.driver import VirtioMem

TRANSIENT = ("isolated_lru", "isolated_freed", "isolated_thp", "isolated_thp_tail", "freeing")
NOBODYS = ("absent", "free", "pcp", "hole", "hwpoison", "hwpoison_buddy", "hwpoison_gone")
HUGE = {"hugetlb": "hugetlb_tail", "hugetlb_free": "hugetlb_free_tail", "thp": "thp_tail"}
ADDED = ("OFFLINE", "OFFLINE_PARTIAL", "ONLINE", "ONLINE_PARTIAL", "ONLINE_MOVABLE")
FULL = ("OFFLINE", "ONLINE", "ONLINE_MOVABLE")


def check(machine: Machine) -> None:
    """Every invariant of a machine at rest; one that has panicked stopped half way, in any state."""
    if machine.trace.panicked is not None:
        return
    k = machine.kernel
    check_blocks(k)
    check_pages(k)
    for zone in k.zones:
        check_free_lists(k, zone)
        check_zone(machine, zone)
    check_free_pages_are_listed(k)
    check_per_cpu_lists(k)
    check_owners(machine)
    check_references(k)
    check_at_rest(machine)
    if machine.driver is not None and not machine.driver.removing and not machine.probe_errno:
        check_driver(machine, machine.driver)


# -- masks: one byte a page, 1 where something holds --------------------------------------------------


def mask(section: Section, *kinds: str) -> bytes:
    """Where a section's pages are of these kinds."""
    return bytes(section.state).translate(table(kinds))


@cache
def table(kinds: tuple[str, ...]) -> bytes:
    """For each code of a page: is it of one of these kinds?"""
    wanted = {CODE[kind] for kind in kinds}
    return bytes(code & ~REFS in wanted for code in range(256))


BUDDY = [kind.name for kind in KINDS if kind.buddy]
REFERENCED = bytes(bool(code & REFS) for code in range(256))


def positions(column: bytes) -> Iterator[int]:
    """Where a mask is 1."""
    i = column.find(1)
    while i >= 0:
        yield i
        i = column.find(1, i + 1)


def both(one: bytes, other: bytes) -> bool:
    """Are two masks 1 at the same place anywhere?"""
    return bool(int.from_bytes(one) & int.from_bytes(other))


def painted(runs: Iterator[tuple[int, int]], number: int) -> bytes:
    """A mask of one section, from runs [start pfn, end pfn) that must not overlap."""
    base, column = number << SECTION_SHIFT, bytearray(PAGES_PER_SECTION)
    for start, end in runs:
        low, high = max(start - base, 0), min(end - base, PAGES_PER_SECTION)
        if low < high:
            assert 1 not in column[low:high], f"[{start}, {end}) is there twice"
            column[low:high] = b"\1" * (high - low)
    return bytes(column)


def pages_of_zone(k: Kernel, zone: Zone) -> Iterator[tuple[int, int]]:
    """The pages of a zone in online sections, holes left out: (first pfn, end pfn) of each pageblock."""
    for number, section in k.memmap.sections.items():
        base, ram = number << SECTION_SHIFT, k.memory_blocks[number].ram_pages
        for offset in range(0, ram if section.online else 0, pageblock_nr_pages):
            if section.zones[offset >> pageblock_order] == zone.index:
                yield base + offset, base + min(offset + pageblock_nr_pages, ram)


# -- the memory map ----------------------------------------------------------------------------------


def check_blocks(k: Kernel) -> None:
    """A memory block has a section, which is online exactly if the block is; offline memory has no pages."""
    assert set(k.memory_blocks) == set(k.memmap.sections)
    for number, block in k.memory_blocks.items():
        section = k.memmap.sections[number]
        assert block.id == number
        assert block.state in ("online", "offline"), f"memory{number} stays {block.state}"
        assert section.online == (block.state == "online"), f"memory{number}"
        assert len(section.state) == PAGES_PER_SECTION
        absent = mask(section, "absent").count(1)
        assert absent == (0 if section.online else PAGES_PER_SECTION), (
            f"memory{number}: {absent} absent pages"
        )


def check_pages(k: Kernel) -> None:
    """No page is left half way; huge pages are whole; the sets of rare pages hold what they are for."""
    poisoned = set()
    for number, section in k.memmap.sections.items():
        base = number << SECTION_SHIFT
        assert 1 not in mask(section, *TRANSIENT), f"memory{number} has pages that are neither here nor there"
        poisoned |= {base + i for i in positions(mask(section, "hwpoison_buddy"))}
        new = {base + i for i in positions(mask(section, "pagevec"))}
        assert new <= k.pagevecs, "a page in a pagevec that no drain would find"
        for head, tail in HUGE.items():
            check_huge_pages(section, head, tail)
    assert poisoned == {pfn for zone in k.zones for pfn in zone.poisoned}
    assert not any(k.memmap.kind(pfn).hwpoison or k.memmap.kind(pfn).buddy for pfn in k.memmap.poisoned)
    for zone in k.zones:
        assert all(k.page_zone(pfn) is zone for pfn in zone.poisoned)


def check_huge_pages(section: Section, head: str, tail: str) -> None:
    """A head is aligned and 511 tails follow it; there are no other tails."""
    heads, tails = mask(section, head), mask(section, tail)
    at = [i for i in range(0, PAGES_PER_SECTION, pageblock_nr_pages) if heads[i]]
    assert heads.count(1) == len(at), f"a misaligned {head}"
    assert tails.count(1) == len(at) * (pageblock_nr_pages - 1), f"{tail} without {head}"
    assert all(tails[i + 1 : i + pageblock_nr_pages].count(1) == pageblock_nr_pages - 1 for i in at)


# -- the buddy ---------------------------------------------------------------------------------------


def chunks(zone: Zone) -> Iterator[tuple[int, int, int]]:
    """All free chunks of a zone: (migrate type of the list, order, first pfn)."""
    for migratetype in range(MIGRATE_TYPES):
        for order in range(MAX_ORDER):
            for pfn in zone.free_area[migratetype][order]:
                yield migratetype, order, pfn


def check_free_lists(k: Kernel, zone: Zone) -> None:
    """A chunk is aligned, in this zone, on the list of its first pageblock's type, merged if it can be."""
    types = k.memmap.get_pageblock_migratetype
    free: Counter[int] = Counter()
    for migratetype, order, pfn in chunks(zone):
        at = f"order {order} at {pfn} in {zone.name}"
        free[migratetype] += 1 << order
        assert pfn % (1 << order) == 0, f"misaligned: {at}"
        assert types(pfn) == migratetype, f"on the list of {migratetype}, not {types(pfn)}: {at}"
        for block in range(pfn, pfn + (1 << order), pageblock_nr_pages):
            assert k.page_zone(block) is zone, f"in two zones: {at}"
            assert can_merge(migratetype, types(block)), f"of types that never merge: {at}"
        buddy = pfn ^ (1 << order)
        mergeable = order < MAX_ORDER - 1 and can_merge(migratetype, types(buddy))
        assert not (mergeable and buddy in zone.free_area[types(buddy)][order]), f"not merged: {at}"
    assert zone.nr_free_pages == sum(free.values()) - free[MIGRATE_ISOLATE], zone.name
    assert zone.nr_free_cma == free[MIGRATE_CMA], zone.name


def check_free_pages_are_listed(k: Kernel) -> None:
    """A page is free exactly if it is in a free chunk, and in no second one."""
    free = sorted((pfn, pfn + (1 << order)) for zone in k.zones for _, order, pfn in chunks(zone))
    for number, section in k.memmap.sections.items():
        mine = [run for run in free if run[0] >> SECTION_SHIFT == number]
        assert painted(iter(mine), number) == mask(section, *BUDDY), f"memory{number}"
        free = [run for run in free if run[0] >> SECTION_SHIFT != number]
    assert not free, "free chunks outside all sections"


def check_per_cpu_lists(k: Kernel) -> None:
    """The per-cpu lists hold the pages with that code, each once, in the lists of their zone."""
    listed = [(zone, pfn) for zone in k.zones for cpu in zone.pageset for pcp in cpu for pfn in pcp]
    assert all(k.page_zone(pfn) is zone for zone, pfn in listed)
    for number, section in k.memmap.sections.items():
        mine = [(pfn, pfn + 1) for _, pfn in listed if pfn >> SECTION_SHIFT == number]
        assert painted(iter(mine), number) == mask(section, "pcp"), f"memory{number}"


# -- zones -------------------------------------------------------------------------------------------


def check_zone(machine: Machine, zone: Zone) -> None:
    """Span, present, managed and isolated pageblocks of a zone are those of its pages."""
    k = machine.kernel
    runs = list(pages_of_zone(k, zone))
    present = sum(end - start for start, end in runs)
    assert zone.present_pages == present, zone.name
    assert zone.spanned_pages == (max(runs)[1] - min(runs)[0] if runs else 0), zone.name
    assert zone.zone_start_pfn == (min(runs)[0] if runs else 0), zone.name
    held: Counter[int] = Counter()
    for start, end in runs:
        held[start >> SECTION_SHIFT] += end - start
    assert zone.sections == held, zone.name
    assert zone.managed_pages == present - not_managed(machine, runs), zone.name
    isolated = sum(k.memmap.get_pageblock_migratetype(start) == MIGRATE_ISOLATE for start, _ in runs)
    assert zone.nr_isolate_pageblock == isolated, zone.name
    for highest, zonelist in enumerate(k.zonelists):
        assert (zone in zonelist) == (zone.index <= highest and zone.populated), zone.name


def not_managed(machine: Machine, runs: list[tuple[int, int]]) -> int:
    """How many of these pages the buddy does not manage: boot allocations and unplugged pages."""
    away = [(start, end) for start, end, plugged in subblocks(machine) if not plugged]
    if machine.zone_of is None:
        boot_pages = sum(
            b.ram_pages for b in machine.kernel.memory_blocks.values() if b.id < first_added(machine)
        )
        away += memblock_allocations(boot_pages)
    total = 0
    for start, end in runs:
        covered = bytearray(end - start)
        for low, high in away:
            low, high = max(low, start), min(high, end)
            covered[low - start : high - start] = b"\1" * (high - low)
        total += covered.count(1)
    return total


def first_added(machine: Machine) -> int:
    """The first memory block that is not boot memory."""
    return machine.driver.first_mb_id if machine.driver is not None else 1 << 30


def subblocks(machine: Machine) -> Iterator[tuple[int, int, bool]]:
    """The driver's subblocks of blocks that are online: (first pfn, end pfn, plugged?)."""
    driver = machine.driver
    for number in driver.plugged_subblocks if driver is not None else ():
        block = machine.kernel.memory_blocks.get(number)
        if block is not None and block.state == "online":
            assert driver is not None
            size = PAGES_PER_SECTION // driver.nb_sb_per_mb
            for sb_id, plugged in enumerate(driver.plugged_subblocks[number]):
                yield block.start_pfn + sb_id * size, block.start_pfn + (sb_id + 1) * size, bool(plugged)


# -- owners and references ---------------------------------------------------------------------------


def owned(k: Kernel) -> Iterator[tuple[int, int, Allocation]]:
    """All owned runs: (first pfn, end pfn, owner)."""
    for number, section in k.memmap.sections.items():
        base = number << SECTION_SHIFT
        for low, high, owner in section.owners.runs:
            assert isinstance(owner, Allocation)
            yield base + low, base + high, owner


def check_owners(machine: Machine) -> None:
    """No owned page is free, poisoned or offline; an owner counts its pages; names lead to their owners."""
    k = machine.kernel
    counted: dict[int, Counter[int]] = {}
    owners = {id(owner): owner for owner in machine.pages.allocations.values()}
    for start, end, owner in owned(k):
        assert start < end
        owners[id(owner)] = owner
        counted.setdefault(id(owner), Counter())[start >> SECTION_SHIFT] += end - start
        if owner.name is not None:
            assert machine.pages.allocations.get(owner.name) is owner, owner.name
    for key, owner in owners.items():
        assert owner.sections == counted.get(key, {}), owner.name
        assert owner.pins >= 0
    for number, section in k.memmap.sections.items():
        base = number << SECTION_SHIFT
        runs = ((base + low, base + high) for low, high, _ in section.owners.runs)
        theirs = painted(runs, number)
        assert not both(theirs, mask(section, *NOBODYS)), f"memory{number}: pages with an owner are nobody's"


def check_references(k: Kernel) -> None:
    """The bit for further references is set exactly where there is a pin or a counted reference."""
    pinned = {run for start, end, owner in owned(k) if owner.pins for run in [(start, end)]}
    for number, section in k.memmap.sections.items():
        base = number << SECTION_SHIFT
        column = bytearray(painted(iter(sorted(pinned)), number))
        for pfn, count in k.memmap.refs.items():
            assert count, f"page {pfn} has no further references"
            assert k.page_count(pfn) >= -1, f"page {pfn}: {count} further references"
            if pfn >> SECTION_SHIFT == number:
                column[pfn - base] = 1
        assert bytes(column) == bytes(section.state).translate(REFERENCED), f"memory{number}"


# -- locks, work and the driver ----------------------------------------------------------------------


def check_at_rest(machine: Machine) -> None:
    """All locks are free and nothing is queued."""
    k = machine.kernel
    assert k.device_hotplug_lock.owner is None
    assert not k.work_pending()
    if machine.driver is not None:
        assert machine.driver.hotplug_mutex.owner is None
        assert not machine.driver.hotplug_active


def check_driver(machine: Machine, driver: VirtioMem) -> None:
    """Driver, device and memory blocks agree on what is plugged, added and online."""
    device = machine.need_device()
    states = Counter(driver.mb_state.values())
    assert +driver.nb_mb_state == +states
    assert set(driver.mb_state) == set(range(driver.first_mb_id, driver.next_mb_id))
    assert driver.next_mb_id <= driver.last_mb_id + 1
    for number, state in driver.mb_state.items():
        check_driver_block(machine, driver, number, state)
    blocks = set(machine.kernel.memory_blocks)
    ours = {number for number in blocks if driver.first_mb_id <= number <= driver.last_mb_id}
    assert ours == {number for number, state in driver.mb_state.items() if state in ADDED}
    if driver.unplug_all_required:
        return  # what is plugged was plugged by somebody before
    expected = bytearray(len(device.bitmap))
    per_subblock = driver.subblock_size // device.config.block_size
    for number, plugged in driver.plugged_subblocks.items():
        first = ((number << SECTION_SHIFT + 12) - device.config.addr) // device.config.block_size
        for sb_id in [sb_id for sb_id, there in enumerate(plugged) if there]:
            at = first + sb_id * per_subblock
            expected[at : at + per_subblock] = b"\1" * per_subblock
    assert device.bitmap == expected, "the device has other blocks plugged than the driver"
    assert device.size == driver.plugged_size == device.bitmap.count(1) * device.config.block_size


def check_driver_block(machine: Machine, driver: VirtioMem, number: int, state: str) -> None:
    """A driver's state of a block says whether Linux has it, whether it is online and whether it is full."""
    block = machine.kernel.memory_blocks.get(number)
    assert (state in ADDED) == (block is not None), f"memory{number}: {state}"
    if block is None:
        assert (state == "PLUGGED") == (not driver.is_empty(number)), f"memory{number}: {state}"
        return
    assert block.state == ("online" if state.startswith("ONLINE") else "offline"), f"memory{number}: {state}"
    assert driver.is_full(number) == (state in FULL), f"memory{number}: {state}"
    if block.state == "online":
        movable = machine.kernel.memmap.zone_index(block.start_pfn) == ZONE_MOVABLE
        base = not machine.kernel.patched(5)
        assert (state == "ONLINE_MOVABLE") == (movable and base), f"memory{number}: {state}"
        check_unplugged_pages(machine, number)


def check_unplugged_pages(machine: Machine, number: int) -> None:
    """In an online block, what is unplugged is PG_offline; what is plugged never was out of the buddy."""
    section = machine.kernel.memmap.sections[number]
    base = number << SECTION_SHIFT
    away = mask(section, "offline", "offline_ref0", "offline_dirty", "offline_dirty_ref0")
    dirty = mask(section, "offline_dirty", "offline_dirty_ref0")
    for start, end, plugged in subblocks(machine):
        if start >> SECTION_SHIFT == number:
            low, high = start - base, end - base
            assert plugged or away[low:high].count(1) == high - low, f"memory{number}: pages {low} to {high}"
            assert not plugged or 1 not in dirty[low:high], f"memory{number}: pages {low} to {high}"


# -- fingerprint -------------------------------------------------------------------------------------


def fingerprint(machine: Machine) -> dict[str, Any]:
    """All that a machine remembers, as plain values; two machines that are alike have equal fingerprints.

    The order of the free lists counts too: it decides what is allocated next.
    """
    k, driver = machine.kernel, machine.driver
    found: dict[str, Any] = {f"zone {zone.name}": zone_print(zone) for zone in k.zones}
    found |= {f"section {number}": section_print(section) for number, section in k.memmap.sections.items()}
    found["kernel"] = {
        "refs": k.memmap.refs.copy(),
        "poisoned": sorted(k.memmap.poisoned),
        "blocks": {n: (b.state, b.ram_pages, b.online_type) for n, b in k.memory_blocks.items()},
        "notifiers": [n.name for n in k.notifiers],
        "online type": k.memhp_default_online_type,
        "zonelists": [[zone.name for zone in zones] for zones in k.zonelists],
        "pagevecs": sorted(k.pagevecs),
        "failures": k.failures[:],
        "work": len(k.workqueue),
        "lock": k.device_hotplug_lock.owner,
        "current": k.current.name,
        "callback": k.online_page_callback is None,
    }
    found["trace"] = {
        "events": len(k.trace),
        "time": k.trace.time,
        "warned": sorted(k.trace.warned),
        "panicked": k.trace.panicked,
    }
    found["held"] = {n: (a.sections.copy(), a.pins) for n, a in machine.pages.allocations.items()}
    found["triggers"] = [(t.rounds, t.what, t.name) for t in machine.triggers]
    for name, thing in (("device", machine.device), ("driver", driver)):
        found[name] = {key: plain(value) for key, value in vars(thing).items()} if thing is not None else None
    return found


def zone_print(zone: Zone) -> dict[str, Any]:
    """A zone's counters and lists."""
    lists = {
        "free_area": [[list(area) for area in orders] for orders in zone.free_area],
        "pageset": [[pcp[:] for pcp in cpu] for cpu in zone.pageset],
        "poisoned": sorted(zone.poisoned),
        "sections": zone.sections.copy(),
        "lowmem_reserve": zone.lowmem_reserve[:],
    }
    return {**{key: value for key, value in vars(zone).items() if isinstance(value, int)}, **lists}


def section_print(section: Section) -> dict[str, Any]:
    """A section's columns and owners."""
    return {
        "state": bytes(section.state),
        "zones": section.zones,
        "types": bytes(section.migratetypes),
        "online": section.online,
        "owners": [(a, b, id(owner)) for a, b, owner in section.owners.runs],
    }


def plain(value: Any) -> Any:
    """A copy of a device's or a driver's attribute; of what is neither number nor container, its type."""
    if isinstance(value, dict):
        return {key: bytes(v) if isinstance(v, bytearray) else v for key, v in value.items() if v}
    if isinstance(value, int | str | bytes | tuple | None):
        return value
    return (
        bytes(value) if isinstance(value, bytearray) else value[:] if isinstance(value, list) else type(value)
    )


def difference(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Where two fingerprints differ, for a message."""
    found = []
    for key in sorted(set(one) | set(other)):
        a, b = one.get(key), other.get(key)
        if a != b and isinstance(a, dict) and isinstance(b, dict):
            found += [
                f"{key}: {name}" for name in sorted(set(a) | set(b), key=str) if a.get(name) != b.get(name)
            ]
        elif a != b:
            found.append(key)
    return found


def observable(machine: Machine) -> dict[str, Any]:
    """All that can be seen of a machine from outside: every file of /sys and /proc, the log, the device."""
    device, driver, k = machine.device, machine.driver, machine.kernel
    return {
        "files": {path: machine.read(path) for path in machine.files()},
        "log": machine.trace.lines(),
        "panic": machine.trace.panicked,
        "requests": [e.text for e in machine.trace.since(0, "request")],
        "drains": sum(1 for _ in machine.trace.since(0, "drain")),
        "notified": [e.text for e in machine.trace.since(0, "notify")],
        "migrated": [e.text for e in machine.trace.since(0, "migrate")],
        "device": None if device is None else (device.size, device.requested_size, device.usable_region_size),
        "driver": None
        if driver is None
        else (
            sorted(driver.mb_state.items()),
            {n: bytes(p) for n, p in driver.plugged_subblocks.items()},
            driver.rc,
            driver.timer,
            driver.broken,
        ),
        "zones": {name: zone_print(zone) for name, zone in zip(zone_names, k.zones, strict=True)},
    }
