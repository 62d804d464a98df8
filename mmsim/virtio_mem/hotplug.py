"""virtio-mem and memory hotplug: block states, the notifier, and the life of unplugged pages
(drivers/virtio/virtio_mem.c, v5.8; patch 5 of the series is commit 27f852795a06).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from mmsim.mm.contig import free_contig_range
from mmsim.mm.kernel import Kernel, MemoryNotify, Notifier
from mmsim.mm.memmap import (
    CONTIG,
    FREEING,
    HWPOISON,
    OFFLINE,
    OFFLINE_DIRTY,
    OFFLINE_DIRTY_REF0,
    OFFLINE_REF0,
    codes,
)
from mmsim.mm.memory_block import NOTIFY_BAD, NOTIFY_OK, notifier_from_errno
from mmsim.mm.memory_hotplug import generic_online_page
from mmsim.mm.mmzone import PAGES_PER_SECTION, SECTION_SHIFT, ZONE_MOVABLE
from mmsim.mm.page_ref import page_ref_dec, page_ref_inc
from mmsim.sim.cpu import Mutex
from mmsim.sim.errnos import EBUSY

OFFLINE_THRESHOLD = 10  # VIRTIO_MEM_NB_OFFLINE_THRESHOLD
MEMORY_NOTIFIER = "virtio_mem.c virtio_mem_memory_notifier_cb"
GOING_ONLINE = "virtio_mem_notify_going_online"

DIRTY = codes(OFFLINE_DIRTY, OFFLINE_DIRTY_REF0)
HIDDEN = codes(OFFLINE, OFFLINE_REF0)


class Hotplug:
    """The part of struct virtio_mem that memory hotplug works on.

    mb_state: memory block -> UNUSED, PLUGGED, OFFLINE, OFFLINE_PARTIAL, ONLINE, ONLINE_PARTIAL, and without
    patch 5 ONLINE_MOVABLE. `nb_sb_per_mb` is the number of subblocks in a block.
    """

    nb_sb_per_mb: int
    first_mb_id: int
    last_mb_id: int
    next_mb_id: int

    def __init__(self, k: Kernel) -> None:
        self.k = k
        self.mb_state: dict[int, str] = {}
        self.nb_mb_state: Counter[str] = Counter()
        self.plugged_subblocks: dict[int, bytearray] = {}
        self.hotplug_mutex = Mutex("hotplug_mutex")
        self.hotplug_active = False
        self.removing = False
        self.notifier = Notifier("virtio_mem", self.memory_notifier_cb)

    def dev_log(self, text: str, level: str = "info") -> None:
        """A line in the log, with the device's name."""
        self.k.trace.printk(f"virtio_mem virtio0: {text}", level)

    def dev_warn_ratelimited(self, function: str, text: str) -> None:
        """The same as a warning, unless this function gave it too often."""
        if self.k.trace.ratelimit(function, text):
            self.dev_log(text, "warning")

    def register(self) -> None:
        """Join the notifier chain and take over the onlining of pages."""
        self.k.notifiers.append(self.notifier)
        self.k.online_page_callback = self.online_page_cb

    def unregister(self) -> None:
        """The opposite of `register`."""
        self.k.notifiers.remove(self.notifier)
        self.k.online_page_callback = None

    # -- block states -------------------------------------------------------------------------------

    def set_state(self, mb_id: int, state: str) -> None:
        """Change the state of a block, and the count of blocks in each state."""
        self.k.current.writes("virtio-mem blocks")
        self.nb_mb_state[self.mb_state[mb_id]] -= 1
        self.nb_mb_state[state] += 1
        self.mb_state[mb_id] = state

    def blocks_in(self, state: str, reverse: bool = False) -> Iterator[int]:
        """Blocks in a state, upwards or downwards; each is looked at when its turn comes."""
        ids = range(self.first_mb_id, self.next_mb_id)
        for mb_id in reversed(ids) if reverse else ids:
            self.k.current.writes("virtio-mem blocks")
            if not self.nb_mb_state[state]:
                return
            if self.mb_state[mb_id] == state:
                yield mb_id

    def sb_plugged(self, mb_id: int) -> bytearray:
        """A byte for each subblock of a block: 1 if it is plugged."""
        self.k.current.reads(("virtio-mem subblocks", mb_id))
        return self.plugged_subblocks.setdefault(mb_id, bytearray(self.nb_sb_per_mb))

    def set_plugged(self, mb_id: int, sb_id: int, count: int, plugged: bool) -> None:
        """Note that subblocks were plugged or unplugged."""
        self.k.current.writes(("virtio-mem subblocks", mb_id))
        self.sb_plugged(mb_id)[sb_id : sb_id + count] = bytes([plugged]) * count

    def is_full(self, mb_id: int) -> bool:
        """Are all subblocks plugged?"""
        return 0 not in self.sb_plugged(mb_id)

    def is_empty(self, mb_id: int) -> bool:
        """Is no subblock plugged?"""
        return 1 not in self.sb_plugged(mb_id)

    def retry(self) -> None:
        """Have the worker run again."""
        if not self.removing:
            self.k.queue_work(self.run)

    async def run(self) -> None:
        """The worker; see VirtioMem.run."""
        raise NotImplementedError

    # -- the memory notifier ------------------------------------------------------------------------

    async def memory_notifier_cb(self, action: str, arg: MemoryNotify) -> int:
        """Called for every memory block; GOING_* takes the mutex, what ends the hotplug gives it back."""
        mb_id = arg.start_pfn >> SECTION_SHIFT
        if not self.first_mb_id <= mb_id <= self.last_mb_id:
            return NOTIFY_OK
        self.k.current.writes("virtio-mem blocks")
        if action in ("MEM_GOING_ONLINE", "MEM_GOING_OFFLINE"):
            await self.hotplug_mutex.lock(self.k.current)
            self.k.current.writes("virtio-mem blocks")
            if self.removing:
                self.hotplug_mutex.unlock()
                return notifier_from_errno(-EBUSY)
            self.hotplug_active = True
            return self.going_online(mb_id) if action == "MEM_GOING_ONLINE" else self.going_offline(mb_id)
        if action == "MEM_ONLINE":
            self.online(mb_id)
        elif action == "MEM_OFFLINE":
            self.offline(mb_id)
        elif not self.hotplug_active:
            return NOTIFY_OK  # a cancellation of what never came here
        elif action == "MEM_CANCEL_OFFLINE":
            self.cancel_offline(mb_id)
        self.hotplug_active = False
        self.hotplug_mutex.unlock()
        return NOTIFY_OK

    def going_online(self, mb_id: int) -> int:
        """May this block be onlined?"""
        state = self.mb_state.get(mb_id, "UNUSED")
        if not self.k.patched(5) and state == "OFFLINE_PARTIAL" and self.in_zone_movable(mb_id):
            self.dev_warn_ratelimited(GOING_ONLINE, "memory block has holes, MOVABLE not supported")
            return NOTIFY_BAD
        if state in ("OFFLINE", "OFFLINE_PARTIAL"):
            return NOTIFY_OK
        self.dev_warn_ratelimited(GOING_ONLINE, "memory block onlining denied")
        return NOTIFY_BAD

    def online(self, mb_id: int) -> None:
        """A block was onlined."""
        state = self.mb_state[mb_id]
        self.k.trace.bug_on(state not in ("OFFLINE", "OFFLINE_PARTIAL"), MEMORY_NOTIFIER)
        online_state = "ONLINE" if state == "OFFLINE" else "ONLINE_PARTIAL"
        if not self.k.patched(5) and self.in_zone_movable(mb_id):
            online_state = "ONLINE_MOVABLE"  # never to be unplugged
        self.set_state(mb_id, online_state)
        if self.nb_mb_state["OFFLINE"] + self.nb_mb_state["OFFLINE_PARTIAL"] == OFFLINE_THRESHOLD - 1:
            self.retry()  # one more block may be added now

    def offline(self, mb_id: int) -> None:
        """A block was offlined: it is easy to unplug now."""
        state = self.mb_state[mb_id]
        self.k.trace.bug_on(not state.startswith("ONLINE"), MEMORY_NOTIFIER)
        self.set_state(mb_id, "OFFLINE_PARTIAL" if state == "ONLINE_PARTIAL" else "OFFLINE")
        self.retry()

    def going_offline(self, mb_id: int) -> int:
        """Drop the references of the unplugged pages, so that offlining can step over them."""
        for start, end in self.unplugged_pages(mb_id):
            self.k.current.reads(("zone", self.k.page_zone(start).index))
            self.k.page_zone(start).managed_pages += end - start
            for pfn in page_ref_dec(self.k, start, end):
                self.k.trace.warn("drivers/virtio/virtio_mem.c virtio_mem_notify_going_offline")
                self.k.dump_page(pfn, "unplugged page referenced")
        return NOTIFY_OK

    def cancel_offline(self, mb_id: int) -> None:
        """Take the references of the unplugged pages again."""
        for start, end in self.unplugged_pages(mb_id):
            self.k.current.reads(("zone", self.k.page_zone(start).index))
            self.k.page_zone(start).managed_pages -= end - start
            page_ref_inc(self.k, start, end)

    def in_zone_movable(self, mb_id: int) -> bool:
        """Is the block going to, or in, ZONE_MOVABLE? Its first page knows."""
        return self.k.memmap.zone_index(mb_id << SECTION_SHIFT) == ZONE_MOVABLE

    # -- pages --------------------------------------------------------------------------------------

    def runs_of_subblocks(self, mb_id: int) -> Iterator[tuple[int, int, bool]]:
        """The block as runs of subblocks that are alike: (first pfn, end pfn, plugged?)."""
        size = PAGES_PER_SECTION // self.nb_sb_per_mb
        base, plugged = mb_id << SECTION_SHIFT, bytes(self.sb_plugged(mb_id))
        sb_id = 0
        while sb_id < len(plugged):
            end = len(plugged) - len(plugged[sb_id:].lstrip(plugged[sb_id : sb_id + 1]))
            yield base + sb_id * size, base + end * size, bool(plugged[sb_id])
            sb_id = end

    def unplugged_pages(self, mb_id: int) -> list[tuple[int, int]]:
        """First and end pfn of each run of unplugged subblocks."""
        return [(start, end) for start, end, plugged in self.runs_of_subblocks(mb_id) if not plugged]

    def online_page_cb(self, start: int, end: int) -> bool:
        """Online the pages of a block of ours: what is not plugged stays away from the buddy."""
        mb_id = start >> SECTION_SHIFT
        if mb_id not in self.mb_state:
            return False
        for first, last, plugged in self.runs_of_subblocks(mb_id):
            if plugged:
                generic_online_page(self.k, first, last)
            else:
                self.k.memmap.fill(first, last, OFFLINE_DIRTY)
        return True

    def fake_offline(self, start: int, end: int) -> None:
        """Hide allocated pages: PG_offline, and no longer managed; poisoned ones stay so."""
        self.k.memmap.set_owner(start, end, None)
        for pfn, nr_pages in self.k.memmap.runs(start, end, codes(HWPOISON)):
            self.k.memmap.poisoned.update(range(pfn, pfn + nr_pages))
        self.k.memmap.fill(start, end, OFFLINE)
        self.k.current.reads(("zone", self.k.page_zone(start).index))
        self.k.page_zone(start).managed_pages -= end - start

    def fake_online(self, start: int, end: int) -> None:
        """Give hidden pages to the buddy: for the first time if PG_dirty is set, else back to it."""
        self.k.current.writes(("zone", self.k.page_zone(start).index))
        for pfn, nr_pages in self.k.memmap.runs(start, end, DIRTY):
            generic_online_page(self.k, pfn, pfn + nr_pages)
        for pfn, nr_pages in self.k.memmap.runs(start, end, HIDDEN):
            self.k.memmap.recode(pfn, pfn + nr_pages, {OFFLINE: CONTIG, OFFLINE_REF0: FREEING})
            free_contig_range(self.k, pfn, pfn + nr_pages)
            self.k.page_zone(pfn).managed_pages += nr_pages
