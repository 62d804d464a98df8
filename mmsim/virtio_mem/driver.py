"""The guest's side of virtio-mem (drivers/virtio/virtio_mem.c, v5.8): the main loop, growing and shrinking.

Memory blocks (`mb`, 128 MiB) are made of subblocks (`sb`, at least 4 MiB), which are plugged and unplugged. The
hotplug notifier and the life of unplugged pages are in `hotplug`. Errors are negative errno values.
"""

from __future__ import annotations

from collections.abc import Iterator

from mmsim.mm.contig import alloc_contig_range
from mmsim.mm.kernel import Kernel
from mmsim.mm.memory_hotplug import add_memory, offline_and_remove_memory, remove_memory
from mmsim.mm.mmzone import MAX_ORDER_NR_PAGES, MEMORY_BLOCK_SIZE, MIGRATE_MOVABLE, PAGE_SHIFT, PAGE_SIZE
from mmsim.sim.cpu import preempt
from mmsim.sim.errnos import EAGAIN, EBUSY, EINVAL, ENOMEM, ENOSPC, ETXTBSY, errorcode
from mmsim.virtio_mem.device import Device
from mmsim.virtio_mem.hotplug import MEMORY_NOTIFIER, OFFLINE_THRESHOLD, Hotplug
from mmsim.virtio_mem.protocol import REQ_PLUG, REQ_UNPLUG, REQ_UNPLUG_ALL, RESP_ACK, RESP_BUSY, RESP_NACK, Request

RETRY_TIMER_MIN_MS = 50_000
RETRY_TIMER_MAX_MS = 300_000

PLUG_ERRORS = {RESP_NACK: -EAGAIN, RESP_BUSY: -ETXTBSY}  # all else: -EINVAL
UNPLUG_ERRORS = {RESP_NACK: -ENOMEM, RESP_BUSY: -ETXTBSY}


class VirtioMem(Hotplug):
    """struct virtio_mem: one driver for one device. Sizes are in bytes, times in simulated ms."""

    def __init__(self, k: Kernel, device: Device, unplug_online: bool = True) -> None:
        super().__init__(k)
        config = device.config
        self.device = device
        self.unplug_online = unplug_online
        self.subblock_size = max(MAX_ORDER_NR_PAGES * PAGE_SIZE, config.block_size)
        self.nb_sb_per_mb = MEMORY_BLOCK_SIZE // self.subblock_size
        self.first_mb_id = -(-config.addr // MEMORY_BLOCK_SIZE)
        self.last_mb_id = (config.addr + config.region_size) // MEMORY_BLOCK_SIZE - 1
        self.last_usable_mb_id = self.first_mb_id - 1
        self.next_mb_id = self.first_mb_id
        self.plugged_size = device.size
        self.requested_size = 0
        self.unplug_all_required = False
        self.config_changed = False
        self.broken = False
        self.rc = 0
        self.retry_timer_ms = RETRY_TIMER_MIN_MS
        self.timer: tuple[int, int] | None = None  # (when it is due, its whole delay)
        self.now_ms = 0

    # -- probe and remove ---------------------------------------------------------------------------

    def probe(self) -> int:
        """Take the device: 0, or -EINVAL if its block size does not fit into a memory block."""
        config = self.device.config
        if config.block_size > MEMORY_BLOCK_SIZE:
            self.dev_log("The block size is not supported (too big).", "err")
            return -EINVAL
        if config.addr % MEMORY_BLOCK_SIZE:
            self.dev_log("The alignment of the physical start address can make some memory unusable.", "warning")
        if (config.addr + config.region_size) % MEMORY_BLOCK_SIZE:
            self.dev_log("The alignment of the physical end address can make some memory unusable.", "warning")
        for name, size in (
            ("start address", config.addr), ("region size", config.region_size),
            ("device block size", config.block_size), ("memory block size", MEMORY_BLOCK_SIZE),
            ("subblock size", self.subblock_size),
        ):
            self.dev_log(f"{name}: {size:#x}")
        self.dev_log("nid: 0")
        if self.plugged_size:
            self.dev_log("unplugging all memory is required")
            self.unplug_all_required = True
        self.register()
        self.device.config_changed = self.config_interrupt
        self.config_interrupt()
        return 0

    async def remove(self) -> None:
        """Leave the device; what is still added to Linux stays there, without a driver."""
        await self.hotplug_mutex.lock(self.k.current)
        self.removing = True
        self.hotplug_mutex.unlock()
        self.k.workqueue = [work for work in self.k.workqueue if work != self.run]
        self.timer = None
        self.device.config_changed = None
        for mb_id in self.blocks_in("OFFLINE_PARTIAL"):
            # Without the callback below anybody could online its holes.
            rc = await remove_memory(self.k, mb_id)
            self.k.trace.bug_on(rc != 0, MEMORY_NOTIFIER)
            self.set_state(mb_id, "UNUSED")
        self.unregister()
        if any(state not in ("UNUSED", "PLUGGED") for state in self.mb_state.values()):
            self.dev_log("device still has system memory added", "warning")

    def config_interrupt(self) -> None:
        """The host changed the configuration: virtio_mem_config_changed()."""
        self.k.current.writes("virtio-mem config")
        self.config_changed = True
        self.retry()

    # -- the main loop ------------------------------------------------------------------------------

    async def run(self) -> None:
        """virtio_mem_run_wq(): do what the host asks for, as far as it can be done now."""
        self.timer = None
        if self.broken:
            return
        self.rc = await self.do_all()
        while self.rc == -EAGAIN:
            self.rc = await self.do_all()
        if self.rc == 0:
            self.retry_timer_ms = RETRY_TIMER_MIN_MS
        elif self.rc in (-ETXTBSY, -EBUSY, -ENOMEM):
            self.timer = (self.now_ms + self.retry_timer_ms, self.retry_timer_ms)
            text = f"virtio_mem: -{errorcode[-self.rc]}, tries again in {self.retry_timer_ms // 1000} s"
            self.k.trace.emit("timer", text, self.rc)
        elif self.rc != -ENOSPC:
            self.dev_log(f"unknown error, marking device broken: {self.rc}", "err")
            self.broken = True

    async def do_all(self) -> int:
        """One pass of the main loop."""
        self.k.current.writes("virtio-mem config")
        rc = await self.send_unplug_all() if self.unplug_all_required else 0
        if self.config_changed:
            self.config_changed = False
            self.refresh_config()
        rc = rc or await self.unplug_pending_mb()
        diff = self.requested_size - self.plugged_size
        if rc == 0 and diff:
            rc = await (self.plug_request(diff) if diff > 0 else self.unplug_request(-diff))
        return rc

    def refresh_config(self) -> None:
        """Read the device's configuration anew."""
        self.k.trace.warn_on_once(self.device.size != self.plugged_size, "virtio_mem.c virtio_mem_refresh_config")
        self.plugged_size = self.device.size
        self.requested_size = self.device.requested_size
        usable_end = self.device.config.addr + self.device.usable_region_size
        self.last_usable_mb_id = usable_end // MEMORY_BLOCK_SIZE - 1
        self.dev_log(f"plugged size: {self.plugged_size:#x}")
        self.dev_log(f"requested size: {self.requested_size:#x}")

    def timer_expired(self) -> None:
        """The retry timer is due: run again, and wait longer the next time."""
        self.timer = None
        self.retry()
        self.retry_timer_ms = min(2 * self.retry_timer_ms, RETRY_TIMER_MAX_MS)

    # -- requests -----------------------------------------------------------------------------------

    async def send(self, kind: str, mb_id: int, sb_id: int, count: int, errors: dict[str, int]) -> int:
        """Send a request for some subblocks, unless the configuration has changed: 0 or an error."""
        await preempt()
        self.k.current.writes("virtio-mem config", "device")
        if self.config_changed:
            return -EAGAIN
        size = count * self.subblock_size
        answer = self.device.handle(Request(kind, mb_id * MEMORY_BLOCK_SIZE + sb_id * self.subblock_size, size))
        self.trace_request(f"{kind} {mb_id} {sb_id} {count}", answer)
        if answer != RESP_ACK:
            return errors.get(answer, -EINVAL)
        self.plugged_size += size if kind == REQ_PLUG else -size
        self.set_plugged(mb_id, sb_id, count, kind == REQ_PLUG)
        return 0

    async def plug_sb(self, mb_id: int, sb_id: int, count: int) -> int:
        """Ask the host to plug subblocks."""
        return await self.send(REQ_PLUG, mb_id, sb_id, count, PLUG_ERRORS)

    async def unplug_sb(self, mb_id: int, sb_id: int, count: int) -> int:
        """Tell the host that subblocks are no longer used."""
        return await self.send(REQ_UNPLUG, mb_id, sb_id, count, UNPLUG_ERRORS)

    async def send_unplug_all(self) -> int:
        """Unplug whatever a driver before us left plugged."""
        await preempt()
        self.k.current.writes("virtio-mem config", "device")
        answer = self.device.handle(Request(REQ_UNPLUG_ALL))
        self.trace_request(REQ_UNPLUG_ALL, answer)
        if answer != RESP_ACK:
            return -ETXTBSY if answer == RESP_BUSY else -ENOMEM
        self.unplug_all_required = False
        self.plugged_size = 0
        self.config_changed = True
        return 0

    def trace_request(self, request: str, answer: str) -> None:
        """Note a request in the trace; an answer other than ACK is added."""
        text = request if answer == RESP_ACK else f"{request} {answer}"
        self.k.trace.emit("request", text, text)

    # -- growing ------------------------------------------------------------------------------------

    async def plug_request(self, diff: int) -> int:
        """Plug `diff` bytes: fill the holes of added blocks (online before offline), then add blocks."""
        nb_sb = diff // self.subblock_size  # what is less than a subblock is never plugged
        if not nb_sb:
            return 0
        await self.hotplug_mutex.lock(self.k.current)
        rc, nb_sb = await self.fill_holes(nb_sb)
        self.hotplug_mutex.unlock()
        if rc or not nb_sb:
            return rc
        for mb_id in self.unused_blocks():
            if self.too_many_mb_offline():
                return -ENOSPC
            rc, nb_sb = await self.plug_and_add(mb_id, nb_sb)
            if rc or not nb_sb:
                return rc
        return -ENOSPC

    async def fill_holes(self, nb_sb: int) -> tuple[int, int]:
        """Plug subblocks of blocks that are added already; returns what is left. The mutex is held."""
        rc = 0
        for state in ("ONLINE_PARTIAL", "OFFLINE_PARTIAL"):
            for mb_id in self.blocks_in(state):
                rc, nb_sb = await self.plug_any_sb(mb_id, nb_sb, state == "ONLINE_PARTIAL")
                if rc or not nb_sb:
                    return rc, nb_sb
        return rc, nb_sb

    async def plug_any_sb(self, mb_id: int, nb_sb: int, online: bool) -> tuple[int, int]:
        """Fill holes of a block, from below, each run of holes with one request; returns what is left."""
        while nb_sb and (sb_id := self.sb_plugged(mb_id).find(0)) >= 0:
            holes = self.sb_plugged(mb_id)[sb_id : sb_id + nb_sb]
            count = len(holes) - len(holes.lstrip(b"\0"))
            if rc := await self.plug_sb(mb_id, sb_id, count):
                return rc, nb_sb
            nb_sb -= count
            if online:
                self.fake_online(*self.pages_of(mb_id, sb_id, count))
        if self.is_full(mb_id):
            self.set_state(mb_id, "ONLINE" if online else "OFFLINE")
        return 0, nb_sb

    def unused_blocks(self) -> Iterator[int]:
        """Blocks that can be added: those used before, then new ones as far as the usable region goes."""
        yield from self.blocks_in("UNUSED")
        while not self.too_many_mb_offline() and self.next_mb_id <= min(self.last_usable_mb_id, self.last_mb_id):
            self.next_mb_id += 1
            self.mb_state[self.next_mb_id - 1] = "UNUSED"
            self.nb_mb_state["UNUSED"] += 1
            yield self.next_mb_id - 1

    async def plug_and_add(self, mb_id: int, nb_sb: int) -> tuple[int, int]:
        """Plug the first subblocks of a block and add the block to Linux; returns what is left."""
        count = min(nb_sb, self.nb_sb_per_mb)
        if rc := await self.plug_sb(mb_id, 0, count):
            return rc, nb_sb
        # The state comes first: adding may online the block at once, which asks the notifier.
        self.set_state(mb_id, "OFFLINE" if count == self.nb_sb_per_mb else "OFFLINE_PARTIAL")
        rc = await add_memory(self.k, mb_id)
        if rc == 0:
            return 0, nb_sb - count
        self.dev_log(f"adding memory block {mb_id} failed with {rc}", "err")
        self.set_state(mb_id, "PLUGGED" if await self.unplug_sb(mb_id, 0, count) else "UNUSED")
        return rc, nb_sb

    def too_many_mb_offline(self) -> bool:
        """Nobody seems to online what we add."""
        self.k.current.writes("virtio-mem blocks")
        return self.nb_mb_state["OFFLINE"] + self.nb_mb_state["OFFLINE_PARTIAL"] >= OFFLINE_THRESHOLD

    # -- shrinking ----------------------------------------------------------------------------------

    async def unplug_pending_mb(self) -> int:
        """Unplug the blocks that could neither be added nor be unplugged before."""
        for mb_id in self.blocks_in("PLUGGED", reverse=True):
            rc, _ = await self.unplug_any_sb(mb_id, self.nb_sb_per_mb)
            if rc:
                return rc
            self.set_state(mb_id, "UNUSED")
        return 0

    async def unplug_request(self, diff: int) -> int:
        """Unplug `diff` bytes, from high blocks to low ones: offline before online, partial before full."""
        nb_sb = diff // self.subblock_size
        if not nb_sb:
            return 0
        await self.hotplug_mutex.lock(self.k.current)
        rc = await self.unplug_blocks(nb_sb)
        self.hotplug_mutex.unlock()
        return rc

    async def unplug_blocks(self, nb_sb: int) -> int:
        """Unplug so many subblocks: 0, -EBUSY if some are left, or worse. The mutex is held."""
        for state in ("OFFLINE_PARTIAL", "OFFLINE", "ONLINE_PARTIAL", "ONLINE"):
            online = state.startswith("ONLINE")
            if online and not self.unplug_online:
                return 0
            for mb_id in self.blocks_in(state, reverse=True):
                unplug = self.unplug_any_sb_online if online else self.unplug_any_sb_offline
                rc, nb_sb = await unplug(mb_id, nb_sb)
                if rc or not nb_sb:
                    return rc
        return -EBUSY

    async def unplug_any_sb(self, mb_id: int, nb_sb: int) -> tuple[int, int]:
        """Unplug subblocks of a block that is not online, from above, each run with one request."""
        while nb_sb and (last := self.sb_plugged(mb_id).rfind(1)) >= 0:
            plugged = self.sb_plugged(mb_id)[max(last + 1 - nb_sb, 0) : last + 1]
            count = len(plugged) - len(plugged.rstrip(b"\1"))
            if rc := await self.unplug_sb(mb_id, last + 1 - count, count):
                return rc, nb_sb
            nb_sb -= count
        return 0, nb_sb

    async def unplug_any_sb_offline(self, mb_id: int, nb_sb: int) -> tuple[int, int]:
        """Unplug subblocks of an offline block; when none is left, the block is removed from Linux."""
        rc, nb_sb = await self.unplug_any_sb(mb_id, nb_sb)
        if not self.is_full(mb_id):  # possibly also when the last request failed
            self.set_state(mb_id, "OFFLINE_PARTIAL")
        if rc == 0 and self.is_empty(mb_id):
            self.set_state(mb_id, "UNUSED")  # so that onlining it is denied while the mutex is free
            self.hotplug_mutex.unlock()
            rc = await remove_memory(self.k, mb_id)
            self.k.trace.bug_on(rc != 0, "virtio_mem.c virtio_mem_mb_unplug_any_sb_offline")
            await self.hotplug_mutex.lock(self.k.current)
        return rc, nb_sb

    async def unplug_any_sb_online(self, mb_id: int, nb_sb: int) -> tuple[int, int]:
        """Unplug subblocks of an online block, the whole block at once if possible, else one by one.

        A subblock that can't be allocated is skipped. An empty block is offlined and removed; should that fail,
        nobody cares.
        """
        if nb_sb >= self.nb_sb_per_mb and self.is_full(mb_id):
            rc = await self.unplug_sb_online(mb_id, 0, self.nb_sb_per_mb)
            if rc not in (0, -EBUSY):
                return rc, nb_sb
            nb_sb -= self.nb_sb_per_mb if rc == 0 else 0
        for sb_id in range(self.nb_sb_per_mb - 1, -1, -1):
            if nb_sb and self.sb_plugged(mb_id)[sb_id]:
                rc = await self.unplug_sb_online(mb_id, sb_id, 1)
                if rc not in (0, -EBUSY):
                    return rc, nb_sb
                nb_sb -= rc == 0
        if self.is_empty(mb_id):
            self.hotplug_mutex.unlock()
            rc = await offline_and_remove_memory(self.k, mb_id)
            await self.hotplug_mutex.lock(self.k.current)
            if rc == 0:
                self.set_state(mb_id, "UNUSED")
        return 0, nb_sb

    async def unplug_sb_online(self, mb_id: int, sb_id: int, count: int) -> int:
        """Allocate subblocks of an online block, hide them and unplug them: 0, -EBUSY or worse."""
        start, end = self.pages_of(mb_id, sb_id, count)
        rc = await alloc_contig_range(self.k, start, end, MIGRATE_MOVABLE)
        if rc:
            return rc if rc == -ENOMEM else -EBUSY
        self.fake_offline(start, end)
        if rc := await self.unplug_sb(mb_id, sb_id, count):
            self.fake_online(start, end)
            return rc
        self.set_state(mb_id, "ONLINE_PARTIAL")
        return 0

    def pages_of(self, mb_id: int, sb_id: int, count: int) -> tuple[int, int]:
        """First and end pfn of some subblocks of a block."""
        start = (mb_id * MEMORY_BLOCK_SIZE + sb_id * self.subblock_size) >> PAGE_SHIFT
        return start, start + (count * self.subblock_size >> PAGE_SHIFT)
