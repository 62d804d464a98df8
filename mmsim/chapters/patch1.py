"""The scene of the chapter on patch 1."""

from __future__ import annotations

from mmsim.widgets.controls import Choice
from mmsim.widgets.lab import Lab
from mmsim.widgets.stories import Race


def race() -> Lab:
    """Two CPUs isolate overlapping ranges of pageblocks; patches 1, 3 and 4 decide what the loser says."""
    report = ["MEMORY_OFFLINE", "REPORT_FAILURE"]
    scene = Race(
        {"boot_memory": "128M", "zone_of": [["addr:0", "addr:128M", "$zone"]]},
        [
            {"do": "isolate", "label": "A", "start": "addr:44M", "end": "addr:50M", "flags": report},
            {"do": "isolate", "label": "B", "start": "addr:46M", "end": "addr:48M", "flags": report},
        ],
    )
    zones = {"ZONE_MOVABLE": "Movable", "ZONE_NORMAL": "Normal"}
    return Lab("Two isolations race", scene, [Choice("zone", "Zone", zones)], patches=[], toggles=[1, 3, 4])
