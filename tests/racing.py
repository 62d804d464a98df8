"""Small machines, all paths that can be raced on them, and random schedules of such races."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from mmsim.machine.machine import Machine
from mmsim.machine.races import MachineRace, Racer, race, starter
from mmsim.sim.cpu import Footprint

REPORTING = ("MEMORY_OFFLINE", "REPORT_FAILURE")


def full(zone: str) -> Machine:
    """A block with a page of every kind."""
    machine = Machine(boot_memory="128M", zone_of=[("block:0", "block:1", zone)])
    places: list[tuple[int, str, int, str | None]] = [
        (7, "lru", 4, "a"), (600, "lru_pinned", 2, "b"), (520, "pagevec", 2, None), (1030, "pcp", 3, None),
        (1100, "slab", 1, None), (2048, "hwpoison_buddy", 1, None), (2560, "hugetlb", 1, "h"),
        (3072, "thp", 1, "t"), (3590, "movable_ops", 2, None), (4096, "hugetlb_free", 1, None),
    ]  # fmt: skip
    for pfn, kind, count, name in places:
        machine.place(pfn, kind, count, name)
    return machine


def movable() -> Machine:
    """A block in which all is movable, but for a pin."""
    machine = Machine(boot_memory="128M", zone_of=[("block:0", "block:1", "Movable")])
    machine.place(7, "lru", 4, "a")
    machine.place(600, "lru_pinned", 2, "b")
    return machine


def short(
    patches: Sequence[int] = (1, 2, 3, 4, 5, 6), online: str = "online_movable", requested: str = "68M"
) -> Machine:
    """A block of virtio-mem memory, beside so much in use that not all of it can be moved away."""
    machine = Machine(
        patches, "128M", zone_of=[("block:0", "block:1", "Normal")],
        virtio_mem={"addr": "128M", "region": "384M", "requested": requested},
    )
    machine.write("memory1/state", online)
    machine.allocate("a", "8M", within=("block:1", "block:2"))
    machine.place("block:1+9000", "lru_pinned", 3, "b")
    machine.allocate("n", "100M", gfp="GFP_KERNEL")
    return machine


def nearly_full() -> Machine:
    """Twelve pages to be moved out of the first pageblock, a free third one, and only nine free pages besides."""
    machine = Machine(boot_memory="128M", zone_of=[("block:0", "block:1", "Movable")])
    machine.place(0, "lru", 12, "a")
    machine.place(512, "slab", 512)
    machine.place(1536, "reserved", 32768 - 1536 - 9)
    return machine


def idle(online: str | None = "online_movable", requested: str = "128M", **keys: Any) -> Machine:
    """Virtio-mem memory that nobody uses, the first block online."""
    machine = Machine(
        boot_memory="64M", zone_of=[], virtio_mem={"addr": "128M", "region": "384M", "requested": requested}, **keys
    )
    if online is not None:
        machine.write("memory1/state", online)
    return machine


MACHINES: dict[str, Callable[[], Machine]] = {
    "full, Movable": lambda: full("Movable"),
    "full, Normal": lambda: full("Normal"),
    "movable": movable,
    "short": short,
    "short, whole block": lambda: short(requested="128M"),
    "short, base": lambda: short((), "online_kernel"),
    "nearly full": nearly_full,
    "idle": idle,
    "idle, two blocks": lambda: idle(requested="256M"),
    "idle, nearly empty": lambda: idle(requested="8M"),
    "idle, offline": lambda: idle(None, requested="200M"),
    "idle, base": lambda: idle(patches=()),
    "idle, onlined by itself": lambda: idle(None, requested="8M", cmdline="memhp_default_state=online_movable"),
}


def write(path: str, value: str) -> Racer:
    """A write to a file, named by both."""
    return race("write", f"{path}={value}", path=path, value=value)


def racers_on(machine: Machine) -> list[Racer]:
    """What can race on such a machine, around the first pageblocks of its first block of interest."""
    number = 1 if machine.device else 0
    block, address = f"block:{number}", number << 27
    racers = [
        race("isolate", "isolate", start=block, end=f"{block}+1024", flags=REPORTING),
        race("isolate", "isolate next", start=f"{block}+512", end=f"{block}+2048"),
        race("isolate", "isolate third", start=f"{block}+1024", end=f"{block}+1536"),
        race("undo_isolate", "undo", start=block, end=f"{block}+1024"),
        race("alloc_contig", "contig", start=block, end=f"{block}+512"),
        race("alloc_contig", "contig x", start=f"{block}+1024", end=f"{block}+2048", name="x"),
        race("alloc_contig", "contig y", start=f"{block}+2048", end=f"{block}+5000", name="y"),
        *(write(f"memory{number}/state", word) for word in ("offline", "online_movable", "online_kernel")),
        *(write(f"memory{number}/online", word) for word in "01"),
        *(write("auto_online_blocks", word) for word in ("offline", "online")),
        *(write("hard_offline_page", hex(address + (pfn << 12))) for pfn in (7, 600, 1030, 3100)),
        write("memory9/state", "offline"),
        *(race("free", f"free {name}", name=name) for name in machine.pages.allocations),
        *(race("unpin", f"unpin {name}", name=name) for name, held in machine.pages.allocations.items() if held.pins),
    ]
    if machine.device:
        racers += [race("resize", f"resize {to}", to=to) for to in ("0", "4M", "120M", "300M")]
        racers += [write("memory2/state", word) for word in ("online", "online_movable", "offline")]
    return racers


def racer_on(machine: Machine, name: str) -> Racer:
    """The one with this name."""
    return next(racer for racer in racers_on(machine) if racer.name == name)


def chooser(seed: Any) -> Callable[[list[int]], int]:
    """Chooses who takes a step: the same task as before, the rather the larger a random number is; else any."""
    rng = random.Random(repr(seed))
    loyalty, last = rng.random(), -1

    def choose(able: list[int]) -> int:
        nonlocal last
        if last not in able or rng.random() > loyalty:
            last = rng.choice(able)
        return last

    return choose


def random_schedule(
    machine: Machine, racers: Sequence[Racer], seed: Any
) -> Iterator[tuple[MachineRace, int, Footprint]]:
    """Run a race by a random schedule: after each step the race, who took it, and what it says that it touched."""
    finished, choose = starter(machine, racers)(), chooser(seed)
    try:
        while able := finished.runnable():
            number = choose(able)
            yield finished, number, finished.step(number)
        finished.finish()
    finally:
        finished.close()
