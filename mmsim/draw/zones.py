"""The zones, as bars."""

from __future__ import annotations

from collections.abc import Iterator

from mmsim.draw.figure import WIDTH, Picture, Table, hatch, label, rect, size, svg
from mmsim.machine.machine import Machine
from mmsim.mm.mmzone import PAGE_SIZE, Zone

TALL = 104


def zones(machine: Machine, title: str = "Zones") -> Picture:
    """Spanned, present, managed and free memory of each populated zone, on the scale of the zone's own span."""
    populated = [zone for zone in machine.kernel.zones if zone.populated]
    parts = [part for index, zone in enumerate(populated) for part in draw_zone(zone, index * TALL)]
    free = [f"{z.name} {size(z.nr_free_pages * PAGE_SIZE)} of {size(z.managed_pages * PAGE_SIZE)}" for z in populated]
    description = f"Free: {', '.join(free)}. Bars are parts of the zone's span."
    header = ("zone", "span", *(f"{name} pages" for name in ("spanned", "present", "managed", "free")))
    rows = tuple((zone.name, span(zone), *map(str, numbers(zone).values())) for zone in populated)
    height = max(len(populated) * TALL - 8, 20)
    return Picture(title, description, svg(title, description, height, parts), Table(header, rows))


def numbers(zone: Zone) -> dict[str, int]:
    """The four counters, in pages."""
    return {"spanned": zone.spanned_pages, "present": zone.present_pages, "managed": zone.managed_pages,
            "free": zone.nr_free_pages}  # fmt: skip


def span(zone: Zone) -> str:
    """First and last pfn."""
    return f"pfn {zone.zone_start_pfn:#x}–{zone.zone_end_pfn - 1:#x}"


def draw_zone(zone: Zone, y: float) -> Iterator[str]:
    """Name, span and bars of a zone."""
    style = zone_style(zone.name)
    kinds = {"spanned": "box dashed", "present": f"{style}-soft", "managed": style, "free": f"{style}-soft"}
    yield label(0, y + 14, f"Zone {zone.name}", "t b")
    yield label(WIDTH, y + 14, span(zone), "t small muted end")
    for index, (name, pages) in enumerate(numbers(zone).items()):
        top, width = y + 22 + index * 18, max(208 * pages / zone.spanned_pages, 1)
        yield label(0, top + 11, name, "t small")
        yield rect(62, top, width, 13, kinds[name])
        if name == "free":
            yield hatch(62, top, width, 13, 6)
        yield label(WIDTH, top + 11, size(pages * PAGE_SIZE), "t small end")


def zone_style(zone: str) -> str:
    """The colour of a zone: one for ZONE_MOVABLE, one for the kernel zones."""
    return "movable" if zone == "Movable" else "kernel"
