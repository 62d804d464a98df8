"""The scene of the chapter on patch 5."""

from __future__ import annotations

from mmsim.widgets.controls import Choice, Control, Size
from mmsim.widgets.lab import Lab
from mmsim.widgets.stories import Story
from mmsim.widgets.telling import Step


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
