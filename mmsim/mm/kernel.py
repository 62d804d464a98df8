"""What Linux keeps in global variables: the zones, the memmap, the notifier chain, the locks, the log."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Hashable
from dataclasses import dataclass, field

from mmsim.mm.memmap import CODE, KINDS, REFS, MemMap
from mmsim.mm.mmzone import PAGES_PER_SECTION, SECTION_SHIFT, ZONE_NORMAL, Zone
from mmsim.sim.cpu import IDLE, Mutex, Path, Task
from mmsim.sim.log import Trace

ChangeName = int | str  # of a change to Linux: see `mmsim.series`
NR_CPUS = 2

LOWMEM_RESERVE_RATIO = (256, 256, 32, 0)
WATERMARK_SCALE_FACTOR = 10  # in ten-thousandths of a zone


@dataclass(eq=False, slots=True)
class MemoryBlock:
    """A memory block device: `state` is `online`, `offline` or (while a CPU is at it) `going-offline`.

    ram_pages: how many of its 32768 pages are RAM; the rest are a hole. online_type: how it was last asked to be
    onlined, `offline` once it has been: so a request that was refused is remembered.
    """

    id: int
    state: str
    ram_pages: int = PAGES_PER_SECTION
    online_type: str = "offline"

    @property
    def start_pfn(self) -> int:
        """First page of the block."""
        return self.id << SECTION_SHIFT

    @property
    def end_pfn(self) -> int:
        """First page behind the block."""
        return self.start_pfn + PAGES_PER_SECTION


@dataclass(frozen=True, slots=True)
class MemoryNotify:
    """struct memory_notify: the range that an event is about."""

    start_pfn: int
    nr_pages: int


@dataclass(eq=False)
class Notifier:
    """A struct notifier_block on the memory notifier chain; `call` gets the action and the range."""

    name: str
    call: Callable[[str, MemoryNotify], Awaitable[int]]


@dataclass(eq=False)
class Kernel:
    """One kernel: what `mm/` and the drivers share. `changes`: those that it has, of the series and others."""

    changes: Collection[ChangeName]
    trace: Trace = field(default_factory=Trace)
    movable_node: bool = False
    watermarks: bool = True
    zones: list[Zone] = field(default_factory=lambda: [Zone(index, NR_CPUS) for index in range(4)])
    memmap: MemMap = field(default_factory=MemMap)
    memory_blocks: dict[int, MemoryBlock] = field(default_factory=dict)
    notifiers: list[Notifier] = field(default_factory=list)
    online_page_callback: Callable[[int, int], bool] | None = None
    memhp_default_online_type: str = "offline"
    device_hotplug_lock: Mutex = field(default_factory=lambda: Mutex("device_hotplug_lock"))
    current: Task = field(default_factory=lambda: Task("swapper"))
    zonelists: list[list[Zone]] = field(default_factory=lambda: [[], [], [], []])
    pagevecs: set[int] = field(default_factory=set)  # new user pages that are not on the LRU yet
    failures: list[tuple[str, int]] = field(default_factory=list)  # (function, errno) to fail with, in order
    workqueue: list[Callable[[], Path]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.trace.writes = self.touches

    def touches(self, key: Hashable, change: bool = True) -> None:
        """The running step changes this piece of shared state, or only looks at it (see `interleavings.explore`)."""
        (self.current.writes if change else self.current.reads)(key)

    def patched(self, change: ChangeName) -> bool:
        """Does this kernel have a change? `series.listing` folds this condition away."""
        return change in self.changes

    # -- pages --------------------------------------------------------------------------------------

    def page_zone(self, pfn: int) -> Zone:
        """The zone of a page. Raises KeyError where no section is."""
        return self.zones[self.memmap.zone_index(pfn)]

    def pfn_to_online_page(self, pfn: int) -> int | None:
        """The pfn itself if its section is online, else None."""
        number = pfn >> SECTION_SHIFT
        self.current.reads(("section", number))
        section = self.memmap.sections.get(number)
        return pfn if section is not None and section.online else None

    def page_count(self, pfn: int) -> int:
        """The reference count of a page."""
        further = self.memmap.refs.get(pfn, 0)
        if not further and self.memmap.state(pfn) & REFS:
            further = 1
        return self.memmap.kind(pfn).refcount + further

    def page_hwpoison(self, pfn: int) -> bool:
        """Is PG_hwpoison set?"""
        return self.memmap.kind(pfn).hwpoison or pfn in self.memmap.poisoned

    def dump_page(self, pfn: int | None, reason: str) -> None:
        """dump_page() of mm/debug.c: what the kernel knows of a page, and why it is printed.

        A NULL page (None) is dereferenced at once: dump_page first looks for the compound head.
        """
        locked = any(zone.lock.held for zone in self.zones)
        assert not locked, "a page was dumped under a zone's lock, which printing may need itself"
        self.trace.emit("dump", reason, pfn)
        if pfn is None:
            self.trace.null_dereference("dump_page")
            return
        kind = self.memmap.kind(pfn)
        flags = [name for name in ("lru", "reserved", "hwpoison", "dirty", "offline")
                 if (self.page_hwpoison(pfn) if name == "hwpoison" else getattr(kind, name))]
        self.trace.printk(
            f"page:(____ptrval____) refcount:{self.page_count(pfn)} mapcount:0 "
            f"mapping:0000000000000000 index:0x0 pfn:{pfn:#x}", "warning",
        )
        self.trace.printk(f"flags: ({'|'.join(flags)})", "warning")
        self.trace.printk(f"page dumped because: {reason}", "warning")

    def lru_add_drain_all(self) -> None:
        """Put the pages that wait in per-cpu pagevecs onto the LRU."""
        if self.pagevecs:
            self.current.writes("pagevecs")
        for pfn in sorted(self.pagevecs):
            self.memmap.touch(pfn, pfn + 1)
            if KINDS[self.memmap.state(pfn) & ~REFS].name == "pagevec":
                self.memmap.recode(pfn, pfn + 1, {CODE["pagevec"]: CODE["lru"]})
        self.pagevecs.clear()

    # -- zones --------------------------------------------------------------------------------------

    def build_all_zonelists(self) -> None:
        """For each highest zone the populated zones to try, in order; then the watermarks."""
        self.current.writes(*(("zone", zone.index) for zone in self.zones))
        for highest in range(len(self.zones)):
            self.zonelists[highest] = [z for z in reversed(self.zones[: highest + 1]) if z.populated]
        if self.watermarks:
            self.setup_per_zone_wmarks()
            self.setup_per_zone_lowmem_reserve()

    def setup_per_zone_wmarks(self) -> None:
        """min_free_kbytes from the size of memory, shared among the zones (mm/page_alloc.c, v5.8)."""
        lowmem = sum(z.managed_pages for z in self.zones)
        buffers = sum(max(z.managed_pages - z.watermark_high, 0) for z in self.zones[: ZONE_NORMAL + 1])
        min_free_kbytes = min(max(int((buffers * 4 * 16) ** 0.5), 128), 262144)
        for zone in self.zones:
            minimum = (min_free_kbytes >> 2) * zone.managed_pages // lowmem if lowmem else 0
            step = max(minimum >> 2, zone.managed_pages * WATERMARK_SCALE_FACTOR // 10000)
            zone.watermark_min = minimum
            zone.watermark_low, zone.watermark_high = minimum + step, minimum + 2 * step

    def setup_per_zone_lowmem_reserve(self) -> None:
        """What a request that could have used a higher zone must leave free in a lower one."""
        for lower in self.zones:
            ratio = LOWMEM_RESERVE_RATIO[lower.index]
            for highest in range(lower.index + 1, len(self.zones)):
                above = sum(z.managed_pages for z in self.zones[lower.index + 1 : highest + 1])
                lower.lowmem_reserve[highest] = above // ratio if ratio and lower.managed_pages else 0

    # -- work ---------------------------------------------------------------------------------------

    def queue_work(self, work: Callable[[], Path]) -> None:
        """Have the kworker run this; nothing happens if it is queued already."""
        self.current.writes("workqueue")
        if work not in self.workqueue:
            self.workqueue.append(work)

    def work_pending(self) -> bool:
        """Is any work queued?"""
        return bool(self.workqueue)

    async def kworker(self) -> None:
        """The kernel's worker thread: run what is queued, else rest."""
        while True:
            self.current.writes("workqueue")
            if not self.workqueue:
                await IDLE
                self.current.writes("workqueue")
            await self.workqueue.pop(0)()

    def fault(self, function: str) -> int:
        """The negative errno that this call of a function must fail with, or 0."""
        for index, (name, error) in enumerate(self.failures):
            if name == function:
                del self.failures[index]
                return -error
        return 0
