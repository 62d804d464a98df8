"""Where in its memory block a strip lies, and how large a subblock, a pageblock and pages are in it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from mmsim.draw.arrows import GUTTER
from mmsim.draw.cells import Cell, Segment, cut
from mmsim.draw.figure import num, rect, size
from mmsim.draw.paint import TALL, words
from mmsim.draw.rows import stacked
from mmsim.draw.snapshot import Block, Snapshot
from mmsim.draw.strip import NARROW, both, draw_cells
from mmsim.mm.mmzone import PAGE_SIZE, PAGES_PER_SECTION, SECTION_SHIFT, pageblock_nr_pages


def overview(shot: Snapshot, span: tuple[int, int]) -> str:
    """The whole memory block, what of it is drawn below, and how large a subblock, a pageblock and pages are there."""
    block = next(block for block in shot.blocks if block.number == span[0] >> SECTION_SHIFT)
    return both(f"memory{block.number}", partial(draw_overview, shot, block, span))


def draw_overview(shot: Snapshot, block: Block, span: tuple[int, int], width: float) -> tuple[list[str], float]:
    """The block as subblocks if it has any, a fan from what is chosen to the full width, and brackets."""
    parts_of = shot.nr_subblock if block.driver else PAGES_PER_SECTION
    cells = tuple(Cell(c.start, c.end, c.runs) for c in cut(block, parts_of))
    count = size(shot.nr_subblock * PAGE_SIZE)
    name = f"memory{block.number} · "
    long, short = f"128 MiB = {len(cells)} subblocks of {count}", f"{len(cells)} × {count}"
    heading = name + ("128 MiB" if len(cells) == 1 else long if width > NARROW else short)
    bands = stacked([Segment((block,), "subblock", cells, heading)], width - GUTTER - 1.5)
    y, parts = 0.0, list[str]()
    for band in bands:
        y = band.settle(y) - 4
        row = band.rows[0]
        parts += [words(0, row.y + 13, text, "strong") for text in row.head]
        parts += [*draw_cells(row.cells, row.x, row.top, row.pitch)]
        y = row.top + TALL + 4
        if (chosen := row.span(*span)) is not None:
            parts.append(rect(chosen[0], row.top - 2, chosen[1] - chosen[0] + 1, TALL + 4, "chosen"))
    if len(bands) == 1 and chosen is not None:
        fan = f"M{num(chosen[0])} {num(y)}H{num(chosen[1] + 1)}L{num(width - GUTTER - 1)} {num(y + 22)}H0z"
        parts.append(f'<path d="{fan}" class="mmsim-zoom"/>')
        y += 22
    return parts + list(measures(shot, bool(block.driver), span, y, width)), y + (48 if len(cells) == 1 else 70)


def measures(shot: Snapshot, device: bool, span: tuple[int, int], y: float, width: float) -> Iterator[str]:
    """How large things are in the strip below; only a device has subblocks."""
    shown = min(span[1] - span[0], (8 if width > NARROW else 4) * pageblock_nr_pages)
    subblock = (shot.nr_subblock, "subblock", "what the device takes back")
    lengths = (
        *([subblock] if device else []),
        (pageblock_nr_pages, "pageblock", "has one label"),
        (pageblock_nr_pages // 2, "256 pages", "4 KiB each"),
    )
    for index, (pages, name, meaning) in enumerate(lengths):
        x, top = (width - GUTTER - 1.5) * pages / shown, y + 22 * index + 6
        yield f'<path d="M1 {num(top + 9)}v-7H{num(x)}v7" class="mmsim-measure"/>'
        amount = f"{name} · {size(pages * PAGE_SIZE)}" if pages > 256 else name
        yield words(x + 8, top + 9, amount + (f", {meaning}" if width > NARROW else ""))
