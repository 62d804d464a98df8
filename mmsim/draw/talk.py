"""Host, device, guest and driver in one picture: who says what to whom, and how much is plugged."""

from __future__ import annotations

from dataclasses import replace
from html import escape

from mmsim.draw.cells import Segment, segments
from mmsim.draw.figure import size
from mmsim.draw.gauge import draw_gauge, height, verdict
from mmsim.draw.rows import stacked
from mmsim.draw.snapshot import Snapshot
from mmsim.draw.strip import Strip, both, draw_strip, key
from mmsim.draw.told import table_of

UP, DOWN = "M8 23V7l-6 1l6 -8l6 8l-6 -1", "M8 1v16l-6 -1l6 8l6 -8l-6 1"


def talk(shot: Snapshot, top: int, asks: str, tells: str, requests: str, driver: str, title: str) -> Strip:
    """The host above its device, and below it the guest with its driver and its memory.

    top: the end of the gauge, in bytes; asks: what the host says to the device in this step, tells: the device to the
    driver, requests: the driver to the device ("" for nothing); driver: what the driver is doing.
    """
    parts = [replace(part, heading=holds(part)) for part in segments(shot)]
    quiet = replace(shot, requested=None, moves=())

    def gauge(width: float) -> tuple[list[str], float]:
        return list(draw_gauge(shot, 0, width, (0, top), verdict(shot))), height(width)

    memory = both("The guest's memory", lambda width: draw_strip(quiet, stacked(parts, width - 1.5), width))
    content = (
        f"{party('Host', f'would like the guest to have {size(shot.requested or 0)}')}"
        f"{word(asks, 'down', 'host')}"
        f"{party('Device', '', both('Requested and plugged', gauge))}"
        f"{word(tells, 'down', 'host')}{word(requests, 'up', 'driver')}"
        f"{party('Guest', '', party('Driver', driver, kind='mmsim-second') + memory)}"
    )
    return Strip(title, "", content + key(parts), table_of(shot, parts))


def holds(part: Segment) -> str:
    """How much of its memory is plugged, without a word of the driver's."""
    plugged = sum(block.plugged for block in part.blocks)
    return f"{part.name}: {size(plugged) if plugged else 'nothing'} plugged"


def party(name: str, says: str, more: str = "", kind: str = "") -> str:
    """Somebody: a box with a name, what is so there, and what is inside."""
    said = f" {escape(says)}" if says else ""
    return f'<div class="mmsim-party {kind}"><p><b>{name}</b>{said}</p>{more}</div>'


def word(text: str, way: str, whose: str) -> str:
    """What is said between two of them, with an arrow in its direction; a thin arrow where nothing is."""
    path = f'<path d="{UP if way == "up" else DOWN}"/>'
    arrow = f'<svg viewBox="0 0 16 24" width="16" height="24" aria-hidden="true">{path}</svg>'
    said = "now" if text else "quiet"
    return f'<p class="mmsim-word mmsim-{whose}-word mmsim-{said}">{arrow}<span>{escape(text)}</span></p>'
