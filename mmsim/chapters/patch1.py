"""The scenes of the chapter on patch 1: memory offlining and a worker isolate pageblocks at the same time."""

from __future__ import annotations

from mmsim.draw import worst
from mmsim.series import STAGES
from mmsim.widgets.controls import Choice
from mmsim.widgets.lab import Lab
from mmsim.widgets.matrix import Matrix
from mmsim.widgets.stories import Race

PLACES = {
    "46 MiB, in the middle": "addr:46M",
    "44 MiB, where offline begins": "addr:44M",
    "50 MiB, behind the range of offline": "addr:50M",
}
ZONES = {"ZONE_MOVABLE": "Movable", "ZONE_NORMAL": "Normal"}


def two_cpus(zone: str = "Movable", worker: str = "addr:46M") -> Race:
    """Offlining wants three pageblocks and reports failures, a worker wants the one that begins at an address."""
    report = ["MEMORY_OFFLINE", "REPORT_FAILURE"]
    return Race(
        {"boot_memory": "128M", "zone_of": [["addr:0", "addr:128M", zone]]},
        [
            {"do": "isolate", "label": "offline", "start": "addr:44M", "end": "addr:50M", "flags": report},
            {"do": "isolate", "label": "worker", "start": worker, "end": f"{worker}+512"},
        ],
    )


def meeting() -> Lab:
    """Who can lose depends on where the worker's pageblock lies; with patch 1 nobody says more than the errno."""
    place = Choice("place", "The worker wants", PLACES)
    return Lab("Two CPUs isolate", two_cpus(worker="$place"), [place], patches=STAGES[1])


def offline_loses() -> Lab:
    """The race before the series in ZONE_MOVABLE, at the outcome in which offlining loses."""
    lab = Lab("Before the series, step by step", two_cpus(), patches=STAGES[0])
    lab.outcome.index = 1
    return lab


def after() -> Lab:
    """What can come of the race in each kernel and each zone; a cell opens it."""
    kernels = Choice("patches", "Kernel", {"before the series": "", "with patch 1": "1"})
    return Matrix("What can be reached?", two_cpus("$zone"), kernels, Choice("zone", "Zone", ZONES), worst)
