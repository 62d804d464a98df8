"""What can be done to a machine from inside its kernel: calling its functions, preparing failures and signals."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from mmsim.machine.pages import Allocation, Pages
from mmsim.machine.result import running
from mmsim.machine.sizes import pfn
from mmsim.mm.contig import alloc_contig_range
from mmsim.mm.kernel import Kernel, MemoryNotify, Notifier
from mmsim.mm.memory_block import NOTIFY_BAD, NOTIFY_OK
from mmsim.mm.mmzone import MIGRATE_ISOLATE, SECTION_SHIFT, migratetype_names, pageblock_nr_pages
from mmsim.mm.page_alloc import change_pageblock
from mmsim.mm.page_isolation import (
    MEMORY_OFFLINE,
    REPORT_FAILURE,
    has_unmovable_pages,
    start_isolate_page_range,
    undo_isolate_page_range,
)
from mmsim.sim import errnos
from mmsim.sim.cpu import Path
from mmsim.sim.log import Trace

FLAGS = {"MEMORY_OFFLINE": MEMORY_OFFLINE, "REPORT_FAILURE": REPORT_FAILURE}
TRIGGERS = ("signal", "unpin", "free")

Pfn = int | str


@dataclass
class Trigger:
    """Something that happens after so many rounds of the next path that loops."""

    rounds: int
    what: str  # signal, unpin or free
    name: str = ""


@dataclass
class Veto:
    """A memory notifier that refuses one action."""

    action: str | None

    async def call(self, action: str, arg: MemoryNotify) -> int:
        """NOTIFY_BAD for the action to refuse."""
        return NOTIFY_BAD if action == self.action else NOTIFY_OK


class InsideKernel:
    """The methods of a machine that no user could call. A pfn is a number, "addr:4G" or "block:41", also "+512"."""

    kernel: Kernel
    pages: Pages
    triggers: list[Trigger]

    @property
    def trace(self) -> Trace:
        """Everything that has happened, in order."""
        return self.kernel.trace

    @abstractmethod
    def run(self, name: str, path: Path, triggers: Collection[str] = ()) -> Any:
        """Drive one kernel path to its end; see Machine.run."""

    def page(self, value: Pfn, end: bool = False) -> int:
        """A pfn, checked: a memory block must be there (for an end: it may be the first page behind)."""
        number = pfn(value)
        if (number - end) >> SECTION_SHIFT not in self.kernel.memory_blocks:
            raise ValueError(f"pfn {value!r}: the machine has no memory there")
        return number

    def online_pageblock(self, value: Pfn) -> int:
        """The first page of a page's pageblock, checked: offline memory has no pageblocks."""
        block = self.page(value) & -pageblock_nr_pages
        if self.kernel.pfn_to_online_page(block) is None:
            raise ValueError(f"pfn {value!r} is not online")
        return block

    def pageblocks(self, start: Pfn, end: Pfn) -> tuple[int, int]:
        """A range of whole pageblocks, checked."""
        first, last = self.page(start), self.page(end, end=True)
        for value, number in ((start, first), (end, last)):
            if number % pageblock_nr_pages:
                raise ValueError(f"misaligned pfn {value!r}: no pageblock ({pageblock_nr_pages} pages) begins there")
        return first, in_order(first, last)

    @running
    def set_pageblock(self, pfn: Pfn, migratetype: str) -> None:
        """Set the migrate type of a page's pageblock and move its free pages."""
        k, block = self.kernel, self.online_pageblock(pfn)
        new, old = migrate_type(migratetype), k.memmap.get_pageblock_migratetype(block)
        zone = k.page_zone(block)
        change_pageblock(k, zone, block, new)
        zone.nr_isolate_pageblock += (new == MIGRATE_ISOLATE) - (old == MIGRATE_ISOLATE)

    def isolate(self, start: Pfn, end: Pfn, flags: Collection[str] = (), migratetype: str = "Movable") -> None:
        """start_isolate_page_range()."""
        self.run("isolate", self.isolate_path(start, end, flags, migratetype))

    def isolate_path(self, start: Pfn, end: Pfn, flags: Collection[str] = (), migratetype: str = "Movable") -> Path:
        """The path of `isolate`, to be raced."""
        first, last = self.pageblocks(start, end)
        return start_isolate_page_range(self.kernel, first, last, lasting_type(migratetype), isolation_flags(flags))

    def undo_isolate(self, start: Pfn, end: Pfn, migratetype: str = "Movable") -> None:
        """undo_isolate_page_range()."""
        self.run("undo_isolate", self.undo_isolate_path(start, end, migratetype))

    def undo_isolate_path(self, start: Pfn, end: Pfn, migratetype: str = "Movable") -> Path:
        """The path of `undo_isolate`, to be raced."""
        first, last = self.pageblocks(start, end)
        return undo_isolate_page_range(self.kernel, first, last, lasting_type(migratetype))

    def has_unmovable(self, pfn: Pfn, flags: Collection[str] = (), migratetype: str = "Movable") -> int | None:
        """has_unmovable_pages() of a page's pageblock: the first offending pfn, or None."""
        k, block = self.kernel, self.online_pageblock(pfn)
        wanted = lasting_type(migratetype)
        return has_unmovable_pages(k, k.page_zone(block), block, wanted, isolation_flags(flags))

    def alloc_contig(self, start: Pfn, end: Pfn, migratetype: str = "Movable", name: str | None = None) -> None:
        """alloc_contig_range(); the pages are held under the name."""
        self.run("alloc_contig", self.alloc_contig_path(start, end, migratetype, name), TRIGGERS[1:])

    def alloc_contig_path(self, start: Pfn, end: Pfn, migratetype: str = "Movable", name: str | None = None) -> Path:
        """The path of `alloc_contig`, to be raced."""
        first, last = self.page(start), self.page(end, end=True)
        return self._alloc_contig(first, in_order(first, last), lasting_type(migratetype), self.pages.new_name(name))

    async def _alloc_contig(self, start: int, end: int, migratetype: int, name: str | None) -> int:
        ret = await alloc_contig_range(self.kernel, start, end, migratetype) if start < end else 0
        if ret == 0:
            self.pages.hold(self.pages.allocations.get(name or "") or Allocation(name), start, end)
        return ret

    @running
    def notifier(self, name: str, veto: str | None = None) -> None:
        """Register another memory notifier, behind those already there; `veto` is the action it refuses."""
        if veto not in (None, "MEM_GOING_OFFLINE", "MEM_GOING_ONLINE"):
            raise ValueError(f"veto: {veto!r} is neither MEM_GOING_OFFLINE nor MEM_GOING_ONLINE")
        self.kernel.notifiers.append(Notifier(name, Veto(veto).call))

    @running
    def fail(self, what: str, error: str, times: int = 1) -> None:
        """The next calls of `add_memory` fail with this errno."""
        if what != "add_memory":
            raise ValueError(f"fail: {what!r} can't be made to fail; only add_memory can")
        number = next((n for n, name in errnos.errorcode.items() if name == error), None)
        if number is None:
            raise ValueError(f"fail: {error!r} is no errno")
        self.kernel.failures += [(what, number)] * times

    @running
    def signal(self, after_rounds: int) -> None:
        """The next write that gets as far as offline_pages() gets a signal after so many rounds of its loop."""
        self.triggers.append(Trigger(after_rounds, "signal"))

    @running
    def unpin_after(self, name: str, after_rounds: int) -> None:
        """A pin is dropped after so many rounds of the next offline_pages() by a write, or of `alloc_contig`."""
        self.triggers.append(Trigger(after_rounds, "unpin", self.pages.held(name).name or name))

    @running
    def free_after(self, name: str, after_rounds: int) -> None:
        """Held memory is given back after so many rounds of the next such write, or of `alloc_contig`."""
        self.triggers.append(Trigger(after_rounds, "free", self.pages.held(name).name or name))


def index_of(names: tuple[str, ...], name: str, what: str) -> int:
    """The number of a name. Raises ValueError for one that is not there."""
    if name not in names:
        raise ValueError(f"unknown {what} {name!r}; known are {', '.join(names)}")
    return names.index(name)


def in_order(start: int, end: int) -> int:
    """The end of a range, which may be empty. Raises ValueError for one that goes backwards."""
    if start > end:
        raise ValueError(f"the range [{start}, {end}) goes backwards")
    return end


def migrate_type(name: str) -> int:
    """The number of a migrate type."""
    return index_of(migratetype_names, name, "migrate type")


def lasting_type(name: str) -> int:
    """The number of a migrate type that a pageblock can have while nobody isolates it."""
    number = migrate_type(name)
    if number == MIGRATE_ISOLATE:
        raise ValueError("migratetype: 'Isolate' is no type to give a pageblock back as")
    return number


def isolation_flags(flags: Collection[str]) -> int:
    """The bits of isolation flags."""
    if unknown := set(flags) - set(FLAGS):
        raise ValueError(f"unknown isolation flag {sorted(unknown)[0]!r}; known are {', '.join(FLAGS)}")
    return sum(FLAGS[flag] for flag in set(flags))
