"""The arrow of what moved: brackets at both ends, and the number of pages on its line; one for each bundle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mmsim.draw.figure import num
from mmsim.draw.moves import Bundle
from mmsim.draw.paint import BOLD, words
from mmsim.draw.rows import Band, Row

GUTTER = 18  # room at the right for an arrow from row to row
End = tuple[Band, Row, float, float]  # where, from x to x
Point = tuple[float, float]


def ends(bands: Sequence[Band], pieces: Sequence[tuple[int, int]]) -> list[End]:
    """Where a bundle's pieces lie."""
    return [
        (band, row, *span)
        for band in bands for row in band.rows for start, end in pieces if (span := row.span(start, end))
    ]  # fmt: skip


def widest(some: Sequence[End]) -> End | None:
    """The end that the arrow leaves from, or points at."""
    return max(some, key=lambda end: end[3] - end[2], default=None)


def make_room(bands: Sequence[Band], bundles: Sequence[Bundle]) -> None:
    """Let the bands have a lane for each arrow that begins or ends there."""
    for number, bundle in enumerate(bundles, 1):
        for part in (bundle.sources, bundle.targets):
            for band, *_ in ends(bands, part):
                band.lanes = max(band.lanes, number)


def draw_arrows(bands: Sequence[Band], bundles: Sequence[Bundle], width: float) -> Iterator[str]:
    """All arrows. What comes from outside of the strip has none; what leaves it points out of it."""
    for number, bundle in enumerate(bundles):
        sources, targets = ends(bands, bundle.sources), ends(bands, bundle.targets)
        brackets = [bracket(row, low, high) for _, row, low, high in (*sources, *targets)]
        source, target = widest(sources), widest(targets)
        if source is None:
            yield from brackets
            continue
        way = route(source, target, number, width)
        yield draw_way(way)
        yield from brackets
        text = f"{bundle.pages:,} page{'' if bundle.pages == 1 else 's'}{'' if target else ' leave'}"
        (x1, y), (x2, _) = way[1], way[2]
        half = BOLD * len(text) / 2
        yield words(min(max((x1 + x2) / 2, half), width - half), y - 6, text, "mid strong moved")


def bracket(row: Row, low: float, high: float) -> str:
    """A bracket above cells."""
    low, high, y = low, max(high, low + 4), row.top - 3
    return f'<path d="M{num(low + 1)} {num(y)}v-6H{num(high - 1)}v6" class="mmsim-bracket"/>'


def route(source: End, target: End | None, number: int, width: float) -> list[Point]:
    """The corners of an arrow: up from its source, along a lane, down to its target."""
    band, row, low, high = source
    start, lane = (low + high) / 2, band.lane(number)
    way = [(start, row.top - 9), (start, lane)]
    if target is None:
        return [*way, (2, lane)]
    end = (target[2] + target[3]) / 2
    if target[0] is not band:
        gutter, other = width - 4 - 7 * (number % 2), target[0].lane(number)
        way += [(gutter, lane), (gutter, other), (end, other)]
    else:
        way += [(end, lane)]
    return [*way, (end, target[1].top - 10)]


def draw_way(way: Sequence[Point]) -> str:
    """A line with round corners, and the arrow's head."""
    path = f"M{num(way[0][0])} {num(way[0][1])}"
    for (x0, y0), (x, y), (x1, y1) in zip(way, way[1:], way[2:], strict=False):
        into, out = toward((x, y), (x0, y0)), toward((x, y), (x1, y1))
        path += f"L{num(into[0])} {num(into[1])}Q{num(x)} {num(y)} {num(out[0])} {num(out[1])}"
    x, y = way[-1]
    if x == way[-2][0]:
        path += f"L{num(x)} {num(y - 7)}"
        head = f"M{num(x - 5.5)} {num(y - 9)}h11L{num(x)} {num(y)}z"
    else:
        path += f"L{num(x + 8)} {num(y)}"
        head = f"M{num(x + 9)} {num(y - 5.5)}v11L{num(x)} {num(y)}z"
    layers = ((path, "halo"), (path, "flow"), (head, "tip"))
    return "".join(f'<path d="{shape}" class="mmsim-{kind}"/>' for shape, kind in layers)


def toward(corner: Point, other: Point, radius: float = 7) -> Point:
    """A point near a corner, on the way to another."""
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    length = max(abs(dx) + abs(dy), 0.001)
    part = min(radius / length, 0.5)
    return corner[0] + dx * part, corner[1] + dy * part
