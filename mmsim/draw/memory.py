"""Memory as pictures: the map of memory blocks, the pageblocks of one block, the zones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from mmsim.draw.figure import WIDTH, Picture, Table, hatch, label, legend, line, rect, svg
from mmsim.machine import Machine
from mmsim.mm.kernel import Kernel
from mmsim.mm.memmap import KINDS, codes_where
from mmsim.mm.memory_hotplug import zones_of
from mmsim.mm.mmzone import (
    MEMORY_BLOCK_SIZE,
    MIGRATE_ISOLATE,
    PAGE_SIZE,
    PAGEBLOCKS_PER_SECTION,
    PAGES_PER_SECTION,
    migratetype_names,
    pageblock_nr_pages,
)
from mmsim.mm.page_isolation import page_is_unmovable

MIB = 1 << 20
MANY = 24  # tiles; where there are more, neighbours that are alike become one

IN_THE_WAY = codes_where(
    lambda page, refs: (page is not KINDS[0] and page_is_unmovable(page, refs, False, True)) or (page.lru and refs)
)
USED = codes_where(lambda page, refs: page is not KINDS[0] and not page.offline and (page.refcount > 0 or refs))
HIDDEN = codes_where(lambda page, refs: page.offline)

# state of a subblock: letter, word
UNPLUGGED, SLEEPING, FREE, IN_USE, STUCK = ".", "o", "f", "u", "x"
WORDS = {UNPLUGGED: "unplugged", SLEEPING: "plugged, offline", FREE: "free", IN_USE: "in use", STUCK: "can't be moved"}


def zone_style(zone: str) -> str:
    """The colour of a zone: one for ZONE_MOVABLE, one for the kernel zones."""
    return "other" if zone in ("", "none") else "movable" if zone == "Movable" else "kernel"


# -- memory blocks -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tile:
    """One memory block, or several in a row that are alike. `subblocks` has a letter for each; see WORDS."""

    first: int
    last: int
    state: str
    zone: str
    driver: str
    subblocks: str
    subblock_size: int
    plugged: int  # bytes

    @property
    def name(self) -> str:
        """`memory32` or `memory0–31`."""
        return f"memory{self.first}" + (f"–{self.last}" if self.last > self.first else "")

    @property
    def where(self) -> str:
        """State and zone."""
        return f"{self.state} {self.zone}".strip()

    @property
    def row(self) -> tuple[str, ...]:
        """The tile's row in the table."""
        count = Counter(self.subblocks)
        parts = [f"{count[letter]} {word}" for letter, word in WORDS.items() if count[letter]]
        return self.name, self.where, self.driver or "–", size(self.plugged), ", ".join(parts) or "–"

    def like(self, other: Tile) -> bool:
        """May the two be drawn as one?"""
        mine, theirs = (replace(tile, first=0, last=0, plugged=0) for tile in (self, other))
        return mine == theirs and self.last + 1 == other.first


def size(value: int) -> str:
    """Bytes for a reader, in MiB or GiB."""
    return f"{value // (MIB << 10)} GiB" if value and value % (MIB << 10) == 0 else f"{value / MIB:g} MiB"


def memory_blocks(machine: Machine, first: int | None = None, last: int | None = None, title: str = "") -> Picture:
    """The map of memory blocks: state, zone, what the virtio-mem driver makes of them, and their subblocks.

    Without `first` and `last` (numbers of blocks) boot memory is summarised and the device's blocks are shown.
    """
    tiles = list(chosen_tiles(machine, first, last))
    header = ("memory block", "state", "driver", "plugged", "subblocks of 4 MiB")
    if machine.driver is not None:
        header = (*header[:4], f"subblocks of {size(machine.driver.subblock_size)}")
    title, description = title or "Memory blocks", describe(machine)
    table = Table(header, tuple(tile.row for tile in tiles))
    parts, height = draw_tiles(tiles)
    return Picture(title, description, svg(title, description, height, parts), table)


def describe(machine: Machine) -> str:
    """Requested and plugged, and how much is online in which zone."""
    k = machine.kernel
    online = [f"{zone.name} {size(zone.managed_pages * PAGE_SIZE)}" for zone in k.zones if zone.populated]
    device = machine.device
    host = "" if device is None else (
        f"The host asks for {size(device.requested_size)}; {size(device.size)} are plugged. "
    )
    return f"{host}Managed by Linux: {', '.join(online)}."


def chosen_tiles(machine: Machine, first: int | None, last: int | None) -> Iterator[Tile]:
    """The tiles to draw."""
    blocks = machine.kernel.memory_blocks
    driver = machine.driver
    if first is not None or last is not None:
        low = first if first is not None else 0
        high = last if last is not None else max(blocks, default=0)
        yield from (tile_of(machine, number) for number in range(low, high + 1))
        return
    mine = range(0) if driver is None else range(
        driver.first_mb_id, max(driver.next_mb_id, driver.last_usable_mb_id + 1, driver.first_mb_id + 1)
    )
    others = [tile_of(machine, number, coarse=True) for number in sorted(blocks) if number not in mine]
    yield from merged(others)
    owned = [tile_of(machine, number) for number in mine]
    yield from merged(owned) if len(owned) > MANY else owned


def merged(tiles: Sequence[Tile]) -> list[Tile]:
    """Neighbours that are alike as one tile."""
    found: list[Tile] = []
    for tile in tiles:
        if found and found[-1].like(tile):
            found[-1] = replace(found[-1], last=tile.last, plugged=found[-1].plugged + tile.plugged)
        else:
            found.append(tile)
    return found


def tile_of(machine: Machine, number: int, coarse: bool = False) -> Tile:
    """A memory block as a tile; `coarse`: without its subblocks."""
    k, driver = machine.kernel, machine.driver
    block = k.memory_blocks.get(number)
    owned = driver is not None and driver.first_mb_id <= number <= driver.last_mb_id
    assert driver is None or driver.nb_sb_per_mb > 0
    count = driver.nb_sb_per_mb if owned and driver is not None else 32
    plugged = bytes(driver.plugged_subblocks.get(number, bytes(count))) if owned and driver is not None else b"\1" * count
    if block is None and not owned:
        plugged = bytes(count)
    state = "absent" if block is None else block.state
    zone = ", ".join(z.name for z in zones_of(k, block)) if block is not None and block.state == "online" else ""
    mb_state = driver.mb_state.get(number, "UNUSED") if owned and driver is not None else ""
    letters = "" if coarse else "".join(
        subblock_letter(k, number, index, count, state) if there else UNPLUGGED for index, there in enumerate(plugged)
    )
    bytes_plugged = sum(plugged) * MEMORY_BLOCK_SIZE // count
    if block is not None and not owned:
        bytes_plugged = block.ram_pages * PAGE_SIZE
    return Tile(number, number, state, zone, mb_state, letters, MEMORY_BLOCK_SIZE // count, bytes_plugged)


def subblock_letter(k: Kernel, number: int, index: int, count: int, state: str) -> str:
    """What is in a plugged subblock."""
    if state not in ("online", "going-offline"):
        return SLEEPING
    nr = PAGES_PER_SECTION // count
    start = number * PAGES_PER_SECTION + index * nr
    if k.memmap.find(start, start + nr, IN_THE_WAY) is not None:
        return STUCK
    return IN_USE if k.memmap.find(start, start + nr, USED) is not None else FREE


TILE, GAP, PAD, TALL = 126, 11, 8, 106


def draw_tiles(tiles: Sequence[Tile]) -> tuple[list[str], float]:
    """All tiles, three in a row, and the legend."""
    parts: list[str] = []
    y = 1.0
    for index, tile in enumerate(tiles):
        x, y = index % 3 * (TILE + GAP) + 0.6, 1 + index // 3 * (TALL + 10)
        parts += draw_tile(tile, x, y)
    seen = "".join(tile.subblocks for tile in tiles)
    styles = {zone_style(tile.zone) for tile in tiles if tile.subblocks and tile.zone}
    style = "kernel" if styles == {"kernel"} else "movable"
    entries = [("".join(draw_subblock(letter, 1, 0, 12, 14, style)), WORDS[letter]) for letter in WORDS if letter in seen]
    if {"movable", "kernel"} <= styles:
        entries += [("".join(draw_subblock(FREE, 1, 0, 12, 14, "kernel")), "kernel zone")]
    key, height = legend(y + TALL + 14, entries)
    return parts + key, height


def draw_tile(tile: Tile, x: float, y: float) -> Iterator[str]:
    """One tile: its border says whether it is online, offline or absent."""
    style = zone_style(tile.zone)
    border = {"online": "solid", "absent": "dotted"}.get(tile.state, "dashed")
    yield rect(x, y, TILE, TALL, f"box {border}", 5)
    if tile.zone:
        yield rect(x, y, 5, TALL, style, 2)
    yield label(x + PAD + 3, y + 17, tile.name, "t b")
    yield label(x + PAD + 3, y + 33, tile.where[:15], "t small")
    yield label(x + PAD + 3, y + 48, tile.driver, "t small muted")
    inner = TILE - 2 * PAD
    if tile.subblocks:
        per_row = min(len(tile.subblocks), 16)
        width, height = inner / per_row, 28 / (len(tile.subblocks) / per_row)
        for index, letter in enumerate(tile.subblocks):
            row, column = divmod(index, per_row)
            yield from draw_subblock(
                letter, x + PAD + 2 + column * width, y + 55 + row * height, width - 1.2, height - 1.2, style
            )
    else:
        blocks = tile.last - tile.first + 1
        yield label(x + PAD + 3, y + 66, f"{blocks} block{'s' * (blocks != 1)},", "t small")
        yield label(x + PAD + 3, y + 81, "boot memory", "t small")
    yield label(x + PAD + 3, y + TALL - 8, size(tile.plugged) + (" plugged" if tile.driver else ""), "t small")


def draw_subblock(letter: str, x: float, y: float, width: float, height: float, style: str) -> Iterator[str]:
    """One subblock: hatched, hollow, light, full, or full and crossed out."""
    kinds = {UNPLUGGED: "box", SLEEPING: "box", FREE: f"{style}-soft", IN_USE: style, STUCK: "bad"}
    yield rect(x, y, width, height, kinds[letter])
    if letter == UNPLUGGED:
        yield hatch(x, y, width, height, 4)
    elif letter == STUCK:
        yield line(x + 1, y + 2, x + width - 1, y + height - 2, "cross")
        yield line(x + 1, y + height - 2, x + width - 1, y + 2, "cross")


# -- pageblocks --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PageblockCell:
    """One pageblock: its number in the memory block, type, subblock, and what its 512 pages are."""

    index: int
    migratetype: int
    subblock: int | None
    used: int
    hidden: int
    stuck: bool
    online: bool

    @property
    def content(self) -> str:
        """What is in it, in a word or two."""
        if not self.online:
            return "offline"
        if self.hidden:
            return "PG_offline" if self.hidden == pageblock_nr_pages else f"{self.hidden} PG_offline"
        if self.stuck:
            return f"{self.used} in use, not all movable"
        return "free" if not self.used else f"{self.used} in use"


def pageblocks(machine: Machine, block: int, title: str = "") -> Picture:
    """The 64 pageblocks of a memory block. Raises ValueError if Linux does not have the block."""
    if block not in machine.kernel.memory_blocks:
        raise ValueError(f"memory block {block} is not there")
    cells = [pageblock_cell(machine, block, index) for index in range(PAGEBLOCKS_PER_SECTION)]
    title = title or f"Pageblocks of memory{block}"
    types = Counter(migratetype_names[cell.migratetype] for cell in cells)
    description = ", ".join(f"{number} {name}" for name, number in types.items()) + "."
    runs = list(runs_of_cells(cells))
    rows = tuple((span(a.index, b.index), migratetype_names[a.migratetype], sb_span(a, b), a.content) for a, b in runs)
    parts, height = draw_grid(cells)
    table = Table(("pageblocks", "type", "subblocks", "pages (of 512)"), rows)
    return Picture(title, description, svg(title, description, height, parts), table)


def pageblock_cell(machine: Machine, block: int, index: int) -> PageblockCell:
    """Look at one pageblock."""
    memmap, driver = machine.kernel.memmap, machine.driver
    start = block * PAGES_PER_SECTION + index * pageblock_nr_pages
    end = start + pageblock_nr_pages
    owned = driver is not None and driver.first_mb_id <= block <= driver.last_mb_id
    return PageblockCell(
        index,
        memmap.get_pageblock_migratetype(start),
        index * driver.nb_sb_per_mb // PAGEBLOCKS_PER_SECTION if owned and driver is not None else None,
        memmap.count(start, end, USED),
        memmap.count(start, end, HIDDEN),
        memmap.find(start, end, IN_THE_WAY) is not None,
        memmap.sections[block].online,
    )


def runs_of_cells(cells: Sequence[PageblockCell]) -> Iterator[tuple[PageblockCell, PageblockCell]]:
    """First and last of neighbours that are alike."""
    first = cells[0]
    for cell, after in zip(cells, [*cells[1:], None], strict=True):
        alike = after is not None and after.migratetype == cell.migratetype and after.content == cell.content
        if not alike:
            yield first, cell
            if after is not None:
                first = after


def span(first: int, last: int) -> str:
    """`3` or `3–9`."""
    return str(first) if first == last else f"{first}–{last}"


def sb_span(first: PageblockCell, last: PageblockCell) -> str:
    """The subblocks that a run touches."""
    return "–" if first.subblock is None or last.subblock is None else span(first.subblock, last.subblock)


CELL, PITCH, STEP = 44, 50, 60


def draw_grid(cells: Sequence[PageblockCell]) -> tuple[list[str], float]:
    """Eight cells in a row, the subblocks named above their first pageblock."""
    parts: list[str] = []
    for cell in cells:
        row, column = divmod(cell.index, 8)
        parts += draw_cell(cell, 2 + column * PITCH, 16 + row * STEP)
        if cell.subblock is not None and (cell.index == 0 or cells[cell.index - 1].subblock != cell.subblock):
            parts.append(label(2 + column * PITCH, 11 + row * STEP, f"sb {cell.subblock}", "t small muted"))
    used = sorted({cell.migratetype for cell in cells})
    entries = [
        (rect(0, 0, 14, 14, "bad" if t == MIGRATE_ISOLATE else "plain") + label(7, 11, migratetype_names[t][0],
         "t b mid" + (" on" if t == MIGRATE_ISOLATE else "")), migratetype_names[t]) for t in used
    ]
    if any(cell.hidden for cell in cells):
        entries.append((rect(0, 0, 14, 14, "box") + hatch(0, 0, 14, 14, 4), "PG_offline"))
    if any(cell.used for cell in cells):
        entries.append((rect(0, 0, 14, 14, "box") + rect(0, 7, 14, 7, "movable"), "in use (pages)"))
    if any(cell.stuck for cell in cells):
        entries.append((rect(0, 0, 14, 14, "bad"), "can't all be moved"))
    key, height = legend(16 + 8 * STEP, entries)
    return parts + key, height


def draw_cell(cell: PageblockCell, x: float, y: float) -> Iterator[str]:
    """Type letter on top, contents below."""
    isolated = cell.migratetype == MIGRATE_ISOLATE
    yield rect(x, y, CELL, CELL - 6, "box" if cell.online else "box dashed", 3)
    yield rect(x, y, CELL, 18, "bad" if isolated else "plain", 3)
    yield label(x + CELL / 2, y + 14, migratetype_names[cell.migratetype][0], "t b mid" + (" on" if isolated else ""))
    if cell.hidden:
        yield hatch(x, y + 18, CELL * cell.hidden / pageblock_nr_pages, CELL - 24, 5)
    elif cell.used:
        yield rect(x + 1, y + CELL - 12, (CELL - 2) * cell.used / pageblock_nr_pages, 5, "bad" if cell.stuck else "movable")
        yield label(x + CELL / 2, y + 30, str(cell.used), "t small mid")
    elif cell.online:
        yield label(x + CELL / 2, y + 32, "free", "t small mid")


# -- zones -------------------------------------------------------------------------------------------


def zones(machine: Machine, title: str = "Zones") -> Picture:
    """Spanned, present, managed and free pages of each populated zone, as bars."""
    populated = [zone for zone in machine.kernel.zones if zone.populated]
    most = max((zone.spanned_pages for zone in populated), default=1)
    parts: list[str] = []
    rows, y = [], 0.0
    for zone in populated:
        place = f"pfn {zone.zone_start_pfn:#x}–{zone.zone_end_pfn - 1:#x}"
        numbers = {"spanned": zone.spanned_pages, "present": zone.present_pages, "managed": zone.managed_pages,
                   "free": zone.nr_free_pages}
        rows.append((zone.name, place, *(str(number) for number in numbers.values())))
        parts += [label(0, y + 14, f"Zone {zone.name}", "t b"), label(120, y + 14, place, "t small muted")]
        for index, (name, pages) in enumerate(numbers.items()):
            parts += draw_bar(y + 22 + index * 18, name, pages, most, zone_style(zone.name))
        y += 104
    header = ("zone", "span", "spanned pages", "present", "managed", "free")
    described = "; ".join(f"{row[0]}: {row[3]} present, {row[4]} managed, {row[5]} free pages" for row in rows) + "."
    return Picture(title, described, svg(title, described, max(y, 20), parts), Table(header, tuple(rows)))


def draw_bar(y: float, name: str, pages: int, most: int, style: str) -> Iterator[str]:
    """One bar with its name and its size."""
    kind = {"spanned": "box dashed", "present": f"{style}-soft", "managed": style, "free": f"{style}-soft"}[name]
    yield label(0, y + 11, name, "t small")
    width = max(230 * pages / most, 1)
    yield rect(70, y, width, 13, kind)
    if name == "free":
        yield hatch(70, y, width, 13, 6)
    yield label(WIDTH, y + 11, size(pages * PAGE_SIZE) if pages % 256 == 0 else f"{pages} p", "t small end")
