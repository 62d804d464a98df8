"""The scene of the home page."""

from __future__ import annotations

from mmsim.widgets.controls import Choice, Control, Size
from mmsim.widgets.lab import Lab
from mmsim.widgets.stories import Story


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
