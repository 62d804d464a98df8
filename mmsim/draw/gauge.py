"""What the host has asked for against what is plugged."""

from __future__ import annotations

from collections.abc import Iterator

from mmsim.draw.figure import hatch, num, rect, size
from mmsim.draw.paint import BOLD, CHAR, words
from mmsim.draw.snapshot import Snapshot

LONG = 400  # width, at most


def verdict(shot: Snapshot, before: Snapshot | None = None) -> str:
    """`4 MiB to go`, `equal`, or `equal again`; nothing without a device."""
    if shot.requested is None or shot.plugged is None:
        return ""
    if shot.requested != shot.plugged:
        return f"{size(abs(shot.plugged - shot.requested))} to go"
    again = before is not None and before.requested != before.plugged
    return "equal again" if again else "equal"


def draw_gauge(shot: Snapshot, y: float, width: float, scale: tuple[int, int], said: str) -> Iterator[str]:
    """A bar of what is plugged, with a mark at what is requested; from `scale[0]` to `scale[1]` bytes."""
    requested, plugged, (floor, top) = shot.requested or 0, shot.plugged or 0, scale
    left, wide = 0.6, min(width - 1.2, LONG)
    per_byte = wide / max(top - floor, 1)
    at, full = left + (requested - floor) * per_byte, max((plugged - floor) * per_byte, 0)
    asked = f"requested {size(requested)}"
    half = CHAR * len(asked) / 2
    yield words(min(max(at, half), wide - half), y + 12, asked, "mid")
    yield rect(left, y + 22, wide, 18, "cell-hole") + hatch(left, y + 22, wide, 18, 7)
    yield rect(left, y + 22, full, 18, "gauge") + rect(left, y + 22, wide, 18, "cell")
    if floor:
        yield f'<path d="M{num(left + 9)} {num(y + 42)}l5 -22h6l-5 22z" class="mmsim-gap"/>'
    at = min(max(at, left + 1), left + wide - 1)
    yield from draw_plugged(f"plugged {size(plugged)}", left + (26 if floor else 6), y, left + full, left + wide, at)
    yield f'<path d="M{num(at)} {num(y + 44)}V{num(y + 22)}l-5 -6h10l-5 6" class="mmsim-needle"/>'
    told, ink = (said, "bad-ink") if "to go" in said else (f"✓ {said}", "good-ink")
    x, below = (left + wide + 12, 36) if wide + BOLD * 16 < width else (left, 57)
    yield words(x, y + below, told, f"strong {ink}")


def draw_plugged(text: str, x: float, y: float, full: float, end: float, at: float) -> Iterator[str]:
    """How much is plugged, in the bar if it fits, else behind it as far as there is room; beside the mark in any case.

    x and end: where a text may begin and end; full: the end of the bar; at: the mark.
    """
    wide, free = BOLD * len(text), beside(text, x, full, end, at)
    if not free:  # a short bar, with the mark in its middle
        text = text.removeprefix("plugged ")
        wide, free = BOLD * len(text), beside(text, x, full, end, at)
    left = min(free, key=lambda spot: (spot + wide >= full, spot < full), default=end - wide)
    if left + wide < full:
        yield words(left, y + 36, text, "strong on-tag")
    else:
        yield rect(left - 2, y + 23.5, wide, 15, "plate", 3)
        yield words(left, y + 36, text, "strong")


def beside(text: str, x: float, full: float, end: float, at: float) -> list[float]:
    """Where a text may begin so that the mark does not run through it."""
    wide = BOLD * len(text)
    spots = (x, at + 8, full + 6, end - wide, at - 8 - wide)
    return [spot for spot in spots if x <= spot <= end - wide and not spot - 5 < at < spot + wide + 5]


def height(width: float) -> float:
    """How high a gauge is: where it is narrow, what it says is below."""
    return 46 if min(width, LONG) + BOLD * 16 < width else 62
