"""The map of the page that shows all six patches."""

from __future__ import annotations

from mmsim import draw
from mmsim.draw.places import Place
from mmsim.series import PATCHES

CALLERS = (
    ("Memory offlining", "mm/memory_hotplug.c", "Takes a whole memory block out of use.", "memory blocks"),
    ("virtio-mem's driver", "drivers/virtio/virtio_mem.c", "Plugs and unplugs memory as the host asks.", "virtio-mem"),
)
ONE = ("`set_migratetype_isolate()`", "mm/page_isolation.c", "Isolates one pageblock, or fails.", "page isolation")
LOOKS = ("`has_unmovable_pages()`", "mm/page_alloc.c", "Looks for a page that has to stay.", "page isolation")
ZONE = ("`ZONE_MOVABLE`", "include/linux/mmzone.h", "The zone whose pages should all be movable.", "pages and zones")
JOINS = ("both go pageblock after pageblock", "is anything in the way?", "what may be in this zone?")


def together() -> draw.Document:
    """Where the six patches act, from who wants memory down to the zone that it is in."""
    levels = [list(map(place, level)) for level in (CALLERS, [ONE], [LOOKS], [ZONE])]
    said = "An arrow leads to what is asked next; the table above has the links."
    return draw.places(levels, JOINS, "How the six hang together", said)


def place(told: tuple[str, str, str, str]) -> Place:
    """A place with the patches that change its file."""
    name, file, sentence, chapter = told
    return Place(name, file, sentence, tuple(p.number for p in PATCHES if p.number and file in p.files), chapter)
