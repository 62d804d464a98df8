"""Where the cells of a strip lie on a page of some width: rows in bands, of which each has the height that it needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mmsim.draw.cells import ISOLATED, Cell, Segment
from mmsim.draw.figure import plural
from mmsim.draw.paint import BOLD, CHAR, TALL
from mmsim.mm.mmzone import MEMORY_BLOCK_SIZE, PAGE_SIZE, SECTION_SHIFT

LEAST = {"block": 54, "subblock": 12, "pageblock": 59, "page": 72}  # width of a cell
MOST = 90  # width of what is smaller than a block
HEAD, LANE, STEM, TAG, SCALE, GAP = 19, 24, 20, 22, 17, 8  # heights: a line of a heading, an arrow and its stem, ...
BADGE = 24  # more width, for who has isolated a pageblock
EACH, LAST = 58, 88  # room on the scale for a number, and for the last one with its unit
MIB = (1 << 20) // PAGE_SIZE


@dataclass
class Row:
    """Cells side by side, of a segment, the first at x. Once it has its place: y is where its heading begins, and
    `top` where the cells do."""

    segment: Segment
    cells: tuple[Cell, ...]
    x: float
    pitch: float
    head: tuple[str, ...]
    gap: str = ""  # what was left out before it
    y: float = 0
    top: float = 0

    @property
    def end(self) -> float:
        """The right edge."""
        return self.x + self.pitch * len(self.cells)

    @property
    def tagged(self) -> bool:
        """Is there anything to say below the cells?"""
        return self.segment.unit in ("pageblock", "page") or any(cell.isolated for cell in self.cells)

    def span(self, start: int, end: int) -> tuple[float, float] | None:
        """Where pages [start, end) lie in this row, from x to x, or None."""
        xs = [
            self.x + self.pitch * (index + (page - cell.start) / (cell.end - cell.start))
            for index, cell in enumerate(self.cells)
            for page in (max(start, cell.start), min(end, cell.end))
            if start < cell.end and end > cell.start
        ]
        return (min(xs), max(xs)) if xs else None


@dataclass
class Band:
    """Rows at one height. lanes: how many arrows pass above their cells; y: where the band begins."""

    rows: list[Row]
    lanes: int = 0
    y: float = 0

    def settle(self, y: float) -> float:
        """Give the band its place; returns where the next one begins."""
        self.y = y
        y += HEAD * max(len(row.head) + bool(row.gap) for row in self.rows)
        y += LANE * self.lanes + STEM if self.lanes else 0
        for row in self.rows:
            row.y, row.top = self.y, y
        y += TALL + (TAG if any(row.tagged for row in self.rows) else 0)
        return y + SCALE + GAP

    def lane(self, number: int) -> float:
        """The y of an arrow that passes above."""
        return self.rows[0].top - STEM - 4 - LANE * number


def stacked(parts: Sequence[Segment], width: float) -> list[Band]:
    """Segments one below the other, each in as many rows as it needs; what lies between two and is left out is said."""
    bands: list[Band] = []
    for index, segment in enumerate(parts):
        rows = wrapped(segment, 0, width)
        if index and segment.blocks and (left_out := segment.blocks[0].number - parts[index - 1].blocks[-1].number - 1):
            rows[0].gap = f"⋮ {left_out * MEMORY_BLOCK_SIZE >> 20:,} MiB are not drawn"
        bands += [Band([row]) for row in rows]
    return bands


def beside(parts: Sequence[Segment], width: float, gap: float = 28) -> list[Band]:
    """Segments side by side, each as wide as its cells are many."""
    total = sum(len(segment.cells) for segment in parts)
    pitch, x, rows = (width - gap * (len(parts) - 1)) / total, 0.0, []
    for segment in parts:
        rows.append(Row(segment, segment.cells, x, pitch, (heading(segment),)))
        x += pitch * len(segment.cells) + gap
    return [Band(rows)]


def wrapped(segment: Segment, x: float, width: float) -> list[Row]:
    """A segment as rows of equally many cells."""
    badge = BADGE if any(cell.actor for cell in segment.cells) else 0
    room, nr = int(width // (LEAST[segment.unit] + badge)), len(segment.cells)
    per_row = min(room, nr) if not segment.linear else min(1 << room.bit_length() - 1, 1 << (nr - 1).bit_length())
    pitch = width / per_row if segment.unit == "block" else min(width / per_row, MOST)
    rows = []
    for index in range(0, nr, per_row):
        head = lines(heading(segment), width) if index == 0 and segment.blocks else ()
        rows.append(Row(segment, segment.cells[index : index + per_row], x, pitch, head))
    return rows


def heading(segment: Segment) -> str:
    """What a segment is: its name, how it is used, and how much of it is there."""
    if segment.heading:
        return segment.heading
    blocks = segment.blocks
    amount = f"{sum(b.plugged for b in blocks) >> 20:,} MiB"
    state = f"{blocks[0].state} {blocks[0].zone}".strip()
    if not blocks[0].driver:
        return f"{segment.name} {'boot memory' if len(blocks) > 1 else state} · {amount}"
    return f"{segment.name} {state} · {blocks[0].driver} · {amount} plugged"


def lines(text: str, width: float) -> tuple[str, ...]:
    """A heading in as many lines as it needs."""
    found = [""]
    for word in text.split(" "):
        if found[-1] and (len(found[-1]) + 1 + len(word)) * BOLD > width:
            found.append("")
        found[-1] += (" " if found[-1] else "") + word
    return tuple(found)


def ticks(row: Row) -> list[tuple[float, str]]:
    """The scale of a row: x, and MiB from the beginning of the memory block (of several blocks: from 0 on)."""
    base = row.segment.blocks[0].number << SECTION_SHIFT if len(row.segment.blocks) == 1 else 0
    step = max(1, -(-EACH // int(row.pitch)))
    step = 1 << (step - 1).bit_length() if row.segment.linear else step
    edges = [(row.x + row.pitch * index, cell.start) for index, cell in enumerate(row.cells)][::step]
    found = [(x, place(pfn - base)) for x, pfn in edges]
    if row.cells[-1] is not row.segment.cells[-1]:
        return found
    found[1:] = [tick for tick in found[1:] if row.end - tick[0] >= LAST]
    last = f"{place(row.cells[-1].end - base)} MiB"
    if len(found) == 1 and CHAR * len(found[0][1] + last) > row.end - row.x:
        return [(row.x, f"{found[0][1]}–{last}")]
    return [*found, (row.end, last)]


def place(pages: int) -> str:
    """So many pages in MiB, to the KiB if need be."""
    return f"{pages / MIB:,.3f}".rstrip("0").rstrip(".")


def tags(row: Row) -> list[tuple[float, float, str, str]]:
    """What is said below the cells: x, width, text, and the actor's letter; isolated neighbours share one tag."""
    found: list[tuple[float, float, str, str]] = []
    for index, cell in enumerate(row.cells):
        x, text = row.x + row.pitch * index, ISOLATED if cell.isolated else ""
        if row.segment.unit == "page":
            found.append((x, row.pitch, plural(cell.end - cell.start, "page"), ""))
        elif row.segment.unit == "pageblock":
            found.append((x, row.pitch, text or fitting(cell.label, row.pitch), cell.actor))
        elif text and found and found[-1][0] + found[-1][1] == x:
            found[-1] = (found[-1][0], found[-1][1] + row.pitch, text, "")
        elif text:
            found.append((x, row.pitch, text, ""))
    return found if row.segment.unit in ("pageblock", "page") else widened(row, found)


def fitting(label: str, width: float) -> str:
    """A label, or its beginning where there is no room for all of it and some between it and the next one."""
    return label if CHAR * (len(label) + 1) <= width else f"{label[: int(width / CHAR) - 2]}."


def widened(row: Row, some: list[tuple[float, float, str, str]]) -> list[tuple[float, float, str, str]]:
    """Tags with room for their word, where there is any beside them."""
    found: list[tuple[float, float, str, str]] = []
    for index, (x, width, text, actor) in enumerate(some):
        wide = max(width, CHAR * len(text) + 12)
        left = min(max(x + width / 2 - wide / 2, row.x), row.end - wide)
        before = found[-1][0] + found[-1][1] if found else row.x
        after = some[index + 1][0] if index + 1 < len(some) else row.end
        fits = before <= left and left + wide <= after
        found.append((left, wide, text, actor) if fits else (x, width, text, actor))
    return found
