"""One machine: a kernel, its boot memory, a virtio-mem device and its driver, wired together.

Everything that a host, a user or a test can do to it is a method here. What a kernel would answer with an errno
raises `OSError` with that errno; what no kernel could be asked raises `ValueError` before anything has changed.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from mmsim.machine import sysfs
from mmsim.machine.boot import boot, check_boot, parse_cmdline
from mmsim.machine.export import export_tree
from mmsim.machine.inside import TRIGGERS, InsideKernel, Pfn, Trigger, index_of
from mmsim.machine.pages import Pages
from mmsim.machine.result import Result, raise_errno, running
from mmsim.machine.sizes import pfn, size
from mmsim.mm.kernel import ChangeName, Kernel
from mmsim.mm.memory_failure import memory_failure
from mmsim.mm.mmzone import zone_names
from mmsim.series import BASE, STAGES, applied
from mmsim.sim import errnos
from mmsim.sim.cpu import ENDLESS, Path, Task, run
from mmsim.sim.log import KernelPanic, Trace
from mmsim.sim.shown import Shown
from mmsim.virtio_mem.device import Device
from mmsim.virtio_mem.driver import VirtioMem
from mmsim.virtio_mem.protocol import RESPONSES, Config

VIRTIO_MEM = {"addr": "4G", "region": "4G", "block": "2M", "unplug_online": True,
              "requested": 0, "plugged": 0, "busy": False, "usable": None}


@dataclass(eq=False)
class Machine(InsideKernel, Shown):
    """A machine that has booted; see the methods for what can be done to it.

    patches: which patches of the series its kernel has, and which other changes that `series.CHANGES` names, upon
    those of `base`: `base=()` is v5.8 as it was released. boot_memory: RAM from address 0 (bytes, or "2G").
    cmdline: kernel parameters. virtio_mem: a device, as a dict of addr, region, block, unplug_online,
    requested, plugged, busy, usable. zone_of: [start pfn, end pfn, zone name] ... makes a unit machine:
    these boot pages in these zones, all of them free, and no watermarks.
    """

    patches: Collection[ChangeName] = STAGES[-1]
    boot_memory: int | str = "2G"
    cmdline: str = ""
    virtio_mem: Mapping[str, Any] | None = None
    zone_of: Collection[tuple[Pfn, Pfn, str]] | None = None
    base: Collection[ChangeName] = BASE
    kernel: Kernel = field(init=False)
    pages: Pages = field(init=False)
    device: Device | None = field(init=False, default=None)
    driver: VirtioMem | None = field(init=False, default=None)
    triggers: list[Trigger] = field(init=False, default_factory=list)
    probe_errno: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        changes = applied(self.patches, self.base)
        memory, cmdline = size(self.boot_memory), parse_cmdline(self.cmdline)
        zone_of = None if self.zone_of is None else [
            (pfn(start), pfn(end), index_of(zone_names, zone, "zone")) for start, end, zone in self.zone_of
        ]
        check_boot(memory, zone_of or [])
        self.kernel = Kernel(
            changes, Trace(cmdline.panic_on_warn), cmdline.movable_node, zone_of is None,
            memhp_default_online_type=cmdline.memhp_default_state,
        )
        self.pages = Pages(self.kernel)
        boot(self.kernel, memory, cmdline, zone_of)
        if self.virtio_mem is not None:
            self.add_device(memory, self.virtio_mem)

    def add_device(self, memory: int, keys: Mapping[str, Any]) -> None:
        """Plug in the virtio-mem device and let its driver probe."""
        if not isinstance(keys, Mapping):
            raise TypeError(f"virtio_mem: a machine has one device, a dict such as {{'addr': '4G'}}; got {keys!r}")
        if unknown := set(keys) - set(VIRTIO_MEM):
            raise ValueError(f"virtio_mem: unknown key {sorted(unknown)[0]!r}")
        keys = {**VIRTIO_MEM, **keys}
        config = Config(size(keys["addr"]), size(keys["region"]), size(keys["block"]))
        if config.addr < memory:
            raise ValueError(f"virtio_mem addr: {config.addr:#x} is inside boot memory")
        usable = None if keys["usable"] is None else size(keys["usable"])
        self.device = Device(config, size(keys["requested"]), size(keys["plugged"]), usable)
        self.device.busy = keys["busy"]
        self.driver = VirtioMem(self.kernel, self.device, keys["unplug_online"])
        self.probe_errno = self.driver.probe()
        self.settle()

    def __repr__(self) -> str:
        patches = ", ".join(map(str, sorted(self.patches, key=str))) or "none"
        boot = f"{size(self.boot_memory) >> 20} MiB of its own"
        plugged = f", {self.device.size >> 20} MiB plugged" if self.device else ""
        return f"<Machine: patches {patches}; {boot}{plugged}{', panicked' if self.trace.panicked else ''}>"

    # -- running ------------------------------------------------------------------------------------

    def run(self, name: str, path: Path, triggers: Collection[str] = ()) -> Any:
        """Drive one kernel path to its end, and then the kworker; returns what the path returns.

        triggers: which of those that `signal`, `unpin_after` and `free_after` have prepared are for this path, if
        it gets as far as to begin its rounds.
        """
        if self.trace.panicked is not None:
            path.close()
            raise KernelPanic(f"the machine has panicked: {self.trace.panicked}")
        self.trace.begin_step()
        task = Task(name, path=path)
        waiting: list[Trigger] = []

        def each_round(rounds: int) -> bool:
            if rounds == 0:
                waiting.extend(self.take_triggers(triggers))
            return self.fire(waiting, rounds, task)

        try:
            prepared = any(trigger.what in triggers for trigger in self.triggers)
            result = run(self.kernel, task, each_round if prepared else None)
        finally:
            if self.trace.panicked is None:
                self.settle()
        if isinstance(result, int) and result < 0:
            raise_errno(-result, name, task.endless)
        return result

    def take_triggers(self, wanted: Collection[str]) -> list[Trigger]:
        """The prepared triggers of these sorts, which are prepared no longer."""
        taken = [trigger for trigger in self.triggers if trigger.what in wanted]
        self.triggers = [trigger for trigger in self.triggers if trigger.what not in wanted]
        return taken

    def fire(self, waiting: list[Trigger], rounds: int, task: Task) -> bool:
        """Do what is due after so many rounds; tells whether anything was, or will be."""
        due = [trigger for trigger in waiting if trigger.rounds <= rounds]
        for trigger in due:
            waiting.remove(trigger)
            if trigger.what == "signal":
                task.signal_pending = True
            elif (held := self.pages.allocations.get(trigger.name)) is None:
                pass  # given back before
            elif trigger.what == "free":
                self.pages.free(trigger.name)
            elif held.pins:
                self.pages.unpin(trigger.name)
        return bool(due or waiting)

    def settle(self) -> None:
        """Let the kworker do all that is queued."""
        if self.kernel.work_pending():
            run(self.kernel, Task("kworker", cpu=1, path=self.kernel.kworker()))

    def attempt(self, method: str, *args: Any, **kwargs: Any) -> Result:
        """Call a method and tell how it ended, instead of raising: an errno and a panic are results."""
        mark, number, value, panic = len(self.trace), "0", None, None
        try:
            value = getattr(self, method)(*args, **kwargs)
        except OSError as error:
            number = ENDLESS if error.strerror == ENDLESS else errnos.errorcode[error.errno or 0]
        except KernelPanic as stop:
            panic = str(stop)
        return Result(number, value, panic, tuple(self.trace.since(mark)))

    # -- the kernel's own interface -----------------------------------------------------------------

    def read(self, path: str) -> str:
        """The text of a file of /sys or /proc, stripped. Raises FileNotFoundError or PermissionError."""
        text = sysfs.show(self.kernel, path)
        if isinstance(text, int):
            raise_errno(-text, sysfs.absolute(path))
        return text

    def write(self, path: str, value: str) -> None:
        """Write to a file of /sys or /proc, e.g. `online_movable` to `memory40/state`.

        A path without a leading slash is under /sys/devices/system/memory. Raises OSError with the kernel's
        errno; should offlining never end, it is interrupted, and the error says ENDLESS.
        """
        self.run(sysfs.absolute(path), sysfs.store(self.kernel, path, value), TRIGGERS)

    def files(self) -> list[str]:
        """The paths of all files that can be read."""
        return sysfs.files(self.kernel)

    def export(self, folder: str | os.PathLike[str]) -> None:
        """Write all files below a new or empty folder, so that `lsmem --sysroot FOLDER` reads this machine."""
        export_tree({path: self.read(path) + "\n" for path in self.files()}, folder)

    # -- the host -----------------------------------------------------------------------------------

    def resize(self, to: int | str) -> None:
        """The host sets requested-size (bytes, or "68M"): whole blocks of the device, or QEMU refuses (ValueError)."""
        self.run("resize", self.resize_path(to))

    def resize_path(self, to: int | str) -> Path:
        """The configuration change alone; the driver's worker follows."""
        device, requested = self.need_device(), size(to)
        device.check_size("requested", requested)
        return self._resize_path(device, requested)

    async def _resize_path(self, device: Device, requested: int) -> None:
        device.resize(requested)

    @running
    def device_busy(self, busy: bool) -> None:
        """From now on the device answers BUSY to every request, or no longer does."""
        self.need_device().busy = busy

    @running
    def device_answers(self, answers: Collection[str]) -> None:
        """The device gives these answers to the next requests; ACK means: as it would without."""
        if not set(answers) <= set(RESPONSES):
            raise ValueError(f"answers: {answers!r} are not all of {', '.join(RESPONSES)}")
        self.need_device().answers += answers

    @running
    def unbind(self) -> None:
        """Remove the driver from the device."""
        if self.driver is None or self.driver.removing or self.probe_errno:
            raise ValueError("unbind: no driver is bound")
        self.run("unbind", self.driver.remove())

    def need_device(self) -> Device:
        """The device. Raises ValueError if the machine has none."""
        if self.device is None:
            raise ValueError("this machine has no virtio-mem device")
        return self.device

    @running
    def wait(self, seconds: float) -> None:
        """Simulated time passes; the driver's retry timer fires as often as it is due."""
        if seconds < 0:
            raise ValueError(f"wait: {seconds} seconds are less than none")
        end = round((self.trace.time + seconds) * 1000)
        while self.driver is not None and self.driver.timer is not None and self.driver.timer[0] <= end:
            self.set_clock(self.driver.timer[0])
            self.driver.timer_expired()
            self.settle()
        self.set_clock(end)

    def set_clock(self, now_ms: int) -> None:
        """Set the simulated time."""
        self.trace.time = now_ms / 1000
        if self.driver is not None:
            self.driver.now_ms = now_ms

    # -- memory in use ------------------------------------------------------------------------------

    @running
    def allocate(self, name: str, size: int | str, gfp: str = "GFP_HIGHUSER_MOVABLE", order: int = 0,
                 within: tuple[Pfn, Pfn] | None = None) -> None:
        """Hold memory (bytes, or "900M") under a name, all of it or nothing; raises OSError(ENOMEM).

        within: take it from the free pages [pfn, pfn) only.
        """
        bounds = None if within is None else (self.page(within[0]), self.page(within[1], end=True))
        if not self.pages.allocate(name, size, gfp, order, bounds):
            raise_errno(errnos.ENOMEM, name)

    @running
    def free(self, name: str) -> None:
        """Give held memory back, with its pins."""
        self.pages.free(name)

    @running
    def pin(self, name: str, longterm: bool = True) -> None:
        """Pin held memory; a long-term pin first moves pages out of CMA pageblocks (and only these)."""
        self.pages.pin(name, longterm)

    @running
    def unpin(self, name: str) -> None:
        """Drop one pin of held memory."""
        self.pages.unpin(name)

    @running
    def poison(self, pfn: Pfn) -> None:
        """memory_failure() on a page. Raises OSError: ENXIO for one that is not online, EBUSY for one still in use."""
        if error := memory_failure(self.kernel, self.page(pfn)):
            raise_errno(-error, f"page {pfn}")

    @running
    def place(self, pfn: Pfn, kind: str, count: int = 1, name: str | None = None) -> None:
        """Put free pages into a state, see `mmsim.machine.pages.PLACES`; with kind `free`, free them again."""
        self.pages.place(self.page(pfn), kind, count, name)

    @running
    def ref(self, pfn: Pfn, delta: int) -> None:
        """Somebody takes (or drops) references on a page."""
        self.pages.ref(self.page(pfn), delta)
