"""The laboratories of the book's chapters, each made by one call."""

from __future__ import annotations

from mmsim.widgets.controls import Choice, Control, Size
from mmsim.widgets.lab import Lab
from mmsim.widgets.stories import Race, Story
from mmsim.widgets.telling import Step


def how_much() -> Lab:
    """How much can be unplugged? A zone, what is plugged and what is asked for then, with and without patch 5."""
    zones = {"ZONE_NORMAL": "online_kernel", "ZONE_MOVABLE": "online_movable"}
    story = Story(
        {"boot_memory": "4G", "cmdline": "memhp_default_state=$zone", "virtio_mem": {"requested": "$plugged"}},
        [
            {"do": "allocate", "as": "kernel-1", "size": "6M", "gfp": "GFP_KERNEL", "note": "the kernel takes 6 MiB"},
            {"do": "allocate", "as": "program", "size": "12M", "note": "a program takes 12 MiB"},
            {"do": "allocate", "as": "kernel-2", "size": "6M", "gfp": "GFP_KERNEL", "note": "the kernel takes 6 MiB"},
            {"do": "resize", "to": "$requested"},
        ],
    )
    controls: list[Control] = [
        Size("plugged", "Plugged at first", "192M", "256M"),
        Size("requested", "Then asked for", "0", "256M"),
        Choice("zone", "Zone of the new memory", zones),
    ]
    return Lab("How much can be unplugged?", story, controls, toggles=[5])


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


def partial_block() -> Lab:
    """A block and a half is plugged, onlined to ZONE_MOVABLE and unplugged again, with and without patch 5."""
    ways = ["online_movable", "online_kernel", "online"]
    story = Story(
        {"boot_memory": "4G", "virtio_mem": {"requested": "0"}},
        [
            {"do": "resize", "to": "$grow"},
            {"do": "write", "path": "memory32/state", "value": "$online"},
            {"do": "write", "path": "memory33/state", "value": "$online"},
            {"do": "allocate", "as": "program", "size": "20M"},
            {"do": "resize", "to": "$shrink"},
        ],
    )
    controls: list[Control] = [
        Size("grow", "Grow to", "192M", "256M", min="132M"),
        Size("shrink", "Shrink to", "40M", "256M"),
        Choice("online", "How to online", {way: way for way in ways}),
    ]
    events: dict[str, list[Step]] = {
        "A program takes 16 MiB": [{"do": "allocate", "as": "more", "size": "16M"}],
        "50 seconds pass": [{"do": "wait", "seconds": 50}],
        "Offline memory33": [{"do": "write", "path": "memory33/state", "value": "offline"}],
    }
    return Lab("Grow, online, shrink", story, controls, events, toggles=[5])
