"""The scenes of the chapter on patch 5: a shrinking guest, the race that patch 5 opens, and the chart of pins."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from mmsim import draw
from mmsim.draw import Figure, Mark, worst
from mmsim.draw.chart import Curve
from mmsim.draw.figure import size
from mmsim.machine.machine import Machine
from mmsim.mm.mmzone import PAGE_SIZE, SECTION_SHIFT
from mmsim.series import STAGES
from mmsim.sim.interleavings import Exploration
from mmsim.widgets.controls import Choice, Size
from mmsim.widgets.lab import Lab
from mmsim.widgets.matrix import Matrix
from mmsim.widgets.stories import Drawing, Race, Story

MIB = 1 << 20
FIRST_BLOCK, PLUGGED = 32, 1024  # of the device of the chart: its first memory block, and MiB
SHRINK = Size("shrink", "The host leaves the guest", "40M", "192M")
PINS = (0, 50, 100, 150, 200, 300, 400, 500)


def story(picture: Drawing) -> Story:
    """A block and a half is plugged, somebody onlines both to ZONE_MOVABLE, and the host wants some of it back."""
    return Story(
        {"boot_memory": "4G", "virtio_mem": {"requested": "192M"}},
        [
            {"do": "write", "path": "memory32/state", "value": "online_movable"},
            {"do": "write", "path": "memory33/state", "value": "online_movable"},
            {"do": "allocate", "as": "program", "size": "20M"},
            {"do": "resize", "to": "$shrink"},
        ],
        picture,
    )


def blocks(machine: Machine, since: int) -> Figure:
    """The two memory blocks of the device, a cell each."""
    return draw.strip(machine, 32, 33, since=since, unit="block")


def of_use(machine: Machine, since: int) -> Figure:
    """The two memory blocks, and how much of what is plugged is of use."""
    title = f"The guest can use {size(usable(machine))} of this memory"
    return draw.strip(machine, 32, 33, since=since, unit="block", title=title)


def usable(machine: Machine) -> int:
    """How many bytes of the device are plugged and online."""
    return sum(block.plugged for block in draw.snapshot(machine, 32, 33).blocks if block.state == "online")


def scene() -> Lab:
    """With patches 1 to 5: what the host wants comes back."""
    return Lab("A guest gives memory back", story(blocks), [SHRINK], patches=STAGES[5])


def after() -> Lab:
    """The same without patch 5, and with a switch for it; it says how much is of use."""
    return Lab("The same guest, with a switch", story(of_use), [SHRINK], patches=STAGES[4], toggles=[5])


def offline_and_host(requested: str = "128M", zone: str = "movable") -> Race:
    """Somebody offlines a block of ZONE_MOVABLE, or of a kernel zone, while the host wants 4 MiB of it back."""
    return Race(
        {"cmdline": f"memhp_default_state=online_{zone}", "virtio_mem": {"requested": requested}},
        [
            {"do": "write", "label": "offline", "path": "memory32/state", "value": "offline"},
            {"do": "resize", "label": "host", "to": "124M"},
        ],
    )


def collision() -> Lab:
    """That race in every order, in three kernels; it opens where offlining loses."""
    kernels = {"before the series": "", "with patches 1 to 4": "1 2 3 4", "with patches 1 to 5": "1 2 3 4 5"}
    whom = Choice("size", "Memory", {"offlining against the host": "128M"})
    lab = Matrix("Can they collide?", offline_and_host("$size"), Choice("patches", "Kernel", kernels), whom, meeting)
    lab.open_cell(("1 2 3 4 5", "128M"))
    return lab


def meeting(found: Exploration) -> Mark:
    """The worst that can come of it; where nobody can lose, they don't meet."""
    mark = worst(found)
    return replace(mark, text="they don't meet") if mark.kind == "none" and found.complete else mark


def stays(zone: str, patched: bool, pins: int, seed: int = 1) -> int:
    """MiB that stay plugged of 1 GiB when the host wants all of it back, and so many random pages are pinned.

    zone: "kernel" or "movable"; seed: chooses the pages, each with the same chance.
    """
    machine = Machine(STAGES[5 if patched else 4], cmdline=f"memhp_default_state=online_{zone}",
                      virtio_mem={"requested": f"{PLUGGED}M"})
    first = FIRST_BLOCK << SECTION_SHIFT
    pages = range(first, first + PLUGGED * MIB // PAGE_SIZE)
    for pfn in random.Random(seed).sample(pages, pins):
        machine.place(pfn, "lru_pinned")
    machine.resize("0")
    assert machine.device is not None
    return machine.device.size // MIB


def pinned_pages() -> dict[str, Any]:
    """The chart of what stays plugged against the number of pinned pages, with a run for each of its points.

    It is given as the arguments of `mmsim.draw.chart.chart`.
    """
    found = {way: [stays(*way, pins) for pins in PINS]
             for way in (("kernel", False), ("kernel", True), ("movable", False), ("movable", True))}
    curves = [
        Curve("NORMAL, before", found["kernel", False], "kernel-soft", 10),
        Curve("NORMAL, after", found["kernel", True], "kernel", 4.5),
        Curve("MOVABLE, before", found["movable", False], "bad", 3, label="ZONE_MOVABLE, before", at=(12, 915)),
        Curve("MOVABLE, after", found["movable", True], "movable", 2.5, (3, 4), at=(175, 310),
              label="ZONE_MOVABLE, after;\nZONE_NORMAL,\nbefore and after"),
    ]
    said = (
        "1 GiB was plugged, some random pages are pinned, and the host wants all of it back: a run for each point. "
        "Before the patch all of ZONE_MOVABLE stays, whatever is pinned; with it the other three curves are one."
    )
    axes = ("pinned pages", "MiB that stay plugged")
    return {"title": "What stays plugged", "description": said, "x": PINS, "curves": curves, "axes": axes}
