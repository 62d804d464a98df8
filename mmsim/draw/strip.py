"""Memory in the order of its addresses: the picture that all of the book's pictures of memory are made of.

A strip is drawn twice, for a wide and for a narrow page, and the page shows the one that fits: nothing is scaled down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape

from mmsim.draw.arrows import GUTTER, draw_arrows, make_room
from mmsim.draw.cells import ISOLATED, Cell, Segment, segments
from mmsim.draw.figure import Figure, Table, num, rect, size
from mmsim.draw.gauge import draw_gauge, height, verdict
from mmsim.draw.moves import bundles
from mmsim.draw.paint import CHAR, TALL, draw_cell, swatches, words
from mmsim.draw.rows import HEAD, TAG, Band, Row, stacked, tags, ticks, wrapped
from mmsim.draw.snapshot import Place, Snapshot, snapshot
from mmsim.draw.told import describe, table_of
from mmsim.machine.machine import Machine
from mmsim.machine.sizes import pfn
from mmsim.mm.mmzone import MEMORY_BLOCK_SIZE, PAGE_SIZE

WIDE, NARROW = 640.0, 256.0
Span = tuple[int | str, int | str] | None


@dataclass(frozen=True)
class Strip(Figure):
    """A strip, or several, with the table that says the same."""

    content: str  # HTML
    table: Table

    @property
    def text(self) -> str:
        """The table as plain text."""
        return str(self.table)

    def body(self) -> str:
        """The strip, and the table to be unfolded."""
        table = self.table.html(f"{self.title}: as a table")
        return f"{self.content}<details><summary>The same as a table</summary>{table}</details>"


def strip(
    what: Machine | Snapshot, first: Place = None, last: Place = None, since: Snapshot | int | None = None,
    within: Span = None, unit: str = "", title: str = "",
) -> Strip:
    """Memory blocks from `first` to `last`, what is in them, and what has moved since then; see `snapshot`.

    within: only the pages [pfn, pfn), as `Machine.allocate` has it. unit: what a cell is: `block`, `subblock`,
    `pageblock` or `page` (pages in a row that are alike). Raises ValueError for a block or a unit that can't be.
    """
    span = None if within is None else (pfn(within[0]), pfn(within[1]))
    if span is not None and first is last is None:
        first, last = span[0] >> 15, span[1] - 1 >> 15
    shot = what if isinstance(what, Snapshot) else snapshot(what, first, last, since)
    parts = segments(shot, unit, span)
    title = title or "Memory"
    content = both(title, lambda width: draw_strip(shot, stacked(parts, room(shot, width)), width)) + key(parts)
    return Strip(title, describe(shot), content, table_of(shot, parts))


def both(title: str, draw: Callable[[float], tuple[Iterable[str], float]]) -> str:
    """A drawing for a wide and for a narrow page."""
    return '<div class="mmsim-fit">' + "".join(
        f'<div class="mmsim-{name}">{canvas(title, width, *draw(width))}</div>'
        for name, width in (("wide", WIDE), ("narrow", NARROW))
    ) + "</div>"


def canvas(title: str, width: float, parts: Iterable[str], height: float) -> str:
    """An SVG; all that it shows is in the figure's caption and table too."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {num(width)} {num(height)}" role="img" '
        f'aria-label="{escape(title)}">{"".join(parts)}</svg>'
    )


def key(parts: Sequence[Segment]) -> str:
    """The legend of what is in these segments."""
    cells = [cell for part in parts for cell in part.cells]
    isolated = any(cell.isolated for cell in cells)
    return swatches((run.kind for cell in cells for run in cell.runs), isolated, measure(parts))


def measure(parts: Sequence[Segment]) -> str:
    """How much memory a cell of these segments is; where runs of pages are drawn, each says it itself."""
    small = [cell for part in parts if part.unit in ("subblock", "pageblock") for cell in part.cells]
    whole = [f"a block of {size(MEMORY_BLOCK_SIZE)}"] if any(part.unit == "block" for part in parts) else []
    each = [size(max((cell.end - cell.start) // cell.count for cell in small) * PAGE_SIZE)] if small else []
    return f"a cell is {' or '.join(each + whole)}" if each or whole else ""


def room(shot: Snapshot, width: float) -> float:
    """The width that rows may take: an arrow from row to row needs some at the right."""
    return width - (GUTTER if shot.moves else 0) - 1.5


def draw_strip(
    shot: Snapshot, bands: Sequence[Band], width: float, before: Snapshot | None = None,
    scale: tuple[int, int] | None = None, letters: bool = False,
) -> tuple[list[str], float]:
    """Bands of rows with their arrows, and the gauge below; also the height. scale: the ends of the gauge."""
    some = bundles(shot.moves)
    make_room(bands, some)
    parts, y = draw_bands(bands, letters)
    parts += draw_arrows(bands, some, width)
    if shot.requested is None or shot.plugged is None:
        return parts, y
    scale = scale or (0, max(shot.requested, shot.plugged))
    return parts + list(draw_gauge(shot, y, width, scale, verdict(shot, before))), y + height(width)


def draw_row(row: Row, letters: bool = False) -> Iterable[str]:
    """The heading of a row, its cells, their tags and the scale."""
    yield words(row.x, row.y + 13, row.gap, "soft-ink")
    for index, text in enumerate(row.head, 1 if row.gap else 0):
        yield words(row.x, row.y + HEAD * index + 13, text, "strong")
    yield from draw_cells(row.cells, row.x, row.top, row.pitch, letters)
    for x, width, text, actor in tags(row):
        yield draw_tag(x, row.top + TALL + 4, width, text, actor)
    y = row.top + TALL + (TAG if row.tagged else 0) + 13
    for index, (x, text) in enumerate(ticks(row)):
        anchor = "" if index == 0 else "end" if x == row.end else "mid"
        yield words(x, y, text, f"soft-ink {anchor}".strip())


def draw_cells(cells: Sequence[Cell], x: float, y: float, pitch: float, letters: bool = False) -> Iterable[str]:
    """Cells side by side; outlines come last, so that no neighbour hides them."""
    edges = [x + 0.6 + index * pitch for index in range(len(cells))]
    drawn = [part for cell, left in zip(cells, edges, strict=True) for part in draw_cell(cell, left, y, pitch, letters)]
    return sorted(drawn, key=lambda part: "mmsim-cell-isolated" in part)


def draw_tag(x: float, y: float, width: float, text: str, actor: str = "") -> str:
    """The label of a pageblock; what is isolated has a black tag, and perhaps the badge of who did it."""
    middle = x + width / 2
    if text != ISOLATED:
        return words(middle, y + 13, text, "mid soft-ink")
    badge = 22.0 if actor else 0.0
    wide = min(CHAR * len(text) + 8, width - 2 - badge)
    left = middle - (wide + badge) / 2
    shown = text if wide >= CHAR * len(text) else text[0]
    tag = rect(left, y, wide, 18, "tag", 3) + words(left + wide / 2, y + 13.5, shown, "mid strong on-tag")
    return tag + (draw_badge(left + wide + 12, y + 9, actor) if actor else "")


def draw_badge(x: float, y: float, actor: str) -> str:
    """Who did it: O in a circle is who takes memory offline, W in a square the driver's worker."""
    if actor == "O":
        shape = f'<circle cx="{num(x)}" cy="{num(y)}" r="9" class="mmsim-actor-o"/>'
    else:
        shape = rect(x - 9, y - 9, 18, 18, "actor-w", 3)
    return shape + words(x, y + 5, actor, "mid strong on")


def pageblock_row(cells: Sequence[Cell], title: str = "Pageblocks") -> str:
    """Pageblocks on their own as HTML, for other pictures: what is in them, their types, and who isolated them."""
    segment = Segment((), "pageblock", tuple(cells))
    return both(title, lambda width: draw_bands([Band([row]) for row in wrapped(segment, 0, width - 1.5)]))


def draw_bands(bands: Sequence[Band], letters: bool = False) -> tuple[list[str], float]:
    """Bands of rows alone, and their height."""
    y = 0.0
    for band in bands:
        y = band.settle(y)
    return [part for band in bands for row in band.rows for part in draw_row(row, letters)], y
