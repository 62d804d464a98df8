"""The scene of the chapter on pages, zones and the buddy allocator."""

from __future__ import annotations

from mmsim import draw
from mmsim.machine.machine import Machine
from mmsim.widgets.lab import Lab
from mmsim.widgets.stories import Story
from mmsim.widgets.telling import Step

TWO_ZONES = [("block:0", "block:1", "Normal"), ("block:1", "block:2", "Movable")]


def who_gets_what() -> Lab:
    """A program and the kernel take memory from two zones, as often as the reader lets them."""
    story = Story({"boot_memory": "256M", "zone_of": TWO_ZONES}, [], both_zones)
    events: dict[str, list[Step]] = {
        "A program takes 48 MiB": [
            {"do": "allocate", "as": "program", "size": "48M", "note": "a program asks for 48 MiB"}
        ],
        "The kernel takes 48 MiB": [
            {"do": "allocate", "as": "kernel", "size": "48M", "gfp": "GFP_KERNEL", "note": "the kernel asks for 48 MiB"}
        ],
        "The program gives 48 MiB back": [{"do": "free", "what": "program", "note": "the program gives 48 MiB back"}],
    }
    return Lab("Who gets what?", story, events=events)


def both_zones(machine: Machine, since: int) -> draw.Figure:
    """Both memory blocks, from address 0 on."""
    return draw.strip(machine, 0, 1, since=since, title="256 MiB in two zones")
