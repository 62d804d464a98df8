"""The map of memory blocks: what Linux and the virtio-mem driver make of each of them, and its subblocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from mmsim.draw.figure import Picture, Table, hatch, label, legend, line, plural, rect, size, svg
from mmsim.machine.machine import Machine
from mmsim.mm.kernel import Kernel
from mmsim.mm.memmap import KINDS, Codes, codes_where
from mmsim.mm.mmzone import MEMORY_BLOCK_SIZE, PAGE_SIZE, PAGES_PER_SECTION, ZONE_NORMAL
from mmsim.mm.page_isolation import MEMORY_OFFLINE, unmovable_codes
from mmsim.mm.zones import zones_of
from mmsim.series import BASE

MANY = 24  # tiles; where there are more, neighbours that are alike become one

PINNED = codes_where(lambda page, refs: page.lru and refs)
IN_THE_WAY = Codes(PINNED.chosen | unmovable_codes(BASE, ZONE_NORMAL, MEMORY_OFFLINE).chosen)
USED = codes_where(lambda page, refs: page is not KINDS[0] and not page.offline and (page.refcount > 0 or refs))

# The state of a subblock: a letter; the word for it.
UNPLUGGED, SLEEPING, FREE, IN_USE, STUCK = ".", "o", "f", "u", "x"
WORDS = {UNPLUGGED: "unplugged", SLEEPING: "plugged, offline", FREE: "free", IN_USE: "in use", STUCK: "can't be moved"}


@dataclass(frozen=True)
class Tile:
    """One memory block, or several in a row that are alike. `subblocks` has a letter for each, see WORDS."""

    first: int
    last: int
    state: str
    zone: str
    driver: str
    subblocks: str
    plugged: int  # bytes

    @property
    def name(self) -> str:
        """`memory32` or `memory0–31`."""
        return f"memory{self.first}" + (f"–{self.last}" if self.last > self.first else "")

    @property
    def amount(self) -> str:
        """How much of it is plugged, and out of how much; of boot memory how much there is."""
        whole = (self.last - self.first + 1) * MEMORY_BLOCK_SIZE
        return f"{self.plugged >> 20}/{whole >> 20} MiB" if self.driver else size(self.plugged)

    @property
    def row(self) -> tuple[str, ...]:
        """The tile's row in the table."""
        count = Counter(self.subblocks)
        parts = [f"{count[letter]} {word}" for letter, word in WORDS.items() if count[letter]]
        where = f"{self.state} {self.zone}".strip()
        return self.name, where, self.driver or "–", size(self.plugged), ", ".join(parts) or "–"

    def like(self, other: Tile) -> bool:
        """May the two be drawn as one?"""
        mine, theirs = ((tile.state, tile.zone, tile.driver, tile.subblocks) for tile in (self, other))
        return mine == theirs and self.last + 1 == other.first


def memory_blocks(machine: Machine, first: int | None = None, last: int | None = None, title: str = "") -> Picture:
    """The map of memory blocks: state, zone, the driver's state, and for each subblock whether it is plugged,
    free, in use, or holds a page that can't be moved (pinned, or the kernel's).

    first, last: numbers of the blocks to show. Without them boot memory is summarised, and the blocks of the
    virtio-mem device are shown as far as it can plug them now.
    """
    tiles = list(chosen_tiles(machine, first, last))
    subblock = size(MEMORY_BLOCK_SIZE if machine.driver is None else machine.driver.subblock_size)
    title, description = title or "Memory blocks", describe(machine)
    header = ("memory block", "state", "driver", "plugged", f"subblocks of {subblock}")
    parts, height = draw_tiles(tiles)
    table = Table(header, tuple(tile.row for tile in tiles))
    return Picture(title, description, svg(title, description, height, parts), table)


def describe(machine: Machine) -> str:
    """Requested and plugged, and how much Linux manages in the zones where hotplugged memory can be."""
    sentences = []
    if machine.device is not None:
        asked, plugged = size(machine.device.requested_size), size(machine.device.size)
        sentences.append(f"The host asks for {asked}; {plugged} are plugged.")
    zones = [zone for zone in machine.kernel.zones[ZONE_NORMAL:] if zone.populated]
    if zones:
        managed = ", ".join(f"{zone.name} {size(zone.managed_pages * PAGE_SIZE)}" for zone in zones)
        sentences.append(f"Linux manages: {managed}.")
    return " ".join(sentences)


# -- what to show ------------------------------------------------------------------------------------


def chosen_tiles(machine: Machine, first: int | None, last: int | None) -> Iterator[Tile]:
    """The tiles to draw."""
    blocks, driver = machine.kernel.memory_blocks, machine.driver
    if first is not None or last is not None:
        end = max(blocks, default=0) if last is None else last
        yield from (tile_of(machine, number) for number in range(first or 0, end + 1))
        return
    mine = range(0)
    if driver is not None:
        end = max(driver.next_mb_id, driver.last_usable_mb_id + 1, driver.first_mb_id + 1)
        mine = range(driver.first_mb_id, end)
    others = sorted(number for number in blocks if number not in mine)
    yield from merged([tile_of(machine, number, coarse=True) for number in others])
    owned = [tile_of(machine, number) for number in mine]
    yield from merged(owned, all_alike=len(owned) > MANY)


def merged(tiles: Sequence[Tile], all_alike: bool = True) -> list[Tile]:
    """Neighbours that are alike as one tile; else only those that have nothing to show."""
    found: list[Tile] = []
    for tile in tiles:
        if found and found[-1].like(tile) and (all_alike or not tile.subblocks):
            found[-1] = replace(found[-1], last=tile.last, plugged=found[-1].plugged + tile.plugged)
        else:
            found.append(tile)
    return found


def tile_of(machine: Machine, number: int, coarse: bool = False) -> Tile:
    """A memory block as a tile; `coarse`: without its subblocks."""
    k, driver = machine.kernel, machine.driver
    block = k.memory_blocks.get(number)
    state = "absent" if block is None else block.state
    zone = ", ".join(z.name for z in zones_of(k, block)) if block is not None and state == "online" else ""
    if driver is not None and driver.first_mb_id <= number <= driver.last_mb_id:
        there = bytes(driver.plugged_subblocks.get(number, bytes(driver.nb_sb_per_mb)))
        letters = letters_of(k, number, there, state) if block is not None or any(there) else ""
        plugged = sum(there) * MEMORY_BLOCK_SIZE // len(there)
        return Tile(number, number, state, zone, driver.mb_state.get(number, "UNUSED"), letters, plugged)
    letters = "" if block is None or coarse else letters_of(k, number, b"\1" * 32, state)
    return Tile(number, number, state, zone, "", letters, 0 if block is None else block.ram_pages * PAGE_SIZE)


def letters_of(k: Kernel, number: int, plugged: bytes, state: str) -> str:
    """A letter for each subblock of a block."""
    nr, base = PAGES_PER_SECTION // len(plugged), number * PAGES_PER_SECTION
    return "".join(
        letter_of(k, base + index * nr, base + (index + 1) * nr, state) if there else UNPLUGGED
        for index, there in enumerate(plugged)
    )


def letter_of(k: Kernel, start: int, end: int, state: str) -> str:
    """What is in a plugged subblock."""
    if state not in ("online", "going-offline"):
        return SLEEPING
    if k.memmap.find(start, end, IN_THE_WAY) is not None:
        return STUCK
    return IN_USE if k.memmap.find(start, end, USED) is not None else FREE


# -- how to draw it ----------------------------------------------------------------------------------

TILE, GAP, PAD, TALL = 114, 8.5, 8, 108
FILLS = {UNPLUGGED: "box", SLEEPING: "box", STUCK: "bad"}


def zone_style(zone: str) -> str:
    """The colour of a zone: one for ZONE_MOVABLE, one for the kernel zones."""
    return "other" if zone in ("", "none") else "movable" if zone == "Movable" else "kernel"


def draw_tiles(tiles: Sequence[Tile]) -> tuple[list[str], float]:
    """All tiles, three in a row, and the legend."""
    parts: list[str] = []
    for index, tile in enumerate(tiles):
        row, column = divmod(index, 3)
        parts += draw_tile(tile, column * (TILE + GAP) + 0.6, row * (TALL + 9) + 1)
    rows = -(-len(tiles) // 3)
    key, height = legend(rows * (TALL + 9) + 6, draw_key(tiles))
    return parts + key, height


def draw_key(tiles: Sequence[Tile]) -> list[tuple[str, str]]:
    """Swatches for what is in the tiles."""
    seen = "".join(tile.subblocks for tile in tiles)
    styles = sorted({zone_style(tile.zone) for tile in tiles if tile.subblocks and tile.zone}) or ["other"]
    entries = []
    for letter in WORDS:
        if letter in seen:
            style = styles[-1] if "movable" in styles else styles[0]
            entries.append(("".join(draw_subblock(letter, 1, 0, 12, 14, style)), WORDS[letter]))
    for style, word in (("movable", "ZONE_MOVABLE"), ("kernel", "kernel zone")):
        if any(zone_style(tile.zone) == style for tile in tiles):
            entries.append((rect(4, 0, 5, 14, style, 2), word))
    return entries


def draw_tile(tile: Tile, x: float, y: float) -> Iterator[str]:
    """One tile: its border says whether it is online, offline or absent, the bar at its left the zone."""
    border = {"online": "", "absent": "dotted"}.get(tile.state, "dashed")
    yield rect(x, y, TILE, TALL, f"box {border}", 5)
    if tile.zone:
        yield rect(x, y, 5, TALL, zone_style(tile.zone), 2)
    boot = not tile.driver and not tile.subblocks
    where = tile.state if boot else f"{tile.state} {tile.zone}"
    yield label(x + PAD + 2, y + 17, tile.name, "t b")
    yield label(x + PAD + 2, y + 33, where, "t small")
    yield label(x + PAD + 2, y + 48, tile.zone if boot else tile.driver, "t small muted" if tile.driver else "t small")
    blocks = tile.last - tile.first + 1
    if tile.subblocks:
        yield from draw_subblocks(tile, x + PAD, y + 54)
    elif blocks > 1 or boot:
        yield label(x + PAD + 2, y + 68, plural(blocks, "block"), "t small")
        yield label(x + PAD + 2, y + 83, "of boot memory" if boot and tile.zone else "", "t small")
    yield label(x + PAD + 2, y + TALL - 8, tile.amount, "t small")


def draw_subblocks(tile: Tile, x: float, y: float) -> Iterator[str]:
    """The subblocks of a tile, at most 16 in a row."""
    per_row = min(len(tile.subblocks), 16)
    width, height = (TILE - 2 * PAD + 3) / per_row, 30 * per_row / len(tile.subblocks)
    for index, letter in enumerate(tile.subblocks):
        row, column = divmod(index, per_row)
        left, top = x + column * width, y + row * height
        yield from draw_subblock(letter, left + 1, top, width - 1.2, height - 2, zone_style(tile.zone))


def draw_subblock(letter: str, x: float, y: float, width: float, height: float, style: str) -> Iterator[str]:
    """One subblock: hatched, hollow, light, full, or full and crossed out."""
    yield rect(x, y, width, height, FILLS.get(letter, style if letter == IN_USE else f"{style}-soft"))
    if letter == UNPLUGGED:
        yield hatch(x, y, width, height, 4)
    elif letter == STUCK:
        yield line(x + 1, y + 2, x + width - 1, y + height - 2, "cross")
        yield line(x + 1, y + height - 2, x + width - 1, y + 2, "cross")
