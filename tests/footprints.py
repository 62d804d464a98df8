"""Does a step declare what it changes? A machine's shared state by the keys of footprints (see `cpu.Task.writes`).

Three kinds of change are no `writes`, because they commute. They must be declared as `reads` at least:

- The counters of a zone. Sums do not depend on the order of what is added; who decides by a sum writes the zone.
- Free pages that the buddy hands out, of which the order of the free lists is a part. Whoever needs any pages has
  them wherever they are: no path tells a page that was migrated from one place from the same page in another,
  unless it changes that pageblock, which is a write.
- Who holds pages. They are taken and given with the pages; who asks for all pages of somebody writes the owner.

What only the driver's own worker looks at is not shared.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator
from typing import Any

from mmsim.machine.machine import Machine
from mmsim.mm.memmap import FREE, codes, codes_where
from mmsim.mm.mmzone import MAX_ORDER_NR_PAGES, PAGES_PER_SECTION, Zone, pageblock_nr_pages
from mmsim.sim.cpu import Footprint

State = dict[Hashable, Any]

UNITS = PAGES_PER_SECTION // MAX_ORDER_NR_PAGES
TYPES = MAX_ORDER_NR_PAGES // pageblock_nr_pages
COUNTERS = ("nr_free_pages", "nr_free_cma", "nr_isolate_pageblock", "present_pages", "managed_pages")
DRIVER = {
    "virtio-mem blocks": ("mb_state", "nb_mb_state", "next_mb_id", "hotplug_active", "removing"),
    "virtio-mem config": ("config_changed", "requested_size", "plugged_size", "unplug_all_required"),
}
OCCUPIED = codes_where(lambda page, refs: (page.lru or page.movable_ops or page.name == "pcp") and not refs)
EMPTY = codes(FREE)


def plain(value: Any) -> Any:
    """A copy that stays as it is; a count of none is no count."""
    return {key: v for key, v in value.items() if v} if isinstance(value, dict) else value


def state_of(machine: Machine) -> State:
    """All shared state, each piece under the key that a step which changes it has to write."""
    k, device, driver = machine.kernel, machine.device, machine.driver
    state: State = dict(pages(machine))
    for zone in k.zones:
        state["zone", zone.index] = zone_state(zone)
        state["counters", zone.index] = [getattr(zone, name) for name in COUNTERS]
        state["pcp", zone.index] = [[pcp[:] for pcp in cpu] for cpu in zone.pageset]
    for number, section in k.memmap.sections.items():
        state["section", number] = section.online or None
    for block in k.memory_blocks.values():
        state["block", block.id] = block.state
    for mutex in [k.device_hotplug_lock, *([driver.hotplug_mutex] if driver else [])]:
        state["mutex", mutex.name] = mutex.owner and mutex.owner.name
    state["memhp_default_online_type"] = k.memhp_default_online_type
    state["notify"] = [notifier.name for notifier in k.notifiers]
    state["pagevecs"] = sorted(k.pagevecs)
    state["workqueue"] = len(k.workqueue)
    state["failures"] = k.failures[:]
    state["log"] = len(k.trace.lines())
    state["warned"] = sorted(k.trace.warned)
    state["alive"] = k.trace.panicked
    for key, names in DRIVER.items() if driver else ():
        state[key] = [plain(getattr(driver, name)) for name in names]
    for mb_id, plugged in driver.plugged_subblocks.items() if driver else ():
        state["virtio-mem subblocks", mb_id] = bytes(plugged) if any(plugged) else None
    if device is not None:
        state["device"] = [bytes(device.bitmap), device.size, device.answers[:]]
        state["virtio-mem config"] += [device.requested_size, device.usable_region_size]
    for name, held in machine.pages.allocations.items():
        state["owner", name] = held.pins
    return state


def zone_state(zone: Zone) -> tuple[Any, ...]:
    """What a zone is, beside its counters."""
    marks = zone.watermark_min, zone.watermark_low, zone.watermark_high, *zone.lowmem_reserve
    return zone.zone_start_pfn, zone.spanned_pages, zone.populated, dict(zone.sections), marks


def pages(machine: Machine) -> Iterator[tuple[Hashable, Any]]:
    """For each unit of the largest buddy its pages, its pageblocks' types and zones, and what is free in it."""
    k, rare = machine.kernel, defaultdict(list)
    for zone in k.zones:
        for migratetype, lists in enumerate(zone.free_area):
            for order, area in enumerate(lists):
                for pfn in area:
                    rare[pfn // MAX_ORDER_NR_PAGES].append((zone.index, migratetype, order, pfn))
        for pfn in zone.poisoned:
            rare[pfn // MAX_ORDER_NR_PAGES].append((zone.index, pfn))
    for pfn, further in k.memmap.refs.items():
        rare[pfn // MAX_ORDER_NR_PAGES].append((pfn, further))
    for number, section in k.memmap.sections.items():
        column, types, zones = bytes(section.state), bytes(section.migratetypes), section.zones
        for i in range(UNITS):
            unit, blocks = number * UNITS + i, slice(i * TYPES, (i + 1) * TYPES)
            part = column[i * MAX_ORDER_NR_PAGES : (i + 1) * MAX_ORDER_NR_PAGES]
            yield ("pages", unit), (part, types[blocks], zones[blocks], sorted(rare[unit], key=repr))


def undeclared(before: State, after: State, footprint: Footprint) -> list[Hashable]:
    """The keys of what a step has changed without saying so."""
    changed = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    return [key for key in changed if not declared(key, before.get(key), after.get(key), footprint)]


def declared(key: Any, before: Any, after: Any, footprint: Footprint) -> bool:
    """Does the footprint tell of this change?"""
    if footprint.get(key):
        return True
    if key[0] == "counters":
        return ("zone", key[1]) in footprint
    return key in footprint and key[0] == "pages" and only_handed_out(before, after)


def only_handed_out(before: Any, after: Any) -> bool:
    """Were free pages handed out, and nothing else?"""
    if before is None or after is None or before[1:3] != after[1:3]:
        return False
    return all(a == b or (a in EMPTY and b in OCCUPIED) for a, b in zip(before[0], after[0], strict=True))
