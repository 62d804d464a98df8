"""The pageblocks of one memory block, as a grid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mmsim.draw.figure import Picture, Table, hatch, label, legend, plural, rect, svg
from mmsim.draw.memory import IN_THE_WAY, USED
from mmsim.machine.machine import Machine
from mmsim.mm.memmap import codes_where
from mmsim.mm.mmzone import (
    MIGRATE_ISOLATE,
    PAGEBLOCKS_PER_SECTION,
    PAGES_PER_SECTION,
    migratetype_names,
    pageblock_nr_pages,
)

HIDDEN = codes_where(lambda page, refs: page.offline)


@dataclass(frozen=True)
class Pageblock:
    """One pageblock: its number in the memory block, type and subblock, and how many of its pages are what."""

    index: int
    migratetype: int
    subblock: int | None
    used: int
    hidden: int
    stuck: bool
    online: bool

    @property
    def name(self) -> str:
        """Its migrate type's name; the first letter is in the grid."""
        return migratetype_names[self.migratetype]

    @property
    def isolated(self) -> bool:
        """Is it MIGRATE_ISOLATE?"""
        return self.migratetype == MIGRATE_ISOLATE

    @property
    def content(self) -> str:
        """What is in it, in some words."""
        if not self.online:
            return "offline"
        used = f"{self.used} in use{', not all movable' if self.stuck else ''}" if self.used else ""
        hidden = f"{self.hidden} PG_offline" if self.hidden else ""
        return ", ".join(part for part in (used, hidden) if part) or "free"


def pageblocks(machine: Machine, block: int, title: str = "") -> Picture:
    """The 64 pageblocks of a memory block: type, subblock, pages in use. Raises ValueError if it is not there."""
    if block not in machine.kernel.memory_blocks:
        raise ValueError(f"memory block {block} is not there")
    cells = [look_at(machine, block, index) for index in range(PAGEBLOCKS_PER_SECTION)]
    title, description = title or f"Pageblocks of memory{block}", describe(cells)
    rows = tuple(
        (span(a.index, b.index), a.name, span(a.subblock, b.subblock), a.content) for a, b in runs_of(cells)
    )
    parts, height = draw_grid(cells)
    table = Table(("pageblocks", "type", "subblocks", "pages (of 512)"), rows)
    return Picture(title, description, svg(title, description, height, parts), table)


def look_at(machine: Machine, block: int, index: int) -> Pageblock:
    """What one pageblock is."""
    memmap, driver = machine.kernel.memmap, machine.driver
    start = block * PAGES_PER_SECTION + index * pageblock_nr_pages
    end, subblock = start + pageblock_nr_pages, None
    if driver is not None and driver.first_mb_id <= block <= driver.last_mb_id:
        subblock = index * driver.nb_sb_per_mb // PAGEBLOCKS_PER_SECTION
    return Pageblock(
        index, memmap.get_pageblock_migratetype(start), subblock, memmap.count(start, end, USED),
        memmap.count(start, end, HIDDEN), memmap.find(start, end, IN_THE_WAY) is not None,
        memmap.sections[block].online,
    )


def describe(cells: Sequence[Pageblock]) -> str:
    """How many of which type, and what their pages are."""
    types = Counter(cell.name for cell in cells)
    used, hidden = sum(cell.used for cell in cells), sum(cell.hidden for cell in cells)
    first = "All 64 are " + cells[0].name if len(types) == 1 else ", ".join(f"{n} {name}" for name, n in types.items())
    if not cells[0].online:
        return f"{first}; the block is offline."
    pages = f"{plural(used, 'page')} in use" + (f", {hidden} PG_offline" if hidden else "")
    return f"{first}; {pages}."


def runs_of(cells: Sequence[Pageblock]) -> Iterator[tuple[Pageblock, Pageblock]]:
    """First and last of neighbours that are alike."""
    first = cells[0]
    for cell, after in zip(cells, [*cells[1:], None], strict=True):
        if after is None or (after.migratetype, after.content) != (cell.migratetype, cell.content):
            yield first, cell
            first = after or first


def span(first: int | None, last: int | None) -> str:
    """`3` or `3–9`."""
    return "–" if first is None else str(first) if first == last else f"{first}–{last}"


CELL, PITCH, STEP = 40, 45, 58


def draw_grid(cells: Sequence[Pageblock]) -> tuple[list[str], float]:
    """Eight cells in a row, each subblock named above its first pageblock."""
    parts: list[str] = []
    named: set[int | None] = {None}
    for cell in cells:
        row, column = divmod(cell.index, 8)
        x, y = 2 + column * PITCH, 16 + row * STEP
        parts += draw_cell(cell, x, y)
        if cell.subblock not in named:
            named.add(cell.subblock)
            parts.append(label(x, y - 5, f"sb {cell.subblock}", "t small muted"))
    key, height = legend(16 + 8 * STEP, list(draw_key(cells)))
    return parts + key, height


def draw_key(cells: Sequence[Pageblock]) -> Iterator[tuple[str, str]]:
    """Swatches for what is in the grid."""
    types = {cell.migratetype: cell for cell in cells}
    for _, cell in sorted(types.items()):
        yield draw_type(cell, 0, 0, 14, 14), cell.name
    if any(cell.hidden for cell in cells):
        yield rect(0, 0, 14, 14, "box") + hatch(0, 0, 14, 14, 4), "PG_offline"
    if any(cell.used for cell in cells):
        yield rect(0, 0, 14, 14, "box") + rect(1, 8, 12, 5, "movable"), "pages in use"
    if any(cell.stuck for cell in cells):
        yield rect(0, 0, 14, 14, "box") + draw_used(1, 8, 12, True), "not all movable"


def draw_type(cell: Pageblock, x: float, y: float, width: float, height: float) -> str:
    """The letter of the type; isolated pageblocks are inverted."""
    fill, ink = ("bad", "on") if cell.isolated else ("plain", "")
    letter = label(x + width / 2, y + height - 3, cell.name[0], f"t b mid {ink}")
    return rect(x, y, width, height, fill, 3) + letter


def draw_cell(cell: Pageblock, x: float, y: float) -> Iterator[str]:
    """The type above, the contents below."""
    yield rect(x, y, CELL, 38, "box" if cell.online else "box dashed", 3)
    yield draw_type(cell, x, y, CELL, 17)
    if cell.hidden:
        yield hatch(x, y + 18, CELL * cell.hidden / pageblock_nr_pages, 20, 5)
    elif cell.used:
        yield label(x + CELL / 2, y + 29, str(cell.used), "t small mid")
        yield draw_used(x + 1, y + 32, (CELL - 2) * cell.used / pageblock_nr_pages, cell.stuck)
    elif cell.online:
        yield label(x + CELL / 2, y + 31, "free", "t small mid")


def draw_used(x: float, y: float, width: float, stuck: bool) -> str:
    """The bar of used pages; it has a notch where not all of them can be moved."""
    bar = rect(x, y, width, 5, "bad" if stuck else "movable")
    return bar + (f'<path d="M{x + width / 2:.1f} {y - 1:.1f}v7" class="mmsim-cross"/>' if stuck else "")
