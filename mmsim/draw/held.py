"""One page while its memory block goes offline: its references, who has them, and what its zone counts."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mmsim.draw.snapshot import Block, hearing, snapshot
from mmsim.machine.machine import Machine
from mmsim.machine.result import Result
from mmsim.machine.sizes import pfn
from mmsim.mm.kernel import MemoryNotify, Notifier
from mmsim.mm.memory_block import NOTIFY_OK
from mmsim.mm.mmzone import SECTION_SHIFT

SCAN = "scan"  # when the core goes through the pages; other moments have their names from the notifier chain


@dataclass(frozen=True)
class Look:
    """What is so at a moment: references of the page (None when its descriptor means nothing any more), of its driver
    and of others; the zone's counters, in pages; the memory block; and the page that stopped the core, if one did."""

    moment: str
    count: int | None
    driver: int
    others: int
    present: int
    managed: int
    block: Block
    stopped: int | None = None

    @property
    def isolated(self) -> int:
        """How many pageblocks of the block are isolated."""
        return self.block.types.count("Isolate")


@dataclass(frozen=True)
class Attempt:
    """An attempt to offline a page's memory block: what was seen at each moment, and how it ended."""

    page: int
    looks: tuple[Look, ...]
    end: Result

    @property
    def warned(self) -> bool:
        """Did the kernel warn?"""
        return any(event.kind == "warn" for event in self.end.events)


def attempt(machine: Machine, page: int | str) -> Attempt:
    """Offline the memory block of a page, and look at it before, when the driver has been told that the block is going,
    when the core has gone through it, and when the driver has been told how it ended.

    Raises ValueError for a page that is not there.
    """
    where = pfn(page)
    number, zone = where >> SECTION_SHIFT, machine.kernel.page_zone(where)
    looks: list[Look] = []

    def look(moment: str, stopped: int | None = None) -> None:
        block = snapshot(machine, number).blocks[0]
        looks.append(Look(moment, *holders(machine, where), zone.present_pages, zone.managed_pages, block, stopped))

    def hear(kind: str, text: str, data: object) -> None:
        if kind == "dump" and len(looks) == 2 and isinstance(data, int):
            look(SCAN, data)

    async def told(action: str, arg: MemoryNotify) -> int:
        if len(looks) == 2:  # nobody has named a page: either none was in the way, or ours
            looks.append(replace(looks[1], moment=SCAN, stopped=where if looks[1].others else None))
        look(action)
        return NOTIFY_OK

    look("online")
    watcher = Notifier("watcher", told)  # behind the driver in the chain, it sees what the driver has done
    machine.kernel.notifiers.append(watcher)
    try:
        end = hearing(machine, lambda: machine.attempt("write", f"memory{number}/state", "offline"), hear)
    finally:
        machine.kernel.notifiers.remove(watcher)
    return Attempt(where, tuple(looks), end)


def holders(machine: Machine, page: int) -> tuple[int | None, int, int]:
    """The reference count of a page of a hole, how many of it are its driver's, and how many are others'.

    The driver has one, but lets go of it while it knows that a memory block is going offline.
    """
    if machine.kernel.memmap.kind(page).name == "absent":
        return None, 0, 0
    count = machine.kernel.page_count(page)
    own = 0 if machine.driver is None or machine.driver.hotplug_active else min(count, 1)
    return count, own, count - own
