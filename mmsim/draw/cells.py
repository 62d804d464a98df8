"""The cells of a strip: memory blocks, subblocks, pageblocks or runs of pages, with what is in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from mmsim.draw.snapshot import WORDS, Block, Run, Snapshot
from mmsim.mm.mmzone import PAGES_PER_SECTION, SECTION_SHIFT, pageblock_nr_pages

UNITS = ("block", "subblock", "pageblock", "page")
ISOLATED = "Isolate"


@dataclass(frozen=True)
class Cell:
    """Pages [start, end), what they are, and the migrate types of their pageblocks.

    count: so many neighbours that are alike are drawn as this one. actor: who has isolated it, if that is to be told.
    """

    start: int
    end: int
    runs: tuple[Run, ...]
    types: tuple[str, ...] = ()
    count: int = 1
    actor: str = ""

    @property
    def isolated(self) -> int:
        """How many of its pageblocks are isolated."""
        return self.types.count(ISOLATED)

    @property
    def label(self) -> str:
        """The migrate type, if it has one alone."""
        return self.types[0] if len(set(self.types)) == 1 else "mixed" if self.types else ""

    @property
    def pages(self) -> Counter[str]:
        """Kind -> number of pages."""
        return pages_in(self.runs)

    @property
    def kind(self) -> str:
        """The most telling kind in it."""
        return max(self.pages, key=list(WORDS).index)

    @property
    def look(self) -> tuple[object, ...]:
        """What is to be seen of it: neighbours with the same look are alike."""
        return tuple((run.kind, run.end - run.start) for run in self.runs), self.label, self.isolated, self.actor


def pages_in(runs: Iterable[Run]) -> Counter[str]:
    """Kind -> number of pages."""
    found: Counter[str] = Counter()
    for run in runs:
        found[run.kind] += run.end - run.start
    return found


def worded(pages: Counter[str]) -> str:
    """`31,744 free, 1,024 in use`."""
    return ", ".join(f"{pages[kind]:,} {word}" for kind, word in WORDS.items() if pages[kind])


def clip(runs: Iterable[Run], start: int, end: int) -> tuple[Run, ...]:
    """The runs inside [start, end); neighbours of one kind and owner become one."""
    found: list[Run] = []
    for run in runs:
        if run.start < end and run.end > start:
            part = replace(run, start=max(run.start, start), end=min(run.end, end))
            if found and (found[-1].kind, found[-1].owner) == (part.kind, part.owner):
                part = replace(found.pop(), end=part.end)
            found.append(part)
    return tuple(found)


def cut(block: Block, unit: int, start: int = 0, end: int = 1 << 60) -> list[Cell]:
    """A block's pages in [start, end) as cells of `unit` pages."""
    base = block.number << SECTION_SHIFT
    first, last = max(base, start), min(base + PAGES_PER_SECTION, end)
    cells = []
    for low in range(first - first % unit, last, unit):
        a, b = max(low, first), min(low + unit, last)
        types = block.types[(a - base) // pageblock_nr_pages : -(-(b - base) // pageblock_nr_pages)]
        cells.append(Cell(a, b, clip(block.runs, a, b), types))
    return cells


def page_cells(block: Block, start: int, end: int) -> list[Cell]:
    """Runs of equal pages in [start, end) as cells."""
    return [
        Cell(run.start, run.end, (run,), cell.types)
        for cell in cut(block, pageblock_nr_pages, start, end)
        for run in cell.runs
    ]


def collapsed(cells: Sequence[Cell]) -> list[Cell]:
    """Neighbours that are alike as one cell with a count."""
    return [merged(list(alike)) for _, alike in groupby(cells, key=lambda cell: cell.look)]


def merged(cells: Sequence[Cell]) -> Cell:
    """Cells that are alike as one."""
    runs = clip((run for cell in cells for run in cell.runs), cells[0].start, cells[-1].end)
    types = tuple(t for cell in cells for t in cell.types)
    return Cell(cells[0].start, cells[-1].end, runs, types, sum(cell.count for cell in cells), cells[0].actor)


# -- what of a snapshot is drawn in which cells --------------------------------------------------------


@dataclass(frozen=True)
class Segment:
    """Memory that is drawn in a row: memory blocks, the unit of the cells, the cells, and another heading."""

    blocks: tuple[Block, ...]
    unit: str
    cells: tuple[Cell, ...]
    heading: str = ""

    @property
    def name(self) -> str:
        """`memory32` or `memory0–31`."""
        first, last = self.blocks[0].number, self.blocks[-1].number
        return f"memory{first}" + (f"–{last}" if last > first else "")

    @property
    def linear(self) -> bool:
        """Are equal lengths equal sizes?"""
        return self.unit != "page" and all(cell.count == 1 for cell in self.cells)


MANY = 24  # blocks; where there are more, those that are alike become one


def segments(shot: Snapshot, unit: str = "", within: tuple[int, int] | None = None) -> list[Segment]:
    """A snapshot as segments: the blocks that were asked for one by one, the others summed up, by address.

    unit: of the cells of those asked for; without it, subblocks, and pageblocks in what is no longer than eight.
    """
    if unit and unit not in UNITS:
        raise ValueError(f"unknown unit {unit!r}; known are {', '.join(UNITS)}")
    low, high = within or (0, 1 << 60)
    blocks = [b for b in shot.blocks if b.number << SECTION_SHIFT < high and b.number + 1 << SECTION_SHIFT > low]
    unit = unit or ("pageblock" if high - low <= 16 * pageblock_nr_pages else "subblock")
    found: list[Segment] = []
    for number, some in groupby(groups(shot, blocks), key=lambda pair: pair[0]):
        members = tuple(block for _, block in some)
        if number < 0 or len(members) > 1:
            found.append(Segment(members, "block", tuple(collapsed([c for b in members for c in cut(b, 1 << 15)]))))
        else:
            found.append(Segment(members, unit, tuple(cells_of(shot, members[0], unit, low, high))))
    return found


def groups(shot: Snapshot, blocks: Sequence[Block]) -> Iterator[tuple[int, Block]]:
    """Each block with the number of its group: negative for those that are summed up."""
    before: Block | None = None
    group = 0
    for block in blocks:
        group += before is None or before.number + 1 != block.number or not joined(shot, before, block)
        yield (group if block.number in shot.asked else -group), block
        before = block


def joined(shot: Snapshot, one: Block, other: Block) -> bool:
    """Are two neighbours drawn as one: both of boot memory, or alike where there are many, or not there at all?"""
    asked = [block.number in shot.asked for block in (one, other)]
    if not all(asked):
        return not any(asked)
    return alike(one, other) and (len(shot.asked) > MANY or other.state == "absent")


def alike(one: Block, other: Block) -> bool:
    """May the two be drawn as one?"""
    shapes = [
        (b.state, b.zone, b.driver, tuple((run.kind, run.end - run.start) for run in b.runs), b.types)
        for b in (one, other)
    ]
    return shapes[0] == shapes[1]


def cells_of(shot: Snapshot, block: Block, unit: str, low: int, high: int) -> list[Cell]:
    """The cells of a block that was asked for."""
    if unit == "page":
        return page_cells(block, low, high)
    nr = {"block": PAGES_PER_SECTION, "subblock": min(shot.nr_subblock, PAGES_PER_SECTION),
          "pageblock": pageblock_nr_pages}[unit]  # fmt: skip
    if unit == "subblock" and not block.driver:
        nr = PAGES_PER_SECTION // 32
    cells = cut(block, nr, low, high)
    return collapsed(cells) if len(cells) > 32 else cells
