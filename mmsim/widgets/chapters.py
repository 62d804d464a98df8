"""The laboratories of the book's chapters, each made by one call."""

from __future__ import annotations

from mmsim.widgets.labs import Lab, RaceLab
from mmsim.widgets.scenario import Choice, Size


def how_much() -> Lab:
    """How much can be unplugged? A zone, what is plugged and what is asked for then, with and without patch 5."""
    zones = {"ZONE_NORMAL": "online_kernel", "ZONE_MOVABLE": "online_movable"}
    return Lab(
        "How much can be unplugged?",
        {"boot_memory": "4G", "cmdline": "memhp_default_state=$zone", "virtio_mem": {"requested": "$plugged"}},
        [
            {"do": "allocate", "as": "kernel-1", "size": "6M", "gfp": "GFP_KERNEL", "note": "the kernel takes 6 MiB"},
            {"do": "allocate", "as": "program", "size": "100M", "note": "a program takes 100 MiB"},
            {"do": "allocate", "as": "kernel-2", "size": "6M", "gfp": "GFP_KERNEL", "note": "the kernel takes 6 MiB"},
            {"do": "resize", "to": "$requested"},
        ],
        [
            Size("plugged", "Plugged at first", "320M", "512M"),
            Size("requested", "Then asked for", "0", "512M"),
            Choice("zone", "Zone of the new memory", zones),
        ],
        toggles=[5],
    )


def race() -> RaceLab:
    """Two CPUs isolate overlapping ranges of pageblocks; patches 1, 3 and 4 decide what the loser says."""
    report = ["MEMORY_OFFLINE", "REPORT_FAILURE"]
    return RaceLab(
        "Two isolations race",
        {"boot_memory": "128M", "zone_of": [["addr:0", "addr:128M", "$zone"]]},
        [
            {"do": "isolate", "label": "A", "start": "addr:44M", "end": "addr:50M", "flags": report},
            {"do": "isolate", "label": "B", "start": "addr:46M", "end": "addr:48M", "flags": report},
        ],
        [Choice("zone", "Zone", {"ZONE_MOVABLE": "Movable", "ZONE_NORMAL": "Normal"})],
        patches=[], toggles=[1, 3, 4],
    )


def partial_block() -> Lab:
    """A block and a half is plugged, onlined to ZONE_MOVABLE and unplugged again, with and without patch 5."""
    return Lab(
        "Grow, online, shrink",
        {"boot_memory": "4G", "virtio_mem": {"requested": "0"}},
        [
            {"do": "resize", "to": "$grow"},
            {"do": "write", "path": "memory32/state", "value": "$online"},
            {"do": "write", "path": "memory33/state", "value": "$online"},
            {"do": "allocate", "as": "program", "size": "20M"},
            {"do": "resize", "to": "$shrink"},
        ],
        [
            Size("grow", "Grow to", "192M", "256M", min="132M"),
            Size("shrink", "Shrink to", "40M", "256M"),
            Choice("online", "How to online", {
                "online_movable": "online_movable", "online_kernel": "online_kernel", "online": "online",
            }),
        ],
        events={
            "A program takes 16 MiB": [{"do": "allocate", "as": "more", "size": "16M"}],
            "50 seconds pass": [{"do": "wait", "seconds": 50}],
            "Offline memory33": [{"do": "write", "path": "memory33/state", "value": "offline"}],
        },
        toggles=[5],
    )
